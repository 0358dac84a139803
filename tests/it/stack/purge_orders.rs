//! Deletion outside a demo, by the real commands beside a running gateway: nothing goes but what two officials in office ordered, whoever asks.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use estelam::adapters::clock::SystemClock;
use estelam::adapters::keys::FileSigner;
use estelam::adapters::policy_files::{self, PolicyStore};
use estelam::adapters::store::{PurgeGrounds, VerifyOptions, open_offline, verify_all};
use estelam::app::authority::{Approval, AuthorityFolder, Kind, Proposal};
use estelam::app::purge_orders::OrderBook;
use estelam::app::{key_place, ledger_config, origins::origins_of};
use estelam::config::{Config, template};
use estelam::core::domain::clock::Clock;
use estelam::core::ledger::LogReader;
use estelam::core::ledger::cosignature::WitnessKey;
use estelam::core::ledger::retention::day_of;
use estelam::core::signing::Algorithm;
use estelam::registry::decrees::OfficialKey;
use jiff::ToSpan as _;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use serde_json::{Value, json};
use uuid::Uuid;

use super::acts::{acts, details, kek};
use super::alarm::alarms;
use super::fixtures::query;
use super::harness::{System, TODAY, send};
use super::workshop::{edit_policy, listed_of_the_registry};
use crate::counters::counters;
use crate::foreign_keys::ForeignKey;

/// When the contents of [`TODAY`] are due: they are kept 90 days.
const LATER: &str = "2027-02-25T12:00:00Z";

/// What the configuration of an installation lacks.
fn no_demo(text: &str) -> String {
    text.replace("demo = true", "demo = false").replace("officer_key = ", "# officer_key = ")
}

fn key_file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}-signs.pem"))
}

fn write_key(dir: &Path, name: &str) -> KeyPair {
    let (pair, file) = (KeyPair::generate_for(&PKCS_ED25519).unwrap(), key_file(dir, name));
    std::fs::write(&file, pair.serialize_pem()).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    pair
}

/// Makes an installation of what would be a demo: officials, and policies that two of them signed.
fn install(config: &mut Config) {
    let dir = config.policies.parent().unwrap().to_owned();
    for agency in ["dpo", "operator", "kefalat"] {
        let keys = json!({ "keys": [ForeignKey::es256().jwk("request-1")] });
        std::fs::write(config.policies.join(format!("agencies/{agency}.request-jwks.json")), keys.to_string()).unwrap();
        edit_policy(&dir, agency, |text| text.lines().filter(|line| !line.starts_with("demo_optional")).collect::<Vec<_>>().join("\n"));
    }
    (config.demo, config.audit.officer_key) = (false, None);
    config.ledger.witness_key = Some(dir.join("witness.key"));
    let official = |name: &str| {
        let key = STANDARD.encode(write_key(&dir, name).subject_public_key_info());
        format!("[[official]]\nid = \"{name}\"\nrole = \"director\"\nkey = \"{key}\"\nfrom = \"2020-01-01\"\nto = \"2099-01-01\"\n")
    };
    let folder = AuthorityFolder::of(config);
    let text = format!("quorum = 2\n{}{}{}", official("one"), official("two"), listed_of_the_registry(&dir));
    std::fs::write(dir.join("officials.toml"), &text).unwrap();
    let officials = folder.init("officials.toml", &text).unwrap();
    let at = TODAY.parse().unwrap();
    let hash = PolicyStore::open(&config.policies).unwrap().current().version.to_string();
    let issuer = Some(config.issuer.clone());
    let proposal = Proposal { kind: Kind::Policies, issuer, hash, previous: None, officials: officials.hash.clone(), at };
    let mut approval = Approval { proposal, signatures: Vec::new() };
    for name in ["one", "two"] {
        approval.sign(&officials.file, &OfficialKey::read(&key_file(&dir, name)).unwrap(), at).unwrap();
    }
    folder.put_policies(&approval).unwrap();
}

