//! Claims about what a further row, or a further export, makes of what is known.

use super::{HEADER, Office, row};
use crate::registry::store::{StoredDocument, StoredPerson};

impl Office {
    fn person(&self) -> StoredPerson {
        self.store.lookup("amayesh-no", "A123456789").unwrap().remove(0)
    }

    fn documents(&self) -> Vec<StoredDocument> {
        self.person().documents
    }

    /// Imports rows of which each says when it was recorded.
    fn recorded(&self, rows: &[(String, &str)]) {
        let rows: String = rows.iter().map(|(row, at)| format!("{row},{at}\n")).collect();
        self.import("office.csv", format!("{HEADER},recorded_at\n{rows}")).unwrap();
    }
}

/// The state and the date of issue of each.
fn papers(documents: &[StoredDocument]) -> Vec<(&'static str, Option<String>)> {
    documents.iter().map(|document| (document.facts.state.code(), document.facts.issued.clone().map(|issued| issued.date))).collect()
}

const REVOKED: (&str, &str) = ("state", "revoked");

#[rstest::rstest]
#[case(&[("issued", "")], &[("issued", "1401/04/01")], "1401-04-01")]
#[case(&[("series", "")], &[("series", "17")], "1401-04-01")]
#[case(&[("series", ""), ("issued", "")], &[("series", "17")], "1401-04-01")]
#[case(&[("series", "17")], &[("series", ""), ("issued", "")], "1401-04-01")]
#[case(&[("issued", "1401")], &[("issued", "1401/4/1")], "1401-04-01")]
#[case(&[], &[("issued", "2022-06-22"), ("expires", "2023-06-21"), ("calendar", "gregorian")], "2022-06-22")]
#[case(&[("issued", "1409/01/01")], &[("issued", "1401/04/01")], "1401-04-01")]
fn revocation_reaches_the_card_whose_series_or_issue_date_was_filled_in_or_put_right(
    #[case] first: &[(&str, &str)],
    #[case] later: &[(&str, &str)],
    #[case] issued: &str,
) {
    let office = Office::new();
    office.rows(&[&row(first)]);
    let later = row(&[later, &[REVOKED]].concat());
    office.rows(&[&later]);
    assert_eq!(papers(&office.documents()), [("revoked", Some(issued.to_owned()))]);
    assert_eq!(office.documents()[0].facts.series, Some(17));
    let cursor = office.store.cursor().unwrap();
    office.rows(&[&later]);
    assert_eq!((office.store.cursor().unwrap(), office.documents().len()), (cursor, 1), "the second import changed nothing");
}

#[test]
fn what_a_card_said_before_it_was_put_right_stays_on_record() {
    let office = Office::new();
    let file = office.dir.path().join("office.csv");
    for (at, issued) in [("2026-01-01T00:00:00Z", "1401/04/01"), ("2026-02-01T00:00:00Z", "1401/05/01")] {
        std::fs::write(&file, format!("{HEADER}\n{}\n", row(&[("issued", issued)]))).unwrap();
        office.import_at(&file, at).unwrap();
    }
    for (at, issued) in [("2026-01-15T00:00:00Z", "1401-04-01"), ("2026-02-15T00:00:00Z", "1401-05-01")] {
        let known = office.store.lookup_known_at("amayesh-no", "A123456789", at.parse().unwrap()).unwrap().remove(0);
        assert_eq!(papers(&known.documents), [("active", Some(issued.to_owned()))], "{at}");
    }
}

#[test]
fn papers_that_one_file_lists_apart_stay_apart() {
    let office = Office::new();
    let rows = [row(&[("issued", "")]), row(&[REVOKED]), row(&[("issued", "1401/05/01"), ("state", "lost")])];
    for _ in 0..2 {
        office.rows(&[&rows[0], &rows[1], &rows[2]]);
        let found = papers(&office.documents());
        assert_eq!(found, [("active", None), ("revoked", Some("1401-04-01".to_owned())), ("lost", Some("1401-05-01".to_owned()))]);
    }
    office.rows(&[&row(&[("series", ""), ("issued", ""), ("state", "stolen")])]);
    assert_eq!(office.documents().len(), 4, "which of several is meant is not guessed");
}

