//! Decrees of every effect and selector, entered by two officials while everything runs, against one table of people.

use estelam::core::registry::Registry;
use estelam::registry::decrees;
use serde_json::{Value, json};

use super::fixtures::query;
use super::harness::{System, TODAY};
use super::people::{Holder, Paper};
use super::workshop::{edit_policy, enrol, officials, services};

/// One decree in the file's form.
pub fn decree(id: &str, effect: &str, select: &str, days: &str, rest: &str) -> String {
    let (from, to) = days.split_once('-').unwrap();
    let to = if to.is_empty() { String::new() } else { format!("effective_to = \"{to}\"\n") };
    let rest = if rest.contains("services") { rest.to_owned() } else { format!("services = \"all\"\n{rest}") };
    format!(
        "[[decree]]\nid = \"{id}\"\nauthority = \"ministry-of-interior\"\nissued_on = \"1405/09/02\"\nknown_from = \"1405/09/02\"\n\
         effective_from = \"{from}\"\n{to}select = [{{ {select} }}]\neffect = \"{effect}\"\n{rest}\n\
         text.fa = \"آزمون\"\ntext.en = \"a test\"\nsource = \"a test\"\n\n"
    )
}

/// Two officials put every decree of a text in force; comes back when the gateway decides by them.
pub async fn put_in_force(system: &System, text: &str) {
    let dir = system.dir.path();
    let (first, second, known) = (enrol(dir, "first"), enrol(dir, "second"), officials(dir));
    let file = dir.join("decrees.toml");
    std::fs::write(&file, text).unwrap();
    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &first)).unwrap();
    for id in &ids {
        system.registry_store(|store| decrees::approve(store, &known, id, &second, &*system.clock)).unwrap();
    }
    let known_to = |system: &System, id: &String| {
        system.running.parts().registry.decrees().is_some_and(|set| set.decrees.iter().any(|decree| decree.id == *id))
    };
    system.until("the decrees", |system| ids.iter().all(|id| known_to(system, id))).await;
}

async fn check(system: &System, agency: &str, number: &str, service: &str, expected: &str, decree: Option<&str>) -> Value {
    let reply = system.ask(agency, &query(agency, "amayesh-no", number, service)).await;
    assert_eq!((reply.status, reply.outcome().as_str()), (200, expected), "{service} of {number}: {}", reply.json);
    assert_eq!(reply.json["document"].get("decree"), decree.map(|id| json!(id)).as_ref(), "{service} of {number}");
    reply.json
}

const BY_DECREE: &str = "entitled valid-by-decree";
const LAPSED: &str = "not-entitled document-lapsed";
const RENEWABLE: &str = "indeterminate lapsed-renewable";
const NOT_COVERED: &str = "not-entitled service-not-covered";

