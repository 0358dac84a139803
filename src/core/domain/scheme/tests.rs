//! Claims about the shipped schemes and about faulty catalogues.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rstest::rstest;

use super::*;
use crate::core::domain::seeded::Seeded;

fn shipped() -> SchemeCatalogue {
    SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap()
}

fn accept(scheme: &str, value: &str) -> Result<Accepted, SchemeError> {
    shipped().accept(RawIdentifier { scheme, value, ..RawIdentifier::default() }, Some("bank-card"))
}

#[rstest]
#[case("yekta", "9990000018", "9990000018")]
#[case("yekta", "۹۹۹۰۰۰۰۰۱۸", "9990000018")]
#[case("yekta", "٩٩٩٠٠٠٠٠١٨", "9990000018")]
#[case("yekta", " 999\u{200C}0000018\u{200E}", "9990000018")]
#[case("fida", "199900000001", "199900000001")]
#[case("amayesh-no", "a170000001", "A170000001")]
#[case("laissez-passer-no", "LP0000000006", "LP0000000006")]
#[case("passport", "p0000000<", "P0000000")]
#[case("census-tracking", "110000000008", "110000000008")]
#[case("e-tazkira", "1400-0101-12345", "1400-0101-12345")]
#[case("paper-tazkira", "12/34/567", "12/34/567")]
#[case("pupil-code", "x-1/2", "X-1/2")]
fn values_are_accepted_in_one_spelling(#[case] scheme: &str, #[case] value: &str, #[case] normal: &str) {
    let accepted = accept(scheme, value).unwrap();
    assert_eq!((accepted.identifier.scheme(), accepted.identifier.expose_value()), (scheme, normal));
    assert!(!accepted.check_digit_warning);
}

#[rstest]
#[case("national-code", "199900000001", "fida")]
#[case("national-code", "9990000019", "yekta")]
#[case("yekta", "199900000001", "fida")]
#[case("yekta", "A170000001", "amayesh-no")]
#[case("yekta", "5892101234567895", "pan")]
#[case("yekta", "09121234567", "msisdn")]
#[case("fida", "9990000018", "yekta")]
#[case("fida", "P00000001", "passport")]
#[case("fida", "110-24C01234", "unhcr-case")]
#[case("passport", "IR240150000000000000000001", "iban")]
fn value_of_another_scheme_is_named(#[case] scheme: &str, #[case] value: &str, #[case] hint: &str) {
    assert_eq!(accept(scheme, value).unwrap_err(), SchemeError::WrongScheme { hint: hint.to_owned() });
}

#[rstest]
#[case("yekta", "")]
#[case("yekta", "abc")]
#[case("yekta", "99900")]
#[case("yekta", "9990000018\n1")]
#[case("fida", "11990000000")]
#[case("passport", "<<<<<<")]
#[case("national-code", "0000000001")]
fn value_that_fits_nothing_is_malformed(#[case] scheme: &str, #[case] value: &str) {
    assert_eq!(accept(scheme, value).unwrap_err(), SchemeError::Malformed);
}

const OPAQUE: [&str; 3] = ["pupil-code", "student-code", "insurance-no"];

#[rstest]
#[case("۱۲/الف/۳۴", "12/الف/34")]
#[case(" ب\u{064E} 12:[7] (كرج) ", "ب 12:[7] (کرج)")]
#[case("x", "X")]
#[case("é+#ß", "é+#ß")]
#[case(&"ش".repeat(40), &"ش".repeat(40))]
fn opaque_code_is_any_text_up_to_forty_characters(#[case] written: &str, #[case] normal: &str) {
    for scheme in OPAQUE {
        assert_eq!(accept(scheme, written).unwrap().identifier.expose_value(), normal);
    }
}

#[rstest]
#[case("")]
#[case(" \u{200F}\u{A0}")]
#[case("7\n7")]
#[case("7\t7")]
#[case("7\u{0}7")]
#[case("7\u{85}7")]
#[case(&"ش".repeat(41))]
fn opaque_code_has_no_control_characters_and_an_end(#[case] written: &str) {
    for scheme in OPAQUE {
        assert_eq!(accept(scheme, written).unwrap_err(), SchemeError::Malformed);
    }
}

/// Whatever is written under another scheme would fit them.
#[test]
fn opaque_scheme_is_never_the_hint_and_finds_no_number_in_a_text() {
    let plain = ["الف-12", "a b", "x", "12:7", "شعبه ۱۲", "(7)"];
    for value in plain {
        for scheme in ["yekta", "fida", "passport", "e-tazkira", "amayesh-no", "census-tracking"] {
            assert_eq!(accept(scheme, value).unwrap_err(), SchemeError::Malformed, "{value} under {scheme}");
        }
        assert!(!shipped().looks_like_identifier(value) && !shipped().may_hold_identifier(value), "{value}");
    }
    for scheme in OPAQUE {
        assert_eq!(accept(scheme, &"9".repeat(41)).unwrap_err(), SchemeError::Malformed, "nor that of another of them");
    }
}

