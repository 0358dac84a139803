//! The policy tools as an official runs them: the real binary beside a running system.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use estelam::config::template;
use serde_json::Value;

use super::fixtures::query;
use super::harness::System;

const NUMBER: &str = "A170000001";

/// Runs a verb of `estelam policy`.
pub fn estelam(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_estelam"));
    let mut child =
        command.arg("policy").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a verb that succeeded printed.
pub fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Writes the configuration that the harness holds in memory.
pub fn configured(system: &System) -> String {
    let listen = &system.config.listen;
    let registry = system.registry_address().rsplit(':').next().unwrap().parse().unwrap();
    let text = template(listen.gateway, listen.public, listen.ops, registry, 1);
    std::fs::write(system.dir.path().join("estelam.toml"), text).unwrap();
    system.dir.path().to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_is_in_force_when_the_command_says_so() {
    let system = System::at(&super::agency_life::today(), "").await;
    let dir = configured(&system);
    let question = query("bank", "amayesh-no", NUMBER, "bank-card");
    assert_eq!(system.ask("bank", &question).await.status, 200);
    for (verb, says, status) in [("suspend", "bank is suspended\n", 403), ("resume", "bank may ask again\n", 200)] {
        let output = Command::new(env!("CARGO_BIN_EXE_estelam")).args(["agency", verb, "bank", "--dir", &dir]).output().unwrap();
        assert_eq!(text(&output.stdout), says, "{}", text(&output.stderr));
        // Without a pause: whoever reads the line may rely on it. Tokens from before a suspension stay dead.
        if verb == "resume" {
            assert_eq!(system.ask("bank", &question).await.code(), "token-invalid");
            // The command's clock is the machine's, which went on while the harness's stood still.
            system.set(&super::agency_life::today());
            system.advance(2);
            system.forget_tokens();
        }
        assert_eq!(system.ask("bank", &question).await.status, status);
    }
    system.running.stop().await;
    let output = Command::new(env!("CARGO_BIN_EXE_estelam")).args(["agency", "suspend", "bank", "--dir", &dir]).output().unwrap();
    assert_eq!(text(&output.stdout), "bank is suspended (no service runs here now; it counts from its start)\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_signs_when_the_command_says_so_and_a_gateway_that_does_not_take_it_up_is_told_of() {
    let system = System::at(&super::agency_life::today(), "").await;
    let dir = configured(&system);
    let keys = |words: &[&str]| Command::new(env!("CARGO_BIN_EXE_estelam")).arg("keys").args(words).args(["--dir", &dir]).output().unwrap();
    let signing =
        |system: &System| estelam::core::signing::Signer::key_id(&**system.running.parts().keys.current().statements()).to_owned();
    let before = signing(&system);
    let output = keys(&["rotate", "statements", "--now"]);
    assert!(output.status.success() && text(&output.stdout).contains("signs statements from now on"), "{}", text(&output.stderr));
    assert_ne!(signing(&system), before, "without a pause: whoever reads the line may rely on it");
    // The gateway opens no change without its content key; the command can make one.
    let content = system.config.keys.join("content.key");
    std::fs::rename(&content, system.dir.path().join("aside")).unwrap();
    let output = keys(&["standby", "tokens"]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{said}");
    assert!(said.contains("the running service does not take it up"), "{said}");
    std::fs::rename(system.dir.path().join("aside"), &content).unwrap();
    system.stop().await;
}

#[test]
fn check_names_every_fault_and_a_missing_folder_once() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("policies");
    estelam::adapters::policy_files::install(&folder).unwrap();
    let bank = folder.join("agencies/bank.toml");
    let broken = std::fs::read_to_string(&bank).unwrap().replace("\"bank-card\"]", "\"bank-kard\"]").replace("\"1 minute\"", "\"soon\"");
    std::fs::write(&bank, broken).unwrap();
    let arguments = ["check", "--policies", folder.to_str().unwrap()];
    let output = estelam(&arguments, "");
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 3), "{said}");
    assert!(
        said.contains("agencies/bank.toml:23: `soon` is no length of time")
            && said.ends_with(&format!("2 faults in `{}`\n", folder.display()))
    );
    let listed: Value = serde_json::from_slice(&estelam(&[&arguments[..], &["--json"]].concat(), "").stdout).unwrap();
    assert_eq!((&listed["ok"], listed["faults"].as_array().unwrap().len()), (&Value::Bool(false), 2));
    let missing = estelam(&["check", "--dir", home.path().join("nowhere").to_str().unwrap()], "");
    let said = text(&missing.stderr);
    let once = (said.matches("nowhere").count(), said.matches("--dir").count());
    assert_eq!((missing.status.code(), once), (Some(1), (1, 1)), "one path and one option: {said}");
}

/// What a demo may leave open keeps a gateway from starting, so that it is a fault of the installation that is checked.
#[test]
fn check_of_an_installation_refuses_what_its_gateway_refuses() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("policies");
    estelam::adapters::policy_files::install(&folder).unwrap();
    let (dir, file) = (home.path().to_str().unwrap(), home.path().join("estelam.toml"));
    let address = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let demo = template(address(8443), address(8444), address(8445), 8446, 1);
    let lines = demo.lines().filter(|line| !line.starts_with("demo = true") && !line.starts_with("officer_key"));
    let installation = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(&file, &installation).unwrap();
    for arguments in [["check", "--dir", dir], ["check", "--config", file.to_str().unwrap()]] {
        let output = estelam(&arguments, "");
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{arguments:?}: {said}");
        assert!(said.contains("agencies/dpo.toml:14: the scope `log:person` is used by signed requests alone"), "{said}");
    }
    // The folder by itself may become a demo's, and a demo's is in order.
    assert!(estelam(&["check", "--policies", folder.to_str().unwrap()], "").status.success());
    std::fs::write(&file, demo).unwrap();
    let output = estelam(&["check", "--dir", dir], "");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_case_is_run_and_explained_in_both_languages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let folder = folder.to_str().unwrap();
    let tested = json(&estelam(&["test", "--policies", folder, "--json"], ""));
    assert!(tested["answers"].as_u64().unwrap() > 50, "{tested}");
    let told = estelam(&["explain", "--policies", folder, "--case", "F1 as known"], "");
    let told = text(&told.stdout);
    assert!(told.contains("هنوز دانسته نبود") && told.contains("not yet known; known from 1402/04/07"), "{told}");
    // Each language in its own words and digits.
    assert!(told.contains("کارت آمایش ۱۷ · فعال · تا ۱۴۰۲/۰۳/۳۱") && told.contains("amayesh 17 · active · to 1402/03/31"), "{told}");
    assert!(told.contains("تمدید اعتبار · از ۱۴۰۲/۰۴/۰۱") && told.contains("extend · from 1402/04/01"), "{told}");
    let later = estelam(&["explain", "--policies", folder, "--case", "F1 as known", "--known-at", "1402/04/07", "--json"], "");
    assert_eq!(json(&later)["reason"], "valid-by-decree");
    assert_eq!(estelam(&["explain", "--policies", folder], "").status.code(), Some(2), "nothing named is a slip of the command line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_identifiers_are_explained_without_a_number_and_a_draft_is_previewed() {
    let system = System::today().await;
    let dir = configured(&system);
    let reply = system.ask("bank", &query("bank", "amayesh-no", NUMBER, "bank-card")).await;
    assert_eq!(reply.outcome(), "entitled valid-by-decree");
    let id = reply.json["answer_id"].as_str().unwrap();
    let explained = estelam(&["explain", "--dir", &dir, "--answer", id, "--json"], "");
    let answer = json(&explained);
    assert_eq!(
        (&answer["reason"], &answer["decree"], &answer["documents"][0]["carries"]),
        (&reply.json["reason"]["code"], &reply.json["document"]["decree"], &Value::Bool(true))
    );
    let of_number = estelam(
        &["explain", "--dir", &dir, "--scheme", "amayesh-no", "--service", "bank-card", "--at", "1402/04/03 10:00", "--json"],
        NUMBER,
    );
    assert_eq!(json(&of_number)["reason"], "lapsed-renewable");
    let wrong = estelam(&["explain", "--dir", &dir, "--scheme", "national-code", "--service", "bank-card"], "199900000001");
    for output in [&explained, &of_number, &wrong] {
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.contains(NUMBER) && !said.contains("199900000001") && !said.contains("1370"), "{said}");
    }
    // What a refusal rests on is a line of a file, whether it is on record or imagined.
    let refused = system.ask("school", &query("school", "yekta", "9990000018", "bank-account")).await;
    let why = json(&estelam(&["explain", "--dir", &dir, "--answer", refused.json["request_id"].as_str().unwrap(), "--json"], ""));
    assert_eq!(
        (&why["code"], &why["grounds"][1]["file"]),
        (&Value::from("service-not-allowed"), &Value::from("guardrails.cedar")),
        "{why}"
    );
    let imagined = ["explain", "--dir", &dir, "--scheme", "amayesh-no", "--service", "sim", "--agency", "bank", "--purpose", "claim"];
    let told = text(&estelam(&imagined, NUMBER).stdout);
    assert!(
        told.contains("agencies/bank.toml:") && told.contains("is not in the list") && told.contains("در فهرست این مجوز نیست"),
        "{told}"
    );
    let known = ["--at", "1402/04/03 10:00", "--known-at", "1402/04/07 10:00", "--json"];
    let then =
        json(&estelam(&[&["explain", "--dir", &dir, "--scheme", "amayesh-no", "--service", "bank-card"][..], &known].concat(), NUMBER));
    assert_eq!((&then["reason"], &then["decree"]), (&Value::from("valid-by-decree"), &Value::from("d1-1402-04-07")), "{then}");
    let day = ["replay", "--dir", &dir, "--from", "1405/09/02", "--to", "1405/09/02", "--json"];
    let recorded = json(&estelam(&day, ""));
    assert_eq!((&recorded["queries"], &recorded["same"]), (&Value::from(2), &Value::from(2)), "{recorded}");
    let draft = system.dir.path().join("draft");
    estelam::adapters::policy_files::install(&draft).unwrap();
    let services = std::fs::read_to_string(draft.join("services.toml")).unwrap().replace("min_age = 18", "min_age = 90");
    std::fs::write(draft.join("services.toml"), services).unwrap();
    let preview = json(&estelam(&[&day[..], &["--against", draft.to_str().unwrap()]].concat(), ""));
    assert_eq!(preview["different"][0]["new"]["reason"], "under-age", "{preview}");
    system.stop().await;
}
