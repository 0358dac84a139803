//! Auditors' verbs from a terminal: an export that is the one that was given out, and questions that are signed where they must be.

use std::process::{Command, Output, Stdio};

use estelam::adapters::keys::FileSigner;
use estelam::adapters::store::generate_officer_key;
use estelam::core::ledger::audit::{LogAudit, Stretch};
use estelam::core::signing::Algorithm;
use serde_json::{Value, json};

use super::agency_life::today;
use super::audit::some_traffic;
use super::harness::System;
use super::tools::configured;
use super::workshop::edit_policy;

fn estelam(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_estelam")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a verb said on standard error; empty when it went well.
fn fault(arguments: &[&str]) -> String {
    let output = estelam(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

fn base64(hash: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash)
}

/// The export without its last row, which hides in the gap to the end; counts and digest are made to fit.
async fn without_last_row(system: &System, text: &str) -> String {
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut end, _) = (lines.pop().unwrap(), lines.pop().unwrap());
    let (rows, last) = (lines.len() - 1, lines.last().unwrap()["index"].as_u64().unwrap());
    let size = lines[0]["manifest"]["tree_size"].as_u64().unwrap();
    lines[0]["manifest"]["count"] = json!(rows);
    let text = |name: &str| lines[0]["manifest"][name].as_str().unwrap().into();
    let stretch = Stretch { log: 0, origin: text("origin"), size, checkpoint: text("checkpoint") };
    let gap = system.running.parts().ledger.cover(stretch, last + 1, Vec::new(), true).await.unwrap().gaps.pop().unwrap().unwrap();
    end["end"]["gap"] = gap.iter().map(|hash| json!(base64(hash))).collect();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    end["end"]["sha256"] = json!(digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")));
    end["end"]["rows"] = json!(rows);
    format!("{text}{end}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_proved_to_be_the_one_that_was_given_out_and_a_row_hidden_in_a_gap_is_not() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    system.credential("security-auditor");
    some_traffic(&system).await;
    let file = system.dir.path().join("bank.ndjson");
    let path = file.to_str().unwrap();
    assert_eq!(fault(&["log", "export", "--agency", "bank", "--kind", "answer", "--out", path, "--dir", &dir]), "");
    assert_eq!(fault(&["log", "export", "--check", path, "--dir", &dir]), "");
    assert_eq!(fault(&["log", "export", "--check", path, "--prove", "--dir", &dir]), "");
    let whole = std::fs::read_to_string(&file).unwrap();
    assert_eq!(whole.lines().count(), 5);
    // The tree has no word for a row that is left out of a filter's rows; the statement of the last line has.
    std::fs::write(&file, without_last_row(&system, &whole).await).unwrap();
    assert_eq!(fault(&["log", "export", "--check", path, "--dir", &dir]), "");
    assert!(fault(&["log", "export", "--check", path, "--prove", "--dir", &dir]).contains("line is not what the gateway gave out"));
    // A second manifest does not replace the first, and counts must agree.
    let (first, rest) = whole.split_once('\n').unwrap();
    for (forged, says) in [
        (format!("{first}\n{first}\n{rest}"), "line 2: it has no proof"),
        (format!("{}\n{rest}", first.replace(r#""count":3"#, r#""count":4"#)), "count"),
        (rest.to_owned(), ""),
    ] {
        std::fs::write(&file, forged).unwrap();
        let said = fault(&["log", "export", "--check", path, "--dir", &dir]);
        assert!(said.contains("does not hold") && said.contains(says), "{said}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_of_an_auditor_who_must_sign_is_signed() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    system.credential("security-auditor");
    let pkcs8 = FileSigner::generate(Algorithm::Es256).unwrap();
    let signer = FileSigner::from_pkcs8(&pkcs8).unwrap();
    let keys = json!({ "keys": [signer.public_key().as_jwk()] });
    std::fs::write(system.config.policies.join("agencies/security-auditor.request-jwks.json"), keys.to_string()).unwrap();
    edit_policy(system.dir.path(), "security-auditor", |text| format!("{text}\n[request_signing]\nrequired = true\n"));
    system.running.parts().policies.reload().unwrap();
    some_traffic(&system).await;
    let out = system.dir.path().join("all.ndjson");
    let verbs: [&[&str]; 5] = [
        &["log", "query", "--as", "security-auditor", "--agency", "bank", "--from", "2026-01-01"],
        &["log", "summary", "--agency", "bank"],
        &["log", "sample", "draw", "--size", "1", "--agency", "bank"],
        &["log", "sample", "list"],
        &["log", "export", "--agency", "bank", "--out", out.to_str().unwrap()],
    ];
    for verb in verbs {
        system.set(&today());
        assert!(fault(&[verb, &["--dir", &dir]].concat()).contains("signature-required"), "{verb:?}");
    }
    let key = system.dir.path().join("pki/security-auditor/request-key.pem");
    crate::tls_support::write_private(&key, &pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8.to_vec())));
    for verb in verbs {
        // A signature is made by the clock of the machine.
        system.set(&today());
        assert_eq!(fault(&[verb, &["--dir", &dir]].concat()), "", "{verb:?}");
    }
    system.stop().await;
}

/// Around a change of the officer's key each epoch is sealed to one of two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_around_a_change_of_the_officers_key_opens_what_each_key_opens_and_names_the_rest() {
    let system = System::at(&today(), "").await;
    super::audit_person::open_case_until(&system, "case-1", "2999-01-01");
    some_traffic(&system).await;
    let dpo = system.dir.path().join("pki/dpo");
    let (public, private) = generate_officer_key().unwrap();
    std::fs::copy(dpo.join("trail.key"), dpo.join("former.key")).unwrap();
    std::fs::write(dpo.join("trail.pub"), base64(&public)).unwrap();
    crate::tls_support::write_private(&dpo.join("next.key"), &base64(&private));
    let system = system.restarted_with(|config| config.audit.officer_key = None).await;
    some_traffic(&system).await;
    let system = system.restarted_with(|config| config.audit.officer_key = None).await;
    let dir = configured(&system);
    system.credential("dpo");
    let key = |name: &str| dpo.join(name).to_str().unwrap().to_owned();
    let (former, next) = (key("former.key"), key("next.key"));
    let asked = ["log", "person", "--case", "case-1", "--scheme", "amayesh-no", "--value", "A170000001", "--json", "--dir", &dir];
    let found = |more: &[&str]| {
        system.set(&today());
        let output = estelam(&[&asked, more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let verified = answer["entries"].as_array().unwrap().iter().filter(|entry| entry["route"] == "verify").count();
        (verified, answer["epochs_unopened"].as_array().unwrap().len(), answer["complete"].as_bool().unwrap())
    };
    let online = ["--as", "dpo"];
    assert_eq!(found(&[&online[..], &["--officer-key", &next]].concat()), (4, 1, false));
    assert_eq!(found(&[&online[..], &["--officer-key", &former, "--officer-key", &next]].concat()), (8, 0, true));
    // A key that opens nothing asks nothing.
    let (_, strange) = generate_officer_key().unwrap();
    crate::tls_support::write_private(&dpo.join("strange.key"), &base64(&strange));
    let before = system.entries();
    let refused = estelam(&[&asked[..], &online, &["--officer-key", &key("strange.key")]].concat());
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("nothing was asked"));
    assert!(system.entries() <= before + 3, "a token and the list of epochs alone");
    // On the folder itself: only the registry knows whose the number is.
    system.running.parts().ledger.settled().await.unwrap();
    let offline = estelam(&[&asked[..9], &["--dir", &dir, "--officer-key", &former]].concat());
    let said = String::from_utf8(offline.stdout).unwrap();
    let answer: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!((&answer["persons"], &answer["complete"]), (&Value::Null, &json!(false)), "{answer}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_mistypes_is_told_what_is_wanted_and_nothing_begins() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let open = ["log", "case", "open", "case-9", "--reason", "complaint 9", "--until"];
    for (verb, code, says) in [
        (&[&open[..], &["2020-01-01"]].concat()[..], 2, &["2020-01-01, is over", "`--until`"][..]),
        (&[&open[..], &["1405/10/01"]].concat(), 2, &["write a day", "`2026-12-31`"]),
        (&["log", "purge", "--class", "minor", "--day", "x"], 2, &["`2026-12-31`"]),
        (&["registry", "lookup", "yekta", "9286889798", "--known-at", "x"], 2, &["RFC 3339", "`2026-12-31T10:30:00Z`"]),
        (&["registry", "serve", "--push", "localhost:18543", "--port", "0"], 2, &["`https://gate.gov.example:8443`"]),
        (&["log", "query", "--kind", "foo"], 2, &["`kind` is none of `answer`, `refusal`"]),
        (&["log", "query", "--decision", "maybe"], 2, &["`decision` is none of `entitled`, "]),
        (&["log", "query", "--as", "nobody"], 2, &["`pki/nobody/cert.pem`", "`--dir KIT`"]),
    ] {
        let output = estelam(&[verb, &["--dir", &dir]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{verb:?}: {said}");
        assert!(says.iter().all(|says| said.contains(says)), "{verb:?}: {said}");
    }
    let listed = estelam(&["log", "case", "list", "--json", "--dir", &dir]);
    assert!(!String::from_utf8(listed.stdout).unwrap().contains("case-9"));
    let today = estelam::core::ledger::retention::day_of(today().parse().unwrap()).to_string();
    assert_eq!(fault(&[&open[..], &[&today, "--dir", &dir]].concat()), "", "its last day is not over yet");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_asks_whether_the_log_holds_reads_what_does_not() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let good = estelam(&["log", "verify", "--json", "--dir", &dir]);
    let report: Value = serde_json::from_slice(&good.stdout).unwrap();
    assert!(good.status.success() && report.get("fault").is_none(), "{report}");
    let kept = system.dir.path().join("kept.checkpoint");
    std::fs::write(&kept, "no checkpoint\n").unwrap();
    let output = estelam(&["log", "verify", "--json", "--dir", &dir, "--checkpoint", kept.to_str().unwrap()]);
    let (report, said) = (serde_json::from_slice::<Value>(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said, format!("estelam: the log does not hold: {}\n", report["fault"].as_str().unwrap()));
    system.stop().await;
}
