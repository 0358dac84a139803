//! Decrees as officials enter them, with the real binary: a wrong file is refused with its line and changes nothing, and nobody acts
//! without a key.

use std::fs::{Permissions, create_dir_all, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use estelam::registry::store::Store;
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::Value;

/// A registry of its own with two officials, and no configuration beside it.
struct Office(tempfile::TempDir);

impl Office {
    fn new() -> Self {
        let office = Self(tempfile::tempdir().unwrap());
        let people = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fixtures.ndjson");
        office.succeeds(&["import", people, "--dir", "new"]);
        for name in ["alice", "bob"] {
            let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
            office.put(&format!("{name}.pem"), key.serialize_pem().as_bytes());
            set_permissions(office.0.path().join(format!("{name}.pem")), Permissions::from_mode(0o600)).unwrap();
            office.put(&format!("{name}.pub"), key.public_key_pem().as_bytes());
            office.succeeds(&["official", "add", name, "--public", &format!("{name}.pub"), "--dir", "new"]);
        }
        office
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        create_dir_all(path.parent().unwrap()).unwrap();
        write(path, bytes).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_estelam"))
            .arg("registry")
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every decree and where it stands, and how far the registry's changes have come: what gateways hear of.
    fn state(&self) -> (Value, u64) {
        let listed = serde_json::from_str(&self.succeeds(&["decree", "list", "--json", "--dir", "new"])).unwrap();
        (listed, Store::open(&self.0.path().join("new/registry")).unwrap().cursor().unwrap())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const DECREE: &str = r#"# one decree
[[decree]]
id = "d9"
authority = "ministry-of-interior"
issued_on = "1405/08/01"
known_from = "1405/08/01"
effective_from = "1405/08/01"
select = [{ kind = "amayesh", series = 18 }]
services = "all"
effect = "extend"
text.fa = "آزمون"
text.en = "a test"
"#;

const SELECT: &str = r#"{ kind = "amayesh", series = 18 }"#;

#[test]
fn a_wrong_decree_is_refused_with_its_line_and_changes_nothing() {
    let office = Office::new();
    let before = office.state();
    let slips: [(&str, &str, u32, &str); 10] = [
        (SELECT, r#"{ kind = "census-slip", series = 17 }"#, 8, "`series` beside `census-slip` would reach nobody"),
        (SELECT, r#"{ kind = "amayesh", legal_status = "amayesh" }"#, 8, "`legal_status` beside `amayesh` would reach nobody"),
        (SELECT, r#"{ province = "IR-99" }"#, 8, "`IR-00` to `IR-32`"),
        (SELECT, "{ kind = \"amayesh\", series = 18 },\n  { kind = \"passport-visa\", series = 18 }", 9, "`series` beside `passport-visa`"),
        (SELECT, r#"{ kind = "amaiesh" }"#, 8, "use `smart-card`"),
        ("\"all\"", "[\"bank-crad\"]", 9, "`bank-crad`"),
        ("\"extend\"", "\"prolong\"", 10, "use `extend`"),
        ("effective_from = \"1405/08/01\"", "effective_from = \"1405/08/31\"", 7, "no such day"),
        ("effect =", "recorded_at = \"2026-01-01T00:00:00Z\"\neffect =", 10, "recorded_at"),
        ("text.en = \"a test\"", "text.en = \" \"", 12, "`text.en` is empty"),
    ];
    for (from, to, line, says) in slips {
        assert!(DECREE.contains(from), "{from}");
        office.put("wrong.toml", format!("{}\n{}", DECREE.replacen(from, to, 1), DECREE.replace("d9", "d10")).as_bytes());
        let output = office.run(&["decree", "add", "wrong.toml", "--key", "alice.pem", "--dir", "new"]);
        let said = said(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{to}: {said}");
        assert!(said.starts_with("estelam: nothing was entered: wrong.toml:"), "{to}: {said}");
        assert!(said.contains(&format!("wrong.toml:{line}: ")) && said.contains(says), "{to}: {said}");
        assert_eq!(office.state(), before, "{to}: the good decree beside it did not come in either");
    }
    office.put("latin.toml", &[DECREE.as_bytes(), b"# \xe9\n"].concat());
    let output = office.run(&["decree", "add", "latin.toml", "--key", "alice.pem", "--dir", "new"]);
    assert!(said(&output).contains("latin.toml:13: is not UTF-8 here"), "{}", said(&output));
    assert_eq!((output.status.code(), office.state()), (Some(1), before));
}

#[test]
fn nobody_rescinds_a_decree_without_a_key_outside_a_demo() {
    let office = Office::new();
    office.put("good.toml", DECREE.as_bytes());
    office.succeeds(&["decree", "add", "good.toml", "--key", "alice.pem", "--dir", "new"]);
    office.succeeds(&["decree", "approve", "d9", "--key", "bob.pem", "--dir", "new"]);
    let before = office.state();
    assert_eq!(before.0[0]["standing"], "in-force");
    // Keys that lie where a demo has its officials' are nobody's word either.
    for name in ["alice", "bob"] {
        let key = std::fs::read(office.0.path().join(format!("{name}.pem"))).unwrap();
        office.put(&format!("new/pki/officials/{name}.pem"), &key);
        set_permissions(office.0.path().join(format!("new/pki/officials/{name}.pem")), Permissions::from_mode(0o600)).unwrap();
    }
    let names = ["--trust-domain", "gov.example", "--gateway", "gate.gov.example", "--registry", "registry.gov.example"];
    let config = Command::new(env!("CARGO_BIN_EXE_estelam")).args(["config", "new"]).args(names).output().unwrap();
    for configured in [false, true] {
        if configured {
            office.put("new/estelam.toml", &config.stdout);
        }
        let output = office.run(&["decree", "rescind", "d9", "--dir", "new"]);
        let said = said(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("name the official's key with `--key`"), "{said}");
        assert_eq!(office.state(), before);
    }
    let output = office.run(&["decree", "rescind", "d9", "--key", "alice.pem", "--dir", "new"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(office.state().0[0]["standing"], "rescission-pending");
}
