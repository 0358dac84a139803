//! One person's trail: in an open case alone, over agencies, days and restarts, by every number of the person, never two people's as one.

use estelam::adapters::cases::{Case, CaseRegister};
use estelam::core::domain::agency::Scope;
use estelam::core::domain::refusal::RefusalCode;
use estelam::core::ledger::audit::LogAudit;
use estelam::flow::{self, Tenure};
use estelam::registry::membership;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::audit::{patterns, some_traffic, token};
use super::fixtures::query;
use super::harness::{Reply, System, send};
use super::record;
use super::relay::Relay;
use super::workshop::{document, person};
use crate::openapi::assert_described;

const NUMBER: &str = "A170000001";

fn register(system: &System) -> CaseRegister {
    CaseRegister::new(&system.config.audit.cases)
}

pub fn open_case(system: &System, number: &str) {
    open_case_until(system, number, "2026-12-24");
}

pub fn open_case_until(system: &System, number: &str, until: &str) {
    let case = Case {
        number: number.into(),
        reason: "a complaint".into(),
        office: "dpo".into(),
        opened: estelam::core::domain::clock::Clock::now(&*system.clock),
        until: until.parse().unwrap(),
        closed: None,
    };
    register(system).open(&case).unwrap();
}

async fn open(system: &System, body: &Value) -> Reply {
    let token = token(system, "dpo", "log:person").await;
    let request = system.request("dpo", "POST", "/v1/log/person").bearer_auth(token).header(CONTENT_TYPE, "application/json");
    send(request.body(body.to_string())).await
}

pub async fn trail(system: &System, scheme: &str, value: &str) -> Value {
    let reply = open(system, &json!({"identifier": {"scheme": scheme, "value": value}, "case": "case-1"})).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    reply.json
}

