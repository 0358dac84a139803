//! Public keys of others as JWKs (RFC 7517, RFC 7518 §6, RFC 8037 §2): read strictly, with one algorithm per key.

mod members;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

use super::jws;

pub use self::members::JwkMembers;

/// Most keys in one set.
pub const MAX_KEYS: usize = 32;
/// Most members of a set that somebody else publishes: keys for other purposes may be among them.
const MAX_PUBLISHED: usize = 256;
const TOO_MANY: JwkRejected = JwkRejected("the set holds more than 32 keys that can be used, or far too many in all");

/// The longest key id, in bytes.
pub const MAX_KID: usize = 128;

/// The signature algorithms that are accepted from others (FAPI 2.0 §5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JwsAlgorithm {
    /// RSA-PSS with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl JwsAlgorithm {
    /// Every one, in the order in which they are advertised.
    pub const ALL: [Self; 3] = [Self::Ps256, Self::Es256, Self::EdDsa];

    /// Its JOSE name.
    pub const fn jose(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads a name, exactly as it is registered; `Ed25519` is the newer name of the same algorithm (RFC 9864 §2.2).
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "Ed25519" => Some(Self::EdDsa),
            _ => Self::ALL.into_iter().find(|algorithm| algorithm.jose() == name),
        }
    }
}

/// What a key is made of. The kind of key decides the one algorithm that it is used with.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// Ed25519: 32 bytes.
    Ed25519([u8; 32]),
    /// P-256, uncompressed: 4, x, y.
    P256([u8; 65]),
    /// RSA of 2048 to 4096 bits, big-endian without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
}

impl KeyMaterial {
    /// What no other key has in common with this one: the key itself, or the modulus.
    pub fn identity(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key,
            Self::P256(point) => point,
            Self::Rsa { n, .. } => n,
        }
    }

    /// Whether a certificate is for this key, told by the contents of its public key's BIT STRING (RFC 5280 §4.1.2.7). That of RSA is a
    /// DER sequence around the modulus; no other has one of 2048 bits in it.
    pub fn is_of_certificate(&self, public_key: &[u8]) -> bool {
        let own = self.identity();
        public_key.windows(own.len()).any(|part| part == own)
    }
}

/// A public key of somebody else, for signatures only.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicJwk {
    kid: Option<Box<str>>,
    material: KeyMaterial,
}

impl PublicJwk {
    /// The key's id, where it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key itself.
    pub const fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// The one algorithm that the key may be used with.
    pub const fn algorithm(&self) -> JwsAlgorithm {
        match self.material {
            KeyMaterial::Ed25519(_) => JwsAlgorithm::EdDsa,
            KeyMaterial::P256(_) => JwsAlgorithm::Es256,
            KeyMaterial::Rsa { .. } => JwsAlgorithm::Ps256,
        }
    }
}

impl fmt::Debug for PublicJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicJwk").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// Why a key or a set of keys is not taken. Free of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JwkRejected(pub &'static str);

/// Whether text may be a key id: it is input, so it is short and of few characters.
pub fn is_kid(text: &str) -> bool {
    (1..=MAX_KID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/+=@".contains(&b))
}

/// Reads a set whose every key must be usable: one that an agency registers.
///
/// # Errors
/// Not a JWK set, or the first key in it that cannot be taken.
pub fn registered_keys(json: &[u8]) -> Result<Vec<PublicJwk>, JwkRejected> {
    together(set(json, MAX_KEYS)?.into_iter().map(PublicJwk::try_from).collect::<Result<_, _>>()?)
}

/// Reads a set that somebody else publishes: keys for other purposes or algorithms are passed over (RFC 7517 §5).
///
/// # Errors
/// Not a JWK set, too many keys, a private key among them, one id twice, or no usable key at all.
pub fn published_keys(json: &[u8]) -> Result<Vec<PublicJwk>, JwkRejected> {
    together(published_now(json)?)
}

/// The same of somebody who may withdraw the last key: a set without any usable key is one, and says that nothing is to be believed.
///
/// # Errors
/// As [`published_keys`], save for the last.
pub fn published_now(json: &[u8]) -> Result<Vec<PublicJwk>, JwkRejected> {
    let members = set(json, MAX_PUBLISHED)?;
    if members.iter().any(JwkMembers::is_private) {
        return Err(JwkRejected("the set holds a private key; whoever published it must replace that key"));
    }
    let usable: Vec<_> = members.into_iter().filter_map(|members| PublicJwk::try_from(members).ok()).collect();
    match usable.len() {
        0 => Ok(usable),
        1..=MAX_KEYS => together(usable),
        _ => Err(TOO_MANY),
    }
}

fn set(json: &[u8], most: usize) -> Result<Vec<JwkMembers>, JwkRejected> {
    const NOT_A_SET: JwkRejected = JwkRejected("this is not a JWK set: an object whose `keys` is a list of keys, no member twice");
    if !jws::members_are_unique(json) {
        return Err(NOT_A_SET);
    }
    // Maps are of objects alone; a struct would also be read from a list of its members' values.
    let mut set: Map<String, Value> = serde_json::from_slice(json).map_err(|_| NOT_A_SET)?;
    let keys = set.remove("keys").and_then(|keys| serde_json::from_value::<Vec<Map<String, Value>>>(keys).ok()).ok_or(NOT_A_SET)?;
    if keys.len() > most {
        return Err(TOO_MANY);
    }
    keys.into_iter().map(|key| serde_json::from_value(Value::Object(key)).map_err(|_| NOT_A_SET)).collect()
}

/// Checks keys as one set.
///
/// # Errors
/// No key, one id twice, or a key without an id beside others.
pub fn together(keys: Vec<PublicJwk>) -> Result<Vec<PublicJwk>, JwkRejected> {
    let mut ids = HashSet::new();
    if keys.is_empty() {
        return Err(JwkRejected("the set holds no key for PS256, ES256 or EdDSA"));
    }
    if keys.len() > 1 && keys.iter().any(|key| key.kid.is_none()) {
        return Err(JwkRejected("a key has no `kid` though it is not the only one"));
    }
    if !keys.iter().all(|key| ids.insert(key.kid())) {
        return Err(JwkRejected("two keys have the same `kid`"));
    }
    Ok(keys)
}
