//! Fetching keys from servers that answer well and oddly, over real TLS, and from places where none may be.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::net::TcpListener;

use actix_web::{App, HttpResponse, HttpServer, web};
use rcgen::{BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::*;
use crate::adapters::clock::ManualClock;

const GOOD: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const MIXED: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"EC","crv":"P-521"}]}"#;
const SECRET: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"oct","k":"AA"}]}"#;

/// A root, a server's certificate below it, and a folder with both and a revocation list.
struct Place {
    dir: tempfile::TempDir,
    cert: String,
    key: String,
    serial: rcgen::SerialNumber,
    issuer: Issuer<'static, KeyPair>,
}

impl Place {
    fn new() -> Self {
        let (dir, key) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        std::fs::write(dir.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let (own, serial) = (KeyPair::generate().unwrap(), rcgen::SerialNumber::from(77u64));
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.serial_number = Some(serial.clone());
        let cert = params.signed_by(&own, &issuer).unwrap().pem();
        Self { dir, cert, key: own.serialize_pem(), serial, issuer }
    }

    fn serve(&self, reply: fn() -> HttpResponse) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = vec![CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()];
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
            .unwrap();
        let app = move || App::new().default_service(web::to(move || async move { reply() }));
        actix_web::rt::spawn(HttpServer::new(app).workers(1).disable_signals().listen_rustls_0_23(listener, tls).unwrap().run());
        port
    }

    fn settings(&self, port: u16) -> OutwardSettings {
        OutwardSettings {
            url: format!("https://localhost:{port}/jwks"),
            ca: self.dir.path().join("ca.pem"),
            crls: None,
            private_addresses: true,
        }
    }

    fn revoke(&self, serials: &[rcgen::SerialNumber]) {
        let revoked = serials.iter().map(|serial| rcgen::RevokedCertParams {
            serial_number: serial.clone(),
            revocation_time: rcgen::date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 1, 1),
            next_update: rcgen::date_time_ymd(2027, 1, 1),
            crl_number: rcgen::SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        std::fs::create_dir_all(self.dir.path().join("crl")).unwrap();
        std::fs::write(self.dir.path().join("crl/list.pem"), list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new("2026-11-23T10:00:00Z".parse().unwrap()))
}

fn source(settings: OutwardSettings) -> Result<JwksSource, FetchFailed> {
    JwksSource::new(settings, clock())
}

async fn fetched(reply: fn() -> HttpResponse) -> Result<usize, FetchFailed> {
    let place = Place::new();
    let port = place.serve(reply);
    source(place.settings(port)).unwrap().fetch().await.map(|keys| keys.len())
}

fn json(body: impl Into<String>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body.into())
}

#[actix_web::test]
async fn usable_keys_of_a_set_are_fetched() {
    assert_eq!(fetched(|| json(GOOD)).await, Ok(1));
    assert_eq!(fetched(|| json(MIXED)).await, Ok(1), "keys for other algorithms are passed over");
    assert_eq!(fetched(|| HttpResponse::Ok().content_type("application/jwk-set+json; charset=utf-8").body(GOOD)).await, Ok(1));
    assert_eq!(fetched(|| json(r#"{"keys":[]}"#)).await, Ok(0), "the issuer has withdrawn its last key");
    assert!(fetched(|| json(SECRET)).await.is_err(), "a set with a symmetric key is somebody's accident");
}

#[actix_web::test]
async fn odd_answers_give_no_keys() {
    let redirect = || HttpResponse::Found().insert_header(("location", "https://localhost:1/jwks")).finish();
    for (reply, why) in [
        (redirect as fn() -> HttpResponse, "302"),
        (|| HttpResponse::NotFound().content_type("application/json").body(GOOD), "404"),
        (|| HttpResponse::Ok().content_type("text/html").body(GOOD), "Content-Type"),
        (|| HttpResponse::Ok().body(GOOD), "Content-Type"),
        (|| json("{}"), "not a JWK set"),
        (|| json(format!("{GOOD}{}", " ".repeat(MAX_SET))), "larger than 64 KiB"),
        (|| HttpResponse::Ok().content_type("application/json").streaming(endless()), "larger than 64 KiB"),
    ] {
        let error = fetched(reply).await.unwrap_err().to_string();
        assert!(error.contains(why), "expected `{why}`, got `{error}`");
    }
}

fn endless() -> impl futures_util::Stream<Item = Result<bytes::Bytes, actix_web::Error>> {
    futures_util::stream::repeat_with(|| Ok(bytes::Bytes::from_static(&[b' '; 4096])))
}

#[actix_web::test]
async fn servers_of_other_roots_and_revoked_ones_are_not_asked() {
    let (place, other) = (Place::new(), Place::new());
    let port = place.serve(|| json(GOOD));
    let foreign = OutwardSettings { ca: other.dir.path().join("ca.pem"), ..place.settings(port) };
    assert!(source(foreign).unwrap().fetch().await.is_err());
    let with_lists = OutwardSettings { crls: Some(place.dir.path().join("crl")), ..place.settings(port) };
    assert!(source(with_lists.clone()).is_err(), "no list is not \"do not check\"");
    place.revoke(&[]);
    let source = source(with_lists).unwrap();
    assert!(source.fetch().await.is_ok());
    place.revoke(std::slice::from_ref(&place.serial));
    assert!(source.fetch().await.is_err(), "the new list is read for the next fetch");
}

#[actix_web::test]
async fn addresses_of_our_own_network_are_not_asked_unless_meant() {
    let place = Place::new();
    let port = place.serve(|| json(GOOD));
    let strict = OutwardSettings { private_addresses: false, ..place.settings(port) };
    assert!(source(strict.clone()).unwrap().fetch().await.is_err(), "`localhost` leads to a loopback address");
    for host in ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let error = source(OutwardSettings { url: format!("https://{host}:{port}/jwks"), ..strict.clone() }).err().unwrap();
        assert!(error.to_string().contains("not public"), "{host}: {error}");
    }
}

#[test]
fn only_plain_https_addresses_are_taken() {
    let place = Place::new();
    for url in [
        "http://sso.test/jwks",
        "https://user@sso.test/jwks",
        "https://:p@sso.test/",
        "https://sso.test/?a=1",
        "https://sso.test/#a",
        "file:///etc/passwd",
        "sso.test",
        "",
    ] {
        let error = source(OutwardSettings { url: url.to_owned(), ..place.settings(1) }).err().unwrap();
        assert!(error.to_string().contains("`jwks_url` must be"), "{url}: {error}");
    }
}
