//! Secrets: what is written for debugging shows none, and a key that others can read is not used.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use estelam::adapters::clock::ManualClock;
use estelam::adapters::pki::DevPki;
use estelam::adapters::registry::RegistryClientConfig;
use estelam::adapters::tls::config::client_config;
use estelam::adapters::tls::material::{MaterialError, private_key};
use estelam::core::domain::context::CallContext;
use estelam::core::ledger::EntryKind;
use estelam::core::reply::Format;
use estelam::core::signing::{Algorithm, Conclusion, Delivery, Notary, Signer, SignerFailed, sign};
use estelam::core::token::{SignatureField, SignedRequest};
use estelam::flow::Incoming;
use estelam::registry::decrees::OfficialKey;
use estelam::registry::feed::SubjectKey;
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

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
    let field = SignatureField { compact: TOKEN.to_owned(), method: "POST".to_owned(), path: format!("/v1/log/{NUMBER}") };
    let body = format!(r#"{{"value":"{NUMBER}"}}"#);
    let request = SignedRequest { field: &field, body: body.as_bytes(), peer: &incoming.peer };
    let shown = format!("{incoming:?}{delivery:?}{request:?}");
    assert!(shown.contains("Incoming") && shown.contains("token-issued") && shown.contains("POST"), "{shown}");
    let notary = Notary::new("https://gateway.test".into(), Arc::new(NoSigner));
    let signed = sign(Conclusion::Delivery(Box::new(delivery)), &notary, noon()).unwrap();
    assert_eq!(signed.statement(), TOKEN);
    let shown = shown + &format!("{signed:?}");
    assert!(shown.contains("Signed"), "{shown}");
    assert!(!shown.contains(TOKEN) && !shown.contains(NUMBER), "{shown}");
    // Bytes are shown as numbers: `118, 97, 108` would be a piece of the body.
    assert!(!shown.contains("118, 97, 108"), "{shown}");
}

/// What a delivery is never signed by: the token in it was.
struct NoSigner;

impl Signer for NoSigner {
    fn key_id(&self) -> &'static str {
        "none"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        Err(SignerFailed)
    }
}

/// Names under which a secret, a token, what a token is made of, or a body would lie in a struct, as text or bytes.
const SUSPECTS: [&str; 20] = [
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
    "statement",
    "compact",
    "payload",
    "signing_input",
    "signature",
    "signature_text",
    "token",
    "jwt",
];
const BARE: [&str; 11] =
    ["String", "&'a str", "&'r str", "&'a [u8]", "Box<str>", "Arc<str>", "Cow<", "Bytes", "Vec<u8>", "[u8; 32]", "Zeroizing<"];
/// Called like a secret, and none: the label of a hardware token, signatures of officials in files and lists that everybody may see, the statement of a
/// log that the log publishes, and the log's commitment to the signature over a request.
const NO_SECRETS: [(&str, &str); 8] = [
    ("src/config/signing.rs", "Pkcs11.token"),
    ("src/adapters/keys/hsm.rs", "HsmPlace.token"),
    ("src/app/authority/proposal.rs", "Signature.signature"),
    ("src/app/people.rs", "Signature.signature"),
    ("src/core/registry/signing.rs", "WireSignature.signature"),
    ("src/core/ledger/succession.rs", "Succession.statement"),
    ("src/core/ledger/mod.rs", "EntryContent.signature"),
    ("src/core/ledger/audit/view.rs", "EntryView.signature"),
];

/// The name of a struct that begins on this line.
fn begun(code: &str) -> Option<String> {
    let (before, name) = code.split_once("struct ")?;
    let visible = before.is_empty() || before.starts_with("pub") && before.ends_with(' ');
    let name: String = name.chars().take_while(|char| char.is_alphanumeric()).collect();
    (visible && code.ends_with('{')).then_some(name)
}

/// Fields of derived-Debug structs that hold one of the suspects bare.
fn shown_by_derive(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut derives, mut open) = (false, None::<String>);
    for line in text.lines() {
        let code = line.trim();
        match &open {
            Some(_) if line == "}" => open = None,
            Some(name) => {
                if let Some((field, kind)) = code.split_once(": ")
                    && let Some(field) = field.split(' ').next_back()
                    && SUSPECTS.contains(&field)
                    && BARE.iter().any(|bare| kind.trim_start_matches("Option<").starts_with(bare))
                {
                    found.push(format!("{name}.{field}"));
                }
            }
            None if code.starts_with("#[derive(") => derives = code.contains("Debug"),
            None if begun(code).is_some() => {
                open = begun(code).filter(|_| derives);
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
    assert_eq!(shown_by_derive(sample), ["Caught.authorization"]);
    let sample =
        "#[derive(Clone, Debug)]\npub(in crate::core) struct Caught<'a> {\n    pub(super) payload: &'a [u8],\n    len: usize,\n}\n";
    assert_eq!(shown_by_derive(sample), ["Caught.payload"]);
    let found: Vec<_> =
        shipped_sources().iter().flat_map(|(name, text)| shown_by_derive(text).into_iter().map(move |at| (name.clone(), at))).collect();
    let known = |(name, at): &&(String, String)| NO_SECRETS.iter().any(|(file, field)| name.ends_with(file) && at == field);
    assert_eq!(found.iter().filter(known).count(), NO_SECRETS.len(), "one of those is no more: {found:#?}");
    let shown: Vec<_> = found.iter().filter(|found| !known(found)).collect();
    assert!(shown.is_empty(), "{shown:#?}");
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

/// The key of a TLS certificate, in the file's bytes and as it is read.
const TLS_KEY: fn(&Path) -> Result<Zeroizing<PrivateKeyDer<'static>>, MaterialError> = private_key;
const REGISTRY_KEY: fn(RegistryClientConfig) -> Zeroizing<Vec<u8>> = |config| config.key_pem;

#[test]
fn secrets_and_numbers_are_of_types_that_wipe_themselves() {
    const WIPED: [bool; 10] = [
        wiped::<estelam::adapters::keys::ContentKey>(),
        wiped::<estelam::adapters::keys::Unlock>(),
        wiped::<estelam::adapters::store::ContentKek>(),
        wiped::<estelam::adapters::store::OfficerKey>(),
        wiped::<Zeroizing<[u8; 32]>>(),
        wiped::<Zeroizing<PrivateKeyDer<'static>>>(),
        wiped::<Zeroizing<Vec<u8>>>(),
        wiped::<estelam::core::domain::identifier::Identifier>(),
        wiped::<estelam::core::domain::request::RequestIdentifier>(),
        wiped::<estelam::core::registry::wire::WireIdentifier>(),
    ];
    assert_eq!(WIPED, [true; 10]);
    let home = tempfile::tempdir().unwrap();
    assert!(TLS_KEY(&home.path().join("none")).is_err());
    let _ = REGISTRY_KEY;
}
