//! The highest CRL number ever taken from each authority, kept on disk: a restart must not make an older list good again.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::crl::CrlSet;
use super::material::MaterialError;

/// The file of the highest numbers.
pub(super) struct CrlMemory {
    file: PathBuf,
}

/// What is remembered of an authority's newest list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    /// The CRL number, hexadecimal, without leading zeros.
    pub(super) number: String,
    /// SHA-256 of the whole list, hexadecimal.
    pub(super) sha256: String,
}

/// By SHA-256 of the authority's public key: another authority of the same name begins anew.
pub(super) type Newests = BTreeMap<String, Newest>;

impl CrlMemory {
    pub(super) fn at(file: &Path) -> Self {
        Self { file: file.to_owned() }
    }

    /// Refuses a set in which a list is older than one taken before, and remembers the set, durably, before it takes force.
    ///
    /// # Errors
    /// A number went back, other contents came under the same number, or the memory cannot be read or written.
    pub(super) fn admit(&self, set: &CrlSet, folder: &Path) -> Result<(), MaterialError> {
        let known = self.read()?;
        let mut newest = known.clone();
        for (authority, list) in set.newest() {
            match known.get(&authority) {
                Some(before) if rank(&list) < rank(before) => {
                    return Err(MaterialError::new(
                        folder,
                        "holds a revocation list with a lower number than one that was in force before; bring the newest",
                    ));
                }
                Some(before) if list.number == before.number && list.sha256 != before.sha256 => {
                    return Err(MaterialError::new(
                        folder,
                        "holds a changed revocation list under the number of one that was in force before",
                    ));
                }
                _ => drop(newest.insert(authority, list)),
            }
        }
        if newest == known { Ok(()) } else { self.write(&newest) }
    }

    fn read(&self) -> Result<Newests, MaterialError> {
        const BROKEN: &str = "does not hold the numbers of revocation lists any more; restore it, or write `{}` there once you know that every list is the newest";
        let text = match fs::read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Newests::new()),
            Err(_) => return Err(MaterialError::new(&self.file, "the numbers of revocation lists cannot be read")),
        };
        let known: Newests = serde_json::from_slice(&text).map_err(|_| MaterialError::new(&self.file, BROKEN))?;
        let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let sound = |(key, list): (&String, &Newest)| hexadecimal(key) && hexadecimal(&list.number) && hexadecimal(&list.sha256);
        if known.iter().all(sound) { Ok(known) } else { Err(MaterialError::new(&self.file, BROKEN)) }
    }

    fn write(&self, newest: &Newests) -> Result<(), MaterialError> {
        replace(&self.file, newest).map_err(|_| MaterialError::new(&self.file, "the numbers of revocation lists cannot be written"))
    }
}

/// Hexadecimal numbers without leading zeros: shorter is smaller.
fn rank(list: &Newest) -> (usize, &str) {
    (list.number.len(), &list.number)
}

fn replace(file: &Path, newest: &Newests) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    // The log's or the registry's folder, should this be the first to need it: its owner's alone.
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = file.with_extension("new");
    let mut out = File::create(&draft)?;
    out.write_all(&serde_json::to_vec_pretty(newest)?)?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    File::open(folder)?.sync_all()
}
