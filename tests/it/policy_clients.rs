//! What an agency's file may say of its client, and the key set beside it.

use std::collections::BTreeMap;

use estelam::adapters::policy_files::{Archive, PolicyStore};
use estelam::core::domain::jwk::JwsAlgorithm;
use estelam::core::policy::Snapshot;
use estelam::core::token::ClientAuth;
use serde_json::json;

use crate::foreign_keys::ForeignKey;
use crate::policy_support::{files, lines};

const BESIDE: &str = "agencies/bank.jwks.json";

fn with(client_auth: &str, beside: Option<&str>) -> BTreeMap<String, String> {
    let mut files = files();
    files.get_mut("agencies/bank.toml").unwrap().push_str(client_auth);
    files.extend(beside.map(|set| (BESIDE.to_owned(), set.to_owned())));
    files
}

fn loaded(client_auth: &str, beside: Option<&str>) -> ClientAuth {
    let snapshot = Snapshot::load(&with(client_auth, beside)).unwrap();
    snapshot.agencies.values().find(|policy| policy.id.as_str() == "bank").unwrap().client_auth.clone()
}

fn refused(client_auth: &str, beside: Option<&str>, why: &str) {
    let errors = Snapshot::load(&with(client_auth, beside)).err().map(|errors| lines(&errors)).unwrap_or_default();
    assert!(errors.contains(why), "expected `{why}`, got:\n{errors}");
}

fn inline(key: &ForeignKey, kid: &str) -> String {
    let jwk = key.jwk(kid);
    let members = jwk.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {value}\n")).collect::<String>();
    format!("[[client_auth.key]]\n{members}")
}

#[test]
fn without_a_word_the_certificate_alone_authenticates() {
    assert_eq!(loaded("", None), ClientAuth::by_certificate());
}

#[test]
fn keys_stand_in_the_file_or_beside_it() {
    let (one, two) = (ForeignKey::ps256(), ForeignKey::eddsa());
    let set = json!({"keys": [two.jwk("two")]}).to_string();
    let auth = loaded(&format!("\n[client_auth]\nmethods = [\"private_key_jwt\"]\n{}", inline(&one, "one")), Some(&set));
    assert!(!auth.certificate);
    assert_eq!(auth.keys.iter().map(|key| key.algorithm()).collect::<Vec<_>>(), [JwsAlgorithm::Ps256, JwsAlgorithm::EdDsa]);
    let both = loaded("\n[client_auth]\nmethods = [\"tls_client_auth\", \"private_key_jwt\"]\n", Some(&set));
    assert!(both.certificate && both.keys.len() == 1);
}

#[test]
fn what_does_not_fit_together_is_refused_with_what_to_do() {
    let key = ForeignKey::eddsa();
    let set = json!({"keys": [key.jwk("a")]}).to_string();
    let by_key = "\n[client_auth]\nmethods = [\"private_key_jwt\"]\n";
    refused(by_key, None, "`private_key_jwt` needs a key");
    refused("", Some(&set), "add [client_auth] with `methods`");
    refused("\n[client_auth]\nmethods = [\"tls_client_auth\"]\n", Some(&set), "`private_key_jwt` is not among the methods");
    refused("\n[client_auth]\nmethods = []\n", None, "`methods` is empty");
    refused("\n[client_auth]\nmethods = [\"client_secret_basic\"]\n", None, "no such way to authenticate `client_secret_basic`");
    refused("\n[client_auth]\nmethods = [\"tls_client_auth\"]\nsecret = \"x\"\n", None, "unknown field `secret`");
    refused(by_key, Some("{}"), "the key set beside this file (NAME.jwks.json): this is not a JWK set");
    refused(by_key, Some(&json!({"keys": [{"kty": "oct", "k": "AA"}]}).to_string()), "private or a symmetric key");
    refused(&format!("{by_key}{}", inline(&key, "a")), Some(&set), "two keys have the same `kid`");
}

#[test]
fn key_set_without_its_agency_is_a_mistake() {
    let mut files = files();
    files.insert("agencies/nobody.jwks.json".to_owned(), json!({"keys": [ForeignKey::eddsa().jwk("a")]}).to_string());
    let errors = Snapshot::load(&files).err().map(|errors| lines(&errors)).unwrap_or_default();
    assert!(errors.starts_with("agencies/nobody.jwks.json: nothing reads this file"), "{errors}");
}

#[test]
fn keys_are_part_of_the_version() {
    let set = |key: ForeignKey| json!({"keys": [key.jwk("a")]}).to_string();
    let version = |set: String| Snapshot::load(&with("\n[client_auth]\nmethods = [\"private_key_jwt\"]\n", Some(&set))).unwrap().version;
    assert_ne!(version(set(ForeignKey::eddsa())), version(set(ForeignKey::eddsa())));
}

