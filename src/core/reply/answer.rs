//! The JSON of an answer (contract §4): the signed facts, the words for people, the place in the log, the statement.

use std::borrow::Cow;

use serde::Serialize;

use crate::core::decision::{Decision, RenewalWindow, Told};
use crate::core::domain::reason::{NextWho, ReasonCode, ReasonText};
use crate::core::signing::{AnswerFacts, PrintedReceipt, Signed};

#[derive(Serialize)]
struct Message<'a> {
    fa: &'a str,
    en: &'a str,
}

/// What a decree asks of the holder, whatever the answer.
#[derive(Serialize)]
struct Then<'a> {
    who: NextWho,
    action: &'static str,
    decree: &'a str,
    message: Message<'a>,
}

/// When the holder can do the next step.
#[derive(Serialize)]
struct Window<'a> {
    #[serde(flatten)]
    window: &'a RenewalWindow,
    message: Message<'a>,
}

/// [`Then::action`], for programs.
const ACT_ON_DECREE: &str = "act-on-decree";

#[derive(Serialize)]
pub(super) struct Ledger<'a> {
    pub(super) origin: &'a str,
    pub(super) index: u64,
}

/// The words for a reason. A coarse reason is shown with the exact one's next step (contract §4): the holder must learn what to do.
fn words(decision: &Decision, code: ReasonCode) -> Option<&ReasonText> {
    let permit = decision.permit();
    let reasons = &permit.snapshot().reasons;
    reasons.words(code, permit.grant().outage.step())
}

/// An agency that is not told of decrees, or not the exact reason, is not told of this one.
fn then(decision: &Decision) -> Option<Then<'_>> {
    let required = Told::of(decision.verdict(), decision.permit().grant().disclose).then?;
    let message = Message { fa: &required.fa, en: &required.en };
    Some(Then { who: NextWho::Holder, action: ACT_ON_DECREE, decree: &required.decree, message })
}

/// The renewal window with its days in words.
fn window(facts: &AnswerFacts) -> Option<String> {
    let window = facts.window.as_deref()?;
    let (fa, en) = (window.fa(), window.en());
    serde_json::to_string(&Window { window, message: Message { fa: &fa, en: &en } }).ok()
}

/// The body of a 200.
pub(super) fn body(signed: &Signed, decision: &Decision, origin: &str, index: u64) -> Vec<u8> {
    let (Some(facts), statement) = (signed.facts(), signed.statement()) else { return Vec::new() };
    let (Some(words), Some(step)) = (words(decision, facts.reason), words(decision, decision.verdict().reason)) else {
        return Vec::new();
    };
    // Serialising strings and numbers into memory cannot fail.
    let ledger = serde_json::to_string(&Ledger { origin, index }).unwrap_or_default();
    let then = then(decision).and_then(|then| serde_json::to_string(&then).ok());
    let window = window(facts);
    let next = with_members(step.next_json(), [("window", window.as_deref()), ("then", then.as_deref())]);
    let receipt = signed.receipt().map_or_else(String::new, receipt_member);
    // Each part is JSON already: the facts as they were signed, the words as they were loaded. A code needs no escape, and a compact
    // statement is base64url and dots (RFC 7515 §7.1).
    let parts: [&[u8]; 14] = [
        b"{",
        facts.members().strip_prefix(b",").unwrap_or_default(),
        br#","reason":{"code":""#,
        facts.reason.code().as_bytes(),
        br#"","message":"#,
        words.message_json().as_bytes(),
        br#","next":"#,
        next.as_bytes(),
        br#"},"ledger":"#,
        ledger.as_bytes(),
        receipt.as_bytes(),
        br#","statement":""#,
        statement.as_bytes(),
        br#""}"#,
    ];
    let bytes = parts.concat();
    if facts.reason == ReasonCode::NotEstablished { of_one_length(bytes, index) } else { bytes }
}

/// The printed receipt as a member. It is base64url and dots, its code letters and hyphens: nothing to escape.
fn receipt_member(receipt: &PrintedReceipt) -> String {
    format!(r#","receipt":{{"jwt":"{}","code":"{}"}}"#, receipt.jwt(), receipt.code())
}

/// The next step with more members at its end: the window in which it can be done, what a decree asks besides.
fn with_members<'a>(next: &'a str, members: [(&str, Option<&str>); 2]) -> Cow<'a, str> {
    let add = |object: Cow<'a, str>, (name, member): (&str, Option<&str>)| match (member, object.strip_suffix('}')) {
        (Some(member), Some(open)) => format!(r#"{open},"{name}":{member}}}"#).into(),
        _ => object,
    };
    members.into_iter().fold(next.into(), add)
}

/// Digits of the largest index.
const INDEX_DIGITS: usize = 20;

/// Blanks before the closing brace make up for a short index: `not-established` has one length (contract §4), today and
/// when the log is longer.
fn of_one_length(mut body: Vec<u8>, index: u64) -> Vec<u8> {
    let digits = index.checked_ilog10().map_or(1, |log| log as usize + 1);
    if body.pop() == Some(b'}') {
        body.resize(body.len() + INDEX_DIGITS.saturating_sub(digits), b' ');
        body.push(b'}');
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_established_has_one_length_whatever_its_index() {
        for index in [0, 9, 10, 99, 1_000_000, u64::MAX] {
            let body = of_one_length(format!(r#"{{"index":{index}}}"#).into_bytes(), index);
            assert_eq!(body.len(), r#"{"index":}"#.len() + INDEX_DIGITS, "{index}");
            assert!(
                serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|body| body.get("index").is_some_and(|given| *given == index))
            );
        }
    }
}
