//! The local list of what is cut off: agencies, branches and certificates that are refused at once, whatever policies and revocation
//! lists say.
//!
//! It is one file that `estelam agency suspend` writes and a running service reads within a moment. Cutting off needs nobody's leave but
//! the operator's; what it takes away, officials and authorities granted.

mod list;
mod watch;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

pub use self::list::{AgencyCut, CutOffList, Thumbprint};
pub use self::watch::CutOffWatch;

/// What is wrong with the file; what was in force stays in force.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {what}", file.display())]
pub struct CutOffError {
    file: PathBuf,
    what: String,
}

/// The list in force, read again when its file changes.
pub struct CutOff {
    file: PathBuf,
    current: ArcSwap<CutOffList>,
    changing: Mutex<Changing>,
    /// One end at a time: of two, both would have the same one recorded.
    ending: Mutex<()>,
}

/// What is asked and told about a change.
#[derive(Default)]
struct Changing {
    /// What a new list may open of what the old one cuts off.
    guard: Option<Arc<OfTwo<CutOffList>>>,
    hooks: Vec<Box<OfTwo<()>>>,
}

/// What is made of the list before and the one after.
type OfTwo<T> = dyn Fn(&CutOffList, &CutOffList) -> T + Send + Sync;

impl CutOff {
    /// Reads the list; where none ever was, one is made with nothing in it.
    ///
    /// # Errors
    /// The file cannot be read or made, or is no list.
    pub fn open(file: &Path) -> Result<Arc<Self>, CutOffError> {
        if read(file)?.is_none() {
            change(file, |_| ())?;
        }
        let list = read(file)?.ok_or_else(|| fault(file, "is missing"))?;
        Ok(Arc::new(Self {
            file: file.to_owned(),
            current: ArcSwap::from_pointee(list),
            changing: Mutex::default(),
            ending: Mutex::default(),
        }))
    }

    /// The list in force.
    pub fn current(&self) -> arc_swap::Guard<Arc<CutOffList>> {
        self.current.load()
    }

    /// Runs `hook` after every change that took effect, with the list before and after. It must not call back into this value.
    pub fn on_change(&self, hook: impl Fn(&CutOffList, &CutOffList) + Send + Sync + 'static) {
        self.changing().hooks.push(Box::new(hook));
    }

    /// Asks `guard` before anything is opened again: it gets the list in force and the one that is wanted, and says which may be. What it
    /// leaves cut off stays so, and it is asked again at every reading. It may wait; what is newly cut off does not wait for it.
    pub fn guarded_by(&self, guard: impl Fn(&CutOffList, &CutOffList) -> CutOffList + Send + Sync + 'static) {
        self.changing().guard = Some(Arc::new(guard));
    }

    fn changing(&self) -> std::sync::MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file again; says whether anything changed.
    ///
    /// # Errors
    /// It is gone or is no list; what was in force stays.
    pub fn reload(&self) -> Result<bool, CutOffError> {
        let closed = self.take_up_cuts()?.changed;
        Ok(self.take_up_ends()? || closed)
    }

    /// Cuts off what the file cuts off, at once; opens nothing.
    fn take_up_cuts(&self) -> Result<Cuts, CutOffError> {
        let changing = self.changing();
        let (wanted, old) = (self.wanted()?, self.current.load_full());
        let list = Arc::new(old.joined(wanted.clone()));
        let cuts = Cuts { changed: list != old, ends: *list != wanted };
        if cuts.changed {
            self.current.store(list.clone());
            changing.hooks.iter().for_each(|hook| hook(&old, &list));
        }
        Ok(cuts)
    }

    /// Opens what the file does not cut off any more, as far as the guard lets it. While that is waited for, more may be cut off.
    fn take_up_ends(&self) -> Result<bool, CutOffError> {
        let _alone = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let (wanted, old) = (self.wanted()?, self.current.load_full());
        if wanted == *old {
            return Ok(false);
        }
        let guard = self.changing().guard.clone();
        let may = Arc::new(guard.map_or_else(|| wanted.clone(), |guard| guard(&old, &wanted)));
        let changing = self.changing();
        let now = self.current.load_full();
        if now == old && self.wanted().is_ok_and(|file| file == wanted) {
            self.current.store(may.clone());
            changing.hooks.iter().for_each(|hook| hook(&old, &may));
            return Ok(may != old);
        }
        // Something was cut off meanwhile. Nothing opens now, and what was about to is told to be cut off again.
        changing.hooks.iter().for_each(|hook| hook(&may, &now));
        Ok(false)
    }

    fn wanted(&self) -> Result<CutOffList, CutOffError> {
        read(&self.file)?.ok_or_else(|| fault(&self.file, "is gone; what it cut off stays cut off until it is back"))
    }
}

