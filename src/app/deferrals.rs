//! Deferrals: entries that two officials keep from being shown to their holders until a last day. Files that they sign; their public keys lie
//! beside them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::StartError;
use crate::core::ledger::retention::Hold;
use crate::files;
use crate::registry::decrees::{OfficialKey, Officials};

/// Officials whose signatures a deferral, or its end, needs.
const FOUR_EYES: usize = 2;
/// Days after the first that a deferral covers within which it ends: contents are kept for 90.
const LONGEST_DAYS: i32 = 60;

/// What officials sign about a deferral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeferralAct {
    /// That entries are not shown until the last day.
    Defer,
    /// That they are shown after all.
    Show,
}

/// The bytes that officials sign: canonical JSON under a name of their own, so that no other signature fits.
fn signed_bytes(deferral: &Hold, act: DeferralAct) -> Vec<u8> {
    // Serialising these plain fields cannot fail; empty bytes would fail every check.
    let json = serde_json_canonicalizer::to_vec(deferral).unwrap_or_default();
    let word: &[u8] = match act {
        DeferralAct::Defer => b"defer",
        DeferralAct::Show => b"show",
    };
    [b"estelam deferral v1\n".as_slice(), word, b"\n", &json].concat()
}

/// One file `ID.json` of the folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferralFile {
    /// What is deferred, by whom (`reason`), and until when.
    pub deferral: Hold,
    deferred_by: Vec<Signature>,
    shown_by: Vec<Signature>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    by: String,
    signature: String,
}

/// The folder of deferrals.
pub struct Deferrals {
    dir: PathBuf,
    officials: Officials,
}

impl Deferrals {
    /// Opens a folder; no folder is no deferral.
    ///
    /// # Errors
    /// A public key is not usable.
    pub fn open(dir: &Path) -> Result<Self, StartError> {
        let officials = Officials::load(dir).map_err(|error| StartError(error.to_string()))?;
        Ok(Self { dir: dir.to_owned(), officials })
    }

    /// Every deferral and whether two officials signed it and two have not ended it.
    ///
    /// # Errors
    /// A file cannot be read, or a signature in it does not hold: then no view may be shown.
    pub fn all(&self) -> Result<Vec<(DeferralFile, bool)>, StartError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| unusable(&self.dir, &error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| unusable(&self.dir, &error))?.path();
            if path.extension().is_some_and(|end| end == "json") {
                let file = read(&path)?;
                let signed = |act| self.signers(&file, act).map_err(|what| unusable(&path, &what));
                let defers = signed(DeferralAct::Defer)? >= FOUR_EYES && signed(DeferralAct::Show)? < FOUR_EYES;
                found.push((file, defers));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.deferral.id.cmp(&other.deferral.id));
        Ok(found)
    }

    /// Those that defer, over or not: what is over is told.
    ///
    /// # Errors
    /// As for [`Self::all`].
    pub fn signed(&self) -> Result<Vec<Hold>, StartError> {
        Ok(self.all()?.into_iter().filter(|(_, defers)| *defers).map(|(file, _)| file.deferral).collect())
    }

    /// Begins a deferral with the first signature.
    ///
    /// # Errors
    /// There is one of that id, it lasts too long, or the key is nobody's.
    pub fn add(&self, deferral: Hold, key: &OfficialKey) -> Result<(), StartError> {
        let path = self.path(&deferral.id)?;
        if path.exists() {
            return Err(StartError(format!("there is a deferral `{}` already; deferrals are not changed", deferral.id)));
        }
        let days = (deferral.until - deferral.from).get_days();
        if deferral.from > deferral.to || !(0..=LONGEST_DAYS).contains(&days) {
            return Err(StartError(format!(
                "a deferral begins before it ends, and ends within {LONGEST_DAYS} days of the first day that it covers: contents are kept \
                 for 90, and the holder must see them"
            )));
        }
        self.sign(DeferralFile { deferral, deferred_by: Vec::new(), shown_by: Vec::new() }, DeferralAct::Defer, key)
    }

    /// Adds a signature under a deferral or its end.
    ///
    /// # Errors
    /// There is no such deferral, the key is nobody's, or this official signed already.
    pub fn approve(&self, id: &str, act: DeferralAct, key: &OfficialKey) -> Result<(), StartError> {
        self.sign(read(&self.path(id)?)?, act, key)
    }

    fn sign(&self, mut file: DeferralFile, act: DeferralAct, key: &OfficialKey) -> Result<(), StartError> {
        let by = self.officials.name_of(key).map_err(|_| {
            StartError("this key belongs to nobody who may defer; enrol it first with `estelam log defer enrol`".to_owned())
        })?;
        let signature = Signature { by: by.to_owned(), signature: STANDARD.encode(key.sign(&signed_bytes(&file.deferral, act))) };
        let list = if act == DeferralAct::Show { &mut file.shown_by } else { &mut file.deferred_by };
        if list.iter().any(|other| other.by == by) {
            return Err(StartError(format!("`{by}` signed this already; another official must")));
        }
        list.push(signature);
        let path = self.path(&file.deferral.id)?;
        write(&path, &file).map_err(|error| unusable(&path, &error))
    }

    /// How many different officials signed; one bad signature makes the file bad.
    fn signers(&self, file: &DeferralFile, act: DeferralAct) -> Result<usize, String> {
        let list = if act == DeferralAct::Show { &file.shown_by } else { &file.deferred_by };
        let message = signed_bytes(&file.deferral, act);
        let mut names = BTreeSet::new();
        for Signature { by, signature } in list {
            if !self.officials.signed(by, &message, &STANDARD.decode(signature).unwrap_or_default()) {
                return Err(format!("the signature of `{by}` does not hold"));
            }
            names.insert(by);
        }
        Ok(names.len())
    }

    fn path(&self, id: &str) -> Result<PathBuf, StartError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(StartError(format!("`{id}` cannot name a deferral; use letters, digits and hyphens")));
        }
        Ok(self.dir.join(format!("{id}.json")))
    }
}

fn read(path: &Path) -> Result<DeferralFile, StartError> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
    serde_json::from_str(&text).map_err(|error| unusable(path, &error))
}

fn write(path: &Path, file: &DeferralFile) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(file).map_err(std::io::Error::other)?;
    files::write_durably(path, text.as_bytes())
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> StartError {
    StartError(format!("`{}` is not usable: {why}; no holder's view is opened while a deferral cannot be read", path.display()))
}
