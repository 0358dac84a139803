//! Every gateway route with every kind of certificate and token that must not pass. A route without a row fails the test.

use std::collections::BTreeSet;

use estelam::adapters::http::GATEWAY_ROUTES;
use estelam::adapters::pki::{Credential, DevPki};
use estelam::adapters::tls::config::anonymous_client_config;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder};

use super::fixtures::query;
use super::harness::{FORM, Reply, System, client_with, send, try_send};
use super::workshop::agency;
use crate::tls_weak::Forge;

/// One route as the table asks for it.
struct Row {
    method: &'static str,
    /// As in the list of routes.
    route: &'static str,
    path: &'static str,
    content_type: Option<&'static str>,
    body: String,
}

fn rows() -> Vec<Row> {
    let row = |method, route, path, content_type, body: &str| Row { method, route, path, content_type, body: body.to_owned() };
    let question = query("bank", "yekta", "9990000018", "bank-card").to_string();
    let proof = "/v1/log/proof/00000000-0000-7000-8000-000000000000";
    let justification = "/v1/log/samples/00000000-0000-7000-8000-000000000000/justification";
    let person = r#"{"identifier":{"scheme":"yekta","value":"9990000018"},"case":"case-1"}"#;
    let [metadata, resource, jwks] =
        ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/.well-known/jwks.json"];
    vec![
        row("POST", "/v1/verify", "/v1/verify", Some("application/json"), &question),
        row("POST", "/oauth2/token", "/oauth2/token", Some(FORM), "grant_type=client_credentials"),
        row("POST", "/oauth2/revoke", "/oauth2/revoke", Some(FORM), "token=x.y.z"),
        row("POST", "/v1/events", "/v1/events", Some("application/secevent+jwt"), "x.y.z"),
        row("GET", "/v1/log/proof/{answer_id}", proof, None, ""),
        row("GET", "/v1/log/entries", "/v1/log/entries?agency=bank", None, ""),
        row("GET", "/v1/log/epochs", "/v1/log/epochs", None, ""),
        row("GET", "/v1/log/export", "/v1/log/export?format=csv", None, ""),
        row(
            "POST",
            "/v1/log/holder",
            "/v1/log/holder",
            Some("application/json"),
            r#"{"identifier":{"scheme":"yekta","value":"9990000018"},"actor":"clerk-1"}"#,
        ),
        row("POST", "/v1/log/person", "/v1/log/person", Some("application/json"), person),
        row("GET", "/v1/log/samples", "/v1/log/samples", None, ""),
        row("POST", "/v1/log/samples", "/v1/log/samples", Some("application/json"), r#"{"size":5}"#),
        row(
            "POST",
            "/v1/log/samples/{sample_id}/justification",
            justification,
            Some("application/json"),
            r#"{"index":1,"ground":"other"}"#,
        ),
        row("GET", "/v1/log/summary", "/v1/log/summary", None, ""),
        row("GET", metadata, metadata, None, ""),
        row("GET", resource, resource, None, ""),
        row("GET", jwks, jwks, None, ""),
    ]
}

impl Row {
    fn request(&self, system: &System, client: &Client) -> RequestBuilder {
        let request = client.request(Method::from_bytes(self.method.as_bytes()).unwrap(), format!("{}{}", system.config.issuer, self.path));
        let request = self.content_type.into_iter().fold(request, |request, content_type| request.header(CONTENT_TYPE, content_type));
        request.body(self.body.clone())
    }
}

#[test]
fn every_route_has_its_row() {
    let listed: BTreeSet<_> = GATEWAY_ROUTES.iter().map(|(method, route, _)| (*method, *route)).collect();
    let tested: BTreeSet<_> = rows().iter().map(|row| (row.method, row.route)).collect();
    assert_eq!(listed, tested);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_opens_to_a_bad_certificate_or_token() {
    let system = System::today().await;
    check_certificates(&system).await;
    check_tokens(&system).await;
    system.stop().await;
}

/// No, revoked, wrong-CA, wrong-EKU and weak certificates get no HTTP at all, good token or not.
async fn check_certificates(system: &System) {
    let token = system.token("bank").await;
    let elsewhere = tempfile::tempdir().unwrap();
    for (what, client) in bad_clients(system, elsewhere.path()) {
        for row in rows() {
            let before = system.entries();
            let outcome = try_send(row.request(system, &client).bearer_auth(&token)).await;
            assert!(outcome.is_err(), "{} {} answered a client with {what} certificate: {outcome:?}", row.method, row.route);
            assert_eq!(system.entries(), before, "{what}: {}", row.route);
        }
    }
    assert_eq!(system.look_ups(), 0);
}

fn bad_clients(system: &System, elsewhere: &std::path::Path) -> Vec<(&'static str, Client)> {
    let anonymous = client_with(anonymous_client_config(&system.pki.ca(), system.clock.clone()).unwrap());
    let revoked = system.credential("bank.revoked");
    system.pki.revoke(&system.pki.serial_of(&revoked).unwrap()).unwrap();
    system.running.parts().trust.reload().unwrap();
    let stranger = DevPki::create_or_open(elsewhere, system.clock.clone()).unwrap().issue_agency(&agency("bank"), None).unwrap();
    let folder = system.dir.path().join("pki/gateway");
    let server = Credential { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    let pki = system.dir.path().join("pki");
    let weak = Forge { pki: &pki, clock: system.clock.clone() }.clients().map(|(what, client)| (what, client_with(client)));
    let others = [
        ("no", anonymous),
        ("a revoked", system.client_of(&revoked)),
        ("a wrong-CA", system.client_of(&stranger)),
        ("a wrong-EKU", system.client_of(&server)),
    ];
    others.into_iter().chain(weak).collect()
}

/// Missing, foreign, unbound, expired and garbled tokens on a good certificate: 401 as RFC 6750 says, on record, nothing asked.
async fn check_tokens(system: &System) {
    let (foreign, unbound, expired) =
        (system.new_token("school").await, system.new_token("bank.north").await, system.new_token("bank").await);
    for (row, needs_token) in rows().iter().zip(GATEWAY_ROUTES.iter().map(|(_, _, needs_token)| *needs_token)) {
        let ask = |token: Option<String>| {
            let request = row.request(system, &system.client("bank"));
            token.into_iter().fold(request, |request, token| request.bearer_auth(token))
        };
        if !needs_token {
            let reply = send(ask(None)).await;
            // Events come from the registry alone.
            let expected = if row.route == "/v1/events" { 400 } else { 200 };
            assert_eq!(reply.status, expected, "{} is open to every good certificate", row.route);
            continue;
        }
        check(system, ask(None), "token-missing", "").await;
        check(system, ask(None).basic_auth("bank", Some("s3cret")), "token-missing", "").await;
        for (token, code) in [
            (&foreign, "token-not-bound"),
            (&unbound, "token-not-bound"),
            (&format!("{expired}x"), "token-invalid"),
            (&"garbage".to_owned(), "token-invalid"),
        ] {
            check(system, ask(Some(token.clone())), code, INVALID).await;
        }
        // Both are old enough one second after their five minutes.
        let now = estelam::core::domain::clock::Clock::now(&*system.clock);
        system.advance(300);
        check(system, ask(Some(expired.clone())), "token-invalid", INVALID).await;
        system.clock.set(now);
    }
}

/// One of each role, with the scope of that role.
const ROLES: [(&str, &str); 5] =
    [("bank", "verify"), ("security-auditor", "log:patterns"), ("dpo", "log:person"), ("kefalat", "log:holder"), ("operator", "ops")];

/// The scopes that a route wants one of.
fn wants(route: &str) -> &'static [&'static str] {
    match route {
        "/v1/verify" | "/v1/log/samples/{sample_id}/justification" => &["verify"],
        "/v1/log/entries" | "/v1/log/export" | "/v1/log/summary" => &["log:patterns"],
        "/v1/log/epochs" | "/v1/log/person" => &["log:person"],
        "/v1/log/holder" => &["log:holder"],
        // The agency that got the answer, or whoever audits; anybody else hears that there is none.
        "/v1/log/proof/{answer_id}" => &["verify", "log:patterns", "log:person"],
        // An agency sees what it is asked to answer for.
        "/v1/log/samples" => &["verify", "log:patterns"],
        other => panic!("nobody said who may ask `{other}`"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_is_kept_out_of_what_is_another_s() {
    let system = System::today().await;
    let with_token = GATEWAY_ROUTES.iter().filter(|(_, _, needs_token)| *needs_token).count();
    let mut asked = 0;
    for row in rows().iter().zip(GATEWAY_ROUTES).filter(|(_, (_, _, needs_token))| *needs_token).map(|(row, _)| row) {
        for (agency, scope) in ROLES {
            let token = super::audit::token(&system, agency, scope).await;
            let before = (system.entries() + 1, system.look_ups());
            let reply = send(row.request(&system, &system.client(agency)).bearer_auth(&token)).await;
            asked += 1;
            // A list of samples may be drawn by who audits alone.
            let may = wants(row.route).contains(&scope) && (row.method, row.route, scope) != ("POST", "/v1/log/samples", "verify");
            if may {
                assert_ne!(reply.code(), "scope-missing", "{scope} is kept out of {} {}", row.method, row.route);
                continue;
            }
            assert_eq!((reply.status, reply.code()), (403, "scope-missing"), "{scope} at {} {}: {}", row.method, row.route, reply.json);
            assert_eq!(
                (system.entries(), system.look_ups()),
                before,
                "{scope} at {}: it is on record, and nothing was looked up",
                row.route
            );
        }
    }
    assert_eq!(asked, with_token * ROLES.len());
    system.stop().await;
}

const INVALID: &str = "invalid_token";

async fn check(system: &System, request: RequestBuilder, code: &str, error: &str) -> Reply {
    let before = (system.entries() + 1, system.look_ups());
    let reply = send(request).await;
    assert_eq!((reply.status, reply.code(), reply.header("www-authenticate")), (401, code, &*system.challenge(error)), "{}", reply.json);
    assert_eq!((system.entries(), system.look_ups()), before, "{code}");
    reply
}
