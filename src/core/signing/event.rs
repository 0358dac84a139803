//! Security Event Tokens (RFC 8417): an alert for a webhook, and what changed in the register for its gateways.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Signer, SignerFailed, sha256};
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::domain::random::random;
use crate::core::registry::event::REGISTRY_EVENT;
use crate::core::registry::wire::ChangesAnswer;

/// The type of the one event in it.
pub const ALERT_EVENT: &str = "urn:estelam:event:alert";

/// What an alert says: rule, agency and day. Never who, never the instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertEvent {
    /// The rule.
    pub rule: String,
    /// The agency.
    pub agency: String,
    /// The Tehran day, Gregorian.
    pub day: String,
    /// How often.
    pub count: u64,
}

#[derive(Serialize)]
struct Claims<'a, E> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    jti: String,
    events: std::collections::BTreeMap<&'static str, E>,
}

/// Signs an alert for its receiver. The same alert always has the same `jti`, so that a receiver knows one that comes twice.
///
/// # Errors
/// [`SignerFailed`].
pub fn security_event(
    event: &AlertEvent,
    issuer: &str,
    audience: &str,
    signer: &dyn Signer,
    now: Timestamp,
) -> Result<String, SignerFailed> {
    let name = [issuer, &event.rule, &event.agency, &event.day].join("\n");
    let jti = URL_SAFE_NO_PAD.encode(sha256(name.as_bytes()));
    compact(&Claims { iss: issuer, aud: audience, iat: now.as_second(), jti, events: [(ALERT_EVENT, event)].into() }, signer)
}

/// Signs what changed in the register, for one gateway. Every one is another, so that one that is sent again counts again.
///
/// # Errors
/// [`SignerFailed`], also when there is no randomness.
pub fn registry_event(
    changes: &ChangesAnswer,
    issuer: &str,
    audience: &str,
    signer: &dyn Signer,
    now: Timestamp,
) -> Result<String, SignerFailed> {
    let jti = URL_SAFE_NO_PAD.encode(random::<16>().ok_or(SignerFailed)?);
    compact(&Claims { iss: issuer, aud: audience, iat: now.as_second(), jti, events: [(REGISTRY_EVENT, changes)].into() }, signer)
}

fn compact<E: Serialize>(claims: &Claims<'_, E>, signer: &dyn Signer) -> Result<String, SignerFailed> {
    let header =
        format!(r#"{{"alg":"{}","typ":"{}","kid":"{}"}}"#, signer.algorithm().jose(), JwtKind::SecurityEvent.typ(), signer.key_id());
    // Serialising these plain fields into memory cannot fail.
    let payload = serde_json::to_vec(claims).unwrap_or_default();
    let mut compact = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = signer.sign(compact.as_bytes())?;
    compact.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut compact);
    Ok(compact)
}
