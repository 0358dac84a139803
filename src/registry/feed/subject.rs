//! Keyed hashes of identifiers: the change feed names people by them, so that a feed read by others names nobody.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::core::domain::file_mode::exposes_a_secret;

/// The key's file inside the registry's folder.
const FILE_NAME: &str = "subject.key";
/// Length of the key in bytes.
const LENGTH: usize = 32;

/// The registry's key for subjects.
pub struct SubjectKey(hmac::Key);

/// The key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the registry's subject key `{}` cannot be used: {why}", .path.display())]
pub struct SubjectKeyError {
    path: PathBuf,
    why: String,
}

impl SubjectKey {
    /// Reads the key of a registry's folder, making it on the first start, readable by its owner alone.
    ///
    /// # Errors
    /// [`SubjectKeyError`] when the file cannot be made, read, or has another length.
    pub fn open(registry_dir: &Path) -> Result<Self, SubjectKeyError> {
        let path = registry_dir.join(FILE_NAME);
        let wrong = |why: String| SubjectKeyError { path: path.clone(), why };
        let key = match std::fs::read(&path) {
            Ok(_) if std::fs::metadata(&path).is_ok_and(|metadata| exposes_a_secret(metadata.permissions().mode())) => {
                return Err(wrong("others can reach it; run `chmod go-rwx` on it".to_owned()));
            }
            Ok(key) => Zeroizing::new(key),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(&path).map_err(|error| wrong(error.to_string()))?,
            Err(error) => return Err(wrong(error.to_string())),
        };
        if key.len() == LENGTH {
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
        } else {
            Err(wrong(format!("it is not {LENGTH} bytes long")))
        }
    }

    /// The subject of one normalised identifier, in hex.
    pub fn subject(&self, scheme: &str, value: &str) -> String {
        hex(self.sign(&[scheme.as_bytes(), &[0], value.as_bytes()]).as_ref())
    }

    /// What tells one person from others whichever of the person's numbers is asked about, in hex: 8 bytes. No scheme is empty, so that no
    /// subject is made of the same bytes.
    pub fn person(&self, source: &str, person: &str) -> String {
        let tag = self.sign(&[b"\0person\0", source.as_bytes(), &[0], person.as_bytes()]);
        hex(tag.as_ref().first_chunk::<8>().map_or(&[], |first| first))
    }

    fn sign(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Written aside and linked into place, so that two processes starting at once end with one whole key.
fn make(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; LENGTH]);
    aws_lc_rs::rand::fill(&mut key).map_err(|_| std::io::Error::other("no randomness"))?;
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(&key)?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&aside, path);
    std::fs::remove_file(&aside)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Zeroizing::new(std::fs::read(path)?)),
        Err(error) => Err(error),
    }
}
