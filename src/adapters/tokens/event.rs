//! Reads what the registry pushes: a Security Event Token under the keys of its events, and no others.

use jiff::Timestamp;

use super::key::{ForeignRejected, notice_refused_member, verify_foreign};
use crate::core::domain::jwk::PublicJwk;
use crate::core::domain::jws::{ForeignJws, JwsRejected, refused_member};
use crate::core::registry::event::{EventProfile, RegistryEvent, SetError, SetRejected, check_event_kind};

/// The largest event in bytes: as many changed subjects as the change feed lists at once.
pub const MAX_EVENT: usize = 1 << 20;

/// Reads events of one register.
pub struct EventVerifier {
    keys: Vec<PublicJwk>,
    profile: EventProfile,
}

impl EventVerifier {
    /// A reader of events under these keys.
    pub const fn new(keys: Vec<PublicJwk>, profile: EventProfile) -> Self {
        Self { keys, profile }
    }

    /// Checks form, kind, signature and claims. What it returns has yet to be spent.
    ///
    /// # Errors
    /// The first of them that is not acceptable.
    pub fn verify(&self, compact: &str, now: Timestamp) -> Result<RegistryEvent, SetRejected> {
        let jws = ForeignJws::parse(compact, MAX_EVENT).map_err(|JwsRejected(why)| {
            notice_refused_member(compact, refused_member);
            SetRejected(SetError::InvalidRequest, why)
        })?;
        check_event_kind(jws.typ.as_deref())?;
        verify_foreign(&jws, &self.keys).map_err(|rejected| SetRejected(SetError::InvalidKey, words(rejected)))?;
        self.profile.check(&jws.payload, now)
    }
}

const fn words(rejected: ForeignRejected) -> &'static str {
    match rejected {
        ForeignRejected::UnknownKey => "the event names no key that is registered for the registry's events",
        ForeignRejected::Algorithm => "the event's `alg` is not that of its key",
        ForeignRejected::Signature => "the event's signature is not good",
    }
}
