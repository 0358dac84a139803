//! Deferrals: entries that two officials keep from being shown to their holders until a last day. Files that they sign; each hides nothing
//! before the access log has that it began.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::StartError;
use super::acts::{Act, Acts, KnownHold, OFFICIALS};
use super::authority::version_of;
use super::people::{FOUR_EYES, People, Signature};
use crate::config::Config;
use crate::core::ledger::retention::{Hold, day_of};
use crate::files;
use crate::registry::decrees::OfficialKey;

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

/// The folder of deferrals.
pub struct Deferrals {
    dir: PathBuf,
    people: People,
}

impl Deferrals {
    /// The deferrals of an installation: outside a demo the officials sign them.
    ///
    /// # Errors
    /// No holder's view is offered, a public key is not usable, or the officials' chain does not hold.
    pub fn of(config: &Config, now: Timestamp) -> Result<Self, StartError> {
        let none = || StartError("this installation offers no holder's view; see `[holder]` in estelam.toml".to_owned());
        let dir = config.holder.as_ref().ok_or_else(none)?.deferrals.clone();
        Ok(Self { people: People::of(config, &dir, now)?, dir })
    }

    /// Opens the folder of a demo, whose people are enrolled in it; no folder is no deferral.
    ///
    /// # Errors
    /// A public key is not usable.
    pub fn open(dir: &Path) -> Result<Self, StartError> {
        Ok(Self { dir: dir.to_owned(), people: People::enrolled(dir)? })
    }

    /// Records what two officials began or ended since the last time, and says what defers, over or not: what is over is told.
    ///
    /// # Errors
    /// A deferral cannot be read, was changed, or is gone though it should defer; or the log does not take the entry. Then no view may be
    /// shown.
    pub async fn take_up(&self, acts: &Acts, now: Timestamp) -> Result<Vec<Hold>, StartError> {
        let _alone = acts.reading().await;
        let (all, known) = (self.all()?, acts.known().deferrals);
        let (mut new, mut defer) = (Vec::new(), Vec::new());
        for (file, _) in all {
            let before = known.get(&file.deferral.id);
            let begins = self.acted(&file, DeferralAct::Defer) && self.people.may_act(&file.deferred_by, now);
            if before.is_none() && !begins {
                continue;
            }
            let hash = version_of(&signed_bytes(&file.deferral, DeferralAct::Defer));
            let standing = KnownHold::begun(&file.deferral, &hash);
            match before {
                Some(before) if before.hash != hash => {
                    let path = self.path(&file.deferral.id)?;
                    return Err(unusable(&path, &"it is not the deferral that was recorded; deferrals are not changed"));
                }
                Some(_) => {}
                None => new.push((act("deferral-begun", &file.deferral, &hash, &file.deferred_by), standing.clone())),
            }
            let was_ended = before.is_some_and(|before| before.released);
            let ends = was_ended || self.acted(&file, DeferralAct::Show) && self.people.may_act(&file.shown_by, now);
            if ends && !was_ended {
                let ended = KnownHold { released: true, ..standing };
                new.push((act("deferral-ended", &file.deferral, &hash, &file.shown_by), ended));
            }
            if !ends {
                defer.push(file.deferral);
            }
        }
        self.none_is_gone(&known, now)?;
        for (act, standing) in new {
            let id = act.reference().to_owned();
            let recorded = acts.record(act, move |known| drop(known.deferrals.insert(id.clone(), standing.clone()))).await;
            recorded
                .map_err(|error| StartError(format!("deferrals that began or ended cannot be recorded: {error}; no view is opened")))?;
        }
        Ok(defer)
    }

    fn none_is_gone(&self, known: &BTreeMap<String, KnownHold>, now: Timestamp) -> Result<(), StartError> {
        for (id, deferral) in known.iter().filter(|(_, deferral)| !deferral.released && deferral.until >= day_of(now)) {
            let path = self.path(id)?;
            if !path.exists() {
                return Err(unusable(&path, &format!("the deferral is gone, but it defers until {}", deferral.until)));
            }
        }
        Ok(())
    }

    /// Whether two different officials signed something of a file that was read.
    fn acted(&self, file: &DeferralFile, act: DeferralAct) -> bool {
        self.signers(file, act).is_ok_and(|signers| signers >= FOUR_EYES)
    }

