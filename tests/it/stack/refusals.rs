//! Every refusal of the contract, one row each, in the contract's order. After each: nothing was asked, one entry was recorded.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use estelam::adapters::policy_files::set_suspended;
use estelam::core::domain::refusal::RefusalCode;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{Reply, System, send};
use super::signed::register;
use super::workshop::{agency, edit_policy};
use crate::foreign_keys::ForeignKey;

/// A number that no refused call may repeat, and that the gateway has not asked about before.
const VALUE: &str = "9990000026";

/// The system under test and the codes that had their row.
struct Table {
    system: System,
    seen: BTreeSet<String>,
}

impl Table {
    /// Sends a request that must be refused: on record once, nothing asked, a problem that repeats nothing.
    async fn check(&mut self, request: RequestBuilder, status: u16, code: &str) -> Reply {
        let before = (self.system.entries(), self.system.look_ups());
        let reply = send(request).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{}", reply.json);
        assert_eq!((self.system.entries() - 1, self.system.look_ups()), before, "{code}");
        assert_eq!(reply.json["ledger"]["index"], json!(before.0), "{code}");
        assert_eq!(reply.json["statement"].as_str().map(|statement| statement.split('.').count()), Some(3), "{code}");
        self.check_problem(&reply, status, code);
        reply
    }

    /// RFC 9457, and free of what was sent.
    fn check_problem(&mut self, reply: &Reply, status: u16, code: &str) {
        assert_eq!((reply.header("content-type"), reply.header("cache-control")), ("application/problem+json", "no-store"));
        assert_eq!(reply.json["type"], json!(format!("urn:estelam:problem:{code}")));
        assert_eq!(reply.json["status"], json!(status));
        assert!(reply.json["title"].is_string() && reply.json["request_id"].is_string(), "{code}: {}", reply.json);
        assert!(!String::from_utf8_lossy(&reply.body).contains(VALUE), "`{code}` repeats the number");
        self.seen.insert(code.to_owned());
    }

    /// A row of the bank's (or another agency's) body.
    async fn row(&mut self, agency: &str, body: &Value, status: u16, code: &str) -> Reply {
        let request = self.system.query(agency, body).await;
        self.check(request, status, code).await
    }

    fn reload(&self) {
        self.system.running.parts().policies.reload().unwrap();
    }
}

fn good() -> Value {
    query("bank", "yekta", VALUE, "bank-account")
}

/// The good query with one field of another value; null takes it out.
fn with(path: &str, value: Value) -> Value {
    let mut body = good();
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        drop(parent.remove(field))
    } else {
        drop(parent.insert(field.to_owned(), value))
    }
    body
}