/// A passport printed to a day that has passed: only a decree can make it valid.
fn passport(number: &str) -> Paper {
    Paper::numbered("passport-residence", number, "1404/01/01")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decree_reaches_exactly_whom_its_selector_names() {
    let people = [
        Holder::new("af-qom", [passport("DSEL000001")]),
        Holder::new("iq-qom", [passport("DSEL000002")]).of("IQ", "IR-26"),
        Holder::new("af-tehran", [passport("DSEL000003")]).of("AF", "IR-07"),
        Holder::new("head", [passport("DSEL000004")]).head(),
        Holder::new("late", [passport("DSEL000005").issued("1402/05/15")]),
        Holder::new("month", [passport("DSEL000006").issued("1402/05")]),
        Holder::new("unknown", [passport("DSEL000007")]).of("", ""),
    ];
    let people: String = people.iter().map(Holder::line).collect();
    let rows: [(&str, &str, &[u8]); 6] = [
        ("nationality", "kind = \"passport-residence\", nationality = \"IQ\"", &[2]),
        ("province", "kind = \"passport-residence\", province = \"IR-07\"", &[3]),
        ("role", "kind = \"passport-residence\", household_role = \"head\"", &[4]),
        ("window", "issued_from = \"1402/05/10\", issued_to = \"1402/05/20\"", &[5, 6]),
        ("two-fields", "nationality = \"AF\", province = \"IR-26\", household_role = \"head\"", &[4]),
        ("other-kind", "kind = \"passport-visa\"", &[]),
    ];
    for (id, select, reached) in rows {
        let system = System::at(TODAY, &people).await;
        put_in_force(&system, &decree(id, "extend", select, "1405/09/01-", "")).await;
        for holder in 1..=7 {
            let (expected, decree) = match holder {
                _ if reached.contains(&holder) => (BY_DECREE, Some(id)),
                // Everybody has a nationality and a province: nobody knows whether this holder's are the ones.
                7 if ["nationality", "province"].contains(&id) => ("indeterminate record-incomplete", None),
                _ => (LAPSED, None),
            };
            check(&system, "clinic", &format!("DSEL00000{holder}"), "treatment", expected, decree).await;
        }
        system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_do_what_they_say_and_no_more() {
    let paper = |kind: &str, number: &str, expires: &str| Paper::numbered(kind, number, expires);
    let people = [
        Holder::new("visa", [paper("household-visa-manual", "DEFF000001", "1408/01/01")]),
        Holder::new("booklet", [paper("residence-booklet", "DEFF000002", "1408/01/01")]),
        Holder::new("amayesh-18", [paper("amayesh", "DEFF000003", "1404/01/01").series(18)]),
        Holder::new("amayesh-14", [paper("amayesh", "DEFF000004", "1402/01/01").series(14)]),
        Holder::new("smart", [paper("smart-card", "DEFF000005", "1404/01/01").carries("amayesh")]),
        Holder::new("special", [paper("special-booklet", "DEFF000006", "1408/01/01")]),
        Holder::new("refugee", [paper("refugee-booklet", "DEFF000007", "1408/01/01").state("suspended")]),
    ];
    let system = System::at(TODAY, &people.iter().map(Holder::line).collect::<String>()).await;
    let text = [
        decree("grant", "grant", "kind = \"household-visa-manual\"", "1405/09/01-", "services = [\"education-school\"]"),
        decree("restrict", "restrict", "kind = \"residence-booklet\"", "1405/09/01-", "services = [\"treatment\"]"),
        decree("window-18", "renewal-window", "kind = \"amayesh\", series = 18", "1405/08/01-1405/08/30", ""),
        decree("window-smart", "renewal-window", "kind = \"smart-card\", legal_status = \"amayesh\"", "1405/09/01-1405/09/04", ""),
        decree("act", "require-action", "kind = \"special-booklet\"", "1405/09/01-", ""),
        decree("no-rescue", "extend", "kind = \"refugee-booklet\"", "1405/09/01-", ""),
        decree("shorter", "extend", "kind = \"special-booklet\"", "1405/08/01-1405/08/30", ""),
    ];
    put_in_force(&system, &text.concat()).await;
    // GRANT carries the service named and no other; RESTRICT withholds the service named and no other.
    check(&system, "school", "DEFF000001", "education-school", "entitled valid", Some("grant")).await;
    check(&system, "clinic", "DEFF000001", "insurance-health", "not-entitled service-not-covered", None).await;
    check(&system, "clinic", "DEFF000002", "treatment", "not-entitled service-not-covered", Some("restrict")).await;
    check(&system, "school", "DEFF000002", "education-school", "entitled valid", None).await;
    // A window that has ended ends the wait of the series that it admitted, and of no other.
    check(&system, "clinic", "DEFF000003", "treatment", LAPSED, None).await;
    check(&system, "clinic", "DEFF000004", "treatment", RENEWABLE, None).await;
    // An open window keeps a card renewable that is of no round.
    check(&system, "clinic", "DEFF000005", "treatment", RENEWABLE, None).await;
    system.set("2026-11-26T12:00:00Z"); // 1405/09/05
    check(&system, "clinic", "DEFF000005", "treatment", LAPSED, None).await;
    // REQUIRE-ACTION changes no validity, an EXTEND that is over shortens nothing, and none overrides a state.
    let act = check(&system, "clinic", "DEFF000006", "treatment", "entitled valid", None).await;
    let then = json!({"who": "holder", "action": "act-on-decree", "decree": "act", "message": {"fa": "آزمون", "en": "a test"}});
    assert_eq!((&act["reason"]["next"]["action"], &act["reason"]["next"]["then"]), (&json!("serve"), &then));
    // Nobody else is asked to act, and an agency that is not told of decrees is not told of this one.
    assert_eq!(check(&system, "clinic", "DEFF000002", "insurance-health", NOT_COVERED, None).await["reason"]["next"].get("then"), None);
    edit_policy(system.dir.path(), "clinic", |text| text.replace("decree = true", "decree = false"));
    system.running.parts().policies.reload().unwrap();
    let untold = system.ask("clinic", &query("clinic", "amayesh-no", "DEFF000006", "treatment")).await;
    assert_eq!((untold.outcome().as_str(), untold.json["reason"]["next"].get("then")), ("entitled valid", None));
    check(&system, "clinic", "DEFF000007", "treatment", "not-entitled document-suspended", None).await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decrees_begin_and_end_with_tehran_days_and_replace_each_other() {
    let people = [
        Holder::new("bounded", [passport("DDAY000001")]),
        Holder::new("replaced", [Paper::numbered("passport-visa", "DDAY000002", "1404/01/01")]),
        Holder::new("ended", [Paper::numbered("residence-booklet", "DDAY000003", "1404/01/01")]),
    ];
    let system = System::at("2026-11-23T20:29:59Z", &people.iter().map(Holder::line).collect::<String>()).await; // 1405/09/02, last second
    let text = [
        decree("bounded", "extend", "kind = \"passport-residence\"", "1405/09/03-1405/09/04", ""),
        decree("old", "extend", "kind = \"passport-visa\"", "1405/08/01-", ""),
        decree("new", "terminate", "kind = \"passport-visa\"", "1405/09/03-", "supersedes = [\"old\"]"),
        decree("end", "terminate", "kind = \"residence-booklet\"", "1405/08/01-", ""),
    ];
    put_in_force(&system, &text.concat()).await;
    // A terminating decree is named even where the printed date has passed too.
    check(&system, "clinic", "DDAY000003", "treatment", "not-entitled ended-by-decree", Some("end")).await;
    check(&system, "clinic", "DDAY000001", "treatment", LAPSED, None).await;
    check(&system, "clinic", "DDAY000002", "treatment", BY_DECREE, Some("old")).await;
    system.set("2026-11-23T20:30:00Z"); // 1405/09/03, midnight in Tehran
    check(&system, "clinic", "DDAY000001", "treatment", BY_DECREE, Some("bounded")).await;
    check(&system, "clinic", "DDAY000002", "treatment", "not-entitled ended-by-decree", Some("new")).await;
    system.set("2026-11-25T20:29:59Z");
    check(&system, "clinic", "DDAY000001", "treatment", BY_DECREE, Some("bounded")).await;
    system.set("2026-11-25T20:30:00Z"); // 1405/09/05
    check(&system, "clinic", "DDAY000001", "treatment", LAPSED, None).await;
    system.stop().await;
}

/// A row changed behind the officials' backs: nobody is told anything by the changed decrees, and nobody is told no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decree_dated_back_in_the_store_silences_the_registry_instead_of_rewriting_history() {
    let system = System::today().await;
    check(&system, "clinic", "A170000001", "treatment", BY_DECREE, Some("d1-1402-04-07")).await;
    let tamper = |transaction: &rusqlite::Transaction<'_>| -> Result<(), estelam::registry::store::StoreError> {
        transaction.execute("UPDATE decree SET recorded_at = '2020-01-01T00:00:00Z' WHERE id = 'd2-1404-01-01'", [])?;
        transaction.execute("INSERT INTO change (kind) VALUES ('decrees')", [])?;
        Ok(())
    };
    system.registry_store(|store| store.with_writer(tamper)).unwrap();
    system.until("the alarm", |system| system.running.parts().registry.decrees().is_none()).await;
    assert!(!system.running.parts().registry.ready());
    check(&system, "clinic", "A170000001", "treatment", "indeterminate registry-unavailable", None).await;
    system.stop().await;
}
