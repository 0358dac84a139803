//! Legal holds of an installation: files that two people sign, whose public keys lie beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::StartError;
use super::acts::{Act, Acts, KnownHold, OFFICIALS};
use super::authority::version_of;
pub use super::people::Signature;
use super::people::{FOUR_EYES, People};
use crate::config::Config;
use crate::core::ledger::retention::{Hold, HoldAct, day_of};
use crate::files;
use crate::registry::decrees::OfficialKey;

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

/// The folder of holds.
pub struct Holds {
    dir: PathBuf,
    people: People,
}

impl Holds {
    /// The holds of an installation: outside a demo the officials sign them.
    ///
    /// # Errors
    /// A public key is not usable, or the officials' chain does not hold.
    pub fn of(config: &Config, now: Timestamp) -> Result<Self, StartError> {
        let dir = config.ledger.holds.clone();
        Ok(Self { people: People::of(config, &dir, now)?, dir })
    }

    /// Opens the folder of a demo, whose people are enrolled in it; no folder is no hold.
    ///
    /// # Errors
    /// A public key is not usable.
    pub fn open(dir: &Path) -> Result<Self, StartError> {
        Ok(Self { dir: dir.to_owned(), people: People::enrolled(dir)? })
    }

    /// Records what two people began or ended since the last time, and says what holds now.
    ///
    /// # Errors
    /// A hold cannot be read, was changed, or is gone though it should hold; or the log does not take the entry. Then nothing may be
    /// deleted.
    pub async fn take_up(&self, acts: &Acts, now: Timestamp) -> Result<Vec<Hold>, StartError> {
        let _alone = acts.reading().await;
        let (all, known) = (self.all()?, acts.known().holds);
        let (mut new, mut in_force) = (Vec::new(), Vec::new());
        for (file, standing) in all {
            if standing == HoldStanding::Pending || file.held_by.len() < FOUR_EYES {
                continue;
            }
            let hash = version_of(&file.hold.signed_bytes(HoldAct::Hold));
            let before = known.get(&file.hold.id);
            if before.is_some_and(|before| before.hash != hash) {
                return Err(unusable(&self.path(&file.hold.id)?, &"it is not the hold that was recorded; holds are not changed"));
            }
            if before.is_none() && !self.people.may_act(&file.held_by, now) {
                let what =
                    "somebody who signed it is not in office, and it was not recorded while they were; remove it, or have it signed anew";
                return Err(unusable(&self.path(&file.hold.id)?, &what));
            }
            if before.is_none() {
                new.push((act("hold-begun", &file.hold, &hash, &file.held_by), KnownHold::begun(&file.hold, &hash)));
            }
            let was_released = before.is_some_and(|before| before.released);
            let ends = standing == HoldStanding::Released && (was_released || self.people.may_act(&file.released_by, now));
            if ends && !was_released {
                let released = KnownHold { released: true, ..KnownHold::begun(&file.hold, &hash) };
                new.push((act("hold-released", &file.hold, &hash, &file.released_by), released));
            }
            if !ends {
                in_force.push(file.hold);
            }
        }
        self.none_is_gone(&known, now)?;
        for (act, hold) in new {
            let id = act.reference().to_owned();
            let recorded = acts.record(act, move |known| drop(known.holds.insert(id.clone(), hold.clone()))).await;
            recorded.map_err(|error| StartError(format!("holds that began or ended cannot be recorded: {error}; nothing is deleted")))?;
        }
        Ok(in_force)
    }

