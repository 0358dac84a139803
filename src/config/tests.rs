//! Every mistake in `estelam.toml` is one line with file, line and what to do.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::*;

fn shipped() -> String {
    let any = "127.0.0.1:0".parse().unwrap();
    template(any, any, any, 8446, 600)
}

/// The line from 1 on which a text stands in the shipped configuration.
fn line_with(text: &str) -> usize {
    1 + shipped().lines().position(|line| line.starts_with(text)).unwrap()
}

/// Changes one text and expects a fault on its line that says `what`.
fn check(from: &str, to: &str, what: &str) {
    let said = Config::parse(&shipped().replacen(from, to, 1), Path::new("estelam.toml")).unwrap_err().to_string();
    assert!(said.starts_with(&format!("estelam.toml:{}: ", line_with(from))) && said.contains(what), "`{to}`: {said}");
}

#[test]
fn values_that_could_never_work_are_refused_where_they_stand() {
    assert!(Config::parse(&shipped(), Path::new("estelam.toml")).is_ok());
    check("grid_ms = 50", "grid_ms = 0", "at least 1");
    check("body_bytes = 8192", "body_bytes = 0", "at least 1024");
    check("timeout_ms = 800", "timeout_ms = 0", "at least 10");
    check("timeout_ms = 800", "query_ms = 799\ntimeout_ms = 800", "must be at least `registry.timeout_ms`");
    check("checkpoint_every_s = 600", "checkpoint_every_s = 0", "at least 1");
    check("crl_grace_h = 24", "crl_grace_h = 1000", "at most 168");
    check("ops = \"127.0.0.1:0\"", "ops = \"0.0.0.0:0\"", "loopback");
    check("url = \"https", "url = \"http", "must be an `https://` URL");
    check("issuer = \"https", "issuer = \"http", "must be an `https://` URL");
    check("identity = \"spiffe", "identity = \"https", "must be a `spiffe://` URI");
    for wrong in
        ["https:// ", "https://:", "https://a:b@", "https://گ", "https://host?", "https://host#", "https://host:x/", "https://host:99999/"]
    {
        check("issuer = \"https://", &format!("issuer = \"{wrong}"), "of the form `https://host`");
        check("url = \"https://", &format!("url = \"{wrong}"), "of the form `https://host`");
    }
    for wrong in ["", "Estelam.test", "spiffe://estelam.test", "estelam test", "استعلام"] {
        check("trust_domain = \"estelam.test", &format!("trust_domain = \"{wrong}"), "`trust_domain` must be a name");
    }
    check("gateway = \"127.0.0.1:0\"", "gateway = \"localhost:8443\"", "write an IP address and a port");
    check(
        "sender = \"spiffe://estelam.test/service/",
        "sender = \"spiffe://estelam.test/server/",
        "must be `spiffe://<trust-domain>/service/<name>`",
    );
    check("sender = \"spiffe://estelam.test/service/", "sender = \"spiffe://estelam.test/agency/", "which could be given to an agency");
    check("issuer = \"spiffe://estelam.test/server/registry", "issuer = \"", "must be the `iss`");
}

#[test]
fn a_url_with_an_address_for_a_host_is_taken() {
    for host in ["https://[::1]:8443", "https://127.0.0.1", "https://gate.gov.example:443"] {
        let text = shipped().replacen("issuer = \"https://localhost:0", &format!("issuer = \"{host}"), 1);
        assert!(text.contains(host) && Config::parse(&text, Path::new("estelam.toml")).is_ok(), "{host}");
    }
}

#[test]
fn a_bound_that_is_added_is_found_where_it_was_added() {
    let text = shipped() + "refusals_per_second = 0\n";
    let said = Config::parse(&text, Path::new("estelam.toml")).unwrap_err().to_string();
    assert_eq!(said, format!("estelam.toml:{}: `limits.refusals_per_second` must be at least 1", text.lines().count()));
}

