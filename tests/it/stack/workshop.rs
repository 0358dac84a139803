//! What an installation needs before it starts, made at the test's own instant; and the tools of those who run one.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use estelam::adapters::clock::ManualClock;
use estelam::adapters::keys::KeyRing;
use estelam::adapters::pki::DevPki;
use estelam::adapters::policy_files;
use estelam::adapters::store::generate_officer_key;
use estelam::app::pushing::make_event_key;
use estelam::core::domain::agency::AgencyId;
use estelam::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};
use estelam::core::domain::service::{SHIPPED_SERVICES, ServiceCatalogue};
use estelam::registry::decrees::{self, OfficialKey, Officials};
use estelam::registry::import::{self, ImportOptions};
use estelam::registry::store::Store;
use estelam::registry::{DEMO_DECREES, import_demo_people};
use rcgen::{KeyPair, PKCS_ED25519};

/// DER of an Ed25519 SubjectPublicKeyInfo up to the key itself (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The agencies of the demo.
const AGENCIES: [&str; 9] = ["school", "clinic", "insurer", "bank", "telecom", "kefalat", "security-auditor", "dpo", "operator"];

pub fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).unwrap()
}

/// Makes certificates, keys, policies and a registry with the fixtures and `people` (NDJSON).
pub fn install(dir: &Path, clock: &Arc<ManualClock>, people: &str) -> DevPki {
    let pki = DevPki::create_or_open(&dir.join("pki"), clock.clone()).unwrap();
    for name in ["gateway", "registry"] {
        pki.issue_server(name).unwrap();
        pki.issue_service(name).unwrap();
    }
    for name in AGENCIES {
        pki.issue_agency(&agency(name), None).unwrap();
    }
    make_event_key(dir).unwrap();
    KeyRing::create_or_open(&dir.join("keys")).unwrap();
    let (public, private) = generate_officer_key().unwrap();
    estelam::files::write_new_secret(&dir.join("pki/dpo/trail.key"), STANDARD.encode(&*private).as_bytes()).unwrap();
    std::fs::write(dir.join("pki/dpo/trail.pub"), STANDARD.encode(public)).unwrap();
    policy_files::install(&dir.join("policies")).unwrap();
    let store = Store::open(&dir.join("registry")).unwrap();
    let (desk, private) = generate_officer_key().unwrap();
    std::fs::create_dir_all(dir.join("pki/holder")).unwrap();
    std::fs::write(dir.join("pki/holder/trail.pub"), STANDARD.encode(desk)).unwrap();
    estelam::files::write_new_secret(&dir.join("registry/holder.key"), STANDARD.encode(&*private).as_bytes()).unwrap();
    import_demo_people(&store, &schemes()).unwrap();
    if !people.is_empty() {
        import_people(&store, dir, people);
    }
    let [first, second] = ["first", "second"].map(|name| enrol(dir, name));
    decrees::seed(&store, &officials(dir), &services(), DEMO_DECREES, &first, &second).unwrap();
    pki
}

/// Imports people as `estelam registry import` does.
pub fn import_people(store: &Store, dir: &Path, people: &str) {
    let file = dir.join("registry").join("people.ndjson");
    std::fs::write(&file, people).unwrap();
    let now = "2020-01-01T00:00:00Z".parse().unwrap();
    let options = ImportOptions { file: &file, source: Some("test"), rejects: None, aside: None, schemes: &schemes(), now };
    let summary = import::run(store, &options, &mut |_, _| ()).unwrap();
    assert!(summary.rejected.is_empty(), "the test's own people must be good");
}

/// A person with one document; birth 1370/01/01 (Jalali), Afghan, of Qom.
pub fn person(key: &str, document: &str) -> String {
    format!(
        r#"{{"person":"{key}","birth":{{"date":"1370/01/01","calendar":"jalali"}},"nationality":"AF","province":"IR-25","name":"","father_name":"","household":{{"id":"90001","role":"member"}},"documents":[{document}]}}
"#
    )
}

/// An active document with Jalali dates, issued 1400/01/01.
pub fn document(scheme: &str, value: &str, kind: &str, series: Option<u16>, expires: &str) -> String {
    let series = series.map_or("null".to_owned(), |series| series.to_string());
    format!(
        r#"{{"scheme":"{scheme}","value":"{value}","kind":"{kind}","series":{series},"issued":"1400/01/01","expires":"{expires}","calendar":"jalali","state":"active","legal_status":""}}"#
    )
}

pub fn schemes() -> SchemeCatalogue {
    SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap()
}

pub fn services() -> ServiceCatalogue {
    ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap()
}

/// Everybody who may sign decrees.
pub fn officials(dir: &Path) -> Officials {
    Officials::load(&dir.join("registry")).unwrap()
}

/// The key of an official, enrolled when first asked for.
pub fn enrol(dir: &Path, name: &str) -> OfficialKey {
    let file = dir.join("pki").join(format!("{name}-official.pem"));
    if !file.exists() {
        std::fs::write(&file, KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem()).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Officials::enrol(&dir.join("registry"), name, &OfficialKey::read(&file).unwrap()).unwrap();
    }
    OfficialKey::read(&file).unwrap()
}

/// An entry of `officials.toml`, in office all the time.
pub fn listed(id: &str, key: &OfficialKey) -> String {
    let spki = STANDARD.encode([&SPKI_PREFIX[..], key.public()].concat());
    format!("[[official]]\nid = \"{id}\"\nrole = \"director\"\nkey = \"{spki}\"\nfrom = \"2020-01-01\"\nto = \"2099-12-31\"\n")
}

/// The entries of those who signed the decrees of the fixtures.
pub fn listed_of_the_registry(dir: &Path) -> String {
    ["first", "second"].map(|name| listed(name, &enrol(dir, name))).concat()
}

/// Rewrites one agency's policy file; whoever runs the system has it reloaded.
pub fn edit_policy(dir: &Path, agency: &str, edit: impl FnOnce(String) -> String) {
    let path = dir.join("policies/agencies").join(format!("{agency}.toml"));
    let text = edit(std::fs::read_to_string(&path).unwrap());
    let draft = dir.join("policy.draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, path).unwrap();
}
