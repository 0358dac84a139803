//! Legal holds of an installation: files that two people sign, whose public keys lie beside them.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::StartError;
use crate::core::ledger::retention::{Hold, HoldAct};
use crate::registry::decrees::{OfficialKey, Officials};

/// People whose signatures a hold, or its release, needs.
const FOUR_EYES: usize = 2;
/// Days after the first that a deferral covers within which it ends.
const DEFERRED_DAYS: i64 = 60;

/// One file `ID.json` of the folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldFile {
    /// What is held.
    pub hold: Hold,
    /// Who signed that it begins.
    #[serde(default)]
    pub held_by: Vec<Signature>,
    /// Who signed that it ends.
    #[serde(default)]
    pub released_by: Vec<Signature>,
}

/// A signature of one person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    by: String,
    signature: String,
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldStanding {
    /// One person signed; it holds nothing yet.
    Pending,
    /// Two people signed.
    InForce,
    /// Two people released it.
    Released,
}

/// The folder of holds, or of deferrals: the same files, begun and ended by other signatures.
pub struct Holds {
    dir: PathBuf,
    people: Officials,
    begins: HoldAct,
    ends: HoldAct,
}

impl Holds {
    /// Opens a folder; no folder is no hold.
    ///
    /// # Errors
    /// A public key is not usable.
    pub fn open(dir: &Path) -> Result<Self, StartError> {
        let people = Officials::load(dir).map_err(|error| StartError(error.to_string()))?;
        Ok(Self { dir: dir.to_owned(), people, begins: HoldAct::Hold, ends: HoldAct::Release })
    }

    /// Opens a folder of deferrals: entries that their holders are not shown for a while.
    ///
    /// # Errors
    /// A public key is not usable.
    pub fn deferrals(dir: &Path) -> Result<Self, StartError> {
        Ok(Self { begins: HoldAct::Defer, ends: HoldAct::Show, ..Self::open(dir)? })
    }

    /// Every hold and where it stands.
    ///
    /// # Errors
    /// A file cannot be read or a signature in it is not by a person whose key is known: then nothing may be deleted.
    pub fn all(&self) -> Result<Vec<(HoldFile, HoldStanding)>, StartError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| unusable(&self.dir, &error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| unusable(&self.dir, &error))?.path();
            if path.extension().is_some_and(|end| end == "json") {
                let file = read(&path)?;
                let standing = self.standing(&file).map_err(|what| unusable(&path, &what))?;
                found.push((file, standing));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.hold.id.cmp(&other.hold.id));
        Ok(found)
    }

    /// The holds that two people signed and two people have not released.
    ///
    /// # Errors
    /// As for [`Self::all`].
    pub fn in_force(&self) -> Result<Vec<Hold>, StartError> {
        let all = self.all()?;
        Ok(all.into_iter().filter(|(_, standing)| *standing == HoldStanding::InForce).map(|(file, _)| file.hold).collect())
    }

    /// Begins a hold with the first signature.
    ///
    /// # Errors
    /// There is one of that id, the id is no file name, or the key is nobody's.
    pub fn add(&self, hold: Hold, key: &OfficialKey) -> Result<(), StartError> {
        let path = self.path(&hold.id)?;
        if path.exists() {
            return Err(StartError(format!("there is a hold `{}` already; holds are not changed, release it and add another", hold.id)));
        }
        if hold.from > hold.to {
            return Err(StartError("the hold ends before it begins: `--from` must not be after `--to`".to_owned()));
        }
        if self.begins == HoldAct::Defer && hold.until.duration_since(hold.from).as_hours() > DEFERRED_DAYS * 24 {
            return Err(StartError(format!(
                "a deferral ends within {DEFERRED_DAYS} days of the first day that it covers: contents are kept for 90, and the holder must see them"
            )));
        }
        self.sign(HoldFile { hold, held_by: Vec::new(), released_by: Vec::new() }, self.begins, key)
    }

    /// Adds a signature under a hold or its release.
    ///
    /// # Errors
    /// There is no such hold, the key is nobody's, or this person signed already.
    pub fn approve(&self, id: &str, act: HoldAct, key: &OfficialKey) -> Result<(), StartError> {
        self.sign(read(&self.path(id)?)?, act, key)
    }

    fn sign(&self, mut file: HoldFile, act: HoldAct, key: &OfficialKey) -> Result<(), StartError> {
        let by = self.people.name_of(key).map_err(|_| {
            StartError("this key belongs to nobody who may hold or release; enrol it first with `estelam log hold enrol`".to_owned())
        })?;
        let signature = Signature { by: by.to_owned(), signature: STANDARD.encode(key.sign(&file.hold.signed_bytes(act))) };
        let list = match act {
            HoldAct::Hold | HoldAct::Defer => &mut file.held_by,
            HoldAct::Release | HoldAct::Show => &mut file.released_by,
        };
        if list.iter().any(|other| other.by == by) {
            return Err(StartError(format!("`{by}` signed this already; another person must")));
        }
        list.push(signature);
        let path = self.path(&file.hold.id)?;
        write(&path, &file).map_err(|error| unusable(&path, &error))
    }

    fn standing(&self, file: &HoldFile) -> Result<HoldStanding, String> {
        let held = self.signers(file, self.begins)?;
        let released = self.signers(file, self.ends)?;
        Ok(match (held >= FOUR_EYES, released >= FOUR_EYES) {
            (_, true) => HoldStanding::Released,
            (true, false) => HoldStanding::InForce,
            (false, false) => HoldStanding::Pending,
        })
    }

    /// How many different people signed; one bad signature makes the file bad.
    fn signers(&self, file: &HoldFile, act: HoldAct) -> Result<usize, String> {
        let list = match act {
            HoldAct::Hold | HoldAct::Defer => &file.held_by,
            HoldAct::Release | HoldAct::Show => &file.released_by,
        };
        let message = file.hold.signed_bytes(act);
        let mut names = std::collections::BTreeSet::new();
        for Signature { by, signature } in list {
            let signature = STANDARD.decode(signature).unwrap_or_default();
            if !self.people.signed(by, &message, &signature) {
                return Err(format!("the signature of `{by}` does not hold"));
            }
            names.insert(by);
        }
        Ok(names.len())
    }

    fn path(&self, id: &str) -> Result<PathBuf, StartError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(StartError(format!("`{id}` cannot name a hold; use letters, digits and hyphens")));
        }
        Ok(self.dir.join(format!("{id}.json")))
    }
}

