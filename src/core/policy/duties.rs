//! What must be given beside the query: actor, check, reference, nonce (contract §4), and in which form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Grant;
use super::body::Fault;
use crate::core::domain::date::{Calendar, PartialDate};
use crate::core::domain::place::is_known_province;
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::request::{Check, RequestIdentifier, VerifyRequest};
use crate::core::domain::scheme::SchemeCatalogue;
use crate::core::domain::text;

/// Shortest submitted value that may not occur *within* an actor or a reference either.
const SMUGGLED_LEN: usize = 6;

/// Digits of a year.
const YEAR_LEN: usize = 4;

/// Characters that a name hint may have.
const NAME_LEN: usize = 200;

/// Tests the actor alone, so that whoever asks is known of the refusals that follow.
///
/// # Errors
/// `actor-required`, or `malformed-request` for a bad form.
pub(super) fn actor(request: &VerifyRequest, grant: &Grant, schemes: &SchemeCatalogue) -> Result<(), Fault> {
    label("actor", request.actor.as_deref(), grant.actor.then_some(ACTOR_REQUIRED), request, schemes)
}

/// Whether an actor is named in a form that may enter the log, whatever is refused before it is tested.
pub(super) fn actor_fits(request: &VerifyRequest, schemes: &SchemeCatalogue) -> bool {
    label("actor", request.actor.as_deref(), None, request, schemes).is_ok()
}

/// Tests the other duties in the contract's order. A service that needs no document wants no check: there is nobody to check.
///
/// # Errors
/// `check-required`, `reference-required`, `nonce-required`, or `malformed-request` for a bad form.
pub(super) fn others(request: &VerifyRequest, grant: &Grant, needs_document: bool, schemes: &SchemeCatalogue) -> Result<(), Fault> {
    if needs_document {
        check(request.check.as_ref(), grant)?;
        province(request.province.as_deref())?;
    }
    let required = grant.reference.then_some(REFERENCE_REQUIRED);
    label("reference", request.reference.as_deref(), required, request, schemes)?;
    nonce(request.nonce.as_deref(), grant.nonce)
}

/// Tests the wish for a printed receipt. It comes beside the statement, so whoever takes the statement alone would lose it.
///
/// # Errors
/// `receipt-not-allowed`, or `malformed-request` where the reply has no place for it.
pub(super) fn receipt(wished: bool, grant: &Grant, statement_alone: bool) -> Result<(), Fault> {
    match wished {
        true if !grant.receipt => Err((RefusalCode::ReceiptNotAllowed, RECEIPT_NOT_ALLOWED.to_owned())),
        true if statement_alone => Err(malformed("a receipt comes in the JSON answer only: leave `Accept: application/jwt` out")),
        _ => Ok(()),
    }
}

const RECEIPT_NOT_ALLOWED: &str = "this agency's policy does not allow printed receipts for this service and purpose: leave `receipt` out";

