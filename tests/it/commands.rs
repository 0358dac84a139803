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
        &["registry", "official", "list"],
        &["registry", "event-key"],
        &["policy", "new"],
        &["log", "verify"],
        &["policy", "check"],
        &["policy", "test"],
        &["policy", "replay", "--from", "1405/01/01", "--to", "1405/01/02"],
        &["agency", "list"],
        &["agency", "suspend", "bank"],
        &["verify", "--service", "sim", "--purpose", "sim-registration"],
        &["token"],
        &["serve"],
        &["log", "query", "--as", "security-auditor"],
        &["log", "summary"],
        &["log", "sample", "list"],
        &["log", "export"],
        &["log", "prove", "0190f0aa-0000-7000-8000-000000000000"],
        &["log", "person", "--as", "dpo", "--case", "c", "--scheme", "yekta", "--value", "9990000018"],
        &["log", "holder", "--as", "kefalat", "--actor", "a", "--scheme", "yekta"],
        &["officials", "list"],
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
    for verb in [
        &["token"][..],
        &["verify", "--service", "sim", "--purpose", "sim-registration"],
        &["log", "query", "--as", "security-auditor"],
        &["log", "summary"],
        &["log", "sample", "list"],
        &["log", "export"],
        &["log", "prove", "0190f0aa-0000-7000-8000-000000000000"],
        &["log", "person", "--as", "dpo", "--case", "c", "--scheme", "yekta", "--value", "9990000018"],
        &["log", "holder", "--as", "kefalat", "--actor", "a", "--scheme", "yekta"],
        &["openapi"],
    ] {
        check_refused(&[verb, &["--config", "typo/estelam.toml"]].concat(), home.path());
    }
    // Good policies beside it are not taken for those of a configuration that is not there, or is broken.
    std::os::unix::fs::symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"), home.path().join("policies")).unwrap();
    for verb in ["check", "test", "watch-test"] {
        check_refused(&["policy", verb, "--config", "typo.toml"], home.path());
        std::fs::write(home.path().join("broken.toml"), "typo = 1\n").unwrap();
        let broken = estelam(&["policy", verb, "--config", "broken.toml"], home.path());
        assert_eq!(broken.status.code(), Some(1), "{broken:?}");
        assert!(broken.stdout.is_empty() && String::from_utf8(broken.stderr).unwrap().contains("the configuration is not usable"));
    }
}

/// Under another trust domain than its gateways' a registry would refuse them all, and say so nowhere but there.
#[test]
fn a_registry_serves_the_trust_domain_of_its_configuration_or_the_one_that_is_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("pki")).unwrap();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fixtures.ndjson");
    assert!(estelam(&["registry", "import", sample, "--dir", "."], home.path()).status.success());
    let serve = |more: &[&str]| {
        let output = estelam(&[&["registry", "serve", "--port", "0", "--dir", "."][..], more].concat(), home.path());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = serve(&[]);
    assert!(code == Some(2) && said.contains("name it with `--trust-domain`"), "{said}");
    let names = ["--trust-domain", "gov.example", "--gateway", "gate.gov.example", "--registry", "registry.gov.example"];
    let printed = estelam(&[&["config", "new"][..], &names].concat(), home.path());
    std::fs::write(home.path().join("estelam.toml"), printed.stdout).unwrap();
    let (code, said) = serve(&["--trust-domain", "other.example"]);
    assert!(code == Some(2) && said.contains("`gov.example`"), "{said}");
    for more in [&[][..], &["--trust-domain", "gov.example"]] {
        let (code, said) = serve(more);
        assert!(code == Some(1) && said.contains("the registry does not start"), "only its certificates are missing: {said}");
    }
    let (code, said) = serve(&["--trust-domain", "Not/a-domain"]);
    assert!(code == Some(2) && said.contains("write the trust domain alone"), "{said}");
}

