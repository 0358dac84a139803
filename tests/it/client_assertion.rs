//! `private_key_jwt` from the form to the token: every algorithm, single use, and what the agency's file wants.

use std::sync::Arc;

use estelam::adapters::tokens::{ClientAuthenticator, OAuthCode, OAuthError, ReplayStore, parse_token_request};
use estelam::core::domain::agency::AgencyId;
use estelam::core::token::ClientAuth;
use serde_json::{Value, json};

use crate::foreign_keys::ForeignKey;
use crate::token::{ISSUER, NOW, at};

/// The endpoint's authenticator with a memory in a folder of its own.
pub struct Door {
    pub clients: ClientAuthenticator,
    dir: tempfile::TempDir,
}

impl Door {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { clients: open(dir.path()), dir }
    }

    /// The same installation after a restart.
    pub fn restarted(self) -> Self {
        let Self { clients, dir } = self;
        drop(clients);
        Self { clients: open(dir.path()), dir }
    }

    /// Sends an assertion as the school, whose file wants one.
    pub async fn send(&self, assertion: &str, key: &ForeignKey) -> Result<(), OAuthError> {
        self.ask(Some(assertion), &ClientAuth { certificate: false, keys: key.public("a") }, NOW).await
    }

    pub async fn ask(&self, assertion: Option<&str>, auth: &ClientAuth, now: i64) -> Result<(), OAuthError> {
        const JWT_BEARER: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let form = assertion.map_or_else(String::new, |text| format!("&client_assertion_type={JWT_BEARER}&client_assertion={text}"));
        let body = format!("grant_type=client_credentials&client_id=school{form}");
        let request = parse_token_request(Some("application/x-www-form-urlencoded"), body.as_bytes())?;
        self.clients.authenticate(&request, &AgencyId::parse("school").unwrap(), auth, at(now)).await
    }
}

fn open(dir: &std::path::Path) -> ClientAuthenticator {
    ClientAuthenticator::new(ISSUER.into(), Arc::new(ReplayStore::open(&dir.join("assertions"), at(NOW)).unwrap()))
}

pub fn header(key: &ForeignKey) -> Value {
    json!({"alg": key.alg(), "kid": "a", "typ": "client-authentication+jwt"})
}

pub fn claims(jti: &str) -> Value {
    json!({"iss": "school", "sub": "school", "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": jti})
}

fn code(outcome: Result<(), OAuthError>) -> Option<OAuthCode> {
    outcome.err().map(|error| error.code)
}

#[tokio::test]
async fn each_algorithm_authenticates_with_and_without_typ_and_with_one_key_without_kid() {
    let door = Door::new();
    for key in [ForeignKey::ps256(), ForeignKey::es256(), ForeignKey::eddsa()] {
        for without in ["", "typ", "kid"] {
            let mut header = header(&key);
            header.as_object_mut().unwrap().remove(without);
            let assertion = key.signed(&header, &claims(&format!("{}-{without}", key.alg())));
            assert_eq!(door.send(&assertion, &key).await, Ok(()), "{} without `{without}`", key.alg());
        }
    }
    let key = ForeignKey::eddsa();
    let newer_name = key.signed(&json!({"alg": "Ed25519", "kid": "a"}), &claims("newer"));
    assert_eq!(door.send(&newer_name, &key).await, Ok(()));
}

#[tokio::test]
async fn assertion_counts_once_even_after_a_restart() {
    let (mut door, key) = (Door::new(), ForeignKey::es256());
    let assertion = key.signed(&header(&key), &claims("one"));
    assert_eq!(door.send(&assertion, &key).await, Ok(()));
    for _ in 0..2 {
        assert_eq!(code(door.send(&assertion, &key).await), Some(OAuthCode::InvalidClient));
        let again = key.signed(&header(&key), &claims("one"));
        assert_eq!(code(door.send(&again, &key).await), Some(OAuthCode::InvalidClient), "the same id under another signature");
        door = door.restarted();
    }
}

