//! Outside a demo a decree is law by two officials of the gateway alone, whoever can sign in the registry.

use estelam::core::registry::Registry;
use estelam::registry::decrees;
use serde_json::json;

use super::acts::{acts, details, kek};
use super::agency_life::today;
use super::alarm::alarms;
use super::changes::DECREE;
use super::fixtures::query;
use super::harness::System;
use super::officials::installed;
use super::workshop::{enrol, officials, services};
use crate::counters::counters;

const NOT_SIGNED: [&str; 1] = ["alarm=\"decrees-not-signed\""];
const LAPSED: &str = "not-entitled document-lapsed";

/// Has two officials of the registry, made known there by whoever runs it, put a decree in force.
fn approve(system: &System, text: &str, names: [&str; 2]) -> String {
    let dir = system.dir.path();
    let [one, other] = names.map(|name| enrol(dir, name));
    let (known, file) = (officials(dir), dir.join("decree.toml"));
    std::fs::write(&file, text).unwrap();
    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &one)).unwrap();
    system.registry_store(|store| decrees::approve(store, &known, &ids[0], &other, &*system.clock)).unwrap();
    ids[0].clone()
}

/// What is answered about an Amayesh-16 card and an Amayesh-15 card, and by which decrees.
async fn answers(system: &System) -> (String, String, serde_json::Value) {
    let ask = |number: &'static str| async move {
        let reply = system.ask("clinic", &query("clinic", "amayesh-no", number, "insurance-health")).await;
        assert_eq!(reply.status, 200, "{}", reply.json);
        (reply.outcome(), reply.json["decrees_version"].clone())
    };
    let ((sixteen, version), (seventeen, _)) = (ask("A160000002").await, ask("A170000001").await);
    (sixteen, seventeen, version)
}

fn decree_acts(system: &System) -> Vec<serde_json::Value> {
    let acts = acts(system, &kek(system)).into_iter().filter(|act| act.code.as_deref() == Some("decrees-activated"));
    acts.map(|act| details(&act)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_a_demo_officials_whom_the_registry_invented_change_no_answer() {
    // The recorder of this process, before anything is counted.
    counters();
    let (system, _office) = installed(System::at(&today(), "").await).await;
    let before = answers(&system).await;
    assert_eq!((before.0.as_str(), before.1.as_str()), (LAPSED, "entitled valid-by-decree"));

    // Both are officials of the gateway too, and what they sign counts.
    let seen = decree_acts(&system).len();
    let of_18 = DECREE.replace("d9-1405-09-02", "d9-eighteen").replace("series = 16", "series = 18");
    let signed = approve(&system, &of_18, ["first", "second"]);
    system.until("the decree's entry", |system| decree_acts(system).len() > seen).await;
    let entry = decree_acts(&system).split_off(seen).remove(0);
    let hash = entry["added"][0]["hash"].clone();
    assert!(hash.as_str().unwrap().starts_with("sha256:"), "{entry}");
    assert_eq!(entry["added"], json!([{"id": signed, "hash": hash, "signers": ["first", "second"]}]));
    assert_eq!(entry.get("demo"), None);
    let version = |system: &System| json!(system.running.parts().registry.decrees().unwrap().version);
    system.until("the decree", |system| version(system) != before.2).await;
    let during = answers(&system).await;

    // Whoever runs the registry makes two of its own; there the decree is in force.
    let alarms_before = alarms(&NOT_SIGNED);
    approve(&system, DECREE, ["invented-1", "invented-2"]);
    system.until("the alarm", |_| alarms(&NOT_SIGNED) > alarms_before).await;
    assert_eq!(answers(&system).await, during, "it is taken nowhere");
    assert_eq!(decree_acts(&system).len(), seen + 1);

    // A gateway that starts now has no good list to go on with.
    let alarms_before = alarms(&NOT_SIGNED);
    let issuer = system.config.issuer.clone();
    let system = system
        .restarted_unready(|config| {
            config.demo = false;
            config.audit.officer_key = None;
            config.issuer = issuer;
        })
        .await;
    system.until("the alarm", |_| alarms(&NOT_SIGNED) > alarms_before).await;
    assert!(system.running.parts().registry.decrees().is_none() && !system.running.parts().registry.ready());
    assert_eq!(decree_acts(&system).len(), seen + 1);
    system.stop().await;
}