#[test]
fn scopes_go_by_role_and_nobody_has_two() {
    for (agency, from, to, why) in [
        (
            "security-auditor",
            r#"["log:patterns"]"#,
            r#"["log:patterns", "log:person"]"#,
            "the scope `log:person` is not for an agency of kind `security-auditor`",
        ),
        (
            "dpo",
            r#"["log:person", "log:holder"]"#,
            r#"["log:person", "ops"]"#,
            "the scope `ops` is not for an agency of kind `data-protection-officer`",
        ),
        ("operator", r#"["ops"]"#, r#"["ops", "log:patterns"]"#, "the scope `log:patterns` is not for an agency of kind `operator`"),
        ("bank", r#"["verify"]"#, r#"["verify", "log:holder"]"#, "the scope `log:holder` is not for an agency of kind `bank`"),
    ] {
        let mut files = files();
        let text = files.get_mut(&format!("agencies/{agency}.toml")).unwrap();
        *text = text.replacen(from, to, 1);
        let errors = Snapshot::load(&files).err().map(|errors| lines(&errors)).unwrap_or_default();
        assert!(errors.contains(why), "expected `{why}`, got:\n{errors}");
    }
}

fn signing(text: &str, beside: &[(&str, &serde_json::Value)]) -> Result<Snapshot, String> {
    let mut files = with(text, None);
    files.extend(beside.iter().map(|(agency, set)| (format!("agencies/{agency}.request-jwks.json"), set.to_string())));
    Snapshot::load(&files).map_err(|errors| lines(&errors))
}

#[test]
fn keys_for_requests_stand_in_the_file_or_beside_it() {
    let (one, two) = (ForeignKey::es256(), ForeignKey::eddsa());
    let in_file = format!("\n[request_signing]\nrequired = true\n{}", inline(&one, "one").replace("client_auth", "request_signing"));
    let snapshot = signing(&in_file, &[("bank", &json!({"keys": [two.jwk("two")]}))]).unwrap();
    let policy = snapshot.agencies.values().find(|policy| policy.id.as_str() == "bank").unwrap();
    assert_eq!(policy.request_signing.keys.iter().map(|key| key.kid()).collect::<Vec<_>>(), [Some("one"), Some("two")]);
    assert!(policy.grants.values().flat_map(|purposes| purposes.values()).flatten().all(|grant| grant.signature), "every query then");
}

#[test]
fn keys_for_requests_are_nothing_else_and_nobody_elses() {
    let key = ForeignKey::es256();
    let set = json!({"keys": [key.jwk("one")]});
    let refused = |text: &str, beside: &[(&str, &serde_json::Value)], why: &str| {
        let errors = signing(text, beside).err().unwrap_or_default();
        assert!(errors.contains(why), "expected `{why}`, got:\n{errors}");
    };
    let client = format!("\n[client_auth]\nmethods = [\"private_key_jwt\"]\n{}", inline(&key, "c"));
    refused(&client, &[("bank", &set)], "also one of [client_auth]");
    refused("", &[("bank", &set), ("clinic", &set)], "agencies/clinic.toml: a key for requests is in `agencies/bank.toml` too");
    let mut nameless = set.clone();
    nameless["keys"][0].as_object_mut().unwrap().remove("kid");
    refused("", &[("bank", &nameless)], "has no `kid`");
    refused("\n[request_signing]\nrequired = true\n", &[], "there is no key");
    refused("", &[("nobody", &set)], "nothing reads this file");
    refused("", &[("bank", &json!({"keys": []}))], "NAME.request-jwks.json");
    refused("\n[request_signing]\nrequired = \"optional\"\n", &[], "expected a boolean");
}

/// What a demo overlooks keeps anything else from loading, and says what to do.
#[test]
fn outside_a_demo_nothing_over_people_goes_unsigned() {
    let dir = tempfile::tempdir().unwrap();
    let (policies, archive) = (dir.path().join("policies"), dir.path().join("archive"));
    estelam::adapters::policy_files::install(&policies).unwrap();
    let open = |demo| PolicyStore::open_archived(&policies, Archive::new(archive.clone()), demo);
    assert!(open(true).is_ok());
    let errors = lines(&open(false).unwrap_err());
    for line in [
        "agencies/dpo.toml:14: the scope `log:person` is used by signed requests alone",
        "agencies/operator.toml:18: `demo_optional` is for a demo",
    ] {
        assert!(errors.contains(line), "{errors}");
    }
    for agency in ["dpo", "kefalat", "operator"] {
        let set = json!({"keys": [ForeignKey::eddsa().jwk(agency)]}).to_string();
        std::fs::write(policies.join(format!("agencies/{agency}.request-jwks.json")), set).unwrap();
        let file = policies.join(format!("agencies/{agency}.toml"));
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("demo_optional = true", "")).unwrap();
    }
    let store = open(false).unwrap();
    let file = policies.join("agencies/dpo.toml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("[request_signing]", "[request_signing]\ndemo_optional = true"))
        .unwrap();
    let before = store.current().version.clone();
    assert!(lines(&store.reload().unwrap_err()).contains("`demo_optional` is for a demo"));
    assert_eq!(store.current().version, before, "the old one stays");
}
