//! Claims about exports as offices send them: mixed calendars, optional columns, spreadsheet habits.

use super::{HEADER, Office, row};

const LINE: &str = "P000000016AFG9001011M3001019<<<<<<<<<<<<<<04";

/// A passport row with the optional columns `country` and `mrz`.
fn passport(changes: &[(&str, &str)], country: &str, mrz: &str) -> String {
    let base = [("scheme", "passport"), ("value", "P00000001"), ("kind", "passport-residence"), ("series", "")];
    format!("{},{country},{mrz}", row(&[changes, &base].concat()))
}

#[test]
fn line_of_a_passport_warns_and_never_rejects() {
    let office = Office::new();
    let rows = [
        passport(&[], "AF", LINE),
        passport(&[("person", "P-2"), ("value", "P00000002")], "AFG", LINE),
        passport(&[("person", "P-3")], "", &LINE.replace("04", "05")),
        passport(&[("person", "P-4")], "", ""),
        passport(&[("person", "P-5")], "Afghanistan", ""),
    ];
    let summary = office.import("office.csv", format!("{HEADER},country,mrz\n{}\n", rows.join("\n"))).unwrap();
    assert_eq!((summary.documents, summary.ambiguous), (4, 1));
    assert_eq!((summary.warned, summary.rejected), ([("check-digit", 2)].into(), [("bad-field", 1)].into()));
}

#[test]
fn calendars_are_read_as_named_and_dates_never_change_sides() {
    let office = Office::new();
    let gregorian =
        [("person", "P-2"), ("value", "A2222222"), ("issued", "2022-06-22"), ("expires", "٢٠٢٣/٦/٢١"), ("calendar", "GREGORIAN")];
    let mixed = [("person", "P-3"), ("value", "A3333333"), ("birth", "1991"), ("birth_calendar", "gregorian")];
    let wrong = [("person", "P-4"), ("value", "A4444444"), ("calendar", "gregorian")];
    let swapped = [("person", "P-5"), ("value", "A5555555"), ("expires", "2023/06/21")];
    let summary = office.rows(&[&row(&[]), &row(&gregorian), &row(&mixed), &row(&wrong), &row(&swapped)]);
    assert_eq!((summary.documents, summary.rejected), (3, [("bad-date", 2)].into()), "1401 is no Gregorian year, 2023 no Jalali one");
    let person = office.store.lookup("amayesh-no", "A2222222").unwrap().remove(0);
    let expires = person.documents[0].facts.expires.clone().unwrap();
    assert_eq!((expires.date.as_str(), expires.calendar.code()), ("2023-06-21", "gregorian"));
}

#[test]
fn spreadsheet_habits_do_not_lose_a_row() {
    let office = Office::new();
    let header: Vec<String> = HEADER.split(',').map(|name| format!("\"{}\"", name.to_uppercase())).collect();
    let quoted = |changes: &[(&str, &str)]| row(changes).split(',').map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(",");
    let rows = [
        quoted(&[("name", "نام\r\nدوم"), ("household", "۱۰")]),
        quoted(&[("name", "نام دوم"), ("household", "10"), ("value", "\u{a0}a123456789\t")]),
        quoted(&[("person", "P-2"), ("scheme", "yekta"), ("value", "۹۹۹۰۰۰۰۰۲۶"), ("kind", "smart-card"), ("birth", "١٣٧٠/٠٢")]),
        quoted(&[("person", "P-3"), ("scheme", "fida"), ("value", "1.999E+11")]),
        quoted(&[("person", "P-4"), ("scheme", "fida"), ("value", "0199900000001")]),
    ];
    let summary = office.import("office.csv", format!("\u{FEFF}{}\r\n{}", header.join(","), rows.join("\r\n"))).unwrap();
    assert_eq!((summary.rows, summary.documents, summary.duplicates), (5, 2, 1));
    assert_eq!(summary.rejected, [("bad-value", 2)].into(), "a number that a spreadsheet rounded or padded is not guessed");
    assert!(office.rejects().lines().nth(1).unwrap().starts_with("6,bad-value,value,"), "{}", office.rejects());
}

#[test]
fn key_written_with_and_without_points_is_one_person() {
    let office = Office::new();
    let summary = office.rows(&[&row(&[("person", "پرونده")]), &row(&[("person", "پَرونده"), ("value", "A2222222")])]);
    assert_eq!((summary.persons, office.store.persons().unwrap()), (1, 1));
}

