//! Key files and signers: created once, kept, refused when exposed, and understood by other libraries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, UnparsedPublicKey};
use serde_json::Value;

use super::*;
use crate::core::signing::Signer;

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("keys");
    KeyRing::create_or_open(&dir).unwrap();
    (home, dir)
}

fn p256_pem() -> String {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    pem::encode(&pem::Pem::new("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref()))
}

/// A key of one's own, before the folder has its list; it must have been made for its owner only.
fn supply(dir: &Path, name: &str) {
    fs::remove_file(dir.join("keys.json")).unwrap();
    fs::write(dir.join(name), p256_pem()).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn second_opening_finds_the_same_keys() {
    let (_home, dir) = fresh();
    let (first, second) = (KeyRing::open(&dir).unwrap(), KeyRing::create_or_open(&dir).unwrap());
    assert_eq!(first.jwks_json(), second.jwks_json());
    assert_eq!(first.checkpoints().key_id(), second.checkpoints().key_id());
    assert_eq!(first.content().expose(), second.content().expose());
    assert_ne!(first.content().expose(), &[0; 32]);
}

#[test]
fn files_are_for_their_owner_only_and_no_stage_is_left() {
    let (_home, dir) = fresh();
    assert_eq!(mode(&dir), 0o700);
    let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 6, "five keys and their list");
    assert!(names.iter().all(|path| mode(path) == 0o600));
}

#[test]
fn exposed_key_is_refused_with_what_to_do() {
    for name in ["tokens.pem", "statements.pem", "checkpoints.pem", "content.key"] {
        for exposed in [0o640, 0o604, 0o620, 0o601] {
            let (_home, dir) = fresh();
            fs::set_permissions(dir.join(name), Permissions::from_mode(exposed)).unwrap();
            let message = KeyRing::open(&dir).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("chmod go-rwx"), "{message}");
        }
    }
}

#[test]
fn folder_that_others_can_write_to_is_refused() {
    let (_home, dir) = fresh();
    fs::set_permissions(&dir, Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(KeyRing::create_or_open(&dir), Err(KeyError::Exposed { .. })));
}

#[test]
fn missing_key_is_never_replaced() {
    for name in ["tokens.pem", "statements.pem", "checkpoints.pem", "content.key"] {
        let (_home, dir) = fresh();
        fs::remove_file(dir.join(name)).unwrap();
        let error = KeyRing::create_or_open(&dir).unwrap_err();
        assert!(matches!(error, KeyError::Missing { .. } | KeyError::NoContent { .. }), "{name}");
        // A standby key takes the place of one that signs, and of no other.
        assert_eq!(error.to_string().contains("keys lost"), name != "content.key", "{error}");
        assert!(!dir.join(name).exists());
    }
}

#[test]
fn interrupted_creation_is_finished_or_begun_anew() {
    let (_home, dir) = fresh();
    let kid = KeyRing::open(&dir).unwrap().statements().key_id().to_owned();
    fs::create_dir(dir.join(".new")).unwrap();
    for name in ["statements.pem", "content.key"] {
        fs::rename(dir.join(name), dir.join(".new").join(name)).unwrap();
    }
    assert_eq!(KeyRing::create_or_open(&dir).unwrap().statements().key_id(), kid, "stopped while moving: finished");

    let (_home, dir) = fresh();
    for name in ["tokens.pem", "statements.pem", "statements.standby.pem", "checkpoints.pem", "content.key", "keys.json"] {
        fs::remove_file(dir.join(name)).unwrap();
    }
    fs::create_dir(dir.join(".new")).unwrap();
    fs::write(dir.join(".new/tokens.pem"), "half").unwrap();
    assert!(KeyRing::create_or_open(&dir).is_ok(), "stopped while staging: begun anew");
    assert!(!dir.join(".new").exists());
}

#[test]
fn bad_files_are_refused_by_name() {
    let (_home, dir) = fresh();
    let pem = fs::read_to_string(dir.join("tokens.pem")).unwrap();
    for bad in [String::new(), "x".to_owned(), pem.replace("PRIVATE KEY", "PUBLIC KEY"), pem.replace("MIG", "MIH")] {
        fs::write(dir.join("tokens.pem"), bad).unwrap();
        let message = KeyRing::open(&dir).unwrap_err().to_string();
        assert!(message.contains("tokens.pem"), "{message}");
    }
    fs::write(dir.join("tokens.pem"), pem).unwrap();
    fs::write(dir.join("content.key"), [1; 31]).unwrap();
    assert!(matches!(KeyRing::open(&dir), Err(KeyError::NotAKey { .. })));
}

#[test]
fn one_key_for_two_uses_is_refused() {
    let (_home, dir) = fresh();
    fs::copy(dir.join("tokens.pem"), dir.join("statements.pem")).unwrap();
    assert!(matches!(KeyRing::open(&dir), Err(KeyError::OtherKey { .. })));
    fs::remove_file(dir.join("keys.json")).unwrap();
    assert!(matches!(KeyRing::open(&dir), Err(KeyError::SharedKey { .. })));
}

#[test]
fn p256_keys_may_be_supplied_except_for_checkpoints() {
    let (_home, dir) = fresh();
    supply(&dir, "statements.pem");
    let ring = KeyRing::create_or_open(&dir).unwrap();
    assert_eq!(ring.statements().algorithm(), Algorithm::Es256);
    supply(&dir, "checkpoints.pem");
    assert!(matches!(KeyRing::create_or_open(&dir), Err(KeyError::CheckpointAlgorithm { .. })));
}

#[test]
fn signatures_verify_with_the_public_half_and_have_the_fixed_form() {
    let ed = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    let ec = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::Es256).unwrap()).unwrap();
    let (ed_signature, ec_signature) = (ed.sign(b"message").unwrap(), ec.sign(b"message").unwrap());
    assert_eq!((ed_signature.len(), ec_signature.len()), (64, 64));
    UnparsedPublicKey::new(&ED25519, ed.public_key().bytes()).verify(b"message", &ed_signature).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec.public_key().bytes()).verify(b"message", &ec_signature).unwrap();
    assert!(UnparsedPublicKey::new(&ED25519, ed.public_key().bytes()).verify(b"massage", &ed_signature).is_err());
}

