//! Public keys as JWKs (RFC 7517, RFC 7518 §6.2, RFC 8037 §2) with their thumbprints (RFC 7638).

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::core::signing::Algorithm;

/// The public half of one of our keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    point: Point,
    kid: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Point {
    Ed25519([u8; 32]),
    /// Uncompressed: 4, x, y (SEC 1 §2.3.3).
    P256([u8; 65]),
}

/// One member of a JWK set.
#[derive(Debug, Serialize)]
pub(super) struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
}

impl PublicKey {
    /// An Ed25519 key from its 32 bytes; `None` for any other length.
    pub(super) fn ed25519(bytes: &[u8]) -> Option<Self> {
        Some(Self::of(Point::Ed25519(bytes.try_into().ok()?)))
    }

    /// A P-256 key from its uncompressed point; `None` for anything else.
    pub(super) fn p256(bytes: &[u8]) -> Option<Self> {
        let point: [u8; 65] = bytes.try_into().ok()?;
        point.starts_with(&[4]).then(|| Self::of(Point::P256(point)))
    }

    fn of(point: Point) -> Self {
        let (kty, crv, x, y) = point.members();
        let y = y.map_or_else(String::new, |y| format!(r#","y":"{y}""#));
        // RFC 7638 §3: the required members, in lexicographic order, without white space.
        let canonical = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"{y}}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        Self { point, kid }
    }

    /// The RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm that the key is used with.
    pub const fn algorithm(&self) -> Algorithm {
        match self.point {
            Point::Ed25519(_) => Algorithm::EdDsa,
            Point::P256(_) => Algorithm::Es256,
        }
    }

    /// The 32 bytes of an Ed25519 key, or the uncompressed point of a P-256 key.
    pub const fn bytes(&self) -> &[u8] {
        match &self.point {
            Point::Ed25519(bytes) => bytes,
            Point::P256(bytes) => bytes,
        }
    }

    /// Whether this key signed the message; for ES256 in the fixed form of RFC 7518 §3.4.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.point {
            Point::Ed25519(bytes) => UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature),
            Point::P256(bytes) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).verify(message, signature),
        }
        .is_ok()
    }

    /// The key of an uncompressed point or of 32 bytes; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::ed25519(bytes).or_else(|| Self::p256(bytes))
    }

    /// The key as a JWK, for somebody who registers it.
    pub fn as_jwk(&self) -> impl Serialize {
        self.jwk()
    }

    pub(super) fn jwk(&self) -> Jwk {
        let (kty, crv, x, y) = self.point.members();
        Jwk { kty, crv, x, y, usage: "sig", alg: self.algorithm().jose(), kid: self.kid.clone() }
    }
}

impl Point {
    /// `kty`, `crv`, `x` and `y` of the JWK.
    fn members(&self) -> (&'static str, &'static str, String, Option<String>) {
        match self {
            Self::Ed25519(bytes) => ("OKP", "Ed25519", URL_SAFE_NO_PAD.encode(bytes), None),
            Self::P256([_, coordinates @ ..]) => {
                let (x, y) = coordinates.split_at(32);
                ("EC", "P-256", URL_SAFE_NO_PAD.encode(x), Some(URL_SAFE_NO_PAD.encode(y)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// RFC 8037, appendices A.2 and A.3.
    #[test]
    fn thumbprint_of_an_ed25519_key_is_that_of_rfc_8037() {
        let key = PublicKey::ed25519(&URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap()).unwrap();
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn keys_of_another_shape_are_refused() {
        assert_eq!((PublicKey::ed25519(&[1; 31]), PublicKey::p256(&[4; 64]), PublicKey::p256(&[2; 65])), (None, None, None));
    }
}
