//! Stage 8: from a recorded conclusion to the bytes of the reply.

mod answer;
mod problem;

use bytes::Bytes;
use uuid::Uuid;

use super::domain::reason::{OutageStep, ReasonCode};
use super::domain::refusal::RefusalCode;
use super::ledger::Recorded;
use super::signing::Conclusion;

pub use problem::MEDIA_TYPE as PROBLEM;

/// Seconds after which whoever got a 503 asks again: it passes by itself, mostly soon.
const AGAIN: Wait = Wait { least_s: 1, spread_s: 3 };
/// The same for want of room on the disk.
const ROOM_AGAIN: Wait = Wait { least_s: 30, spread_s: 15 };

/// A time to wait that differs from call to call, so that all who were turned away at once do not come back at once.
struct Wait {
    least_s: u32,
    spread_s: u32,
}

impl Wait {
    /// The seconds for a call. The call's id decides, whose bits are random and drawn before anything of the call is read: so the wait tells nothing
    /// that was asked.
    fn of(&self, request_id: Uuid) -> u32 {
        let [.., a, b, c, d] = request_id.into_bytes();
        self.least_s + u32::from_be_bytes([a, b, c, d]) % (self.spread_s + 1)
    }
}

/// What the caller wants to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The JSON answer with the statement inside.
    #[default]
    Json,
    /// The compact statement alone (`Accept: application/jwt`).
    Statement,
}

/// The bytes that leave. Apart from the bare 503 and from silence, only [`render`] makes one, from a recorded conclusion.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    label: &'static str,
    on_grid: bool,
    close: bool,
    silent: u32,
    in_doubt: bool,
}

/// The body may be a token or an answer: it is not shown.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).field("label", &self.label).finish_non_exhaustive()
    }
}

impl Reply {
    /// HTTP status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Media type of the body.
    pub const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Further header fields.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The body.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The outcome or refusal code, for metrics.
    pub const fn label(&self) -> &'static str {
        self.label
    }

    /// Whether it must leave on the fixed time grid: `not-established` (contract §4), and what may be said before a second factor
    /// matches at all, `registry-unavailable` and `overloaded`.
    pub const fn leaves_on_grid(&self) -> bool {
        self.on_grid
    }

    /// Whether the connection must end with it.
    pub const fn closes_connection(&self) -> bool {
        self.close
    }

    /// Whether nothing leaves at all, and the connection ends.
    pub const fn is_silent(&self) -> bool {
        self.silent > 0
    }

    /// How many times as long as at first its connection is held, where nothing leaves.
    pub const fn held(&self) -> u32 {
        self.silent
    }

    /// Whether what it was to tell may be on record all the same, so that it must count once if it is asked again.
    pub const fn may_be_recorded(&self) -> bool {
        self.in_doubt
    }

    /// The bare 503 after the log was asked to record, which may have done so.
    #[must_use]
    pub fn perhaps_recorded(self) -> Self {
        Self { in_doubt: true, ..self }
    }

    /// No reply: one of a flood of refusals, that was counted and is not told. Its connection is held so many times as long as
    /// at first, and ends without a word.
    pub fn silence(held: u32) -> Self {
        let (headers, body) = (Vec::new(), Bytes::new());
        Self {
            status: 429,
            content_type: problem::MEDIA_TYPE,
            headers,
            body,
            label: "flood",
            on_grid: false,
            close: true,
            silent: held,
            in_doubt: false,
        }
    }

    /// The same reply, marked as delivered once more to a retry.
    #[must_use]
    pub fn redelivered(mut self) -> Self {
        self.headers.push(("Idempotency-Replayed", "true".to_owned()));
        if let Some(open) = self.body.strip_suffix(b"}").filter(|_| self.content_type == "application/json") {
            let mut marked = open.to_vec();
            marked.extend_from_slice(br#","redelivered":true}"#);
            self.body = marked.into();
        }
        self
    }

    /// The only reply without a record: the ledger or the signer failed. It says nothing of the call but its id, and what the agency's
    /// policy says to do in an outage.
    pub fn bare(request_id: Uuid, advice: Option<OutageStep>) -> Self {
        Self::unavailable(AGAIN.of(request_id), problem::bare(request_id, RefusalCode::LedgerUnavailable, advice, None))
    }

    /// The same where its cause is known and does not pass in a moment: a disk without room.
    pub fn bare_for(request_id: Uuid, advice: Option<OutageStep>, why: &'static str) -> Self {
        Self::unavailable(ROOM_AGAIN.of(request_id), problem::bare(request_id, RefusalCode::LedgerUnavailable, advice, Some(why)))
    }

    fn unavailable(retry_after_s: u32, body: Vec<u8>) -> Self {
        let code = RefusalCode::LedgerUnavailable;
        Self {
            status: code.status(),
            content_type: problem::MEDIA_TYPE,
            headers: vec![("Retry-After", retry_after_s.to_string())],
            body: body.into(),
            label: code.code(),
            on_grid: false,
            close: false,
            silent: 0,
            in_doubt: false,
        }
    }
}

