//! Claims about merged and split records, and about what was known when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};
use crate::registry::import::{self, ImportOptions};
use crate::registry::import_demo_people;

struct Office {
    dir: tempfile::TempDir,
    store: Store,
    schemes: SchemeCatalogue,
}

const FIDA: (&str, &str) = ("fida", "199900000001");
const MERGED: &str = "2026-11-01T08:00:00Z";
const SPLIT: &str = "2026-11-10T08:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Office {
    /// The demo's people: fx-09 and fx-10 share a number.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("registry")).unwrap();
        let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
        import_demo_people(&store, &schemes).unwrap();
        Self { dir, store, schemes }
    }

    fn merge(&self, first: &str, second: &str, now: &str) -> Result<(), MembershipError> {
        merge(&self.store, first, second, "one person, two files", at(now))
    }

    fn split(&self, record: &str, now: &str) -> Result<(), MembershipError> {
        split(&self.store, record, "two brothers", at(now))
    }

    fn people(&self, number: (&str, &str), known_at: Option<&str>) -> Vec<String> {
        let found = match known_at {
            Some(instant) => self.store.lookup_known_at(number.0, number.1, at(instant)).unwrap(),
            None => self.store.lookup(number.0, number.1).unwrap(),
        };
        found.into_iter().map(|person| person.person).collect()
    }

    /// Imports one card, in a state, at an instant.
    fn import(&self, state: &str, birth: &str, now: &str) {
        let file = self.dir.path().join("office.ndjson");
        let line = format!(
            r#"{{"person":"P-1","birth":{{"date":"{birth}","calendar":"jalali"}},"documents":[{{"scheme":"amayesh-no","value":"A123456789","kind":"amayesh","series":17,"state":"{state}"}}]}}"#
        );
        std::fs::write(&file, line).unwrap();
        let options = ImportOptions { file: &file, source: None, rejects: None, aside: None, schemes: &self.schemes, now: at(now) };
        import::run(&self.store, &options, &mut |_, _| ()).unwrap();
    }
}

#[test]
fn merged_records_are_one_person_with_all_their_papers() {
    let office = Office::new();
    assert_eq!(office.people(FIDA, None), ["fx-09", "fx-10"]);
    office.merge("fixtures/fx-09", "fixtures/fx-10", MERGED).unwrap();
    let person = office.store.lookup(FIDA.0, FIDA.1).unwrap();
    assert_eq!(person.len(), 1);
    assert_eq!((person[0].person.as_str(), person[0].documents.len(), person[0].merged.len()), ("fx-09", 2, 1));
    assert_eq!(person[0].birth.as_ref().unwrap().date, "1350-01-01", "the leading record's word");
}

#[test]
fn record_is_found_by_its_key_as_the_file_has_it() {
    let office = Office::new();
    let file = office.dir.path().join("office.ndjson");
    let line = r#"{"person":"مُحَمَّد","documents":[{"scheme":"amayesh-no","value":"A123456789","kind":"amayesh"}]}"#;
    std::fs::write(&file, line).unwrap();
    let options = ImportOptions { file: &file, source: None, rejects: None, aside: None, schemes: &office.schemes, now: at(MERGED) };
    import::run(&office.store, &options, &mut |_, _| ()).unwrap();
    for (place, key) in ["office/مُحَمَّد", "مُحَمَّد", "office/محمد"].into_iter().enumerate() {
        office.merge("fx-04", key, &format!("2026-11-0{}T08:00:00Z", place * 2 + 2)).unwrap();
        office.split(key, &format!("2026-11-0{}T08:00:00Z", place * 2 + 3)).unwrap();
    }
}

#[test]
fn every_number_of_a_merged_person_leads_to_all_of_it() {
    let office = Office::new();
    office.merge("fx-04", "fx-05", MERGED).unwrap();
    for number in [("yekta", "9990000018"), ("yekta", "9990000026"), ("amayesh-no", "A170000005")] {
        let found = office.store.lookup(number.0, number.1).unwrap();
        assert_eq!((found.len(), found[0].documents.len()), (1, 3), "{number:?}");
    }
}

#[test]
fn a_split_undoes_a_wrong_merge_and_history_keeps_both() {
    let office = Office::new();
    office.merge("fx-09", "fx-10", MERGED).unwrap();
    office.split("fx-10", SPLIT).unwrap();
    assert_eq!(office.people(FIDA, None), ["fx-09", "fx-10"]);
    for (instant, known) in [
        ("2026-10-31T00:00:00Z", vec!["fx-09", "fx-10"]),
        (MERGED, vec!["fx-09"]),
        ("2026-11-10T07:59:59.999999999Z", vec!["fx-09"]),
        (SPLIT, vec!["fx-09", "fx-10"]),
    ] {
        assert_eq!(office.people(FIDA, Some(instant)), known, "{instant}");
    }
    let history = history(&office.store, "fx-10").unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].head.as_str(), history[0].split_because.as_deref()), ("fixtures/fx-09", Some("two brothers")));
}