    fn none_is_gone(&self, known: &BTreeMap<String, KnownHold>, now: Timestamp) -> Result<(), StartError> {
        for (id, hold) in known.iter().filter(|(_, hold)| !hold.released && hold.until >= day_of(now)) {
            let path = self.path(id)?;
            if !path.exists() {
                return Err(unusable(&path, &format!("the hold is gone, but it holds until {}", hold.until)));
            }
        }
        Ok(())
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
    pub fn add(&self, hold: Hold, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        let path = self.path(&hold.id)?;
        if path.exists() {
            return Err(StartError(format!("there is a hold `{}` already; holds are not changed, release it and add another", hold.id)));
        }
        if hold.from > hold.to {
            return Err(StartError("the hold ends before it begins: `--from` must not be after `--to`".to_owned()));
        }
        self.sign(HoldFile { hold, held_by: Vec::new(), released_by: Vec::new() }, HoldAct::Hold, key, now)
    }

    /// Adds a signature under a hold or its release.
    ///
    /// # Errors
    /// There is no such hold, the key is nobody's, or this person signed already.
    pub fn approve(&self, id: &str, act: HoldAct, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        self.sign(read(&self.path(id)?)?, act, key, now)
    }

    fn sign(&self, mut file: HoldFile, act: HoldAct, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        let what = ("hold or release", "estelam log hold enrol");
        let signature = self.people.sign(key, &file.hold.signed_bytes(act), now, what)?;
        let list = match act {
            HoldAct::Hold => &mut file.held_by,
            HoldAct::Release => &mut file.released_by,
        };
        if list.iter().any(|other| other.by == signature.by) {
            return Err(StartError(format!("`{}` signed this already; another person must", signature.by)));
        }
        list.push(signature);
        let path = self.path(&file.hold.id)?;
        write(&path, &file).map_err(|error| unusable(&path, &error))
    }

    fn standing(&self, file: &HoldFile) -> Result<HoldStanding, String> {
        let held = self.signers(file, HoldAct::Hold)?;
        let released = self.signers(file, HoldAct::Release)?;
        Ok(match (held >= FOUR_EYES, released >= FOUR_EYES) {
            (_, true) => HoldStanding::Released,
            (true, false) => HoldStanding::InForce,
            (false, false) => HoldStanding::Pending,
        })
    }

    fn signers(&self, file: &HoldFile, act: HoldAct) -> Result<usize, String> {
        let list = match act {
            HoldAct::Hold => &file.held_by,
            HoldAct::Release => &file.released_by,
        };
        self.people.signers(list, &file.hold.signed_bytes(act))
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
    files::write_durably(path, text.as_bytes())
}

/// The act of beginning or ending a hold. Its reason is people's words, so it stays in its file; the hash covers it.
fn act(code: &'static str, hold: &Hold, hash: &str, signatures: &[Signature]) -> Act {
    let signers: Vec<_> = signatures.iter().map(|signature| &signature.by).collect();
    let details = json!({ "hash": hash, "signers": signers, "from": hold.from, "to": hold.to, "until": hold.until });
    let act = Act::new("holds", code, OFFICIALS).about(hold.id.clone()).details(&details);
    match &hold.agency {
        Some(agency) => act.of_agency(agency, None),
        None => act,
    }
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
    use crate::registry::decrees::Officials;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

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
        holds.add(hold(), &first, NOW).unwrap();
        assert!(holds.approve("court-1", HoldAct::Hold, &first, NOW).is_err(), "not the same person twice");
        assert_eq!(holds.in_force().unwrap(), []);
        holds.approve("court-1", HoldAct::Hold, &second, NOW).unwrap();
        assert_eq!(holds.in_force().unwrap(), [hold()]);
        holds.approve("court-1", HoldAct::Release, &second, NOW).unwrap();
        assert_eq!(holds.in_force().unwrap(), [hold()], "one person alone releases nothing");
        holds.approve("court-1", HoldAct::Release, &first, NOW).unwrap();
        assert_eq!(holds.in_force().unwrap(), []);
    }

    #[test]
    fn altered_hold_or_stranger_stops_every_deletion() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (person(dir.path(), "one"), person(dir.path(), "two"));
        let holds = Holds::open(dir.path()).unwrap();
        let stranger = OfficialKey::from_pem(new_key().as_bytes()).unwrap();
        assert!(holds.add(hold(), &stranger, NOW).is_err());
        holds.add(hold(), &first, NOW).unwrap();
        holds.approve("court-1", HoldAct::Hold, &second, NOW).unwrap();
        let path = dir.path().join("court-1.json");
        let altered = std::fs::read_to_string(&path).unwrap().replace("2026-01-31", "2026-01-02");
        std::fs::write(&path, altered).unwrap();
        assert!(holds.in_force().unwrap_err().0.contains("does not hold"));
    }
}
