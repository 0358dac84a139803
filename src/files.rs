//! Files that other processes read, there whole or not at all and durable when the call returns; secrets, refused where others can reach them; and
//! what can be seen of files without reading them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::core::domain::file_mode::exposes_a_secret;

/// What a draft's name ends in.
const DRAFT: &str = ".tmp";
/// Longest secret that is read, in bytes.
const LONGEST_SECRET: u64 = 64 << 10;

/// Puts a file in the place of an older one, if there is one. It belongs to whom its folder belongs to, also when root writes it for a service.
///
/// # Errors
/// The disk refuses; the older file is there as it was, and no draft is left.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, 0o666)
}

/// The same for its owner's eyes alone.
///
/// # Errors
/// As [`write_durably`].
pub fn write_privately(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, 0o600)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (folder, draft) = (folder_of(path), draft_of(path));
    // One that a crash left may be somebody else's.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        hand_over(&file, folder)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().inspect_err(|_| drop(fs::remove_file(&draft)))?;
    File::open(folder)?.sync_all()
}

/// Writes a file that must not be there yet and that its owner alone can read: whom its folder belongs to, also when root writes it.
///
/// # Errors
/// It is there already, or the disk refuses; no half of it is left.
pub fn write_new_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut written = || {
        hand_over(&file, folder_of(path))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        File::open(folder_of(path))?.sync_all()
    };
    written().inspect_err(|_| drop(fs::remove_file(path)))
}

/// Makes a folder that its owner alone can look into, with those above it; one that is there stays as it is. Its owner is that of the folder above,
/// also when root makes it.
///
/// # Errors
/// The disk refuses.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    hand_over(&File::open(path)?, folder_of(path))
}

/// Has a file to itself until what is returned is dropped; others, also of other processes, wait. The file is made if there is none, and belongs to
/// whom its folder belongs to: whom root left out could not change anything any more.
///
/// # Errors
/// It cannot be made or opened.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o660).open(path)?;
            hand_over(&file, folder_of(path))?;
            file
        }
        opened => opened?,
    };
    file.lock()?;
    Ok(file)
}

/// Removes the drafts that a crash left in a folder; no such folder has none.
pub fn remove_drafts(folder: &Path) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()) {
        if path.to_str().is_some_and(|name| name.ends_with(DRAFT)) {
            // One that cannot be removed is written over by the next of its name.
            let _ = fs::remove_file(path);
        }
    }
}

/// Reads a key that is written in base64 on one line.
///
/// # Errors
/// As [`read_secret`]; or it is not base64.
pub fn read_base64_key(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let text = read_secret(path)?;
    STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).map_err(|_| io::Error::other("it must hold the key in base64 on one line"))
}

/// Reads a file that nobody but its owner and group can reach.
///
/// # Errors
/// It cannot be read ([`ErrorKind::NotFound`] where there is none), others can reach it, or it is too long for a secret.
pub fn read_secret(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if exposes_a_secret(metadata.mode()) {
        let what = "others can reach it; run `chmod go-rwx` on it, and take a new key if others may have read it";
        return Err(io::Error::new(ErrorKind::PermissionDenied, what));
    }
    if metadata.len() > LONGEST_SECRET {
        return Err(io::Error::other("it is too long for a key"));
    }
    // Reserved in full, so that no half-grown copy is left behind unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST_SECRET).unwrap_or(0)));
    file.take(LONGEST_SECRET).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What can be seen of all files in some folders, and in folders below them, without reading one: another once a file was changed, replaced, added or taken
/// away. What cannot be looked at counts as not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderStamp(BTreeMap<PathBuf, FileStamp>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    inode: u64,
    bytes: u64,
    /// Second and nanosecond of the last change of contents, and of the last change of anything: nobody sets that one back.
    times: [(i64, i64); 2],
}

impl FolderStamp {
    /// Looks at the files as they are now.
    pub fn of(folders: &[PathBuf]) -> Self {
        let (mut folders, mut files) = (folders.to_vec(), BTreeMap::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if let Ok(seen) = fs::metadata(&path) {
                    let times = [(seen.mtime(), seen.mtime_nsec()), (seen.ctime(), seen.ctime_nsec())];
                    files.insert(path, FileStamp { inode: seen.ino(), bytes: seen.len(), times });
                }
            }
        }
        Self(files)
    }
}

/// What root writes into another's folder is that other's.
fn hand_over(file: &File, folder: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(folder)?;
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(DRAFT);
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn file_is_replaced_whole_over_the_draft_of_a_crash_and_a_failure_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(folder.path().join("a.json.tmp"), b"half").unwrap();
        write_durably(&path, b"one").unwrap();
        write_durably(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("in the way")).unwrap();
        assert!(write_durably(&taken, b"three").is_err());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn a_stamp_is_another_once_a_file_was_changed_replaced_added_or_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned(), folder.path().join("nowhere")];
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        let mut last = FolderStamp::of(&folders);
        let mut changes = |what: &str, change: &dyn Fn() -> io::Result<()>| {
            change().unwrap();
            let now = FolderStamp::of(&folders);
            assert_ne!(now, last, "{what}");
            let _content = fs::read(below.join("a"));
            assert_eq!(FolderStamp::of(&folders), now, "reading is no change");
            last = now;
        };
        changes("added", &|| fs::write(below.join("a"), b"one"));
        changes("longer", &|| fs::write(below.join("a"), b"three"));
        changes("replaced", &|| fs::write(below.join("b"), b"other").and_then(|()| fs::rename(below.join("b"), below.join("a"))));
        changes("permissions", &|| fs::set_permissions(below.join("a"), fs::Permissions::from_mode(0o600)));
        changes("taken away", &|| fs::remove_file(below.join("a")));
    }

    #[test]
    fn what_root_writes_belongs_to_whom_the_folder_belongs_to() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(12_345), Some(54_321)).unwrap();
        let path = folder.path().join("request.json");
        write_privately(&path, b"{}").unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (12_345, 54_321, 0o600));
        let secret = folder.path().join("made/new.key");
        make_private_folder(secret.parent().unwrap()).unwrap();
        write_new_secret(&secret, b"AQID").unwrap();
        drop(lock(&folder.path().join(".lock")).unwrap());
        for path in [secret.parent().unwrap(), &secret, &folder.path().join(".lock")] {
            let found = fs::metadata(path).unwrap();
            assert_eq!((found.uid(), found.gid()), (12_345, 54_321), "{}", path.display());
        }
    }

    #[test]
    fn secret_that_others_can_reach_is_refused_and_absence_is_told_from_everything_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(read_base64_key(&path).unwrap_err().kind(), ErrorKind::NotFound);
        write_new_secret(&path, b"AQID\n").unwrap();
        assert!(write_new_secret(&path, b"BAUG\n").is_err(), "a secret is not written over");
        assert_eq!(*read_base64_key(&path).unwrap(), [1, 2, 3]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read_base64_key(&path).unwrap_err().kind(), ErrorKind::PermissionDenied);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(&path, b"no base64").unwrap();
        assert_eq!(read_base64_key(&path).unwrap_err().kind(), ErrorKind::Other);
    }
}