fn identifier(scheme: &str, value: &str) -> Value {
    with("/identifier", json!({"scheme": scheme, "value": value}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_of_the_contract_can_be_had_and_does_nothing() {
    let mut table = Table { system: System::today().await, seen: BTreeSet::new() };
    check_bodies(&mut table).await;
    check_requests(&mut table).await;
    check_order(&mut table).await;
    check_duties(&mut table).await;
    check_signatures(&mut table).await;
    check_reused_key(&mut table).await;
    check_limits(&mut table).await;
    check_suspension(&mut table).await;
    check_broken_ledger(&mut table).await;
    check_stopping(&mut table).await;
    check_overload(&mut table).await;
    // Its requests never become one: `unreadable` sends them byte by byte.
    table.seen.insert(RefusalCode::HeadTooLarge.code().to_owned());
    // A certificate that turns bad ends its connection too: `tls_revocation` drives that race on purpose.
    table.seen.insert(RefusalCode::CertificateNotAccepted.code().to_owned());
    // Only trails in the log end so: `audit_person` drives them.
    table.seen.extend(
        [RefusalCode::CaseUnknown, RefusalCode::CodeNotAccepted, RefusalCode::RegistryUnavailable].map(|code| code.code().to_owned()),
    );
    let all: BTreeSet<_> = RefusalCode::ALL.iter().map(|code| code.code().to_owned()).collect();
    assert_eq!(table.seen, all, "a refusal without its row");
    table.system.stop().await;
}

async fn check_bodies(table: &mut Table) {
    for body in [
        json!([]),
        with("/unheard_of", json!(1)),
        with("/identifier", Value::Null),
        with("/service", Value::Null),
        with("/actor", json!("two words")),
        with("/actor", json!(VALUE)),
        with("/reference", json!(format!("case-{VALUE}"))),
        with("/nonce", json!("short")),
        with("/check/calendar", Value::Null),
        with("/max_age", json!(-1)),
    ] {
        table.row("bank", &body, 400, "malformed-request").await;
    }
    table.row("bank", &with("/service", json!("no-such")), 400, "unknown-service").await;
    table.row("school", &good(), 403, "service-not-allowed").await;
    table.row("bank", &with("/purpose", json!("enrolment")), 403, "purpose-not-allowed").await;
    table.row("bank", &with("/actor", Value::Null), 400, "actor-required").await;
    table.row("bank", &with("/check", Value::Null), 400, "check-required").await;
    table.row("bank", &with("/check", json!({"name": "Najib"})), 400, "check-required").await;
    table.row("bank", &identifier("no-such", VALUE), 400, "unknown-scheme").await;
    table.row("bank", &identifier("yekta", "x"), 400, "malformed-identifier").await;
    table.row("bank", &identifier("national-code", "0012345679"), 400, "wrong-population").await;
    for (scheme, value) in
        [("pan", "5892101234567895"), ("iban", "IR240150000000000000000001"), ("household", "90000"), ("unhcr-case", "123-45C67890")]
    {
        let reply = table.row("bank", &identifier(scheme, value), 400, "wrong-scheme").await;
        assert!(reply.json["hint"].is_string() && !reply.json.to_string().contains(value), "{}", reply.json);
    }
    let hint = table.row("bank", &identifier("national-code", "199900000001"), 400, "wrong-scheme").await;
    assert_eq!(hint.json["hint"], "fida");
}

async fn check_requests(table: &mut Table) {
    let token = table.system.token("bank").await;
    let bare =
        |system: &System| system.request("bank", "POST", "/v1/verify").header(CONTENT_TYPE, "application/json").body(good().to_string());
    let request = bare(&table.system);
    let reply = table.check(request, 401, "token-missing").await;
    assert_eq!(reply.header("www-authenticate"), table.system.challenge(""));
    let request = bare(&table.system).bearer_auth("x.y.z");
    let reply = table.check(request, 401, "token-invalid").await;
    assert_eq!(reply.header("www-authenticate"), table.system.challenge("invalid_token"));
    let foreign = table.system.token("school").await;
    let request = bare(&table.system).bearer_auth(foreign);
    table.check(request, 401, "token-not-bound").await;
    let reply = table.row("dpo", &good(), 403, "scope-missing").await;
    assert_eq!(reply.header("www-authenticate"), table.system.challenge("insufficient_scope"));
    let request = table.system.request("bank", "POST", "/v1/verify").bearer_auth(&token).header(CONTENT_TYPE, "text/plain").body("{}");
    table.check(request, 415, "unsupported-media-type").await;
    let large = table.system.query("bank", &with("/purpose", json!("x".repeat(9000)))).await;
    table.check(large, 413, "body-too-large").await;
    for request in [
        table.system.query("bank", &good()).await.header("x-forwarded-client-cert", "x"),
        table.system.request("bank", "POST", "/v1/verify?access_token=x").bearer_auth(&token).header(CONTENT_TYPE, "application/json"),
    ] {
        table.check(request, 400, "malformed-request").await;
    }
    let request = table.system.request("bank", "GET", "/v1/nobody").bearer_auth(&token);
    table.check(request, 404, "not-found").await;
    let request = table.system.request("bank", "GET", "/v1/verify").bearer_auth(&token);
    assert_eq!(table.check(request, 405, "method-not-allowed").await.header("allow"), "POST");
}

/// One body with every fault, mended one at a time: the faults are found in the contract's order.
async fn check_order(table: &mut Table) {
    let mut body = json!({"unheard_of": 1, "identifier": {"scheme": "pan", "value": "1"}, "service": "no-such", "purpose": "no-such"});
    table.row("dpo", &body, 403, "scope-missing").await;
    table.row("bank", &body, 400, "malformed-request").await;
    body.as_object_mut().unwrap().remove("unheard_of");
    for (mend, value, status, code) in [
        ("actor", Value::Null, 400, "unknown-service"),
        ("service", json!("education-school"), 403, "service-not-allowed"),
        ("service", json!("bank-card"), 403, "purpose-not-allowed"),
        ("purpose", json!("account-opening"), 400, "actor-required"),
        ("actor", json!("teller-17"), 400, "check-required"),
        ("check", json!({"birth_year": 1370, "calendar": "jalali"}), 400, "malformed-identifier"),
    ] {
        body[mend] = value;
        let found = if code == "malformed-identifier" { "wrong-scheme" } else { code };
        table.row("bank", &body, status, found).await;
    }
}

async fn check_duties(table: &mut Table) {
    let mut body = query("kefalat", "yekta", VALUE, "identity");
    let dir = table.system.dir.path().to_owned();
    edit_policy(&dir, "kefalat", |text| {
        text.replace(r#"must_give = ["actor", "check"]"#, r#"must_give = ["actor", "check", "reference", "nonce"]"#)
    });
    table.reload();
    table.row("kefalat", &body, 400, "reference-required").await;
    body["reference"] = json!("case-1");
    table.row("kefalat", &body, 400, "nonce-required").await;
    body["nonce"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    body["receipt"] = json!(true);
    table.row("kefalat", &body, 403, "receipt-not-allowed").await;
}

async fn check_signatures(table: &mut Table) {
    let key = ForeignKey::eddsa();
    register(&table.system, "kefalat", &[(&key, "request-1")]);
    let dir = table.system.dir.path().to_owned();
    edit_policy(&dir, "kefalat", |text| text.replace(r#""reference", "nonce"]"#, r#""signature"]"#));
    table.reload();
    let body = query("kefalat", "yekta", VALUE, "identity");
    table.row("kefalat", &body, 400, "signature-required").await;
    let request = table.system.query("kefalat", &body).await.header("estelam-signature", "x.y.z");
    table.check(request, 401, "signature-invalid").await;
}

async fn check_reused_key(table: &mut Table) {
    let first = table.system.query("bank", &with("/identifier/value", json!("9990000018"))).await.header("idempotency-key", "k1");
    assert_eq!(send(first).await.status, 200);
    let second = table.system.query("bank", &good()).await.header("idempotency-key", "k1");
    table.check(second, 409, "key-reused").await;
}

async fn check_limits(table: &mut Table) {
    let dir = table.system.dir.path().to_owned();
    let rate = |text: String| text.replace("counter = { per_second = 500, burst = 1000 }", "counter = { per_second = 1, burst = 1 }");
    edit_policy(&dir, "school", rate);
    edit_policy(&dir, "telecom", |text| text.replace("[limits]\n", "[limits]\ndaily_quota = 1\n"));
    table.reload();
    let known = query("school", "yekta", "9990000018", "education-school");
    // The first passes; how many more pass depends on how long each takes.
    let mut reply = table.system.ask("school", &known).await;
    let mut before = (table.system.entries(), table.system.look_ups());
    for _ in 0..50 {
        if reply.status == 429 {
            break;
        }
        before = (table.system.entries(), table.system.look_ups());
        reply = table.system.ask("school", &known).await;
    }
    assert_eq!((reply.status, reply.code()), (429, "rate-limited"), "{}", reply.json);
    assert_eq!((table.system.entries(), table.system.look_ups()), (before.0 + 1, before.1));
    table.check_problem(&reply, 429, "rate-limited");
    let [retry, limit, policy] = ["retry-after", "ratelimit", "ratelimit-policy"].map(|name| reply.header(name));
    assert_eq!((retry, limit, policy), ("1", r#""counter";r=0;t=1"#, r#""counter";q=1;w=1"#));

    let known = query("telecom", "amayesh-no", "A170000001", "sim");
    assert_eq!(table.system.ask("telecom", &known).await.status, 200);
    let reply = table.row("telecom", &known, 429, "quota-exhausted").await;
    // Noon UTC is 15:30 in Tehran: the day ends in 8.5 hours.
    let left = 8 * 3600 + 1800 + 1;
    assert_eq!(reply.header("retry-after"), left.to_string());
    assert_eq!(reply.header("ratelimit-policy"), r#""quota";q=1;w=86400"#);
}

async fn check_suspension(table: &mut Table) {
    let request = table.system.query("insurer", &query("insurer", "yekta", VALUE, "insurance-social")).await;
    set_suspended(&table.system.config.policies, &agency("insurer"), true).unwrap();
    table.reload();
    table.check(request, 403, "agency-suspended").await;
}

/// A log that cannot be written lets nothing leave, answer or refusal; and takes entries again once it can.
async fn check_broken_ledger(table: &mut Table) {
    let (good, bad) = (table.system.query("bank", &good()).await, table.system.query("bank", &json!([])).await);
    let last = table.system.query("bank", &self::good()).await;
    // Its token is an entry too, which must have come from the journal into the database before that breaks.
    table.system.running.parts().ledger.settled().await.unwrap();
    let database = Connection::open(table.system.config.ledger.dir.join("ledger.sqlite")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    database.execute_batch("CREATE TRIGGER broken BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'broken'); END").unwrap();
    // The journal still has this one; the database behind it fails on it.
    assert_eq!(send(last).await.status, 200);
    table.system.until("the broken ledger", |system| !system.running.parts().ledger.ready()).await;
    let entries = table.system.entries();
    for request in [good, bad] {
        let reply = send(request).await;
        assert_eq!((reply.status, reply.code()), (503, "ledger-unavailable"), "{}", reply.json);
        table.check_problem(&reply, 503, "ledger-unavailable");
        let fields: Vec<_> = reply.json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["type", "title", "status", "code", "request_id", "advice"]);
        assert_eq!(reply.json["advice"], "try-later");
        assert!(!reply.header("retry-after").is_empty());
    }
    assert_eq!(table.system.entries(), entries);
    database.execute_batch("DROP TRIGGER broken").unwrap();
    table.system.until("the ledger", |system| system.running.parts().ledger.ready()).await;
    assert_eq!(table.system.ask("bank", &with("/max_age", json!(0))).await.status, 200);
}

async fn check_stopping(table: &mut Table) {
    let request = table.system.query("bank", &good()).await;
    table.system.running.parts().gate.stopping.store(true, Ordering::Relaxed);
    let reply = table.check(request, 503, "shutting-down").await;
    assert_eq!(reply.header("connection"), "close");
    assert!((1..=4).contains(&reply.header("retry-after").parse::<u32>().unwrap()));
}

/// More than the lanes hold: a batch is turned away at once, on record, while a counter still waits.
async fn check_overload(table: &mut Table) {
    // Nobody waits for a deadline to pass: what fills the lanes is dropped with its connections.
    let system = System::configured(|config| {
        config.registry.waiting = 4;
        config.registry.timeout_ms = 60_000;
    });
    let stopped = std::mem::replace(&mut table.system, system.await);
    stopped.stop().await;
    let batch = |number: u32| {
        let mut body = query("clinic", "amayesh-no", &format!("B{number:09}"), "insurance-health");
        body["priority"] = json!("background");
        body
    };
    let mut requests = Vec::new();
    for number in 0..33 {
        requests.push(table.system.query("clinic", &batch(number * 5000)).await);
    }
    let refused = table.system.query("clinic", &batch(999_999)).await;
    table.system.stop_registry().await;
    let _silent = std::net::TcpListener::bind(table.system.registry_address()).unwrap();
    let waiting: Vec<_> = requests.into_iter().map(|request| tokio::spawn(request.send())).collect();
    table
        .system
        .until("a full lane", |system| {
            let [_, (_, background)] = system.running.parts().registry.state().lanes;
            (background.in_flight, background.waiting) == (32, 1)
        })
        .await;
    let reply = table.check(refused, 503, "overloaded").await;
    assert_eq!(reply.json["advice"], "proceed", "a patient does not wait for us");
    assert!(!reply.header("retry-after").is_empty());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