#[test]
fn valid_national_code_is_another_population() {
    assert_eq!(accept("national-code", "0010350829").unwrap_err(), SchemeError::WrongPopulation);
}

#[rstest]
#[case("pan", "5892101234567895")]
#[case("iban", "IR240150000000000000000001")]
#[case("household", "90000")]
#[case("unhcr-case", "anything")]
#[case("msisdn", "09121234567")]
fn scheme_that_is_no_key_names_a_better_one(#[case] scheme: &str, #[case] value: &str) {
    let SchemeError::NotAKey { hint } = accept(scheme, value).unwrap_err() else { panic!("accepted") };
    assert!(hint.contains("yekta"), "{hint}");
}

#[test]
fn telephone_number_serves_the_sim_alone() {
    let raw = RawIdentifier { scheme: "msisdn", value: "۰۹۱۲۱۲۳۴۵۶۷", ..RawIdentifier::default() };
    let accepted = shipped().accept(raw, Some("sim")).unwrap();
    assert_eq!(accepted.identifier.expose_value(), "+989121234567");
}

#[test]
fn wrong_check_digit_of_a_yekta_only_warns() {
    assert!(accept("yekta", "9990000019").unwrap().check_digit_warning);
}

#[rstest]
#[case("09121234567", true)]
#[case("۰۹۳۵۱۲۳۴۵۶۷", true)]
#[case("+989121234567", true)]
#[case("09991234567", true)]
#[case("09401234567", false)]
#[case("09811234567", false)]
#[case("+989401234567", false)]
#[case("0912123456", false)]
fn telephone_number_begins_as_operators_give_them_out(#[case] value: &str, #[case] accepted: bool) {
    let raw = RawIdentifier { scheme: "msisdn", value, ..RawIdentifier::default() };
    let result = shipped().accept(raw, Some("sim"));
    assert_eq!(result.as_ref().is_ok(), accepted, "{result:?}");
    if !accepted {
        assert_eq!(result.unwrap_err(), SchemeError::Malformed);
        assert_eq!(accept("yekta", value).unwrap_err(), SchemeError::Malformed, "no number of any scheme");
    }
}

#[rstest]
#[case("P000000016AFG9001011M3001019<<<<<<<<<<<<<<04", true)]
#[case(" p000000016afg9001011m3001019<<<<<<<<<<<<<<04\u{200E}", true)]
#[case("P000000017AFG9001011M3001019<<<<<<<<<<<<<<04", false)]
#[case("P000000016AFG9001012M3001019<<<<<<<<<<<<<<04", false)]
#[case("P000000016AFG9001011M3001019<<<<<<<<<<<<<<05", false)]
#[case("P000000024AFG9001011M3001019<<<<<<<<<<<<<<04", false)]
#[case("P0000000", false)]
#[case("", false)]
fn query_with_a_line_that_contradicts_is_refused(#[case] mrz: &str, #[case] accepted: bool) {
    let raw = RawIdentifier { scheme: "passport", value: "P00000001", mrz: Some(mrz), ..RawIdentifier::default() };
    let result = shipped().accept(raw, Some("treatment")).map(drop);
    assert_eq!(result, if accepted { Ok(()) } else { Err(SchemeError::LineContradicts) });
}

/// A good value of every scheme, and whether its shape alone tells the scheme.
const SAMPLES: &[(&str, &str, bool)] = &[
    ("fida", "199900000001", true),
    ("yekta", "9990000018", true),
    ("pan", "5892101234567895", true),
    ("iban", "IR240150000000000000000001", true),
    ("msisdn", "09121234567", true),
    ("e-tazkira", "1400-0101-12345", true),
    ("paper-tazkira", "12/34/567", true),
    ("unhcr-case", "110-24C01234", true),
    ("national-code", "0013542419", true),
    ("amayesh-no", "A170000001", true),
    ("hoviat-no", "H160000003", true),
    ("temporary-card-no", "T300000011", true),
    ("laissez-passer-no", "LP0000000006", true),
    ("passport", "P00000001", true),
    ("census-tracking", "810000000008", true),
    ("smart-card-serial", "SC12345678X", false),
    ("refugee-no", "R12345678Y", false),
    ("old-fida", "12345", false),
    ("shenasaei", "123456789", false),
    ("naja-faragir", "1234567", false),
    ("residence-booklet-no", "123456", false),
    ("residence-permit-no", "1234567", false),
    ("pupil-code", "X-1.2", false),
    ("student-code", "9912-34", false),
    ("insurance-no", "7-7", false),
    ("household", "90000", false),
];

