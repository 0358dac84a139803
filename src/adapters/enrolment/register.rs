//! The register of an agency's certificates: one JSON file per agency, rewritten whole; what was superseded stays in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::{CertificateFacts, of_pem};
use crate::files;

/// Certificates of one unit that may be good at the same time.
pub const OVERLAP: usize = 2;

/// Why a register cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {what}", file.display())]
pub struct RegisterError {
    file: PathBuf,
    what: String,
}

/// The certificates of one agency, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Counts every change.
    pub version: u64,
    /// The agency left; nothing is issued to it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Timestamp>,
    /// Its certificates.
    pub certificates: Vec<Enrolled>,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// SHA-256 of its DER, hexadecimal.
    pub sha256: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of its SubjectPublicKeyInfo, hexadecimal; unknown where an earlier version wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_sha256: Option<String>,
    /// The branch or system that it names; none for the whole agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// When it was taken up.
    pub enrolled_at: Timestamp,
    /// When it was revoked or replaced for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Enrolled {
    /// The entry for a certificate.
    pub fn new(facts: &CertificateFacts, unit: Option<&str>, now: Timestamp) -> Self {
        Self {
            sha256: hex(&facts.sha256),
            serial: hex(&facts.serial),
            key_sha256: Some(key_of(&facts.public_key)),
            unit: unit.map(str::to_owned),
            not_before: facts.not_before,
            not_after: facts.not_after,
            enrolled_at: now,
            ended_at: None,
        }
    }

    /// Whether it can still be used at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now <= self.not_after
    }
}

impl Register {
    /// The register of an agency; an empty one where there is no file.
    ///
    /// # Errors
    /// The file cannot be read or is no register.
    pub fn open(folder: &Path, agency: &str) -> Result<Self, RegisterError> {
        let file = place(folder, agency);
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| fault(&file, &format!("is no register of certificates: {error}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(fault(&file, &format!("cannot be read: {error}"))),
        }
    }

    /// Writes it, counting the change; the version before stays beside it. Wants the [`lock`].
    ///
    /// # Errors
    /// The folder cannot be written; then the old one stands.
    pub fn save(&mut self, folder: &Path, agency: &str) -> Result<(), RegisterError> {
        let file = place(folder, agency);
        self.version += 1;
        self.write(&file).map_err(|error| fault(&file, &format!("cannot be written: {error}")))
    }

    /// The certificates of a unit that can be used at `now`, oldest first.
    pub fn good(&self, unit: Option<&str>, now: Timestamp) -> Vec<&Enrolled> {
        self.certificates.iter().filter(|one| one.unit.as_deref() == unit && one.is_good(now)).collect()
    }

    /// Adds a certificate unless it is there; whether it was not.
    pub fn add(&mut self, certificate: Enrolled) -> bool {
        match self.certificates.iter_mut().find(|known| known.sha256 == certificate.sha256) {
            Some(known) => {
                known.key_sha256 = known.key_sha256.take().or(certificate.key_sha256);
                false
            }
            None => {
                self.certificates.push(certificate);
                true
            }
        }
    }

    /// The end of the newest good certificate of every unit: what has to be renewed next. `None` of a unit is the whole agency.
    pub fn expiries(&self, now: Timestamp) -> Vec<(Option<&str>, Timestamp)> {
        let mut ends: Vec<(Option<&str>, Timestamp)> = Vec::new();
        for one in self.certificates.iter().filter(|one| one.ended_at.is_none()) {
            let unit = one.unit.as_deref();
            match ends.iter_mut().find(|(known, _)| *known == unit) {
                Some((_, end)) => *end = (*end).max(one.not_after),
                None => ends.push((unit, one.not_after)),
            }
        }
        // Expired long ago and never renewed: given up, not forgotten.
        let given_up = |end: &Timestamp| now.duration_since(*end).as_hours() > 24 * 30;
        ends.retain(|(_, end)| !given_up(end));
        ends
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder.join("versions"))?;
        if file.exists() {
            let name = format!("register-{:06}.json", self.version.saturating_sub(1));
            fs::copy(file, folder.join("versions").join(name))?;
        }
        files::write_durably(file, &[&*serde_json::to_vec_pretty(self)?, b"\n"].concat())
    }
}

/// Has the registers of a folder to itself until what is returned is dropped; others wait. Whoever changes one holds it from reading to saving, and
/// while the log is told.
///
/// # Errors
/// The folder cannot be written.
pub fn lock(folder: &Path) -> Result<File, RegisterError> {
    let file = folder.join(".lock");
    let taken = fs::create_dir_all(folder).and_then(|()| files::lock(&file));
    taken.map_err(|error| fault(&file, &format!("cannot be taken: {error}")))
}

/// Every certificate of every agency with a register in the folder, and a name (`sha256:HEX`) of what is in force of them all.
///
/// # Errors
/// A register cannot be read.
pub fn all(folder: &Path) -> Result<(String, Vec<(String, Enrolled)>), RegisterError> {
    let (mut named, mut all) = (digest::Context::new(&digest::SHA256), Vec::new());
    for agency in agencies(folder) {
        for one in Register::open(folder, &agency)?.certificates {
            named.update(format!("{agency} {} {}\n", one.sha256, one.ended_at.is_some()).as_bytes());
            all.push((agency.clone(), one));
        }
    }
    Ok((format!("sha256:{}", hex(named.finish().as_ref())), all))
}

/// The name by which a register knows a key (DER of its SubjectPublicKeyInfo).
pub fn key_of(public_key: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, public_key).as_ref())
}

/// Whose certificate a key is or was in, among all registers of a folder and the certificates that lie beside them: good ones, ended ones and
/// those of agencies that left.
///
/// # Errors
/// A register cannot be read: then nobody can tell.
pub fn holder_of(folder: &Path, public_key: &[u8]) -> Result<Option<String>, RegisterError> {
    let key = key_of(public_key);
    for agency in agencies(folder) {
        let register = Register::open(folder, &agency)?;
        let listed = register.certificates.iter().any(|one| one.key_sha256.as_ref() == Some(&key));
        if listed || beside(&folder.join(&agency)).any(|facts| facts.public_key == public_key) {
            return Ok(Some(agency));
        }
    }
    Ok(None)
}

/// The certificates of an agency and its units as they were handed out last.
fn beside(folder: &Path) -> impl Iterator<Item = CertificateFacts> {
    let places = fs::read_dir(folder).into_iter().flatten().flatten();
    places.filter_map(|place| of_pem(&fs::read(place.path().join("cert.pem")).ok()?))
}

/// Every agency that has a register in the folder.
pub fn agencies(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.path().join("register.json").is_file());
    let mut names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(folder: &Path, agency: &str) -> PathBuf {
    folder.join(agency).join("register.json")
}

fn fault(file: &Path, what: &str) -> RegisterError {
    RegisterError { file: file.to_owned(), what: what.to_owned() }
}