#[test]
fn published_set_holds_public_members_only_and_thumbprints_that_others_compute_too() {
    let (_home, dir) = fresh();
    supply(&dir, "statements.pem");
    let ring = KeyRing::create_or_open(&dir).unwrap();
    let set: Value = serde_json::from_str(&ring.jwks_json()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3, "statements, the one in advance, tokens");
    for key in keys {
        assert_eq!(key["use"], "sig");
        assert!(key.get("d").is_none());
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.clone()).unwrap();
        assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), key["kid"].as_str().unwrap());
    }
    assert_eq!((&keys[0]["alg"], &keys[2]["alg"]), (&"ES256".into(), &"EdDSA".into()));
    assert_eq!(keys[0]["kid"], ring.statements().key_id());
    assert_eq!(keys[2]["kid"], ring.tokens().key_id());
}

#[test]
fn nothing_shows_key_bytes() {
    let (_home, dir) = fresh();
    let ring = KeyRing::open(&dir).unwrap();
    let shown = format!("{ring:?}");
    let pem = fs::read_to_string(dir.join("tokens.pem")).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    assert!(shown.contains("hidden") && !shown.contains(secret));
    let content = ring.content().expose().map(|byte| byte.to_string()).join(", ");
    assert!(!shown.contains(&content));
}

#[test]
fn flipped_bit_in_any_key_file_is_found_or_harmless() {
    let (_home, dir) = fresh();
    let known = KeyRing::open(&dir).unwrap();
    let unlock = dir.with_file_name("keys.unlock");
    let mut files: Vec<PathBuf> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(unlock.exists().then_some(unlock));
    let mut found = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|kind| kind != "lock")) {
        let whole = fs::read(path).unwrap();
        for number in 0..24 {
            let at = number * whole.len() / 24;
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (number % 7);
            fs::write(path, &flipped).unwrap();
            match KeyRing::open(&dir) {
                Err(_) => found += 1,
                Ok(ring) => {
                    let same =
                        ring.checkpoints().key_id() == known.checkpoints().key_id() && ring.content().expose() == known.content().expose();
                    assert!(same, "another key is in use after byte {at} of `{}` changed", path.display());
                    let signed = ring.checkpoints().sign(b"x").unwrap();
                    let public = UnparsedPublicKey::new(&ED25519, known.checkpoints().public_key_bytes());
                    assert!(public.verify(b"x", &signed).is_ok(), "byte {at} of `{}`", path.display());
                }
            }
        }
        fs::write(path, whole).unwrap();
    }
    assert!(found > 60, "only {found} were found");
    assert_eq!(KeyRing::open(&dir).unwrap().jwks_json(), known.jwks_json());
}

#[test]
fn what_root_changes_of_the_keys_of_a_service_the_service_can_read() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (service, place) = ((12_345, 54_321), KeyPlace::of(&home.path().join("keys")));
    std::os::unix::fs::chown(home.path(), Some(service.0), Some(service.1)).unwrap();
    KeyRing::create_or_open_at(&place).unwrap();
    let rules = Rules { rotate_after: None, overlap: jiff::SignedDuration::ZERO, checkable: jiff::SignedDuration::from_hours(1) };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut keeper = KeyKeeper::open(place.clone()).unwrap();
    let stolen = keeper.records().iter().find(|one| one.usage == KeyUse::Statements && one.state == KeyState::Active).unwrap().kid.clone();
    let under = Compromise { declared: now, tree_size: 0, checkpoint: String::new() };
    keeper.compromised(&stolen, under, rules, now).unwrap();
    keeper.next_content().unwrap();
    drop(keeper);
    fs::write(place.dir.join("tokens.pem"), p256_pem()).unwrap();
    std::os::unix::fs::chown(place.dir.join("tokens.pem"), Some(service.0), Some(service.1)).unwrap();
    fs::set_permissions(place.dir.join("tokens.pem"), Permissions::from_mode(0o600)).unwrap();
    super::files::seal_plain(&place.dir, &Unlock::read(&place.unlock).unwrap()).unwrap();
    let owner = |path: &Path| {
        let found = fs::metadata(path).unwrap();
        (std::os::unix::fs::MetadataExt::uid(&found), std::os::unix::fs::MetadataExt::gid(&found))
    };
    let files: Vec<_> = fs::read_dir(&place.dir).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 7, "keys, list and lock: {files:?}");
    for file in files.iter().chain([&place.dir, &place.unlock]) {
        assert_eq!(owner(file), service, "{}", file.display());
    }
}
