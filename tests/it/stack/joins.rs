//! Whether whoever has the disk and the content keys can tell which entries of two agencies are about one person, by when the registry was asked.

use std::collections::{BTreeMap, BTreeSet};

use estelam::adapters::keys::KeyRing;
use estelam::adapters::store::{ContentKek, LogEntries, StoredContent};
use estelam::core::decision::Inputs;
use estelam::core::domain::clock::Clock as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::fixtures::query;
use super::harness::System;
use super::replay::same;
use super::workshop::{document, person};

/// People with papers that look alike.
const PEOPLE: usize = 12;

fn number(one: usize) -> String {
    // Far apart, as nobody's list.
    format!("A17{:07}", 500_003 + one * 100_003)
}

fn people() -> String {
    let paper = |one: usize| document("amayesh-no", &number(one), "amayesh", Some(17), "1402/03/31");
    (0..PEOPLE).map(|one| person(&format!("twin-{one}"), &paper(one))).collect()
}

/// What an entry tells of when its facts were looked up.
struct Told {
    as_of: Timestamp,
    decided_at: Timestamp,
    freshness: String,
}

/// What the content keys open, by agency.
fn told(system: &System) -> BTreeMap<String, Vec<Told>> {
    let keys = KeyRing::open(&system.config.keys).unwrap();
    let mut log = LogEntries::open(&system.config.ledger.dir, &ContentKek::new(*keys.content().expose())).unwrap();
    let mut found: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    let mut each = |entry: estelam::adapters::store::StoredEntry| {
        let StoredContent::Kept(content) = entry.content else { return };
        let (Some(as_of), Some(basis)) = (content.as_of, &content.basis) else { return };
        let inputs: Inputs = serde_json::from_str(basis).unwrap();
        let decided_at = inputs.basis.unwrap().decided_at(as_of);
        let told = Told { as_of, decided_at, freshness: content.freshness.unwrap().into() };
        found.entry(content.agency.unwrap()).or_default().push(told);
    };
    log.between(Timestamp::MIN, Timestamp::MAX, &mut |_, _| (), &mut each).unwrap();
    found
}

/// Asks about one person and says how fresh the answer was, and of when.
async fn ask(system: &System, agency: &str, service: &str, one: usize) -> (String, String) {
    let reply = system.ask(agency, &query(agency, "amayesh-no", &number(one), service)).await;
    assert_eq!(reply.outcome(), "entitled valid-by-decree", "{}", reply.json);
    (reply.json["freshness"].as_str().unwrap().to_owned(), reply.json["as_of"].as_str().unwrap().to_owned())
}

/// The clinic asks live; the school and the bank are answered from what is remembered of it. Their answers tell the instant of the look-up, as
/// they must, and their entries none that fits fewer of the clinic's than came in the time that policy lets facts be remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_look_up_that_answers_several_agencies_joins_none_of_their_entries() {
    let system = System::at("2026-11-23T12:01:00.123456789Z", &people()).await;
    let mut looked_up = Vec::new();
    for one in 0..PEOPLE {
        let begun = system.clock.now();
        let (freshness, as_of) = ask(&system, "clinic", "treatment", one).await;
        assert_eq!((freshness.as_str(), as_of), ("live", format!("{begun:.0}")));
        looked_up.push(begun);
        system.advance(4);
    }
    for one in (0..PEOPLE).rev() {
        for (agency, service) in [("school", "education-school"), ("bank", "bank-account")] {
            let (freshness, as_of) = ask(&system, agency, service, one).await;
            assert_eq!((freshness.as_str(), as_of), ("cached", format!("{:.0}", looked_up[one])), "{agency}: the answer tells the truth");
        }
    }
    assert_eq!(system.look_ups(), PEOPLE as u64);
    let told = told(&system);
    let of = |agency: &str| &told[agency];
    assert_eq!([of("clinic").len(), of("school").len(), of("bank").len()], [PEOPLE; 3]);
    // No instant of an entry of one agency is one of another's, be it written there or worked out.
    let instants = |agency: &str| -> BTreeSet<Timestamp> { of(agency).iter().flat_map(|told| [told.as_of, told.decided_at]).collect() };
    assert!(instants("clinic").is_disjoint(&instants("school")) && instants("clinic").is_disjoint(&instants("bank")));
    // By the rule, each entry of the school and of the bank fits every look-up of the clinic.
    for (agency, bound) in [("school", 3600), ("bank", 60)] {
        for one in of(agency) {
            assert_eq!(one.freshness, "cached");
            let latest = one.decided_at - SignedDuration::from_secs(bound);
            let quarter = "2026-11-23T11:45:00Z".parse::<Timestamp>().unwrap();
            assert_eq!(one.as_of, if agency == "bank" { latest } else { quarter }, "{agency}");
            assert!(looked_up.iter().all(|at| *at >= one.as_of && *at <= one.decided_at), "{agency}");
        }
    }
    // And everything is decided again as it was.
    assert_eq!(same(&system).queries, 3 * PEOPLE as u64);
    system.stop().await;
}

/// In an outage too: what is told of stale facts is a quarter of an hour, and under another policy they count as of its begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_facts_of_one_look_up_join_no_entries_either() {
    let system = System::at("2026-11-23T12:01:00.123456789Z", &people()).await;
    for one in 0..PEOPLE {
        ask(&system, "clinic", "treatment", one).await;
        system.advance(4);
    }
    system.stop_registry().await;
    system.advance(2 * 3600);
    for one in 0..PEOPLE {
        for (agency, service) in [("school", "education-school"), ("insurer", "insurance-social")] {
            let mut question = query(agency, "amayesh-no", &number(one), service);
            question["max_age"] = json!(60);
            let reply = system.ask(agency, &question).await;
            assert_eq!((reply.outcome().as_str(), &reply.json["freshness"]), ("entitled valid-by-decree", &json!("stale")), "{agency}");
        }
    }
    let told = told(&system);
    for agency in ["school", "insurer"] {
        let as_of: BTreeSet<String> = told[agency].iter().map(|told| told.as_of.to_string()).collect();
        assert_eq!(as_of, BTreeSet::from(["2026-11-23T12:00:00Z".to_owned()]), "{agency}");
    }
    assert_eq!(same(&system).queries, 3 * PEOPLE as u64);
    system.stop().await;
}
