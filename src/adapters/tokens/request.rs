//! Verifies signatures over requests: the agency's registered keys, never the connection's, each signature once.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::key::{ForeignRejected, notice_refused_member, verify_foreign};
use crate::core::domain::context::RequestSignature;
use crate::core::domain::jwk::PublicJwk;
use crate::core::domain::jws::{ForeignJws, JwsRejected, refused_member};
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::token::{Replays, SignatureFault, SignatureRejected, SignatureVerifier, SignedRequest, check_request, commitment};

/// The longest signature that is looked at, in bytes.
const MAX_SIGNATURE: usize = 4096;

/// Looks at signatures made for one issuer.
pub struct RequestVerifier {
    issuer: Arc<str>,
    replays: Arc<dyn Replays>,
}

impl RequestVerifier {
    /// A verifier of signatures made for `issuer`, each of which counts once.
    pub fn new(issuer: Arc<str>, replays: Arc<dyn Replays>) -> Self {
        Self { issuer, replays }
    }
}

#[async_trait]
impl SignatureVerifier for RequestVerifier {
    async fn verify(&self, request: SignedRequest<'_>, keys: &[PublicJwk], now: Timestamp) -> Result<RequestSignature, SignatureFault> {
        let compact = &request.field.compact;
        let key = signed_with(compact, keys)?;
        if key.0.material().is_of_certificate(&request.peer.public_key) {
            return Err(SignatureRejected("the key of the connection signs no requests; sign with a key of its own").into());
        }
        let (once, jti) = check_request(&key.1, &request, &self.issuer, now)?;
        match self.replays.spend(&request.peer.agency, &once, now).await {
            Ok(true) => Ok(RequestSignature { key: key.0.kid().unwrap_or_default().into(), commitment: commitment(&jti, compact).into() }),
            Ok(false) => Err(SignatureRejected("this signature was used before; sign each request anew, a retry too").into()),
            Err(_) => Err(SignatureFault::Unavailable),
        }
    }
}

/// The registered key behind a compact JWS of the right kind, and the payload.
fn signed_with<'k>(compact: &str, keys: &'k [PublicJwk]) -> Result<(&'k PublicJwk, Vec<u8>), SignatureRejected> {
    if keys.is_empty() {
        return Err(SignatureRejected(
            "this agency has no key for requests registered; leave `Estelam-Signature` out, or have one registered",
        ));
    }
    let jws = ForeignJws::parse(compact, MAX_SIGNATURE).map_err(|JwsRejected(why)| {
        notice_refused_member(compact, refused_member);
        SignatureRejected(why)
    })?;
    if jws.typ.as_deref() != Some(JwtKind::Request.typ()) {
        return Err(SignatureRejected("the signature's `typ` must be `estelam-request+jwt`"));
    }
    let key = verify_foreign(&jws, keys).map_err(|rejected| SignatureRejected(words(rejected)))?;
    Ok((key, jws.payload))
}

const fn words(rejected: ForeignRejected) -> &'static str {
    match rejected {
        ForeignRejected::UnknownKey => "the signature names no key for requests that is registered for this agency",
        ForeignRejected::Algorithm => "the signature's `alg` is not that of its key",
        ForeignRejected::Signature => "the signature is not good",
    }
}
