//! Services (18 codes) and the dated eligibility rules about them: data from `policies/services.toml`.

mod file;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::document::{DocumentKind, Facet, coded_enum};
use super::reason::ReasonCode;

/// The catalogue that ships with the product.
pub const SHIPPED_SERVICES: &str = include_str!("../../../policies/services.toml");

coded_enum! {
    /// How sure we are of a rule.
    Confidence {
        /// Stated by the project's founding document.
        Seed = "seed",
        /// Found in public sources.
        Public = "pub",
        /// Our inference.
        Inferred = "inf",
    }
}

/// One dated rule of a service; the rule in force is the one whose interval holds the instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRule {
    /// Stable name that answers' entries carry.
    pub id: String,
    /// First instant in force.
    pub from: Option<Timestamp>,
    /// First instant no longer in force.
    pub until: Option<Timestamp>,
    /// Kinds that carry the service; empty: any valid document. A smart card counts as itself or as the status it carries.
    pub accepts: Vec<DocumentKind>,
    /// Full years that the holder must have reached on the day asked.
    pub min_age: Option<u16>,
    /// What a valid document of a kind that is not accepted means: `service-not-covered`, unless the rule knows too little for a "no".
    pub otherwise: ReasonCode,
    /// Hours that a document recorded anew may take to reach the system of those who ask: until then `pending-propagation`.
    pub propagation_hours: Option<u16>,
    /// What the asker has to know and to keep count of.
    pub terms: Terms,
    /// Where a document that the rule does not name carries the service nevertheless: in the holder's own province, if listed.
    pub areas: Vec<Area>,
    /// Where the rule comes from.
    pub source: String,
    /// How sure we are of it: `seed`, `pub` or `inf`.
    pub confidence: String,
}

/// What an asker that gives a service has to know of it (domain §6). It keeps count itself: nobody here knows what it gave to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// How many each holder may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u16>,
    /// Months after which it is given anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycle_months: Option<u16>,
    /// Whether it is valid as long as the document that carries it, and no longer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ends_with_document: bool,
}

/// A dated list of provinces known to be open to some holders. Lists conflict, so there is no list of closed ones: a province
/// on no list is unknown, never barred (domain §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Stable name.
    pub id: String,
    /// First instant in force.
    pub from: Option<Timestamp>,
    /// First instant no longer in force.
    pub until: Option<Timestamp>,
    /// ISO 3166 alpha-2 nationalities that it speaks of; empty: every one.
    pub nationalities: Vec<String>,
    /// Document kinds that it speaks of, or statuses that a smart card carries; empty: every one.
    pub holders: Vec<DocumentKind>,
    /// ISO 3166-2:IR provinces that are open.
    pub provinces: Vec<String>,
    /// Where the list comes from.
    pub source: String,
    /// How sure we are of it: `seed`, `pub` or `inf`.
    pub confidence: String,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Stable code, for example `bank-card`.
    pub code: String,
    /// Name in Persian.
    pub fa: String,
    /// Name in English.
    pub en: String,
    /// The part of a card that the service hangs on.
    pub facet: Facet,
    /// Free to everyone: no document is needed and no identifier is looked up or recorded.
    pub no_document: bool,
    /// The same, but only when the request says `emergency: true`.
    pub no_document_in_emergency: bool,
    /// Lives hang on it: it goes on while revocation lists are overdue, under the local list of what is cut off.
    pub life_critical: bool,
    /// Its rules. None at all where one is needed: `rule-missing`.
    pub rules: Vec<ServiceRule>,
}

/// Every service that the catalogue knows.
#[derive(Clone, Debug, Default)]
pub struct ServiceCatalogue {
    services: Vec<Service>,
}

impl ServiceCatalogue {
    /// Reads and checks a catalogue.
    ///
    /// # Errors
    /// One line with the place in the file and what to do.
    pub fn parse(toml: &str) -> Result<Self, String> {
        file::read(toml).map(|services| Self { services })
    }

    /// The service with this code.
    pub fn get(&self, code: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.code == code)
    }

    /// Every service in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }
}

impl Terms {
    /// Whether there is nothing to know.
    pub const fn is_empty(&self) -> bool {
        self.at_most.is_none() && self.cycle_months.is_none() && !self.ends_with_document
    }
}

impl ServiceRule {
    /// Whether a document of this kind, carrying this status, is one that the rule names.
    pub fn accepts(&self, kind: DocumentKind, legal_status: Option<DocumentKind>) -> bool {
        self.accepts.is_empty() || names(&self.accepts, kind, legal_status)
    }

    /// Whether a province is on a list, in force at an instant, that speaks of these holders.
    pub fn lists(
        &self,
        province: &str,
        nationality: Option<&str>,
        kind: DocumentKind,
        legal_status: Option<DocumentKind>,
        at: Timestamp,
    ) -> bool {
        let speaks = |area: &&Area| {
            in_force(area.from, area.until, at)
                && (area.nationalities.is_empty() || nationality.is_some_and(|code| area.nationalities.iter().any(|listed| listed == code)))
                && (area.holders.is_empty() || names(&area.holders, kind, legal_status))
        };
        self.areas.iter().filter(speaks).any(|area| area.provinces.iter().any(|listed| listed == province))
    }

    /// Until when a document recorded at `recorded` is still on its way.
    pub fn arrives(&self, recorded: Timestamp) -> Option<Timestamp> {
        let hours = SignedDuration::from_hours(i64::from(self.propagation_hours?));
        Some(recorded.checked_add(hours).unwrap_or(Timestamp::MAX))
    }

    /// Every instant at which the rule or one of its lists begins or ends.
    pub fn turns(&self) -> impl Iterator<Item = Timestamp> {
        [self.from, self.until].into_iter().chain(self.areas.iter().flat_map(|area| [area.from, area.until])).flatten()
    }
}

impl Service {
    /// Whether everybody is served, so that no document is asked for and nobody is looked up.
    pub const fn is_free_to_all(&self, emergency: bool) -> bool {
        self.no_document || (emergency && self.no_document_in_emergency)
    }

    /// The rule in force at an instant.
    pub fn rule_at(&self, at: Timestamp) -> Option<&ServiceRule> {
        self.rules.iter().find(|rule| in_force(rule.from, rule.until, at))
    }
}

fn in_force(from: Option<Timestamp>, until: Option<Timestamp>, at: Timestamp) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}

/// A smart card counts as itself and as the status that it carries.
fn names(kinds: &[DocumentKind], kind: DocumentKind, legal_status: Option<DocumentKind>) -> bool {
    let carried = legal_status.filter(|_| kind == DocumentKind::SmartCard);
    kinds.contains(&kind) || carried.is_some_and(|status| kinds.contains(&status))
}

#[cfg(test)]
mod tests;
