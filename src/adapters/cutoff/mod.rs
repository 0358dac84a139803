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
}

/// What is asked and told about a change.
#[derive(Default)]
struct Changing {
    /// Whether a new list may open what the old one cuts off.
    guard: Option<OfTwo<bool>>,
    hooks: Vec<OfTwo<()>>,
}

/// What is made of the list before and the one after.
type OfTwo<T> = Box<dyn Fn(&CutOffList, &CutOffList) -> T + Send + Sync>;

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
        Ok(Arc::new(Self { file: file.to_owned(), current: ArcSwap::from_pointee(list), changing: Mutex::default() }))
    }

    /// The list in force.
    pub fn current(&self) -> arc_swap::Guard<Arc<CutOffList>> {
        self.current.load()
    }

    /// Runs `hook` after every change that took effect, with the list before and after. It must not call back into this value.
    pub fn on_change(&self, hook: impl Fn(&CutOffList, &CutOffList) + Send + Sync + 'static) {
        self.changing().hooks.push(Box::new(hook));
    }

    /// Asks `guard` before anything is opened again. While it says no, what was cut off stays so, and what is newly cut off is cut off all
    /// the same; it is asked again at every reading.
    pub fn guarded_by(&self, guard: impl Fn(&CutOffList, &CutOffList) -> bool + Send + Sync + 'static) {
        self.changing().guard = Some(Box::new(guard));
    }

    fn changing(&self) -> std::sync::MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file again; says whether anything changed.
    ///
    /// # Errors
    /// It is gone or is no list; what was in force stays.
    pub fn reload(&self) -> Result<bool, CutOffError> {
        let changing = self.changing();
        let wanted = read(&self.file)?.ok_or_else(|| fault(&self.file, "is gone; what it cut off stays cut off until it is back"))?;
        let old = self.current.load_full();
        if wanted == *old {
            return Ok(false);
        }
        let allowed = changing.guard.as_ref().is_none_or(|guard| guard(&old, &wanted));
        let list = Arc::new(if allowed { wanted } else { old.joined(wanted) });
        if list == old {
            return Ok(false);
        }
        self.current.store(list.clone());
        changing.hooks.iter().for_each(|hook| hook(&old, &list));
        Ok(true)
    }
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
    let lock = fs::File::create(&lock_file).map_err(failed)?;
    lock.lock().map_err(failed)?;
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
    use io::Write;
    let draft = file.with_extension("new");
    let mut out = fs::File::create(&draft)?;
    out.write_all(&serde_json::to_vec_pretty(list)?)?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    file.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

fn fault(file: &Path, what: &str) -> CutOffError {
    CutOffError { file: file.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

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
