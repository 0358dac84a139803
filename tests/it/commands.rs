//! The command line by itself: a mistyped folder is said and nothing is made of it, and a reader may leave.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn estelam(arguments: &[&str], within: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_estelam")).args(arguments).current_dir(within).stdin(Stdio::null()).output().unwrap()
}

/// One clear line on standard error, and exit code 1.
fn check_refused(arguments: &[&str], within: &Path) {
    let output = estelam(arguments, within);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{arguments:?}: {said}");
    assert!(said.starts_with("estelam: ") && said.contains("typo"), "{arguments:?} does not say where: {said}");
    assert!(["--dir", "--config"].iter().any(|option| said.contains(option)), "{arguments:?} does not say what to do: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
}

#[test]
fn mistyped_folder_is_refused_by_every_verb_and_stays_absent() {
    let home = tempfile::tempdir().unwrap();
    let decrees = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/decrees.toml");
    for verb in [
        &["registry", "serve", "--port", "0"][..],
        &["registry", "lookup", "yekta", "9990000018"],
        &["registry", "merge", "a", "b", "--because", "c"],
        &["registry", "split", "a", "--because", "c"],
        &["registry", "records", "a"],
        &["registry", "decree", "list"],
        &["registry", "decree", "add", decrees, "--key", "nokey"],
        &["registry", "honeypot", "mint", "--count", "1"],
        &["log", "verify"],
        &["policy", "check"],
        &["policy", "test"],
        &["policy", "replay", "--from", "1405/01/01", "--to", "1405/01/02"],
        &["agency", "list"],
        &["agency", "suspend", "bank"],
        &["verify", "--service", "sim", "--purpose", "sim-registration"],
        &["token"],
        &["serve"],
    ] {
        check_refused(&[verb, &["--dir", "typo"]].concat(), home.path());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "{verb:?} left something behind");
    }
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fixtures.ndjson");
    check_refused(&["registry", "import", sample, "--dir", "typo/new"], home.path());
    check_refused(&["registry", "generate", "--people", "5", "--dir", "typo/new"], home.path());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    check_refused(&["log", "verify", "--config", "typo/estelam.toml"], home.path());
    check_refused(&["agency", "list", "--config", "typo/estelam.toml"], home.path());
    check_refused(&["token", "--config", "typo/estelam.toml"], home.path());
}

#[test]
fn a_registry_begins_with_an_import_and_says_where_there_was_no_folder() {
    let home = tempfile::tempdir().unwrap();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fixtures.ndjson");
    std::fs::create_dir(home.path().join("new")).unwrap();
    let imported = estelam(&["registry", "import", sample, "--dir", "new", "--json"], home.path());
    assert!(imported.status.success(), "{imported:?}");
    let found = estelam(&["registry", "lookup", "amayesh-no", "A170000001", "--dir", "new", "--json"], home.path());
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["persons"].as_array().unwrap().len(), 1, "{found}");
    assert!(!String::from_utf8(imported.stderr).unwrap().contains("no folder"));
    let generated = estelam(&["registry", "generate", "--people", "3", "--dir", "other"], home.path());
    assert!(generated.status.success() && String::from_utf8(generated.stderr).unwrap().contains("there was no folder `other`"));
}

#[test]
fn a_reader_that_leaves_ends_the_verb_without_a_word() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_estelam"))
        .arg("openapi")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), &b""[..]), "as a shell reports it");
}