/// The table of domain §5, written down once more and by hand.
fn fits(scheme: &str, value: &str) -> bool {
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let plain = value.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    match scheme {
        "fida" => digits && value.len() == 12 && value.starts_with('1'),
        "yekta" => digits && value.len() == 10 && value.starts_with('9'),
        "national-code" => digits && value.len() == 10,
        "old-fida" | "shenasaei" | "naja-faragir" | "census-tracking" => digits,
        "amayesh-no" | "hoviat-no" | "refugee-no" | "temporary-card-no" | "smart-card-serial" | "laissez-passer-no" => {
            plain && (6..=20).contains(&value.len())
        }
        "passport" => plain && (6..=9).contains(&value.len()),
        "residence-booklet-no" | "residence-permit-no" => digits && value.len() <= 12,
        "e-tazkira" => value == "1400-0101-12345",
        "paper-tazkira" => value == "12/34/567",
        "pupil-code" | "student-code" | "insurance-no" => (1..=40).contains(&value.chars().count()),
        _ => false,
    }
}

/// Every value of one scheme under every other: taken where its pattern fits, else named by its telling shape, else malformed.
#[test]
fn every_value_under_every_scheme_is_judged_as_the_table_says() {
    for (of, value, telling) in SAMPLES {
        for (under, ..) in SAMPLES {
            let found = accept(under, value).map(|accepted| accepted.identifier.scheme().to_owned());
            let expected = match *under {
                "pan" | "iban" | "unhcr-case" | "household" | "msisdn" => {
                    assert!(matches!(found, Err(SchemeError::NotAKey { .. })), "{of} under {under}: {found:?}");
                    continue;
                }
                // The only mod-11 numbers here; every other ten digits are no Iranian's.
                "national-code" if matches!(*of, "national-code" | "yekta") => Err(SchemeError::WrongPopulation),
                _ if fits(under, value) => Ok((*under).to_owned()),
                _ if *telling => Err(SchemeError::WrongScheme { hint: (*of).to_owned() }),
                _ => Err(SchemeError::Malformed),
            };
            assert_eq!(found, expected, "{of} under {under}");
        }
    }
    assert_eq!(SAMPLES.len(), shipped().iter().count());
}

#[test]
fn passport_is_checked_only_against_a_line() {
    let check = |mrz: &'static str| {
        let raw = RawIdentifier { scheme: "passport", value: "P00000001", mrz: Some(mrz), country: Some("af"), ..RawIdentifier::default() };
        shipped().accept(raw, None).unwrap()
    };
    let fitting = check("P000000016AFG9001011M3001019<<<<<<<<<<<<<<04");
    assert!(!fitting.check_digit_warning);
    assert_eq!(fitting.identifier.country(), Some("AF"));
    let three = RawIdentifier { scheme: "passport", value: "P00000001", country: Some("AFG"), ..RawIdentifier::default() };
    assert_eq!(shipped().accept(three, None).unwrap().identifier.country(), Some("AF"));
    assert!(check("P000000017AFG9001011M3001019<<<<<<<<<<<<<<04").check_digit_warning);
    assert!(check("garbage").check_digit_warning);
}

#[test]
fn every_scheme_of_the_domain_is_shipped() {
    let codes = "yekta fida old-fida shenasaei naja-faragir amayesh-no hoviat-no refugee-no temporary-card-no census-tracking
        smart-card-serial laissez-passer-no passport residence-booklet-no residence-permit-no e-tazkira paper-tazkira pupil-code
        student-code insurance-no national-code household pan iban msisdn unhcr-case";
    let catalogue = shipped();
    assert!(codes.split_whitespace().all(|code| catalogue.get(code).is_some()));
    assert_eq!(catalogue.iter().count(), codes.split_whitespace().count());
    let barred: Vec<_> = catalogue.iter().filter(|scheme| !scheme.is_key()).map(Scheme::code).collect();
    assert_eq!(barred, ["pan", "iban", "unhcr-case", "household"]);
}

#[test]
fn unknown_scheme_is_said_first() {
    assert_eq!(accept("fidaa", "").unwrap_err(), SchemeError::UnknownScheme);
}

#[rstest]
#[case("9990000018")]
#[case("۹۹۹۰۰۰۰۰۱۸")]
#[case("999-000-0018")]
#[case("A170000001")]
#[case("A17-0000001")]
#[case("a170000001")]
#[case("199900000001")]
#[case("P00000001")]
#[case("110000000008")]
#[case("case-9990000018")]
#[case("1400-0101-12345")]
#[case("5892101234567895")]
#[case("IR240150000000000000000001")]
#[case("09121234567")]
#[case("case-9990000018-018f3f0e-7b1c-7d2e-9a44-446655440000")]
#[case("20261129")]
#[case("2026-11-29")]
#[case("999A0000018")]
#[case("a9990000018c")]
#[case("9990a00000b18")]
#[case("a17b0000c001")]
#[case("5892101a234567895")]
#[case("9990000018000000")]
#[case("a9990000018000bc")]
#[case("9990g00000180000")]
fn numbers_in_disguise_are_seen(#[case] text: &str) {
    assert!(shipped().looks_like_identifier(text));
}