/// Agency and route of each entry, oldest first.
fn who(answer: &Value, list: &str) -> Vec<String> {
    let mut text: Vec<String> = answer[list]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{} {}", entry["agency"].as_str().unwrap(), entry["route"].as_str().unwrap()))
        .collect();
    text.reverse();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trail_shows_every_agency_and_the_officers_own_look() {
    let system = System::today().await;
    open_case(&system, "case-1");
    some_traffic(&system).await;
    let first = trail(&system, "amayesh-no", NUMBER).await;
    // The school's query was refused before its number was accepted, so that it is about nobody.
    assert_eq!(who(&first, "entries"), ["bank verify", "bank verify", "bank verify", "clinic verify"]);
    assert_eq!(
        (&first["count"], &first["complete"], &first["persons"], &first["ambiguous"]),
        (&json!(4), &json!(true), &json!(1), &json!([]))
    );
    let look = record::latest(&system);
    assert_eq!((look["route"].as_str(), look["reference"].as_str()), (Some("log-person"), Some("case-1")));
    assert!(look["trail_tag"].is_string() && !look.to_string().contains(NUMBER));
    let second = trail(&system, "amayesh-no", NUMBER).await;
    assert_eq!(who(&second, "entries").last().unwrap(), "dpo log-person", "who looked is in the trail");
    assert!(!second.to_string().contains(NUMBER), "the answer does not name the person");
    // Who audits patterns sees that there was a look, in which case, and not about whom.
    let looks = patterns(&system, "/v1/log/entries?route=log-person&reference=case-1").await;
    assert_eq!(looks["count"], json!(2));
    // The case itself is on record, once, with its reason.
    let cases = patterns(&system, "/v1/log/entries?route=log-case&kind=admin").await;
    assert_eq!(cases["count"], json!(1));
    assert!(cases["entries"][0]["details"].as_str().unwrap().contains("a complaint"));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_open_case_no_trail_is_opened() {
    let system = System::today().await;
    open_case(&system, "case-1");
    let ask = async |case: &str| {
        let reply = open(&system, &json!({"identifier": {"scheme": "amayesh-no", "value": NUMBER}, "case": case})).await;
        (reply.status, reply.code().to_owned())
    };
    assert_eq!(ask("case-1").await.0, 200);
    let look_ups = system.look_ups();
    for unknown in ["case-2", "../cases/case-1", ""] {
        let (status, code) = ask(unknown).await;
        assert!(matches!((status, code.as_str()), (403, "case-unknown") | (400, "malformed-request")), "{unknown}: {status} {code}");
    }
    register(&system).close("case-1", estelam::core::domain::clock::Clock::now(&*system.clock)).unwrap();
    assert_eq!(ask("case-1").await, (403, "case-unknown".to_owned()));
    let refused = record::latest(&system);
    assert!(refused["trail_tag"].is_string(), "the attempt shows in the trail too");
    open_case_until(&system, "case-3", "2026-11-23");
    system.advance(24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    assert_eq!(ask("case-3").await, (403, "case-unknown".to_owned()), "its last day is over");
    assert_eq!(system.look_ups(), look_ups);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn officer_opens_so_many_trails_a_day_and_a_restart_gives_none_back() {
    let system = System::configured(|config| config.audit.trails_per_day = 2).await;
    open_case(&system, "case-1");
    let ask = async |system: &System| {
        let reply = open(system, &json!({"identifier": {"scheme": "amayesh-no", "value": NUMBER}, "case": "case-1"})).await;
        (reply.status, reply.header("retry-after").is_empty())
    };
    assert_eq!(ask(&system).await, (200, true));
    assert_eq!(ask(&system).await, (200, true));
    assert_eq!(ask(&system).await, (429, false));
    let office = "/v1/log/entries?route=log-person&code=quota-exhausted&agency=dpo";
    assert_eq!(patterns(&system, office).await["count"], json!(1));
    // After a restart with the same number what was opened still counts.
    let system = system.restarted_with(|config| config.audit.trails_per_day = 2).await;
    assert_eq!(ask(&system).await, (429, false));
    assert_eq!(patterns(&system, "/v1/log/entries?route=log-person&code=person").await["count"], json!(2));
    // The next day there are two again.
    system.advance(24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    system.running.parts().registry_trust.reload().unwrap();
    assert_eq!(ask(&system).await, (200, true));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trail_crosses_days_and_restarts() {
    let system = System::today().await;
    open_case(&system, "case-1");
    some_traffic(&system).await;
    let system = system.restarted(|_| ()).await;
    some_traffic(&system).await;
    system.advance(24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    some_traffic(&system).await;
    let all = trail(&system, "amayesh-no", NUMBER).await;
    assert_eq!((&all["count"], &all["complete"]), (&json!(12), &json!(true)));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_the_officer_opened_come_with_the_request_where_the_gateway_has_none() {
    let system = System::today().await;
    open_case(&system, "case-1");
    some_traffic(&system).await;
    // The restart has a configuration as an installation's: the officer's key is not on the machine.
    let private = std::fs::read_to_string(system.dir.path().join("pki/dpo/trail.key")).unwrap();
    let system = system.restarted_with(|config| config.audit.officer_key = None).await;
    some_traffic(&system).await;
    let closed = trail(&system, "amayesh-no", NUMBER).await;
    assert_eq!((&closed["count"], &closed["complete"]), (&json!(4), &json!(false)));
    let token = token(&system, "dpo", "log:person").await;
    let reply = send(system.request("dpo", "GET", "/v1/log/epochs").bearer_auth(token)).await;
    let epochs = reply.json["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 2);
    let private = base64_bytes(&private);
    let keys: Vec<Value> = epochs
        .iter()
        .filter(|epoch| epoch["current"] == json!(false))
        .map(|epoch| {
            let (name, sealed) = (epoch["epoch"].as_str().unwrap(), base64_bytes(epoch["sealed_key"].as_str().unwrap()));
            let origin = reply.json["origin"].as_str().unwrap();
            let key = estelam::adapters::store::open_trail_key(&private, origin, name, &sealed).unwrap();
            json!({"epoch": name, "key": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, *key)})
        })
        .collect();
    let body = json!({"identifier": {"scheme": "amayesh-no", "value": NUMBER}, "case": "case-1", "trail_keys": keys});
    let opened = open(&system, &body).await;
    // Eight queries, and the officer's own look before.
    assert_eq!((&opened.json["count"], &opened.json["complete"]), (&json!(9), &json!(true)), "{}", opened.json);
    assert!(!system.running.parts().ledger.epochs(None, None).await.unwrap().is_empty());
    system.stop().await;
}

fn base64_bytes(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text.trim()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trail_follows_all_numbers_of_a_person_and_shows_shared_ones_apart() {
    // One person with two papers; two people with one number, one of them with a paper of her own.
    let mut people = String::new();
    let two = format!(
        "{},{}",
        document("amayesh-no", "A171111111", "amayesh", Some(17), "1402/03/31"),
        document("laissez-passer-no", "LP1111111", "laissez-passer", None, "1408/01/01")
    );
    people.push_str(&person("p1", &two));
    let shared = document("amayesh-no", "A172222222", "amayesh", Some(17), "1402/03/31");
    let own = document("laissez-passer-no", "LP2222222", "laissez-passer", None, "1408/01/01");
    people.push_str(&person("p2", &format!("{shared},{own}")));
    people.push_str(&person("p3", &shared));
    let system = System::at("2026-11-23T12:00:00Z", &people).await;
    open_case(&system, "case-1");
    for (scheme, value) in
        [("amayesh-no", "A171111111"), ("laissez-passer-no", "LP1111111"), ("amayesh-no", "A172222222"), ("laissez-passer-no", "LP2222222")]
    {
        assert_eq!(system.ask("clinic", &query("clinic", scheme, value, "treatment")).await.status, 200, "{value}");
    }
    // By either number, both entries (and the look before).
    let by_first = trail(&system, "amayesh-no", "A171111111").await;
    assert_eq!((who(&by_first, "entries").len(), &by_first["identifiers"]), (2, &json!(2)));
    let by_second = trail(&system, "laissez-passer-no", "LP1111111").await;
    assert_eq!(who(&by_second, "entries").len(), 3);
    // Her own paper leads to her; what was asked about the shared number may be the other's.
    let hers = trail(&system, "laissez-passer-no", "LP2222222").await;
    assert_eq!((who(&hers, "entries"), who(&hers, "ambiguous")), (vec!["clinic verify".to_owned()], vec!["clinic verify".to_owned()]));
    // The shared number alone is nobody's trail, and does not lead to her own paper.
    let nobodys = trail(&system, "amayesh-no", "A172222222").await;
    assert_eq!((who(&nobodys, "entries"), who(&nobodys, "ambiguous").len(), &nobodys["persons"]), (Vec::new(), 1, &json!(2)));
    // Without the registry nobody's trail is shown: whose the number is cannot be told.
    system.stop_registry().await;
    let reply = open(&system, &json!({"identifier": {"scheme": "amayesh-no", "value": "A171111111"}, "case": "case-1"})).await;
    assert_eq!((reply.status, reply.code()), (503, "registry-unavailable"));
    system.running.stop().await;
}

/// What was asked about a number while it was two people's stays nobody's, however few bear it now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_follows_records_that_are_merged_and_split_and_what_was_ambiguous_when_it_was_asked_stays_apart() {
    let shared = document("amayesh-no", "A172222222", "amayesh", Some(17), "1402/03/31");
    let paper = |value| document("laissez-passer-no", value, "laissez-passer", None, "1408/01/01");
    let people = person("p2", &format!("{shared},{}", paper("LP2222222"))) + &person("p3", &format!("{shared},{}", paper("LP3333333")));
    let system = System::at("2026-11-23T12:00:00Z", &people).await;
    open_case(&system, "case-1");
    let ask = async |scheme: &str, value: &str| {
        let reply = system.ask("clinic", &query("clinic", scheme, value, "treatment")).await;
        assert_eq!(reply.status, 200, "{}", reply.json);
        reply.code().to_owned()
    };
    assert_eq!(ask("amayesh-no", "A172222222").await, "ambiguous-identifier");
    ask("laissez-passer-no", "LP2222222").await;
    ask("laissez-passer-no", "LP3333333").await;
    let verified = |answer: &Value, list: &str| who(answer, list).into_iter().filter(|entry| entry.ends_with(" verify")).count();
    let one = trail(&system, "laissez-passer-no", "LP3333333").await;
    assert_eq!((verified(&one, "entries"), verified(&one, "ambiguous")), (1, 1));
    let now = estelam::core::domain::clock::Clock::now(&*system.clock);
    system.registry_store(|store| membership::merge(store, "p2", "p3", "one person", now).unwrap());
    let merged = trail(&system, "laissez-passer-no", "LP3333333").await;
    assert_eq!((&merged["persons"], &merged["identifiers"]), (&json!(1), &json!(3)), "{merged}");
    assert_eq!((verified(&merged, "entries"), verified(&merged, "ambiguous")), (2, 1), "{merged}");
    assert_eq!(merged["ambiguous"][0]["reason"], "ambiguous-identifier");
    system.advance(1);
    let now = estelam::core::domain::clock::Clock::now(&*system.clock);
    system.registry_store(|store| membership::split(store, "p3", "two brothers", now).unwrap());
    let split = trail(&system, "laissez-passer-no", "LP3333333").await;
    assert_eq!((verified(&split, "entries"), verified(&split, "ambiguous")), (1, 1), "{split}");
    system.stop().await;
}

/// A number that a person bore once: its paper was revoked and another took its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_by_the_present_number_finds_what_was_asked_under_one_of_the_past() {
    let old = document("amayesh-no", "A171111111", "amayesh", Some(17), "1402/03/31");
    let revoked = old.replace("\"active\"", "\"revoked\"");
    let new = document("yekta", "9990000050", "smart-card", None, "1408/01/01");
    let system = System::at("2026-11-23T12:00:00Z", &person("p1", &old)).await;
    open_case(&system, "case-1");
    assert_eq!(system.ask("clinic", &query("clinic", "amayesh-no", "A171111111", "treatment")).await.status, 200);
    system.registry_store(|store| super::workshop::import_people(store, system.dir.path(), &person("p1", &format!("{revoked},{new}"))));
    let found = trail(&system, "yekta", "9990000050").await;
    assert_eq!((who(&found, "entries"), &found["identifiers"]), (vec!["clinic verify".to_owned()], &json!(2)), "{found}");
    system.stop().await;
}

/// What nobody can read of yesterday takes no trail from an officer today, and is no part of today's exports.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_whose_time_nobody_can_read_touches_the_days_around_it_and_no_other() {
    let system = System::configured(|config| config.audit.trails_per_day = 1).await;
    open_case(&system, "case-1");
    some_traffic(&system).await;
    system.advance(24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    system.running.parts().registry_trust.reload().unwrap();
    some_traffic(&system).await;
    system.running.parts().ledger.settled().await.unwrap();
    let first = patterns(&system, "/v1/log/entries?agency=clinic&to=2026-11-23").await["entries"][0]["index"].as_u64().unwrap();
    let log = rusqlite::Connection::open(system.config.ledger.dir.join("ledger.sqlite")).unwrap();
    assert_eq!(log.execute("UPDATE entry SET header = zeroblob(length(header)) WHERE idx = ?1", [first - 1]).unwrap(), 1);
    let all = patterns(&system, "/v1/log/entries").await;
    assert_eq!((&all["damaged"], &all["complete"]), (&json!([{"index": first - 1}]), &json!(false)), "{all}");
    assert_described("LogEntries", &all);
    let today = patterns(&system, "/v1/log/entries?from=2026-11-24").await;
    assert_eq!((today.get("damaged"), &today["complete"]), (None, &json!(true)), "{today}");
    let export = async |filter: &str| {
        let token = token(&system, "security-auditor", "log:patterns").await;
        let reply = send(system.request("security-auditor", "GET", &format!("/v1/log/export?{filter}")).bearer_auth(token)).await;
        let text = String::from_utf8(reply.body).unwrap();
        serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()["manifest"].clone()
    };
    let (today, yesterday) = (export("from=2026-11-24").await, export("to=2026-11-23").await);
    assert_eq!((&today["complete"], &today["damaged"]), (&json!(true), &json!([])), "{today}");
    let damaged = (&yesterday["complete"], &yesterday["damaged"][0]["index"]);
    assert_eq!(damaged, (&json!(false), &json!(first - 1)), "{yesterday}");
    let summary = patterns(&system, "/v1/log/summary").await;
    assert_eq!(summary["damaged_days"], json!(["2026-11-23"]), "{summary}");
    assert_described("LogSummary", &summary);
    let found = trail(&system, "amayesh-no", NUMBER).await;
    assert_eq!((&found["complete"], &found["damaged"]), (&json!(false), &json!([{"index": first - 1}])), "{found}");
    assert_described("PersonTrail", &found);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_suspended_while_a_trail_is_looked_for_gets_none() {
    let relay = std::cell::RefCell::new(None);
    let system = System::with(super::harness::TODAY, "", |config| {
        config.registry.timeout_ms = 30_000;
        drop(relay.replace(Some(Relay::between(config))));
    })
    .await;
    let relay = relay.into_inner().unwrap();
    open_case(&system, "case-1");
    let held = relay.hold_identifiers();
    let body = json!({"identifier": {"scheme": "amayesh-no", "value": NUMBER}, "case": "case-1"});
    let (reply, ()) = tokio::join!(open(&system, &body), async {
        held.came.notified().await;
        let now = estelam::core::domain::clock::Clock::now(&*system.clock);
        estelam::adapters::cutoff::change(&system.config.cutoff, |list| list.suspend("dpo", None, now)).unwrap();
        system.running.parts().cutoff.reload().unwrap();
        held.go_on.notify_one();
    });
    assert_eq!((reply.status, reply.code()), (403, "agency-suspended"), "{}", reply.json);
    relay.stop().await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_began_goes_on_until_the_agency_is_suspended_or_the_token_revoked() {
    let system = System::today().await;
    let gate = &system.running.parts().gate;
    let question = super::wrapped::incoming(&system, "bank", &json!({})).await;
    let call = flow::authenticate(gate, &question, Scope::Verify).await.unwrap();
    let (tenure, context) = (Tenure::of(&call), call.agency().context().clone());
    assert!(tenure.goes_on(gate).is_ok() && tenure.still_good(gate, &context).is_ok());
    system.advance(3600);
    assert!(tenure.goes_on(gate).is_ok(), "a long export outlives its token");
    assert_eq!(tenure.still_good(gate, &context).unwrap_err().code, RefusalCode::TokenInvalid);
    let now = estelam::core::domain::clock::Clock::now(&*system.clock);
    let cut = |edit: &dyn Fn(&mut estelam::adapters::cutoff::CutOffList)| {
        estelam::adapters::cutoff::change(&system.config.cutoff, |list| edit(list)).unwrap();
        system.running.parts().cutoff.reload().unwrap();
    };
    cut(&|list| list.revoke_tokens("bank", now));
    assert_eq!(tenure.goes_on(gate).unwrap_err().0, RefusalCode::TokenInvalid);
    cut(&|list| list.suspend("bank", None, now));
    assert_eq!(tenure.goes_on(gate).unwrap_err().0, RefusalCode::AgencySuspended);
    system.stop().await;
}