#[test]
fn month_names_and_other_encodings_are_not_what_a_file_may_hold() {
    let office = Office::new();
    let summary = office.rows(&[&row(&[("birth", "12 حوت 1370")])]);
    assert_eq!(summary.rejected, [("bad-date", 1)].into());
    let utf16: Vec<u8> = format!("\u{FEFF}{HEADER}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = office.import("office.csv", utf16).unwrap_err().to_string();
    assert!(error.contains("UTF-16"), "{error}");
    let written = format!("{HEADER}\n{}\n", row(&[("name", "Jos#")]));
    let windows: Vec<u8> = written.bytes().map(|byte| if byte == b'#' { 0xe9 } else { byte }).collect();
    let error = office.import("office.csv", windows).unwrap_err().to_string();
    assert!(error.starts_with("line 2: not UTF-8"), "{error}");
}

#[rstest::rstest]
#[case(b"\x1f\x8b\x08\x00rows\n", "gzip")]
#[case(b"PK\x03\x04\x14\x00\x06\x00rows\n", "spreadsheet")]
#[case(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "spreadsheet")]
#[case(b"\xff\xfep\x00e\x00r\x00\n\x00", "UTF-16")]
#[case(b"\xfe\xff\x00p\x00e\x00r\x00\n", "UTF-16")]
#[case(b"p\x00e\x00r\x00\n\x00", "UTF-16")]
fn file_of_another_kind_is_named_for_what_it_is(#[case] content: &[u8], #[case] kind: &str) {
    let office = Office::new();
    for name in ["office.csv", "office.ndjson"] {
        let error = office.import(name, content).unwrap_err().to_string();
        assert!(error.starts_with("line 1: ") && error.contains(kind), "{name}: {error}");
    }
    assert_eq!(office.store.persons().unwrap(), 0);
}

#[test]
fn file_that_was_cut_off_within_a_character_says_so() {
    let office = Office::new();
    let whole = format!("{HEADER}\n{}\n{}", row(&[]), row(&[("person", "P-2"), ("household_role", ""), ("father_name", "پدر")]));
    let cut = whole.len() - whole.split('ر').next_back().unwrap().len() - 1;
    let error = office.import("office.csv", &whole.as_bytes()[..cut]).unwrap_err().to_string();
    assert!(error.starts_with("line 3: ") && error.contains("cut off"), "{error}");
    assert_eq!(office.store.persons().unwrap(), 0);
}

#[test]
fn field_that_no_paper_could_bear_is_rejected_alone() {
    let office = Office::new();
    let long = "x".repeat(10_000_000);
    let rows = [row(&[("name", &long)]), row(&[("person", "P-2"), ("name", &"ن".repeat(500))]), row(&[("person", &"P".repeat(501))])];
    let summary = office.rows(&[&rows[0], &rows[1], &rows[2]]);
    assert_eq!((summary.documents, summary.rejected), (1, [("bad-field", 2)].into()));
    let columns: Vec<_> = office.rejects().lines().skip(1).map(|line| line.split(',').nth(2).unwrap().to_owned()).collect();
    assert_eq!(columns, ["name", "person"]);
}

/// One person with these documents, as NDJSON.
fn person(documents: &[&str]) -> String {
    format!(r#"{{"person":"N-1","nationality":"AF","documents":[{}]}}"#, documents.join(","))
}

#[test]
fn faulty_document_of_a_person_does_not_take_the_others_along() {
    let office = Office::new();
    let document = |changes: &str| format!(r#"{{"scheme":"amayesh-no","kind":"amayesh","value":"A123456789"{changes}}}"#);
    let documents = [
        document(r#","series":17"#),
        document(r#","series":17.0"#),
        document(r#","series":-3"#),
        document(r#","series":true"#),
        document(r#","state":["active"]"#),
        document(r#","colour":"green""#),
        document("").replace(r#""A123456789""#, "199900000001.0").replace("amayesh-no", "fida"),
        document("").replace(r#""A123456789""#, "1e16").replace("amayesh-no", "pupil-code"),
        "\"A123456789\"".to_owned(),
    ];
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let summary = office.import("office.ndjson", person(&documents) + "\n").unwrap();
    assert_eq!((summary.rows, summary.persons, summary.documents), (9, 1, 1));
    assert_eq!(summary.rejected, [("bad-field", 7), ("bad-value", 1)].into());
    let rejects = std::fs::read_to_string(office.dir.path().join("office.ndjson.rejects.csv")).unwrap();
    let columns: Vec<_> = rejects.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(columns, ["series", "series", "series", "state", "", "value", "value", ""], "{rejects}");
    assert!(rejects.lines().skip(1).all(|line| line.starts_with("1,bad-") && line.contains(",N-1,")), "{rejects}");
}

#[test]
fn birth_that_is_no_date_with_its_calendar_rejects_the_documents_and_names_the_column() {
    let office = Office::new();
    let document = r#"{"scheme":"amayesh-no","kind":"amayesh","value":"A123456789"}"#;
    let line = person(&[document, document]).replace("\"nationality\"", "\"birth\":\"1370\",\"nationality\"");
    let summary = office.import("office.ndjson", line).unwrap();
    assert_eq!((summary.rows, summary.rejected), (2, [("bad-field", 2)].into()));
    let rejects = std::fs::read_to_string(office.dir.path().join("office.ndjson.rejects.csv")).unwrap();
    assert!(rejects.lines().skip(1).all(|line| line.starts_with("1,bad-field,birth,")), "{rejects}");
}

#[test]
fn person_without_a_document_is_told_and_not_passed_over_in_silence() {
    let office = Office::new();
    let document = r#"{"scheme":"amayesh-no","kind":"amayesh","value":"A123456789"}"#;
    let lines = [person(&[document]), String::new(), person(&[]), r#"{"person":"N-3"}"#.to_owned()];
    let summary = office.import("office.ndjson", lines.join("\n")).unwrap();
    assert_eq!((summary.rows, summary.persons, summary.without_document), (1, 1, Some((2, 3))));
    assert!(serde_json::to_value(&summary).unwrap().get("without_document").is_none(), "the contract names the summary's members");
}

#[test]
fn rejects_say_what_to_do() {
    let office = Office::new();
    office.rows(&[&row(&[("expires", "31/03/1402")]), &row(&[("state", "gone")]), "جمع کل: 2"]);
    let rejects = office.rejects();
    let told: Vec<_> = rejects.lines().collect();
    assert!(told[0].starts_with("line,reason,column,do,person,"), "{rejects}");
    assert!(
        told[1].contains("YYYY/M/D") && told[2].contains("a state that the contract lists") && told[3].contains("fill the column in"),
        "{rejects}"
    );
}
