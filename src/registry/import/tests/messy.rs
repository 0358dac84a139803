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
fn month_names_and_other_encodings_are_not_what_a_file_may_hold() {
    let office = Office::new();
    let summary = office.rows(&[&row(&[("birth", "12 حوت 1370")])]);
    assert_eq!(summary.rejected, [("bad-date", 1)].into());
    let utf16: Vec<u8> = format!("\u{FEFF}{HEADER}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = office.import("office.csv", utf16).unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");
}
