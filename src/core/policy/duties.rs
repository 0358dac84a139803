//! What must be given beside the query: actor, check, reference, nonce (contract §4), and in which form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

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

/// Characters that a name hint may have.
const NAME_LEN: usize = 200;

/// Tests the actor alone, so that whoever asks is known of the refusals that follow.
///
/// # Errors
/// `actor-required`, or `malformed-request` for a bad form.
pub(super) fn actor(request: &VerifyRequest, grant: &Grant, schemes: &SchemeCatalogue) -> Result<(), Fault> {
    label("actor", request.actor.as_deref(), grant.actor.then_some(ACTOR_REQUIRED), request.identifier.as_ref(), schemes)
}

/// Whether an actor is named in a form that may enter the log, whatever is refused before it is tested.
pub(super) fn actor_fits(request: &VerifyRequest, schemes: &SchemeCatalogue) -> bool {
    label("actor", request.actor.as_deref(), None, request.identifier.as_ref(), schemes).is_ok()
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
    label("reference", request.reference.as_deref(), required, request.identifier.as_ref(), schemes)?;
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

/// Actor and reference enter the access log, so neither may carry an identifier there.
fn label(
    field: &str,
    given: Option<&str>,
    required: Option<Required>,
    submitted: Option<&RequestIdentifier>,
    schemes: &SchemeCatalogue,
) -> Result<(), Fault> {
    let Some(given) = given else { return required.map_or(Ok(()), |(code, detail)| Err((code, detail.to_owned()))) };
    if !is_formed(given) {
        return Err(malformed(format!("`{field}` must be 1 to 64 characters of A-Z, a-z, 0-9, dot, underscore, hyphen")));
    }
    if submitted.is_some_and(|identifier| carries(given, &identifier.value)) || schemes.looks_like_identifier(given) {
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

/// Whether an agency's own name or number for something has the submitted value in it, also with letters strewn between the digits.
pub fn carries(given: &str, value: &str) -> bool {
    if is_too_short_for(given, value) {
        return false;
    }
    let (given, value) = (text::identifier_value(given), Zeroizing::new(text::identifier_value(value)));
    let digits = |text: &str| Zeroizing::new(text.chars().filter(char::is_ascii_digit).collect::<String>());
    let smuggled = |given: &str, value: &str| value.len() >= SMUGGLED_LEN && given.contains(value);
    given == *value || smuggled(&given, &value) || smuggled(&digits(&given), &digits(&value))
}

/// Whether a name of plain letters and few digits is shorter than a value of plain letters and digits: nearly every one is, and has no room for it.
fn is_too_short_for(given: &str, value: &str) -> bool {
    let plain = given.is_ascii() && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let digits = given.bytes().filter(u8::is_ascii_digit).count();
    plain && given.len() < value.len() && digits < SMUGGLED_LEN
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
        /// The short way says no only where the long one does.
        #[test]
        fn what_is_too_short_for_a_value_does_not_carry_it(given in "[A-Za-z0-9._-]{1,16}|\\PC{0,8}", value in "[A-Z0-9]{0,12}|[0-9]{10}|\\PC{0,12}") {
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let (read, held) = (text::identifier_value(&given), text::identifier_value(&value));
            let within = |part: &str, whole: &str| part.len() >= SMUGGLED_LEN && whole.contains(part);
            let carried = read == held || within(&held, &read) || within(&digits(&held), &digits(&read));
            prop_assert_eq!(carries(&given, &value), carried);
        }
    }

    #[test]
    fn a_number_with_letters_strewn_between_its_digits_is_carried() {
        assert!(carries("x99.900-00018", "9990000018"));
        assert!(carries("a170000", "B170000"));
        assert!(!carries("teller-17", "9990000018"));
    }
}
