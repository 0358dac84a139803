//! What the three kinds of documents say, as far as a person is shown it.

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::domain::jws;
use crate::core::domain::jwt_kind::JwtKind;

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum Facts {
    /// A signed answer.
    Answer {
        /// Names the answer.
        answer_id: String,
        /// When it was signed.
        issued: Timestamp,
        /// Whom it is for.
        audience: String,
        /// Until when that agency may rely on it.
        expires: Timestamp,
        /// Service asked for.
        service: String,
        /// Purpose stated.
        purpose: Option<String>,
        /// Outcome.
        decision: String,
        /// Reason, as far as the agency was told it.
        reason: String,
        /// SHA-256 of the printed receipt that belongs to it, base64url.
        receipt: Option<String>,
    },
    /// A signed refusal.
    Refusal {
        /// Names the call.
        request_id: String,
        /// When it was signed.
        issued: Timestamp,
        /// Whom it is for, if that was known.
        audience: Option<String>,
        /// HTTP status.
        status: u16,
        /// Code.
        code: String,
    },
    /// A printed receipt: only its day.
    Receipt {
        /// First instant of the day, in Tehran.
        day: Timestamp,
    },
}

impl Facts {
    /// The first instant at which it can have been signed, and the first at which it cannot have been any more: claims have whole
    /// seconds, receipts whole days.
    pub fn issued(&self) -> (Timestamp, Timestamp) {
        let (from, length) = match self {
            Self::Answer { issued, .. } | Self::Refusal { issued, .. } => (*issued, SignedDuration::from_secs(1)),
            Self::Receipt { day } => (*day, SignedDuration::from_hours(24)),
        };
        (from, from.checked_add(length).unwrap_or(Timestamp::MAX))
    }
}

#[derive(Deserialize)]
struct Common {
    iss: String,
    iat: i64,
    jti: String,
}

#[derive(Deserialize)]
struct Answer {
    aud: String,
    exp: i64,
    service: String,
    purpose: Option<String>,
    decision: String,
    reason: String,
    receipt: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    aud: Option<String>,
    status: u16,
    code: String,
}

/// Issuer and facts of a payload; `None` if it is not in the form of its kind.
pub(super) fn read(kind: JwtKind, payload: &[u8]) -> Option<(String, Facts)> {
    let Common { iss, iat, jti } = object(payload)?;
    let issued = Timestamp::from_second(iat).ok()?;
    let facts = match kind {
        JwtKind::Answer => {
            let answer: Answer = object(payload)?;
            Facts::Answer {
                answer_id: jti,
                issued,
                audience: answer.aud,
                expires: Timestamp::from_second(answer.exp).ok()?,
                service: answer.service,
                purpose: answer.purpose,
                decision: answer.decision,
                reason: answer.reason,
                receipt: answer.receipt,
            }
        }
        JwtKind::Refusal => {
            let Refusal { aud, status, code } = object(payload)?;
            Facts::Refusal { request_id: jti, issued, audience: aud, status, code }
        }
        JwtKind::Receipt => Facts::Receipt { day: issued },
        JwtKind::AccessToken | JwtKind::ClientAssertion | JwtKind::Request | JwtKind::SecurityEvent => return None,
    };
    Some((iss, facts))
}

fn object<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    jws::object(payload)
}
