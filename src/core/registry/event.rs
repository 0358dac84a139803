//! What the register pushes: a Security Event Token (RFC 8417) that says what changed, as the change feed does. It merely invalidates.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::domain::document::coded_enum;
use super::super::domain::jws;
use super::super::domain::jwt_kind::JwtKind;
use super::super::token::{MAX_AHEAD_S, SingleUse, is_foreign_jti, present};
use super::wire::ChangesAnswer;

/// The type of the one event in it; its payload is what `GET /registry/v1/changes` answers.
pub const REGISTRY_EVENT: &str = "urn:estelam:event:registry-changed";

/// How old `iat` may be, in seconds: whoever sends again makes a new one.
pub const MAX_EVENT_AGE_S: i64 = 300;

/// Longest subject, in bytes.
pub const MAX_SUBJECT: usize = 128;

coded_enum! {
    /// Why a pushed event is not taken (RFC 8935 §2.4).
    SetError {
        /// It is no SET, was taken before, is too old, or says something that is not understood.
        InvalidRequest = "invalid_request",
        /// It is not signed by a key of the register's.
        InvalidKey = "invalid_key",
        /// Another issuer.
        InvalidIssuer = "invalid_issuer",
        /// It was not made for us.
        InvalidAudience = "invalid_audience",
        /// The certificate is not the register's.
        AccessDenied = "access_denied",
    }
}

/// Why, and in words for the sender's developers, free of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetRejected(pub SetError, pub &'static str);

/// A good event but for its single use.
#[derive(Debug)]
pub struct RegistryEvent {
    /// By which it counts once.
    pub once: SingleUse,
    /// What changed.
    pub changes: ChangesAnswer,
}

/// Whose events are taken, and for whom they must be made.
#[derive(Clone, Debug)]
pub struct EventProfile {
    /// The one accepted `iss`.
    pub issuer: String,
    /// Us.
    pub audience: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    iat: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<i64>,
    jti: Option<String>,
    events: Option<Map<String, Value>>,
}

/// RFC 7519 §4.1.3: one name, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Refuses a token of another kind before its signature is looked at.
///
/// # Errors
/// `typ` is missing or not exactly `secevent+jwt`.
pub fn check_event_kind(typ: Option<&str>) -> Result<(), SetRejected> {
    let ours = typ == Some(JwtKind::SecurityEvent.typ());
    ours.then_some(()).ok_or(SetRejected(SetError::InvalidRequest, "the token's `typ` must be `secevent+jwt`"))
}

impl EventProfile {
    /// Checks the payload of a SET whose signature is good: the register's, for us, of now, and about what changed alone.
    ///
    /// # Errors
    /// The first claim that is missing or not accepted.
    pub fn check(&self, payload: &[u8], now: Timestamp) -> Result<RegistryEvent, SetRejected> {
        let claims: Claims = jws::object(payload).ok_or(invalid("it is no JSON object, or a claim is of the wrong type"))?;
        if claims.iss.as_deref() != Some(&*self.issuer) {
            return Err(SetRejected(SetError::InvalidIssuer, "`iss` is not the register whose events are taken here"));
        }
        if !claims.aud.is_some_and(|audience| audience.names(&self.audience)) {
            return Err(SetRejected(SetError::InvalidAudience, "`aud` does not name this gateway's issuer URL"));
        }
        let expires_at = in_time(claims.iat, claims.exp, now)?;
        let jti = claims.jti.filter(|jti| is_foreign_jti(jti)).ok_or(invalid("`jti` must be 1 to 128 characters"))?;
        Ok(RegistryEvent { once: SingleUse { jti: jti.into(), expires_at }, changes: changes(claims.events)? })
    }
}

impl Audience {
    fn names(&self, us: &str) -> bool {
        match self {
            Self::One(name) => name == us,
            Self::Several(names) => names.iter().any(|name| name == us),
        }
    }
}

const fn invalid(why: &'static str) -> SetRejected {
    SetRejected(SetError::InvalidRequest, why)
}

/// Until when it has to be remembered: from then on it is too old anyway.
fn in_time(iat: Option<i64>, exp: Option<i64>, now: Timestamp) -> Result<Timestamp, SetRejected> {
    let instant = |second| Timestamp::from_second(second).map_err(|_| invalid("a time is out of range"));
    let made = instant(iat.ok_or(invalid("there is no `iat`"))?)?;
    let age = now.duration_since(made);
    if age < SignedDuration::from_secs(-MAX_AHEAD_S) {
        return Err(invalid("`iat` is ahead; check the clocks"));
    }
    if age > SignedDuration::from_secs(MAX_EVENT_AGE_S) || exp.map(instant).transpose()?.is_some_and(|end| end <= now) {
        return Err(invalid("it is too old; make a new one each time that it is sent, and check the clocks"));
    }
    // A second more, since the age is compared to the fraction and instants are remembered in whole seconds.
    made.checked_add(SignedDuration::from_secs(MAX_EVENT_AGE_S + 1)).map_err(|_| invalid("a time is out of range"))
}

/// The one event that is understood.
fn changes(events: Option<Map<String, Value>>) -> Result<ChangesAnswer, SetRejected> {
    let mut events = events.ok_or(invalid("there is no `events`"))?;
    let payload = events.remove(REGISTRY_EVENT).filter(|payload| payload.is_object() && events.is_empty());
    let payload = payload.ok_or(invalid("`events` must hold `urn:estelam:event:registry-changed` and nothing else"))?;
    let changes: ChangesAnswer = serde_json::from_value(payload)
        .map_err(|_| invalid("the event needs `cursor`, `subjects`, `decrees` and `everything`, as the change feed has them"))?;
    let named = |subject: &String| (1..=MAX_SUBJECT).contains(&subject.len());
    changes.subjects.iter().all(named).then_some(changes).ok_or(invalid("a subject is empty or too long"))
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
