//! Keyed tags of a subject (contract §6): the same person is recognisable within one epoch by who holds a key, by nobody else.
//!
//! ```text
//! input       scheme ‖ 0x00 ‖ value          both normalised, UTF-8
//! trail tag   HMAC-SHA256(trail key of the epoch, input)
//! agency key  HMAC-SHA256(agency secret of the epoch, agency name)
//! agency tag  HMAC-SHA256(agency key, input)
//! check       HMAC-SHA256(trail key of the epoch, "estelam trail key check v1")    no input: those have a zero byte
//! ```

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key, Tag};

use super::tree::Hash;

/// The two secrets of one epoch, in memory only; wiped when dropped (by the cryptographic library).
pub struct EpochKeys {
    trail: Key,
    agencies: Key,
    /// The keys of agencies that have asked in this epoch.
    derived: RwLock<HashMap<String, Key>>,
}

impl EpochKeys {
    /// Keys from two independent random secrets, which the caller wipes.
    pub fn new(trail: &[u8; 32], agencies: &[u8; 32]) -> Self {
        Self { trail: Key::new(HMAC_SHA256, trail), agencies: Key::new(HMAC_SHA256, agencies), derived: RwLock::default() }
    }

    /// The trail tag of an identifier.
    pub fn trail_tag(&self, scheme: &str, value: &str) -> Hash {
        tag(&self.trail, scheme, value)
    }

    /// The tag of an identifier under the agency's own key.
    pub fn agency_tag(&self, agency: &str, scheme: &str, value: &str) -> Hash {
        if let Some(key) = self.derived.read().unwrap_or_else(PoisonError::into_inner).get(agency) {
            return tag(key, scheme, value);
        }
        let mut context = Context::with_key(&self.agencies);
        context.update(agency.as_bytes());
        let key = Key::new(HMAC_SHA256, context.sign().as_ref());
        let tag = tag(&key, scheme, value);
        self.derived.write().unwrap_or_else(PoisonError::into_inner).insert(agency.to_owned(), key);
        tag
    }
}

impl std::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EpochKeys(…)")
    }
}

/// The trail tag under an opened trail key, as the data-protection officer computes it.
pub fn trail_tag_under(trail_key: &[u8; 32], scheme: &str, value: &str) -> Hash {
    tag(&Key::new(HMAC_SHA256, trail_key), scheme, value)
}

/// What tells a trail key from any other 32 bytes, kept beside the sealed one. It tells nothing of the key or of a tag.
pub fn trail_key_check(trail_key: &[u8; 32]) -> Hash {
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, trail_key));
    context.update(b"estelam trail key check v1");
    to_hash(&context.sign())
}

fn tag(key: &Key, scheme: &str, value: &str) -> Hash {
    let mut context = Context::with_key(key);
    context.update(scheme.as_bytes());
    context.update(&[0]);
    context.update(value.as_bytes());
    to_hash(&context.sign())
}

fn to_hash(tag: &Tag) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(tag.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_by_key_scheme_and_value() {
        let keys = EpochKeys::new(&[1; 32], &[2; 32]);
        let tags = [
            keys.trail_tag("yekta", "1"),
            keys.trail_tag("yekta", "2"),
            keys.trail_tag("yekt", "a1"),
            keys.agency_tag("bank", "yekta", "1"),
            keys.agency_tag("school", "yekta", "1"),
            EpochKeys::new(&[3; 32], &[2; 32]).trail_tag("yekta", "1"),
        ];
        let distinct: std::collections::HashSet<_> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len());
    }

    #[test]
    fn officer_finds_the_same_trail_tag() {
        assert_eq!(EpochKeys::new(&[1; 32], &[2; 32]).trail_tag("yekta", "1"), trail_tag_under(&[1; 32], "yekta", "1"));
    }
}