#[test]
fn a_split_takes_back_what_came_with_the_record() {
    let office = Office::new();
    office.merge("fx-04", "fx-05", "2026-10-01T00:00:00Z").unwrap();
    office.merge("fx-06", "fx-05", MERGED).unwrap();
    assert_eq!(office.people(("amayesh-no", "A170000005"), None), ["fx-06"]);
    office.split("fx-04", SPLIT).unwrap();
    assert_eq!(office.people(("amayesh-no", "A170000005"), None), ["fx-04"], "fx-05 had belonged to fx-04");
    assert_eq!(office.people(("yekta", "9990000034"), None), ["fx-06"]);
}

#[test]
fn when_the_leading_record_leaves_the_oldest_other_leads() {
    let office = Office::new();
    office.merge("fx-04", "fx-05", "2026-10-01T00:00:00Z").unwrap();
    office.merge("fx-04", "fx-06", MERGED).unwrap();
    office.split("fx-04", SPLIT).unwrap();
    assert_eq!(office.people(("yekta", "9990000018"), None), ["fx-04"]);
    assert_eq!(office.people(("yekta", "9990000034"), None), ["fx-05"]);
    assert_eq!(office.people(("yekta", "9990000026"), None), ["fx-05"]);
    office.split("fx-06", "2026-11-11T00:00:00Z").unwrap();
    assert_eq!(office.people(("yekta", "9990000034"), None), ["fx-06"]);
}

#[test]
fn every_number_concerned_is_told_to_the_feed() {
    let office = Office::new();
    let before = office.store.cursor().unwrap();
    office.merge("fx-04", "fx-05", MERGED).unwrap();
    assert_eq!(office.store.cursor().unwrap(), before + 3);
    office.split("fx-05", SPLIT).unwrap();
    assert_eq!(office.store.cursor().unwrap(), before + 6);
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    let office = Office::new();
    office.merge("fx-09", "fx-10", MERGED).unwrap();
    let cursor = office.store.cursor().unwrap();
    let refused = [
        (office.merge("fx-10", "fx-09", SPLIT), "`fx-10` and `fx-09` are one person already"),
        (office.merge("fx-09", "fx-99", SPLIT), "there is no record `fx-99`"),
        (office.split("fx-01", SPLIT), "`fx-01` stands for itself already"),
        (office.split("fx-10", MERGED), "the last merge of these records is of a later time"),
        (merge(&office.store, "fx-01", "fx-02", " ", at(SPLIT)), "say why"),
    ];
    for (result, message) in refused {
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert_eq!(office.store.cursor().unwrap(), cursor);
}

#[test]
fn a_key_of_two_sources_must_be_named_in_full() {
    let office = Office::new();
    office
        .store
        .with_writer(|tx| tx.execute("INSERT INTO person (source, person) VALUES ('a/b', 'fx-01')", []).map_err(StoreError::from))
        .unwrap();
    assert!(matches!(office.merge("fx-02", "fx-01", MERGED), Err(MembershipError::Ambiguous(_))));
    office.merge("fx-02", "a/b/fx-01", MERGED).unwrap();
}

#[test]
fn a_block_on_any_record_blocks_the_person() {
    let office = Office::new();
    office
        .store
        .with_writer(|tx| tx.execute("UPDATE person SET blocked = 1 WHERE person = 'fx-10'", []).map_err(StoreError::from))
        .unwrap();
    office.merge("fx-04", "fx-10", MERGED).unwrap();
    assert!(office.store.lookup("yekta", "9990000018").unwrap()[0].blocked);
}

#[test]
fn what_an_import_corrects_stays_on_record_as_known_before() {
    let office = Office::new();
    let card = ("amayesh-no", "A123456789");
    office.import("active", "1370", MERGED);
    office.import("lost", "1371", SPLIT);
    let known = |instant: &str| {
        let found = office.store.lookup_known_at(card.0, card.1, at(instant)).unwrap();
        found.first().map(|person| (person.documents[0].facts.state.code(), person.birth.as_ref().unwrap().date.clone()))
    };
    assert_eq!(known("2026-10-31T23:59:59Z"), None, "nobody knew of it yet");
    assert_eq!(known(MERGED), Some(("active", "1370".to_owned())));
    assert_eq!(known("2026-11-10T07:59:59Z"), Some(("active", "1370".to_owned())));
    assert_eq!(known(SPLIT), Some(("lost", "1371".to_owned())));
    assert_eq!(office.people(card, None), ["P-1"]);
}
