//! Legal holds of an installation: files that two people sign ([`super::signed_files`]). What one covers is not deleted, however old.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::StartError;
use super::acts::{Known, KnownSigned};
use super::signed_files::{Kind, OutOfOffice, SignedFiles, Subject, Words};
use crate::config::Config;
use crate::core::ledger::retention::{Hold, Step};

/// The folder of holds.
pub type Holds = SignedFiles<LegalHold>;

/// The kind.
pub struct LegalHold;

impl Kind for LegalHold {
    type Subject = Hold;

    const WORDS: Words = Words {
        one: "hold",
        may: "hold or release",
        verb: "estelam log hold",
        lasts: "it holds",
        closed: "nothing is deleted",
        route: "holds",
        begun: "hold-begun",
        ended: "hold-released",
    };

    const OUT_OF_OFFICE: OutOfOffice = OutOfOffice::Fails;

    fn folder(config: &Config) -> Result<PathBuf, StartError> {
        Ok(config.ledger.holds.clone())
    }

    fn signed_bytes(hold: &Hold, step: Step) -> Vec<u8> {
        hold.signed_bytes(step)
    }

    fn check(hold: &Hold) -> Result<(), String> {
        if hold.from > hold.to {
            return Err("the hold ends before it begins: its first day must not be after its last".to_owned());
        }
        Ok(())
    }

    fn known(known: &mut Known) -> &mut BTreeMap<String, KnownSigned> {
        &mut known.holds
    }
}

/// Holds and deferrals cover the same: entries by day, agency or id.
impl Subject for Hold {
    fn id(&self) -> &str {
        &self.id
    }

    fn until(&self) -> Date {
        self.until
    }

    fn agency(&self) -> Option<&str> {
        self.agency.as_deref()
    }

    fn details(&self) -> Map<String, Value> {
        let days = [("from", self.from), ("to", self.to), ("until", self.until)];
        days.into_iter().map(|(name, day)| (name.to_owned(), json!(day))).collect()
    }

    fn line(&self) -> String {
        format!("{} to {}, until {}: {}", self.from, self.to, self.until, self.reason)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use jiff::Timestamp;

    use super::*;
    use crate::adapters::keys::FileSigner;
    use crate::app::signed_files::Standing;
    use crate::core::signing::Algorithm;
    use crate::registry::decrees::{OfficialKey, Officials};

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

    fn standing(holds: &Holds, now: Timestamp) -> Vec<Standing> {
        holds.list(now).unwrap().into_iter().map(|listed| listed.standing).collect()
    }

    #[test]
    fn hold_begins_and_ends_with_two_people() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (person(dir.path(), "one"), person(dir.path(), "two"));
        let holds = Holds::open(dir.path()).unwrap();
        holds.add(hold(), &first, NOW).unwrap();
        assert!(holds.approve("court-1", Step::Begin, &first, NOW).is_err(), "not the same person twice");
        assert_eq!(standing(&holds, NOW), [Standing::Pending]);
        holds.approve("court-1", Step::Begin, &second, NOW).unwrap();
        assert_eq!(standing(&holds, NOW), [Standing::Signed]);
        assert_eq!(standing(&holds, "2027-01-02T00:00:00Z".parse().unwrap()), [Standing::Over]);
        holds.approve("court-1", Step::End, &second, NOW).unwrap();
        assert_eq!(standing(&holds, NOW), [Standing::Signed], "one person alone releases nothing");
        holds.approve("court-1", Step::End, &first, NOW).unwrap();
        assert_eq!(standing(&holds, NOW), [Standing::Ended]);
    }

    #[test]
    fn hold_whose_last_day_is_over_is_not_begun_and_one_that_is_not_there_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (person(dir.path(), "one"), person(dir.path(), "two"));
        let holds = Holds::open(dir.path()).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let said = holds.add(hold(), &first, at("2027-01-02T00:00:00Z")).unwrap_err().0;
        assert!(said.contains("2027-01-01, is over, today is 2027-01-02"), "{said}");
        let said = holds.approve("court-1", Step::Begin, &second, NOW).unwrap_err().0;
        assert_eq!(said, "there is no hold `court-1`; see `estelam log hold list`", "what was refused left nothing");
        holds.add(hold(), &first, at("2027-01-01T23:59:59Z")).unwrap();
        assert_eq!(standing(&holds, at("2027-01-01T23:59:59Z")), [Standing::Pending], "its last day is not over yet");
    }

    #[test]
    fn altered_hold_or_stranger_stops_every_deletion() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (person(dir.path(), "one"), person(dir.path(), "two"));
        let holds = Holds::open(dir.path()).unwrap();
        let stranger = OfficialKey::from_pem(new_key().as_bytes()).unwrap();
        assert!(holds.add(hold(), &stranger, NOW).is_err());
        holds.add(hold(), &first, NOW).unwrap();
        holds.approve("court-1", Step::Begin, &second, NOW).unwrap();
        let path = dir.path().join("court-1.json");
        let altered = std::fs::read_to_string(&path).unwrap().replace("2026-01-31", "2026-01-02");
        std::fs::write(&path, altered).unwrap();
        assert!(holds.list(NOW).unwrap_err().0.contains("does not hold"));
    }

    #[test]
    fn file_of_an_earlier_build_is_read_and_a_copy_under_another_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (person(dir.path(), "one"), person(dir.path(), "two"));
        let holds = Holds::open(dir.path()).unwrap();
        holds.add(hold(), &first, NOW).unwrap();
        holds.approve("court-1", Step::Begin, &second, NOW).unwrap();
        let path = dir.path().join("court-1.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let before =
            text.replace("\"subject\"", "\"hold\"").replace("\"begun_by\"", "\"held_by\"").replace("\"ended_by\"", "\"released_by\"");
        assert_ne!(before, text);
        std::fs::write(&path, before).unwrap();
        assert_eq!(standing(&holds, NOW), [Standing::Signed]);
        std::fs::copy(&path, dir.path().join("copy.json")).unwrap();
        assert!(holds.list(NOW).unwrap_err().0.contains("not that of the hold in it, `court-1`"));
    }
}
