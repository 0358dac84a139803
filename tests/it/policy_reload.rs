//! The policy folder on disk: written out once, and reloaded all or nothing.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use estelam::adapters::policy_files::{PolicyStore, install, read, set_suspended};
use estelam::core::domain::agency::AgencyId;

use crate::policy_support::{files, lines};

fn installed() -> (tempfile::TempDir, std::path::PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("policies");
    assert!(install(&dir).unwrap());
    (home, dir)
}

fn edit(dir: &Path, path: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join(path)).unwrap();
    assert!(text.contains(from));
    fs::write(dir.join(path), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn shipped_folder_is_written_out_once() {
    let (_home, dir) = installed();
    assert_eq!(read(&dir).unwrap(), files());
    fs::remove_file(dir.join("agencies/telecom.toml")).unwrap();
    assert!(!install(&dir).unwrap(), "what an administrator removed stays removed");
    assert_eq!(read(&dir).unwrap().len(), files().len() - 1);
}

#[test]
fn editors_leftovers_are_passed_over_and_bad_bytes_are_not() {
    let (_home, dir) = installed();
    for name in [".bank.toml.swp", "bank.toml~", "4913", ".#bank.toml"] {
        fs::write(dir.join("agencies").join(name), b"\xff").unwrap();
    }
    assert_eq!(read(&dir).unwrap(), files());
    fs::write(dir.join("agencies/new.toml"), b"\xff").unwrap();
    assert_eq!(lines(&read(&dir).unwrap_err()), "agencies/new.toml:1: is not UTF-8 here; save the file as UTF-8");
}

#[test]
fn missing_folder_says_so() {
    let home = tempfile::tempdir().unwrap();
    let errors = PolicyStore::open(&home.path().join("none")).unwrap_err();
    assert!(lines(&errors).starts_with("*: the folder cannot be read: "), "{}", lines(&errors));
}

#[test]
fn a_version_whose_cases_cannot_be_read_does_not_take_effect() {
    let (_home, dir) = installed();
    let store = PolicyStore::open(&dir).unwrap();
    let before = store.current().version.clone();
    edit(&dir, "cases/answers.toml", "kind = \"amayesh\"", "kind = \"amaiesh\"");
    edit(&dir, "agencies/bank.toml", "\"5 minutes\"", "\"6 minutes\"");
    let refused = lines(&store.reload().unwrap_err());
    assert!(refused.starts_with("cases/answers.toml:") && refused.contains("use `smart-card`"), "{refused}");
    assert_eq!(store.current().version, before);
}

/// The gateway would go on with them, since it looks at its listener's trust domain alone, and not start again.
#[test]
fn agencies_of_another_trust_domain_are_not_taken_up_by_a_running_gateway() {
    let (_home, dir) = installed();
    let store = PolicyStore::open(&dir).unwrap();
    let before = store.current().version.clone();
    for file in fs::read_dir(dir.join("agencies")).unwrap().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap().replace("spiffe://estelam.test/", "spiffe://staging.example/");
        fs::write(file, text).unwrap();
    }
    let refused = lines(&store.reload().unwrap_err());
    assert!(refused.starts_with("agencies/bank.toml: `spiffe://staging.example/agency/bank` is of another trust domain"), "{refused}");
    assert_eq!((refused.lines().count(), store.current().version.clone()), (9, before));
}

#[test]
fn change_that_does_not_validate_is_refused_whole() {
    let (_home, dir) = installed();
    let store = PolicyStore::open(&dir).unwrap();
    let before = store.current();
    let (sender, changes) = channel();
    store.on_change(move |snapshot| sender.send(snapshot.version.to_string()).unwrap());

    // One good change and one bad change together: neither takes effect.
    edit(&dir, "agencies/school.toml", "id = \"school\"", "id = \"school\"\nsuspended = true");
    edit(&dir, "agencies/bank.toml", "\"try-later\"", "\"later\"");
    let errors = store.reload().unwrap_err();
    assert_eq!(lines(&errors), "agencies/bank.toml:18: no such outage rule `later`; write \"proceed\" or \"try-later\"");
    assert_eq!((&store.current().version, changes.try_recv().ok()), (&before.version, None));

    edit(&dir, "agencies/bank.toml", "\"later\"", "\"try-later\"");
    let after = store.reload().unwrap();
    assert_eq!(changes.try_recv().unwrap(), after.version.to_string());
    assert!(after.agencies.values().any(|policy| policy.id.as_str() == "school" && policy.suspended));
    assert!(before.agencies.values().all(|policy| !policy.suspended), "a call in flight keeps its snapshot");

    store.reload().unwrap();
    assert!(changes.try_recv().is_err(), "an unchanged folder changes nothing");
}

