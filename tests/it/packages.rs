//! `scripts/tools` where packages are missing: stand-ins for Debian's own tools come first in the path.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// A machine on which no Debian package is installed.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(user: &str, sudo: &str) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let installs = format!("touch '{}'", machine.installed().display());
        for (name, does) in [("dpkg-query", "exit 1"), ("id", &format!("echo {user}")), ("sudo", sudo), ("apt-get", &installs)] {
            let file = machine.0.path().join(name);
            fs::write(&file, format!("#!/bin/sh\n{does}\n")).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine
    }

    fn installed(&self) -> std::path::PathBuf {
        self.0.path().join("installed")
    }

    fn tools(&self, words: &[&str]) -> Output {
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/tools")).args(words).env("PATH", path).output().unwrap()
    }
}

const ALL: [&str; 6] = ["check", "build", "node", "clients", "browser", "reader"];

#[test]
fn who_may_not_install_packages_is_told_in_one_line_which_are_missing() {
    let machine = Machine::new("1000", "exit 1");
    for words in [&ALL[..], &["clients"]] {
        let output = machine.tools(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty() && said.lines().count() == 1, "{words:?}: {said}");
        assert!(said.contains("run as root: apt-get update && apt-get install") && said.contains(" gnutls-bin "), "{words:?}: {said}");
    }
    assert!(!machine.installed().exists(), "and nothing was tried");
}

#[test]
fn who_may_install_packages_hears_nothing_beforehand() {
    for (user, sudo) in [("0", "exit 1"), ("1000", "exit 0")] {
        let machine = Machine::new(user, sudo);
        let output = machine.tools(&ALL);
        assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{user}: {output:?}");
        assert!(!machine.installed().exists(), "{user}");
    }
}

#[test]
fn the_verbs_look_before_they_do_anything_else() {
    for (verb, first) in
        [("test", "scripts/tools check build"), ("end-to-end", "scripts/tools check build"), ("demo", "scripts/tools build")]
    {
        let output =
            Command::new("make").args(["--no-print-directory", "-n", verb]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        let plan = String::from_utf8(output.stdout).unwrap();
        assert!(plan.starts_with(first), "{verb}: {plan}");
    }
}
