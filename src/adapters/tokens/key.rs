//! Signatures of others: one algorithm per key, compared before the key is touched.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};

use crate::core::domain::jwk::{KeyMaterial, PublicJwk};
use crate::core::domain::jws::ForeignJws;

/// Finds the key that an assertion, a signature or a token names, and checks with it. Returns that key.
///
/// Without a `kid` the only key there is counts. Everything unexpected is an error, none of it says which part of a signature was wrong.
///
/// # Errors
/// No such key, an algorithm that is not the key's, or a signature that is not good.
pub fn verify_foreign<'k>(jws: &ForeignJws<'_>, keys: &'k [PublicJwk]) -> Result<&'k PublicJwk, ForeignRejected> {
    let key = match (&jws.kid, keys) {
        (Some(kid), keys) => keys.iter().find(|key| key.kid() == Some(kid)),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let key = key.ok_or(ForeignRejected::UnknownKey)?;
    if key.algorithm() != jws.algorithm {
        return Err(ForeignRejected::Algorithm);
    }
    let good = is_signed(key.material(), jws.signing_input.as_bytes(), &jws.signature);
    good.then_some(key).ok_or(ForeignRejected::Signature)
}

/// Why a signature of somebody else does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignRejected {
    /// No key of that id, or none named where there are several.
    UnknownKey,
    /// Another algorithm than the key's only one.
    Algorithm,
    /// Not signed by that key.
    Signature,
}

fn is_signed(key: &KeyMaterial, message: &[u8], signature: &[u8]) -> bool {
    match key {
        KeyMaterial::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        KeyMaterial::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
        KeyMaterial::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature),
    }
    .is_ok()
}

/// Counts and logs, by its name alone, a header member that would let a sender choose the key or the meaning.
pub(super) fn notice_refused_member(compact: &str, member_of: fn(&str) -> Option<&'static str>) {
    if let Some(member) = member_of(compact) {
        metrics::counter!("estelam_jose_members_refused_total", "member" => member).increment(1);
        tracing::warn!(member, "a token came with a header member that is never followed; it was refused");
    }
}