/// The body of a problem on a listener where nobody is known: there is no call that could be recorded, so this is no [`Reply`].
pub fn unrecorded_problem(request_id: Uuid, code: RefusalCode, detail: &str) -> Vec<u8> {
    problem::unrecorded(request_id, code, detail)
}

/// Renders what was recorded.
pub fn render(recorded: Recorded, origin: &str, format: Format) -> Reply {
    let index = recorded.receipt().index;
    let signed = recorded.into_signed();
    match signed.conclusion() {
        Conclusion::Answer(decision) => {
            let (content_type, body) = match format {
                Format::Json => ("application/json", answer::body(&signed, decision, origin, index)),
                Format::Statement => ("application/jwt", signed.statement().as_bytes().to_vec()),
            };
            let reason = decision.verdict().reason;
            Reply {
                status: 200,
                content_type,
                headers: Vec::new(),
                body: body.into(),
                label: reason.outcome().code(),
                // Both, so that a registry that fails at once does not tell a remembered number from another.
                on_grid: matches!(reason, ReasonCode::NotEstablished | ReasonCode::RegistryUnavailable),
                close: false,
                silent: 0,
                in_doubt: false,
            }
        }
        Conclusion::Refusal(refusal) => Reply {
            status: refusal.code.status(),
            content_type: problem::MEDIA_TYPE,
            headers: problem::headers(refusal),
            body: problem::body(refusal, signed.statement(), origin, index).into(),
            label: refusal.code.code(),
            // So that a lane that is full at once does not tell a remembered number from another either.
            on_grid: refusal.code == RefusalCode::Overloaded,
            close: matches!(refusal.code, RefusalCode::CertificateNotAccepted | RefusalCode::ShuttingDown),
            silent: 0,
            in_doubt: false,
        },
        Conclusion::Delivery(delivery) => Reply {
            status: delivery.status,
            content_type: delivery.content_type,
            headers: problem::delivered_headers(delivery.status, delivery.context.request_id),
            body: delivery.body.clone().into(),
            label: delivery.code,
            on_grid: false,
            close: false,
            silent: 0,
            in_doubt: false,
        },
        // Recorded for auditors; there is nobody to tell.
        Conclusion::Flood(_) => Reply { status: 200, ..Reply::silence(1) },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::core::domain::context::CallContext;

    impl Reply {
        /// Some reply with a body, for tests of who keeps replies.
        pub(crate) fn of_bytes(body: Vec<u8>) -> Self {
            Self { status: 200, body: body.into(), ..Self::silence(1) }
        }
    }

    fn wait(reply: &Reply) -> u32 {
        let (_, seconds) = reply.headers().iter().find(|(name, _)| *name == "Retry-After").unwrap();
        seconds.parse().unwrap()
    }

    /// How often each wait was told to so many calls of one instant.
    fn told(reply: impl Fn(Uuid) -> Reply) -> BTreeMap<u32, u32> {
        let mut told = BTreeMap::new();
        for _ in 0..4000 {
            *told.entry(wait(&reply(CallContext::new("verify", Timestamp::UNIX_EPOCH).request_id))).or_default() += 1;
        }
        told
    }

    #[test]
    fn those_turned_away_at_once_are_told_to_come_back_apart() {
        let soon = told(|id| Reply::bare(id, None));
        assert_eq!(soon.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
        let room = told(|id| Reply::bare_for(id, None, "the disk is full"));
        assert_eq!(room.keys().copied().collect::<Vec<_>>(), (30..=45).collect::<Vec<_>>());
        // Alike often: a quarter and a sixteenth of them each, give or take a third.
        assert!(soon.values().all(|often| (667..1333).contains(often)) && room.values().all(|often| (160..340).contains(often)));
    }

    #[test]
    fn the_wait_of_a_call_is_decided_by_its_id_alone() {
        let id = Uuid::from_u128(7);
        assert_eq!((wait(&Reply::bare(id, None)), wait(&Reply::bare(id, Some(OutageStep::Proceed)))), (4, 4));
        assert_eq!(problem::again_headers(503, id), [("Retry-After", "4".to_owned())]);
        assert_eq!(problem::again_headers(200, id), []);
        assert_eq!(problem::delivered_headers(503, id), problem::again_headers(503, id));
    }
}
