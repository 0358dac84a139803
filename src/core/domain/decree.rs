//! Decrees (ابلاغیه): dated notices that extend, end, grant or restrict validity en bloc.

use jiff::Timestamp;

use super::date::PartialDate;
use super::document::{Document, DocumentKind, coded_enum};
use super::person::Person;

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

impl Selector {
    /// Whether a document of this holder is selected. A field that the selector gives and the record lacks does not match.
    ///
    /// The issue window is met when the printed issue date could lie in it (dates have a precision, domain §9).
    pub fn matches(&self, document: &Document, person: &Person) -> bool {
        given_is(self.kind.as_ref(), Some(&document.kind))
            && given_is(self.series.as_ref(), document.series.as_ref())
            && given_is(self.legal_status.as_ref(), document.legal_status.as_ref())
            && given_is(self.nationality.as_deref(), person.nationality.as_deref())
            && given_is(self.province.as_deref(), person.province.as_deref())
            && given_is(self.household_role.as_deref(), person.household_role.as_deref())
            && self.issued.is_none_or(|window| document.printed.issued().is_some_and(|issued| window.overlaps(&issued)))
    }

    /// Whether it is selected whichever of the days that its printed issue date leaves open is the right one.
    pub fn surely_matches(&self, document: &Document, person: &Person) -> bool {
        let surely_issued = |window: PartialDate| document.printed.issued().is_some_and(|issued| window.holds(&issued));
        self.matches(document, person) && self.issued.is_none_or(surely_issued)
    }

    /// Whether it could be selected, were written down what the record lacks of what there is: everybody has a nationality and lives in a province, every
    /// round document is of a series, and a smart card may carry a status. Who is in no household has no role there, and a paper may show no day of issue.
    pub fn might_match(&self, document: &Document, person: &Person) -> bool {
        let (kind, series, status) = (document.kind, document.series.as_ref(), document.legal_status.as_ref());
        let of_series = given_is(self.series.as_ref(), series) || (series.is_none() && kind.is_round_document());
        let of_status = given_is(self.legal_status.as_ref(), status) || (status.is_none() && kind == DocumentKind::SmartCard);
        given_is(self.kind.as_ref(), Some(&kind))
            && of_series
            && of_status
            && given_may_be(self.nationality.as_deref(), person.nationality.as_deref())
            && given_may_be(self.province.as_deref(), person.province.as_deref())
            && given_is(self.household_role.as_deref(), person.household_role.as_deref())
            && self.issued.is_none_or(|window| document.printed.issued().is_some_and(|issued| window.overlaps(&issued)))
    }
}

/// The same, where what is not recorded may be anything.
fn given_may_be<T: PartialEq + ?Sized>(given: Option<&T>, recorded: Option<&T>) -> bool {
    recorded.is_none() || given_is(given, recorded)
}

fn given_is<T: PartialEq + ?Sized>(given: Option<&T>, recorded: Option<&T>) -> bool {
    given.is_none() || given == recorded
}

/// Which services a decree covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Services {
    /// Every service.
    All,
    /// These service codes.
    Only(Vec<String>),
}

impl Services {
    /// Whether the decree matters for this service.
    pub fn cover(&self, service: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(codes) => codes.iter().any(|code| code == service),
        }
    }
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

/// Where a decree is in its life at an instant of legal time, by what is known at an instant of knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nobody knew of it.
    Unknown,
    /// Known, its effect lies ahead.
    Ahead,
    /// In force.
    InForce,
    /// Its effect is over.
    Over,
    /// Rescinded.
    Withdrawn,
}

impl Decree {
    /// The phase by the decree's own dates; that another decree replaced it is for the set to say.
    pub fn phase(&self, now: Timestamp, known_at: Timestamp) -> Phase {
        if known_at < self.recorded_at {
            Phase::Unknown
        } else if self.rescission_known_at(known_at).is_some_and(|rescinded| rescinded <= now) {
            Phase::Withdrawn
        } else if now < self.effective_from {
            Phase::Ahead
        } else if self.effective_until.is_some_and(|until| until <= now) {
            Phase::Over
        } else {
            Phase::InForce
        }
    }

    /// When the decree was rescinded, as far as that was known.
    pub fn rescission_known_at(&self, known_at: Timestamp) -> Option<Timestamp> {
        self.rescinded_at.filter(|rescinded| *rescinded <= known_at)
    }

    /// Whether any of its selectors selects a document of this holder.
    pub fn selects(&self, document: &Document, person: &Person) -> bool {
        self.select.iter().any(|selector| selector.matches(document, person))
    }

    /// Whether one of them does whatever the record leaves open, see [`Selector::surely_matches`].
    pub fn surely_selects(&self, document: &Document, person: &Person) -> bool {
        self.select.iter().any(|selector| selector.surely_matches(document, person))
    }

    /// Whether one of them could, see [`Selector::might_match`].
    pub fn might_select(&self, document: &Document, person: &Person) -> bool {
        self.select.iter().any(|selector| selector.might_match(document, person))
    }
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

impl DecreeSet {
    /// The next instant after `now` at which a decree or a rescission of the set becomes known: a registry's clock may be ahead of ours.
    pub fn known_next(&self, now: Timestamp) -> Option<Timestamp> {
        let known = self.decrees.iter().flat_map(|decree| [Some(decree.recorded_at), decree.rescinded_at]);
        known.flatten().filter(|at| *at > now).min()
    }

    /// Whether a later set holds everything that this one held: decrees are added and rescinded, never taken back or changed
    /// (domain §4). A set that fails this would rewrite history. Names the first decree that is missing or changed.
    ///
    /// # Errors
    /// The id of that decree.
    pub fn is_continued_by<'a>(&'a self, later: &Self) -> Result<(), &'a str> {
        let continues = |earlier: &Decree, decree: &Decree| {
            let rescinded_since = earlier.rescinded_at.is_none() && decree.rescinded_at.is_some();
            earlier == decree || (rescinded_since && *earlier == Decree { rescinded_at: None, ..decree.clone() })
        };
        let kept = |earlier: &Decree| later.decrees.iter().any(|decree| decree.id == earlier.id && continues(earlier, decree));
        self.decrees.iter().find(|earlier| !kept(earlier)).map_or(Ok(()), |lost| Err(lost.id.as_str()))
    }
}

#[cfg(test)]
mod tests;