    /// Every deferral and whether two officials signed it and two have not ended it.
    ///
    /// # Errors
    /// A file cannot be read, lasts too long, or a signature in it does not hold: then no view may be shown.
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
                bounded(&file.deferral).map_err(|what| unusable(&path, &what))?;
                let signed = |act| self.signers(&file, act).map_err(|what| unusable(&path, &what));
                let defers = signed(DeferralAct::Defer)? >= FOUR_EYES && signed(DeferralAct::Show)? < FOUR_EYES;
                found.push((file, defers));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.deferral.id.cmp(&other.deferral.id));
        Ok(found)
    }

    /// Begins a deferral with the first signature.
    ///
    /// # Errors
    /// There is one of that id, it lasts too long, or the key is nobody's.
    pub fn add(&self, deferral: Hold, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        let path = self.path(&deferral.id)?;
        if path.exists() {
            return Err(StartError(format!("there is a deferral `{}` already; deferrals are not changed", deferral.id)));
        }
        bounded(&deferral).map_err(StartError)?;
        self.sign(DeferralFile { deferral, deferred_by: Vec::new(), shown_by: Vec::new() }, DeferralAct::Defer, key, now)
    }

    /// Adds a signature under a deferral or its end.
    ///
    /// # Errors
    /// There is no such deferral, the key is nobody's, or this official signed already.
    pub fn approve(&self, id: &str, act: DeferralAct, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        self.sign(read(&self.path(id)?)?, act, key, now)
    }

    fn sign(&self, mut file: DeferralFile, act: DeferralAct, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        let what = ("defer", "estelam log defer enrol");
        let signature = self.people.sign(key, &signed_bytes(&file.deferral, act), now, what)?;
        let list = if act == DeferralAct::Show { &mut file.shown_by } else { &mut file.deferred_by };
        if list.iter().any(|other| other.by == signature.by) {
            return Err(StartError(format!("`{}` signed this already; another official must", signature.by)));
        }
        list.push(signature);
        let path = self.path(&file.deferral.id)?;
        write(&path, &file).map_err(|error| unusable(&path, &error))
    }

    fn signers(&self, file: &DeferralFile, act: DeferralAct) -> Result<usize, String> {
        let list = if act == DeferralAct::Show { &file.shown_by } else { &file.deferred_by };
        self.people.signers(list, &signed_bytes(&file.deferral, act))
    }

    fn path(&self, id: &str) -> Result<PathBuf, StartError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(StartError(format!("`{id}` cannot name a deferral; use letters, digits and hyphens")));
        }
        Ok(self.dir.join(format!("{id}.json")))
    }
}

/// Whoever signs it where: contents are kept for 90 days, and deferred must not come to mean never.
fn bounded(deferral: &Hold) -> Result<(), String> {
    let days = (deferral.until - deferral.from).get_days();
    if deferral.from > deferral.to || !(0..=LONGEST_DAYS).contains(&days) {
        return Err(format!(
            "a deferral begins before it ends, and ends within {LONGEST_DAYS} days of the first day that it covers: contents are kept for 90, \
             and the holder must see them"
        ));
    }
    Ok(())
}

/// The act of beginning or ending a deferral. Who defers, in words, stays in its file; the hash covers it.
fn act(code: &'static str, deferral: &Hold, hash: &str, signatures: &[Signature]) -> Act {
    let signers: Vec<_> = signatures.iter().map(|signature| &signature.by).collect();
    let details = json!({ "hash": hash, "signers": signers, "from": deferral.from, "to": deferral.to, "until": deferral.until });
    let act = Act::new("deferrals", code, OFFICIALS).about(deferral.id.clone()).details(&details);
    match &deferral.agency {
        Some(agency) => act.of_agency(agency, None),
        None => act,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::adapters::keys::FileSigner;
    use crate::core::signing::Algorithm;
    use crate::registry::decrees::Officials;

    #[test]
    fn a_deferral_that_was_signed_elsewhere_is_bound_to_its_days_too() {
        let dir = tempfile::tempdir().unwrap();
        let keys = ["one", "two"].map(|name| {
            let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", FileSigner::generate(Algorithm::EdDsa).unwrap().to_vec()));
            let key = OfficialKey::from_pem(pem.as_bytes()).unwrap();
            Officials::enrol(dir.path(), name, &key).unwrap();
            key
        });
        let deferrals = Deferrals::open(dir.path()).unwrap();
        let text = r#"{"id":"order-1","reason":"order 1","from":"2026-11-01","to":"2026-11-30","until":"2099-01-01"}"#;
        let deferral: Hold = serde_json::from_str(text).unwrap();
        let message = signed_bytes(&deferral, DeferralAct::Defer);
        let sign = |key| deferrals.people.sign(key, &message, Timestamp::UNIX_EPOCH, ("", "")).unwrap();
        let file = DeferralFile { deferral, deferred_by: keys.iter().map(sign).collect(), shown_by: Vec::new() };
        write(&dir.path().join("order-1.json"), &file).unwrap();
        assert!(deferrals.all().unwrap_err().0.contains("within 60 days"));
    }
}
