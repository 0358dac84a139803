//! Documents (مدرک): their kinds, states and printed dates.

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
                Self::parse(&code).ok_or_else(|| serde::de::Error::custom(concat!("not a ", stringify!($name), " code")))
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
}
