//! What an agency is told of a verdict: the exact reason or the coarse one, and which parts of the document (contract §4).

use jiff::civil::Date;

use super::{RenewalWindow, RequiredAction, Verdict};
use crate::core::domain::document::{DocumentKind, coded_enum};
use crate::core::domain::reason::ReasonCode;
use crate::core::policy::Disclosure;

coded_enum! {
    /// A part of an answer that an agency's `[disclosure]` opens or hides.
    ToldPart {
        /// The document's kind.
        Kind = "kind",
        /// Its series.
        Series = "series",
        /// How it stands.
        Status = "status",
        /// The decree that the answer rests on.
        Decree = "decree",
        /// What a decree asks of the holder besides.
        Then = "then",
        /// The renewal window that is the next step.
        Window = "window",
        /// The day on which the document ends, and the service with it.
        End = "end",
    }
}

/// A verdict after the agency's disclosure rules.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The reason, coarse where the policy says so.
    pub reason: ReasonCode,
    /// The document that carried the answer, as far as it is disclosed.
    pub document: Option<ToldDocument<'a>>,
    /// What a decree asks of the holder.
    pub then: Option<&'a RequiredAction>,
    /// When what has lapsed can be renewed. Its decree goes by `[disclosure] decree`.
    pub window: Option<&'a RenewalWindow>,
    /// The last day of a document with which the service ends.
    pub last_day: Option<Date>,
}

/// The document that carried the answer, as far as the policy discloses it.
#[derive(Clone, Copy, Debug)]
pub struct ToldDocument<'a> {
    /// Kind.
    pub kind: Option<DocumentKind>,
    /// Series or type.
    pub series: Option<u16>,
    /// Its own status.
    pub status: Option<ReasonCode>,
    /// The decree that the answer rests on.
    pub decree: Option<&'a str>,
}

impl<'a> Told<'a> {
    /// What is told of a verdict under these rules.
    pub fn of(verdict: &'a Verdict, disclose: Disclosure) -> Self {
        let exact = disclose.reasons.has(verdict.reason);
        let reason = if exact { verdict.reason } else { verdict.reason.coarse() };
        // Status and decree would tell a reason that is not told, so they go with it.
        let document = verdict.document.as_ref().map(|document| ToldDocument {
            kind: disclose.kind.then_some(document.kind),
            series: document.series.filter(|_| disclose.series),
            status: (disclose.decree && exact && disclose.reasons.has(document.status)).then_some(document.status),
            decree: verdict.decree.as_deref().filter(|_| disclose.decree && exact),
        });
        let then = verdict.required.as_deref().filter(|_| disclose.decree && reason == verdict.reason);
        // A window tells a lapsed document from the lost and the late ones, so it is for those alone from whom `lapsed-renewable` hides none.
        let hides_none = |code: &ReasonCode| code.coarse() != ReasonCode::LapsedRenewable || disclose.reasons.has(*code);
        let window = verdict.window.as_deref().filter(|_| ReasonCode::ALL.iter().all(hides_none));
        let last_day = verdict.terms.and_then(|terms| terms.last_day).filter(|_| disclose.end);
        Self { reason, document, then, window, last_day }
    }

    /// Which parts are told, in the order of [`ToldPart::ALL`].
    pub fn parts(&self) -> Vec<ToldPart> {
        let of = |told: fn(&ToldDocument<'a>) -> bool| self.document.as_ref().is_some_and(told);
        let parts = [
            (of(|document| document.kind.is_some()), ToldPart::Kind),
            (of(|document| document.series.is_some()), ToldPart::Series),
            (of(|document| document.status.is_some()), ToldPart::Status),
            (of(|document| document.decree.is_some()), ToldPart::Decree),
            (self.then.is_some(), ToldPart::Then),
            (self.window.is_some(), ToldPart::Window),
            (self.last_day.is_some(), ToldPart::End),
        ];
        parts.into_iter().filter_map(|(told, part)| told.then_some(part)).collect()
    }
}
