//! Tests of the four-eyes rule: every refusal leaves the store as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use jiff::Timestamp;

use super::*;
use crate::adapters::clock::ManualClock;
use crate::core::domain::service::SHIPPED_SERVICES;
use crate::registry::DEMO_DECREES;

struct Office {
    dir: tempfile::TempDir,
    store: Store,
    officials: Officials,
    services: ServiceCatalogue,
    keys: Vec<OfficialKey>,
    pems: Vec<String>,
    clock: ManualClock,
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn key_in(pem: &str) -> OfficialKey {
    OfficialKey::from_pem(pem.as_bytes()).unwrap()
}

fn office() -> Office {
    let dir = tempfile::tempdir().unwrap();
    let pems: Vec<_> = (0..3).map(|_| rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem()).collect();
    let keys: Vec<_> = pems.iter().map(|pem| key_in(pem)).collect();
    Officials::enrol(dir.path(), "a", &keys[0]).unwrap();
    Officials::enrol(dir.path(), "b", &keys[1]).unwrap();
    Office {
        store: Store::open(dir.path()).unwrap(),
        officials: Officials::load(dir.path()).unwrap(),
        services: ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap(),
        keys,
        pems,
        clock: ManualClock::new(now()),
        dir,
    }
}

impl Office {
    fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("new.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn add(&self, text: &str, key: usize) -> Result<Vec<String>, DecreeError> {
        add(&self.store, &self.officials, &self.services, &self.file(text), &self.keys[key])
    }

    fn approve(&self, key: usize) -> Result<Timestamp, DecreeError> {
        approve(&self.store, &self.officials, "d9", &self.keys[key], &self.clock)
    }

    fn rescind(&self, key: usize) -> Result<Standing, DecreeError> {
        rescind(&self.store, &self.officials, "d9", &self.keys[key], &self.clock)
    }

    fn key(&self, key: usize) -> OfficialKey {
        key_in(&self.pems[key])
    }

    fn served(&self) -> Vec<WireDecree> {
        served(&self.store, &self.officials).unwrap().decrees
    }

