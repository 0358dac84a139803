//! Replay of the kinds of answers that are rare: each is decided again as it was, and what is deleted is counted, not guessed.

use std::collections::BTreeSet;

use estelam::adapters::keys::FileSigner;
use estelam::app::purge::PurgeRequest;
use estelam::app::review::{Against, Policy, Skip};
use estelam::core::domain::clock::Clock;
use estelam::core::ledger::LogReader;
use estelam::core::ledger::cosignature::WitnessKey;
use estelam::core::registry::Registry;
use estelam::core::signing::Algorithm;
use estelam::registry::decrees;
use estelam::registry::generate::mint_honeypots;
use serde_json::{Value, json};

use super::changes::DECREE;
use super::fixtures::query;
use super::harness::{System, TODAY};
use super::legal::grant_travel;
use super::people::{Holder, Paper};
use super::purging::purge_as;
use super::replay::{everything, same};
use super::workshop::{enrol, officials, services};

fn people() -> String {
    let amayesh = |number| [Paper::numbered("amayesh", number, "1402/03/31").series(17)];
    let revoked = Paper::numbered("smart-card", "RK00000001", "1406/01/01").carries("amayesh").state("revoked");
    let slip = Paper::numbered("education-support-slip", "RK00000002", "1406/01/01").recorded("2026-11-21T13:00:00Z");
    let passport = Paper::new("passport-residence", "passport", "RK0000005", "1406/01/01").country("AFG");
    let people = [
        Holder::new("guest", [passport]),
        Holder::new("qom", amayesh("RK00000003")),
        Holder::new("nowhere", amayesh("RK00000004")).of("AF", "IR-99"),
        Holder::new("revoked", [revoked]),
        Holder::new("pupil", [slip]),
    ];
    people.iter().map(Holder::line).collect()
}

/// What was asked, and what came of it.
struct Asked<'a> {
    system: &'a System,
    count: u64,
    reasons: BTreeSet<String>,
}

impl Asked<'_> {
    async fn about(&mut self, agency: &str, number: &str, service: &str, more: Value, expected: &str) -> Value {
        let mut question = query(agency, "amayesh-no", number, service);
        for (field, value) in more.as_object().unwrap() {
            question[field] = value.clone();
        }
        let reply = self.system.ask(agency, &question).await;
        assert_eq!((reply.status, reply.outcome().split_once(' ').unwrap().1), (200, expected), "{question}: {}", reply.json);
        self.count += 1;
        self.reasons.insert(expected.to_owned());
        reply.json
    }
}

async fn ask_of_papers_and_places(asked: &mut Asked<'_>) {
    let none = || json!({});
    asked.about("clinic", "A170000001", "treatment", json!({"emergency": true}), "no-document-required").await;
    asked.about("kefalat", "RK00000003", "travel", none(), "valid-by-decree").await;
    asked.about("kefalat", "RK00000003", "travel", json!({"province": "IR-26"}), "valid-by-decree").await;
    asked.about("kefalat", "RK00000003", "travel", json!({"province": "IR-30"}), "laissez-passer-needed").await;
    asked.about("kefalat", "RK00000004", "travel", none(), "area-unknown").await;
    asked.about("school", "RK00000002", "education-school", none(), "pending-propagation").await;
    let identifier = |scheme: &str, value: &str, field: &str, said: Value| {
        let mut identifier = json!({"scheme": scheme, "value": value});
        identifier[field] = said;
        json!({"identifier": identifier})
    };
    for (series, expected) in [(17, "valid-by-decree"), (16, "not-established")] {
        asked.about("clinic", "", "treatment", identifier("amayesh-no", "A170000001", "series", json!(series)), expected).await;
    }
    for (country, expected) in [("AFG", "valid"), ("IQ", "not-established")] {
        asked.about("clinic", "", "treatment", identifier("passport", "RK0000005", "country", json!(country)), expected).await;
    }
    // A "no" for which the remembered facts are not enough, and one for which they are.
    for _ in 0..2 {
        let no = asked.about("kefalat", "RK00000001", "identity", none(), "document-revoked").await;
        assert_eq!(no["freshness"], "live", "must_be_live_for_denial");
    }
    let no = asked.about("clinic", "RK00000001", "insurance-health", none(), "document-revoked").await;
    assert_eq!(no["freshness"], "cached");
}

