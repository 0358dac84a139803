//! What leaves: once per key, signed as it is said, no more than the policy discloses, by one snapshot.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::policy_files::set_suspended;
use estelam::adapters::tokens::{OAuthCode, OAuthError};
use estelam::core::domain::clock::Clock;
use estelam::core::domain::context::CallContext;
use estelam::core::ledger::EntryKind;
use estelam::core::signing::Delivery;
use estelam::flow;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::fixtures::query;
use super::harness::{System, send};
use super::workshop::{agency, edit_policy};
use super::wrapped::{Held, gate, incoming};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_duplicates_get_one_entry_and_one_answer() {
    let system = System::today().await;
    let question = query("bank", "yekta", "9990000018", "bank-account");
    system.token("bank.north").await;
    system.token("bank").await;
    let before = system.entries();
    let mut requests = Vec::new();
    for _ in 0..8 {
        requests.push(send(system.query("bank", &question).await.header("idempotency-key", "key-1")));
    }
    let replies = futures_util::future::join_all(requests).await;
    assert_eq!(system.entries(), before + 1);
    let first = replies.iter().find(|reply| reply.json.get("redelivered").is_none()).unwrap();
    for reply in &replies {
        assert_eq!((reply.status, &reply.json["statement"]), (200, &first.json["statement"]));
    }
    let again = replies.iter().filter(|reply| reply.json["redelivered"] == json!(true));
    assert!(again.clone().all(|reply| reply.header("idempotency-replayed") == "true"));
    assert_eq!(again.count(), 7);
    // The key is the certificate's own: another certificate of the same agency has not used it.
    let other = send(system.query("bank.north", &question).await.header("idempotency-key", "key-1")).await;
    assert_ne!(other.json["answer_id"], first.json["answer_id"]);
    assert_eq!(system.entries(), before + 2);
    system.stop().await;
}

/// Verifies a statement with the published keys, as anybody can.
async fn verified(system: &System, statement: &str) -> Value {
    let jwks = send(system.request("bank", "GET", "/.well-known/jwks.json")).await;
    let set: JwkSet = serde_json::from_slice(&jwks.body).unwrap();
    let header = jsonwebtoken::decode_header(statement).unwrap();
    assert_eq!(header.typ.as_deref(), Some("estelam-answer+jwt"));
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&["bank"]);
    validation.set_issuer(&[&system.config.issuer]);
    validation.validate_exp = false; // the library reads the system's clock
    let key = DecodingKey::from_jwk(set.find(header.kid.as_deref().unwrap()).unwrap()).unwrap();
    jsonwebtoken::decode::<Value>(statement, &key, &validation).unwrap().claims
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statement_says_what_the_json_says_and_freshness_is_as_asked() {
    let system = System::today().await;
    let mut question = query("bank", "amayesh-no", "A170000001", "bank-card");
    let reply = system.ask("bank", &question).await;
    let claims = verified(&system, reply.json["statement"].as_str().unwrap()).await;
    for fact in ["answer_id", "decision", "document", "as_of", "freshness", "valid_until", "policy_version", "decrees_version", "may_deny"]
    {
        assert_eq!(claims[fact], reply.json[fact], "{fact}");
    }
    assert_eq!((&claims["reason"], &claims["jti"]), (&reply.json["reason"]["code"], &reply.json["answer_id"]));
    assert_eq!((&claims["iat"], &claims["aud"], claims.get("req")), (&json!(system.clock.now().as_second()), &json!("bank"), None));

    let (cached, look_ups) = (system.ask("bank", &question).await, system.look_ups());
    assert_eq!(cached.json["freshness"], "cached");
    question["max_age"] = json!(0);
    question["nonce"] = json!(URL_SAFE_NO_PAD.encode([7; 16]));
    let alone = send(system.query("bank", &question).await.header(ACCEPT, "application/jwt")).await;
    assert_eq!((alone.status, alone.header("content-type")), (200, "application/jwt"));
    let claims = verified(&system, std::str::from_utf8(&alone.body).unwrap()).await;
    assert_eq!((&claims["freshness"], system.look_ups()), (&json!("live"), look_ups + 1));
    assert_eq!(claims["req"], json!(URL_SAFE_NO_PAD.encode(Sha256::digest(question.to_string()))));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reply_has_the_format_that_the_caller_likes_best() {
    const JSON: &str = "application/json";
    const STATEMENT: &str = "application/jwt";
    let system = System::today().await;
    let question = query("bank", "amayesh-no", "A170000001", "bank-card");
    for (lines, format) in [
        (&["Application/JWT"][..], STATEMENT),
        (&["application/jwt, application/problem+json"], STATEMENT),
        (&["text/html, application/jwt;q=0.8"], STATEMENT),
        (&["application/jwt, application/json"], STATEMENT),
        (&["application/jwt;q=0.9,*/*;q=0.1"], STATEMENT),
        (&["application/json;q=0.5, application/jwt ; q=0.6"], STATEMENT),
        (&["application/problem+json", "application/jwt"], STATEMENT),
        (&["application/json, application/jwt"], JSON),
        (&["application/json", "application/jwt"], JSON),
        (&["application/jwt;q=0.5, application/json"], JSON),
        (&["*/*, application/jwt"], JSON),
        (&["application/jwt;q=0"], JSON),
        (&["application/jwt;q=much"], JSON),
        (&["text/html"], JSON),
    ] {
        let request = lines.iter().fold(system.query("bank", &question).await, |request, line| request.header(ACCEPT, *line));
        let reply = send(request).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, format), "{lines:?}");
        assert_eq!(reply.json["decision"].is_string(), format == JSON, "{lines:?}");
    }
    system.stop().await;
}

