//! Keys of somebody else: an agency's client or an outside issuer, of every accepted kind, and what they sign.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::core::domain::jwk::{PublicJwk, registered_keys};
use serde_json::{Value, json};

/// A private key and the algorithm that it is meant for.
pub enum ForeignKey {
    Ps256(Box<RsaKeyPair>),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl ForeignKey {
    pub fn ps256() -> Self {
        Self::Ps256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn eddsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    pub fn alg(&self) -> &'static str {
        match self {
            Self::Ps256(_) => "PS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// The public JWK.
    pub fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ps256(key) => {
                let public: PublicKeyComponents<Vec<u8>> = key.public_key().into();
                json!({"kty": "RSA", "alg": "PS256", "use": "sig", "kid": kid, "n": encode(&public.n), "e": encode(&public.e)})
            }
            Self::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid, "x": encode(x), "y": encode(y)})
            }
            Self::EdDsa(key) => json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(key.public_key().as_ref())}),
        }
    }

    /// The public key as a client registers it.
    pub fn public(&self, kid: &str) -> Vec<PublicJwk> {
        registered_keys(json!({"keys": [self.jwk(kid)]}).to_string().as_bytes()).unwrap()
    }

    /// The bytes of the public key, as an attacker would key a MAC with them.
    pub fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ps256(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Es256(key) => key.public_key().as_ref().to_vec(),
            Self::EdDsa(key) => key.public_key().as_ref().to_vec(),
        }
    }

    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ps256(key) => rsa_signature(key, &RSA_PSS_SHA256, message),
            Self::Es256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// Any text under any header, with a good signature.
    pub fn signed_text(&self, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(self.signature(input.as_bytes())))
    }

    pub fn signed(&self, header: &Value, payload: &Value) -> String {
        self.signed_text(&header.to_string(), &payload.to_string())
    }

    /// The same with RSASSA-PKCS1-v1_5, where the key is RSA.
    pub fn signed_by_rs256(&self, header: &Value, payload: &Value) -> Option<String> {
        let Self::Ps256(key) = self else { return None };
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload.to_string()));
        Some(format!("{input}.{}", URL_SAFE_NO_PAD.encode(rsa_signature(key, &RSA_PKCS1_SHA256, input.as_bytes()))))
    }
}

fn rsa_signature(key: &RsaKeyPair, padding: &'static dyn aws_lc_rs::signature::RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}
