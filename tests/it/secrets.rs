//! Secrets: what is written for debugging shows none, and a key that others can read is not used.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use estelam::adapters::clock::ManualClock;
use estelam::adapters::pki::DevPki;
use estelam::adapters::tls::config::client_config;
use estelam::core::domain::context::CallContext;
use estelam::core::ledger::EntryKind;
use estelam::core::reply::Format;
use estelam::core::signing::Delivery;
use estelam::flow::Incoming;
use estelam::registry::decrees::OfficialKey;
use estelam::registry::feed::SubjectKey;

use crate::house::shipped_sources;
use crate::policy_support::peer;
use crate::tls_support::{agency, noon, write_private};

const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl";
const NUMBER: &str = "9990000018";

#[test]
fn requests_and_deliveries_show_neither_token_nor_body() {
    let context = || CallContext::new("verify", noon());
    let incoming = Incoming {
        peer: Arc::new(peer("bank", None)),
        context: context(),
        authorization: Some(format!("Bearer {TOKEN}")),
        content_type: None,
        idempotency_key: Some(NUMBER.to_owned()),
        signature: None,
        format: Format::Json,
        body: Ok(format!(r#"{{"value":"{NUMBER}"}}"#).into()),
        oddity: None,
    };
    let delivery = Delivery {
        context: context(),
        kind: EntryKind::Token,
        code: "token-issued",
        details: None,
        status: 200,
        content_type: "application/json",
        body: TOKEN.to_owned(),
        statement: TOKEN.to_owned(),
    };
    let shown = format!("{incoming:?}{delivery:?}");
    assert!(shown.contains("Incoming") && shown.contains("token-issued"), "{shown}");
    assert!(!shown.contains(TOKEN) && !shown.contains(NUMBER), "{shown}");
}

/// Names under which a secret, a token or a body would lie in a struct, as text or bytes.
const SUSPECTS: [&str; 12] = [
    "authorization",
    "access_token",
    "bearer",
    "assertion",
    "secret",
    "private",
    "private_key",
    "password",
    "kek",
    "seed",
    "body",
    "signing_key",
];
const BARE: [&str; 6] = ["String", "&'a str", "Bytes", "Vec<u8>", "[u8; 32]", "Zeroizing<"];

/// Fields of derived-Debug structs that hold one of the suspects bare.
fn shown_by_derive(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut derives, mut open) = (false, None::<String>);
    for line in text.lines() {
        let code = line.trim();
        match &open {
            Some(_) if line == "}" => open = None,
            Some(name) => {
                let field = code.trim_start_matches("pub").trim_start_matches("(super)").trim_start_matches("(crate)").trim();
                if let Some((field, kind)) = field.split_once(": ")
                    && SUSPECTS.contains(&field)
                    && BARE.iter().any(|bare| kind.trim_start_matches("Option<").starts_with(bare))
                {
                    found.push(format!("{name}.{field}"));
                }
            }
            None if code.starts_with("#[derive(") => derives = code.contains("Debug"),
            None if (code.starts_with("struct ") || code.starts_with("pub struct ") || code.starts_with("pub(super) struct "))
                && code.ends_with('{') =>
            {
                open = derives.then(|| code.to_owned());
                derives = false;
            }
            None if code.starts_with("#[") || code.starts_with("//") => {}
            None => derives = false,
        }
    }
    found
}

#[test]
fn no_type_with_a_secret_derives_debug() {
    let sample = "#[derive(Debug)]\n#[serde(x)]\npub struct Caught {\n    /// x\n    pub authorization: Option<String>,\n}\n";
    assert_eq!(shown_by_derive(sample), ["pub struct Caught {.authorization"]);
    let found: Vec<_> = shipped_sources()
        .iter()
        .flat_map(|(name, text)| shown_by_derive(text).into_iter().map(move |at| format!("{name}: {at}")))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn keys_that_others_can_reach_are_refused_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(noon()));
    let pki = DevPki::create_or_open(home.path(), clock.clone()).unwrap();
    let bank = pki.issue_agency(&agency("bank"), None).unwrap();
    let official = home.path().join("official.pem");
    write_private(&official, &rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem());
    SubjectKey::open(home.path()).unwrap();
    let subject = home.path().join("subject.key");
    let outcomes = || {
        [
            client_config(&pki.ca(), &bank.cert, &bank.key, clock.clone()).map(drop).map_err(|error| error.to_string()),
            OfficialKey::read(&official).map(drop).map_err(|error| error.to_string()),
            SubjectKey::open(home.path()).map(drop).map_err(|error| error.to_string()),
        ]
    };
    let files = [&bank.key, &official, &subject];
    for private in [0o600, 0o400, 0o640] {
        files.iter().for_each(|file| mode(file, private));
        assert!(outcomes().iter().all(Result::is_ok), "{private:o}: {:?}", outcomes());
    }
    for exposed in [0o644, 0o604, 0o660, 0o602] {
        files.iter().for_each(|file| mode(file, exposed));
        for (outcome, file) in outcomes().into_iter().zip(files) {
            let said = outcome.unwrap_err();
            assert!(said.contains("chmod go-rwx") && said.contains(file.file_name().unwrap().to_str().unwrap()), "{exposed:o}: {said}");
        }
    }
}

/// What may not be said of a type that leaves its bytes behind; this does not compile for one.
const fn wiped<T: zeroize::ZeroizeOnDrop>() -> bool {
    std::mem::needs_drop::<T>()
}

#[test]
fn secrets_and_numbers_are_of_types_that_wipe_themselves() {
    const WIPED: [bool; 6] = [
        wiped::<estelam::adapters::keys::ContentKey>(),
        wiped::<estelam::adapters::keys::Unlock>(),
        wiped::<zeroize::Zeroizing<[u8; 32]>>(),
        wiped::<estelam::core::domain::identifier::Identifier>(),
        wiped::<estelam::core::domain::request::RequestIdentifier>(),
        wiped::<estelam::core::registry::wire::WireIdentifier>(),
    ];
    assert_eq!(WIPED, [true; 6]);
}
