//! The watch behind the path through the whole stack: what is raised, what is recorded of it and when, and what a webhook gets.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::watch::WatchAlert;
use estelam::config::Alerts;
use estelam::registry::generate::mint_honeypots;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::audit::patterns;
use super::fixtures::query;
use super::harness::{System, send};
use super::record;
use super::workshop::{document, person};

/// A teller tries a purpose that banks do not have.
async fn try_wrong_purpose(system: &System, times: usize) {
    for _ in 0..times {
        let mut question = query("bank", "yekta", "9990000018", "bank-card");
        question["purpose"] = json!("enrolment");
        assert_eq!(system.ask("bank", &question).await.code(), "purpose-not-allowed");
    }
}

/// Rule, agency and count of what is counted and not recorded yet.
fn counted(system: &System) -> Vec<(String, String, u64)> {
    let watching = &system.running.parts().behind.watching;
    watching.step();
    watching.counted().into_iter().map(|WatchAlert { rule, agency, count, .. }| (rule.to_string(), agency.to_string(), count)).collect()
}

fn one(rule: &str, agency: &str) -> Vec<(String, String, u64)> {
    vec![(rule.to_owned(), agency.to_owned(), 1)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_recorded_once_the_day_is_over_and_says_rule_agency_day_and_number_alone() {
    let system = System::today().await;
    try_wrong_purpose(&system, 4).await;
    assert_eq!(counted(&system), []);
    try_wrong_purpose(&system, 3).await;
    assert_eq!(counted(&system), one("wrong-purpose", "bank"));
    let entries = system.entries();
    system.running.parts().record_alerts().await;
    assert_eq!(system.entries(), entries, "beside the call an entry would say who and when");
    system.clock.believe(false);
    system.advance(86_400);
    system.running.parts().record_alerts().await;
    assert_eq!(system.entries(), entries, "by a clock that may be wrong no day is over");
    system.clock.believe(true);
    system.running.parts().record_alerts().await;
    system.running.parts().record_alerts().await;
    assert_eq!((system.entries(), counted(&system)), (entries + 1, vec![]));
    let content = record::latest(&system);
    let fields: Vec<&str> = content.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["agency", "basis", "code", "id", "latency_us", "reference", "route"]);
    assert_eq!((&content["code"], &content["agency"]), (&json!("wrong-purpose"), &json!("bank")));
    assert_eq!((&content["reference"], &content["route"]), (&json!("2026-11-23"), &json!("watch")));
    // Who audits patterns sees how many they were.
    let seen = patterns(&system, "/v1/log/entries?route=watch").await;
    let said = json!({"rule": "wrong-purpose", "agency": "bank", "day": "2026-11-23", "count": 1});
    assert_eq!(serde_json::from_str::<Value>(seen["entries"][0]["details"].as_str().unwrap()).unwrap(), said);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_the_day_is_read_again_and_nothing_of_it_is_on_the_disk() {
    let system = System::today().await;
    try_wrong_purpose(&system, 3).await;
    let system = system
        .restarted(|dir| {
            let names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            let cursor = std::fs::read_to_string(dir.join("watch.json")).unwrap_or_default();
            assert!(cursor.is_empty() || cursor == r#"{"recorded_through":"2026-11-22"}"#, "{cursor} in {names:?}");
        })
        .await;
    try_wrong_purpose(&system, 2).await;
    system.until("the day read again", |system| counted(system) == one("wrong-purpose", "bank")).await;
    // What was recorded is not recorded again, though the day is read again once more.
    system.advance(86_400);
    system.running.parts().record_alerts().await;
    let entries = system.entries();
    let system = system.restarted(|dir| std::fs::remove_file(dir.join("watch.json")).unwrap()).await;
    system.running.parts().record_alerts().await;
    assert_eq!(system.entries(), entries + 2, "that the gateway stopped and started, and no alert");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_honeypot_is_seen_at_its_first_touch() {
    let system = System::today().await;
    let minted = system.registry_store(|store| mint_honeypots(store, 1)).unwrap();
    let question = query("school", minted[0].scheme, &minted[0].value, "education-school");
    assert_eq!(system.ask("school", &question).await.outcome(), "indeterminate not-established");
    assert_eq!(counted(&system), one("honeypot-hit", "school"));
    system.stop().await;
}

/// What was raised outlives the process, as rule, agency, day and number; in which quarter of an hour it was the file tells at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_was_raised_is_recorded_though_the_gateway_restarts_and_cannot_count_it_again() {
    let system = System::today().await;
    let kept = |dir: &std::path::Path| std::fs::read_to_string(dir.join("watch.json")).unwrap();
    system.running.parts().record_alerts().await;
    let before = kept(&system.config.ledger.dir);
    let minted = system.registry_store(|store| mint_honeypots(store, 1)).unwrap();
    system.ask("school", &query("school", minted[0].scheme, &minted[0].value, "education-school")).await;
    assert_eq!(counted(&system), one("honeypot-hit", "school"));
    system.running.parts().record_alerts().await;
    assert_eq!(kept(&system.config.ledger.dir), before, "at once it would tell the instant");
    system.advance(900);
    system.running.parts().record_alerts().await;
    let raised = r#"{"recorded_through":"2026-11-22","raised":[{"day":"2026-11-23","rule":"honeypot-hit","agency":"school","count":1}]}"#;
    assert_eq!(kept(&system.config.ledger.dir), raised);
    // Another, and an orderly end.
    system.ask("clinic", &query("clinic", minted[0].scheme, &minted[0].value, "treatment")).await;
    let both = [one("honeypot-hit", "clinic"), one("honeypot-hit", "school")].concat();
    let system = system.restarted(|dir| assert!(kept(dir).contains("clinic") && !kept(dir).contains(&*minted[0].value))).await;
    assert_eq!(counted(&system), both);
    system.advance(86_400);
    system.running.parts().record_alerts().await;
    assert_eq!(counted(&system), vec![]);
    // Those of the bounds on the path too.
    let mut recorded: Vec<String> = record::all(&system)
        .iter()
        .filter(|content| matches!(content["route"].as_str(), Some("watch" | "alert")))
        .map(|content| format!("{} {} {}", content["route"], content["code"], content["basis"]).replace(['"', '\\'], ""))
        .collect();
    recorded.sort();
    let line = |route: &str, code: &str, agency: &str| format!("{route} {code} {{rule:{code},agency:{agency},day:2026-11-23,count:1}}");
    assert_eq!(
        recorded,
        [
            line("alert", "honeypot", "clinic"),
            line("alert", "honeypot", "school"),
            line("watch", "honeypot-hit", "clinic"),
            line("watch", "honeypot-hit", "school"),
        ]
    );
    assert_eq!(kept(&system.config.ledger.dir), r#"{"recorded_through":"2026-11-23"}"#);
    assert_eq!(std::fs::read_to_string(system.config.ledger.dir.join("alerts.json")).unwrap(), "{}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agencies_that_share_out_one_persons_two_numbers_are_counted_together() {
    let papers = [
        document("amayesh-no", "A170000074", "amayesh", Some(17), "1402/03/31"),
        document("yekta", "9123456784", "smart-card", None, "1410/01/01"),
    ];
    let system = System::at(super::harness::TODAY, &person("two-numbers", &papers.join(","))).await;
    for (agency, service, number) in [
        ("school", "education-school", ("amayesh-no", "A170000074")),
        ("clinic", "treatment", ("yekta", "9123456784")),
        ("insurer", "insurance-health", ("amayesh-no", "A170000074")),
        ("bank", "bank-card", ("yekta", "9123456784")),
    ] {
        assert_eq!(system.ask(agency, &query(agency, number.0, number.1, service)).await.status, 200, "{agency}");
    }
    assert_eq!(counted(&system), []);
    assert_eq!(system.ask("telecom", &query("telecom", "yekta", "9123456784", "sim")).await.status, 200);
    assert_eq!(counted(&system), one("tracked-holder", "telecom"));
    // What joins the two numbers is in memory alone: each entry has a tag of its own.
    let tags: std::collections::HashSet<String> =
        record::all(&system).iter().filter_map(|content| content["trail_tag"].as_str().map(str::to_owned)).collect();
    assert_eq!(tags.len(), 5);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_side_by_side_are_seen_in_whatever_order() {
    let system = System::today().await;
    for number in (9_123_456_000..9_123_456_320_u64).step_by(10) {
        let number = 9_123_456_000 + (number - 9_123_456_000) * 7 % 320;
        let question = query("bank", "yekta", &number.to_string(), "bank-card");
        // Held back or not: what was tried counts.
        let _ = send(system.query("bank.north", &question).await).await;
    }
    assert_eq!(counted(&system), one("number-sequence", "bank"));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_change_with_the_policy_and_a_bad_file_is_refused_with_its_line() {
    let system = System::today().await;
    let path = system.config.policies.join("watch.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let put = |text: &str| {
        let draft = system.dir.path().join("watch.draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, &path).unwrap();
        system.running.parts().policies.reload().map(drop).map_err(|errors| errors[0].to_string())
    };
    let line = text.lines().position(|line| line == "more_than = 4").unwrap() + 1;
    assert_eq!(
        put(&text.replacen("more_than = 4\n", "more_than = 9\n", 1)).unwrap_err(),
        format!("watch.toml:{line}: `agencies` are told apart up to 7; write less")
    );
    try_wrong_purpose(&system, 2).await;
    assert_eq!(counted(&system), []);
    let id = text.find("id = \"wrong-purpose\"").unwrap();
    let stricter = format!("{}{}", &text[..id], text[id..].replacen("more_than = 4\n", "more_than = 1\n", 1));
    put(&stricter).unwrap();
    try_wrong_purpose(&system, 2).await;
    assert_eq!(counted(&system), one("wrong-purpose", "bank"));
    system.stop().await;
}

/// Somebody outside who takes alerts: refuses the first with 503, then takes each.
fn receiver(system_dir: &std::path::Path, got: Arc<Mutex<Vec<(String, String)>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let certificate = CertificateDer::pem_file_iter(system_dir.join("pki/gateway/cert.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(system_dir.join("pki/gateway/key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate, key)
        .unwrap();
    let app = move || {
        let got = got.clone();
        let take = move |request: actix_web::HttpRequest, body: String| {
            let got = got.clone();
            async move {
                let kind = request.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
                let mut got = got.lock().unwrap();
                got.push((kind, body));
                if got.len() == 1 { HttpResponse::ServiceUnavailable() } else { HttpResponse::Accepted() }.finish()
            }
        };
        App::new().route("/alerts", web::post().to(take))
    };
    std::thread::spawn(move || {
        let server = HttpServer::new(app).workers(1).disable_signals().listen_rustls_0_23(listener, tls).unwrap().run();
        actix_web::rt::System::new().block_on(server).unwrap();
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_a_signed_event_once_the_day_is_over_again_until_it_takes_it() {
    let got = Arc::new(Mutex::new(Vec::new()));
    let (port, outbox) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(std::path::PathBuf::new())));
    let system = System::configured(|config| {
        let dir = config.policies.parent().unwrap().to_owned();
        *port.lock().unwrap() = receiver(&dir, got.clone());
        *outbox.lock().unwrap() = dir.join("alerts");
        config.alerts = Some(Alerts {
            url: format!("https://localhost:{}/alerts", port.lock().unwrap()),
            ca: dir.join("pki/ca.pem"),
            crls: None,
            audience: Some("https://soc.example".to_owned()),
            private_addresses: true,
            outbox: dir.join("alerts"),
        });
    })
    .await;
    try_wrong_purpose(&system, 5).await;
    assert_eq!(counted(&system), one("wrong-purpose", "bank"));
    assert!(got.lock().unwrap().is_empty(), "nothing leaves while the day lasts");
    system.advance(86_400);
    system.running.parts().record_alerts().await;
    system.until("the alert taken", |_| got.lock().unwrap().len() == 2).await;
    let waiting = || std::fs::read_dir(&*outbox.lock().unwrap()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    system.until("the outbox empty", |_| waiting() == 0).await;
    let got = got.lock().unwrap().clone();
    let told: Vec<Value> = got.iter().map(|(kind, token)| verified(&system, kind, token)).collect();
    assert_eq!(told[0]["jti"], told[1]["jti"], "a receiver knows it again");
    let event = json!({"rule": "wrong-purpose", "agency": "bank", "day": "2026-11-23", "count": 1});
    assert_eq!(told[1]["events"], json!({"urn:estelam:event:alert": event}));
    assert_eq!((&told[1]["aud"], &told[1]["iss"]), (&json!("https://soc.example"), &json!(system.config.issuer)));
    assert_eq!(told[1].as_object().unwrap().len(), 5, "{}", told[1]);
    system.stop().await;
}

/// The claims of a security event token that the published keys verify.
fn verified(system: &System, kind: &str, token: &str) -> Value {
    assert_eq!(kind, "application/secevent+jwt");
    let parts: Vec<&str> = token.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
    assert_eq!(header["typ"], "secevent+jwt");
    let keys: Value = serde_json::from_str(&system.running.parts().keys.current().jwks_json()).unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
    public.verify(token.rsplit_once('.').unwrap().0.as_bytes(), &decode(parts[2])).unwrap();
    serde_json::from_slice(&decode(parts[1])).unwrap()
}