/// The school may see neither reasons nor decrees from here on.
fn close_the_books(system: &System) {
    edit_policy(system.dir.path(), "school", |text| {
        text.replace("decree = true", "decree = false")
            .replace(r#"reasons = ["lapse", "decree", "measure", "age", "card", "area"]"#, "reasons = []")
    });
    system.running.parts().policies.reload().unwrap();
}

const SLIP: (&str, &str) = ("census-tracking", "110000000008");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy_change_in_the_middle_of_a_call_leaves_that_call_alone() {
    let system = System::today().await;
    let held = Arc::new(Held { inner: system.running.parts().gate.registry.clone(), came: Notify::new(), go_on: Notify::new() });
    let gate = gate(&system, Some(held.clone()), None);
    let old = system.running.parts().policies.current().version.clone();
    let question = query("school", SLIP.0, SLIP.1, "education-school");
    let call = tokio::spawn(flow::verify(gate, incoming(&system, "school", &question).await));
    held.came.notified().await;
    close_the_books(&system);
    held.go_on.notify_one();
    let answer: Value = serde_json::from_slice(call.await.unwrap().body()).unwrap();
    assert_eq!((&answer["policy_version"], &answer["reason"]["code"]), (&json!(old.as_ref()), &json!("ended-by-decree")));
    assert_eq!(answer["document"]["decree"], "d2-1404-01-01");

    // The next call is under the new one: the coarse reason, no decree, in JSON and statement alike.
    let reply = system.ask("school", &question).await;
    assert_eq!(reply.outcome(), "not-entitled service-not-covered");
    assert_ne!(reply.json["policy_version"], json!(old.as_ref()));
    let payload = reply.json["statement"].as_str().unwrap().split('.').nth(1).unwrap();
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    for hidden in ["ended-by-decree", "d2-1404-01-01"] {
        assert!(!payload.contains(hidden) && !String::from_utf8_lossy(&reply.body).contains(hidden), "{payload}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspension_and_expiry_in_the_middle_of_a_call_stop_its_answer() {
    let system = System::today().await;
    let held = Arc::new(Held { inner: system.running.parts().gate.registry.clone(), came: Notify::new(), go_on: Notify::new() });
    let gate = gate(&system, Some(held.clone()), None);
    let question = query("school", SLIP.0, SLIP.1, "education-school");
    for (change, code) in [("expiry", "token-invalid"), ("suspension", "agency-suspended")] {
        let call = tokio::spawn(flow::verify(gate.clone(), incoming(&system, "school", &question).await));
        held.came.notified().await;
        if change == "expiry" {
            system.advance(301);
        } else {
            set_suspended(&system.config.policies, &agency("school"), true).unwrap();
            system.running.parts().policies.reload().unwrap();
        }
        held.go_on.notify_one();
        let reply = call.await.unwrap();
        assert_eq!(reply.label(), code);
        assert!(!String::from_utf8_lossy(reply.body()).contains("decision"));
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_503_of_the_token_endpoint_says_what_to_do_meanwhile_and_when_to_ask_again() {
    let system = System::today().await;
    let gate = gate(&system, None, None);
    for (name, advice) in [("clinic", "proceed"), ("bank", "try-later")] {
        let error = OAuthError::new(OAuthCode::TemporarilyUnavailable, "no token can be made at present; try again");
        let mut context = CallContext::new("token", system.clock.now());
        context.agency = Some(agency(name));
        let delivery = Delivery {
            context,
            kind: EntryKind::Refusal,
            code: error.code.as_str(),
            details: None,
            status: error.status(),
            content_type: "application/json",
            statement: error.json(),
            body: error.json(),
        };
        let reply = flow::deliver(&gate, delivery).await;
        let body: Value = serde_json::from_slice(reply.body()).unwrap();
        assert_eq!((reply.status(), &body["error"], &body["advice"]), (503, &json!("temporarily_unavailable"), &json!(advice)));
        let (_, wait) = reply.headers().iter().find(|(name, _)| *name == "Retry-After").unwrap();
        assert!((1..=4).contains(&wait.parse::<u32>().unwrap()), "{:?}", reply.headers());
    }
    system.stop().await;
}