/// Policies of earlier builds have neither: they load, go on and are replayed, but nothing joins them, and whoever checks them is told.
#[test]
fn a_rule_says_where_it_comes_from_and_how_sure_that_is_or_does_not_join_those_in_force() {
    let (_home, dir) = installed();
    let source = |of: &str| {
        let text = fs::read_to_string(dir.join("permits.cedar")).unwrap();
        text.lines().skip_while(|line| !line.contains(of)).nth(1).unwrap().to_owned()
    };
    edit(&dir, "permits.cedar", &format!("{}\n", source("operators-register-sims")), "");
    let store = PolicyStore::open(&dir).unwrap();
    let line =
        |text: &str| 1 + fs::read_to_string(dir.join("permits.cedar")).unwrap().lines().position(|line| line.contains(text)).unwrap();
    let old =
        format!("permits.cedar:{}: the rule `operators-register-sims` does not say where it comes from", line("operators-register-sims"));
    let before = store.current();
    assert!(before.unfounded.values().map(ToString::to_string).eq([format!("{old}; add `@source(\"…\")` below its @id")]));
    // Other changes take effect beside it.
    edit(&dir, "agencies/bank.toml", "\"5 minutes\"", "\"6 minutes\"");
    let before = store.reload().unwrap().version.clone();
    let good = fs::read_to_string(dir.join("permits.cedar")).unwrap();
    // Another such rule does not, in whichever of the two it is wanting.
    for (from, to, says) in [
        ("@confidence(\"inf\")\npermit", "permit", "the rule `schools-enrol-pupils` does not say how sure it is"),
        ("@confidence(\"inf\")\npermit", "@confidence(\"sure\")\npermit", "one of `seed`, `pub`, `inf`"),
        (&*source("schools-enrol-pupils"), "@source(\" \")", "the rule `schools-enrol-pupils` does not say where it comes from"),
    ] {
        edit(&dir, "permits.cedar", from, to);
        let refused = lines(&store.reload().unwrap_err());
        let place = format!("permits.cedar:{}: ", line("schools-enrol-pupils"));
        assert!(refused.starts_with(&place) && refused.contains(says) && refused.lines().count() == 1, "{refused}");
        assert_eq!(store.current().version, before);
        fs::write(dir.join("permits.cedar"), &good).unwrap();
    }
    assert_eq!(store.reload().unwrap().version, before);
    let check =
        std::process::Command::new(env!("CARGO_BIN_EXE_estelam")).args(["policy", "check", "--policies"]).arg(&dir).output().unwrap();
    let said = String::from_utf8(check.stderr).unwrap();
    assert!(check.status.code() == Some(1) && said.contains(&old), "{said}");
}

#[test]
fn watched_folder_takes_effect_by_itself() {
    let (_home, dir) = installed();
    let store = PolicyStore::open(&dir).unwrap();
    let (sender, changes) = channel();
    store.on_change(move |snapshot| sender.send(snapshot.version.to_string()).unwrap());
    let watch = store.watch().unwrap();

    // As editors save: write beside, rename over.
    let text = fs::read_to_string(dir.join("agencies/school.toml")).unwrap();
    fs::write(dir.join("agencies/school.toml~"), format!("{text}\n# edited\n")).unwrap();
    fs::rename(dir.join("agencies/school.toml~"), dir.join("agencies/school.toml")).unwrap();
    let version = changes.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(version, store.current().version.to_string());
    drop(watch);
}

#[test]
fn suspending_changes_one_line_and_can_be_undone() {
    let (_home, dir) = installed();
    let store = PolicyStore::open(&dir).unwrap();
    let bank = AgencyId::parse("bank").unwrap();
    let suspended = || store.reload().unwrap().agencies[&bank].suspended;
    let before = fs::read_to_string(dir.join("agencies/bank.toml")).unwrap();
    for (wanted, lines) in [(true, 1), (true, 1), (false, 1)] {
        set_suspended(&dir, &bank, wanted).unwrap();
        assert_eq!(suspended(), wanted);
        let now = fs::read_to_string(dir.join("agencies/bank.toml")).unwrap();
        assert_eq!(now.lines().count(), before.lines().count() + lines);
    }
    let unknown = set_suspended(&dir, &AgencyId::parse("nobody").unwrap(), true).unwrap_err();
    assert_eq!(lines(&unknown), "agencies/nobody.toml: no such agency `nobody`");
}
