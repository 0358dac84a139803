//! The members of one JWK as they are written, and the rules by which a key comes of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::{JwkRejected, JwsAlgorithm, KeyMaterial, PublicJwk, is_kid};

/// Bits of an RSA modulus: fewer are breakable, more cost whoever has to verify.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// One JWK before it is judged. Members that say nothing about the key's use are ignored (RFC 7517 §4).
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7517 and RFC 7518")]
pub struct JwkMembers {
    pub kty: String,
    pub kid: Option<String>,
    pub alg: Option<String>,
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub key_ops: Option<Vec<String>>,
    pub crv: Option<String>,
    pub x: Option<String>,
    pub y: Option<String>,
    pub n: Option<String>,
    pub e: Option<String>,
    /// The private part of any key but a symmetric one.
    d: Option<Value>,
    /// A symmetric key.
    k: Option<Value>,
}

impl JwkMembers {
    /// Whether it holds what only its owner may have.
    pub const fn is_private(&self) -> bool {
        self.d.is_some() || self.k.is_some()
    }
}

impl TryFrom<JwkMembers> for PublicJwk {
    type Error = JwkRejected;

    fn try_from(members: JwkMembers) -> Result<Self, JwkRejected> {
        if members.is_private() {
            return Err(JwkRejected("this is a private or a symmetric key; give the public one, and replace the key if others saw it"));
        }
        for_signatures(&members)?;
        let material = material(&members)?;
        if members.kid.as_deref().is_some_and(|kid| !is_kid(kid)) {
            return Err(JwkRejected("a `kid` is 1 to 128 letters, digits or `-._~:/+=@`"));
        }
        let key = Self { kid: members.kid.map(Into::into), material };
        match members.alg.as_deref() {
            Some(name) if JwsAlgorithm::parse(name) != Some(key.algorithm()) => {
                Err(JwkRejected("the key's `alg` is not PS256, ES256 or EdDSA, or not of its kind"))
            }
            _ => Ok(key),
        }
    }
}

/// RFC 7517 §4.2 and §4.3: what is said of the use must allow signatures.
fn for_signatures(members: &JwkMembers) -> Result<(), JwkRejected> {
    let usage = members.usage.as_deref().is_none_or(|usage| usage == "sig");
    let operations = members.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if usage && operations { Ok(()) } else { Err(JwkRejected("the key is not for verifying signatures (`use`, `key_ops`)")) }
}

fn material(members: &JwkMembers) -> Result<KeyMaterial, JwkRejected> {
    match (members.kty.as_str(), members.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => Ok(KeyMaterial::Ed25519(coordinate(members.x.as_deref())?)),
        ("EC", Some("P-256")) => {
            let (x, y): ([u8; 32], [u8; 32]) = (coordinate(members.x.as_deref())?, coordinate(members.y.as_deref())?);
            let mut point = [4; 65];
            for (to, from) in point.iter_mut().skip(1).zip(x.iter().chain(&y)) {
                *to = *from;
            }
            Ok(KeyMaterial::P256(point))
        }
        ("RSA", None) => rsa(members),
        _ => Err(JwkRejected("the key is not Ed25519, P-256 or RSA")),
    }
}

fn coordinate(text: Option<&str>) -> Result<[u8; 32], JwkRejected> {
    let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(JwkRejected("a coordinate of the key is not 32 bytes in base64url"))
}

fn rsa(members: &JwkMembers) -> Result<KeyMaterial, JwkRejected> {
    let number = |text: Option<&str>| {
        let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        bytes.filter(|bytes| bytes.first().is_some_and(|first| *first != 0)).ok_or(JwkRejected("`n` or `e` of the key is not a number"))
    };
    let (n, e) = (number(members.n.as_deref())?, number(members.e.as_deref())?);
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(JwkRejected("an RSA key has 2048 to 4096 bits"));
    }
    // 65537 or more, as FIPS 186-5 §5.1 wants it; an even one is no exponent at all.
    let sound = (3..=4).contains(&e.len()) && e.last().is_some_and(|last| last % 2 == 1);
    if sound { Ok(KeyMaterial::Rsa { n, e }) } else { Err(JwkRejected("the exponent of an RSA key is odd, from 65537 to 32 bits")) }
}
