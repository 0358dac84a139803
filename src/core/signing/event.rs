//! An alert as a Security Event Token (RFC 8417): what a webhook receives.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Signer, SignerFailed, sha256};
use crate::core::domain::jwt_kind::JwtKind;

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
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    jti: String,
    events: std::collections::BTreeMap<&'static str, &'a AlertEvent>,
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
    let claims = Claims { iss: issuer, aud: audience, iat: now.as_second(), jti, events: [(ALERT_EVENT, event)].into() };
    let header =
        format!(r#"{{"alg":"{}","typ":"{}","kid":"{}"}}"#, signer.algorithm().jose(), JwtKind::SecurityEvent.typ(), signer.key_id());
    // Serialising these plain fields into memory cannot fail.
    let payload = serde_json::to_vec(&claims).unwrap_or_default();
    let mut compact = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = signer.sign(compact.as_bytes())?;
    compact.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut compact);
    Ok(compact)
}