/// Runs `estelam log …` in a folder; `~` stands for a blank in a word.
fn log(dir: &Path, line: &str) -> Output {
    let words = line.split(' ').map(|word| word.replace('~', " "));
    let mut command = Command::new(env!("CARGO_BIN_EXE_estelam"));
    command.arg("log").args(words).arg("--dir").arg(dir).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn signed(dir: &Path, verb: &str, by: &str) -> Output {
    log(dir, &format!("purge-order {verb} --key {}", key_file(dir, by).display()))
}

/// An installation a quarter of a year after somebody was asked about, and a checkpoint that its witness has just cosigned.
async fn due() -> (System, Uuid) {
    // The recorder of this process, before anything is counted.
    counters();
    let system = System::with(TODAY, "", install).await;
    let reply = system.ask("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await;
    let id = Uuid::parse_str(reply.json["answer_id"].as_str().unwrap()).unwrap();
    let listen = &system.config.listen;
    let text = no_demo(&template(listen.gateway, listen.public, listen.ops, 1, 1));
    let witnessed_by = "floor_mib = 64\nwitness_key = \"witness.key\"";
    std::fs::write(system.dir.path().join("estelam.toml"), text.replace("floor_mib = 64", witnessed_by)).unwrap();
    system.set(LATER);
    let signer = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    let key = WitnessKey::new("witness.example", signer.public_key_bytes().try_into().unwrap()).unwrap();
    std::fs::write(system.dir.path().join("witness.key"), format!("{key}\n")).unwrap();
    let note = key.cosign(&system.running.parts().ledger.checkpoint(), &signer, system.clock.now()).unwrap();
    std::fs::write(system.dir.path().join("cosigned"), note).unwrap();
    (system, id)
}

/// The command's exit code and report. The gateway that it asks works on other threads than the test's.
fn purge(system: &System) -> (Option<i32>, Value) {
    let dir = system.dir.path();
    let output = log(dir, &format!("purge --json --witnessed {}", dir.join("cosigned").display()));
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output.status.code(), report)
}

async fn is_readable(system: &System, id: Uuid) -> bool {
    system.running.parts().ledger.proof(id).await.unwrap().unwrap().agency.is_some()
}

async fn status(system: &System) -> Value {
    let url = format!("http://{}/status", system.config.listen.ops);
    send(system.client("telecom").get(url)).await.json
}

/// What is due stays, and is told.
async fn stays(system: &System, id: Uuid, why: &str) {
    let (exit, report) = purge(system);
    assert_eq!((exit, &report["entry"], &report["keys"]), (Some(1), &Value::Null, &json!([])), "{why}");
    assert!(report["unordered"].as_array().unwrap().iter().any(|key| key["class"] == "detail" && key["day"] == "2026-11-23"), "{report}");
    assert!(is_readable(system, id).await, "{why}");
    assert!(acts(system, &kek(system)).iter().all(|act| act.code.as_deref() != Some("purge")), "{why}");
    assert!(status(system).await["deletion"]["not_ordered"]["entries"].as_u64().unwrap() > 0, "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_a_demo_two_officials_order_and_end_deletions_and_one_operator_neither() {
    let before = alarms(&["deletion-not-ordered"]);
    let (system, id) = due().await;
    let dir = system.dir.path();
    stays(&system, id, "no order").await;
    assert_eq!(alarms(&["deletion-not-ordered"]), before + 1);
    let by_name = log(dir, &format!("purge --day 2026-11-23 --class detail --witnessed {}", dir.join("cosigned").display()));
    assert!(by_name.status.code() == Some(1) && said(&by_name).contains("no order of two officials"), "{}", said(&by_name));
    assert!(is_readable(&system, id).await);
    let began = signed(dir, "add year --reason decision~4 --from 2027-02-01 --to 2028-01-31", "one");
    assert!(began.status.success(), "{}", said(&began));
    stays(&system, id, "one signature").await;
    assert_eq!(alarms(&["deletion-not-ordered"]), before + 1, "told once");
    let again = signed(dir, "approve year", "one");
    assert!(again.status.code() == Some(1) && said(&again).contains("another person must"), "{}", said(&again));
    assert!(signed(dir, "approve year", "two").status.success());
    let listed: Value = serde_json::from_slice(&log(dir, "purge-order list --json").stdout).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["begun_by"]), (&json!("year"), &json!(["one", "two"])));

    let (exit, report) = purge(&system);
    assert_eq!((exit, &report["unordered"], &report["keys"][0]["order"]), (Some(0), &Value::Null, &json!("year")), "{report}");
    assert!(!is_readable(&system, id).await);
    let (index, text): (u64, String) = open_offline(&system.config.ledger.dir)
        .unwrap()
        .query_row("SELECT idx, said FROM purge", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(report["entry"], index);
    let recorded = acts(&system, &kek(&system));
    let place = |code: &str| recorded.iter().position(|act| act.code.as_deref() == Some(code)).unwrap();
    let begun = details(&recorded[place("purge-order-begun")]);
    assert!(place("purge-order-begun") < place("purge"));
    assert_eq!(begun["signers"], json!(["one", "two"]));
    let statement: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(statement["orders"], json!([{"id": "year", "hash": begun["hash"]}]));
    let deletion = status(&system).await["deletion"].clone();
    assert_eq!((&deletion["ordered_until"]["detail"], &deletion["not_ordered"]), (&json!("2028-01-31"), &Value::Null));

    for (official, ended) in [("one", false), ("two", true)] {
        let output = signed(dir, "end year", official);
        assert!(output.status.success(), "{}", said(&output));
        purge(&system);
        assert_eq!(status(&system).await["deletion"]["ordered_until"]["detail"].is_null(), ended, "{official}");
    }
    assert!(acts(&system, &kek(&system)).iter().any(|act| act.code.as_deref() == Some("purge-order-ended")));
    still_verifies(&system);
    let unreadable = log(dir, &format!("verify --witness-key {}", dir.join("cosigned").display()));
    assert!(unreadable.status.code() == Some(1) && said(&unreadable).contains("cosigned"), "{}", said(&unreadable));
    system.stop_registry().await;
    system.running.stop().await;
}

fn still_verifies(system: &System) {
    let keys = estelam::adapters::keys::KeyRing::open_at(&key_place(&system.config)).unwrap();
    let ledger = ledger_config(&system.config, &keys).unwrap();
    let dir = system.dir.path();
    let witness = WitnessKey::parse(&std::fs::read_to_string(dir.join("witness.key")).unwrap()).unwrap();
    let book = OrderBook::open(&system.config, &[dir.join("officials.toml")]).unwrap().unwrap();
    let options = VerifyOptions {
        checkpoint_keys: ledger.checkpoint_keys().unwrap(),
        content_kek: Some(ledger.content_kek),
        dir: ledger.dir,
        seen_checkpoint: None,
        purges: PurgeGrounds { witnesses: vec![witness], orders: Some(Arc::new(book)) },
        now: "2030-01-01T00:00:00Z".parse().unwrap(),
    };
    let report = verify_all(&origins_of(&system.config).unwrap(), &options, &mut |_, _| ()).unwrap().present;
    assert!(report.contents_deleted > 0 && report.purges > 0);
    assert_eq!((report.purges_witnessed, report.purges_ordered), (report.purges, report.purges));
}

#[test]
fn no_number_of_a_person_gets_into_the_name_or_the_reason_of_what_people_sign() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, any) = (folder.path(), "127.0.0.1:1".parse().unwrap());
    std::fs::write(dir.join("estelam.toml"), template(any, any, any, 1, 1)).unwrap();
    policy_files::install(&dir.join("policies")).unwrap();
    write_key(dir, "one");
    let key = key_file(dir, "one").display().to_string();
    // What is over is not begun, and the tool goes by the machine's clock.
    let today = day_of(SystemClock.now());
    let to = today.checked_add(30.days()).unwrap();
    for (verb, reason, rest) in [
        ("hold", "reason", format!("--from {today} --to {to} --until {to}")),
        ("defer", "by", format!("--from {today} --to {to} --until {to}")),
        ("purge-order", "reason", format!("--from {today} --to {to} --class minor --class detail")),
    ] {
        assert!(log(dir, &format!("{verb} enrol one --key {key}")).status.success());
        let add = |id: &str, why: &str| log(dir, &format!("{verb} add {id} --{reason} {why} {rest} --key {key}"));
        for (id, why) in
            [("9990000018", "order~1"), ("A170000001", "order~1"), ("court-1", "of~999~000~0018"), ("court-1", "of~A170000001")]
        {
            let refused = add(id, why);
            assert!(
                refused.status.code() == Some(2) && said(&refused).contains("a person's number"),
                "{verb} {id} {why}: {}",
                said(&refused)
            );
            assert!(!said(&refused).contains("0001"), "it is not repeated");
        }
        let listed = || -> Value { serde_json::from_slice(&log(dir, &format!("{verb} list --json")).stdout).unwrap() };
        assert_eq!(listed(), json!([]), "nothing was kept");
        let good = add("court-1", "order~1");
        assert!(good.status.success(), "{verb}: {}", said(&good));
        let found = &listed()[0];
        assert_eq!((&found["id"], &found["reason"], &found["from"]), (&json!("court-1"), &json!("order 1"), &json!(today)));
        assert_eq!((&found["begun_by"], &found["ended_by"]), (&json!(["one"]), &json!([])));
        assert!(["pending", "over"].contains(&found["standing"].as_str().unwrap()), "{found}");
    }
}
