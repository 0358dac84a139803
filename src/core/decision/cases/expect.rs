//! What must come of a case, how an official writes it, and what differs from it.

use serde::Deserialize;
use toml::Spanned;

use super::AnswerCase;
use crate::core::decision::ToldPart;
use crate::core::domain::reason::{Outcome, ReasonCode};
use crate::core::domain::refusal::RefusalCode;

/// An answer or a refusal: what came of a case, or what must come. Of the latter, all below the decree says nothing where it is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Outcome code, or `refused`.
    pub outcome: String,
    /// Reason or refusal code.
    pub reason: String,
    /// The decree named; none must be named where none is expected.
    pub decree: Option<String>,
    /// The service rule applied.
    pub rule: Option<String>,
    /// The next step's action.
    pub next: Option<String>,
    /// The decree that asks the holder to act.
    pub then: Option<String>,
    /// The decree whose renewal window is the next step.
    pub window: Option<String>,
    /// A better scheme.
    pub hint: Option<String>,
    /// The reason that the agency is told.
    pub told: Option<String>,
    /// What else it is told.
    pub shows: Option<Vec<ToldPart>>,
    /// Whether remembered facts were not enough, so that the registry was asked once more.
    pub asked_again: Option<bool>,
}

/// What the agency must be told, as a case writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToldFile {
    reason: Option<Spanned<String>>,
    shows: Option<Vec<Spanned<String>>>,
}

/// Where in the file something is wrong, and what.
pub(super) type Fault = (usize, String);

/// Checks outcome and reason.
pub(super) fn outcome_and_reason(outcome: &Spanned<String>, reason: &Spanned<String>) -> Result<(), Fault> {
    let fits = match (outcome.get_ref().as_str(), reason.get_ref()) {
        ("refused", reason) => RefusalCode::parse(reason).is_some(),
        (word, reason) => match Outcome::parse(word) {
            Some(outcome) => ReasonCode::parse(reason).is_some_and(|reason| reason.outcome() == outcome),
            None => {
                let known = listed(Outcome::ALL.iter().map(|outcome| outcome.code()));
                return Err((outcome.span().start, format!("no such outcome `{word}`; use {known} or `refused`")));
            }
        },
    };
    let (outcome, code) = (outcome.get_ref(), reason.get_ref());
    let wrong = || (reason.span().start, format!("`{code}` is no reason of `{outcome}`; reasons.toml lists them"));
    if fits { Ok(()) } else { Err(wrong()) }
}

/// Reads what the agency must be told of an answer with this exact reason.
pub(super) fn told(told: &Spanned<ToldFile>, exact: &str, agency: Option<&str>) -> Result<(Option<String>, Option<Vec<ToldPart>>), Fault> {
    let fault = |message: &str| Err((told.span().start, message.to_owned()));
    let Some(exact) = ReasonCode::parse(exact) else { return fault("a refusal tells its code and nothing else; remove `told`") };
    if agency.is_none() {
        return fault("`told` needs an `agency`: what is told is for its file to say");
    }
    let ToldFile { reason, shows } = told.get_ref();
    if let Some(reason) = reason {
        let code = reason.get_ref();
        if ![exact, exact.coarse()].iter().any(|told| told.code() == code) {
            let coarse = if exact == exact.coarse() { String::new() } else { format!(" or `{}`", exact.coarse().code()) };
            let message = format!("`{code}` is never told where the reason is `{0}`; write `{0}`{coarse}", exact.code());
            return Err((reason.span().start, message));
        }
    }
    let part = |part: &Spanned<String>| {
        let known = || listed(ToldPart::ALL.iter().map(|part| part.code()));
        let unknown = || (part.span().start, format!("`{}` is no part of an answer; use {}", part.get_ref(), known()));
        ToldPart::parse(part.get_ref()).ok_or_else(unknown)
    };
    let mut shows: Option<Vec<ToldPart>> = shows.as_ref().map(|parts| parts.iter().map(part).collect()).transpose()?;
    if let Some(parts) = &mut shows {
        parts.sort();
        parts.dedup();
    }
    Ok((reason.as_ref().map(|reason| reason.get_ref().clone()), shows))
}

fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Says what differs from what was expected.
pub(super) fn compare(case: &AnswerCase, got: &Answered) -> Result<(), String> {
    let want = &case.expect;
    let text = |outcome: &str, reason: &str, decree: Option<&str>| match decree {
        Some(decree) => format!("`{outcome}` `{reason}` by `{decree}`"),
        None => format!("`{outcome}` `{reason}`"),
    };
    if (&want.outcome, &want.reason, &want.decree) != (&got.outcome, &got.reason, &got.decree) {
        let expected = text(&want.outcome, &want.reason, want.decree.as_deref());
        return Err(format!("expected {expected}, got {}", text(&got.outcome, &got.reason, got.decree.as_deref())));
    }
    let fields = [
        ("the rule", &want.rule, &got.rule),
        ("the next step", &want.next, &got.next),
        ("the decree that asks to act", &want.then, &got.then),
        ("the decree of the renewal window", &want.window, &got.window),
        ("the hint", &want.hint, &got.hint),
        ("the agency to be told", &want.told, &got.told),
    ];
    for (field, want, got) in fields {
        if want.is_some() && want != got {
            let word = |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |value| format!("`{value}`"));
            return Err(format!("expected {field} {}, got {}", word(want), word(got)));
        }
    }
    if let Some(wanted) = want.shows.as_ref().filter(|_| want.shows != got.shows) {
        let parts = |parts: &[ToldPart]| if parts.is_empty() { "nothing".to_owned() } else { listed(parts.iter().map(|part| part.code())) };
        let got = got.shows.as_deref().unwrap_or_default();
        return Err(format!("expected the agency to be shown {}, got {}", parts(wanted), parts(got)));
    }
    match want.asked_again.filter(|wanted| Some(*wanted) != got.asked_again) {
        Some(true) => Err("expected the registry to be asked again, but the remembered facts were enough".to_owned()),
        Some(false) => Err("expected the remembered facts to be enough, but the registry was asked again".to_owned()),
        None => Ok(()),
    }
}
