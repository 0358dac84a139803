//! Auditors' verbs from a terminal: an export that is the one that was given out, and questions that are signed where they must be.

use std::process::{Command, Output, Stdio};

use estelam::adapters::keys::FileSigner;
use estelam::core::ledger::audit::LogAudit;
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
    let gap = system.running.parts().ledger.cover(vec![(last + 1, size)]).await.unwrap().pop().unwrap();
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