/// What came of taking up what the file cuts off.
struct Cuts {
    changed: bool,
    /// The file cuts off less than what is in force.
    ends: bool,
}

const LOST: &str =
    "is gone, though there was one; restore it, or, if nobody was cut off, write `{\"agencies\":{},\"certificates\":{}}` there";

/// Changes the list in a file, in one step and on the disk before it returns. Two who do so at once follow each other.
///
/// # Errors
/// The file cannot be read or written, or is no list; then nothing has changed.
pub fn change<T>(file: &Path, edit: impl FnOnce(&mut CutOffList) -> T) -> Result<T, CutOffError> {
    let failed = |error: io::Error| fault(file, &format!("cannot be written: {error}"));
    fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    let lock_file = file.with_extension("lock");
    let is_first = !lock_file.exists();
    let _alone = crate::files::lock(&lock_file).map_err(failed)?;
    let mut list = match read(file)? {
        Some(list) => list,
        None if is_first => CutOffList::default(),
        // A new list would let everybody in whom the lost one cut off.
        None => return Err(fault(file, LOST)),
    };
    let outcome = edit(&mut list);
    replace(file, &list).map_err(failed)?;
    Ok(outcome)
}

/// The list in a file; `None` where there is no file.
///
/// # Errors
/// The file cannot be read, or is no list.
pub fn read(file: &Path) -> Result<Option<CutOffList>, CutOffError> {
    match fs::read(file) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|error| fault(file, &format!("is no list of what is cut off: {error}")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(file, &format!("cannot be read: {error}"))),
    }
}

fn replace(file: &Path, list: &CutOffList) -> io::Result<()> {
    crate::files::write_durably(file, &[&*serde_json::to_vec_pretty(list)?, b"\n"].concat())
}

fn fault(file: &Path, what: &str) -> CutOffError {
    CutOffError { file: file.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_cut_off_does_not_wait_for_the_record_of_what_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("list.json");
        let edit = |edit: &dyn Fn(&mut CutOffList)| change(&file, |list| edit(list)).unwrap();
        let list = CutOff::open(&file).unwrap();
        let cut = |agency: &str| list.current().agencies.get(agency).is_some_and(|cut| cut.suspended);
        edit(&|list| list.suspend("bank", None, jiff::Timestamp::UNIX_EPOCH));
        list.reload().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = told.clone();
        list.on_change(move |old, new| {
            let of = |list: &CutOffList| list.agencies.get("bank").is_some_and(|cut| cut.suspended);
            hears.lock().unwrap().push((of(old), of(new)));
        });
        let ((came, comes), (go, goes)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let goes = Mutex::new(goes);
        list.guarded_by(move |_, wanted| {
            came.send(()).unwrap();
            goes.lock().unwrap().recv().unwrap();
            wanted.clone()
        });
        std::thread::scope(|scope| {
            edit(&|list| assert!(list.resume("bank", None)));
            let ending = scope.spawn(|| list.take_up_ends().unwrap());
            comes.recv().unwrap();
            // The log hangs. Meanwhile another agency is suspended, and the first one again.
            edit(&|list| list.suspend("school", None, jiff::Timestamp::UNIX_EPOCH));
            assert!(list.take_up_cuts().unwrap().changed && cut("school"));
            edit(&|list| list.suspend("bank", None, jiff::Timestamp::UNIX_EPOCH));
            list.take_up_cuts().unwrap();
            go.send(()).unwrap();
            assert!(!ending.join().unwrap() && cut("bank"), "it does not open for a moment");
        });
        assert_eq!(told.lock().unwrap().last(), Some(&(false, true)), "its record says that it is cut off again");
        go.send(()).unwrap();
        edit(&|list| assert!(list.resume("bank", None)));
        assert!(list.reload().unwrap() && !cut("bank") && cut("school"));
    }

    #[test]
    fn a_list_that_was_lost_is_not_made_anew_with_everybody_let_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cutoff/list.json");
        assert!(CutOff::open(&file).unwrap().current().agencies.is_empty(), "the first one is");
        change(&file, |list| list.suspend("bank", None, jiff::Timestamp::UNIX_EPOCH)).unwrap();
        fs::remove_file(&file).unwrap();
        for refused in [CutOff::open(&file).map(drop), change(&file, |_| ())] {
            let said = refused.unwrap_err().to_string();
            assert!(said.contains("list.json") && said.contains("restore it"), "{said}");
        }
        assert!(!file.exists());
        fs::write(&file, r#"{"agencies":{},"certificates":{}}"#).unwrap();
        CutOff::open(&file).unwrap();
    }
}
