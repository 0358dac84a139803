//! Kits and client verbs of installations that are not as the demo: a client that must assert, listeners of another authority, more than one
//! configuration.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use estelam::adapters::clock::SystemClock;
use estelam::adapters::pki::DevPki;
use estelam::core::domain::clock::Clock;
use serde_json::{Value, json};

use super::agency_life::{agency, ask, ask_with, done, request, san, text, today};
use super::harness::System;
use super::tools::configured;
use super::workshop::edit_policy;
use crate::foreign_keys::ForeignKey;

/// Runs a verb on a configuration or a folder.
fn estelam(arguments: &[&str], place: [&str; 2]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_estelam")).args(arguments).args(place).stdin(Stdio::null()).output().unwrap()
}

/// A query that needs nobody's number.
const PRIMARY_CARE: [&str; 7] = ["verify", "--as", "clinic", "--service", "health-primary", "--purpose", "treatment"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kit_of_an_agency_whose_client_must_assert_says_so_and_asserts() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let lab = tempfile::tempdir().unwrap();
    let key = ForeignKey::es256();
    std::fs::write(system.config.policies.join("agencies/bank.jwks.json"), json!({"keys": [key.jwk("a")]}).to_string()).unwrap();
    edit_policy(system.dir.path(), "bank", |text| format!("{text}\n[client_auth]\nmethods = [\"private_key_jwt\"]\n"));
    system.running.parts().policies.reload().unwrap();
    done(&agency(&dir, &["enrol", "bank", "--branch", "north", "--csr", &request(lab.path(), "north", &[&san("bank/branch/north")])]));
    let kit = system.config.enrolment.join("bank/branch-north/kit");
    let settings: Value = serde_json::from_slice(&std::fs::read(kit.join("oauth.json")).unwrap()).unwrap();
    let method = (&settings["token_endpoint_auth_method"], &settings["token_endpoint_auth_signing_alg"]);
    assert_eq!(method, (&json!("private_key_jwt"), &json!("ES256")));
    let script = std::fs::read_to_string(kit.join("assertion.py")).unwrap();
    let named = [r#""iss": "bank", "sub": "bank""#, &format!(r#""aud": "{}""#, system.config.issuer), r#""alg": "ES256""#, r#""kid": "a""#];
    assert!(named.iter().all(|named| script.contains(named)), "{script}");

    // The script's library is not everywhere; whatever stands in its place gives the assertion that it would.
    let now = SystemClock.now().as_second();
    let claims = json!({"iss": "bank", "sub": "bank", "aud": system.config.issuer, "iat": now, "exp": now + 60, "jti": "one"});
    let assertion = key.signed(&json!({"alg": "ES256", "kid": "a", "typ": "client-authentication+jwt"}), &claims);
    let python = lab.path().join("python3");
    std::fs::write(&python, format!("#!/bin/sh\n[ \"$*\" = assertion.py ] && echo {assertion}\n")).unwrap();
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", lab.path().display(), std::env::var("PATH").unwrap());
    let ask = || {
        ask_with(&kit, &lab.path().join("north.key.pem"), |command| {
            command.env("PATH", &path);
        })
    };
    let answered = ask();
    let answer: Value = serde_json::from_slice(&answered.stdout).unwrap_or_else(|_| panic!("{}", text(&answered.stderr)));
    assert_eq!(answer["decision"], "entitled", "{answer}");
    // The same assertion counts once: it was the assertion that got the token.
    let again = ask();
    assert!(!again.status.success() && text(&again.stderr).contains("invalid_client"), "{}", text(&again.stderr));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_of_another_authority_are_known_to_kits_and_client_verbs() {
    let other = tempfile::tempdir().unwrap();
    let pki = DevPki::create_or_open(other.path(), Arc::new(SystemClock)).unwrap();
    let credential = pki.issue_server("gateway").unwrap();
    let system =
        System::with(&today(), "", |config| (config.tls.certificate, config.tls.key) = (credential.cert.clone(), credential.key.clone()))
            .await;
    let dir = configured(&system);
    let unknown = estelam(&PRIMARY_CARE, ["--dir", &dir]);
    let said = text(&unknown.stderr);
    assert!(said.contains(&format!("what answers at {}", system.config.issuer)) && said.contains("ca.pem` does not vouch"), "{said}");
    assert!(!said.contains("does not answer") && !said.contains("is it running"), "{said}");
    let file = system.dir.path().join("estelam.toml");
    let named = format!("server_ca = \"{}\"", pki.ca().display());
    let configuration = std::fs::read_to_string(&file).unwrap().replacen("# server_ca = \"pki/server-ca.pem\"", &named, 1);
    std::fs::write(&file, configuration).unwrap();
    assert!(done(&estelam(&PRIMARY_CARE, ["--dir", &dir])).contains("no document required"));
    done(&estelam(&["log", "summary"], ["--dir", &dir]));
    let lab = tempfile::tempdir().unwrap();
    done(&agency(&dir, &["enrol", "bank", "--branch", "north", "--csr", &request(lab.path(), "north", &[&san("bank/branch/north")])]));
    let kit = system.config.enrolment.join("bank/branch-north/kit");
    assert_eq!(std::fs::read(kit.join("ca.pem")).unwrap(), std::fs::read(pki.ca()).unwrap());
    assert_eq!(ask(&kit, &lab.path().join("north.key.pem"))["decision"], "entitled");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_that_is_named_is_the_gateway_that_is_asked() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    let [usual, north] = ["estelam.toml", "north.toml"].map(|name| system.dir.path().join(name));
    let north = north.to_str().unwrap();
    let good = std::fs::read_to_string(&usual).unwrap();
    std::fs::write(north, &good).unwrap();
    // Beside it lies the configuration of another gateway, which is not running.
    std::fs::write(&usual, good.replacen(&system.config.issuer, "https://localhost:1", 1)).unwrap();
    let verbs: [&[&str]; 4] =
        [&PRIMARY_CARE, &["token", "--as", "clinic"], &["log", "summary"], &["log", "query", "--as", "security-auditor"]];
    for verb in verbs {
        done(&estelam(verb, ["--config", north]));
        assert!(text(&estelam(verb, ["--dir", &dir]).stderr).contains("https://localhost:1 does not answer"), "{verb:?}");
    }
    // And with none beside it.
    std::fs::remove_file(&usual).unwrap();
    done(&estelam(&PRIMARY_CARE, ["--config", north]));
    system.stop().await;
}
