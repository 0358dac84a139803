//! Every filter against a model that looks at every entry; lists of earlier builds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::list::List;
use super::tests::{at, check, log, three_days};
use crate::adapters::store::contents::Contents;
use crate::core::ledger::audit::{Field, Filter};

fn filters() -> impl Strategy<Value = Filter> {
    let one = |field: Field, values: &[&str]| {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        proptest::sample::select(values).prop_map(move |value| (field, value))
    };
    let field = prop_oneof![
        one(Field::Agency, &["bank", "school", "clinic", "telecom"]),
        (0..20_u32).prop_map(|number| (Field::Actor, format!("clerk-{number}"))),
        one(Field::Branch, &["north", "south"]),
        one(Field::Decision, &["entitled", "indeterminate"]),
        one(Field::Code, &["purpose-not-allowed", "none"]),
        one(Field::Kind, &["answer", "refusal"]),
        one(Field::Service, &["sim"]),
        one(Field::SignedBy, &["request-0", "request-2", "request-9"]),
        one(Field::Class, &["detail", "minor", "admin"]),
    ];
    let instant = proptest::option::of((0..4000_i64).prop_map(|minutes| at("2026-01-01T07:00:00Z") + SignedDuration::from_mins(minutes)));
    let latency = proptest::option::weighted(0.3, 0..9_u32);
    let more = (proptest::option::weighted(0.3, any::<bool>()), latency.clone(), latency);
    (proptest::collection::vec(field, 0..4), instant.clone(), instant, more).prop_map(|(fields, from, to, (signed, least, most))| Filter {
        fields: fields.into_iter().collect(),
        id: None,
        signed,
        min_latency_ms: least,
        max_latency_ms: most,
        from,
        to,
    })
}

#[test]
fn every_filter_finds_what_a_look_at_every_entry_finds() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let log = log();
    let ledger = runtime.block_on(async { log.open() });
    let known = runtime.block_on(three_days(&log, &ledger));
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    runner
        .run(&(filters(), 1..40_usize, any::<bool>()), |(filter, limit, oldest_first)| {
            runtime.block_on(check(&ledger, &known, &filter, limit, oldest_first));
            Ok(())
        })
        .unwrap();
    assert!(!log.parts().is_empty(), "some of it lies in files");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn parts_of_an_earlier_build_are_made_anew_with_the_columns_that_they_lack() {
    let log = log();
    let ledger = log.open();
    let known = three_days(&log, &ledger).await;
    check(&ledger, &known, &Filter::default(), 100, false).await;
    drop(ledger);
    let (dir, conn) = (log.config.dir.join("segments"), rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap());
    let contents = Mutex::new(Contents::load(&log.config.content_kek).unwrap());
    let mut list = List::read(&dir, &conn, &contents).unwrap();
    assert!(!list.parts.is_empty());
    list.form -= 1;
    list.write(&dir, &conn, &contents).unwrap();
    let parts = log.parts();
    for part in parts.iter().filter(|part| part.extension().is_some_and(|end| end == "seg")) {
        std::fs::write(part, b"estelam segment 2\n").unwrap();
    }
    assert!(List::read(&dir, &conn, &contents).unwrap().parts.is_empty());
    let slow = Filter { min_latency_ms: Some(3), max_latency_ms: Some(5), signed: Some(true), ..Filter::default() };
    check(&log.open(), &known, &slow, 7, false).await;
    assert!(log.parts().iter().all(|part| std::fs::metadata(part).unwrap().len() > 100));
}
