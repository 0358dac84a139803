//! Deciding a recorded query again from its derived inputs, under the recorded policy and decrees or under others.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::query::{Claims, Evidence, Query, decide_query};
use super::{Basis, Inputs, Told, ToldPart, Verdict};
use crate::core::domain::context::Asked;
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::document::DocumentKind;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::second_factor::SecondFactors;
use crate::core::policy::{Allowed, Caller, Grant, Snapshot, Subject, allow};
use crate::core::registry::Freshness;

/// One recorded query, without anything that names anybody.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Who asked.
    pub agency: String,
    /// From which branch, where the certificate named one.
    pub branch: Option<String>,
    /// The service, where it exists.
    pub service: String,
    /// The purpose, where it exists; empty otherwise.
    pub purpose: String,
    /// The entry's derived inputs.
    pub inputs: Inputs,
    /// What was said.
    pub said: Said,
    /// When the registry had said so, as coarsely as the log has it; of answers.
    pub as_of: Timestamp,
    /// How fresh that was; of answers.
    pub freshness: Freshness,
}

/// What is said to a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Said {
    /// An answer.
    Answer {
        /// Its exact reason.
        reason: ReasonCode,
        /// The decree on which it rests.
        #[serde(skip_serializing_if = "Option::is_none")]
        decree: Option<String>,
        /// What the asker is told of it; `None` in what was recorded, which is exact.
        #[serde(skip_serializing_if = "Option::is_none")]
        told: Option<Box<Telling>>,
    },
    /// A refusal.
    Refusal {
        /// Its code.
        code: RefusalCode,
    },
    /// It would be looked up, with an outcome that nobody can know: nothing was looked up then.
    LookUp,
}

/// What the asker is told of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Telling {
    /// The reason, exact or coarse.
    pub reason: ReasonCode,
    /// The next step's action.
    pub next: String,
    /// What else is shown.
    pub shows: Vec<ToldPart>,
    /// The kind of the document, where it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<DocumentKind>,
    /// Its series, where it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u16>,
}

impl Telling {
    /// Leaves out what both say of the document, or what `shows` says already, so that many documents are one line of a report.
    fn apart(&mut self, other: &mut Self) {
        if self.kind.is_none() || other.kind.is_none() || self.kind == other.kind {
            (self.kind, other.kind) = (None, None);
        }
        if self.series.is_none() || other.series.is_none() || self.series == other.series {
            (self.series, other.series) = (None, None);
        }
    }
}

impl Said {
    /// The same as far as an entry records it: without what the asker is told.
    #[must_use]
    pub fn exact(self) -> Self {
        match self {
            Self::Answer { reason, decree, .. } => Self::Answer { reason, decree, told: None },
            said => said,
        }
    }

    /// What the asker is told of an answer, where that is known.
    pub fn told(&self) -> Option<&Telling> {
        match self {
            Self::Answer { told, .. } => told.as_deref(),
            Self::Refusal { .. } | Self::LookUp => None,
        }
    }

    /// Leaves out of two what is told alike of their documents.
    #[must_use]
    pub fn apart(mut self, mut other: Self) -> (Self, Self) {
        if let (Self::Answer { told: Some(told), .. }, Self::Answer { told: Some(others), .. }) = (&mut self, &mut other) {
            told.apart(others);
        }
        (self, other)
    }

    /// One word: a reason, a refusal's code or `looked-up`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Answer { reason, .. } => reason.code(),
            Self::Refusal { code } => code.code(),
            Self::LookUp => "looked-up",
        }
    }
}

/// Why a query cannot be decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unrepeatable {
    /// It was refused for something that is not policy: a token, a certificate, the node's state.
    NotPolicy,
}

/// Says to a recorded query what `snapshot` and `decrees` say to it, at the instant at which it was asked.
///
/// # Errors
/// [`Unrepeatable`].
pub fn replay(recorded: &Recorded, snapshot: &Snapshot, decrees: Option<&DecreeSet>) -> Result<Said, Unrepeatable> {
    let (asked, caller) = (&recorded.inputs.asked, caller(recorded));
    let allowed = allow(snapshot, caller, asked, &Subject::Unrecorded).map_err(|(code, _)| code);
    match (&recorded.said, allowed) {
        // Whether the query named somebody, and gave a second factor, no entry tells where no document was needed.
        (Said::Answer { reason: ReasonCode::NoDocumentRequired, .. }, Err(RefusalCode::MalformedRequest | RefusalCode::CheckRequired)) => {
            Ok(Said::LookUp)
        }
        (Said::Answer { .. }, Err(code)) => Ok(Said::Refusal { code }),
        (Said::Answer { reason, .. }, Ok(allowed)) => Ok(decide_again(recorded, *reason, (&allowed, snapshot), decrees)),
        (Said::Refusal { code }, allowed) => refuse_again(*code, allowed.err()),
        (Said::LookUp, _) => Err(Unrepeatable::NotPolicy),
    }
}

