//! Claims about imports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use super::*;
use crate::core::domain::scheme::SHIPPED_SCHEMES;

mod again;
mod corrections;
mod messy;
mod places;

const HEADER: &str = "person,scheme,value,kind,series,issued,expires,calendar,state,birth,birth_calendar,nationality,province,legal_status,name,father_name,household,household_role";

struct Office {
    dir: tempfile::TempDir,
    store: Store,
    schemes: SchemeCatalogue,
}

impl Office {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("registry")).unwrap();
        Self { dir, store, schemes: SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap() }
    }

    fn import_file(&self, file: &Path) -> Result<Summary, ImportError> {
        self.import_at(file, "2026-11-23T10:00:00Z")
    }

    fn import_at(&self, file: &Path, now: &str) -> Result<Summary, ImportError> {
        let (now, aside) = (now.parse().unwrap(), self.dir.path().join("registry"));
        let options = ImportOptions { file, source: None, rejects: None, aside: Some(&aside), schemes: &self.schemes, now };
        run(&self.store, &options, &mut |_, _| ())
    }

    fn import(&self, name: &str, content: impl AsRef<[u8]>) -> Result<Summary, ImportError> {
        let file = self.dir.path().join(name);
        std::fs::write(&file, content).unwrap();
        self.import_file(&file)
    }

    fn rows(&self, rows: &[&str]) -> Summary {
        self.import("office.csv", format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap()
    }

    fn rejects(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("office.csv.rejects.csv")).unwrap()
    }

    fn persons(&self, scheme: &str, value: &str) -> Vec<String> {
        self.store.lookup(scheme, value).unwrap().into_iter().map(|person| person.person).collect()
    }
}

/// A good row with some columns replaced.
fn row(changes: &[(&str, &str)]) -> String {
    let good = "P-1,amayesh-no,A123456789,amayesh,17,1401/04/01,1402/03/31,jalali,active,1370,jalali,AF,IR-30,,نام,پدر,10,head";
    let fields = HEADER.split(',').zip(good.split(','));
    let changed = fields.map(|(column, field)| changes.iter().find(|(name, _)| *name == column).map_or(field, |(_, text)| text));
    changed.collect::<Vec<_>>().join(",")
}

fn sample() -> (std::path::PathBuf, serde_json::Value) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = here.join("../shared/data");
    let dir = if shared.join("registry-sample.csv").exists() { shared } else { here.join("tests/data") };
    let expected = std::fs::read(dir.join("registry-sample.expected.json"))
        .expect("registry-sample.expected.json lies in ../shared/data or tests/data");
    (dir.join("registry-sample.csv"), serde_json::from_slice(&expected).unwrap())
}

#[test]
fn sample_export_gives_its_summary_and_its_people() {
    let office = Office::new();
    let (sample, expected) = sample();
    let file = office.dir.path().join("office.csv");
    std::fs::copy(sample, &file).unwrap();
    let summary = office.import_file(&file).unwrap();
    assert_eq!(serde_json::to_value(&summary).unwrap(), expected["summary"]);
    for look_up in expected["look_ups"].as_array().unwrap() {
        let text = |key: &str| look_up[key].as_str().unwrap();
        assert_eq!(office.persons(text("scheme"), text("value")), [text("person")]);
    }
    let rejected: u64 = summary.rejected.values().sum();
    assert_eq!(office.rejects().lines().count() as u64, rejected + 1);
    let (cursor, persons) = (office.store.cursor().unwrap(), office.store.persons().unwrap());
    assert_eq!(office.import_file(&file).unwrap(), summary, "counts describe the file");
    assert_eq!((office.store.cursor().unwrap(), office.store.persons().unwrap()), (cursor, persons), "nothing changed");
}

