//! The fields of entries that can be asked for, and what can be a value of each.

use uuid::Uuid;

use crate::core::domain::document::coded_enum;
use crate::core::domain::reason::{Outcome, ReasonCode};
use crate::core::ledger::{EntryContent, EntryKind, RetentionClass};
use crate::core::registry::Freshness;

coded_enum! {
    /// A field of entries that can be asked for.
    Field {
        /// Agency.
        Agency = "agency",
        /// Branch.
        Branch = "branch",
        /// First 16 hex digits of the certificate's SHA-256.
        Certificate = "certificate",
        /// Actor.
        Actor = "actor",
        /// Service.
        Service = "service",
        /// Purpose.
        Purpose = "purpose",
        /// Agency's reference; of a look-up in the log its case.
        Reference = "reference",
        /// Outcome code of an answer.
        Decision = "decision",
        /// Exact reason code of an answer.
        Reason = "reason",
        /// Code of a refusal or of another delivery.
        Code = "code",
        /// Policy version.
        PolicyVersion = "policy_version",
        /// Decree named.
        Decree = "decree",
        /// Freshness code.
        Freshness = "freshness",
        /// What the entry is about.
        Kind = "kind",
        /// Route name.
        Route = "route",
        /// The answer to the same request that a crash lost on its way.
        RetryOf = "retry_of",
        /// The agency's key that signed the request.
        SignedBy = "signed_by",
        /// Version of the decrees.
        DecreesVersion = "decrees_version",
        /// Retention class.
        Class = "class",
    }
}

impl Field {
    /// Whether a text can be a value of this field. Where the values are a closed list, or have a form of their own, nothing else can be; anywhere else
    /// it is a word that does not look like the number of a person, nor do the parts of a decree's id, which has its day in it.
    pub(super) fn admits(self, value: &str, looks_like_identifier: &dyn Fn(&str) -> bool) -> bool {
        let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match self {
            Self::Kind => EntryKind::parse(value).is_some(),
            Self::Decision => Outcome::parse(value).is_some(),
            Self::Reason => ReasonCode::parse(value).is_some(),
            Self::Freshness => Freshness::parse(value).is_some(),
            Self::Certificate => hex(value, 16),
            Self::Class => RetentionClass::parse(value).is_some(),
            Self::PolicyVersion | Self::DecreesVersion => value.strip_prefix("sha256:").is_some_and(|digest| hex(digest, 64)),
            Self::RetryOf => value.parse::<Uuid>().is_ok(),
            Self::Decree => !value.split('-').any(looks_like_identifier),
            _ => !looks_like_identifier(value),
        }
    }

    /// The values of a field that has few of them, for whoever wrote another.
    pub(super) fn values(self) -> Option<String> {
        fn list(codes: impl Iterator<Item = &'static str>) -> Option<String> {
            Some(codes.map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", "))
        }
        match self {
            Self::Kind => list(EntryKind::ALL.iter().map(|kind| kind.code())),
            Self::Decision => list(Outcome::ALL.iter().map(|outcome| outcome.code())),
            Self::Freshness => list(Freshness::ALL.iter().map(|freshness| freshness.code())),
            Self::Class => list(RetentionClass::ALL.iter().map(|class| class.code())),
            _ => None,
        }
    }

    /// Whether the values are a closed list that holds nothing of anybody.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Kind | Self::Decision | Self::Reason | Self::Freshness | Self::Class)
    }

    /// The value of this field in an entry of a kind and a retention class.
    pub fn of(self, (kind, class): (EntryKind, RetentionClass), content: &EntryContent) -> Option<&str> {
        match self {
            Self::Agency => content.agency.as_deref(),
            Self::Branch => content.branch.as_deref(),
            Self::Certificate => content.certificate.as_deref(),
            Self::Actor => content.actor.as_deref(),
            Self::Service => content.service.as_deref(),
            Self::Purpose => content.purpose.as_deref(),
            Self::Reference => content.reference.as_deref(),
            Self::Decision => content.decision.as_deref(),
            Self::Reason => content.reason.as_deref(),
            Self::Code => content.code.as_deref(),
            Self::PolicyVersion => content.policy_version.as_deref(),
            Self::Decree => content.decree.as_deref(),
            Self::Freshness => content.freshness.as_deref(),
            Self::Kind => Some(kind.code()),
            Self::Route => Some(&content.route),
            Self::RetryOf => content.retry_of.as_deref(),
            Self::SignedBy => content.signed_by.as_deref(),
            Self::DecreesVersion => content.decrees_version.as_deref(),
            Self::Class => Some(class.code()),
        }
    }
}
