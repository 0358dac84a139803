//! Services (18 codes) and the dated eligibility rules about them: data from `policies/services.toml`.

mod file;

use jiff::Timestamp;

use super::document::{DocumentKind, coded_enum};
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
    /// Where the rule comes from.
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
    /// Free to everyone: no document is needed and no identifier is looked up or recorded.
    pub no_document: bool,
    /// The same, but only when the request says `emergency: true`.
    pub no_document_in_emergency: bool,
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

impl ServiceRule {
    /// Whether a document of this kind, carrying this status, is one that the rule names.
    pub fn accepts(&self, kind: DocumentKind, legal_status: Option<DocumentKind>) -> bool {
        let carried = legal_status.filter(|_| kind == DocumentKind::SmartCard);
        self.accepts.is_empty() || self.accepts.contains(&kind) || carried.is_some_and(|status| self.accepts.contains(&status))
    }
}

impl Service {
    /// Whether everybody is served, so that no document is asked for and nobody is looked up.
    pub const fn is_free_to_all(&self, emergency: bool) -> bool {
        self.no_document || (emergency && self.no_document_in_emergency)
    }

    /// The rule in force at an instant.
    pub fn rule_at(&self, at: Timestamp) -> Option<&ServiceRule> {
        self.rules.iter().find(|rule| rule.from.is_none_or(|from| from <= at) && rule.until.is_none_or(|until| at < until))
    }
}

#[cfg(test)]
mod tests;