#[test]
fn a_bound_that_is_far_too_large_is_an_error_at_its_line_and_no_crash() {
    for key in ["batch_calls", "workers", "connections", "connections_per_address", "head_ms", "keep_alive_s", "flood_hold_ms"] {
        let text = format!("{}{key} = 9000000000000000000\n", shipped());
        let said = Config::parse(&text, Path::new("estelam.toml")).unwrap_err().to_string();
        let begins = format!("estelam.toml:{}: `limits.{key}` must be at most ", text.lines().count());
        assert!(said.starts_with(&begins), "{said}");
    }
    check("body_bytes = 8192", "body_bytes = 9000000000000000000", "at most 1048576");
    check("checkpoint_every_s = 600", "checkpoint_every_s = 9000000000000000000", "at most 86400");
    check("timeout_ms = 800", "timeout_ms = 9000000000000000000", "at most 600000");
}

const PEOPLE: &str = r#"
[registry.people]
protocol = "spdci"
url = "https://social.example/v1"
sender_id = "gateway"
receiver_id = "social"
signing_key = "pki/spdci/sign.key"
registry_keys = "pki/spdci/registry.jwks.json"
[registry.people.identifiers]
yekta = "UIN"
fida = "FIDA"
"#;

#[test]
fn another_registry_for_people_is_checked_key_by_key() {
    let place = Path::new("/etc/estelam/estelam.toml");
    let people = Config::parse(&(shipped() + PEOPLE), place).unwrap().registry.people.unwrap();
    assert_eq!((people.signing_key, people.ca), ("/etc/estelam/pki/spdci/sign.key".into(), None));
    let head = 2 + shipped().lines().count();
    for (from, to, line, what) in [
        ("protocol = \"spdci\"", "protocol = \"estelam\"", head + 1, "must be `spdci`"),
        ("protocol = \"spdci\"", "protocol = \"soap\"", head + 1, "unknown variant"),
        ("https://social", "http://social", head + 2, "must be an `https://` URL"),
        ("sender_id = \"gateway\"", "sender_id = \"\"", head + 3, "must be the name"),
        ("[registry.people.identifiers]", "identity = \"https://x\"\n[registry.people.identifiers]", head + 7, "`spiffe://` URI"),
        ("fida = \"FIDA\"", "fida = \"UIN\"", head, "no two the same"),
        ("yekta = \"UIN\"\nfida = \"FIDA\"\n", "", head, "at least one scheme"),
        ("signing_key", "sign_key", head + 5, "unknown field"),
    ] {
        let said = Config::parse(&(shipped() + &PEOPLE.replacen(from, to, 1)), Path::new("estelam.toml")).unwrap_err().to_string();
        assert!(said.starts_with(&format!("estelam.toml:{line}: ")) && said.contains(what), "`{to}`: {said}");
    }
    check("timeout_ms = 800", "protocol = \"spdci\"\ntimeout_ms = 800", "must be `estelam`: decrees come from there");
}

#[test]
fn bytes_that_are_no_text_are_found_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("estelam.toml");
    std::fs::write(&file, b"demo = true\n# \xff\n").unwrap();
    let said = Config::read(&file).unwrap_err().to_string();
    assert!(said.ends_with("estelam.toml:2: not UTF-8; save the file as UTF-8"), "{said}");
}

#[test]
fn listeners_are_known_by_the_agencies_root_unless_another_is_named() {
    let place = Path::new("/etc/estelam/estelam.toml");
    let tls = |text: &str| Config::parse(text, place).unwrap().tls;
    assert_eq!(tls(&shipped()).server_ca(), Path::new("/etc/estelam/pki/ca.pem"));
    let other = tls(&shipped().replacen("# server_ca = ", "server_ca = ", 1));
    assert_eq!((other.server_ca(), &*other.client_ca), (Path::new("/etc/estelam/pki/server-ca.pem"), Path::new("/etc/estelam/pki/ca.pem")));
}
