//! The verifier of signed requests with a memory of its own, and a request that it is asked about.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::tokens::{ReplayStore, RequestVerifier};
use estelam::core::identity::PeerChain;
use estelam::core::token::{SignatureField, SignatureVerifier, SignedRequest};
use serde_json::{Value, json};

use crate::foreign_keys::ForeignKey;
use crate::token::{ISSUER, NOW, agency, at};

const BODY: &[u8] = b"{}";
const PATH: &str = "/v1/verify";

pub struct Desk {
    verifier: RequestVerifier,
    peer: Arc<PeerChain>,
    _dir: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let replays = Arc::new(ReplayStore::open(&dir.path().join("spent"), at(NOW)).unwrap());
        Self { verifier: RequestVerifier::new(ISSUER.into(), replays), peer: agency("school", [9; 32]).peer().clone(), _dir: dir }
    }

    /// Claims that are good once.
    pub fn claims(&self) -> Value {
        let mut bits = [0; 16];
        aws_lc_rs::rand::fill(&mut bits).unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, BODY);
        json!({
            "iss": "school", "aud": ISSUER, "iat": NOW, "jti": URL_SAFE_NO_PAD.encode(bits), "htm": "POST", "path": PATH,
            "body_sha256": URL_SAFE_NO_PAD.encode(digest),
        })
    }

    /// Whether a compact JWS counts for the request, where this is the only key of the school's requests.
    pub async fn verifies(&self, compact: &str, key: &ForeignKey) -> bool {
        let field = SignatureField { compact: compact.to_owned(), method: "POST".to_owned(), path: PATH.to_owned() };
        let request = SignedRequest { field: &field, body: BODY, peer: &self.peer };
        self.verifier.verify(request, &key.public("r"), at(NOW)).await.is_ok()
    }
}

#[tokio::test]
async fn every_kind_of_key_signs_and_each_signature_counts_once() {
    let desk = Desk::new();
    for key in [ForeignKey::ps256(), ForeignKey::es256(), ForeignKey::eddsa()] {
        let compact = key.signed(&json!({"alg": key.alg(), "kid": "r", "typ": "estelam-request+jwt"}), &desk.claims());
        assert!(desk.verifies(&compact, &key).await, "{}", key.alg());
        assert!(!desk.verifies(&compact, &key).await, "{}", key.alg());
    }
}

#[tokio::test]
async fn signature_and_assertion_with_one_jti_do_not_spend_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let replays: Arc<ReplayStore> = Arc::new(ReplayStore::open(&dir.path().join("spent"), at(NOW)).unwrap());
    let key = ForeignKey::eddsa();
    let desk = Desk { verifier: RequestVerifier::new(ISSUER.into(), replays.clone()), ..Desk::new() };
    let claims = desk.claims();
    let once = estelam::core::token::SingleUse { jti: claims["jti"].as_str().unwrap().into(), expires_at: at(NOW + 60) };
    let school = agency("school", [9; 32]).agency().clone();
    assert!(estelam::core::token::Replays::spend(&*replays, &school, &once, at(NOW)).await.unwrap());
    assert!(desk.verifies(&key.signed(&json!({"alg": "EdDSA", "kid": "r", "typ": "estelam-request+jwt"}), &claims), &key).await);
}