fn read(path: &Path) -> Result<HoldFile, StartError> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
    serde_json::from_str(&text).map_err(|error| unusable(path, &error))
}

fn write(path: &Path, file: &HoldFile) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(file).map_err(std::io::Error::other)?;
    let draft = path.with_extension("tmp");
    std::fs::write(&draft, text)?;
    std::fs::File::open(&draft)?.sync_all()?;
    std::fs::rename(&draft, path)
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> StartError {
    StartError(format!("`{}` is not usable: {why}; nothing is deleted while a hold cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::adapters::keys::FileSigner;
    use crate::core::signing::Algorithm;

    fn new_key() -> String {
        pem::encode(&pem::Pem::new("PRIVATE KEY", FileSigner::generate(Algorithm::EdDsa).unwrap().to_vec()))
    }

    fn person(dir: &Path, name: &str) -> OfficialKey {
        let key = OfficialKey::from_pem(new_key().as_bytes()).unwrap();
        Officials::enrol(dir, name, &key).unwrap();
        key
    }

    fn hold() -> Hold {
        serde_json::from_str(r#"{"id":"court-1","reason":"order 1","from":"2026-01-01","to":"2026-01-31","until":"2027-01-01"}"#).unwrap()
    }

    #[test]
    fn hold_begins_and_ends_with_two_people() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (person(dir.path(), "one"), person(dir.path(), "two"));
        let holds = Holds::open(dir.path()).unwrap();
        holds.add(hold(), &first).unwrap();
        assert!(holds.approve("court-1", HoldAct::Hold, &first).is_err(), "not the same person twice");
        assert_eq!(holds.in_force().unwrap(), []);
        holds.approve("court-1", HoldAct::Hold, &second).unwrap();
        assert_eq!(holds.in_force().unwrap(), [hold()]);
        holds.approve("court-1", HoldAct::Release, &second).unwrap();
        assert_eq!(holds.in_force().unwrap(), [hold()], "one person alone releases nothing");
        holds.approve("court-1", HoldAct::Release, &first).unwrap();
        assert_eq!(holds.in_force().unwrap(), []);
    }

    #[test]
    fn altered_hold_or_stranger_stops_every_deletion() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (person(dir.path(), "one"), person(dir.path(), "two"));
        let holds = Holds::open(dir.path()).unwrap();
        let stranger = OfficialKey::from_pem(new_key().as_bytes()).unwrap();
        assert!(holds.add(hold(), &stranger).is_err());
        holds.add(hold(), &first).unwrap();
        holds.approve("court-1", HoldAct::Hold, &second).unwrap();
        let path = dir.path().join("court-1.json");
        let altered = std::fs::read_to_string(&path).unwrap().replace("2026-01-31", "2026-01-02");
        std::fs::write(&path, altered).unwrap();
        assert!(holds.in_force().unwrap_err().0.contains("does not hold"));
    }
}
