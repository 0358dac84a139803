//! A revocation list from outside the folder: read, tried beside the ones in force, and kept in the folder once it has won.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateRevocationListDer;

use super::crl::{CrlSet, ListFile};
use super::material::{self, MaterialError};

/// What became of an offered list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is newer than the one in force and took its place.
    Taken,
    /// It is the one in force, or older: nothing changed.
    NotNewer,
}

/// The lists in some bytes (PEM or DER), under the name of their source.
pub(super) fn read(source: &str, bytes: &[u8]) -> Result<Vec<ListFile>, MaterialError> {
    let place = PathBuf::from(source);
    let lists = material::lists_in(&place, bytes)?;
    Ok(lists.into_iter().map(|list| (place.clone(), list)).collect())
}

/// Writes those of the offered lists that are in force now into the folder, one file for each authority; says whether any was.
pub(super) fn keep(folder: &Path, set: &CrlSet, offered: &[CertificateRevocationListDer<'static>]) -> Result<Offered, MaterialError> {
    let mut outcome = Offered::NotNewer;
    for list in offered {
        let Some(owner) = set.owner_of(list) else { continue };
        let file = folder.join(format!("fetched-{}.crl", owner.get(..16).unwrap_or(&owner)));
        if fs::read(&file).is_ok_and(|kept| kept == list.as_ref()) {
            continue;
        }
        replace(&file, list).map_err(|_| MaterialError::new(&file, "the newer revocation list cannot be written; look at the disk"))?;
        outcome = Offered::Taken;
    }
    Ok(outcome)
}

fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // An extension that no reader of the folder takes for a list.
    let draft = file.with_extension("new");
    let mut out = File::create(&draft)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
