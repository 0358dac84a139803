//! Key files: written all or none, readable by their owner only, and refused otherwise.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::{FileSigner, KeyError};

pub(super) const TOKENS: &str = "tokens.pem";
pub(super) const STATEMENTS: &str = "statements.pem";
pub(super) const CHECKPOINTS: &str = "checkpoints.pem";
pub(super) const CONTENT: &str = "content.key";
const ALL: [&str; 4] = [TOKENS, STATEMENTS, CHECKPOINTS, CONTENT];

/// New keys are complete here before the first of them moves to its place.
const STAGE: &str = ".new";

/// No key file is longer, in bytes.
const MAX_FILE: u64 = 16 * 1024;

/// Makes the folder and all its keys if it has none; finishes an interrupted creation; otherwise leaves it alone.
pub(super) fn create_if_none(dir: &Path) -> Result<(), KeyError> {
    let stage = dir.join(STAGE);
    if ALL.iter().any(|name| dir.join(name).exists()) {
        return if stage.exists() { move_into_place(&stage, dir) } else { Ok(()) };
    }
    make_private_folder(dir)?;
    if stage.exists() {
        at(&stage, fs::remove_dir_all(&stage))?;
    }
    make_private_folder(&stage)?;
    for name in [TOKENS, STATEMENTS, CHECKPOINTS] {
        write_new(&stage.join(name), FileSigner::generate_pem().ok_or(KeyError::Generation)?.as_bytes())?;
    }
    write_new(&stage.join(CONTENT), &*new_content_key()?)?;
    sync_folder(&stage)?;
    move_into_place(&stage, dir)
}

/// Refuses a folder in which others could exchange the keys.
pub(super) fn check_folder(dir: &Path) -> Result<(), KeyError> {
    let mode = at(dir, fs::metadata(dir))?.permissions().mode() & 0o7777;
    if mode & 0o022 == 0 { Ok(()) } else { Err(KeyError::Exposed { path: dir.to_owned(), mode }) }
}

/// Reads a file that nobody but its owner can reach.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = match File::open(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Err(KeyError::Missing { path: path.to_owned() }),
        opened => at(path, opened)?,
    };
    let metadata = at(path, file.metadata())?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    // Reserved in full, so that no half-grown copy of the key is left behind unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len().min(MAX_FILE)).unwrap_or(0) + 1));
    at(path, file.take(MAX_FILE).read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// Moves what is staged; a key that is already in its place stays.
fn move_into_place(stage: &Path, dir: &Path) -> Result<(), KeyError> {
    for name in ALL {
        let (from, to) = (stage.join(name), dir.join(name));
        if from.exists() && !to.exists() {
            at(&to, fs::rename(&from, &to))?;
        }
    }
    sync_folder(dir)?;
    at(stage, fs::remove_dir_all(stage))
}

fn new_content_key() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| KeyError::Generation)?;
    Ok(key)
}

fn make_private_folder(dir: &Path) -> Result<(), KeyError> {
    at(dir, DirBuilder::new().recursive(true).mode(0o700).create(dir))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut file = at(path, OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))?;
    at(path, file.write_all(bytes).and_then(|()| file.sync_all()))
}

fn sync_folder(dir: &Path) -> Result<(), KeyError> {
    at(dir, File::open(dir).and_then(|folder| folder.sync_all()))
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, KeyError> {
    result.map_err(|source| KeyError::Io { path: path.to_owned(), source })
}