#[rstest]
#[case("teller-17")]
#[case("probe-1")]
#[case("case-4711")]
#[case("")]
#[case("REF-2023-000123")]
#[case("branch.12_desk-3")]
#[case("018f3f0e-7b1c-7d2e-9a44-446655440000")]
#[case("loan-018f3f0e-7b1c-7d2e-9a44-446655440000")]
#[case("loan-4bf92f3577b34da6")]
#[case("day-2026-11-29")]
fn ordinary_names_are_not_numbers(#[case] text: &str) {
    assert!(!shipped().looks_like_identifier(text));
}

/// As `uuid4().hex` and trace ids are written. Of sixteen characters 3 in 1000 are no more than digits with letters at an end, which is how papers have them.
#[test]
fn random_ids_are_not_numbers() {
    let (shipped, mut seeded) = (shipped(), Seeded::at(7, 0));
    let mut id = |length: usize| (0..length).map(|_| format!("{:x}", seeded.below(16))).collect::<String>();
    for _ in 0..1000 {
        let mut uuid = id(32);
        uuid.replace_range(12..13, "4");
        assert!(!shipped.looks_like_identifier(&uuid) && !shipped.looks_like_identifier(&format!("loan_{uuid}")), "{uuid}");
        let (a, b, c, d, e) = (&uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]);
        assert!(!shipped.looks_like_identifier(&format!("loan-{a}-{b}-{c}-{d}-{e}")), "{uuid}");
    }
    let short: Vec<_> = (0..1000).map(|_| id(16)).filter(|id| shipped.looks_like_identifier(id)).collect();
    let runs = |id: &str| id.split(|c: char| c.is_ascii_alphabetic()).filter(|run| !run.is_empty()).count();
    assert!(short.len() <= 10 && short.iter().all(|id| runs(id) == 1), "{short:?}");
}

#[rstest]
#[case("asked for 9990000018")]
#[case("about 999 000 0018 again")]
#[case("۹۹۹ ۰۰۰ ۰۰۱۸")]
#[case("number 999\u{200c}000\u{0640}0018")]
#[case("९९९००००००१८")]
#[case("card A 17 000 0001")]
#[case("9.9.9.0.0.0.0.0.1.8")]
#[case("born 1370/01/01")]
fn numbers_within_words_are_seen(#[case] text: &str) {
    assert!(shipped().may_hold_identifier(text));
}

#[rstest]
#[case("a complaint")]
#[case("complaint 7 of 1405")]
#[case("letter 12 of desk 3, file 4711")]
fn ordinary_words_hold_no_number(#[case] text: &str) {
    assert!(!shipped().may_hold_identifier(text));
}

const GOOD: &str = "[[scheme]]\ncode = \"a\"\nfa = \"الف\"\nen = \"a\"\npattern = 'A'\n";

#[rstest]
#[case(GOOD.replace("en = \"a\"\n", ""), "line 1: missing field `en`")]
#[case(GOOD.replace("الف", " "), "line 3: `fa` is empty")]
#[case(GOOD.replace("'A'", "'('"), "line 5: `pattern` is not a regular expression")]
#[case(format!("{GOOD}colour = 1\n"), "line 6: unknown field `colour`")]
#[case(format!("{GOOD}\n{GOOD}"), "line 8: scheme `a` stands already in line 2")]
#[case(format!("{GOOD}key = false\n"), "line 2: scheme `a` is barred")]
#[case(format!("{GOOD}key = false\ninstead = [\"b\"]\n"), "line 7: `instead` names scheme `b`")]
#[case(format!("{GOOD}check = \"mod-7\"\n"), "line 6: unknown variant `mod-7`")]
#[case(GOOD.replace("\"a\"\nfa", "\"A b\"\nfa"), "line 2: scheme `A b` must be")]
#[case(format!("{GOOD}check = \"msisdn\"\n"), "line 2: telephone numbers need `prefixes`")]
#[case(format!("{GOOD}prefixes = [\n\"091x\",\n]\n"), "line 7: prefix `091x` must be digits")]
#[case(format!("{GOOD}prefixes = [\"091\", \"0912\"]\n"), "line 6: prefix `0912` is already covered")]
#[case("code = ".to_owned(), "line 1: ")]
#[case(String::new(), "line 1: no `[[scheme]]` is given")]
fn faulty_catalogue_is_refused_with_its_line(#[case] toml: String, #[case] message: &str) {
    let error = SchemeCatalogue::parse(&toml).unwrap_err();
    assert!(error.starts_with(message), "{error}");
}
