//! Project Wycheproof's vectors for JWS and JWK (`tests/data/wycheproof`, Apache-2.0) against what reads tokens of others.
//!
//! We accept less than the vectors call valid: three algorithms, whole payloads. What they call invalid is refused without exception.

use estelam::adapters::tokens::{PinnedKey, verify_foreign};
use estelam::core::domain::jwk::{KeyMaterial, PublicJwk, published_keys};
use estelam::core::domain::jws::{CompactJws, ForeignJws};
use estelam::core::domain::jwt_kind::JwtKind;
use estelam::core::signing::Algorithm;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    public: Option<Value>,
    private: Value,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    tc_id: u32,
    comment: String,
    jws: Value,
    result: String,
}

fn file(name: &str) -> File {
    let path = format!("{}/tests/data/wycheproof/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The group's keys as somebody would publish them; none where there are only secrets.
fn keys(group: &Group) -> Vec<PublicJwk> {
    let key = group.public.as_ref().unwrap_or(&group.private);
    let set = if key.get("keys").is_some() { key.clone() } else { json!({"keys": [key]}) };
    published_keys(set.to_string().as_bytes()).unwrap_or_default()
}

/// Whether a token passes: taken apart, its key found, its signature good. Its payload need not be JSON in these vectors, so the
/// signature is asked for by itself there.
fn passes(jws: &Value, keys: &[PublicJwk]) -> bool {
    let Some(compact) = jws.as_str() else { return false };
    ForeignJws::parse_any(compact, 8192).is_ok_and(|jws| verify_foreign(&jws, keys).is_ok())
}

/// The ids of valid vectors that pass; the file's every invalid one must not.
fn accepted(name: &str) -> Vec<u32> {
    let file = file(name);
    let (mut tried, mut accepted) = (0, Vec::new());
    for group in &file.test_groups {
        let keys = keys(group);
        for test in &group.tests {
            tried += 1;
            let passes = passes(&test.jws, &keys);
            assert!(!passes || test.result == "valid", "{} {} must be refused", test.tc_id, test.comment);
            accepted.extend(passes.then_some(test.tc_id));
        }
    }
    assert_eq!(tried, file.number_of_tests);
    accepted
}

#[test]
fn of_the_signature_vectors_exactly_the_valid_ones_of_our_algorithms_pass() {
    // ES256 (18, 378), PS256 with a payload (273 to 275) and with odd salts (287, 288). Left out: an empty payload (272), and every other algorithm.
    assert_eq!(accepted("json_web_signature_test.json"), [18, 273, 274, 275, 287, 288, 378]);
}

#[test]
fn of_the_key_vectors_none_passes_for_all_their_valid_keys_are_of_other_algorithms() {
    assert_eq!(accepted("json_web_key_test.json"), [0; 0]);
}

/// The same vectors against what reads our own access tokens. None has a header of ours, so none is taken apart; and our pinned keys agree
/// with the reader of others' tokens on every signature of their algorithm.
#[test]
fn our_own_reader_takes_none_of_them_and_its_keys_tell_good_signatures_from_bad_ones() {
    let (mut good, mut bad) = (Vec::new(), 0);
    for name in ["json_web_signature_test.json", "json_web_key_test.json"] {
        for group in &file(name).test_groups {
            let keys = keys(group);
            for test in &group.tests {
                let Some(compact) = test.jws.as_str() else { continue };
                let ours = CompactJws::parse(compact, 8192).is_ok_and(|jws| jws.header.typ == JwtKind::AccessToken.typ());
                assert!(!ours, "{} {} passes for an access token", test.tc_id, test.comment);
                let Some((signing_input, signature)) = compact.rsplit_once('.') else { continue };
                let algorithm = |key: &PublicJwk| match key.material() {
                    KeyMaterial::P256(_) => Some(Algorithm::Es256),
                    KeyMaterial::Ed25519(_) => Some(Algorithm::EdDsa),
                    KeyMaterial::Rsa { .. } => None,
                };
                for key in &keys {
                    let Some(algorithm) = algorithm(key) else { continue };
                    let pinned = PinnedKey::new("k", algorithm, key.material().identity());
                    if pinned.is_signed(signing_input, signature) {
                        // Of those only the header can be wrong, and that is looked at first.
                        let header_is_refused = ForeignJws::parse_any(compact, 8192).is_err();
                        assert!(test.result == "valid" || header_is_refused, "{} {}", test.tc_id, test.comment);
                        good.push(test.tc_id);
                    } else {
                        bad += 1;
                    }
                }
            }
        }
    }
    assert!(good.contains(&18) && good.contains(&378), "{good:?}");
    assert!(bad > 0);
}
