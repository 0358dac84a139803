//! The holder's own view of the access log (domain §8): what the gateway asks of the registry for it, and how a code reaches the holder.
//!
//! The registry knows whose number is whose and which SIM is registered; the gateway has the log. A code goes from the registry to the
//! holder and comes back through an office. Only then does the registry tell the gateway what the trail tags of this one person's numbers come
//! from: the trail keys are sealed to the registry too, so that without the holder's code neither side alone finds anything.

use std::borrow::Cow;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::RegistryUnavailable;
use crate::core::domain::identifier::Identifier;

/// How long a code counts, in seconds.
pub const CODE_LASTS_S: i64 = 600;
/// Wrong codes after which a handle opens nothing any more.
pub const CODE_TRIES: u8 = 5;
/// Digits of a code.
pub const CODE_DIGITS: usize = 8;

/// `POST /registry/v1/holder-code`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest<'a> {
    /// Scheme code.
    pub scheme: Cow<'a, str>,
    /// Normalised value.
    pub value: Cow<'a, str>,
    /// The gateway's keyed name of the office; only it can use the code.
    pub office: Cow<'a, str>,
}

/// Always 200 and alike, whether anybody is there and has a SIM or not.
#[derive(Debug, Serialize, Deserialize)]
pub struct CodeAnswer {
    /// Names the code; random.
    pub handle: String,
}

/// `POST /registry/v1/holder-open`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest<'a> {
    /// Which code.
    pub handle: Cow<'a, str>,
    /// What the holder said.
    pub code: Cow<'a, str>,
    /// The office that asks.
    pub office: Cow<'a, str>,
    /// The log's origin; trail keys are bound to it.
    pub origin: Cow<'a, str>,
    /// The epochs to be searched.
    pub epochs: Vec<SealedTrail>,
}

/// An epoch with its trail key sealed to the registry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedTrail {
    /// Its name.
    pub epoch: String,
    /// The origin of its log, where that is one that was sealed before the one that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The sealed key, base64.
    pub sealed: String,
}

/// Always 200. `opened` is false for a code that is wrong, used, too old, another office's or nobody's: they are alike.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OpenAnswer {
    /// Whether the code was the right one.
    pub opened: bool,
    /// The trail roots of the holder's numbers, epoch by epoch. Numbers that others have too are left out.
    pub trails: Vec<OpenedTrail>,
    /// Whether the holder may be a minor today; registries of earlier builds do not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub minor: bool,
}

/// The trail roots of one person's numbers in one epoch (see [`TrailRoot`](crate::core::ledger::subject::TrailRoot)), which join this person's
/// entries of all agencies. Wiped when dropped, never shown.
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenedTrail {
    /// The epoch.
    pub epoch: String,
    /// The origin of its log, as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Trail roots, base64url; the member's name is from when they were the tags themselves.
    #[serde(rename = "tags")]
    pub roots: Vec<String>,
}

impl Drop for OpenedTrail {
    fn drop(&mut self) {
        self.roots.zeroize();
    }
}

impl std::fmt::Debug for OpenedTrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenedTrail({}, …)", self.epoch)
    }
}

/// The gateway's way to the registry's desk for holders.
#[async_trait]
pub trait HolderDesk: Send + Sync + 'static {
    /// Has a code sent to the SIM that is registered for whoever bears the number; says nothing of whether there is one.
    ///
    /// # Errors
    /// [`RegistryUnavailable`].
    async fn send_code(&self, identifier: &Identifier, office: &str) -> Result<String, RegistryUnavailable>;

    /// Hands a code in; `None` when it opens nothing.
    ///
    /// # Errors
    /// [`RegistryUnavailable`].
    async fn open(&self, request: OpenRequest<'_>) -> Result<Option<OpenAnswer>, RegistryUnavailable>;
}

/// A message did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message could not be sent")]
pub struct NotSent;

/// Sends short messages to registered SIMs. It is on the registry's side: the gateway never learns a telephone number.
pub trait CodeSender: Send + Sync + 'static {
    /// Hands one message over.
    ///
    /// # Errors
    /// [`NotSent`].
    fn send(&self, msisdn: &str, text: &str) -> Result<(), NotSent>;
}
