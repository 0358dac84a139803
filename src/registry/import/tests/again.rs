//! Claims about a file that is imported again.

use super::{HEADER, Office, row};

impl Office {
    /// Everything that the store holds but the texts of its indices.
    fn held(&self) -> String {
        let tables = ["person", "document", "identifier", "person_past", "document_past", "change", "meta"];
        let dump = |table: &str| {
            self.store.read(|snapshot| {
                let mut all = snapshot.prepare(&format!("SELECT * FROM {table}"))?;
                let columns = all.column_count();
                let mut rows = all.query([])?;
                let mut text = format!("{table}\n");
                while let Some(row) = rows.next()? {
                    let fields: Result<Vec<_>, _> = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column)).collect();
                    text += &format!("{:?}\n", fields?);
                }
                Ok::<_, crate::registry::store::StoreError>(text)
            })
        };
        tables.map(|table| dump(table).unwrap()).concat()
    }

    /// Imports rows of one office at an instant.
    fn month(&self, now: &str, rows: &[String]) {
        let file = self.dir.path().join("office.csv");
        std::fs::write(&file, format!("{HEADER},recorded_at\n{}\n", rows.join("\n"))).unwrap();
        self.import_at(&file, now).unwrap();
    }
}

const JANUARY: &str = "2026-01-31T10:00:00Z";
const FEBRUARY: &str = "2026-02-28T10:00:00Z";
const MARCH: &str = "2026-03-31T10:00:00Z";

/// The card of round 12.
fn twelfth() -> String {
    row(&[("series", "12"), ("issued", "1401/04/01"), ("expires", "1402/03/31")]) + ","
}

/// The same number without a round, and the card of round 13.
fn thirteenth() -> [String; 2] {
    let bare = row(&[("series", ""), ("issued", ""), ("expires", ""), ("calendar", "")]) + ",";
    [bare, row(&[("series", "13"), ("issued", "1402/04/01"), ("expires", "1403/03/31")]) + ","]
}

#[test]
fn file_imported_twice_leaves_the_store_as_it_was() {
    let office = Office::new();
    office.month(JANUARY, &[twelfth()]);
    office.month(FEBRUARY, &thirteenth());
    let held = office.held();
    office.month(MARCH, &thirteenth());
    assert_eq!(office.held(), held);
    let papers = office.store.lookup("amayesh-no", "A123456789").unwrap().remove(0).documents;
    assert!(papers.len() == 2 && papers.iter().all(|paper| paper.facts.expires.is_some()), "no paper is good for ever");
}

#[test]
fn file_imported_twice_does_not_put_a_person_back_to_an_earlier_row() {
    let office = Office::new();
    let rows = [
        row(&[("birth", "1370")]) + ",",
        row(&[("value", "A2222222"), ("birth", "1371"), ("province", "IR-07")]) + ",2024-02-01T00:00:00Z",
        row(&[("value", "A3333333"), ("birth", ""), ("province", "")]) + ",2024-03-01T00:00:00Z",
    ];
    office.month(JANUARY, &rows);
    let held = office.held();
    office.month(FEBRUARY, &rows);
    assert_eq!(office.held(), held);
    let person = office.store.lookup("amayesh-no", "A123456789").unwrap().remove(0);
    assert_eq!((person.birth.unwrap().date.as_str(), person.province.as_deref()), ("1371", Some("IR-07")));
}

/// An office that takes a correction back sends its earlier export once more.
#[test]
fn earlier_file_imported_after_another_is_merged_again() {
    let office = Office::new();
    let (active, lost) = ([row(&[]) + ","], [row(&[("state", "lost")]) + ","]);
    let state = || office.store.lookup("amayesh-no", "A123456789").unwrap()[0].documents[0].facts.state.code();
    for (now, rows, found) in [(JANUARY, &active, "active"), (FEBRUARY, &lost, "lost"), (MARCH, &active, "active")] {
        office.month(now, rows);
        assert_eq!(state(), found);
    }
}

#[test]
fn imports_of_other_sources_and_files_without_an_accepted_row_come_between_without_effect() {
    let office = Office::new();
    office.month(JANUARY, &[twelfth()]);
    office.month(FEBRUARY, &thirteenth());
    office.import("other.csv", format!("{HEADER}\n{}\n", row(&[]))).unwrap();
    office.month(FEBRUARY, &[row(&[("kind", "green-card")]) + ","]);
    let held = office.held();
    office.month(MARCH, &thirteenth());
    assert_eq!(office.held(), held);
}

#[test]
fn file_imported_again_counts_and_rejects_as_the_first_time() {
    let office = Office::new();
    let (good, bad) = (row(&[]), row(&[("kind", "green-card")]));
    let first = office.rows(&[&good, &good, &bad]);
    assert_eq!((first.documents, first.duplicates), (1, 1));
    std::fs::remove_file(office.dir.path().join("office.csv.rejects.csv")).unwrap();
    assert_eq!(office.rows(&[&good, &good, &bad]), first);
    assert_eq!(office.rejects().lines().count(), 2);
}

/// A point above a letter makes no other row of a file, and yet what is stored is what the office wrote last.
#[test]
fn name_written_with_other_points_is_stored_as_it_was_written_last() {
    let office = Office::new();
    let name = || office.store.lookup("amayesh-no", "A123456789").unwrap().remove(0).name;
    for written in ["احمد", "اَحمَد"] {
        office.rows(&[&row(&[("name", written)])]);
        assert_eq!(name().as_deref(), Some(written));
    }
}

#[test]
fn row_that_says_nothing_new_is_no_new_paper_though_several_could_be_meant() {
    let office = Office::new();
    office.month(JANUARY, &[twelfth()]);
    let [bare, next] = thirteenth();
    office.month(FEBRUARY, &[bare.clone(), next.clone()]);
    let other = row(&[("person", "P-2"), ("value", "A2222222")]) + ",";
    office.month(MARCH, &[bare, next, other]);
    assert_eq!(office.store.lookup("amayesh-no", "A123456789").unwrap()[0].documents.len(), 2);
}
