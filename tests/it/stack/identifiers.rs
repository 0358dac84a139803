//! Numbers, papers and names through the whole stack: what is said beside a number, and records of one person.

use std::time::{Duration, Instant};

use estelam::core::domain::clock::Clock;
use estelam::registry::membership;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{Reply, System, TODAY};
use super::people::{Holder, Paper};
use super::record;
use super::tools::{configured, estelam, json as json_of};
use super::workshop::{edit_policy, import_people};

const LINE: &str = "P000000016AFG9001011M3001019<<<<<<<<<<<<<<04";

/// Asks for treatment about an identifier with more fields.
async fn treat(system: &System, identifier: Value) -> Reply {
    let mut body = query("clinic", "", "", "treatment");
    body["identifier"] = identifier;
    system.ask("clinic", &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_beside_a_number_must_fit_its_paper() {
    let system = System::today().await;
    let cases = [
        (json!({"scheme": "amayesh-no", "value": "A170000001", "series": 17}), 200, "valid-by-decree"),
        (json!({"scheme": "amayesh-no", "value": "A170000001", "series": 16}), 200, "not-established"),
        (json!({"scheme": "yekta", "value": "9990000018", "series": 17}), 200, "valid"),
        (json!({"scheme": "passport", "value": "P00000001", "country": "AFG", "mrz": LINE}), 200, "valid"),
        (json!({"scheme": "passport", "value": "P00000001", "mrz": LINE.replace("016", "017")}), 400, "malformed-identifier"),
        (json!({"scheme": "passport", "value": "P00000002", "mrz": LINE}), 400, "malformed-identifier"),
        (json!({"scheme": "passport", "value": "P00000001", "country": "Afghanistan"}), 400, "malformed-identifier"),
        (json!({"scheme": 3, "value": "P00000001"}), 400, "malformed-request"),
        (json!({"scheme": "msisdn", "value": "09121234567"}), 400, "wrong-scheme"),
    ];
    for (identifier, status, code) in cases {
        let before = system.look_ups();
        let reply = treat(&system, identifier.clone()).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{identifier}: {}", reply.json);
        assert!(status == 200 || system.look_ups() == before, "a refusal asks the registry nothing: {identifier}");
    }
    system.stop().await;
}

/// F15: whether the name matches, is close or different is told to the official who explains the answer, and to nobody who asks: the
/// answer is the same to the byte that its facts make.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_a_name_is_a_hint_that_no_answer_shows() {
    let system = System::today().await;
    let dir = configured(&system);
    let mut body = query("bank", "amayesh-no", "A170000001", "bank-card");
    let mut seen = Vec::new();
    for (name, hint) in [
        (Value::Null, Value::Null),
        (json!("حسینی"), json!("match")),
        (json!("حسيني نجيب الله"), json!("match")),
        (json!("Hussaini"), json!("close")),
        (json!("Hosseini"), json!("close")),
        (json!("Ahmadi"), json!("different")),
    ] {
        body["check"]["name"] = name;
        let reply = system.ask("bank", &body).await;
        assert_eq!(reply.outcome(), "entitled valid-by-decree");
        let id = reply.json["answer_id"].as_str().unwrap();
        let explained = json_of(&estelam(&["explain", "--dir", &dir, "--answer", id, "--json"], ""));
        assert_eq!(explained.get("name_hint").cloned().unwrap_or_default(), hint, "{}", body["check"]);
        assert!(!record::content(&system, id).to_string().contains("حسین"), "the log keeps one word and no name");
        let mut json = reply.json;
        for own in ["answer_id", "ledger", "statement", "freshness"] {
            json[own].take();
        }
        seen.push(json);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
    system.stop().await;
}

/// An agency whose own system numbers document types may send those numbers; nobody else may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_of_an_agency_s_own_system_stand_for_schemes() {
    let system = System::today().await;
    edit_policy(system.dir.path(), "insurer", |text| {
        text.replace("# [scheme_numbers]", "[scheme_numbers]").replace("# 3 = \"amayesh-no\"", "3 = \"amayesh-no\"\n4 = \"fida\"")
    });
    system.running.parts().policies.reload().unwrap();
    for (agency, scheme, status, code) in [
        ("insurer", "3", 200, "valid-by-decree"),
        ("insurer", "۳", 200, "valid-by-decree"),
        ("insurer", "amayesh-no", 200, "valid-by-decree"),
        ("insurer", "4", 400, "wrong-scheme"),
        ("insurer", "5", 400, "unknown-scheme"),
        ("bank", "3", 400, "unknown-scheme"),
    ] {
        let (service, before) = (if agency == "bank" { "bank-card" } else { "insurance-health" }, system.look_ups());
        let reply = system.ask(agency, &query(agency, scheme, "A170000001", service)).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{agency} {scheme}: {}", reply.json);
        assert!(status == 200 || system.look_ups() == before, "a refusal asks the registry nothing: {scheme}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_date_may_name_its_month_and_still_guesses_nothing() {
    let system = System::today().await;
    let mut body = query("bank", "amayesh-no", "A170000001", "bank-card");
    for (date, status, code) in [
        ("۱۲ مرداد ۱۳۷۰", 200, "valid-by-decree"),
        ("12 اسد 1370", 200, "valid-by-decree"),
        ("اسد ۱۳۷۰", 200, "valid-by-decree"),
        ("13 اسد 1370", 200, "not-established"),
        ("31 میزان 1370", 400, "malformed-request"),
    ] {
        body["check"] = json!({"birth_date": date, "calendar": "jalali"});
        let reply = system.ask("bank", &body).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{date}: {}", reply.json);
    }
    body["check"] = json!({"birth_date": "1991-08-03", "calendar": "gregorian"});
    assert_eq!(system.ask("bank", &body).await.code(), "valid-by-decree");
    body["check"] = json!({"birth_date": "1370/05/12"});
    assert_eq!(system.ask("bank", &body).await.code(), "malformed-request");
    system.stop().await;
}

/// F16 and its end: records that are one person, and are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_and_splits_reach_answers_through_the_feed() {
    let system = System::today().await;
    let shared = json!({"scheme": "fida", "value": "199900000001"});
    comes(&system, &shared, "ambiguous-identifier").await;
    system.registry_store(|store| membership::merge(store, "fx-09", "fx-10", "one person", system.clock.now())).unwrap();
    let merged = comes(&system, &shared, "valid-by-decree").await;
    system.advance(30); // within what an answer is remembered for
    system.registry_store(|store| membership::split(store, "fx-10", "two brothers", system.clock.now())).unwrap();
    comes(&system, &shared, "ambiguous-identifier").await;
    let then = "2026-11-23T12:00:10Z".parse().unwrap();
    let known = system.registry_store(|store| store.lookup_known_at("fida", "199900000001", then)).unwrap();
    assert_eq!(known.len(), 1, "what was answered in between can still be explained");
    // From its entry as it was given, and from the register as it was known then; of today it is two people again.
    let dir = configured(&system);
    let id = merged.json["answer_id"].as_str().unwrap();
    let answer = json_of(&estelam(&["explain", "--dir", &dir, "--answer", id, "--json"], ""));
    assert_eq!((&answer["reason"], &answer["decree"]), (&json!("valid-by-decree"), &json!("d1-1402-04-07")), "{answer}");
    let number = ["explain", "--dir", &dir, "--scheme", "fida", "--service", "treatment", "--json"];
    for (known_at, reason) in [
        ("2026-11-23T11:59:59Z", "ambiguous-identifier"),
        ("2026-11-23T12:00:10Z", "valid-by-decree"),
        ("2026-11-23T12:00:30Z", "ambiguous-identifier"),
    ] {
        let then = estelam(&[&number[..], &["--at", "2026-11-23T12:00:10Z", "--known-at", known_at]].concat(), "199900000001");
        assert_eq!(json_of(&then)["reason"], reason, "as known at {known_at}");
        // What is not said is known as of the instant decided for, the records as well as the decrees.
        let of_then = json_of(&estelam(&[&number[..], &["--at", known_at]].concat(), "199900000001"));
        assert_eq!((&of_then["reason"], &of_then["records"]), (&json!(reason), &json!("as-known-then")), "{of_then}");
    }
    system.stop().await;
}

/// Merged records are one person: what an import corrects about one reaches the answers that are remembered under another's number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrected_record_reaches_answers_under_the_numbers_of_the_records_merged_with_it() {
    let fida = ("fida", "191000000001");
    let permit = Holder::new("p1", [Paper::new("work-permit", fida.0, fida.1, "1400/01/01")]);
    let card = |state| Holder::new("p2", [Paper::numbered("amayesh", "B12345678", "1408/01/01").series(19).state(state)]);
    let system = System::at(TODAY, &(permit.line() + &card("active").line())).await;
    let asked = json!({"scheme": fida.0, "value": fida.1});
    system.registry_store(|store| membership::merge(store, "p1", "p2", "one person", system.clock.now())).unwrap();
    assert_eq!(comes(&system, &asked, "valid").await.json["decision"], "entitled");
    let before = system.look_ups();
    assert_eq!(treat(&system, asked.clone()).await.code(), "valid");
    assert_eq!(system.look_ups(), before, "it is remembered");
    system.registry_store(|store| import_people(store, system.dir.path(), &card("revoked").line()));
    assert_eq!(comes(&system, &asked, "document-revoked").await.json["decision"], "not-entitled");
    // Split again, a record is its own person, and the other is none of its business.
    system.advance(1);
    system.registry_store(|store| membership::split(store, "p2", "two brothers", system.clock.now())).unwrap();
    let told = |state| {
        let before = system.registry_store(|store| store.cursor().unwrap());
        system.registry_store(|store| import_people(store, system.dir.path(), &card(state).line()));
        system.registry_store(|store| store.cursor().unwrap()) - before
    };
    assert_eq!(told("active"), 1);
    system.stop().await;
}

/// Asks until a change has come through.
async fn comes(system: &System, identifier: &Value, code: &str) -> Reply {
    let started = Instant::now();
    loop {
        let reply = treat(system, identifier.clone()).await;
        if reply.code() == code {
            return reply;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "never came: {code}; {}", reply.json);
    }
}
