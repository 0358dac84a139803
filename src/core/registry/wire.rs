//! The registry's HTTP shapes (contract §5), shared by the gateway's client and the reference registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::domain::document::Facets;

/// Header field by which a question is known: the gateway draws its value for each, and a registry says it again with the answer, so that an
/// answer to another question, as a proxy gives that has mixed up two, is found out. Of a registry that does not say it nothing is held against that.
pub const QUESTION: &str = "estelam-question";

/// `POST /registry/v1/lookup`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupRequest<'a> {
    /// Scheme code.
    pub scheme: std::borrow::Cow<'a, str>,
    /// Normalised value.
    pub value: std::borrow::Cow<'a, str>,
}

/// The registry's answer; always 200.
#[derive(Debug, Serialize, Deserialize)]
pub struct LookupAnswer {
    /// The change cursor that this answer reflects.
    pub version: u64,
    /// RFC 3339 instant at which the registry read its store.
    pub as_of: jiff::Timestamp,
    /// The registry's keyed hash of this identifier, as it appears in the change feed.
    pub subject: String,
    /// None, one or several people.
    pub persons: Vec<WirePerson>,
    /// Whether more people bear the number than are listed. Two who are not blocked are listed then at least: that shows already that the
    /// number is ambiguous.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// What of the registry's answer is about the registry, and not about the people behind one number.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "that it can be read is all that is asked")]
pub struct LookupFrame {
    version: u64,
    as_of: jiff::Timestamp,
    subject: String,
    persons: Vec<serde::de::IgnoredAny>,
}

/// The registry's answer to `POST /registry/v1/identifiers`; always 200. Only the gateway's officer of data protection ever needs it.
#[derive(Debug, Serialize, Deserialize)]
pub struct IdentifiersAnswer {
    /// RFC 3339 instant at which the registry read its store.
    pub as_of: jiff::Timestamp,
    /// None, one or several people.
    pub persons: Vec<WireIdentities>,
}

/// Every number of one person, present and past, of all records that count as this person now.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireIdentities {
    /// The numbers.
    pub identifiers: Vec<WireIdentifier>,
    /// Whether this person may be a minor today; registries of earlier builds do not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub minor: bool,
}

/// One number. Wiped when dropped, never shown by `Debug`.
#[derive(Serialize, Deserialize)]
pub struct WireIdentifier {
    /// Scheme code.
    pub scheme: String,
    /// Normalised value.
    pub value: String,
    /// Whether other people have it too.
    pub shared: bool,
}

impl zeroize::ZeroizeOnDrop for WireIdentifier {}

impl Drop for WireIdentifier {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.value);
    }
}

impl std::fmt::Debug for WireIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WireIdentifier({}, …)", self.scheme)
    }
}

/// One person, without name or number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WirePerson {
    /// Date of birth as `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub birth: Option<WireDate>,
    /// ISO 3166 alpha-2.
    pub nationality: Option<String>,
    /// ISO 3166-2:IR.
    pub province: Option<String>,
    /// `head` or `member`.
    pub household_role: Option<String>,
    /// Protected record or honeypot.
    #[serde(default)]
    pub blocked: bool,
    /// Documents.
    pub documents: Vec<WireDocument>,
    /// The documents that bear the number asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub papers: Vec<WirePaper>,
    /// How the name is spelt and sounds, for a hint; no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_key: Option<crate::core::domain::name::NameKey>,
    /// The registry's keyed hash of the person, the same by whichever number: 16 hex digits. The gateway counts by it in memory and keeps it nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What tells one document that bears the number asked for from others of that number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WirePaper {
    /// Kind code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<crate::core::domain::document::DocumentKind>,
    /// Printed expiry date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<WireDate>,
    /// Series or type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<u16>,
    /// Issuing country, two or three letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A date with its calendar.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireDate {
    /// As written.
    pub date: String,
    /// `jalali` or `gregorian`.
    pub calendar: crate::core::domain::date::Calendar,
}

