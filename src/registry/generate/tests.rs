//! Claims about generated people.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashSet;

use super::*;
use crate::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};

const ALL: [Series; 8] = [
    Series::Amayesh,
    Series::Census,
    Series::Fida,
    Series::Hoviat,
    Series::LaissezPasser,
    Series::Passport,
    Series::TemporaryCard,
    Series::Yekta,
];

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn dump(store: &Store, table: &str) -> Vec<String> {
    let connection = store.connection().unwrap();
    let mut rows = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
    let columns = rows.column_count();
    let line = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at)).collect::<Result<Vec<_>, _>>();
    rows.query_map([], line).unwrap().map(|row| format!("{:?}", row.unwrap())).collect()
}

#[test]
fn same_seed_gives_the_same_people() {
    let (stores, other) = ((store(), store()), store());
    let run = |store: &Store, seed| run(store, 300, seed, &mut |_, _| ()).unwrap();
    assert_eq!(run(&stores.0.1, 7), run(&stores.1.1, 7));
    run(&other.1, 8);
    for table in ["person", "document", "identifier"] {
        assert_eq!(dump(&stores.0.1, table), dump(&stores.1.1, table));
        assert_ne!(dump(&stores.0.1, table), dump(&other.1, table));
    }
}

#[test]
fn more_people_of_a_seed_continue_where_it_ended() {
    let (grown, whole) = (store(), store());
    run(&grown.1, 100, 7, &mut |_, _| ()).unwrap();
    assert_eq!(run(&grown.1, 100, 7, &mut |_, _| ()).unwrap().persons, 0);
    assert_eq!(run(&grown.1, 250, 7, &mut |_, _| ()).unwrap().persons, 150);
    run(&whole.1, 250, 7, &mut |_, _| ()).unwrap();
    assert_eq!(dump(&grown.1, "document"), dump(&whole.1, "document"));
}

#[test]
fn every_number_is_accepted_and_leads_to_one_person() {
    let (_dir, store) = store();
    run(&store, 500, 1, &mut |_, _| ()).unwrap();
    run(&store, 500, 2, &mut |_, _| ()).unwrap();
    crate::registry::import_demo_people(&store, &SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap()).unwrap();
    let connection = store.connection().unwrap();
    let several = "SELECT value FROM identifier GROUP BY scheme, value HAVING count(*) > 1";
    let shared: Vec<String> =
        connection.prepare(several).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(shared, ["199900000001"], "only the fixture that is meant to be");
}

#[test]
fn numbers_of_a_scheme_never_repeat_and_keep_clear_of_the_reserved() {
    let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
    for series in ALL {
        let mut seen = HashSet::new();
        for index in (0..3_000).chain(MOST_PEOPLE - 3_000..MOST_PEOPLE) {
            let text = series.text(series.number(index));
            let raw = crate::core::domain::scheme::RawIdentifier { scheme: series.scheme(), value: &text, ..Default::default() };
            let accepted = schemes.accept(raw, None).unwrap();
            assert!(!accepted.check_digit_warning && accepted.identifier.expose_value() == text);
            assert!(!text.trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with("999000"), "{text}");
            assert!(!crate::registry::DEMO_PEOPLE.contains(&format!("\"{text}\"")), "{text}");
            assert!(seen.insert(text), "{series:?}");
        }
    }
}

#[test]
fn too_many_people_are_refused_before_anything_is_written() {
    let (_dir, store) = store();
    assert!(run(&store, MOST_PEOPLE + 1, 1, &mut |_, _| ()).is_err());
    assert_eq!(store.persons().unwrap(), 0);
}

#[test]
fn generated_dates_exist() {
    use crate::core::domain::date::{Calendar, PartialDate};
    for index in 0..2_000 {
        let person = person(3, index);
        let dates = person.documents.iter().flat_map(|paper| [&paper.issued, &paper.expires]).chain([&person.birth]);
        dates.for_each(|date| assert!(PartialDate::parse(date, Calendar::Jalali).is_ok(), "{date}"));
        assert!(!person.documents.is_empty());
    }
}