#[rstest::rstest]
#[case(&[("person", " \u{200F}")], "missing-field", "person")]
#[case(&[("value", ""), ("scheme", "nonsense")], "missing-field", "value")]
#[case(&[("kind", ""), ("scheme", "pan")], "missing-field", "kind")]
#[case(&[("scheme", "fidaa"), ("value", "x")], "unknown-scheme", "scheme")]
#[case(&[("scheme", "pan"), ("value", "x")], "not-a-key", "scheme")]
#[case(&[("scheme", "iban")], "not-a-key", "scheme")]
#[case(&[("scheme", "household")], "not-a-key", "scheme")]
#[case(&[("scheme", "unhcr-case")], "not-a-key", "scheme")]
#[case(&[("scheme", "yekta"), ("kind", "green-card")], "bad-value", "value")]
#[case(&[("scheme", "national-code"), ("value", "0010350829")], "bad-value", "value")]
#[case(&[("kind", "green-card"), ("expires", "1402/07/31")], "unknown-kind", "kind")]
#[case(&[("expires", "1402/07/31"), ("state", "gone")], "bad-date", "expires")]
#[case(&[("issued", "1402/00/10")], "bad-date", "issued")]
#[case(&[("birth", "soon")], "bad-date", "birth")]
#[case(&[("issued", "yesterday"), ("calendar", "lunar")], "bad-date", "issued")]
#[case(&[("state", "gone")], "bad-field", "state")]
#[case(&[("calendar", "lunar")], "bad-field", "calendar")]
#[case(&[("calendar", "")], "bad-field", "calendar")]
#[case(&[("birth_calendar", "")], "bad-field", "birth_calendar")]
#[case(&[("series", "x")], "bad-field", "series")]
#[case(&[("series", "0")], "bad-field", "series")]
#[case(&[("household_role", "cousin")], "bad-field", "household_role")]
#[case(&[("legal_status", "green-card")], "bad-field", "legal_status")]
#[case(&[("issued", "1402-03")], "bad-date", "issued")]
#[case(&[("nationality", "Afghan")], "bad-field", "nationality")]
#[case(&[("nationality", "XXB")], "bad-field", "nationality")]
#[case(&[("province", "Tehran")], "bad-field", "province")]
#[case(&[("province", "IR-")], "bad-field", "province")]
fn first_fault_in_the_contracts_order_rejects(#[case] changes: &[(&str, &str)], #[case] reason: &str, #[case] column: &str) {
    let office = Office::new();
    let summary = office.rows(&[&row(changes)]);
    assert_eq!(summary.rejected, [(reason, 1)].into());
    assert_eq!((summary.rows, summary.persons, summary.documents), (1, 0, 0));
    let rejects = office.rejects();
    assert!(rejects.lines().nth(1).unwrap().starts_with(&format!("2,{reason},{column},")), "{rejects}");
    assert_eq!(office.store.persons().unwrap(), 0);
}

#[rstest::rstest]
#[case(&[("state", "")])]
#[case(&[("calendar", " Jalali "), ("scheme", "AMAYESH-NO"), ("kind", "Amayesh"), ("nationality", "af")])]
#[case(&[("series", "۱۷"), ("issued", "۱۴۰۱-۴-۱"), ("value", "a١٢٣۴۵۶۷۸۹"), ("name", "نام\u{200C}")])]
#[case(&[("person", "\u{FEFF}P-1 "), ("household", "١٠")])]
#[case(&[("nationality", "AFG"), ("province", "ir-30"), ("issued", "1401/4/1")])]
#[case(&[("name", "نٰامْ"), ("father_name", "پِدَر")])]
#[case(&[("person", "P\u{064E}-1")])]
fn row_that_says_the_same_is_a_duplicate(#[case] changes: &[(&str, &str)]) {
    let office = Office::new();
    let summary = office.rows(&[&row(&[]), &row(changes)]);
    assert_eq!((summary.rows, summary.documents, summary.duplicates), (2, 1, 1));
}

#[test]
fn header_may_come_in_any_order_with_crlf_quotes_and_blank_lines() {
    let office = Office::new();
    let mut columns: Vec<&str> = HEADER.split(',').rev().collect();
    columns.push("Recorded_At ");
    let fields: Vec<String> = row(&[]).split(',').rev().map(|field| format!("\"{field}, \"\"x\"\"\r\n\"")).collect();
    let bad = fields.join(",");
    let good: Vec<String> = row(&[]).split(',').rev().map(|field| format!("\" {field} \"")).collect();
    let csv = format!("\u{FEFF}{}\r\n\r\n{},\r\n  \r\n{bad},\r\n{},\r\n", columns.join(","), good.join(","), good.join(","));
    let summary = office.import("office.csv", csv).unwrap();
    assert_eq!((summary.rows, summary.documents, summary.duplicates), (3, 1, 1));
    assert!(office.rejects().contains("\n5,unknown-scheme,"), "{}", office.rejects());
}

