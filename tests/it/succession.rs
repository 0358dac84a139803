//! Forks by routine, with the real commands: a back-up put back, and a second process. The log goes on without a fork, loses nothing
//! silently, and the witness follows or refuses.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use estelam::core::ledger::ProofBundle;
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::note::NoteKey;
use reqwest::Client;
use serde_json::{Value, json};

use crate::sigkill_support::{Disk, Installation, Process};

const FORM: &str = "application/x-www-form-urlencoded";
/// A bound on what takes seconds at most.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn token(http: &Client, gateway: &str) -> (u16, Value) {
    let form = "grant_type=client_credentials&client_id=clinic";
    let reply = http.post(format!("{gateway}/oauth2/token")).header("Content-Type", FORM).body(form).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

pub async fn ask(http: &Client, gateway: &str, token: &Value) -> (u16, Value) {
    let question = json!({"service": "health-primary", "purpose": "treatment"});
    let request = http.post(format!("{gateway}/v1/verify")).bearer_auth(token["access_token"].as_str().unwrap());
    let reply = request.json(&question).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

/// Gets so many answers; the last one.
pub async fn answers(installation: &Installation, count: usize) -> Value {
    let http = installation.http("clinic");
    let (_, bearer) = token(&http, &installation.gateway()).await;
    let mut last = Value::Null;
    for _ in 0..count {
        let (status, answer) = ask(&http, &installation.gateway(), &bearer).await;
        assert_eq!(status, 200, "{answer}");
        last = answer;
    }
    last
}

async fn public(installation: &Installation, path: &str) -> String {
    installation.http("operator").get(installation.public(path)).send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

/// Waits until the published checkpoint covers an answer.
async fn published(installation: &Installation, answer: &Value) {
    let (begun, index) = (Instant::now(), answer["ledger"]["index"].as_u64().unwrap());
    while public(installation, "/checkpoint").await.lines().nth(1).unwrap().parse::<u64>().unwrap() <= index {
        assert!(begun.elapsed() < PATIENCE, "a checkpoint a second");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An auditor's machine.
struct Auditor {
    state: PathBuf,
    url: String,
    ca: PathBuf,
    log_key: PathBuf,
}

impl Auditor {
    async fn new(installation: &Installation, name: &str) -> Self {
        let state = installation.dir().join(name);
        let log_key = installation.dir().join(format!("{name}.log-key"));
        std::fs::write(&log_key, public(installation, "/checkpoint.key").await).unwrap();
        Self { state, url: installation.public(""), ca: installation.dir().join("pki/ca.pem"), log_key }
    }

    /// `estelam log witness` with the log's keys in some files.
    fn witness(&self, keys: &[&Path]) -> Command {
        let mut witness = Command::new(env!("CARGO_BIN_EXE_estelam"));
        witness.args(["log", "witness", "--name", "witness.example", "--url", &self.url, "--ca"]).arg(&self.ca);
        for key in keys {
            witness.arg("--log-key").arg(key);
        }
        witness.arg("--state").arg(&self.state);
        witness
    }

    /// One look of it.
    fn look(&self) -> Output {
        self.witness(&[&self.log_key]).output().unwrap()
    }

    fn cosigned(&self) -> String {
        std::fs::read_to_string(self.state.join("checkpoint")).unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// From now on the node compares itself with the witness at every start.
fn configure_witness(installation: &Installation, auditor: &Auditor) {
    let path = installation.dir().join("estelam.toml");
    let witness = format!(
        "[ledger]\nwitness_key = \"{}\"\nwitness_checkpoint = \"{}\"\n",
        auditor.state.join("witness.key").display(),
        installation.dir().join("last-witnessed").display()
    );
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replacen("[ledger]\n", &witness, 1)).unwrap();
}

fn fetch_from(installation: &Installation, auditor: &Auditor) {
    std::fs::write(installation.dir().join("last-witnessed"), auditor.cosigned()).unwrap();
}

/// Puts the bytes of a copy in place of the log's, as a restored disk would.
fn roll_back(installation: &Installation, copy: &Path) {
    let ledger = installation.dir().join("ledger");
    let _ = std::fs::remove_file(ledger.join("ledger.sqlite-wal"));
    let _ = std::fs::remove_file(ledger.join("ledger.sqlite-shm"));
    for file in ["ledger.sqlite", "journal.0", "journal.1"] {
        std::fs::write(ledger.join(file), std::fs::read(copy.join(file)).unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolled_back_log_goes_on_under_a_new_origin_and_its_witness_follows() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Plain).await;
    let auditor = Auditor::new(&installation, "witness").await;
    let early = answers(&installation, 3).await;
    let copy = installation.dir().join("copy");
    let backed_up = installation.run(&["log", "backup", copy.to_str().unwrap()]);
    assert!(backed_up.status.success(), "{}", said(&backed_up));
    let late = answers(&installation, 3).await;
    published(&installation, &late).await;
    assert!(auditor.look().status.success());
    no_altered_state_is_gone_on_from(&auditor);
    gateway.kill();

    configure_witness(&installation, &auditor);
    no_altered_checkpoint_is_believed(&installation, &auditor).await;
    fetch_from(&installation, &auditor);
    roll_back(&installation, &copy);
    let gateway = installation.start(Disk::Plain).await;
    let fresh = answers(&installation, 2).await;
    let (old, new) = (early["ledger"]["origin"].as_str().unwrap(), fresh["ledger"]["origin"].as_str().unwrap());
    assert!(new.starts_with(&format!("{old}/")), "{new}");
    published(&installation, &fresh).await;
    old_answers_stay_provable(&installation, &early).await;
    let followed = auditor.look();
    assert!(followed.status.success() && said(&followed).contains("LOST"), "{}", said(&followed));
    assert!(auditor.cosigned().starts_with(new));
    assert!(auditor.state.join("ended-first").exists(), "what it saw of the old log is kept");
    let verified = installation.run(&["log", "verify", "--json"]);
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report["sealed"][0]["origin"], *old, "{}", said(&verified));
    gateway.kill();

    // The next starts change nothing more, whether the operator has fetched what the witness saw since or not.
    for fetched in [false, true] {
        if fetched {
            fetch_from(&installation, &auditor);
        }
        let gateway = installation.start(Disk::Plain).await;
        assert_eq!(answers(&installation, 1).await["ledger"]["origin"], *new);
        gateway.kill();
    }
}

/// One bit of the witness's checkpoint is wrong: the node does not start on it.
async fn no_altered_checkpoint_is_believed(installation: &Installation, auditor: &Auditor) {
    let whole = auditor.cosigned();
    for part in 0..6 {
        let at = whole.char_indices().map(|(at, _)| at).nth(part * whole.chars().count() / 6 + 3).unwrap();
        let mut altered = whole.clone().into_bytes();
        altered[at] ^= 1;
        std::fs::write(installation.dir().join("last-witnessed"), &altered).unwrap();
        assert_eq!(installation.refuses_to_start().await, Some(1), "byte {at}");
    }
}

/// The same in what the witness itself keeps, as far as the log signed it.
fn no_altered_state_is_gone_on_from(auditor: &Auditor) {
    let (whole, place) = (auditor.cosigned(), auditor.state.join("checkpoint"));
    let signed = whole.rfind('\u{2014}').unwrap();
    for part in 0..6 {
        let at = whole.char_indices().map(|(at, _)| at).nth(part * whole[..signed].chars().count() / 6 + 3).unwrap();
        let mut altered = whole.clone().into_bytes();
        altered[at] ^= 1;
        std::fs::write(&place, &altered).unwrap();
        let refused = auditor.look();
        assert_eq!(refused.status.code(), Some(1), "byte {at}: {}", said(&refused));
    }
    std::fs::write(&place, whole).unwrap();
    assert!(auditor.look().status.success(), "the gateway was there all the time");
}

/// The proof of an answer from before is under the old log's checkpoint, and its tiles are still there.
async fn old_answers_stay_provable(installation: &Installation, answer: &Value) {
    let http = installation.http("clinic");
    let (_, bearer) = token(&http, &installation.gateway()).await;
    let url = format!("{}/v1/log/proof/{}", installation.gateway(), answer["answer_id"].as_str().unwrap());
    let reply = http.get(url).bearer_auth(bearer["access_token"].as_str().unwrap()).send().await.unwrap();
    let status = reply.status();
    let proof: Value = reply.json().await.unwrap();
    assert_eq!(status, 200, "{proof}");
    let bundle: ProofBundle = serde_json::from_value(proof.clone()).unwrap();
    let key = NoteKey::parse(proof["checkpoint_key"].as_str().unwrap()).unwrap();
    bundle.check(answer["statement"].as_str().unwrap(), &[key]).unwrap();
    let list: Value = serde_json::from_str(&public(installation, "/log/origins").await).unwrap();
    assert_eq!(list["origins"].as_array().unwrap().len(), 2);
    let prefix = list["origins"][0]["prefix"].as_str().unwrap();
    let key = NoteKey::parse(public(installation, &format!("{prefix}/checkpoint.key")).await.trim()).unwrap();
    let sealed = Checkpoint::open(&public(installation, &format!("{prefix}/checkpoint")).await, &[key]).unwrap();
    assert_eq!(sealed.origin, answer["ledger"]["origin"]);
    let tile = installation.http("operator").get(installation.public(&format!("{prefix}/tile/0/000.p/{}", sealed.size)));
    assert_eq!(tile.send().await.unwrap().bytes().await.unwrap().len() as u64, sealed.size * 32);
    assert_eq!(installation.http("operator").get(installation.public("/log/2/checkpoint")).send().await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_up_that_lacks_entries_is_restored_only_sealed_and_a_witness_that_knows_more_refuses() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Plain).await;
    let (auditor, other) = (Auditor::new(&installation, "witness").await, Auditor::new(&installation, "other").await);
    let copy = installation.dir().join("copy");
    assert!(installation.run(&["log", "backup", copy.to_str().unwrap()]).status.success());
    published(&installation, &answers(&installation, 2).await).await;
    assert!(auditor.look().status.success());
    published(&installation, &answers(&installation, 2).await).await;
    assert!(other.look().status.success());
    gateway.kill();
    std::fs::remove_dir_all(installation.dir().join("ledger")).unwrap();
    let seen = auditor.state.join("checkpoint");
    let restore = ["log", "restore", copy.to_str().unwrap(), "--checkpoint", seen.to_str().unwrap()];
    let refused = installation.run(&restore);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("--succeed"), "{}", said(&refused));
    assert!(!installation.dir().join("ledger").exists(), "nothing was restored");
    let restored = installation.run(&[&restore[..], &["--succeed"]].concat());
    assert!(restored.status.success(), "{}", said(&restored));
    let gateway = installation.start(Disk::Plain).await;
    published(&installation, &answers(&installation, 1).await).await;
    assert!(auditor.look().status.success(), "the new log names what this one had seen");
    let refused = other.look();
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("does not say that"), "{}", said(&refused));
    gateway.kill();
    installation.verify_log(Some(&auditor.cosigned()));
}

/// Reads lines until one says something.
fn until_said(lines: &mut impl Iterator<Item = std::io::Result<String>>, what: &str) {
    assert!(lines.any(|line| line.unwrap().contains(what)), "the witness ended before it said `{what}`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn witness_goes_on_after_an_outage_and_over_a_rotation_of_the_checkpoint_key() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Plain).await;
    let auditor = Auditor::new(&installation, "witness").await;
    published(&installation, &answers(&installation, 1).await).await;
    let mut watching = auditor.witness(&[&auditor.log_key]);
    let child = watching.args(["--every", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut watching = Process::of(child);
    let [mut found, mut faults] = watching.lines();
    until_said(&mut found, "the first checkpoint seen");
    gateway.kill();
    until_said(&mut faults, "cannot be reached");
    let gateway = installation.start(Disk::Plain).await;
    until_said(&mut found, "seen before, cosigned");
    watching.kill();
    gateway.kill();

    for verb in [["keys", "standby", "checkpoints"].as_slice(), &["keys", "rotate", "checkpoints", "--now"]] {
        let done = installation.run(verb);
        assert!(done.status.success(), "{}", said(&done));
    }
    let gateway = installation.start(Disk::Plain).await;
    published(&installation, &answers(&installation, 1).await).await;
    let new_key = installation.dir().join("new.log-key");
    std::fs::write(&new_key, public(&installation, "/checkpoint.key").await).unwrap();
    let before = auditor.cosigned();
    for keys in [[&*auditor.log_key].as_slice(), &[&*new_key]] {
        let refused = auditor.witness(keys).args(["--every", "1"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        assert!(said(&refused).contains("signed by no key of `--log-key`"), "{}", said(&refused));
        assert_eq!(auditor.cosigned(), before, "nothing was cosigned");
    }
    let both = auditor.witness(&[&auditor.log_key, &new_key]).output().unwrap();
    assert!(both.status.success() && said(&both).contains("seen before, cosigned"), "{}", said(&both));
    // One that forgot, or remembers what it did not cosign itself, cosigns nothing.
    let (memory, plain) = (auditor.state.join("checkpoint"), public(&installation, "/checkpoint").await);
    for altered in [None, Some(plain)] {
        std::fs::remove_file(&memory).unwrap();
        altered.into_iter().for_each(|note| std::fs::write(&memory, note).unwrap());
        let refused = auditor.witness(&[&auditor.log_key, &new_key]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        assert!(said(&refused).contains("this witness cosigned"), "{}", said(&refused));
        std::fs::write(&memory, "").unwrap();
    }
    gateway.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_that_may_lack_answers_goes_on_under_a_new_origin_though_its_witness_saw_less() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Plain).await;
    let auditor = Auditor::new(&installation, "witness").await;
    published(&installation, &answers(&installation, 2).await).await;
    assert!(auditor.look().status.success());
    let copy = installation.dir().join("copy");
    assert!(installation.run(&["log", "backup", copy.to_str().unwrap()]).status.success());
    // Signed, in an agency's hands, and in no copy.
    let beyond = answers(&installation, 1).await;
    gateway.kill();
    let ledger = installation.dir().join("ledger");
    let seen = auditor.state.join("checkpoint");
    let restore = ["log", "restore", copy.to_str().unwrap(), "--checkpoint", seen.to_str().unwrap()];
    // The database is lost, and the folder knows of one answer more.
    std::fs::remove_file(ledger.join("ledger.sqlite")).unwrap();
    let refused = installation.run(&restore);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("were answered for in this folder"), "{}", said(&refused));
    // The whole folder is lost: nothing says that there is more.
    std::fs::rename(&ledger, installation.dir().join("lost")).unwrap();
    let restored = installation.run(&restore);
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(said(&restored).contains("(copy)"), "{}", said(&restored));
    let gateway = installation.start(Disk::Plain).await;
    let after = answers(&installation, 1).await;
    assert_ne!(after["ledger"]["origin"], beyond["ledger"]["origin"], "no index is used twice under one origin");
    published(&installation, &after).await;
    assert!(auditor.look().status.success(), "{}", said(&auditor.look()));
    gateway.kill();
    // With what the folder knows, and the operator's word: no circle.
    std::fs::remove_dir_all(&ledger).unwrap();
    std::fs::rename(installation.dir().join("lost"), &ledger).unwrap();
    let restored = installation.run(&[&restore[..], &["--succeed"]].concat());
    assert!(restored.status.success(), "{}", said(&restored));
    let gateway = installation.start(Disk::Plain).await;
    answers(&installation, 1).await;
    gateway.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copied_installation_never_goes_on_under_the_origin_of_the_original() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Plain).await;
    let before = answers(&installation, 2).await;
    gateway.kill();
    let ledger = installation.dir().join("ledger");
    let copied = Command::new("cp").arg("-a").arg(&ledger).arg(installation.dir().join("copy")).status().unwrap();
    assert!(copied.success());
    std::fs::rename(&ledger, installation.dir().join("original")).unwrap();
    std::fs::rename(installation.dir().join("copy"), &ledger).unwrap();
    let gateway = installation.start(Disk::Plain).await;
    let after = answers(&installation, 1).await;
    assert_ne!(after["ledger"]["origin"], before["ledger"]["origin"]);
    gateway.kill();
    std::fs::rename(&ledger, installation.dir().join("copy")).unwrap();
    std::fs::rename(installation.dir().join("original"), &ledger).unwrap();
    let _gateway = installation.start(Disk::Plain).await;
    assert_eq!(answers(&installation, 1).await["ledger"]["origin"], before["ledger"]["origin"], "a folder that was moved is no copy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_gateway_whose_lock_was_stolen_wakes_up_and_answers_nothing() {
    let installation = Installation::make();
    let first = installation.start(Disk::Plain).await;
    let http = installation.http("clinic");
    let (_, bearer) = token(&http, &installation.gateway()).await;
    let (_, answered) = ask(&http, &installation.gateway(), &bearer).await;
    first.signal(rustix::process::Signal::STOP);
    std::fs::remove_file(installation.dir().join("ledger/ledger.lock")).unwrap();
    let (second, [gateway, _]) = installation.start_second().await;
    first.signal(rustix::process::Signal::CONT);
    let (status, problem) = ask(&http, &installation.gateway(), &bearer).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("ledger-unavailable")), "{problem}");
    assert_eq!(problem["decision"], Value::Null);
    let ready = http.get(format!("http://127.0.0.1:{}/health/ready", installation.ops())).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let (other, gateway) = (installation.http("clinic"), format!("https://localhost:{gateway}"));
    let (status, _) = token(&other, &gateway).await;
    assert_eq!(status, 200, "the second one is the writer");
    let (status, _) = ask(&http, &installation.gateway(), &bearer).await;
    assert_eq!(status, 503, "and the first one does not come back");
    first.kill();
    second.kill();
    assert!(installation.verify_log(None) > answered["ledger"]["index"].as_u64().unwrap());
}