#[test]
fn a_registry_that_is_gone_is_not_served_empty() {
    let home = tempfile::tempdir().unwrap();
    let registry = home.path().join("registry");
    std::fs::create_dir(home.path().join("pki")).unwrap();
    let serve = ["registry", "serve", "--port", "0", "--dir", ".", "--trust-domain", "gov.example"];
    for there in [false, true] {
        if there {
            std::fs::create_dir(&registry).unwrap();
        }
        let output = estelam(&serve, home.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("there is no registry in"), "{said}");
        assert!(said.contains("`estelam registry import`"), "{said}");
        assert!(if there { std::fs::read_dir(&registry).unwrap().count() == 0 } else { !registry.exists() }, "nothing was made");
    }
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

/// A registry in which nobody is found would answer for a file that was refused: none is begun, and nothing is left but the rejects.
#[test]
fn a_first_import_that_gives_nobody_begins_no_registry() {
    let header = "person,scheme,value,kind,series,issued,expires,calendar,state,birth,birth_calendar,nationality,province,legal_status,name,\
                  father_name,household,household_role\n";
    let row = |value: &str| format!("P-1,yekta,{value},smart-card{}\n", ",".repeat(14));
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(home.path().join(name), text).unwrap();
    write("refused.csv", header.to_owned() + &row("12") + &row("13"));
    write("empty.csv", header.to_owned());
    write("columns.csv", "person,phone\n".to_owned());
    write("good.csv", header.to_owned() + &row("9286889798"));
    std::fs::create_dir(home.path().join("there")).unwrap();
    let import = |file: &str, dir: &str| {
        let output = estelam(&["registry", "import", file, "--dir", dir, "--json"], home.path());
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for dir in ["new", "there"] {
        for (file, ends_with, says) in [
            ("refused.csv", 0, "no row of `refused.csv` was accepted, `refused.csv.rejects.csv` says why; there is still no registry in"),
            ("empty.csv", 0, "`empty.csv` has no row; there is still no registry in"),
            ("columns.csv", 1, "nothing of `columns.csv` was imported: line 1"),
            ("absent.csv", 1, "nothing of `absent.csv` was imported: cannot read"),
        ] {
            let (code, counts, said) = import(file, dir);
            assert!(code == Some(ends_with) && said.lines().count() == 1 && said.contains(says), "{file}: {code:?} {said}");
            assert_eq!(counts.contains("\"persons\":0"), ends_with == 0, "{file}: {counts}");
            assert_eq!(counts.contains("\"rejected\":{\"bad-value\":2}"), file == "refused.csv", "{counts}");
            let left = std::fs::read_dir(home.path().join(dir)).map(Iterator::count);
            assert_eq!(left.ok(), (dir == "there").then_some(0), "{file} left something behind");
        }
        let looked_up = estelam(&["registry", "lookup", "yekta", "9286889798", "--dir", dir], home.path());
        assert_eq!(looked_up.status.code(), Some(1), "there is nothing to look into");
    }
    let rejects = std::fs::read_to_string(home.path().join("refused.csv.rejects.csv")).unwrap();
    assert_eq!(rejects.matches(",bad-value,value,").count(), 2, "{rejects}");
    // Where there is a registry, a file without an accepted row is one with rejects (contract §5.1): it changes nothing and says so.
    assert_eq!(import("good.csv", "new").0, Some(0));
    let (code, counts, said) = import("refused.csv", "new");
    assert!(code == Some(0) && counts.contains("\"persons\":0") && said.contains("the registry is as it was"), "{code:?} {said}");
    let looked_up = estelam(&["registry", "lookup", "yekta", "9286889798", "--dir", "new", "--json"], home.path());
    assert!(String::from_utf8(looked_up.stdout).unwrap().contains("\"person\":\"P-1\""));
}

/// Rejected rows must be seen by somebody; where they cannot be written beside the file, another place may be named.
#[test]
fn rejects_go_to_the_place_that_is_named_and_nothing_is_imported_without_one() {
    let home = tempfile::tempdir().unwrap();
    // Its name leaves no room for a longer one beside it, as a folder that nobody may write into leaves none.
    let file = format!("{}.ndjson", "a".repeat(240));
    let person = r#"{"person":"P-1","documents":[{"scheme":"yekta","value":"9286889798","kind":"smart-card"},{"scheme":"yekta","value":"12","kind":"smart-card"}]}"#;
    std::fs::write(home.path().join(&file), person).unwrap();
    let import = |more: &[&str]| {
        let output = estelam(&[&["registry", "import", &file, "--dir", "new"][..], more].concat(), home.path());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (more, says) in [
        (&[][..], "name a place that can be written with `--rejects FILE`"),
        (&["--rejects", "nowhere/rejects.csv"][..], "cannot write the rejects file `nowhere/rejects.csv`"),
        (&["--rejects", &format!("./{file}")][..], "`--rejects` names the file that is to be imported"),
    ] {
        let (code, said) = import(more);
        assert!(code == Some(1) && said.lines().count() == 1 && said.contains(says), "{more:?}: {code:?} {said}");
        assert!(!home.path().join("new").exists(), "{more:?} began a registry");
    }
    assert_eq!(std::fs::read_to_string(home.path().join(&file)).unwrap(), person, "the file itself is as it was");
    let (code, said) = import(&["--rejects", "rejects.csv"]);
    assert_eq!(code, Some(0), "{said}");
    let rejects = std::fs::read_to_string(home.path().join("rejects.csv")).unwrap();
    assert!(rejects.starts_with("line,reason,column,") && rejects.matches(",bad-value,value,").count() == 1, "{rejects}");
    let looked_up = estelam(&["registry", "lookup", "yekta", "9286889798", "--dir", "new", "--json"], home.path());
    assert!(String::from_utf8(looked_up.stdout).unwrap().contains("\"person\":\"P-1\""));
}

#[test]
fn help_of_import_names_the_rejects_file_that_is_written() {
    let home = tempfile::tempdir().unwrap();
    let header = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/registry-sample.csv")).unwrap();
    std::fs::write(home.path().join("x.csv"), format!("{}\nP-1\n", header.lines().next().unwrap())).unwrap();
    let help = estelam(&["registry", "import", "--help"], home.path());
    assert!(String::from_utf8(help.stdout).unwrap().contains("`x.csv.rejects.csv` for `x.csv`"));
    assert!(estelam(&["registry", "import", "x.csv", "--dir", "new"], home.path()).status.success());
    assert!(home.path().join("x.csv.rejects.csv").exists());
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
