//! Keyed tags of a subject (contract §6): the same person is recognisable within one epoch by who holds a key, by nobody else.
//!
//! ```text
//! input       scheme ‖ 0x00 ‖ value          both normalised, UTF-8
//! trail root  HMAC-SHA256(trail key of the epoch, input)       never kept
//! trail tag   HMAC-SHA256(trail root, agency name)             the name is empty where no agency asked
//! agency key  HMAC-SHA256(agency secret of the epoch, agency name)
//! agency tag  HMAC-SHA256(agency key, input)
//! check       HMAC-SHA256(trail key of the epoch, "estelam trail key check v1")    no input: those have a zero byte
//! epoch       day (UTC) "." number "." base64url(first 12 bytes of the check)      its name, which contents carry
//! ```
//!
//! A trail key is sealed to a public key, so that anybody could put another in its place. Entries are committed to with the name of their epoch, and the
//! name with its key: one that was put in its place opens nothing, and the trail says that it was not searched. Names of earlier builds end with the number.
//!
//! So two agencies' tags of one person have nothing in common but the root, and that only the trail key gives. Earlier builds kept the root itself
//! as the trail tag, the same for all agencies: who searches looks for both. No epoch has both, since its keys end with the process that made them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::civil::Date;
use zeroize::Zeroizing;

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

    /// The trail tag of an identifier that this agency asked about; empty where none did.
    pub fn trail_tag(&self, agency: &str, scheme: &str, value: &str) -> Hash {
        self.trail_root(scheme, value).tag(agency)
    }

    /// What all agencies' trail tags of an identifier come from.
    pub fn trail_root(&self, scheme: &str, value: &str) -> TrailRoot {
        TrailRoot::new(tag(&self.trail, scheme, value))
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

/// What all agencies' trail tags of one identifier in one epoch come from: whoever has it can join them. Wiped when dropped.
pub struct TrailRoot {
    bytes: Zeroizing<Hash>,
    key: Key,
}

impl TrailRoot {
    /// From its bytes.
    pub fn new(bytes: Hash) -> Self {
        Self { key: Key::new(HMAC_SHA256, &bytes), bytes: Zeroizing::new(bytes) }
    }

    /// Under an opened trail key, as the data-protection officer and the registry's desk for holders compute it.
    pub fn under(trail_key: &[u8; 32], scheme: &str, value: &str) -> Self {
        Self::new(tag(&Key::new(HMAC_SHA256, trail_key), scheme, value))
    }

    /// The trail tag of this agency's entries; of those without an agency under the empty name.
    pub fn tag(&self, agency: &str) -> Hash {
        to_hash(&aws_lc_rs::hmac::sign(&self.key, agency.as_bytes()))
    }

    /// The tag that builds wrote whose trail tags were the same for all agencies.
    pub fn earlier_tag(&self) -> &Hash {
        &self.bytes
    }

    /// Its bytes, for the desk that tells them to the gateway on the holder's word.
    pub fn expose(&self) -> &Hash {
        &self.bytes
    }
}

impl std::fmt::Debug for TrailRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrailRoot(…)")
    }
}

/// What tells a trail key from any other 32 bytes, kept beside the sealed one. It tells nothing of the key or of a tag.
pub fn trail_key_check(trail_key: &[u8; 32]) -> Hash {
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, trail_key));
    context.update(b"estelam trail key check v1");
    to_hash(&context.sign())
}

/// Bytes of the check in an epoch's name: nobody finds another key that has the same.
const CHECK_IN_NAME: usize = 12;

/// The name of an epoch, which commits to its trail key.
pub fn epoch_name(day: Date, number: i64, trail_key: &[u8; 32]) -> String {
    format!("{day}.{number}.{}", check_in_name(trail_key))
}

/// Whether a trail key is the one of the epoch of this name. A name of an earlier build does not say, and fits every key.
pub fn is_key_of(epoch: &str, trail_key: &[u8; 32]) -> bool {
    epoch.splitn(3, '.').nth(2).is_none_or(|check| check == check_in_name(trail_key))
}

fn check_in_name(trail_key: &[u8; 32]) -> String {
    let check = trail_key_check(trail_key);
    URL_SAFE_NO_PAD.encode(check.get(..CHECK_IN_NAME).unwrap_or(&check))
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

    fn hex(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn tags_differ_by_key_agency_scheme_and_value() {
        let keys = EpochKeys::new(&[1; 32], &[2; 32]);
        let tags = [
            keys.trail_tag("bank", "yekta", "1"),
            keys.trail_tag("school", "yekta", "1"),
            keys.trail_tag("", "yekta", "1"),
            keys.trail_tag("bank", "yekta", "2"),
            keys.trail_tag("bank", "yekt", "a1"),
            keys.trail_tag("banky", "ekta", "1"),
            *keys.trail_root("yekta", "1").expose(),
            keys.agency_tag("bank", "yekta", "1"),
            keys.agency_tag("school", "yekta", "1"),
            EpochKeys::new(&[3; 32], &[2; 32]).trail_tag("bank", "yekta", "1"),
        ];
        let distinct: std::collections::HashSet<_> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len());
    }

    #[test]
    fn officer_finds_the_same_trail_tag() {
        let tag = EpochKeys::new(&[1; 32], &[2; 32]).trail_tag("bank", "yekta", "1");
        assert_eq!(tag, TrailRoot::under(&[1; 32], "yekta", "1").tag("bank"));
    }

    #[test]
    fn name_of_an_epoch_fits_its_own_key_alone() {
        let name = epoch_name(Date::constant(2026, 11, 29), 7, &[1; 32]);
        assert!(name.starts_with("2026-11-29.7.") && name.len() == 29, "{name}");
        assert!(is_key_of(&name, &[1; 32]));
        assert!(!is_key_of(&name, &[2; 32]));
        assert!(!is_key_of("2026-11-29.7.", &[1; 32]), "a name without its end fits none");
        assert!(is_key_of("2026-11-29.7", &[2; 32]), "one of an earlier build does not say");
    }

    /// Made with another implementation of HMAC, for readers of the log that are written against this page.
    #[test]
    fn tags_are_those_of_the_test_vector() {
        let root = TrailRoot::under(&[1; 32], "yekta", "9990000018");
        assert_eq!(hex(root.earlier_tag()), "6f66a6ae5923afa07766961355713da9d37730c3722d20ff4cc251befb15cfa2");
        assert_eq!(hex(&root.tag("bank")), "83c39d37fe02b954e69018fac7b4c88e28a24be13c68a1b8d70a0a2d6e9309df");
        assert_eq!(hex(&root.tag("")), "2dc7a3053e70033141b74adc40ac82a6c791e568afdd4c223d4fe7fd5fbbbe9b");
        assert_eq!(
            hex(&EpochKeys::new(&[1; 32], &[2; 32]).agency_tag("bank", "yekta", "9990000018")),
            "203b55551285d0b2753c3f42e885a58d9726968de7968f7cb55f4e984114c360"
        );
    }
}