async fn ask_while_a_decree_comes_and_goes(asked: &mut Asked<'_>) {
    let system = asked.system;
    let dir = system.dir.path();
    let (first, second, known) = (enrol(dir, "first"), enrol(dir, "second"), officials(dir));
    let file = dir.join("decree.toml");
    std::fs::write(&file, DECREE).unwrap();
    let version = || system.running.parts().registry.decrees().unwrap().version.clone();
    let about = ("clinic", "A160000002", "insurance-health");
    asked.about(about.0, about.1, about.2, json!({}), "document-lapsed").await;
    let before = version();
    let ids = system.registry_store(|store| decrees::add(store, &known, &services(), &file, &first)).unwrap();
    system.registry_store(|store| decrees::approve(store, &known, &ids[0], &second, &*system.clock)).unwrap();
    system.until("the decree", |_| version() != before).await;
    asked.about(about.0, about.1, about.2, json!({}), "valid-by-decree").await;
    system.advance(1);
    for official in [&first, &second] {
        system.registry_store(|store| decrees::rescind(store, &known, &ids[0], official, &*system.clock)).unwrap();
    }
    let before = version();
    system.until("the rescission", |_| version() != before).await;
    asked.about(about.0, about.1, about.2, json!({}), "document-lapsed").await;
}

async fn ask_until_no_more_is_told(asked: &mut Asked<'_>) {
    let system = asked.system;
    let bank = |year: u16| json!({"check": {"birth_year": year, "calendar": "jalali"}});
    asked.about("bank", "A170000001", "bank-card", bank(1370), "valid-by-decree").await;
    for year in [1360, 1361, 1362, 1363, 1364, 1370] {
        asked.about("bank", "A170000001", "bank-card", bank(year), "not-established").await;
    }
    let minted = system.registry_store(|store| mint_honeypots(store, 9)).unwrap();
    asked.about("school", "A170000001", "education-school", json!({}), "valid-by-decree").await;
    for honeypot in minted.iter().take(3) {
        let identifier = json!({"identifier": {"scheme": honeypot.scheme, "value": honeypot.value}});
        asked.about("school", "", "education-school", identifier, "not-established").await;
    }
    asked.about("school", "A170000001", "education-school", json!({}), "not-established").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rare_kinds_of_answers_are_decided_again_as_they_were() {
    let system = System::at(TODAY, &people()).await;
    grant_travel(&system);
    let mut asked = Asked { system: &system, count: 0, reasons: BTreeSet::new() };
    ask_of_papers_and_places(&mut asked).await;
    ask_while_a_decree_comes_and_goes(&mut asked).await;
    ask_until_no_more_is_told(&mut asked).await;
    assert_eq!(asked.reasons.len(), 9, "{:?}", asked.reasons);
    let review = same(&system);
    assert_eq!((review.queries, review.same, review.skipped.len()), (asked.count, asked.count, 0), "{review:#?}");
    // The same folder as a draft changes nothing, and leaves nothing untried.
    let files = estelam::adapters::policy_files::read(&system.config.policies).unwrap();
    let unchanged = everything(&system, &Against::Draft(&Policy::load(files).unwrap()));
    assert_eq!((unchanged.same, unchanged.changed(), unchanged.changed_not_tried.len()), (asked.count, 0, 0), "{unchanged:#?}");
    system.stop().await;
}

/// What an entry says is gone once its content is deleted: then there is nothing to decide again, and nothing is guessed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_when_due_is_counted_and_not_decided_again() {
    let witness = |config: &mut estelam::config::Config| config.ledger.witness_key = Some(config.keys.with_file_name("witness.key"));
    let system = System::with(TODAY, "", witness).await;
    for (agency, service) in [("telecom", "sim"), ("clinic", "treatment")] {
        assert_eq!(system.ask(agency, &query(agency, "amayesh-no", "A170000001", service)).await.status, 200);
    }
    assert_eq!((same(&system).queries, same(&system).same), (2, 2));
    // Contents are kept 90 days.
    system.set("2027-02-25T12:00:00Z");
    let signer = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    let key = WitnessKey::new("witness.example", signer.public_key_bytes().try_into().unwrap()).unwrap();
    std::fs::write(system.config.keys.with_file_name("witness.key"), format!("{key}\n")).unwrap();
    let note = key.cosign(&system.running.parts().ledger.checkpoint(), &signer, system.clock.now()).unwrap();
    let purged = purge_as(&system, PurgeRequest { nonce: "due".into(), witnessed: Some(note), ..PurgeRequest::default() }).await;
    assert_eq!(purged.error, None);
    let draft = Policy::load(crate::policy_support::files()).unwrap();
    for against in [Against::Recorded, Against::Draft(&draft)] {
        let review = everything(&system, &against);
        let skipped: Vec<(&str, u64)> = review.skipped.iter().map(|(why, count)| (*why, *count)).collect();
        assert_eq!((review.queries, review.same, review.changed()), (2, 0, 0), "{review:#?}");
        assert_eq!(skipped, [(Skip::Deleted.code(), 2)]);
    }
    system.stop().await;
}