#[test]
fn next_paper_does_not_end_the_one_that_still_holds() {
    let passport = [("kind", "passport-residence"), ("series", "")];
    for (first, next) in [
        (&[][..], &[("issued", "1404/01/01"), ("state", "produced")][..]),
        (&[("issued", "")][..], &[("issued", "1404/01/01"), ("state", "at-office")][..]),
        (&passport[..], &[("issued", "1404/01/01"), REVOKED, passport[0], passport[1]][..]),
    ] {
        let office = Office::new();
        office.rows(&[&row(first)]);
        office.rows(&[&row(next)]);
        let states: Vec<_> = papers(&office.documents()).into_iter().map(|(state, _)| state).collect();
        assert_eq!(states, ["active", next[1].1], "a card ends when the next is handed out; a passport's number bears several permits");
    }
}

#[test]
fn field_that_a_later_row_leaves_empty_keeps_what_was_known() {
    let office = Office::new();
    let card = [("kind", "smart-card"), ("series", "")];
    office.rows(&[&row(&[&card[..], &[("legal_status", "amayesh")]].concat())]);
    office.rows(&[&row(&[&card[..], &[("expires", "")]].concat())]);
    let facts = office.documents().remove(0).facts;
    let expires = facts.expires.unwrap();
    assert_eq!((expires.date.as_str(), expires.calendar.code()), ("1402-03-31", "jalali"), "no card becomes endless");
    assert_eq!(facts.legal_status.map(|status| status.code()), Some("amayesh"));
    // Both dates stand in the calendar of the row that has the word.
    office.rows(&[&row(&[&card[..], &[("issued", "2022-06-22"), ("expires", ""), ("calendar", "gregorian")]].concat())]);
    let facts = office.documents().remove(0).facts;
    let dates = [facts.issued.unwrap(), facts.expires.unwrap()].map(|date| (date.date, date.calendar.code()));
    assert_eq!(dates, [("2022-06-22".to_owned(), "gregorian"), ("2023-06-21".to_owned(), "gregorian")]);
}

#[test]
fn row_recorded_earlier_fills_gaps_and_overwrites_nothing() {
    let office = Office::new();
    let later = row(&[("name", ""), ("expires", ""), ("state", "revoked")]);
    let earlier = row(&[("birth", "1380"), ("nationality", "IQ"), ("province", "IR-07"), ("name", "نام")]);
    let other = row(&[("value", "A2222222"), ("birth", "1390"), ("father_name", "دیگر")]);
    office.recorded(&[(later, "2024-05-01T00:00:00Z"), (earlier, "2024-04-01T00:00:00Z"), (other, "2024-04-30T23:00:00.5Z")]);
    let person = office.person();
    assert_eq!(
        (person.birth.unwrap().date.as_str(), person.nationality.as_deref(), person.province.as_deref()),
        ("1370", Some("AF"), Some("IR-30"))
    );
    assert_eq!((person.name.as_deref(), person.father_name.as_deref()), (Some("نام"), Some("پدر")));
    let facts = &person.documents[0].facts;
    assert_eq!((facts.state.code(), facts.expires.clone().unwrap().date), ("revoked", "1402-03-31".to_owned()));
}

/// A permit's time runs from its first recording.
#[test]
fn first_recording_is_the_earliest_whatever_the_order_of_the_rows() {
    let recorded = |office: &Office| office.documents()[0].facts.recorded_at.map(|at| at.to_string());
    let office = Office::new();
    let (lost, active) = (row(&[("state", "lost")]), row(&[]));
    office.recorded(&[
        (lost.clone(), "2024-05-03T00:00:00Z"),
        (active.clone(), "2024-05-01T00:00:00Z"),
        (active.clone(), "2024-05-02T00:00:00Z"),
    ]);
    assert_eq!(recorded(&office).as_deref(), Some("2024-05-01T00:00:00Z"));
    assert_eq!(office.documents()[0].facts.state.code(), "lost");
    let office = Office::new();
    office.recorded(&[(active, ""), (lost, "2024-05-03T00:00:00Z")]);
    assert_eq!(recorded(&office), None, "a time that was not known is long past");
}
