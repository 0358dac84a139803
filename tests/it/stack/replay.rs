//! Replay: what was answered is answered again under the recorded versions, and a draft changes what it says it changes.

use estelam::app::review::{self, Against, InForce, Policy, Review, Skip};
use estelam::core::decision::explain::{DecreeVerdict, explain};
use estelam::core::decision::query::{Evidence, Query};
use estelam::core::decision::replay::Said;
use estelam::core::domain::reason::ReasonCode;
use estelam::core::domain::refusal::RefusalCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::System;
use super::signed::register;
use super::workshop::{document, edit_policy, person};
use crate::foreign_keys::ForeignKey;

const AGENCIES: [(&str, &[&str]); 6] = [
    ("bank", &["bank-card", "bank-account"]),
    ("clinic", &["treatment", "insurance-health", "health-primary"]),
    ("school", &["education-school"]),
    ("insurer", &["insurance-social"]),
    ("telecom", &["sim"]),
    ("kefalat", &["identity"]),
];

const SUBJECTS: [(&str, &str); 12] = [
    ("amayesh-no", "A170000001"),
    ("amayesh-no", "A160000002"),
    ("hoviat-no", "H160000003"),
    ("yekta", "9990000018"),
    ("yekta", "9990000026"),
    ("yekta", "9990000034"),
    ("yekta", "9990000042"),
    ("census-tracking", "110000000008"),
    ("fida", "199900000001"),
    ("yekta", "9990000050"),
    ("temporary-card-no", "T300000011"),
    ("passport", "P70000007"),
];

pub fn everything(system: &System, against: &Against<'_>) -> Review {
    let config = &system.config;
    review::review(config, Timestamp::MIN, Timestamp::MAX, against, &mut |done, total| assert!(done <= total)).unwrap()
}

pub fn same(system: &System) -> Review {
    let review = everything(system, &Against::Recorded);
    assert_eq!(review.different, [], "{review:#?}");
    assert!(!review.skipped.contains_key(Skip::Unreadable.code()), "{review:#?}");
    assert!(!review.skipped.contains_key(Skip::NotInArchive.code()), "{review:#?}");
    review
}

/// Every agency about every subject, with matching and other birth years.
async fn ask_around(system: &System) -> u64 {
    let mut asked = 0;
    for (agency, services) in AGENCIES {
        for service in services {
            for (turn, (scheme, value)) in SUBJECTS.into_iter().enumerate() {
                let mut question = query(agency, scheme, value, service);
                if question.get("check").is_some() {
                    let years = [1370, 1360, 1355, 1372, 1365, 1368, 1375, 1380, 1350, 1370, 1396, 1370];
                    question["check"]["birth_year"] = json!(years[turn] + i32::from(turn % 5 == 4));
                }
                if turn % 3 == 0 {
                    question["max_age"] = json!(turn);
                }
                let reply = system.ask(agency, &question).await;
                assert_eq!(reply.status, 200, "{}", reply.json);
                asked += 1;
            }
        }
    }
    asked
}

/// Queries that policy refuses, and some that something else does.
async fn ask_wrongly(system: &System) -> u64 {
    let good = query("bank", "amayesh-no", "A170000001", "bank-card");
    let with = |field: &str, value: Value| {
        let mut question = good.clone();
        if value.is_null() {
            drop(question.as_object_mut().unwrap().remove(field))
        } else {
            question[field] = value
        }
        question
    };
    let wrong = [
        with("service", json!("education-school")),
        with("service", json!("no-such-service")),
        with("purpose", json!("enrolment")),
        with("purpose", json!("no-such-purpose")),
        with("actor", Value::Null),
        with("check", Value::Null),
        with("check", json!({"name": "one"})),
        with("identifier", Value::Null),
        with("identifier", json!({"scheme": "national-code", "value": "199900000001"})),
        with("identifier", json!({"scheme": "pan", "value": "5892101234567895"})),
        with("unknown", json!(1)),
        with("actor", json!("A170000001")),
    ];
    let asked = wrong.len() as u64;
    for question in wrong {
        assert!(system.ask("bank", &question).await.status >= 400, "{question}");
    }
    asked
}

