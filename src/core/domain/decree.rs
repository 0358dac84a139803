//! Decrees (ابلاغیه): dated notices that extend, end, grant or restrict validity en bloc.

use jiff::Timestamp;

use super::date::PartialDate;
use super::document::{DocumentKind, coded_enum};

coded_enum! {
    /// What a decree does to the documents that it selects.
    Effect {
        /// Keeps documents valid past their printed date; never shortens.
        Extend = "extend",
        /// Ends documents whatever their printed date.
        Terminate = "terminate",
        /// Grants a service to the documents selected.
        Grant = "grant",
        /// Withholds a service from the documents selected.
        Restrict = "restrict",
        /// Asks the holder to act; changes no validity by itself.
        RequireAction = "require-action",
        /// Opens a window in which lapsed round documents may be renewed.
        RenewalWindow = "renewal-window",
    }
}

/// Which documents a decree is about: every field given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Document kind.
    pub kind: Option<DocumentKind>,
    /// Series or type.
    pub series: Option<u16>,
    /// The status a smart card carries.
    pub legal_status: Option<DocumentKind>,
    /// ISO 3166 alpha-2 nationality of the holder.
    pub nationality: Option<String>,
    /// ISO 3166-2:IR province of the holder.
    pub province: Option<String>,
    /// Issue window, both days inclusive.
    pub issued: Option<PartialDate>,
    /// `head` or `member`.
    pub household_role: Option<String>,
}

/// Which services a decree covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Services {
    /// Every service.
    All,
    /// These service codes.
    Only(Vec<String>),
}

/// One decree in force, with its two times: when it has effect and when it was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decree {
    /// Stable name, for example `d1-1402-04-07`.
    pub id: String,
    /// Who decreed.
    pub authority: String,
    /// First instant of effect.
    pub effective_from: Timestamp,
    /// First instant after the effect; `None` is «until further notice» (تا اطلاع بعدی).
    pub effective_until: Option<Timestamp>,
    /// When the system learned of it (second official's approval); only this counts for "as known then".
    pub recorded_at: Timestamp,
    /// When it was rescinded, if it was.
    pub rescinded_at: Option<Timestamp>,
    /// What it selects; any selector that matches is enough.
    pub select: Vec<Selector>,
    /// The services it covers.
    pub services: Services,
    /// What it does.
    pub effect: Effect,
    /// Decrees that it replaces from its own effect on.
    pub supersedes: Vec<String>,
    /// Its words in Persian.
    pub text_fa: String,
    /// Its words in English.
    pub text_en: String,
}

/// An immutable set of decrees and the hash that names it in answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecreeSet {
    /// `sha256:` and the hex digest of the set's canonical form.
    pub version: String,
    /// Every decree ever approved, rescinded ones included.
    pub decrees: Vec<Decree>,
    /// When the registry last said that this set is current.
    pub as_of: Timestamp,
}