type Required = (RefusalCode, &'static str);
const ACTOR_REQUIRED: Required =
    (RefusalCode::ActorRequired, "this agency's policy wants `actor`: name the clerk or the account that asks");
const REFERENCE_REQUIRED: Required =
    (RefusalCode::ReferenceRequired, "this agency's policy wants `reference`: give the number of your case");
const CHECK_REQUIRED: Required = (
    RefusalCode::CheckRequired,
    "this agency's policy wants `check` with the birth year, the birth date or the printed expiry date; a name alone is not enough",
);
/// The same for everybody's number: what was given could prove nobody.
const NOT_TAKEN: &str = "what `check` gives is not taken as a second factor here: give the birth year or the birth date, or, where your policy takes it, the whole \
     day printed as expiry date";
const NONCE_REQUIRED: Required = (RefusalCode::NonceRequired, "this agency's policy wants `nonce`: 16 random bytes in base64url");

/// Nothing was signed where the grant wants it.
pub(super) fn signature_required() -> Fault {
    (RefusalCode::SignatureRequired, "this agency's policy wants the request signed: send `Estelam-Signature`".to_owned())
}

fn malformed(detail: impl Into<String>) -> Fault {
    (RefusalCode::MalformedRequest, detail.into())
}

/// Actor and reference enter the access log, so neither may carry an identifier there, nor be what is known of the holder.
fn label(
    field: &str,
    given: Option<&str>,
    required: Option<Required>,
    request: &VerifyRequest,
    schemes: &SchemeCatalogue,
) -> Result<(), Fault> {
    let Some(given) = given else { return required.map_or(Ok(()), |(code, detail)| Err((code, detail.to_owned()))) };
    if !is_formed(given) {
        return Err(malformed(format!("`{field}` must be 1 to 64 characters of A-Z, a-z, 0-9, dot, underscore, hyphen")));
    }
    let carried = |identifier: &RequestIdentifier| carries(given, &identifier.value);
    let repeated = |check: &Check| repeats(given, check);
    if request.identifier.as_ref().is_some_and(carried)
        || request.check.as_ref().is_some_and(repeated)
        || schemes.looks_like_identifier(given)
    {
        return Err(malformed(format!(
            "`{field}` looks like an identifier; use a name or number of your own that says nothing of the holder"
        )));
    }
    Ok(())
}

fn is_formed(given: &str) -> bool {
    (1..=64).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether a text may stand in the access log as an agency's own name or number for something.
pub fn is_label(given: &str, schemes: &SchemeCatalogue) -> bool {
    is_formed(given) && !schemes.looks_like_identifier(given)
}

/// Whether an agency's own name or number for something has the submitted value in it, whatever stands between its letters and digits; also its digits
/// alone, with letters strewn between them.
pub fn carries(given: &str, value: &str) -> bool {
    if given == value {
        return true;
    }
    if is_too_short_for(given, value) {
        return false;
    }
    let (own, held) = (text::letters_and_digits(given), text::letters_and_digits(value));
    is_same(own.clone(), held.clone()) || is_smuggled(own.clone(), held.clone()) || is_smuggled(own.filter(is_digit), held.filter(is_digit))
}

/// Whether a name has fewer letters and digits than the value and few digits: nearly every one has, and no room for it.
fn is_too_short_for(given: &str, value: &str) -> bool {
    let digits = given.bytes().filter(u8::is_ascii_digit).count();
    let room = value.bytes().filter(u8::is_ascii_alphanumeric).count();
    given.is_ascii() && given.len() < room && digits < SMUGGLED_LEN
}

/// Whether a name is what the second factor says of the holder. A year alone is in too many file numbers to say anything.
fn repeats(given: &str, check: &Check) -> bool {
    let own = || text::letters_and_digits(given);
    let dates = [&check.birth_date, &check.document_expires].into_iter().flatten();
    let mut days = dates.map(|date| text::letters_and_digits(date)).filter(|date| date.clone().count() > YEAR_LEN);
    days.any(|day| is_same(own(), day)) || check.name.as_ref().is_some_and(|name| is_same(own(), text::letters_and_digits(name)))
}

/// Whether both are alike, and not merely empty.
fn is_same(mut own: impl Iterator<Item = char> + Clone, held: impl Iterator<Item = char>) -> bool {
    own.clone().eq(held) && own.next().is_some()
}

/// Whether a value that is long enough to tell occurs within a name.
fn is_smuggled(mut own: impl Iterator<Item = char> + Clone, mut held: impl Iterator<Item = char> + Clone) -> bool {
    if held.clone().take(SMUGGLED_LEN).count() < SMUGGLED_LEN {
        return false;
    }
    let first = held.next();
    while own.any(|c| Some(c) == first) {
        let mut rest = own.clone();
        if held.clone().all(|c| rest.next() == Some(c)) {
            return true;
        }
    }
    false
}

fn is_digit(c: &char) -> bool {
    c.is_ascii_digit()
}

fn check(given: Option<&Check>, grant: &Grant) -> Result<(), Fault> {
    if grant.check && !given.is_some_and(Check::has_factor) {
        return Err((CHECK_REQUIRED.0, CHECK_REQUIRED.1.to_owned()));
    }
    let Some(check) = given else { return Ok(()) };
    if check.name.as_ref().is_some_and(|name| name.chars().count() > NAME_LEN) {
        return Err(malformed(format!("`check.name` is longer than {NAME_LEN} characters")));
    }
    if !check.has_factor() {
        return Ok(());
    }
    let Some(calendar) = check.calendar else {
        return Err(malformed("`check.calendar` is missing: say `jalali` or `gregorian`, it is never guessed"));
    };
    if check.birth_year.is_some_and(|year| !years(calendar).contains(&year)) {
        return Err(malformed("`check.birth_year` is out of range in that calendar"));
    }
    for (field, date) in [("check.birth_date", &check.birth_date), ("check.document_expires", &check.document_expires)] {
        if date.as_ref().is_some_and(|date| !is_date(date, calendar)) {
            return Err(malformed(format!(
                "`{field}` is no date of that calendar: write YYYY/M/D, YYYY/M or YYYY, or name the Jalali month"
            )));
        }
    }
    if grant.check && !grant.factors.take(check) {
        return Err((RefusalCode::CheckRequired, NOT_TAKEN.to_owned()));
    }
    Ok(())
}

fn province(given: Option<&str>) -> Result<(), Fault> {
    let what = "`province` is no ISO 3166-2 code of a province, such as `IR-07`";
    if given.is_none_or(is_known_province) { Ok(()) } else { Err(malformed(what)) }
}

fn is_date(date: &str, calendar: Calendar) -> bool {
    // The interval is of Gregorian days, whatever the calendar of the text.
    let years = years(Calendar::Gregorian);
    PartialDate::parse_spoken(date, calendar)
        .is_ok_and(|date| u16::try_from(date.first_day().year()).is_ok_and(|year| years.contains(&year)))
}

/// Years in which people and papers of today can have been born and can expire.
const fn years(calendar: Calendar) -> std::ops::RangeInclusive<u16> {
    match calendar {
        Calendar::Jalali => 1250..=1500,
        Calendar::Gregorian => 1871..=2122,
    }
}

fn nonce(given: Option<&str>, required: bool) -> Result<(), Fault> {
    let Some(given) = given else {
        return if required { Err((NONCE_REQUIRED.0, NONCE_REQUIRED.1.to_owned())) } else { Ok(()) };
    };
    let mut bytes = [0; 16];
    match URL_SAFE_NO_PAD.decode_slice(given, &mut bytes) {
        Ok(16) => Ok(()),
        _ => Err(malformed("`nonce` must be 16 bytes in base64url without padding")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The short way says no only where the long one does, and the long one what is said of it.
        #[test]
        fn what_is_too_short_for_a_value_does_not_carry_it(
            given in "[A-Za-z0-9._-]{1,16}|\\PC{0,8}",
            value in "[A-Z0-9]{0,12}|[0-9]{10}|[a-z0-9/.-]{0,12}|\\PC{0,12}",
            cut in 0..8_usize,
        ) {
            let bare = |text: &str| text::identifier_value(text).chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let within = |part: &str, whole: &str| part.chars().count() >= SMUGGLED_LEN && whole.contains(part);
            let parted = format!("x{}-{}", value.chars().take(cut).collect::<String>(), value.chars().skip(cut).collect::<String>());
            for given in [given, parted] {
                let (read, held) = (bare(&given), bare(&value));
                let same = given == value || read == held && !held.is_empty();
                let carried = same || within(&held, &read) || within(&digits(&held), &digits(&read));
                prop_assert_eq!(carries(&given, &value), carried, "{} {}", given, value);
            }
        }
    }

    #[test]
    fn a_number_is_carried_whatever_stands_between_its_letters_and_digits() {
        for (given, value) in [
            ("AB-12345", "AB12345"),
            ("ab.12_345", "AB 12345"),
            ("A-12345", "A12345"),
            ("SC-12-AB-34", "SC12AB34"),
            ("file-SC12.AB34-x", "sc12ab34"),
            ("1.2.345", "1/2/345"),
            ("1.2.345", "۱/۲/۳۴۵"),
            ("12345", "1/2/345"),
            ("AB.1234", "AB1234"),
            ("abcd", "ab-cd"),
            ("ab-cd", "ABCD"),
            ("ab.cd", "ab-cd"),
            ("ab.-cd", "ab-cd"),
        ] {
            assert!(carries(given, value), "{given} {value}");
        }
        for (given, value) in
            [("abcde", "ab-cd"), ("AB-1234-x", "AB123"), ("case-4711", "AB12345"), ("teller-17", "SC12AB34"), ("_", "-"), ("x", "")]
        {
            assert!(!carries(given, value), "{given} {value}");
        }
    }

    #[test]
    fn a_name_may_not_be_what_the_second_factor_says_of_the_holder() {
        let text = |text: &str| Some(text.to_owned());
        let check = Check {
            birth_year: Some(1370),
            birth_date: text("۱۳۷۰/۰۵/۱۲"),
            document_expires: text("1405/12"),
            name: text("Ali Rezai"),
            calendar: None,
        };
        for given in ["ali-rezai", "AliRezai", "1370-05-12", "13700512", "1405.12"] {
            assert!(repeats(given, &check), "{given}");
        }
        for given in ["1370", "ali", "case-13700512", "140512-7"] {
            assert!(!repeats(given, &check), "{given}");
        }
        let years = Check { birth_date: text("1370"), document_expires: text("1405"), name: text(" "), ..check };
        assert!(["1370", "1405", "-", "_"].iter().all(|given| !repeats(given, &years)));
    }

    #[test]
    fn a_number_with_letters_strewn_between_its_digits_is_carried() {
        assert!(carries("x99.900-00018", "9990000018"));
        assert!(carries("a170000", "B170000"));
        assert!(!carries("teller-17", "9990000018"));
    }
}