fn people() -> String {
    person("leap", &document("passport", "P70000007", "passport-residence", None, "1405/12/29"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_query_is_answered_the_same_again_under_its_own_versions() {
    let system = System::at("2023-06-24T10:00:00+03:30", &people().replace("1405/12/29", "1402/12/29")).await; // 1402/04/03
    let mut asked = ask_around(&system).await;
    // A decree comes to be known, and documents lapse: another day, other answers.
    system.set("2023-06-28T10:00:00+03:30");
    asked += ask_around(&system).await + ask_wrongly(&system).await;
    // Another policy version.
    edit_policy(system.dir.path(), "clinic", |text| text.replace("must_give = []", "must_give = [\"actor\"]"));
    system.running.parts().policies.reload().unwrap();
    system.set("2023-06-29T12:00:00Z");
    asked += ask_around(&system).await;
    // An outage: stale facts, and none at all.
    system.stop_registry().await;
    system.advance(90);
    asked += ask_around(&system).await;
    let review = same(&system);
    assert_eq!(review.queries, asked);
    // Not judged by policy: the two bodies that could not be read, and a service that nobody knows.
    assert_eq!(review.skipped.get(Skip::NotPolicy.code()), Some(&2), "{review:#?}");
    assert_eq!(review.same, asked - 2);
    system.stop().await;
}

/// A query is refused for the first thing that is wrong with it; an entry does not say in which form a thing was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_malformed_and_lacks_a_later_duty_too_is_refused_the_same_again() {
    let system = System::today().await;
    register(&system, "bank", &[(&ForeignKey::es256(), "request-1")]);
    let all = "must_give = [\"actor\", \"check\", \"reference\", \"nonce\", \"signature\"]";
    edit_policy(system.dir.path(), "bank", |text| text.replace("must_give = [\"actor\", \"check\"]", all));
    system.running.parts().policies.reload().unwrap();
    let mut good = query("bank", "amayesh-no", "A170000001", "bank-card");
    (good["reference"], good["nonce"]) = (json!("case-1"), json!("AAAAAAAAAAAAAAAAAAAAAA"));
    let without = |field: &str, value: Value, lacking: &[&str]| {
        let mut question = good.clone();
        question[field] = value;
        lacking.iter().for_each(|field| drop(question.as_object_mut().unwrap().remove(*field)));
        question
    };
    for (question, code) in [
        (without("actor", json!("علی"), &["check"]), "malformed-request"),
        (without("actor", json!("a b"), &["check", "reference", "nonce"]), "malformed-request"),
        (without("check", json!({"birth_year": 1370}), &["reference"]), "malformed-request"),
        (without("reference", json!("a b"), &["nonce"]), "malformed-request"),
        (without("nonce", json!("short"), &[]), "malformed-request"),
        (good.clone(), "signature-required"),
    ] {
        let reply = system.ask("bank", &question).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{question}: {}", reply.json);
    }
    let review = same(&system);
    assert_eq!((review.queries, review.same, review.skipped.len()), (6, 6, 0), "{review:#?}");
    // Under a draft, what comes before any form counts, and what no longer is a duty.
    let mut files = crate::policy_support::files();
    let bank = files.get_mut("agencies/bank.toml").unwrap();
    *bank = bank.replace("kind = \"bank\"", "suspended = true\nkind = \"bank\"");
    let suspended = everything(&system, &Against::Draft(&Policy::load(files).unwrap()));
    assert!(suspended.changed() == 6 && suspended.different.iter().all(|it| it.new.code() == "agency-suspended"), "{suspended:#?}");
    let unchanged = everything(&system, &Against::Draft(&Policy::load(crate::policy_support::files()).unwrap()));
    assert_eq!(
        (unchanged.changed(), unchanged.different[0].old.code(), unchanged.different[0].new.code()),
        (1, "signature-required", "looked-up")
    );
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_with_one_changed_rule_changes_exactly_its_answers() {
    let system = System::at("2026-11-23T12:00:00Z", &people()).await;
    ask_around(&system).await;
    ask_wrongly(&system).await;
    let draft = |path: &str, from: &str, to: &str| {
        let mut files = crate::policy_support::files();
        let text = files.get_mut(path).unwrap();
        assert!(text.contains(from), "{path}: {from}");
        *text = text.replacen(from, to, 1);
        Policy::load(files).unwrap()
    };
    let lines = |review: &Review| -> Vec<(String, String, &'static str, &'static str, u64)> {
        let line =
            |it: &estelam::app::review::Difference| (it.agency.clone(), it.service.clone(), it.old.code(), it.new.code(), it.queries);
        review.different.iter().map(line).collect()
    };
    let unchanged = Policy::load(crate::policy_support::files()).unwrap();
    assert_eq!(everything(&system, &Against::Draft(&unchanged)).different, []);
    let line = |agency: &str, service: &str, old, new, queries| (agency.to_owned(), service.to_owned(), old, new, queries);
    // Nobody of those asked about is under 18 with a passing check, so an age of 40 changes three.
    let older = draft("policies/services.toml".trim_start_matches("policies/"), "min_age = 18", "min_age = 50");
    let older = everything(&system, &Against::Draft(&older));
    assert!(older.different.iter().all(|it| it.service == "bank-card" && it.new.code() == "under-age"), "{older:#?}");
    assert!(older.changed() > 0);
    let no_passport =
        draft("agencies/insurer.toml", "must_give = [\"actor\", \"check\"]", "must_give = [\"actor\", \"check\", \"reference\"]");
    let refused = everything(&system, &Against::Draft(&no_passport));
    assert!(refused.different.iter().all(|it| it.new == Said::Refusal { code: RefusalCode::ReferenceRequired }));
    assert_eq!(refused.changed(), 12);
    let suspended = draft("agencies/telecom.toml", "kind = \"telecom\"", "suspended = true\nkind = \"telecom\"");
    let suspended = everything(&system, &Against::Draft(&suspended));
    assert_eq!((suspended.changed(), suspended.different[0].new.code()), (12, "agency-suspended"));
    // Purposes and duties that were wanting are no longer: nobody knows what the look-up would have said.
    let open = draft("agencies/bank.toml", "must_give = [\"actor\", \"check\"]", "must_give = []");
    let open = lines(&everything(&system, &Against::Draft(&open)));
    assert_eq!(
        open,
        [line("bank", "bank-card", "actor-required", "looked-up", 1), line("bank", "bank-card", "check-required", "looked-up", 2)]
    );
    let health = draft("services.toml", "accepts = [\"amayesh\", \"hoviat\"]", "accepts = [\"hoviat\"]");
    let health = everything(&system, &Against::Draft(&health));
    assert!(health.different.iter().all(|it| it.service == "insurance-health" && it.new.code() == ReasonCode::ServiceNotCovered.code()));
    assert!(health.changed() >= 3, "{health:#?}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_explained_from_its_entry_at_any_two_instants() {
    let system = System::at("2023-06-24T10:00:00+03:30", "").await; // 1402/04/03, before the decree was known
    let reply = system.ask("bank", &query("bank", "amayesh-no", "A170000001", "bank-card")).await;
    assert_eq!(reply.outcome(), "indeterminate lapsed-renewable");
    let id = reply.json["answer_id"].as_str().unwrap().parse().unwrap();
    let (found, InForce { snapshot, decrees, .. }) = review::find(&system.config, id).unwrap();
    assert_eq!(found.recorded.said.code(), "lapsed-renewable");
    let basis = found.recorded.inputs.basis.clone().unwrap();
    let answer = basis.registry_answer(found.recorded.as_of, found.recorded.freshness).unwrap();
    let service = snapshot.services.get("bank-card").unwrap();
    let query = Query {
        service,
        claims: estelam::core::decision::query::Claims::default(),
        check: None,
        check_required: false,
        factors: estelam::core::domain::second_factor::SecondFactors::default(),
        emergency: false,
        area: None,
        max_age_s: 60,
        max_stale_s: 60,
        live_denial: false,
        valid_for_s: 60,
        granted_until: None,
    };
    let evidence = Evidence { answer: Some(&answer), decrees: Some(&decrees), decrees_age_s: 0 };
    let at = basis.decided_at(found.recorded.as_of);
    let then = explain(&query, &evidence, at, at);
    assert_eq!((then.reason.code(), then.decrees[0].verdict), ("lapsed-renewable", DecreeVerdict::NotYetKnown));
    let now = explain(&query, &evidence, at, "2023-06-28T10:00:00+03:30".parse().unwrap());
    assert_eq!((now.reason.code(), now.decree.as_deref()), ("valid-by-decree", Some("d1-1402-04-07")));
    assert!(now.decrees[0].decisive && now.documents[0].carries && now.decrees[0].verdict == DecreeVerdict::Applied);
    let told = serde_json::to_string(&now).unwrap();
    assert!(!told.contains("A170000001") && !told.contains("1370") && !told.contains("1991"), "{told}");
    system.stop().await;
}

/// What an entry says is gone once its content is deleted, and what the archive lost is said, not guessed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_not_in_the_archive_is_counted_not_guessed() {
    let system = System::today().await;
    system.ask("clinic", &query("clinic", "yekta", "9990000018", "treatment")).await;
    std::fs::remove_dir_all(&system.config.archive).unwrap();
    let review = everything(&system, &Against::Recorded);
    assert_eq!((review.same, review.skipped.get(Skip::NotInArchive.code())), (0, Some(&1)));
    system.stop().await;
}
