//! What a call can end in.

use crate::core::decision::Decision;
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::Refusal;
use crate::core::ledger::EntryKind;
use crate::core::limit::Flood;

/// The end of a call: an answer, a refusal, or the delivery of something else that must be recorded. Or of many calls: a flood.
#[derive(Debug)]
pub enum Conclusion {
    /// A decision about a person.
    Answer(Box<Decision>),
    /// A refusal.
    Refusal(Box<Refusal>),
    /// An access token, an error of the token endpoint, or a read of the log.
    Delivery(Box<Delivery>),
    /// Refusals that were counted together; nobody is told.
    Flood(Box<Counted>),
}

impl Conclusion {
    /// Whether it is an administrative act, about nobody.
    pub fn is_administrative(&self) -> bool {
        matches!(self, Self::Delivery(delivery) if delivery.kind == EntryKind::Admin)
    }

    /// What is known of the call.
    pub fn context(&self) -> &CallContext {
        match self {
            Self::Answer(decision) => decision.permit().call().agency().context(),
            Self::Refusal(refusal) => &refusal.context,
            Self::Delivery(delivery) => &delivery.context,
            Self::Flood(counted) => &counted.context,
        }
    }
}

/// Refusals that were counted together, and the call that stands for them.
#[derive(Debug)]
pub struct Counted {
    /// Whose they were.
    pub context: CallContext,
    /// Of which code and second, and how many.
    pub flood: Flood,
}

/// A body that leaves under a record of its own.
pub struct Delivery {
    /// What is known of the call.
    pub context: CallContext,
    /// What the entry is about.
    pub kind: EntryKind,
    /// A short stable code for the log, for example `token-issued` or `invalid_client`.
    pub code: &'static str,
    /// What was asked for, as JSON for the log; never an identifier.
    pub details: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// What the entry's header commits to: the token itself, or the body.
    pub statement: String,
}

/// The body may be a token: it is not shown.
impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("context", &self.context)
            .field("code", &self.code)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
