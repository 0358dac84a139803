//! What was recorded last of each thing that changes: `acts.json` beside the log. It holds names of agencies, keys, decrees, holds and orders, and hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{KnownLists, StartError};
use crate::adapters::cutoff::CutOffList;
use crate::adapters::keys::{KeyState, KeyUse};
use crate::files;

/// What the log knows to be in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Known {
    /// Policy version.
    pub policies: Option<String>,
    /// Decrees: their version, and whether each is rescinded.
    pub decrees: Option<(String, BTreeMap<String, bool>)>,
    /// Names the approvals and rescissions of them that were judged when they came; nothing before the first list that was.
    pub decree_steps: Option<BTreeSet<String>>,
    /// What is cut off.
    pub cut_off: CutOffList,
    /// Signing keys by id; nothing before the first start.
    pub keys: Option<BTreeMap<String, KnownKey>>,
    /// Legal holds by name.
    pub holds: BTreeMap<String, KnownSigned>,
    /// Deferrals by name.
    pub deferrals: BTreeMap<String, KnownSigned>,
    /// Purge orders by name.
    pub purge_orders: BTreeMap<String, KnownSigned>,
    /// Revocation lists by whose certificates they are about.
    pub lists: BTreeMap<String, KnownLists>,
    /// Certificates by SHA-256, hexadecimal.
    pub certificates: BTreeMap<String, KnownCertificate>,
    /// Scopes that open trails or the gateway, by the agency in force whose certificates may use them.
    pub opens: BTreeMap<String, BTreeSet<String>>,
}

/// What is known of a certificate of an agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCertificate {
    /// Whose it is.
    pub agency: String,
    /// The branch or system that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// It was revoked or replaced for good.
    #[serde(default)]
    pub ended: bool,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    #[serde(rename = "use")]
    pub usage: KeyUse,
    pub state: KeyState,
    #[serde(default)]
    pub lost: bool,
}

/// What is known of something that two people began by signing it: a legal hold, a deferral, a purge order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownSigned {
    /// Hash of what they signed.
    pub hash: String,
    /// Its last day.
    pub until: Date,
    /// Two people ended it before.
    pub released: bool,
}

/// Reads the file; nothing is known without one.
pub(super) fn read(file: &Path) -> Result<Known, StartError> {
    let unusable = |error: &dyn std::fmt::Display| {
        StartError(format!("`{}` is not usable: {error}; restore it from the back-up of the log", file.display()))
    };
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unusable(&error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Known::default()),
        Err(error) => Err(unusable(&error)),
    }
}

/// Puts the file in the place of the old one, durably.
pub(super) fn write(file: &Path, known: &Known) -> io::Result<()> {
    files::write_privately(file, &serde_json::to_vec_pretty(known)?)
}