#[rstest::rstest]
#[case(HEADER.replace("state,", ""), "column `state` is missing")]
#[case(format!("{HEADER},colour"), "column 19 `colour` is unknown")]
#[case(format!("{HEADER},person"), "column `person` stands there twice")]
#[case(format!("{HEADER},"), "column 19 has no name")]
#[case(HEADER.replace(',', ";"), "separated by \";\" and not by commas")]
#[case(HEADER.replace(',', "\t"), "separated by \"\\t\" and not by commas")]
#[case(format!("Report of 1402,,\n{HEADER}"), "it names no column, so that it is no header; the first line names the columns, separated by commas: person, scheme,")]
#[case(String::new(), "the first must name the columns")]
#[case(format!("{HEADER}\r{HEADER}"), "lines must end in LF or CRLF")]
fn malformed_header_refuses_the_file(#[case] header: String, #[case] message: &str) {
    let office = Office::new();
    let error = office.import("office.csv", format!("{header}\n{}\n", row(&[]))).unwrap_err().to_string();
    assert!(error.starts_with("line 1: the header is not accepted: ") && error.contains(message), "{error}");
}

/// Without a header the first line is a person's.
#[rstest::rstest]
#[case("ahmad,karimi,active,amayesh")]
#[case("P-1,amayesh-no,A123456789,amayesh,17,1401/04/01")]
#[case("ahmad")]
#[case("احمد,کریمی")]
fn line_without_the_name_of_a_column_is_no_header_and_no_word_of_it_is_said(#[case] line: &str) {
    let office = Office::new();
    let error = office.import("office.csv", format!("{line}\n{}\n", row(&[]))).unwrap_err().to_string();
    assert!(error.starts_with("line 1: ") && error.contains("no header") && error.contains("household_role are needed"), "{error}");
    assert!(line.split(',').all(|word| !error.contains(&format!("`{word}`"))) && !error.contains("ahmad"), "{error}");
}