#[tokio::test]
async fn refused_assertion_spends_nothing() {
    let (door, key) = (Door::new(), ForeignKey::es256());
    let other = ForeignKey::es256();
    let forged = other.signed(&header(&key), &claims("one"));
    assert_eq!(code(door.send(&forged, &key).await), Some(OAuthCode::InvalidClient));
    assert_eq!(door.send(&key.signed(&header(&key), &claims("one")), &key).await, Ok(()));
}

#[tokio::test]
async fn file_says_which_way_is_wanted() {
    let (door, key) = (Door::new(), ForeignKey::eddsa());
    let by = |certificate, keys: bool| ClientAuth { certificate, keys: if keys { key.public("a") } else { Vec::new() } };
    let fresh = |jti: &str| key.signed(&header(&key), &claims(jti));
    assert_eq!(door.ask(None, &by(true, false), NOW).await, Ok(()));
    assert_eq!(door.ask(None, &by(true, true), NOW).await, Ok(()), "both: the client chooses");
    assert_eq!(door.ask(Some(&fresh("a")), &by(true, true), NOW).await, Ok(()));
    assert_eq!(code(door.ask(None, &by(false, true), NOW).await), Some(OAuthCode::InvalidClient), "the certificate is not enough");
    assert_eq!(code(door.ask(Some(&fresh("b")), &by(true, false), NOW).await), Some(OAuthCode::InvalidClient), "no key is registered");
    assert_eq!(code(door.ask(None, &by(false, false), NOW).await), Some(OAuthCode::InvalidClient), "nobody");
    assert_eq!(code(door.ask(Some("x"), &by(true, true), NOW).await), Some(OAuthCode::InvalidClient), "a bad one is never passed over");
}

#[tokio::test]
async fn key_of_several_is_told_by_its_id_alone() {
    let (door, one, two) = (Door::new(), ForeignKey::es256(), ForeignKey::eddsa());
    let mut keys = one.public("a");
    keys.extend(two.public("b"));
    let auth = ClientAuth { certificate: false, keys };
    let send =
        async |header: Value, key: &ForeignKey, jti: &str| code(door.ask(Some(&key.signed(&header, &claims(jti))), &auth, NOW).await);
    assert_eq!(send(json!({"alg": "ES256", "kid": "a"}), &one, "1").await, None);
    assert_eq!(send(json!({"alg": "EdDSA", "kid": "b"}), &two, "2").await, None);
    for header in [
        json!({"alg": "EdDSA", "kid": "a"}),
        json!({"alg": "ES256", "kid": "b"}),
        json!({"alg": "EdDSA"}),
        json!({"alg": "EdDSA", "kid": "c"}),
    ] {
        assert_eq!(send(header.clone(), &two, "3").await, Some(OAuthCode::InvalidClient), "{header}");
    }
}

#[tokio::test]
async fn clocks_nine_eleven_fifty_nine_and_sixty_one_seconds_off() {
    let (door, key) = (Door::new(), ForeignKey::eddsa());
    let auth = ClientAuth { certificate: false, keys: key.public("a") };
    for (behind, accepted) in [(9, true), (10, true), (11, false), (59, false), (61, false)] {
        let assertion = key.signed(&header(&key), &claims(&format!("our clock {behind} s behind")).clone());
        let good = key.signed(&header(&key), &claims(&format!("b{behind}")));
        assert!(door.ask(Some(&assertion), &auth, NOW - behind).await.is_err(), "a `jti` with spaces never passes");
        assert_eq!(door.ask(Some(&good), &auth, NOW - behind).await.is_ok(), accepted, "{behind} s ahead of us");
    }
    for (late, accepted) in [(9, true), (11, true), (59, true), (60, false), (61, false)] {
        let assertion = key.signed(&header(&key), &claims(&format!("l{late}")));
        assert_eq!(door.ask(Some(&assertion), &auth, NOW + late).await.is_ok(), accepted, "{late} s after it was made for 60 s");
    }
}