    fn standing(&self) -> Standing {
        list(&self.store, &self.officials).unwrap()[0].standing
    }
}

const D9: &str = r#"[[decree]]
id = "d9"
authority = "ministry-of-interior"
issued_on = "1405/08/01"
known_from = "1405/08/01"
effective_from = "1405/08/01"
select = [{ kind = "amayesh", series = 18 }]
services = ["bank-card"]
effect = "extend"
text.fa = "تا اطلاع بعدی"
text.en = "until further notice"
source = "letter 9"
"#;

#[test]
fn two_officials_put_a_decree_in_force_from_the_approval_on() {
    let office = office();
    assert_eq!(office.add(D9, 0).unwrap(), ["d9"]);
    assert!(office.served().is_empty(), "pending is not in force");
    let cursor = office.store.cursor().unwrap();
    assert_eq!(office.approve(1).unwrap(), now());
    assert_eq!(office.served()[0].recorded_at, Some(now()));
    assert_eq!(office.store.cursor().unwrap(), cursor + 1);
}

#[test]
fn one_official_twice_and_a_stranger_are_refused_and_change_nothing() {
    let office = office();
    assert!(matches!(office.add(D9, 2), Err(DecreeError::UnknownOfficial)));
    assert!(list(&office.store, &office.officials).unwrap().is_empty());
    office.add(D9, 0).unwrap();
    assert!(office.approve(0).is_err());
    assert!(matches!(office.approve(2), Err(DecreeError::UnknownOfficial)));
    assert_eq!(office.standing(), Standing::Pending);
    assert_eq!(office.store.cursor().unwrap(), 0, "nothing was announced");
}

#[test]
fn one_key_under_two_names_is_refused() {
    let office = office();
    Officials::enrol(office.dir.path(), "c", &office.keys[0]).unwrap();
    assert!(Officials::load(office.dir.path()).unwrap_err().to_string().contains("repeats the key"));
}

#[test]
fn official_is_known_by_a_public_half_and_neither_name_nor_key_is_given_twice() {
    let office = office();
    let (dir, pair) = (office.dir.path(), rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    let file = dir.join("c.pem");
    let by = |keys: &[usize], name: &str| {
        let keys: Vec<_> = keys.iter().map(|key| office.key(*key)).collect();
        Officials::enrol_public(dir, name, &file, &keys).map_err(|error| error.to_string())
    };
    let add = |name: &str| by(&[0, 1], name);
    std::fs::write(&file, pair.serialize_pem()).unwrap();
    assert!(add("c").unwrap_err().contains("holds no Ed25519 public key"), "nobody hands a private key over");
    std::fs::write(&file, pair.public_key_pem()).unwrap();
    assert!(add("a").unwrap_err().contains("take another name"));
    assert!(add("../c").unwrap_err().contains("no good name"));
    for (keys, why) in [(&[][..], "two officials"), (&[0], "two officials"), (&[0, 0], "two officials"), (&[0, 2], "no official")] {
        assert!(by(keys, "c").unwrap_err().contains(why), "{keys:?}");
    }
    assert_eq!(Officials::load(dir).unwrap().names().collect::<Vec<_>>(), ["a", "b"]);
    add("c").unwrap();
    assert!(add("d").unwrap_err().contains("repeats the key"));
    let known = Officials::load(dir).unwrap();
    assert_eq!(known.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(known.name_of(&OfficialKey::from_pem(pair.serialize_pem().as_bytes()).unwrap()).unwrap(), "c");
    std::fs::copy(&file, dir.join("officials/alice.pem")).unwrap();
    assert_eq!(Officials::passed_over(dir), [dir.join("officials/alice.pem")]);
}

#[test]
fn rescinding_takes_two_officials() {
    let office = office();
    office.add(D9, 0).unwrap();
    assert!(office.rescind(0).is_err(), "not in force yet");
    office.approve(1).unwrap();
    assert_eq!(office.rescind(0).unwrap(), Standing::RescissionPending);
    assert!(office.rescind(0).is_err());
    assert_eq!(office.served()[0].rescinded_at, None);
    assert_eq!(office.rescind(1).unwrap(), Standing::Rescinded);
    assert_eq!(office.served()[0].rescinded_at, Some(now()));
    assert!(office.rescind(1).is_err());
}

#[test]
fn two_officials_discard_a_decree_and_one_does_not() {
    let office = office();
    office.add(D9, 0).unwrap();
    office.approve(1).unwrap();
    office.rescind(0).unwrap();
    let discard = |keys: &[usize]| {
        let keys: Vec<_> = keys.iter().map(|key| office.key(*key)).collect();
        discard(&office.store, &office.officials, "d9", &keys)
    };
    let cursor = office.store.cursor().unwrap();
    assert!(matches!(discard(&[0]), Err(DecreeError::NotTwo)) && matches!(discard(&[0, 0]), Err(DecreeError::NotTwo)));
    assert!(matches!(discard(&[0, 2]), Err(DecreeError::UnknownOfficial)));
    assert_eq!((office.standing(), office.store.cursor().unwrap()), (Standing::RescissionPending, cursor));
    discard(&[0, 1]).unwrap();
    assert!(office.served().is_empty());
    assert_eq!(office.store.cursor().unwrap(), cursor + 1, "gateways are told");
    assert!(matches!(discard(&[0, 1]), Err(DecreeError::Unknown(_))));
    office.add(D9, 0).unwrap();
    office.approve(1).unwrap();
    assert_eq!(office.standing(), Standing::InForce, "entered anew it has no rescission of before");
}

#[test]
fn a_row_changed_behind_the_officials_stops_the_whole_list() {
    for change in [
        "UPDATE decree SET body = replace(body, '18', '17')",
        "UPDATE decree SET rescinded_at = '2026-01-01T00:00:00Z'",
        "UPDATE decree SET approved_by = 'a', approved_signature = entered_signature",
        "UPDATE decree SET approved_by = NULL, approved_signature = NULL",
        "UPDATE decree SET recorded_at = '2026-01-01T00:00:00Z'",
        "UPDATE decree SET recorded_at = NULL",
    ] {
        let office = office();
        office.add(D9, 0).unwrap();
        office.approve(1).unwrap();
        office.store.with_writer(|t| t.execute(change, []).map_err(StoreError::from)).unwrap();
        assert!(served(&office.store, &office.officials).is_err(), "{change}");
    }
}

#[test]
fn a_rescission_cannot_be_moved_in_time_behind_the_officials() {
    for change in ["'2026-01-01T00:00:00Z'", "'2030-01-01T00:00:00Z'", "NULL"] {
        let office = office();
        office.add(D9, 0).unwrap();
        office.approve(1).unwrap();
        office.rescind(0).unwrap();
        office.rescind(1).unwrap();
        assert!(served(&office.store, &office.officials).is_ok());
        let change = format!("UPDATE decree SET rescinded_at = {change}");
        office.store.with_writer(|t| t.execute(&change, []).map_err(StoreError::from)).unwrap();
        assert!(served(&office.store, &office.officials).is_err(), "{change}");
    }
}

#[test]
fn shipped_decrees_are_known_from_their_day_and_seeded_once() {
    let office = office();
    let seed = || seed(&office.store, &office.officials, &office.services, DEMO_DECREES, &office.keys[0], &office.keys[1]).unwrap();
    assert_eq!((seed(), seed()), (4, 0));
    let d1 = office.served().into_iter().find(|decree| decree.id == "d1-1402-04-07").unwrap();
    assert_eq!(d1.recorded_at, Some("2023-06-27T20:30:00Z".parse().unwrap()));
    assert!(crate::core::registry::version::version_of(&office.served()).unwrap().starts_with("sha256:"));
}

#[track_caller]
fn refused(text: &str, line: usize, part: &str) {
    let office = office();
    let error = office.add(text, 0).unwrap_err().to_string();
    assert!(error.contains(&format!("new.toml:{line}: ")) && error.contains(part), "{error}");
    assert!(list(&office.store, &office.officials).unwrap().is_empty(), "all or nothing");
}

#[test]
fn every_mistake_in_a_file_names_its_line() {
    refused(&D9.replace("1405/08/01\"\nselect", "1405/07/31\"\nselect"), 6, "effective_from");
    refused(&D9.replace("source", "sauce"), 12, "sauce");
    refused(&D9.replace("bank-card", "bank-cart"), 8, "bank-cart");
    refused(&D9.replace("{ kind = \"amayesh\", series = 18 }", "{}"), 7, "says nothing");
    refused(&D9.replace("series = 18", "series = 0"), 7, "counted from 1");
    refused(&D9.replace("\"extend\"", "\"extent\""), 9, "use `extend`");
    refused(&D9.replace("source", "effective_to = \"1405/07/01\"\nsource"), 12, "ends before");
    refused(&D9.replace("source", "supersedes = [\"d8\"]\nsource"), 12, "d8");
    refused(&D9.replace("source", "recorded_at = \"2020-01-01T00:00:00Z\"\nsource"), 12, "recorded_at");
    refused(&format!("{D9}\n{D9}"), 15, "taken");
    refused(&D9.replace("\"until further notice\"", "\"\""), 11, "text.en");
}
