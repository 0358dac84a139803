//! The search of social-protection registries by one identifier: what is asked, and what an answer says. Pure; sending and signatures
//! are the adapter's.
//!
//! `POST /registry/sync/search` of the SPDCI interoperability APIs 1.0.0, which is the same in the descriptions of social registries
//! (`spdci-social.yaml`), of beneficiary registries (`spdci-ibr.yaml`) and of civil registries (`spdci-registry.yaml`): schemas
//! `MsgHeader_V1.0.0`, `SearchRequest`, `MsgCallbackHeader_V1.0.0` and `SearchResponse` in an envelope of `signature`, `header` and
//! `message`. What the descriptions leave open is settled in [`crate::manual::spdci`].
//!
//! An answer is somebody, several people, nobody, or none at all. Nobody is only a signed `succ` with an empty list of records;
//! whatever is missing, unknown or contradictory makes an answer none.

mod answer;
mod record;
mod request;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::answer::{Answer, Envelope, check_signature_kind};
pub use self::request::{envelope, payload};
use super::RegistryUnavailable;
use crate::core::domain::random::random;

/// The protocol version of the descriptions (`version` of header and criteria).
const VERSION: &str = "1.0.0";
/// Most records that are read of one answer; somebody who has more than one is ambiguous already.
pub const MOST_RECORDS: usize = 10;

/// What operator and registry have agreed on.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Our name at the registry (`sender_id`).
    pub sender_id: String,
    /// The registry's own name (`receiver_id`).
    pub receiver_id: String,
    /// `reg_type`, where the registry wants one.
    pub reg_type: Option<String>,
    /// `reg_event_type`, where it wants one.
    pub reg_event_type: Option<String>,
    /// `reg_record_type` that its answers must then bear.
    pub reg_record_type: Option<String>,
    /// `response_entity`, where it wants one.
    pub response_entity: Option<String>,
    /// What entitles the gateway to ask, where it wants to be told.
    pub authorize: Option<Purpose>,
    /// The SPDCI identifier type of each scheme that may be asked for.
    pub identifiers: BTreeMap<String, String>,
}

/// The `purpose` of `Authorize`: the gateway's own legal basis, the same for everybody, so that it tells nothing of who asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// In words.
    pub text: String,
    /// From the registry's fixed set.
    pub code: String,
    /// Where that set is published.
    pub ref_uri: String,
}

/// The names of one search. An answer must bear the last two: drawn at random for each, they tie it to this search and no other.
#[derive(Clone, Debug)]
pub struct Ids {
    /// `message_id`.
    pub message: String,
    /// `transaction_id`.
    pub transaction: String,
    /// `reference_id`.
    pub reference: String,
}

impl Ids {
    /// Fresh ones, 128 bits each; `None` when the system has no randomness to give.
    pub fn draw() -> Option<Self> {
        let id = || random::<16>().map(|bytes| format!("{:032x}", u128::from_be_bytes(bytes)));
        Some(Self { message: id()?, transaction: id()?, reference: id()? })
    }
}

/// One search: an answer is read against it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What was agreed on.
    pub terms: &'a Terms,
    /// Its names.
    pub ids: &'a Ids,
    /// The SPDCI type of the identifier.
    pub id_type: &'a str,
    /// The identifier.
    pub value: &'a str,
    /// When it was made.
    pub at: Timestamp,
}

const fn unavailable<T>(why: &'static str) -> Result<T, RegistryUnavailable> {
    Err(RegistryUnavailable(why))
}
