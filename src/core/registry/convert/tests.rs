//! Claims about what the gateway accepts from a registry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use super::{ConvertError, DecreeSet, persons_from, recorded_when_shipped};
use crate::core::domain::date::{Calendar, PartialDate, start_of_tehran_day};
use crate::core::registry::wire::{DecreesAnswer, LookupAnswer, WireDecree};

const DECREE: &str = r#"{"id":"d1","authority":"a","issued_on":"1402/04/07","known_from":"1402/04/07","effective_from":"1402/04/01",
    "effective_to":"1402/04/31","select":[{"kind":"amayesh","series":17}],"services":"all","effect":"extend",
    "text":{"fa":"x","en":"x"},"recorded_at":"2023-06-28T00:00:00Z"}"#;

fn set(json: &[&str]) -> Result<DecreeSet, String> {
    let decrees: Vec<WireDecree> = json.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
    let as_of = jiff::Timestamp::UNIX_EPOCH;
    DecreeSet::from_wire(&DecreesAnswer {
        version: "v".into(),
        cursor: 1,
        as_of,
        decrees,
        history: None,
        signers: BTreeMap::new(),
        signatures: BTreeMap::new(),
    })
    .map_err(|error| error.to_string())
}

fn tehran(day: &str) -> jiff::Timestamp {
    start_of_tehran_day(PartialDate::parse(day, Calendar::Jalali).unwrap().first_day())
}

#[test]
fn whole_days_become_half_open_instants() {
    let decree = set(&[DECREE]).unwrap().decrees.remove(0);
    assert_eq!((decree.effective_from, decree.effective_until), (tehran("1402/04/01"), Some(tehran("1402/05/01"))));
    assert_eq!(recorded_when_shipped(&serde_json::from_str(DECREE).unwrap()).unwrap(), tehran("1402/04/07"));
}

#[test]
fn a_decree_that_is_not_understood_refuses_the_whole_set_by_name() {
    let cases = [
        ("1402/04/31", "1402/07/31", "decree `d1`: `effective_to` is no date: there is no such day in that calendar"),
        ("1402/04/31", "1402/05", "decree `d1`: `effective_to` is not a whole day"),
        ("1402/04/31", "1402/03/31", "decree `d1`: `effective_to` ends before it begins"),
    ];
    for (from, to, message) in cases {
        assert_eq!(set(&[&DECREE.replace(from, to)]), Err(message.to_owned()));
    }
    assert_eq!(set(&[DECREE, DECREE]), Err("decree `d1`: the id is used twice".to_owned()));
    let pending = DECREE.replace(r#","recorded_at":"2023-06-28T00:00:00Z""#, "");
    assert_eq!(set(&[&pending]), Err("decree `d1`: `recorded_at` is missing; only approved decrees may be sent".to_owned()));
}

#[test]
fn one_bad_field_of_one_person_refuses_the_answer() {
    let answer = |birth: &str| -> LookupAnswer {
        let json = r#"{"version":1,"as_of":"2026-11-23T10:00:00Z","subject":"s","persons":[{"birth":{"date":"BIRTH","calendar":"jalali"},
            "household_role":"head","documents":[{"kind":"amayesh","series":17,"state":"active","expires":{"date":"1402-03-31","calendar":"jalali"}}]}]}"#;
        serde_json::from_str(&json.replace("BIRTH", birth)).unwrap()
    };
    let persons = persons_from(&answer("1370-05")).unwrap();
    assert_eq!(persons[0].documents[0].printed.until(), Some(tehran("1402/04/01")));
    assert!(matches!(persons_from(&answer("1370-13")), Err(ConvertError::Date { field: "birth", .. })));
}
