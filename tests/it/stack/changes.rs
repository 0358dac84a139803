//! What changes while everything runs: decrees through the change feed, policies through their files. Whole or not at all.

use estelam::adapters::policy_files::set_suspended;
use estelam::adapters::tls::material;
use estelam::core::domain::clock::Clock;
use estelam::core::identity::Trust;
use estelam::core::registry::Registry;
use estelam::registry::decrees::{self, Standing};
use serde_json::json;

use super::fixtures::query;
use super::harness::{System, send, try_send};
use super::workshop::{agency, edit_policy, enrol, officials, services};

/// A decree that is not among those of the demo.
pub const DECREE: &str = r#"
[[decree]]
id = "d9-1405-09-02"
authority = "ministry-of-interior"
issued_on = "1405/09/02"
known_from = "1405/09/02"
effective_from = "1405/09/01"
select = [{ kind = "amayesh", series = 16 }]
services = "all"
effect = "extend"
text.fa = "کارت‌های آمایش ۱۶ معتبر است"
text.en = "Amayesh 16 cards are valid"
source = "a test"
"#;

async fn check(system: &System, expected: &str) -> serde_json::Value {
    let reply = system.ask("clinic", &query("clinic", "amayesh-no", "A160000002", "insurance-health")).await;
    assert_eq!((reply.status, reply.outcome().as_str()), (200, expected), "{}", reply.json);
    reply.json
}

/// The version of the decrees that the gateway decides by.
fn version(system: &System) -> String {
    system.running.parts().registry.decrees().unwrap().version.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_two_officials_put_a_decree_into_answers_and_take_it_out_again() {
    let system = System::today().await;
    let dir = system.dir.path();
    let (first, second, known) = (enrol(dir, "first"), enrol(dir, "second"), officials(dir));
    let file = dir.join("decree.toml");
    std::fs::write(&file, DECREE).unwrap();
    let before = check(&system, "not-entitled document-lapsed").await;

    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &first)).unwrap();
    let alone = system.registry_store(|store| decrees::approve(store, &known, &ids[0], &first, &*system.clock));
    assert!(alone.is_err(), "one official alone put a decree in force");
    check(&system, "not-entitled document-lapsed").await;

    system.registry_store(|store| decrees::approve(store, &known, &ids[0], &second, &*system.clock)).unwrap();
    system.until("the approved decree", |system| version(system) != before["decrees_version"]).await;
    let during = check(&system, "entitled valid-by-decree").await;
    assert_eq!(during["document"]["decree"], json!(ids[0]));

    system.advance(1);
    let asked = system.registry_store(|store| decrees::rescind(store, &known, &ids[0], &first, &*system.clock)).unwrap();
    assert_eq!(asked, Standing::RescissionPending);
    check(&system, "entitled valid-by-decree").await;
    let done = system.registry_store(|store| decrees::rescind(store, &known, &ids[0], &second, &*system.clock)).unwrap();
    assert_eq!(done, Standing::Rescinded);
    let in_force = version(&system);
    system.until("the rescission", |system| version(system) != in_force).await;
    check(&system, "not-entitled document-lapsed").await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy_change_takes_effect_whole_or_not_at_all() {
    let system = System::today().await;
    let policies = system.running.parts().policies.clone();
    let question = query("bank", "yekta", "9990000026", "bank-account");
    let first = policies.current().version.clone();
    assert_eq!(system.ask("bank", &question).await.json["policy_version"], json!(first.as_ref()));

    // The service takes it up by itself: nobody tells it to reload.
    set_suspended(&system.config.policies, &agency("bank"), true).unwrap();
    system.until("the suspension", |_| policies.current().version != first).await;
    let reply = system.ask("bank", &question).await;
    assert_eq!((reply.status, reply.code()), (403, "agency-suspended"), "{}", reply.json);

    // A good change beside a broken one: neither takes effect.
    let second = policies.current().version.clone();
    edit_policy(system.dir.path(), "school", |text| format!("{text}\nnonsense = 1\n"));
    edit_policy(system.dir.path(), "bank", |text| text.replace("suspended = true", "suspended = false"));
    let errors = policies.reload().unwrap_err();
    assert!(errors.iter().any(|error| error.to_string().starts_with("agencies/school.toml:")), "{errors:?}");
    assert_eq!(policies.current().version, second);
    assert_eq!(system.ask("bank", &question).await.code(), "agency-suspended");

    edit_policy(system.dir.path(), "school", |text| text.replace("\nnonsense = 1\n", ""));
    system.until("the good change", |_| policies.current().version != second).await;
    assert_eq!(system.ask("bank", &question).await.status, 200);
    system.stop().await;
}

/// Nobody reloads anything: the tables that were made when the folder was loaded hold the last day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_and_a_rule_end_by_themselves_at_midnight_in_tehran() {
    let system = System::at("2026-11-23T23:59:59+03:30", "").await; // 1405/09/02
    edit_policy(system.dir.path(), "school", |text| text.replace("\nmust_give", "\nuntil = \"1405/09/02\"\nmust_give"));
    let rules = system.dir.path().join("policies/permits.cedar");
    let ended = std::fs::read_to_string(&rules)
        .unwrap()
        .replace("@id(\"operators-register-sims\")", "@id(\"operators-register-sims\")\n@until(\"1405/09/02\")");
    std::fs::write(&rules, ended).unwrap();
    let version = system.running.parts().policies.reload().unwrap().version.clone();
    let asked = [("school", "education-school"), ("telecom", "sim"), ("clinic", "treatment")];
    for (at, expected) in [("2026-11-23T23:59:59+03:30", [200, 200, 200]), ("2026-11-24T00:00:00+03:30", [403, 403, 200])] {
        system.set(at);
        for ((agency, service), expected) in asked.into_iter().zip(expected) {
            let before = system.look_ups();
            let reply = system.ask(agency, &query(agency, "amayesh-no", "A170000001", service)).await;
            assert_eq!(reply.status, expected, "{agency} at {at}: {}", reply.json);
            assert!(expected == 200 || (reply.code() == "service-not-allowed" && system.look_ups() == before), "{}", reply.json);
        }
    }
    assert_eq!(system.running.parts().policies.current().version, version);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_shuts_the_door_by_itself() {
    let system = System::today().await;
    let trust = system.running.parts().trust.clone();
    let jwks = |folder: &str| system.request(folder, "GET", "/.well-known/jwks.json");
    let branch = system.credential("bank.north");
    let peer = trust.identify(&material::certificates(&branch.cert).unwrap()[0]).unwrap();
    assert_eq!(send(jwks("bank.north")).await.status, 200);

    // The list's file is noticed; nobody asks for a reload.
    system.pki.revoke(&system.pki.serial_of(&branch).unwrap()).unwrap();
    system.until("the revocation", |system| trust.certificate_accepted(&peer, system.clock.now()).is_err()).await;
    // An open connection gets refusals alone until it is closed, a moment later.
    let told = try_send(system.request("bank.north", "POST", "/v1/verify")).await;
    let refused = told.is_err() || told.is_ok_and(|reply| reply.json["code"] == "certificate-not-accepted");
    assert!(refused, "a revoked certificate got an answer");
    assert_eq!(send(jwks("bank")).await.status, 200);

    system.stop().await;
}
