//! Reasons of answers: stable codes, and their words and next steps from `policies/reasons.toml`.

mod file;

use super::document::coded_enum;

/// The catalogue that ships with the product.
pub const SHIPPED_REASONS: &str = include_str!("../../../policies/reasons.toml");

coded_enum! {
    /// What an answer says (پاسخ).
    Outcome {
        /// The holder may have the service.
        Entitled = "entitled",
        /// The holder may not, by a fact fresh enough.
        NotEntitled = "not-entitled",
        /// Unresolved, with a reason and a next step; never a "no".
        Indeterminate = "indeterminate",
        /// The service needs no document.
        NoDocumentRequired = "no-document-required",
    }
}

coded_enum! {
    /// Why an answer is as it is (contract §4).
    ReasonCode {
        /// A document is valid by its printed dates.
        Valid = "valid",
        /// A document is valid by a decree.
        ValidByDecree = "valid-by-decree",
        /// The service needs no document.
        NoDocumentRequired = "no-document-required",
        /// Past its date, no decree, not renewable.
        DocumentLapsed = "document-lapsed",
        /// Suspended by the authority.
        DocumentSuspended = "document-suspended",
        /// Revoked by the authority.
        DocumentRevoked = "document-revoked",
        /// Ended by a decree.
        EndedByDecree = "ended-by-decree",
        /// Too young on the day asked.
        UnderAge = "under-age",
        /// Valid, but of a kind that does not carry this service.
        ServiceNotCovered = "service-not-covered",
        /// The bank account or SIM of the card is blocked; the card itself is not.
        FacetSuspended = "facet-suspended",
        /// Travel outside the registered province, without a laissez-passer.
        LaissezPasserNeeded = "laissez-passer-needed",
        /// Past its date, may still be renewed.
        LapsedRenewable = "lapsed-renewable",
        /// Lost, stolen or damaged with no stand-in.
        DocumentLost = "document-lost",
        /// Replaced or superseded, and the newer one is not known.
        DocumentReplaced = "document-replaced",
        /// The only document is not handed out yet.
        CardNotDelivered = "card-not-delivered",
        /// A year-only birth on the boundary.
        AgeUnknown = "age-unknown",
        /// A rule that is needed is not in the catalogue.
        RuleMissing = "rule-missing",
        /// Unknown, blocked, or the second factor does not match: one code, one shape, one timing.
        NotEstablished = "not-established",
        /// Several people carry the identifier.
        AmbiguousIdentifier = "ambiguous-identifier",
        /// The registry did not answer in time.
        RegistryUnavailable = "registry-unavailable",
        /// What is known is older than the policy's bound.
        TooStale = "too-stale",
        /// The residence area is on no list.
        AreaUnknown = "area-unknown",
        /// A permit on its way to the agency's system.
        PendingPropagation = "pending-propagation",
        /// The record lacks what settles the answer: the status that a card carries, or what a decree asks about.
        RecordIncomplete = "record-incomplete",
    }
}

impl ReasonCode {
    /// The outcome that the reason stands for.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Valid | Self::ValidByDecree => Outcome::Entitled,
            Self::NoDocumentRequired => Outcome::NoDocumentRequired,
            Self::DocumentLapsed
            | Self::DocumentSuspended
            | Self::DocumentRevoked
            | Self::EndedByDecree
            | Self::UnderAge
            | Self::ServiceNotCovered
            | Self::FacetSuspended
            | Self::LaissezPasserNeeded => Outcome::NotEntitled,
            Self::LapsedRenewable
            | Self::DocumentLost
            | Self::DocumentReplaced
            | Self::CardNotDelivered
            | Self::AgeUnknown
            | Self::RuleMissing
            | Self::NotEstablished
            | Self::AmbiguousIdentifier
            | Self::RegistryUnavailable
            | Self::TooStale
            | Self::AreaUnknown
            | Self::PendingPropagation
            | Self::RecordIncomplete => Outcome::Indeterminate,
        }
    }

    /// The reason told to an agency that may not see the exact one (contract §4): the coarse one of the same outcome. What
    /// says nothing about the holder's own papers, or what the agency must know to act, stays as it is.
    pub const fn coarse(self) -> Self {
        match self {
            Self::DocumentLapsed
            | Self::DocumentSuspended
            | Self::DocumentRevoked
            | Self::EndedByDecree
            | Self::UnderAge
            | Self::FacetSuspended
            | Self::LaissezPasserNeeded => Self::ServiceNotCovered,
            Self::DocumentLost | Self::DocumentReplaced | Self::CardNotDelivered => Self::LapsedRenewable,
            Self::Valid
            | Self::ValidByDecree
            | Self::NoDocumentRequired
            | Self::ServiceNotCovered
            | Self::LapsedRenewable
            | Self::AgeUnknown
            | Self::RuleMissing
            | Self::NotEstablished
            | Self::AmbiguousIdentifier
            | Self::RegistryUnavailable
            | Self::TooStale
            | Self::AreaUnknown
            | Self::PendingPropagation
            | Self::RecordIncomplete => self,
        }
    }
}

