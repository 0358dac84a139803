//! A recorded answer is explained by the real command: at other instants, with what became known later, and with what permitted it.

use estelam::core::domain::clock::Clock;
use estelam::core::registry::Registry;
use estelam::registry::decrees;
use estelam::registry::store::Store;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::changes::DECREE;
use super::fixtures::query;
use super::harness::{System, TODAY};
use super::legal::grant_travel;
use super::people::{Holder, Paper};
use super::tools::{configured, estelam, json as json_of};
use super::workshop::{enrol, officials, services};

/// Asks, and gives the answer's id.
async fn answered(system: &System, agency: &str, number: &str, service: &str, expected: &str) -> String {
    let reply = system.ask(agency, &query(agency, "amayesh-no", number, service)).await;
    assert_eq!(reply.outcome(), expected, "{}", reply.json);
    reply.json["answer_id"].as_str().unwrap().to_owned()
}

fn explain(dir: &str, id: &str, more: &[&str]) -> Value {
    json_of(&estelam(&[&["explain", "--dir", dir, "--answer", id, "--json"][..], more].concat(), ""))
}

fn in_words(dir: &str, id: &str, more: &[&str]) -> String {
    String::from_utf8(estelam(&[&["explain", "--dir", dir, "--answer", id][..], more].concat(), "").stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decree_that_was_approved_after_the_answer_is_seen_from_then_on() {
    let system = System::today().await;
    let dir = configured(&system);
    let id = answered(&system, "clinic", "A160000002", "insurance-health", "not-entitled document-lapsed").await;
    let asked: Timestamp = TODAY.parse().unwrap();
    let reason = |known_at: Timestamp| explain(&dir, &id, &["--known-at", &known_at.to_string()])["reason"].clone();
    assert_eq!(reason(asked + SignedDuration::from_hours(3)), "document-lapsed", "nothing became known yet");

    let path = system.dir.path();
    let (first, second, known) = (enrol(path, "first"), enrol(path, "second"), officials(path));
    let file = path.join("decree.toml");
    std::fs::write(&file, DECREE).unwrap();
    system.advance(3600);
    let before = system.running.parts().registry.decrees().unwrap().version.clone();
    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &first)).unwrap();
    let approved = system.registry_store(|store| decrees::approve(store, &known, &ids[0], &second, &*system.clock)).unwrap();
    system.until("the decree", |system| system.running.parts().registry.decrees().unwrap().version != before).await;

    let then = explain(&dir, &id, &[]);
    assert_eq!((&then["reason"], then.get("decrees_known")), (&json!("document-lapsed"), None), "what was said stays as it was");
    let later = explain(&dir, &id, &["--known-at", &approved.to_string()]);
    assert_eq!((&later["reason"], &later["decree"]), (&json!("valid-by-decree"), &json!(ids[0])));
    assert_eq!((&later["at"], &later["decrees_known"]), (&then["at"], &json!("newest-list")));
    assert_eq!(reason(approved - SignedDuration::from_nanos(1)), "document-lapsed");
    let words = in_words(&dir, &id, &["--known-at", &approved.to_string()]);
    assert!(words.contains("of the newest list, not of the answer's own") && words.contains("از تازه‌ترین فهرست"), "{words}");

    // What the registry knows and no gateway has taken up yet.
    let clock = system.clock.clone();
    system.running.stop().await;
    clock.set(approved + SignedDuration::from_hours(1));
    let store = Store::open(&path.join("registry")).unwrap();
    for official in [&first, &second] {
        decrees::rescind(&store, &known, &ids[0], official, &*clock).unwrap();
    }
    let now = clock.now().to_string();
    let rescinded = explain(&dir, &id, &["--at", &now]);
    assert_eq!((&rescinded["reason"], &rescinded["known_at"]), (&json!("document-lapsed"), &rescinded["at"]));
    let decree = rescinded["decrees"].as_array().unwrap().iter().find(|decree| decree["id"] == ids[0]).unwrap();
    assert_eq!(decree["verdict"], "rescinded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_decrees_that_cannot_be_read_is_told_and_not_passed_over() {
    let system = System::today().await;
    let dir = configured(&system);
    let id = answered(&system, "clinic", "A160000002", "insurance-health", "not-entitled document-lapsed").await;
    let broken = format!("{}.json", "0".repeat(64));
    std::fs::write(system.config.archive.join("decrees").join(&broken), "{").unwrap();
    let output = estelam(&["explain", "--dir", &dir, "--answer", &id, "--known-at", "1405/12/01", "--json"], "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && output.stdout.is_empty() && said.contains(&broken), "{said}");
    assert_eq!(explain(&dir, &id, &[])["reason"], "document-lapsed", "the answer's own list is good");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_on_remembered_facts_is_explained_at_another_instant_as_if_they_were_live() {
    let system = System::today().await;
    let dir = configured(&system);
    let ask = async || answered(&system, "clinic", "A170000001", "insurance-health", "entitled valid-by-decree").await;
    let (live, cached) = (ask().await, ask().await);
    for (id, freshness) in [(&live, "live"), (&cached, "cached")] {
        let then = explain(&dir, id, &[]);
        assert_eq!((&then["freshness"], then.get("facts")), (&json!(freshness), None));
        for (at, reason) in
            [("1402/04/03 10:00", "lapsed-renewable"), ("1402/04/08 10:00", "valid-by-decree"), ("1405/09/20", "valid-by-decree")]
        {
            let moved = explain(&dir, id, &["--at", at]);
            assert_eq!(
                (&moved["reason"], &moved["facts"], &moved["freshness"]),
                (&json!(reason), &json!("as-if-live"), &json!("live")),
                "{at}"
            );
        }
    }
    let words = in_words(&dir, &cached, &["--at", "1405/09/20"]);
    assert!(words.contains("as if the register had given them at that instant") && words.contains("چنان‌که گویی مرجع"), "{words}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grant_the_rule_and_the_list_of_provinces_behind_an_answer_are_named() {
    let pass = Paper::new("laissez-passer", "laissez-passer-no", "LPEX0000001", "1406/01/01");
    let card = |number| Paper::numbered("amayesh", number, "1402/03/31").series(17);
    let people = [Holder::new("qom", [card("EX00000001")]), Holder::new("pass", [card("EX00000002"), pass]).of("AF", "IR-17")];
    let system = System::at(TODAY, &people.iter().map(Holder::line).collect::<String>()).await;
    grant_travel(&system);
    let dir = configured(&system);
    let opened = answered(&system, "kefalat", "EX00000001", "travel", "entitled valid-by-decree").await;
    let why = explain(&dir, &opened, &[]);
    let areas: Vec<(&str, bool)> =
        why["areas"].as_array().unwrap().iter().map(|area| (area["id"].as_str().unwrap(), area["opens"].as_bool().unwrap())).collect();
    assert_eq!(areas, [("area-afghans-1391", true), ("area-iraqis", false)]);
    let grounds: Vec<&str> = why["grounds"].as_array().unwrap().iter().map(|ground| ground["file"].as_str().unwrap()).collect();
    assert_eq!(grounds, ["agencies/kefalat.toml", "permits.cedar"], "{}", why["grounds"]);
    let words = in_words(&dir, &opened, &[]);
    for said in [
        "permitted by\n  ► agencies/kefalat.toml:",
        "the rule `kefalat-offices-renew-and-deliver` permits it",
        "► area-afghans-1391 · since ever, until further notice · source: published chart",
        "(opens the holder's province)",
        "· area-iraqis",
        "قاعده `kefalat-offices-renew-and-deliver` آن را مجاز می‌کند",
        "(استان دارنده را باز می‌کند)",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    // Whoever travels on a laissez-passer needs no list.
    let carried = answered(&system, "kefalat", "EX00000002", "travel", "entitled valid").await;
    assert!(explain(&dir, &carried, &[])["areas"].as_array().unwrap().iter().all(|area| area["opens"] == false));
    // What no rule of places is about says nothing of them.
    let bank = answered(&system, "bank", "EX00000001", "bank-card", "entitled valid-by-decree").await;
    assert_eq!(explain(&dir, &bank, &[]).get("areas"), None);
    system.stop().await;
}
