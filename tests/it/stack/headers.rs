//! Header fields that come twice, and bodies under a content coding: refused on record, nothing asked.

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::json;

use super::fixtures::query;
use super::harness::{FORM, Reply, System, send};

async fn check(system: &System, what: &str, request: RequestBuilder, status: u16, code: &str) -> Reply {
    let before = (system.entries(), system.look_ups());
    let reply = send(request).await;
    assert_eq!((reply.status, reply.code()), (status, code), "{what}: {}", reply.json);
    assert_eq!(reply.header("content-type"), "application/problem+json", "{what}");
    assert_eq!(reply.json["ledger"]["index"], json!(before.0), "{what}");
    assert_eq!((system.entries(), system.look_ups()), (before.0 + 1, before.1), "{what}");
    reply
}

async fn good(system: &System) -> RequestBuilder {
    system.query("bank", &query("bank", "yekta", "9990000018", "bank-card")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_field_that_comes_twice_is_refused_even_where_both_are_the_same() {
    let system = System::today().await;
    for (what, name, value) in [
        ("content type", CONTENT_TYPE, "application/json"),
        ("another content type", CONTENT_TYPE, "text/plain"),
        ("token", AUTHORIZATION, "Bearer x.y.z"),
    ] {
        let reply = check(&system, what, good(&system).await.header(&name, value), 400, "malformed-request").await;
        let challenge = if name == AUTHORIZATION { system.challenge("invalid_request") } else { String::new() };
        assert_eq!(reply.header("www-authenticate"), challenge, "{what}");
    }
    let twice = good(&system).await.header("idempotency-key", "k1").header("idempotency-key", "k1");
    check(&system, "idempotency key", twice, 400, "malformed-request").await;
    // The key was not used: it is free for the next one.
    let answer = send(good(&system).await.header("idempotency-key", "k1")).await;
    assert_eq!((answer.status, answer.json.get("redelivered")), (200, None));
    let form = system.request("bank", "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).header(CONTENT_TYPE, FORM);
    check(&system, "token request", form.body("grant_type=client_credentials"), 400, "malformed-request").await;
    // A list is a list, however many lines it takes (RFC 9110 §5.3).
    let listed = good(&system).await.header(ACCEPT, "application/json").header(ACCEPT, "*/*");
    assert_eq!(send(listed).await.status, 200);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_beside_a_query_string_is_an_invalid_request() {
    let system = System::today().await;
    let request = system.request("bank", "POST", "/v1/verify?access_token=x").header(CONTENT_TYPE, "application/json").body("{}");
    let reply = check(&system, "query string", request, 400, "malformed-request").await;
    assert_eq!(reply.header("www-authenticate"), system.challenge("invalid_request"));
    system.stop().await;
}

/// What challenges for a token belongs to what a token opens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_that_takes_no_token_challenges_for_none() {
    let system = System::today().await;
    for path in ["/oauth2/token", "/oauth2/revoke", "/v1/events"] {
        let ask = |query: &str| system.request("bank", "POST", &format!("{path}{query}")).header(CONTENT_TYPE, FORM);
        let query = ask("?x=1").body("grant_type=client_credentials");
        let token = ask("?access_token=x").body("grant_type=client_credentials");
        let twice = ask("").header(AUTHORIZATION, "Bearer x").header(AUTHORIZATION, "Bearer x").body("grant_type=client_credentials");
        for (what, request) in [("query string", query), ("token in it", token), ("two headers", twice)] {
            let reply = check(&system, what, request, 400, "malformed-request").await;
            assert_eq!(reply.header("www-authenticate"), "", "{path}: {what}");
        }
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_under_a_content_coding_is_unsupported() {
    let system = System::today().await;
    for coding in ["gzip", "br", "aws-chunked", "identity, gzip", "\u{e9}"] {
        let request = good(&system).await.header(CONTENT_ENCODING, coding);
        check(&system, coding, request, 415, "unsupported-media-type").await;
    }
    let request = good(&system).await.header(CONTENT_ENCODING, "identity").header(CONTENT_ENCODING, "gzip");
    check(&system, "second line", request, 415, "unsupported-media-type").await;
    // The token comes first in the contract's order.
    let request = system.request("bank", "POST", "/v1/verify").header(CONTENT_ENCODING, "gzip").body("{}");
    check(&system, "no token", request, 401, "token-missing").await;
    assert_eq!(send(good(&system).await.header(CONTENT_ENCODING, "Identity")).await.status, 200);
    let form = system.request("bank", "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).header(CONTENT_ENCODING, "gzip");
    let reply = send(form.body("grant_type=client_credentials")).await;
    assert_eq!((reply.status, &reply.json["error"]), (400, &json!("invalid_request")), "{}", reply.json);
    system.stop().await;
}
