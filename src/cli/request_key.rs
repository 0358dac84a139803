//! Keys that sign an agency's requests: reading one, signing with it, and the public halves as they are registered.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

use super::verify::nonce;
use super::{CliError, Failure};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::{FileSigner, PublicKey};
use crate::core::domain::clock::Clock;
use crate::core::domain::file_mode::exposes_a_secret;
use crate::core::domain::jws;
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::signing::{Algorithm, Signer};

/// The header field of the signature.
pub(super) const FIELD: &str = "Estelam-Signature";

/// What a signature is over.
pub(super) struct Target<'a> {
    /// Who signs.
    pub(super) agency: &'a str,
    /// The gateway's issuer URL.
    pub(super) issuer: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
}

/// A private key for requests.
pub(super) struct RequestKey(FileSigner);

impl RequestKey {
    /// Reads a PKCS#8 PEM file, Ed25519 or P-256.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let text = Zeroizing::new(std::fs::read(path).doing(format_args!("cannot read `{}`", path.display()))?);
        if std::fs::metadata(path).is_ok_and(|metadata| exposes_a_secret(metadata.permissions().mode())) {
            let what = "can be reached by others; run `chmod go-rwx` on it, and register a new key if others may have read it";
            return Err(CliError::failed(format_args!("`{}` {what}", path.display())));
        }
        let pkcs8 = pem::parse(&*text).map(|pem| Zeroizing::new(pem.into_contents())).ok();
        let signer = pkcs8.and_then(|pkcs8| FileSigner::from_pkcs8(&pkcs8));
        signer
            .map(Self)
            .ok_or_else(|| CliError::failed(format_args!("`{}` is not one private key in PKCS#8 PEM, P-256 or Ed25519", path.display())))
    }

    /// The value of the header field; its `kid` is the key's RFC 7638 thumbprint.
    pub(super) fn sign(&self, target: &Target<'_>) -> Result<String, CliError> {
        let claims = json!({
            "iss": target.agency,
            "aud": target.issuer,
            "iat": SystemClock.now().as_second(),
            "jti": nonce()?,
            "htm": target.method,
            "path": target.path,
            "body_sha256": URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, target.body)),
        });
        let header = jws::encoded_header(self.0.algorithm().jose(), JwtKind::Request.typ(), self.0.key_id()).doing("the signature")?;
        let input = jws::signing_input(&header, claims.to_string().as_bytes());
        let signature = self.0.sign(input.as_bytes()).doing("the signature")?;
        Ok(jws::finish(input, &signature))
    }
}

/// A new P-256 key, which every JOSE library signs with: the private half as PEM, the public one as a JWK set.
pub(super) fn generate() -> Result<(Zeroizing<String>, String), CliError> {
    const NO_RANDOM: &str = "the system gave no random numbers for a key";
    let pkcs8 = FileSigner::generate(Algorithm::Es256).ok_or_else(|| CliError::failed(NO_RANDOM))?;
    let signer = FileSigner::from_pkcs8(&pkcs8).ok_or_else(|| CliError::failed(NO_RANDOM))?;
    let pem = Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8.to_vec())));
    Ok((pem, set(&[signer.public_key()])?))
}

/// Reads a public key (`openssl pkey -pubout`) as it is to be registered.
pub(super) fn read_public(path: &Path) -> Result<PublicKey, CliError> {
    let text = std::fs::read(path).doing(format_args!("cannot read `{}`", path.display()))?;
    let contents = pem::parse(text).ok().filter(|pem| pem.tag() == "PUBLIC KEY").map(pem::Pem::into_contents);
    let key = contents.and_then(|der| {
        let (_, info) = <x509_parser::x509::SubjectPublicKeyInfo<'_> as x509_parser::prelude::FromDer<_>>::from_der(&der).ok()?;
        PublicKey::from_bytes(&info.subject_public_key.data)
    });
    key.ok_or_else(|| {
        CliError::failed(format_args!(
            "`{}` is not one public key in PEM, P-256 or Ed25519 (`openssl pkey -in KEY -pubout`); write others into NAME.request-jwks.json",
            path.display()
        ))
    })
}

/// Keys as a JWK set.
pub(super) fn set(keys: &[&PublicKey]) -> Result<String, CliError> {
    let keys: Vec<_> = keys.iter().map(|key| key.as_jwk()).collect();
    serde_json::to_string_pretty(&json!({ "keys": keys })).map(|text| text + "\n").doing("the key set")
}
