//! The witness's clock beside the gateway's, and the log's own time: where they differ by more than 30 seconds nothing is signed, purged or issued.

use std::path::PathBuf;

use estelam::adapters::clock::ManualClock;
use estelam::adapters::keys::FileSigner;
use estelam::config::Config;
use estelam::core::domain::clock::Clock;
use estelam::core::ledger::Ledger as _;
use estelam::core::ledger::LogReader;
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::cosignature::WitnessKey;
use estelam::core::ledger::note::NoteKey;
use estelam::core::signing::Algorithm;
use jiff::SignedDuration;
use reqwest::header::CONTENT_TYPE;

use super::fixtures::query;
use super::harness::{FORM, System, send};
use super::purging::purge;
use super::record;
use crate::openapi::assert_described;

/// A witness, and where the operator puts what it cosigned.
struct Witness {
    signer: FileSigner,
    key: WitnessKey,
    folder: PathBuf,
}

impl Witness {
    fn of(system: &System) -> Self {
        let signer = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
        let key = WitnessKey::new("witness.example", signer.public_key_bytes().try_into().unwrap()).unwrap();
        let witness = Self { signer, key, folder: system.dir.path().into() };
        std::fs::write(witness.path("witness.key"), format!("{}\n", witness.key)).unwrap();
        witness
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Has what is published now cosigned by a clock that is off by so many seconds, and brought to the gateway.
    fn cosign(&self, system: &System, off_by_s: i64) {
        let at = system.clock.now() + SignedDuration::from_secs(off_by_s);
        let note = self.key.cosign(&system.running.parts().ledger.checkpoint(), &self.signer, at).unwrap();
        self.bring(&note);
    }

    fn bring(&self, note: &str) {
        let draft = self.path("witnessed.draft");
        std::fs::write(&draft, note).unwrap();
        std::fs::rename(draft, self.path("witnessed")).unwrap();
    }

    fn configure(&self) -> impl FnOnce(&mut Config) + use<> {
        let (key, checkpoint) = (self.path("witness.key"), self.path("witnessed"));
        move |config| {
            config.ledger.witness_key = Some(key);
            config.ledger.witness_checkpoint = Some(checkpoint);
        }
    }
}

/// What the log says of the clock, in order.
fn told(system: &System) -> Vec<String> {
    let entries = record::all(system).into_iter().filter(|entry| entry["route"] == "clock");
    entries.map(|entry| entry["code"].as_str().unwrap().to_owned()).collect()
}

async fn until_told(system: &System, what: &[&str]) {
    system.until("the clock's entry", |system| told(system) == what).await;
}

/// Nothing is signed, issued or deleted.
async fn stands_still(system: &System) {
    let entries = system.entries();
    let question = query("clinic", "yekta", "9990000018", "treatment");
    let asked = system.request("clinic", "POST", "/v1/verify").header(CONTENT_TYPE, "application/json").body(question.to_string());
    let unsigned = send(asked).await;
    assert_eq!((unsigned.status, unsigned.code(), unsigned.json.get("statement")), (503, "ledger-unavailable", None));
    let issue =
        system.request("bank", "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).body("grant_type=client_credentials&client_id=bank");
    let token = send(issue).await;
    assert_eq!((token.status, token.json.get("access_token")), (503, None));
    let purged = purge(system, &entries.to_string(), Vec::new()).await;
    assert!(purged.error.is_some_and(|error| error.contains("the clock")), "nothing is purged");
    assert_eq!(system.entries(), entries);
}

async fn answers(system: &System) {
    system.until("a clock that holds", |system| system.running.parts().gate.clock.holds()).await;
    system.forget_tokens();
    assert_eq!(system.ask("clinic", &query("clinic", "yekta", "9990000018", "treatment")).await.outcome(), "entitled valid");
}

/// Waits until everything is in the published checkpoint.
async fn published(system: &System) {
    let size = |system: &System| system.running.parts().ledger.checkpoint().lines().nth(1).unwrap().parse::<u64>().unwrap();
    system.until("a checkpoint", |system| size(system) == system.entries()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_a_clock_behind_the_witness_signs_nothing_until_a_newer_cosignature_agrees() {
    let system = System::today().await;
    let witness = Witness::of(&system);
    witness.cosign(&system, 31);
    let system = system.restarted_unready(witness.configure()).await;
    assert!(!system.running.parts().gate.clock.holds(), "known before the first call");
    until_told(&system, &["clock-contradicted"]).await;
    stands_still(&system).await;
    witness.cosign(&system, 30);
    answers(&system).await;
    until_told(&system, &["clock-contradicted", "clock-holds-again"]).await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_is_found_out_at_the_start_by_the_time_of_the_log() {
    let system = System::today().await;
    let witness = Witness::of(&system);
    // This machine's clock is an hour ahead from now on.
    system.advance(3600);
    answers(&system).await;
    published(&system).await;
    witness.cosign(&system, -3600);
    let system = system.restarted_unready(witness.configure()).await;
    until_told(&system, &["clock-contradicted"]).await;
    stands_still(&system).await;
    // Set right and started again: the log's time is ahead now, and says nothing of the clock.
    system.advance(-3600);
    let system = system.restarted_with(witness.configure()).await;
    answers(&system).await;
    system.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_holds_each_new_cosignature_against_its_clock() {
    let system = System::today().await;
    let witness = Witness::of(&system);
    witness.cosign(&system, 0);
    let system = system.restarted_with(witness.configure()).await;
    answers(&system).await;
    // An hour passes for this machine alone; what it publishes then the witness has cosigned an hour before.
    system.advance(3600);
    answers(&system).await;
    published(&system).await;
    witness.cosign(&system, -3600);
    until_told(&system, &["clock-contradicted"]).await;
    // Nobody is looked up for an answer that could not be signed.
    let (look_ups, entries) = (system.look_ups(), system.entries());
    let unsigned = system.ask("clinic", &query("clinic", "amayesh-no", "A170000001", "insurance-health")).await;
    assert_eq!((unsigned.status, unsigned.code(), unsigned.json["advice"].as_str()), (503, "ledger-unavailable", Some("proceed")));
    assert_eq!((system.look_ups(), system.entries()), (look_ups, entries));
    stands_still(&system).await;
    // What is no cosignature says nothing.
    std::fs::write(witness.path("witnessed"), "nothing").unwrap();
    witness.cosign(&system, 0);
    answers(&system).await;
    until_told(&system, &["clock-contradicted", "clock-holds-again"]).await;
    // An old checkpoint that is brought again shows nothing either.
    witness.cosign(&system, -10);
    answers(&system).await;
    system.stop().await;
}

/// What the operator's listener says at a path.
async fn ops(system: &System, path: &str) -> serde_json::Value {
    let url = format!("http://{}{path}", system.config.listen.ops);
    system.client("clinic").get(url).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_a_clock_behind_the_logs_last_entry_signs_nothing_until_it_has_passed_it() {
    let system = System::today().await;
    system.advance(3600);
    answers(&system).await;
    system.advance(-3600);
    let system = system.restarted_unready(|_| ()).await;
    assert!(!system.running.parts().gate.clock.holds(), "known before the first call");
    until_told(&system, &["clock-behind-log"]).await;
    stands_still(&system).await;
    let (ready, status) = (ops(&system, "/health/ready").await, ops(&system, "/status").await);
    assert_eq!(
        (&ready["ready"], &ready["parts"]["clock"], &status["clock"]["doubt"]),
        (&false.into(), &false.into(), &"clock-behind-log".into())
    );
    for said in [&ready["advice"]["clock"], &status["clock"]["do"]] {
        assert!(said.as_str().unwrap().contains("`ledger.clock_was_ahead_until`"), "{said}");
    }
    assert_described("Health", &ready);
    let error = system.running.parts().clock.doubt().unwrap().advice();
    assert!(error.contains("restart the gateway"));
    // Half a minute before it is not there yet.
    system.advance(3570);
    stands_still(&system).await;
    system.advance(31);
    answers(&system).await;
    until_told(&system, &["clock-behind-log", "clock-holds-again"]).await;
    assert_eq!(ops(&system, "/status").await["clock"], serde_json::Value::Null);
    system.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_who_says_that_the_logs_time_was_ahead_is_believed_and_it_is_on_record() {
    let system = System::today().await;
    system.advance(3600);
    answers(&system).await;
    let ahead = system.clock.now();
    system.advance(-3600);
    // A statement about an earlier time is none about this one.
    let early = ahead - SignedDuration::from_secs(10);
    let system = system.restarted_unready(|config| config.ledger.clock_was_ahead_until = Some(early)).await;
    until_told(&system, &["clock-behind-log"]).await;
    let until = ahead + SignedDuration::from_secs(60);
    let system = system.restarted_with(|config| config.ledger.clock_was_ahead_until = Some(until)).await;
    answers(&system).await;
    let started = record::all(&system).into_iter().rfind(|entry| entry["code"] == "service-started").unwrap();
    let details: serde_json::Value = serde_json::from_str(started["basis"].as_str().unwrap()).unwrap();
    assert_eq!(details["clock_was_ahead_until"], until.to_string());
    system.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_seconds_behind_the_log_are_within_what_clocks_differ_by() {
    let system = System::today().await;
    system.advance(30);
    answers(&system).await;
    system.advance(-30);
    let system = system.restarted_with(|_| ()).await;
    answers(&system).await;
    assert_eq!(told(&system), Vec::<String>::new());
    system.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_behind_the_log_is_believed_once_the_witness_cosigns_what_is_published_now() {
    let system = System::today().await;
    let witness = Witness::of(&system);
    witness.cosign(&system, 0);
    system.advance(3600);
    answers(&system).await;
    system.advance(-3500);
    // What the witness saw before it all says nothing against a clock that is an hour behind.
    let system = system.restarted_unready(witness.configure()).await;
    until_told(&system, &["clock-behind-log"]).await;
    stands_still(&system).await;
    published(&system).await;
    witness.cosign(&system, 0);
    answers(&system).await;
    until_told(&system, &["clock-behind-log", "clock-holds-again"]).await;
    system.running.stop().await;
}

/// Has the gateway's own key sign another tree of this origin, as the writer of a second copy would.
fn of_another_copy(system: &System, size: u64) -> String {
    let (ring, ledger) = (system.running.parts().keys.current(), &system.running.parts().ledger);
    let signer = ring.checkpoints();
    let key = NoteKey::new(ledger.origin(), signer.public_key_bytes().try_into().unwrap()).unwrap();
    Checkpoint { origin: ledger.origin().to_owned(), size, root: [7; 32] }.sign(&key, signer.as_ref()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_gives_its_log_up_once_the_witness_has_seen_more_or_other_entries() {
    for beyond in [1_000, 0] {
        let system = System::today().await;
        let witness = Witness::of(&system);
        witness.cosign(&system, 0);
        let system = system.restarted_with(witness.configure()).await;
        answers(&system).await;
        published(&system).await;
        witness.cosign(&system, 0);
        let (entries, shown) = (system.entries(), system.running.parts().ledger.checkpoint());
        assert!(system.running.parts().ledger.ready(), "what continues the log stops nothing");
        let foreign = of_another_copy(&system, entries + beyond);
        witness.bring(&witness.key.cosign(&foreign, &witness.signer, system.clock.now()).unwrap());
        system.until("a log that is given up", |system| !system.running.parts().ledger.ready()).await;
        let question = query("clinic", "yekta", "9990000018", "treatment");
        let asked = system.request("clinic", "POST", "/v1/verify").header(CONTENT_TYPE, "application/json").body(question.to_string());
        let unsigned = send(asked).await;
        assert_eq!((unsigned.status, unsigned.code(), unsigned.json.get("statement")), (503, "ledger-unavailable", None));
        witness.cosign(&system, 0);
        assert_eq!((system.entries(), system.running.parts().ledger.checkpoint()), (entries, shown), "nothing is signed or recorded");
        assert!(!system.running.parts().ledger.ready(), "and it does not come back");
        system.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_contradicts_the_clock_alone_is_told_and_stops_nothing_but_deletions() {
    let system = System::today().await;
    system.stop_registry().await;
    let theirs = std::sync::Arc::new(ManualClock::new(system.clock.now() + SignedDuration::from_secs(120)));
    system.start_registry_by(&theirs);
    let system = system.restarted_unready(|_| ()).await;
    system.until("the registry's word", |system| system.running.parts().registry.clocks_apart()).await;
    let ready = ops(&system, "/health/ready").await;
    assert_eq!((&ready["ready"], &ready["parts"]["registry"], &ready["parts"]["clock"]), (&false.into(), &false.into(), &true.into()));
    assert!(ready["advice"]["clock"].as_str().unwrap().starts_with("clock-disputed"), "{ready}");
    assert_described("Health", &ready);
    let told = system.ask("clinic", &query("clinic", "yekta", "9990000018", "treatment")).await;
    assert_eq!((told.status, told.json["decision"].as_str()), (200, Some("indeterminate")), "what to do is signed and recorded");
    let refused = purge(&system, "while-disputed", Vec::new()).await;
    assert!(refused.error.is_some_and(|error| error.contains("a minute apart")), "nothing is deleted");
    system.stop_registry().await;
    system.start_registry();
    system.running.until_ready().await.unwrap();
    answers(&system).await;
    system.until("agreement", |system| !system.running.parts().registry.clocks_apart()).await;
    let done = purge(&system, "after", Vec::new()).await;
    assert_eq!(done.error, None);
    system.stop().await;
}
