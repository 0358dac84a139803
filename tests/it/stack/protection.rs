//! What keeps holders from being guessed at and searched for, through the whole stack.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::app::review::{Against, review};
use estelam::core::domain::clock::Clock;
use estelam::core::limit::Rule;
use estelam::registry::generate::mint_honeypots;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{Reply, System, TODAY, send};
use super::holder::{BLOCKED, UNKNOWN, UNPROVABLE, shape, system_with_a_blocked_record};
use super::people::{Holder, Paper};
use super::record;
use super::workshop::edit_policy;

async fn bank(system: &System, value: &str, year: u16) -> Reply {
    let mut question = query("bank", "amayesh-no", value, "bank-card");
    question["check"]["birth_year"] = json!(year);
    system.ask("bank", &question).await
}

/// Rules with the number of alerts today.
fn alerts(system: &System) -> Vec<(Rule, u64)> {
    let today = system.running.parts().alerts.today(system.clock.now());
    today.into_iter().map(|alerts| (alerts.rule, alerts.count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_was_guessed_at_is_closed_even_to_the_right_second_factor() {
    let system = system_with_a_blocked_record().await;
    let mut shapes = Vec::new();
    // Right and wrong in turn: what is right takes nothing back.
    for round in 0..5 {
        assert_eq!(bank(&system, UNPROVABLE, 1370).await.outcome(), "entitled valid-by-decree", "round {round}");
        for (value, year) in [(UNPROVABLE, 1360 + round), (UNKNOWN, 1360 + round), (BLOCKED, 1360 + round)] {
            shapes.push(shape(&bank(&system, value, year).await));
        }
    }
    // From here on all three take the same look-ups and say the same, right or wrong, cached or live.
    for (value, year) in [(UNPROVABLE, 1370), (UNPROVABLE, 1369), (UNKNOWN, 1370), (BLOCKED, 1370), (UNPROVABLE, 1370)] {
        let before = system.look_ups();
        let reply = bank(&system, value, year).await;
        assert_eq!((reply.status, system.look_ups() - before), (200, 1));
        shapes.push(shape(&reply));
    }
    assert!(shapes.iter().all(|other| *other == shapes[0]));
    assert_eq!(alerts(&system), [(Rule::FailedChecks, 3), (Rule::Honeypot, 1)]);
    // Another agency is not touched, and another day is.
    let mut insurer = query("insurer", "amayesh-no", UNPROVABLE, "insurance-health");
    insurer["check"]["birth_year"] = json!(1370);
    assert_eq!(system.ask("insurer", &insurer).await.json["decision"], "entitled");
    system.advance(86_400);
    assert_eq!(bank(&system, UNPROVABLE, 1370).await.outcome(), "entitled valid-by-decree");
    system.stop().await;
}

/// The bank's query with a printed expiry date as the only second factor.
fn by_printed_date(value: &str, expires: &str) -> Value {
    let mut question = query("bank", "amayesh-no", value, "bank-card");
    question["check"] = json!({"document_expires": expires, "calendar": "jalali"});
    question
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_date_that_proves_nobody_looks_like_a_number_of_nobody() {
    let system = system_with_a_blocked_record().await;
    let mut shapes = Vec::new();
    for value in [UNKNOWN, BLOCKED, UNPROVABLE, UNKNOWN, BLOCKED, UNPROVABLE] {
        let before = system.look_ups();
        let reply = system.ask("bank", &by_printed_date(value, "1402/03/31")).await;
        assert_eq!((reply.outcome().as_str(), system.look_ups() - before), ("indeterminate not-established", 1));
        shapes.push(shape(&reply));
    }
    assert!(shapes.iter().all(|other| *other == shapes[0]));
    // What could prove nobody is refused before anybody is looked up, whoever it is about.
    let before = system.look_ups();
    for value in [UNKNOWN, BLOCKED, UNPROVABLE] {
        assert_eq!(system.ask("bank", &by_printed_date(value, "1402")).await.code(), "check-required");
    }
    assert_eq!(system.look_ups(), before);
    // An agency whose file takes it may have it.
    edit_policy(system.dir.path(), "bank", |text| {
        text.replace("[\"birth\", \"document-expires\"]", "[\"document-expires\", \"shared-expires\"]")
    });
    system.running.parts().policies.reload().unwrap();
    assert_eq!(system.ask("bank", &by_printed_date(UNPROVABLE, "1402/03/31")).await.outcome(), "entitled valid-by-decree");
    assert_eq!(bank(&system, UNPROVABLE, 1370).await.code(), "check-required", "the birth year counts no more");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_date_is_that_of_the_document_that_bears_the_number() {
    let papers = [
        Paper::new("amayesh", "amayesh-no", "OWN1000001", "1402/03/31").series(17),
        Paper::new("smart-card", "smart-card-serial", "OWN2000001", "1407/05/17"),
        Paper::new("passport-residence", "passport", "P77000001", "1408/05/17"),
    ];
    let system = System::at(TODAY, &Holder::new("three", papers).line()).await;
    for (scheme, value, expires, expected) in [
        ("passport", "P77000001", "1408/05/17", "entitled valid"),
        ("passport", "P77000001", "1407/05/17", "indeterminate not-established"),
        ("smart-card-serial", "OWN2000001", "1407/05/17", "entitled valid"),
        ("amayesh-no", "OWN1000001", "1407/05/17", "indeterminate not-established"),
        ("amayesh-no", "OWN1000001", "1402/03/31", "indeterminate not-established"),
    ] {
        let mut question = by_printed_date(value, expires);
        question["identifier"]["scheme"] = json!(scheme);
        assert_eq!(system.ask("bank", &question).await.outcome(), expected, "{scheme} {expires}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_during_an_outage_count_too() {
    let system = system_with_a_blocked_record().await;
    assert_eq!(bank(&system, UNPROVABLE, 1370).await.outcome(), "entitled valid-by-decree");
    system.stop_registry().await;
    system.advance(120);
    for year in 1360..1365 {
        assert_eq!(bank(&system, UNPROVABLE, year).await.outcome(), "indeterminate registry-unavailable");
    }
    assert_eq!(bank(&system, UNPROVABLE, 1370).await.outcome(), "indeterminate registry-unavailable");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f19_forty_consecutive_values_from_one_branch_are_throttled_and_alerted() {
    let system = System::today().await;
    let ask =
        async |folder: &str, number: u64| send(system.query(folder, &query("bank", "yekta", &number.to_string(), "bank-card")).await).await;
    let mut told = 0;
    for number in 9_123_456_780..9_123_456_820_u64 {
        let (reply, look_ups) = (ask("bank.north", number).await, system.look_ups());
        if reply.status == 200 {
            told += 1;
            continue;
        }
        assert_eq!((reply.status, reply.code(), reply.header("retry-after")), (429, "rate-limited", "600"), "{}", reply.json);
        assert!(reply.header("ratelimit").starts_with("\"enumeration\"") && !reply.json.to_string().contains("sequen"));
        assert_eq!(system.look_ups(), look_ups);
    }
    assert_eq!((told, alerts(&system)), (19, vec![(Rule::SequentialValues, 1)]));
    assert_eq!(ask("bank.south", 9_123_456_790).await.status, 200, "another branch");
    assert_eq!(ask("bank.north", 9_123_456_780).await.status, 200, "the same branch, what was asked before");
    assert_eq!(ask("bank.north", 9_223_456_780).await.status, 200, "the same branch, another run of numbers");
    let look_ups = system.look_ups();
    assert_eq!((ask("bank.north", 9_123_456_999).await.status, system.look_ups()), (429, look_ups), "the whole run");
    system.advance(600);
    assert_eq!(ask("bank.north", 9_123_456_800).await.status, 429, "in order after the wait: twice as long");
    // A replay lets refusals for a rate stand, and says how many they are.
    let replayed = review(&system.config, Timestamp::MIN, Timestamp::MAX, &Against::Recorded, &mut |_, _| ()).unwrap();
    assert_eq!((replayed.changed(), replayed.limits_not_tried), (0, 23));
    // The day's alerts become administrative entries, once the day is over: one of the bounds, one of the watch behind the path.
    let entries = system.entries();
    system.running.parts().record_alerts().await;
    assert_eq!(system.entries(), entries);
    system.clock.believe(false);
    system.advance(86_400);
    system.running.parts().record_alerts().await;
    assert_eq!(system.entries(), entries, "by a clock that may be wrong no day is over");
    system.clock.believe(true);
    system.running.parts().record_alerts().await;
    assert_eq!((system.entries(), alerts(&system)), (entries + 2, vec![]));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn honeypots_raise_an_alert_and_the_third_ends_what_a_branch_learns() {
    let system = System::today().await;
    let minted = system.registry_store(|store| mint_honeypots(store, 9)).unwrap();
    let school = async |scheme: &str, value: &str| system.ask("school", &query("school", scheme, value, "education-school")).await;
    let known = async || school("amayesh-no", "A170000001").await.outcome();
    for honeypot in minted.iter().take(3) {
        assert_eq!(known().await, "entitled valid-by-decree");
        assert_eq!(school(honeypot.scheme, &honeypot.value).await.outcome(), "indeterminate not-established");
    }
    assert_eq!((known().await.as_str(), alerts(&system)), ("indeterminate not-established", vec![(Rule::Honeypot, 3)]));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_come_from_the_agency_s_file_and_a_bad_one_is_refused() {
    let system = System::today().await;
    let reload = || system.running.parts().policies.reload().map(drop).map_err(|errors| errors[0].to_string());
    edit_policy(system.dir.path(), "bank", |text| text.replace("failed_checks = 5 ", "failed_checks = 0 "));
    let refused = reload().unwrap_err();
    assert!(refused.contains("agencies/bank.toml:") && refused.contains("failed_checks is 0"), "{refused}");
    edit_policy(system.dir.path(), "bank", |text| text.replace("failed_checks = 0 ", "failed_checks = 1 "));
    reload().unwrap();
    assert_eq!(bank(&system, "A170000001", 1369).await.outcome(), "indeterminate not-established");
    assert_eq!(bank(&system, "A170000001", 1370).await.outcome(), "indeterminate not-established");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_document_records_nothing_of_an_identifier_on_the_disk() {
    let system = System::today().await;
    let mut emergency = query("clinic", "yekta", "9990000018", "treatment");
    emergency["emergency"] = json!(true);
    // Far more than any rule of protection would let pass, if it counted them.
    for place in 0..30 {
        let mut primary = query("clinic", "yekta", &(9_990_000_000_u64 + place).to_string(), "health-primary");
        if place == 0 {
            primary.as_object_mut().unwrap().remove("identifier");
        }
        for question in [&primary, &emergency] {
            let reply = system.ask("clinic", question).await;
            assert_eq!(reply.outcome(), "no-document-required no-document-required", "{}", reply.json);
            let content = record::content(&system, reply.json["answer_id"].as_str().unwrap());
            let keys: Vec<&str> = content.as_object().unwrap().keys().map(String::as_str).collect();
            assert!(!keys.iter().any(|key| key.contains("tag") || *key == "epoch"), "{keys:?}");
            assert!(!content.to_string().contains("999000") && !content.to_string().contains("yekta"), "{content}");
        }
    }
    assert_eq!((system.look_ups(), alerts(&system)), (0, vec![]));
    // The same person for planned treatment is on record, as tags.
    let planned = system.ask("clinic", &query("clinic", "yekta", "9990000018", "treatment")).await;
    let content = record::content(&system, planned.json["answer_id"].as_str().unwrap());
    assert!(content["agency_tag"] != Value::Null && content["trail_tag"] != Value::Null);
    system.stop().await;
}

/// What an entry says was given, and whether the statement commits to the body.
fn given(system: &System, reply: &Reply) -> (u64, bool) {
    let content = record::content(system, reply.json["answer_id"].as_str().or(reply.json["request_id"].as_str()).unwrap());
    let basis: Value = serde_json::from_str(content["basis"].as_str().unwrap()).unwrap();
    let payload = reply.json["statement"].as_str().and_then(|statement| statement.split('.').nth(1)).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap_or_default();
    (basis["q"]["g"].as_u64().unwrap_or(0), claims.get("req").is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_document_is_needed_neither_entry_nor_statement_comes_of_whom_a_query_named() {
    const NONCE: u64 = 8;
    const EMERGENCY: u64 = 32;
    const NAMED: u64 = 2 | 16;
    let system = System::today().await;
    let ask = async |service: &str, emergency: bool, strip: bool| {
        let mut question = query("clinic", "yekta", "9990000018", service);
        question["check"] = json!({"birth_year": 1372, "calendar": "jalali"});
        (question["nonce"], question["emergency"]) = (json!("AAAAAAAAAAAAAAAAAAAAAA"), json!(emergency));
        if strip {
            question.as_object_mut().unwrap().retain(|name, _| !["identifier", "check"].contains(&name.as_str()));
        }
        system.ask("clinic", &question).await
    };
    for (service, emergency) in [("health-primary", false), ("treatment", true)] {
        let expected = NONCE | 1 | if emergency { EMERGENCY } else { 0 };
        assert_eq!(
            given(&system, &ask(service, emergency, false).await),
            (expected, false),
            "{service}: no digest of a body that names somebody"
        );
        assert_eq!(
            given(&system, &ask(service, emergency, true).await),
            (expected, true),
            "{service}: one that names nobody is committed to"
        );
    }
    assert_eq!(given(&system, &ask("treatment", false, false).await), (NONCE | 1 | NAMED, true), "planned treatment is about somebody");
    // A refusal of such a query has no more of it.
    let mut refused = query("clinic", "yekta", "9990000018", "health-primary");
    refused["purpose"] = json!("claim");
    let refused = system.ask("clinic", &refused).await;
    assert_eq!((refused.code(), given(&system, &refused).0), ("purpose-not-allowed", 1));
    assert_eq!(system.look_ups(), 1);
    system.stop().await;
}