/// A set of reasons, cheap to copy and to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReasonSet(u64);

impl ReasonSet {
    /// Whether a reason is in the set.
    pub const fn has(self, code: ReasonCode) -> bool {
        self.0 & Self::bit(code) != 0
    }

    /// The set with one more reason.
    #[must_use]
    pub const fn with(self, code: ReasonCode) -> Self {
        Self(self.0 | Self::bit(code))
    }

    /// The reasons of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Each reason has a bit of its own: there are fewer than 64.
    const fn bit(code: ReasonCode) -> u64 {
        1 << code as u32
    }
}

coded_enum! {
    /// What an agency does while the registry cannot be asked (domain §8).
    OutageStep {
        /// Serve now and ask again later.
        Proceed = "proceed",
        /// Ask again later, before acting.
        TryLater = "try-later",
    }
}

coded_enum! {
    /// Who must act next.
    NextWho {
        /// The agency that asked.
        Agency = "agency",
        /// The holder.
        Holder = "holder",
        /// The registry's authority.
        Registry = "registry",
        /// Nobody.
        Nobody = "none",
    }
}

/// What people read about a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonText {
    /// The disclosure class: `open`, or a class that an agency's policy must name before it is told this reason exactly.
    pub class: String,
    /// In Persian.
    pub fa: String,
    /// In English.
    pub en: String,
    /// Who must act: `agency`, `holder`, `registry`, `none`.
    pub next_who: String,
    /// What to do, as a stable kebab-case code.
    pub next_action: String,
    /// What to do, in Persian.
    pub next_fa: String,
    /// What to do, in English.
    pub next_en: String,
    /// `message` and `next` of an answer as JSON, written once when the catalogue is loaded.
    json: [String; 2],
}

impl ReasonText {
    /// The words of the reason as the `message` object of an answer.
    pub fn message_json(&self) -> &str {
        let [message, _] = &self.json;
        message
    }

    /// The next step as the `next` object of an answer.
    pub fn next_json(&self) -> &str {
        let [_, next] = &self.json;
        next
    }

    fn written(self) -> Self {
        #[derive(serde::Serialize)]
        struct Message<'a> {
            fa: &'a str,
            en: &'a str,
        }
        #[derive(serde::Serialize)]
        struct Next<'a> {
            who: &'a str,
            action: &'a str,
            message: Message<'a>,
        }
        let message = serde_json::to_string(&Message { fa: &self.fa, en: &self.en });
        let words = Message { fa: &self.next_fa, en: &self.next_en };
        let next = serde_json::to_string(&Next { who: &self.next_who, action: &self.next_action, message: words });
        // Serialising strings into memory cannot fail.
        Self { json: [message.unwrap_or_default(), next.unwrap_or_default()], ..self }
    }
}

/// The disclosure class of reasons that every agency is told.
pub const OPEN_CLASS: &str = "open";

/// The words for every reason code, and for the two ways through an outage.
#[derive(Clone, Debug, Default)]
pub struct ReasonCatalogue {
    texts: std::collections::BTreeMap<ReasonCode, ReasonText>,
    outage: std::collections::BTreeMap<OutageStep, ReasonText>,
}

impl ReasonCatalogue {
    /// Reads a catalogue and refuses one that leaves a code without fa or en text.
    ///
    /// # Errors
    /// One line with the place in the file and what to do.
    pub fn parse(toml: &str) -> Result<Self, String> {
        file::read(toml)
    }

    /// The words for a code; a loaded catalogue has every one.
    pub fn get(&self, code: ReasonCode) -> Option<&ReasonText> {
        self.texts.get(&code)
    }

    /// The words for a code, as an agency reads them that does this in an outage.
    pub fn words(&self, code: ReasonCode, step: OutageStep) -> Option<&ReasonText> {
        let in_outage = if code == ReasonCode::RegistryUnavailable { self.outage(step) } else { None };
        in_outage.or_else(|| self.get(code))
    }

    /// The reasons of one disclosure class.
    pub fn of_class(&self, class: &str) -> ReasonSet {
        let members = self.texts.iter().filter(|(_, text)| text.class == class);
        members.fold(ReasonSet::default(), |set, (code, _)| set.with(*code))
    }

    /// Every disclosure class but `open`, which everybody has.
    pub fn classes(&self) -> std::collections::BTreeSet<&str> {
        self.texts.values().map(|text| text.class.as_str()).filter(|class| *class != OPEN_CLASS).collect()
    }

    /// The words of `registry-unavailable` for an agency that proceeds, or waits, in an outage; they replace those of [`Self::get`].
    pub fn outage(&self, step: OutageStep) -> Option<&ReasonText> {
        self.outage.get(&step)
    }
}

#[cfg(test)]
mod tests;
