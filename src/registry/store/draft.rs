//! A registry that is not there yet, filled out of sight: it appears whole, or nothing of it does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FILE_NAME, Store, StoreError, make_private_folder};

/// What the folder of a draft is called before the number of the process that fills it.
const PREFIX: &str = "beginning-";

/// A store of its own inside the registry's folder. Dropped before [`Draft::put_in_place`], it takes with it every folder that was
/// made for it.
pub struct Draft {
    dir: PathBuf,
    folder: PathBuf,
    /// Folders that were not there before, the outermost first.
    made: Vec<PathBuf>,
    store: Option<Store>,
}

impl Draft {
    /// Begins a registry that is to lie in `dir` (an installation's `registry/`), whose parent may be missing too.
    ///
    /// # Errors
    /// [`StoreError`] when a folder or the file cannot be made; then none is left.
    pub fn begin(dir: &Path) -> Result<Self, StoreError> {
        let made = [dir.parent(), Some(dir)].into_iter().flatten();
        let made = made.filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()).map(Path::to_owned).collect();
        let folder = dir.join(format!("{PREFIX}{}", std::process::id()));
        let mut draft = Self { dir: dir.to_owned(), folder, made, store: None };
        make_private_folder(dir).map_err(|why| StoreError::Folder { folder: dir.to_owned(), why })?;
        remove_drafts_of_the_dead(dir);
        draft.store = Some(Store::open(&draft.folder)?);
        Ok(draft)
    }

    /// Whether the folder around the registry's own was not there before.
    pub fn made_its_surroundings(&self) -> bool {
        self.made.iter().any(|folder| *folder != self.dir)
    }

    /// The store to fill.
    ///
    /// # Errors
    /// Never while the draft is whole.
    pub fn store(&self) -> Result<&Store, StoreError> {
        self.store.as_ref().ok_or_else(|| StoreError::Refused("the draft of this registry is gone".to_owned()))
    }

    /// Puts the filled store where the registry is looked for, durably.
    ///
    /// # Errors
    /// [`StoreError`] when that fails or somebody else began a registry there meanwhile; then nothing of the draft is left.
    pub fn put_in_place(mut self) -> Result<Store, StoreError> {
        if let Some(store) = self.store.take() {
            store.into_one_file()?;
        }
        let target = self.dir.join(FILE_NAME);
        publish(&self.folder.join(FILE_NAME), &target, &self.dir).map_err(|why| match why.kind() {
            io::ErrorKind::AlreadyExists => {
                StoreError::Refused("another process began this registry meanwhile; run the command again".to_owned())
            }
            _ => StoreError::Folder { folder: self.dir.clone(), why },
        })?;
        let dir = self.dir.clone();
        // A database is not to be used under two names.
        drop(self);
        Store::open(&dir)
    }
}

/// Gives the file its name for good; never in place of another.
fn publish(file: &Path, target: &Path, dir: &Path) -> io::Result<()> {
    fs::File::open(file)?.sync_all()?;
    fs::hard_link(file, target)?;
    fs::File::open(dir)?.sync_all()
}

/// Unmakes what was made: the folder of the draft, and those around it if nothing else has come into them.
impl Drop for Draft {
    fn drop(&mut self) {
        drop(self.store.take());
        let _nobody_else_uses_it = fs::remove_dir_all(&self.folder);
        for folder in self.made.iter().rev() {
            let _stays_if_it_is_in_use = fs::remove_dir(folder);
        }
    }
}

/// Removes the drafts of processes that were killed: they hold people, and nobody will finish them.
fn remove_drafts_of_the_dead(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let process = entry.file_name().to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        let is_dead = |process: u32| Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{process}")).exists();
        if process.is_some_and(is_dead) {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::registry::generate;

    fn fill(draft: &Draft) {
        generate::run(draft.store().unwrap(), 3, 1, &mut |_, _| ()).unwrap();
    }

    #[test]
    fn a_draft_is_no_registry_until_it_is_put_in_place_and_then_holds_everybody() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("new/registry");
        let draft = Draft::begin(&dir).unwrap();
        fill(&draft);
        assert!(!Store::exists(&dir));
        let store = draft.put_in_place().unwrap();
        assert_eq!((store.persons().unwrap(), store.cursor().unwrap() > 0), (3, true));
        let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(left.iter().all(|name| name.starts_with(FILE_NAME)), "{left:?}");
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_only_what_was_there_before() {
        let home = tempfile::tempdir().unwrap();
        fill(&Draft::begin(&home.path().join("new/registry")).unwrap());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        // Officials may be enrolled before anybody is imported.
        let dir = home.path().join("registry");
        fs::create_dir_all(dir.join("officials")).unwrap();
        fill(&Draft::begin(&dir).unwrap());
        assert!(!Store::exists(&dir) && fs::read_dir(&dir).unwrap().count() == 1);
    }

    #[test]
    fn a_registry_that_somebody_began_meanwhile_is_not_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let draft = Draft::begin(home.path()).unwrap();
        fill(&draft);
        let theirs = Store::open(home.path()).unwrap();
        generate::run(&theirs, 5, 2, &mut |_, _| ()).unwrap();
        let refused = draft.put_in_place().map(drop).unwrap_err().to_string();
        assert!(refused.contains("meanwhile"), "{refused}");
        assert_eq!(theirs.persons().unwrap(), 5);
    }
}