fn caller(recorded: &Recorded) -> Caller<'_> {
    Caller { agency: &recorded.agency, branch: recorded.branch.as_deref(), service: &recorded.service, purpose: &recorded.purpose }
}

fn decide_again(
    recorded: &Recorded,
    reason: ReasonCode,
    (allowed, snapshot): (&Allowed<'_>, &Snapshot),
    decrees: Option<&DecreeSet>,
) -> Said {
    let asked = &recorded.inputs.asked;
    let free = allowed.service.is_free_to_all(asked.has(Asked::EMERGENCY));
    if reason == ReasonCode::NoDocumentRequired && !free {
        return Said::LookUp;
    }
    let none = Basis::default();
    let basis = recorded.inputs.basis.as_ref().unwrap_or(&none);
    let (grant, now) = (allowed.grant, basis.decided_at(recorded.as_of));
    let max_age_s = grant.age_bound(asked.max_age);
    let freshness = freshness(recorded, reason, now, grant, max_age_s);
    let query = Query {
        service: allowed.service,
        // The basis has the check's outcome; whoever failed it is not among its people.
        check: None,
        claims: Claims::default(),
        check_required: false,
        factors: SecondFactors::default(),
        emergency: asked.has(Asked::EMERGENCY),
        area: basis.area.as_deref(),
        max_age_s,
        max_stale_s: grant.max_stale_s,
        live_denial: grant.live_denial,
        valid_for_s: grant.valid_for_s,
        granted_until: grant.until,
    };
    let answer = basis.registry_answer(recorded.as_of, freshness);
    // Whoever asks again for facts asks again for decrees that are as old.
    let decrees_age_s = if freshness == recorded.freshness { basis.decrees_age_s } else { 0 };
    let verdict = decide_query(&query, &Evidence { answer: answer.as_ref(), decrees, decrees_age_s }, now, now);
    let told = Some(Box::new(telling(&verdict, grant, snapshot)));
    Said::Answer { reason: verdict.reason, decree: verdict.decree, told }
}

fn telling(verdict: &Verdict, grant: &Grant, snapshot: &Snapshot) -> Telling {
    let told = Told::of(verdict, grant.disclose);
    // A coarse reason comes with the exact one's next step.
    let words = snapshot.reasons.words(verdict.reason, grant.outage.step());
    Telling {
        reason: told.reason,
        next: words.map(|words| words.next_action.clone()).unwrap_or_default(),
        shows: told.parts(),
        kind: told.document.and_then(|document| document.kind),
        series: told.document.and_then(|document| document.series),
    }
}

/// Facts from the cache that another policy finds too old, or too old for a "no", would have been asked for again, live, and have been
/// the same.
fn freshness(recorded: &Recorded, reason: ReasonCode, now: Timestamp, grant: &Grant, max_age_s: u32) -> Freshness {
    let too_old = now.duration_since(recorded.as_of) > SignedDuration::from_secs(i64::from(max_age_s));
    let asked_again = recorded.freshness == Freshness::Cached && (too_old || grant.live_denial) && reason != ReasonCode::TooStale;
    if asked_again { Freshness::Live } else { recorded.freshness }
}

/// A refusal by policy is judged again; one for what the query held, or for its rate, stands where policy still lets it come so far.
/// In what order a query is tested is the contract's (§4); an entry tells what was given, never in which form.
fn refuse_again(code: RefusalCode, refused: Option<RefusalCode>) -> Result<Said, Unrepeatable> {
    match code {
        RefusalCode::ServiceNotAllowed
        | RefusalCode::PurposeNotAllowed
        | RefusalCode::ActorRequired
        | RefusalCode::CheckRequired
        | RefusalCode::ReferenceRequired
        | RefusalCode::NonceRequired
        | RefusalCode::SignatureRequired
        | RefusalCode::ReceiptNotAllowed => Ok(refused.map_or(Said::LookUp, |code| Said::Refusal { code })),
        RefusalCode::MalformedRequest => Ok(Said::Refusal { code: refused.filter(|code| comes_before_any_form(*code)).unwrap_or(code) }),
        RefusalCode::UnknownScheme
        | RefusalCode::MalformedIdentifier
        | RefusalCode::WrongScheme
        | RefusalCode::WrongPopulation
        | RefusalCode::RateLimited
        | RefusalCode::QuotaExhausted => Ok(Said::Refusal { code: refused.unwrap_or(code) }),
        _ => Err(Unrepeatable::NotPolicy),
    }
}

/// Whether a query is refused with this code before the form of its first field is tested, the actor's. A duty that comes later may
/// be wanting too, but the query was refused for its form before anybody looked.
const fn comes_before_any_form(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::AgencySuspended
            | RefusalCode::UnknownService
            | RefusalCode::ServiceNotAllowed
            | RefusalCode::PurposeNotAllowed
            | RefusalCode::ActorRequired
    )
}