/// One document, without its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireDocument {
    /// Kind code.
    pub kind: crate::core::domain::document::DocumentKind,
    /// Series or type.
    pub series: Option<u16>,
    /// State code.
    pub state: crate::core::domain::document::DocumentState,
    /// Printed issue date.
    pub issued: Option<WireDate>,
    /// Printed expiry date.
    pub expires: Option<WireDate>,
    /// Status carried, for smart cards.
    pub legal_status: Option<crate::core::domain::document::DocumentKind>,
    /// States of the bank account and the SIM, where they have their own.
    #[serde(default, skip_serializing_if = "Facets::is_empty")]
    pub facets: Facets,
    /// When the registry first had the document, where it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<jiff::Timestamp>,
}

/// `GET /registry/v1/decrees`. `canonical` is each decree's canonical form; the version is the SHA-256 over them.
#[derive(Debug, Serialize, Deserialize)]
pub struct DecreesAnswer {
    /// `sha256:` and hex.
    pub version: String,
    /// The change cursor that this answer reflects.
    pub cursor: u64,
    /// When the registry read its store.
    pub as_of: jiff::Timestamp,
    /// The decrees.
    pub decrees: Vec<WireDecree>,
    /// What to ask the change feed with after this cursor, where the registry tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The names of those who signed each decree and its rescission, by its id, as the registry says; the version does not cover it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signers: BTreeMap<String, Vec<String>>,
    /// Their signatures, by which a gateway checks that; the version does not cover them either. What they are over, [`super::signing`] says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signatures: super::signing::Signatures,
}

/// One decree in force (or rescinded), in the words of `decrees.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireDecree {
    /// Stable name.
    pub id: String,
    /// Who decreed.
    pub authority: String,
    /// Jalali day.
    pub issued_on: String,
    /// Jalali day on which the authority made it known.
    pub known_from: String,
    /// First Jalali day of effect.
    pub effective_from: String,
    /// Last Jalali day of effect; absent: until further notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_to: Option<String>,
    /// Selectors.
    pub select: Vec<WireSelector>,
    /// `"all"` or a list of service codes.
    pub services: WireServices,
    /// Effect code.
    pub effect: crate::core::domain::decree::Effect,
    /// Decrees that it replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<String>,
    /// Its words.
    pub text: WireText,
    /// Where it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When the second official approved; set by the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<jiff::Timestamp>,
    /// When it was rescinded; set by the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescinded_at: Option<jiff::Timestamp>,
}

/// A selector of a decree.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireSelector {
    /// Kind code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<crate::core::domain::document::DocumentKind>,
    /// Series or type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<u16>,
    /// Status that a smart card carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_status: Option<crate::core::domain::document::DocumentKind>,
    /// ISO 3166 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nationality: Option<String>,
    /// ISO 3166-2:IR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// First Jalali day of the issue window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_from: Option<String>,
    /// Last Jalali day of the issue window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_to: Option<String>,
    /// `head` or `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub household_role: Option<String>,
}

/// `"all"` or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "`services` is \"all\" or a list of service codes")]
pub enum WireServices {
    /// The word `all`.
    Word(AllWord),
    /// Service codes.
    List(Vec<String>),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllWord {
    /// Every service.
    All,
}

/// A text in two languages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireText {
    /// Persian.
    pub fa: String,
    /// English.
    pub en: String,
}

/// `GET /registry/v1/changes?after=CURSOR[&history=HISTORY]`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ChangesAnswer {
    /// Ask next after this cursor.
    pub cursor: u64,
    /// Keyed hashes of the identifiers whose people changed.
    pub subjects: Vec<String>,
    /// Whether the decrees changed.
    pub decrees: bool,
    /// Too much changed to list (an import): forget every cached person.
    pub everything: bool,
    /// Names the change at this cursor, drawn at random when it was made: whoever asks after it says it again, and a register that was put back and
    /// went on, and so has other changes under the same cursors, is told from the one before. None of a registry that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The change after which was asked is another one here: nothing that was learned of this register holds. `everything` is true then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rewritten: bool,
}