#[test]
fn bytes_that_are_not_utf8_refuse_the_whole_file() {
    let office = Office::new();
    let mut csv = format!("{HEADER}\n{}\n", row(&[])).into_bytes();
    csv.extend(b"P-2,\xff\n");
    let error = office.import("office.csv", csv).unwrap_err();
    assert_eq!(error.to_string(), "line 3: not UTF-8; save the file as UTF-8 and import it again");
    assert_eq!(office.store.persons().unwrap(), 0);
    let left: Vec<_> = std::fs::read_dir(office.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn quote_that_is_never_closed_refuses_the_whole_file() {
    let office = Office::new();
    let error = office.import("office.csv", format!("{HEADER}\n{}\n\"P-2,x\n", row(&[]))).unwrap_err();
    assert!(matches!(error, ImportError::OpenQuote { line: 3 }), "{error}");
    assert_eq!(office.store.persons().unwrap(), 0);
}

#[test]
fn row_of_the_wrong_length_is_not_guessed_at() {
    let office = Office::new();
    let summary = office.rows(&[&format!("{},surplus", row(&[])), &format!("{},,", row(&[])), "P-1,amayesh-no,A1234567,amayesh"]);
    assert_eq!((summary.documents, summary.rejected), (1, [("bad-field", 2)].into()));
}

/// Exporters leave out what is empty at the end of a row; a row that lacks more than that has lost something.
#[test]
fn row_may_lack_the_empty_fields_at_its_end_but_none_that_the_cards_worth_hangs_on() {
    let office = Office::new();
    let cut = |person: &str, fields: usize| row(&[("person", person)]).split(',').take(fields).collect::<Vec<_>>().join(",");
    let lines = [cut("P-1", 15), cut("P-2", 14), cut("P-3", 13), cut("P-4", 8), cut("P-5", 15)];
    let summary = office.import("office.csv", format!("{HEADER}\n{}", lines.join("\n"))).unwrap();
    assert_eq!((summary.documents, summary.rejected), (2, [("bad-field", 3)].into()));
    assert_eq!(office.persons("amayesh-no", "A123456789"), ["P-1", "P-2"], "the last row may have been cut off within a field");
}

#[test]
fn spreadsheets_spelling_of_a_province_and_a_passports_of_a_nationality_are_understood() {
    let office = Office::new();
    office.rows(&[&row(&[("nationality", "afg"), ("province", "IR-7")])]);
    let person = office.store.lookup("amayesh-no", "A123456789").unwrap().remove(0);
    assert_eq!((person.nationality.as_deref(), person.province.as_deref()), (Some("AF"), Some("IR-07")));
}

#[test]
fn number_of_two_people_is_kept_on_both() {
    let office = Office::new();
    let summary = office.rows(&[&row(&[]), &row(&[("person", "P-2")])]);
    assert_eq!((summary.identifiers, summary.ambiguous, summary.persons), (1, 1, 2));
    assert_eq!(office.persons("amayesh-no", "A123456789"), ["P-1", "P-2"]);
}

#[test]
fn wrong_check_digit_warns_and_keeps_the_row() {
    let office = Office::new();
    let summary = office.rows(&[&row(&[("scheme", "yekta"), ("value", "9990000019"), ("kind", "smart-card")])]);
    assert_eq!((summary.documents, summary.warned), (1, [("check-digit", 1)].into()));
}

#[test]
fn later_export_corrects_a_document_and_tells_the_feed() {
    let office = Office::new();
    office.rows(&[&row(&[])]);
    let before = office.store.cursor().unwrap();
    office.rows(&[&row(&[("state", "lost"), ("birth", "")])]);
    assert_eq!(office.store.cursor().unwrap(), before + 1);
    let person = office.store.lookup("amayesh-no", "A123456789").unwrap().remove(0);
    assert_eq!(person.documents.len(), 1);
    assert_eq!(person.documents[0].facts.state.code(), "lost");
    assert_eq!(person.birth.unwrap().date, "1370", "an empty field keeps what was known");
}

#[test]
fn file_that_contradicts_itself_settles_on_its_last_word() {
    let office = Office::new();
    let rows = [row(&[]), row(&[("state", "lost")])];
    office.rows(&[&rows[0], &rows[1]]);
    let cursor = office.store.cursor().unwrap();
    office.rows(&[&rows[0], &rows[1]]);
    assert_eq!(office.store.cursor().unwrap(), cursor, "the second import changed nothing");
    assert_eq!(office.store.lookup("amayesh-no", "A123456789").unwrap()[0].documents[0].facts.state.code(), "lost");
}

#[test]
fn row_recorded_earlier_does_not_undo_a_later_one() {
    let office = Office::new();
    let row = |at: &str, state: &str| format!("{},{at}\n", row(&[("state", state)]));
    let csv = format!("{HEADER},recorded_at\n{}{}", row("2024-05-01T00:00:00Z", "lost"), row("2024-04-30T23:00:00.5Z", "active"));
    office.import("office.csv", csv).unwrap();
    assert_eq!(office.store.lookup("amayesh-no", "A123456789").unwrap()[0].documents[0].facts.state.code(), "lost");
}

#[test]
fn person_keys_belong_to_their_source() {
    let office = Office::new();
    office.rows(&[&row(&[])]);
    office.import("other.csv", format!("{HEADER}\n{}\n", row(&[]))).unwrap();
    assert_eq!(office.persons("amayesh-no", "A123456789"), ["P-1", "P-1"]);
}

#[test]
fn ndjson_says_the_same_as_csv() {
    let person = r#"{"person":"P-1","birth":{"date":"1370","calendar":"jalali"},"nationality":"AF","province":"IR-30","name":"نام","father_name":"پدر","household":{"id":10,"role":"head"},"documents":[{"scheme":"amayesh-no","value":"A123456789","kind":"amayesh","series":17,"issued":"1401/04/01","expires":"1402/03/31","calendar":"jalali","state":"active","legal_status":null},{"scheme":"pan","value":"5892101234567895","kind":"smart-card"}]}"#;
    let office = Office::new();
    let summary = office.import("office.ndjson", format!("\u{FEFF}{person}\r\n\n{{\"person\":}}\n{person}\n")).unwrap();
    assert_eq!((summary.rows, summary.documents, summary.duplicates), (5, 1, 1));
    assert_eq!(summary.rejected, [("bad-field", 1), ("not-a-key", 2)].into());
    let cursor = office.store.cursor().unwrap();
    office.rows(&[&row(&[])]);
    assert_eq!(office.store.cursor().unwrap(), cursor, "the same source says nothing new");
}

#[test]
fn drafts_of_killed_imports_do_not_stay() {
    let office = Office::new();
    let draft = |import: &str| office.dir.path().join(format!("office.csv.rejects.csv.{import}.part"));
    let (dead, alive) = ("019ac000-0000-7000-8000-000000000001", "019ac000-0000-7000-8000-000000000002");
    for import in [dead, alive, "other"] {
        std::fs::write(draft(import), "1,bad-date").unwrap();
    }
    // As an import does that runs elsewhere, whatever number its process has there.
    let writing = std::fs::File::open(draft(alive)).unwrap();
    writing.lock().unwrap();
    office.rows(&[&row(&[])]);
    assert_eq!([dead, alive, "other"].map(|import| draft(import).exists()), [false, true, true]);
}

#[test]
fn rejects_of_an_older_import_do_not_stay() {
    let office = Office::new();
    office.rows(&[&row(&[("kind", "green-card")])]);
    assert_eq!(office.rejects().lines().count(), 2);
    office.rows(&[&row(&[])]);
    assert_eq!(office.rejects().lines().count(), 1);
}

/// Exports often lie in folders that are only read; here no longer name fits beside the file.
#[test]
fn rejects_go_aside_into_the_registrys_folder_where_nothing_can_be_written_beside_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let office = Office::new();
    let file = office.dir.path().join("office.csv");
    std::fs::write(&file, format!("{HEADER}\n{}\n{}\n", row(&[]), row(&[("kind", "green-card")]))).unwrap();
    let folder = office.dir.path().to_string_lossy().into_owned();
    let longest = 4_080 - folder.len();
    let far = std::path::PathBuf::from(format!("{folder}{}/office.csv", "/.".repeat((longest - "/office.csv".len()) / 2)));
    let summary = office.import_file(&far).unwrap();
    let aside = office.dir.path().join("registry/office.csv.rejects.csv");
    assert_eq!((summary.documents, summary.rejects.as_ref()), (1, Some(&aside)));
    assert!(std::fs::read_to_string(&aside).unwrap().lines().nth(1).unwrap().starts_with("3,unknown-kind,kind,"));
    assert_eq!(std::fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o600);
    let now = "2026-11-23T10:00:00Z".parse().unwrap();
    let options = ImportOptions { file: &far, source: None, rejects: None, aside: None, schemes: &office.schemes, now };
    let refused = run(&office.store, &options, &mut |_, _| ()).unwrap_err();
    assert!(matches!(refused, ImportError::Rejects { .. }), "without a folder aside nothing is imported: {refused}");
}

#[test]
fn whatever_a_file_holds_every_row_is_accounted_for() {
    let office = Office::new();
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config::with_cases(24));
    let field = "[\\PC\",\r\n]{0,12}";
    let rows = proptest::collection::vec(proptest::collection::vec(field, 0..22), 0..12);
    runner
        .run(&rows, |rows| {
            let body: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
            match office.import("office.csv", format!("{HEADER}\n{}", body.join("\n"))) {
                Ok(summary) => {
                    let rejected: u64 = summary.rejected.values().sum();
                    proptest::prop_assert_eq!(summary.rows, summary.documents + summary.duplicates + rejected);
                }
                Err(error) => proptest::prop_assert!(matches!(error, ImportError::OpenQuote { .. }), "{error}"),
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn summary_prints_as_a_table() {
    let office = Office::new();
    let table = office.rows(&[&row(&[]), &row(&[("kind", "green-card")])]).to_string();
    assert!(table.contains("rows                                 2\n"), "{table}");
    assert!(table.contains("rejected: unknown-kind               1\n"), "{table}");
}
