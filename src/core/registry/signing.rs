//! What officials sign of a decree, in the registry and for whoever checks it: both build the same bytes from the decree as it is sent.
//!
//! ```text
//! estelam-decree-enter-v2      or …-approve-v2; …-rescind-v2 for both who rescind it
//! 2026-11-23T10:00:00Z         recorded_at or rescinded_at, for the second of the two; the line is empty for the first
//! {"authority":…}              the decree without those two, in its canonical form (RFC 8785), and no newline after it
//! ```

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::version;
use super::wire::WireDecree;

/// What the first official's signature is for.
const ENTER_DOMAIN: &str = "estelam-decree-enter-v2\n";
/// What the second official's signature is for. It covers the instant, so that no row can be dated back behind the officials.
const APPROVE_DOMAIN: &str = "estelam-decree-approve-v2\n";
/// What both signatures under a rescission are for; the second covers the instant.
const RESCIND_DOMAIN: &str = "estelam-decree-rescind-v2\n";

/// What puts a decree in force, or takes it out: one official begins it, another completes it at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// One enters the decree, another approves it.
    Approval,
    /// One asks for its rescission, another carries it out.
    Rescission,
}

impl Step {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Rescission => "rescission",
        }
    }

    /// When it was completed, as the registry says.
    pub const fn at(self, decree: &WireDecree) -> Option<Timestamp> {
        match self {
            Self::Approval => decree.recorded_at,
            Self::Rescission => decree.rescinded_at,
        }
    }

    /// What the official signs who begins it.
    ///
    /// # Errors
    /// As [`version::canonical`].
    pub fn begun(self, decree: &WireDecree) -> Result<Vec<u8>, serde_json::Error> {
        let domain = match self {
            Self::Approval => ENTER_DOMAIN,
            Self::Rescission => RESCIND_DOMAIN,
        };
        message(domain, decree, None)
    }

    /// What the official signs who completes it: the same decree, and the instant from which that counts as known.
    ///
    /// # Errors
    /// As [`version::canonical`].
    pub fn completed(self, decree: &WireDecree, at: Timestamp) -> Result<Vec<u8>, serde_json::Error> {
        let domain = match self {
            Self::Approval => APPROVE_DOMAIN,
            Self::Rescission => RESCIND_DOMAIN,
        };
        message(domain, decree, Some(at))
    }
}

/// The signatures under one decree, each step's in the order in which they were made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireSignatures {
    /// Who entered it, and who approved it.
    pub approval: [WireSignature; 2],
    /// Who asked for its rescission, and who carried it out; none while it is not rescinded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescission: Option<[WireSignature; 2]>,
}

impl WireSignatures {
    /// Those of a step.
    pub const fn of(&self, step: Step) -> Option<&[WireSignature; 2]> {
        match step {
            Step::Approval => Some(&self.approval),
            Step::Rescission => self.rescission.as_ref(),
        }
    }
}

/// One official's signature.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WireSignature {
    /// The name under which the registry knows the official. It proves nothing.
    pub by: String,
    /// The public key, Ed25519: its 32 bytes in base64.
    pub key: String,
    /// The signature, in base64.
    pub signature: String,
}

impl WireSignature {
    /// A signature as it is sent.
    pub fn new(by: &str, key: &[u8], signature: &[u8]) -> Self {
        Self { by: by.to_owned(), key: STANDARD.encode(key), signature: STANDARD.encode(signature) }
    }

    /// The key's bytes; none where they cannot be read.
    pub fn public_key(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.key).ok().filter(|key| key.len() == 32)
    }

    /// Whether it is a signature over a message by the key that it names. Whose key that is, is for others to say.
    pub fn holds(&self, message: &[u8]) -> bool {
        let (Some(key), Ok(signature)) = (self.public_key(), STANDARD.decode(&self.signature)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(message, &signature).is_ok()
    }

    /// Names this signature over a message: where it held once, it holds again.
    pub fn digest(&self, message: &[u8]) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for part in [self.key.as_bytes(), self.signature.as_bytes(), message] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// The signatures under every decree of a list, by its id.
pub type Signatures = BTreeMap<String, WireSignatures>;

/// `sha256:` and the hex digest over a decree's canonical form as it was entered, which every signature covers.
///
/// # Errors
/// As [`version::canonical`].
pub fn hash_of(decree: &WireDecree) -> Result<String, serde_json::Error> {
    Ok(version::sha256_of(&version::canonical(&entered_form(decree))?))
}

/// Domain, instant (or an empty line) and the decree as it was entered.
fn message(domain: &str, decree: &WireDecree, at: Option<Timestamp>) -> Result<Vec<u8>, serde_json::Error> {
    let at = at.map(|at| at.to_string()).unwrap_or_default();
    Ok([domain.as_bytes(), at.as_bytes(), b"\n", &version::canonical(&entered_form(decree))?].concat())
}

/// The decree without what only the registry sets.
fn entered_form(decree: &WireDecree) -> WireDecree {
    WireDecree { recorded_at: None, rescinded_at: None, ..decree.clone() }
}
