//! Auditors' questions through the whole stack: who may ask what, exact counts, stable pages, and every look on record.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fixtures::query;
use super::harness::{FORM, Reply, System, send};
use super::record;

/// A token of somebody with one scope.
pub async fn token(system: &System, agency: &str, scope: &str) -> String {
    let body = format!("grant_type=client_credentials&scope={}", scope.replace(':', "%3A"));
    let reply = send(system.request(agency, "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).body(body)).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    reply.json["access_token"].as_str().unwrap().to_owned()
}

/// Reads a resource with a scope.
pub async fn read(system: &System, (agency, scope): (&str, &str), path: &str) -> Reply {
    let token = token(system, agency, scope).await;
    send(system.request(agency, "GET", path).bearer_auth(token)).await
}

/// The same by the security auditor, who must be answered.
pub async fn patterns(system: &System, path: &str) -> Value {
    let reply = read(system, ("security-auditor", "log:patterns"), path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.json);
    reply.json
}

fn indices(page: &Value) -> Vec<u64> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["index"].as_u64().unwrap()).collect()
}

/// Three queries of the bank, one of the school that is refused, one of the clinic.
pub async fn some_traffic(system: &System) {
    for _ in 0..3 {
        let reply = system.ask("bank", &query("bank", "amayesh-no", "A170000001", "bank-card")).await;
        assert_eq!(reply.status, 200, "{}", reply.json);
    }
    let refused = system.ask("school", &query("school", "amayesh-no", "A170000001", "bank-account")).await;
    assert_eq!(refused.code(), "service-not-allowed");
    assert_eq!(system.ask("clinic", &query("clinic", "amayesh-no", "A170000001", "treatment")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auditor_finds_entries_by_every_field_with_exact_counts_and_is_on_record() {
    let system = System::today().await;
    some_traffic(&system).await;
    let count = async |filter: &str| patterns(&system, &format!("/v1/log/entries?{filter}")).await["count"].as_u64().unwrap();
    assert_eq!(count("agency=bank&kind=answer").await, 3);
    assert_eq!(count("agency=bank&kind=answer&service=bank-card&purpose=account-maintenance&actor=clerk-1&decision=entitled").await, 3);
    assert_eq!(count("agency=bank&kind=answer&reason=valid-by-decree&decree=d1-1402-04-07&freshness=live").await, 1);
    assert_eq!(count("agency=school&code=service-not-allowed").await, 1);
    assert_eq!(count("agency=school&from=2026-11-23&to=2026-11-23&route=verify").await, 1);
    assert_eq!(count("agency=school&to=2026-11-22").await, 0);
    assert_eq!(count("agency=nobody").await, 0);
    let decrees =
        patterns(&system, "/v1/log/entries?agency=bank&kind=answer").await["entries"][0]["decrees_version"].as_str().unwrap().to_owned();
    assert_eq!(count(&format!("agency=bank&decrees_version={decrees}")).await, 3);
    assert_eq!([count("agency=bank&signed=no&kind=answer").await, count("agency=bank&signed=yes").await], [3, 0]);
    assert_eq!([count("kind=answer&class=detail").await, count("kind=answer&class=minor").await], [4, 0]);
    assert_eq!([count("kind=answer&max_latency_ms=3600000").await, count("kind=answer&min_latency_ms=3600000").await], [4, 0]);
    let page = patterns(&system, "/v1/log/entries?agency=clinic&route=verify").await;
    let entry = &page["entries"][0];
    assert_eq!(
        (entry["service"].as_str(), entry["purpose"].as_str(), entry["branch"].is_null()),
        (Some("treatment"), Some("treatment"), true)
    );
    let id = entry["answer_id"].as_str().unwrap().to_owned();
    assert_eq!(indices(&patterns(&system, &format!("/v1/log/entries?answer_id={id}")).await), indices(&page));
    // Nothing that joins people, and nothing that an agency gave about one.
    let text = page.to_string();
    for word in ["tag", "epoch", "basis", "as_of", "A170000001"] {
        assert!(!text.contains(word), "{word}");
    }
    // The look itself.
    let look = record::latest(&system);
    assert_eq!((look["route"].as_str(), look["agency"].as_str()), (Some("log-entries"), Some("security-auditor")));
    assert!(look["details"].as_str().unwrap().contains(&id));
    system.stop().await;
}

/// What a patterns auditor sees of an agency's newest answer, but for what many people share.
async fn seen_of(system: &System, agency: &str) -> std::collections::BTreeSet<String> {
    let page = patterns(system, &format!("/v1/log/entries?agency={agency}&route=verify&limit=1")).await;
    let entry = page["entries"][0].as_object().unwrap();
    let shared = ["reason", "decree", "decision"];
    entry.iter().filter(|(name, _)| !shared.contains(&name.as_str())).map(|(name, value)| format!("{name} {value}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_joins_a_persons_entries_of_two_agencies_for_whoever_audits_patterns() {
    let system = System::today().await;
    let mut seen = Vec::new();
    // One look-up of each person answers both agencies.
    for (scheme, value) in [("amayesh-no", "A170000001"), ("yekta", "9990000018")] {
        for (agency, service) in [("bank", "bank-card"), ("clinic", "treatment")] {
            system.advance(1);
            assert_eq!(system.ask(agency, &query(agency, scheme, value, service)).await.status, 200);
            seen.push(seen_of(&system, agency).await);
        }
    }
    assert_eq!(system.look_ups(), 2);
    let [bank_of_one, clinic_of_one, _, clinic_of_another] = seen.try_into().unwrap();
    assert_eq!(&bank_of_one & &clinic_of_one, &bank_of_one & &clinic_of_another, "what one person's entries share, another's do too");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_opens_every_content_finds_no_number_no_name_and_no_bare_hash_of_one() {
    let system = System::today().await;
    some_traffic(&system).await;
    let name = "Gulalai Rasuli";
    let mut question = query("bank", "amayesh-no", "A170000001", "bank-card");
    question["check"] = json!({"birth_year": 1369, "calendar": "jalali", "name": name});
    assert_eq!(system.ask("bank", &question).await.status, 200);
    let mut emergency = query("clinic", "yekta", "9990000034", "health-primary");
    emergency["nonce"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(system.ask("clinic", &emergency).await.status, 200);
    let told = record::all(&system).iter().map(Value::to_string).collect::<String>();
    assert!(told.contains("trail_tag"), "the contents are there");
    for secret in ["A170000001", "amayesh-no:A170000001", "9990000034", "yekta:9990000034", name] {
        let hash = Sha256::digest(secret.as_bytes());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let spellings = [secret.to_owned(), hex.to_uppercase(), hex, STANDARD_NO_PAD.encode(hash), URL_SAFE_NO_PAD.encode(hash)];
        for spelling in spellings {
            assert!(!told.contains(&spelling), "{secret}");
        }
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_stay_as_they_are_while_entries_come_and_over_a_restart() {
    let system = System::today().await;
    some_traffic(&system).await;
    let path = |cursor: &str| format!("/v1/log/entries?route=verify&limit=2{cursor}");
    let first = patterns(&system, &path("")).await;
    let (mut seen, mut next) = (indices(&first), first["next"].as_str().map(str::to_owned));
    let mut system = system;
    while let Some(cursor) = next.take() {
        some_traffic(&system).await;
        system = system.restarted(|_| ()).await;
        let page = patterns(&system, &path(&format!("&cursor={cursor}"))).await;
        assert_eq!((&page["count"], &page["tree_size"]), (&first["count"], &first["tree_size"]));
        seen.extend(indices(&page));
        next = page["next"].as_str().map(str::to_owned);
    }
    let mut expected = seen.clone();
    expected.sort_unstable();
    expected.dedup();
    expected.reverse();
    assert_eq!((seen.len(), seen), (5, expected), "five queries, newest first, each once");
    let other = read(&system, ("security-auditor", "log:patterns"), "/v1/log/entries?agency=bank&cursor=AAAA").await;
    assert_eq!((other.status, other.code()), (400, "malformed-request"));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_kept_apart() {
    let system = System::today().await;
    some_traffic(&system).await;
    let person = json!({"identifier": {"scheme": "amayesh-no", "value": "A170000001"}, "case": "case-1"});
    for (agency, scope, path) in [
        ("bank", "verify", "/v1/log/entries"),
        ("bank", "verify", "/v1/log/epochs"),
        ("dpo", "log:person", "/v1/log/entries"),
        ("dpo", "log:holder", "/v1/log/entries"),
        ("security-auditor", "log:patterns", "/v1/log/epochs"),
    ] {
        let reply = read(&system, (agency, scope), path).await;
        assert_eq!((reply.status, reply.code()), (403, "scope-missing"), "{agency} reads {path}");
    }
    for (agency, scope) in [("bank", "verify"), ("security-auditor", "log:patterns"), ("dpo", "log:holder")] {
        let token = token(&system, agency, scope).await;
        let request = system.request(agency, "POST", "/v1/log/person").bearer_auth(token).header(CONTENT_TYPE, "application/json");
        let reply = send(request.body(person.to_string())).await;
        assert_eq!((reply.status, reply.code()), (403, "scope-missing"), "{agency} opens a person's trail");
    }
    // A scope that the agency's policy does not give is not to be had.
    let asked = system.request("security-auditor", "POST", "/oauth2/token").header(CONTENT_TYPE, FORM);
    let reply = send(asked.body("grant_type=client_credentials&scope=log%3Aperson")).await;
    assert_eq!(reply.status, 400, "{}", reply.json);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_that_are_not_understood_are_refused_without_repeating_them() {
    let system = System::today().await;
    let number = "9990000018";
    for query in [
        format!("{number}=1"),
        format!("agency=bank&agency={number}"),
        format!("actor={number}"),
        format!("service={number}"),
        format!("purpose={number}"),
        format!("decree={number}"),
        format!("code={number}"),
        format!("route={number}"),
        format!("policy_version={number}"),
        "kind=nonsense".to_owned(),
        format!("limit={number}"),
        format!("from={number}"),
        format!("access_token={number}"),
        "format=csv".to_owned(),
    ] {
        let reply = read(&system, ("security-auditor", "log:patterns"), &format!("/v1/log/entries?{query}")).await;
        assert_eq!((reply.status, reply.code()), (400, "malformed-request"), "{query}");
        assert!(!String::from_utf8_lossy(&reply.body).contains(number), "{query}");
        assert!(!record::latest(&system).to_string().contains(number), "{query}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_for_what_no_entry_has_is_on_record_without_it() {
    let system = System::today().await;
    some_traffic(&system).await;
    for path in ["entries", "export"] {
        let asked = format!("/v1/log/{path}?agency=school&service=Reza&actor=Reza.Ahmadi&purpose=enrolment&reference=Reza");
        assert_eq!(read(&system, ("security-auditor", "log:patterns"), &asked).await.status, 200);
        let mut looks = record::all(&system).into_iter().filter_map(|entry| entry["details"].as_str().map(str::to_owned));
        let look = looks.rfind(|details| details.contains("of_no_entry")).unwrap();
        assert!(look.contains(r#""filter":{"agency":"school","purpose":"enrolment"}"#), "{look}");
        assert!(look.contains(r#""of_no_entry":["actor","service","reference"]"#), "{look}");
    }
    // An actor of the log is no news: who looked for a clerk stays known, also where nothing was found.
    patterns(&system, "/v1/log/entries?agency=telecom&actor=clerk-1").await;
    assert!(record::latest(&system)["details"].as_str().unwrap().contains(r#""actor":"clerk-1""#));
    assert!(!record::all(&system).iter().any(|entry| entry.to_string().contains("Reza")));
    system.stop().await;
}
