//! Signed requests: good exactly as they were signed, once, and by a key that is not the connection's; wanted where policy or scope says so.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::core::domain::clock::Clock;
use estelam::core::domain::jwt_kind::JwtKind;
use estelam::core::token::commitment;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::audit::patterns;
use super::fixtures::query;
use super::harness::{Reply, System, send};
use super::record;
use super::workshop::{agency, edit_policy};
use crate::foreign_keys::ForeignKey;
use crate::openapi::assert_described;

/// The header field.
const FIELD: &str = "estelam-signature";
/// The key's id in the agencies' key sets.
const KID: &str = "request-1";
const VERIFY: &str = "/v1/verify";
const PROOF: &str = "/v1/log/proof/00000000-0000-7000-8000-000000000000";

/// Registers keys for an agency's requests; takes effect when the policies are read again.
pub fn register(system: &System, agency: &str, keys: &[(&ForeignKey, &str)]) {
    let keys: Vec<_> = keys.iter().map(|(key, kid)| key.jwk(kid)).collect();
    let path = system.config.policies.join(format!("agencies/{agency}.request-jwks.json"));
    std::fs::write(path, json!({ "keys": keys }).to_string()).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

/// A `jti` that no other signature of the test has.
fn fresh() -> String {
    let mut bits = [0; 16];
    aws_lc_rs::rand::fill(&mut bits).unwrap();
    URL_SAFE_NO_PAD.encode(bits)
}

/// Header and claims of a good signature over a request.
fn parts(system: &System, key: &ForeignKey, agency: &str, (method, path): (&str, &str), body: &str) -> (Value, Value) {
    let claims = json!({
        "iss": agency, "aud": system.config.issuer, "iat": system.clock.now().as_second(), "jti": fresh(),
        "htm": method, "path": path, "body_sha256": sha256(body.as_bytes()),
    });
    (json!({"alg": key.alg(), "typ": "estelam-request+jwt", "kid": KID}), claims)
}

/// The header field for a request.
pub fn signature(system: &System, key: &ForeignKey, agency: &str, target: (&str, &str), body: &str) -> String {
    let (header, claims) = parts(system, key, agency, target, body);
    key.signed(&header, &claims)
}

async fn ask(system: &System, agency: &str, body: &str, signatures: &[&str]) -> Reply {
    let token = system.token(agency).await;
    let request = system.request(agency, "POST", VERIFY).bearer_auth(token).header(CONTENT_TYPE, "application/json").body(body.to_owned());
    send(signatures.iter().fold(request, |request, signature| request.header(FIELD, *signature))).await
}

/// Refused, on record once, and nobody was asked about.
async fn refused(system: &System, what: &str, request: RequestBuilder, status: u16, code: &str) -> Reply {
    let before = (system.entries() + 1, system.look_ups());
    let reply = send(request).await;
    assert_eq!((reply.status, reply.code()), (status, code), "{what}: {}", reply.json);
    assert_eq!((system.entries(), system.look_ups()), before, "{what}");
    assert_eq!(record::latest(system).get("signature"), None, "{what}: the log says nothing of a signature that is none");
    reply
}

async fn bad(system: &System, what: &str, body: &str, signature: &str) {
    let token = system.token("bank").await;
    let request = system.request("bank", "POST", VERIFY).bearer_auth(token).header(CONTENT_TYPE, "application/json");
    let reply = refused(system, what, request.header(FIELD, signature).body(body.to_owned()), 401, "signature-invalid").await;
    assert!(reply.header("www-authenticate").starts_with("Bearer "), "{what}");
}

fn question() -> String {
    let mut body = query("bank", "yekta", "9990000018", "bank-card");
    body["nonce"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    body.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_counts_exactly_as_it_was_signed_and_once() {
    let system = System::today().await;
    let (key, schools) = (ForeignKey::es256(), ForeignKey::es256());
    register(&system, "bank", &[(&key, KID)]);
    register(&system, "school", &[(&schools, KID)]);
    system.running.parts().policies.reload().unwrap();
    let body = question();
    check_good(&system, &key, &body).await;
    check_claims(&system, &key, &body).await;
    check_keys_and_kinds(&system, &key, &schools, &body).await;
    check_forms(&system, &key, &body).await;
    system.stop().await;
}

/// The good one passes once; statement and record commit to it, by a value that only who has the signature can make.
async fn check_good(system: &System, key: &ForeignKey, body: &str) {
    let (header, claims) = parts(system, key, "bank", ("POST", VERIFY), body);
    let good = key.signed(&header, &claims);
    let reply = ask(system, "bank", body, &[&good]).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    let committed = json!(commitment(claims["jti"].as_str().unwrap(), &good));
    let content = record::content(system, reply.json["answer_id"].as_str().unwrap());
    assert_eq!((&content["signed_by"], &content["signature"]), (&json!(KID), &committed));
    let recorded = content.to_string();
    assert!(!recorded.contains(&sha256(body.as_bytes())) && !recorded.contains(&sha256(good.as_bytes())), "no unkeyed digest");
    let statement = reply.json["statement"].as_str().unwrap().split('.').nth(1).unwrap();
    let statement: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(statement).unwrap()).unwrap();
    assert_eq!(statement["request_signature"], committed);
    assert_described("AnswerClaims", &statement);
    let seen = patterns(system, &format!("/v1/log/entries?answer_id={}", reply.json["answer_id"].as_str().unwrap())).await;
    assert_eq!(
        (&seen["entries"][0]["signed_by"], &seen["entries"][0]["signature"]),
        (&json!(KID), &committed),
        "who decides a dispute sees it"
    );
    assert_described("LogEntries", &seen);
    bad(system, "the same once more", body, &good).await;
    // Without one, nothing is said of signatures.
    let reply = ask(system, "bank", body, &[]).await;
    let content = record::content(system, reply.json["answer_id"].as_str().unwrap());
    assert_eq!((reply.status, content.get("signature"), content.get("signed_by")), (200, None, None));
}

async fn check_claims(system: &System, key: &ForeignKey, body: &str) {
    let now = system.clock.now().as_second();
    for (claim, value) in [
        ("iss", json!("school")),
        ("aud", json!("https://elsewhere.test")),
        ("aud", json!([system.config.issuer])),
        ("iat", json!(now - 61)),
        ("iat", json!(now + 11)),
        ("iat", json!(null)),
        ("exp", json!(now)),
        ("nbf", json!(now + 11)),
        ("jti", json!("AAAAAAAAAAAAAAAAAAAAA")),
        ("htm", json!("GET")),
        ("path", json!("/v1/log/person")),
        ("path", json!("/v1/verify/")),
        ("body_sha256", json!(sha256(b""))),
        ("body_sha256", json!(format!("{}=", sha256(body.as_bytes())))),
        ("scope", json!("ops")),
    ] {
        let (header, mut claims) = parts(system, key, "bank", ("POST", VERIFY), body);
        claims[claim] = value.clone();
        bad(system, &format!("{claim} = {value}"), body, &key.signed(&header, &claims)).await;
    }
    // One byte of the body that changes nothing but the bytes.
    let good = signature(system, key, "bank", ("POST", VERIFY), body);
    bad(system, "a space more in the body", &format!("{body} "), &good).await;
    assert_eq!(ask(system, "bank", body, &[&good]).await.status, 200, "a signature that was refused is not spent");
    for iat in [now - 60, now + 10] {
        let (header, mut claims) = parts(system, key, "bank", ("POST", VERIFY), body);
        claims["iat"] = json!(iat);
        assert_eq!(ask(system, "bank", body, &[&key.signed(&header, &claims)]).await.status, 200, "{iat}");
    }
}

async fn check_keys_and_kinds(system: &System, key: &ForeignKey, schools: &ForeignKey, body: &str) {
    let (header, claims) = parts(system, key, "bank", ("POST", VERIFY), body);
    bad(system, "another agency's key", body, &schools.signed(&header, &claims)).await;
    for (member, value) in [
        ("kid", json!("request-2")),
        ("kid", json!("../request-1")),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("EdDSA")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("jwk", key.jwk(KID)),
        ("jku", json!("https://evil.test/keys")),
    ] {
        let mut header = header.clone();
        header[member] = value.clone();
        bad(system, &format!("{member} = {value}"), body, &key.signed(&header, &claims)).await;
    }
    for kind in JwtKind::ALL.into_iter().filter(|kind| *kind != JwtKind::Request) {
        let mut header = header.clone();
        header["typ"] = json!(kind.typ());
        bad(system, kind.typ(), body, &key.signed(&header, &claims)).await;
    }
    let insurer = query("insurer", "yekta", "9990000018", "insurance-health").to_string();
    let unregistered = signature(system, key, "insurer", ("POST", VERIFY), &insurer);
    let reply = ask(system, "insurer", &insurer, &[&unregistered]).await;
    assert_eq!((reply.status, reply.code()), (401, "signature-invalid"), "no key is registered");
}

async fn check_forms(system: &System, key: &ForeignKey, body: &str) {
    let sign = || signature(system, key, "bank", ("POST", VERIFY), body);
    let good = sign();
    for text in ["", "x", "a.b.c", &format!("{good}="), &format!("{good}.x"), &good.replacen('.', "..", 1), &"A".repeat(4097)] {
        bad(system, &format!("a field of {} characters", text.len()), body, text).await;
    }
    let mut bits = URL_SAFE_NO_PAD.decode(good.rsplit('.').next().unwrap()).unwrap();
    bits[40] ^= 1;
    let flipped = format!("{}.{}", good.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode(bits));
    bad(system, "a bit of the signature", body, &flipped).await;
    let reply = ask(system, "bank", body, &[&good, &sign()]).await;
    assert_eq!((reply.status, reply.code()), (400, "malformed-request"), "two fields");
    assert_eq!(ask(system, "bank", body, &[&good]).await.status, 200, "nothing of this spent it");
    for path in ["/oauth2/token", "/oauth2/revoke"] {
        let form = "grant_type=client_credentials&token=x";
        let request = system.request("bank", "POST", path).header(CONTENT_TYPE, super::harness::FORM).body(form);
        refused(system, path, request.header(FIELD, sign()), 400, "malformed-request").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_of_the_connection_signs_nothing_and_a_restart_forgets_no_signature() {
    let system = System::today().await;
    let key = ForeignKey::eddsa();
    let pkcs8 = pem::parse(std::fs::read(system.credential("bank").key).unwrap()).unwrap().into_contents();
    let connection = ForeignKey::Es256(
        aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap(),
    );
    register(&system, "bank", &[(&key, KID), (&connection, "connection")]);
    system.running.parts().policies.reload().unwrap();
    let body = question();
    let (mut header, claims) = parts(&system, &connection, "bank", ("POST", VERIFY), &body);
    header["kid"] = json!("connection");
    bad(&system, "the key of the connection", &body, &connection.signed(&header, &claims)).await;
    let good = signature(&system, &key, "bank", ("POST", VERIFY), &body);
    assert_eq!(ask(&system, "bank", &body, &[&good]).await.status, 200);
    // The gateway comes back under another address, so the signature is made for the first one's name there too.
    let issuer = system.config.issuer.clone();
    let system = system.restarted_as(issuer).await;
    bad(&system, "the same after a restart", &body, &good).await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_over_people_and_the_gateway_want_a_signature_whatever_the_route() {
    let system = System::today().await;
    let key = ForeignKey::eddsa();
    register(&system, "dpo", &[(&key, KID)]);
    system.running.parts().policies.reload().unwrap();
    let token = system.token("dpo").await;
    let ask = || system.request("dpo", "GET", PROOF).bearer_auth(&token);
    assert_eq!(send(ask()).await.code(), "not-found", "a demo lets the officer ask without one");
    edit_policy(system.dir.path(), "dpo", |text| text.replace("demo_optional = true", "demo_optional = false"));
    system.running.parts().policies.reload().unwrap();
    refused(&system, "unsigned", ask(), 400, "signature-required").await;
    let signed = |path| ask().header(FIELD, signature(&system, &key, "dpo", ("GET", path), ""));
    refused(&system, "over another path", signed("/v1/log/proof/x"), 401, "signature-invalid").await;
    let unknown = send(signed(PROOF)).await;
    assert_eq!(unknown.code(), "not-found");
    let claims = URL_SAFE_NO_PAD.decode(unknown.json["statement"].as_str().unwrap().split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert!(claims["request_signature"].is_string(), "{claims}");
    assert_described("RefusalClaims", &claims);
    assert_eq!(record::latest(&system)["signed_by"], json!(KID), "refusals after it are on record as signed");
    // The period of the epochs is signed too.
    let epochs = |asked: &str| system.request("dpo", "GET", asked).bearer_auth(&token);
    let (day, other) = ("/v1/log/epochs?from=2026-11-23", "/v1/log/epochs?from=2020-01-01");
    for over in [day, "/v1/log/epochs"] {
        let request = epochs(other).header(FIELD, signature(&system, &key, "dpo", ("GET", over), ""));
        refused(&system, over, request, 401, "signature-invalid").await;
    }
    assert_eq!(send(epochs(day).header(FIELD, signature(&system, &key, "dpo", ("GET", day), ""))).await.status, 200);
    // Who has no such scope, and whose policy wants nothing, may ask as before.
    let token = system.token("bank").await;
    assert_eq!(send(system.request("bank", "GET", PROOF).bearer_auth(token)).await.code(), "not-found");
    edit_policy(system.dir.path(), "bank", |text| format!("{text}\n[request_signing]\nrequired = true\n"));
    register(&system, "bank", &[(&ForeignKey::eddsa(), KID)]);
    system.running.parts().policies.reload().unwrap();
    let token = system.token("bank").await;
    refused(&system, "required", system.request("bank", "GET", PROOF).bearer_auth(&token), 400, "signature-required").await;
    refused(&system, "required", system.query("bank", &serde_json::from_str(&question()).unwrap()).await, 400, "signature-required").await;
    assert!(system.running.parts().policies.current().agencies[&agency("bank")].request_signing.required);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_to_a_signed_request_goes_to_no_retry_without_a_signature() {
    let (system, key) = (System::today().await, ForeignKey::es256());
    register(&system, "bank", &[(&key, KID)]);
    system.running.parts().policies.reload().unwrap();
    let body = query("bank", "amayesh-no", "A170000001", "bank-card").to_string();
    let token = system.token("bank").await;
    let ask = async |retry: &str, signed: bool| {
        let request = system.request("bank", "POST", VERIFY).bearer_auth(&token).header(CONTENT_TYPE, "application/json");
        let request = request.header("idempotency-key", retry).body(body.clone());
        let field = signed.then(|| signature(&system, &key, "bank", ("POST", VERIFY), &body));
        send(field.into_iter().fold(request, |request, field| request.header(FIELD, field))).await
    };
    let (first, again) = (ask("k-1", true).await, ask("k-1", true).await);
    assert_eq!((first.status, again.status), (200, 200), "{}{}", first.json, again.json);
    assert_eq!(first.json["answer_id"], again.json["answer_id"]);
    let early = ask("k-2", false).await;
    assert_eq!((early.status, ask("k-2", false).await.status), (200, 200), "nobody signed, and nobody had to");
    let (entries, asked) = (system.entries(), system.look_ups());
    assert_eq!(ask("k-1", false).await.code(), "signature-required");
    edit_policy(system.dir.path(), "bank", |text| format!("{text}\n[request_signing]\nrequired = true\n"));
    system.running.parts().policies.reload().unwrap();
    assert_eq!(ask("k-2", false).await.code(), "signature-required", "the policy wants it now");
    assert_eq!(system.look_ups(), asked);
    assert!(system.entries() >= entries + 2, "each refusal is on record");
    system.stop().await;
}
