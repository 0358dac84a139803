//! Documents (مدرک): their kinds, states and printed dates.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::date::Validity;

/// Declares an enum of kebab-case codes with `code`, `parse` and `ALL`.
macro_rules! coded_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of the domain page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code used in files, requests and answers.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value with this code.
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.code())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                // What was written instead may be anything, so that it is not repeated.
                Self::parse(&code).ok_or_else(|| {
                    let known: Vec<String> = Self::ALL.iter().map(|value| format!("`{}`", value.code())).collect();
                    serde::de::Error::custom(format!("no such word here; use {}", known.join(", ")))
                })
            }
        }
    };
}
pub(crate) use coded_enum;

coded_enum! {
    /// The kind of a document. Kind is not legal status: a smart card *carries* a status.
    DocumentKind {
        /// کارت هوشمند, the smart card.
        SmartCard = "smart-card",
        /// کارت آمایش, issued in numbered rounds (series).
        Amayesh = "amayesh",
        /// کارت هویت, series one below the Amayesh of the same round.
        Hoviat = "hoviat",
        /// کارت موقت, types 1 to 4 (as series).
        TemporaryCard = "temporary-card",
        /// برگه سرشماری.
        CensusSlip = "census-slip",
        /// برگ تردد; stands in for a lost card.
        LaissezPasser = "laissez-passer",
        /// برگ خروج.
        ExitLaissezPasser = "exit-laissez-passer",
        /// Passport with residence.
        PassportResidence = "passport-residence",
        /// Passport with a visa.
        PassportVisa = "passport-visa",
        /// Electronic household visa.
        HouseholdVisaElectronic = "household-visa-electronic",
        /// Manual household visa.
        HouseholdVisaManual = "household-visa-manual",
        /// دفترچه اقامت.
        ResidenceBooklet = "residence-booklet",
        /// دفترچه ویژه.
        SpecialBooklet = "special-booklet",
        /// دفترچه پناهندگی.
        RefugeeBooklet = "refugee-booklet",
        /// Student pass.
        StudentPass = "student-pass",
        /// Pupil card.
        PupilCard = "pupil-card",
        /// Education support slip.
        EducationSupportSlip = "education-support-slip",
        /// Work permit.
        WorkPermit = "work-permit",
    }
}

impl DocumentKind {
    /// Whether the kind is renewed in rounds, so that a lapsed one may still be renewable.
    pub const fn is_round_document(self) -> bool {
        matches!(self, Self::Amayesh | Self::Hoviat | Self::TemporaryCard)
    }

    /// Whether all of one series are printed to expire on one day, so that whoever has seen one card knows it of every other: cards of
    /// rounds and census slips, which decrees prolong en bloc too (domain §1, §4).
    pub const fn shares_its_expiry(self) -> bool {
        self.is_round_document() || matches!(self, Self::CensusSlip)
    }
}

coded_enum! {
    /// Where a document is in its life.
    DocumentState {
        /// Asked for.
        Requested = "requested",
        /// Made, not handed out.
        Produced = "produced",
        /// Waiting at a Kefalat office.
        AtOffice = "at-office",
        /// Handed to the holder.
        Delivered = "delivered",
        /// In use.
        Active = "active",
        /// Suspended by the authority.
        Suspended = "suspended",
        /// Reported lost.
        Lost = "lost",
        /// Reported stolen.
        Stolen = "stolen",
        /// Damaged.
        Damaged = "damaged",
        /// Replaced by a newer one.
        Replaced = "replaced",
        /// Revoked by the authority.
        Revoked = "revoked",
        /// Superseded by another kind.
        Superseded = "superseded",
        /// Marked expired by its issuer.
        Expired = "expired",
        /// Ended by the holder's death.
        HolderDeceased = "holder-deceased",
        /// Ended by the holder's departure.
        HolderDeparted = "holder-departed",
    }
}

coded_enum! {
    /// The part of a card that a service hangs on. Blocking one never blocks another (domain §3).
    #[derive(Default)]
    Facet {
        /// The holder's identity and legal status; every document has it.
        #[default]
        Identity = "identity",
        /// The bank account behind the card.
        Bank = "bank",
        /// The SIM that came with the card.
        Sim = "sim",
    }
}

/// The states of a card's bank account and SIM, where the registry states them apart from the card's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facets {
    /// Of the bank account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<DocumentState>,
    /// Of the SIM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sim: Option<DocumentState>,
}

impl Facets {
    /// Whether no facet has a state of its own.
    pub const fn is_empty(&self) -> bool {
        self.bank.is_none() && self.sim.is_none()
    }
}

/// One document as the registry holds it, without its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Its round (Amayesh, Hoviat) or type (temporary card).
    pub series: Option<u16>,
    /// Where it is in its life.
    pub state: DocumentState,
    /// The printed interval.
    pub printed: Validity,
    /// The status that a smart card carries.
    pub legal_status: Option<DocumentKind>,
    /// The states of its bank account and its SIM, where they have their own.
    pub facets: Facets,
    /// When the registry first had it, where it says so; a permit needs time from then on to reach other systems.
    pub recorded_at: Option<Timestamp>,
}

impl Document {
    /// A facet's own state, where it counts instead of the card's. Neither a suspension nor the loss of the card touches it; a
    /// card that is not handed out yet has no working facet, and none outlives a card that has ended.
    pub const fn own_state_of(&self, facet: Facet) -> Option<DocumentState> {
        match self.state {
            DocumentState::Delivered
            | DocumentState::Active
            | DocumentState::Suspended
            | DocumentState::Lost
            | DocumentState::Stolen
            | DocumentState::Damaged => match facet {
                Facet::Identity => None,
                Facet::Bank => self.facets.bank,
                Facet::Sim => self.facets.sim,
            },
            _ => None,
        }
    }
}
