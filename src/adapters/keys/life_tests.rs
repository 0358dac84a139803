//! Rehearsals: rotation, loss and compromise of each key, and what third parties see of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::*;
use crate::core::signing::Signer;

const RULES: Rules = Rules {
    rotate_after: Some(SignedDuration::from_hours(24 * 90)),
    overlap: SignedDuration::from_secs(600),
    checkable: SignedDuration::from_hours(24 * 3650),
};

struct Home {
    _folder: tempfile::TempDir,
    place: KeyPlace,
}

fn home() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let place = KeyPlace::of(&folder.path().join("keys"));
    KeyRing::create_or_open_at(&place).unwrap();
    Home { _folder: folder, place }
}

impl Home {
    fn keeper(&self) -> KeyKeeper {
        KeyKeeper::open(self.place.clone()).unwrap()
    }

    fn ring(&self) -> KeyRing {
        KeyRing::open_at(&self.place).unwrap()
    }

    fn published(&self) -> Vec<String> {
        let set: Value = serde_json::from_str(&self.ring().jwks_json()).unwrap();
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    fn state(&self, kid: &str) -> KeyState {
        self.ring().records().iter().find(|record| record.kid == kid).unwrap().state
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.place.dir)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ext| ext == "pem"))
            .count()
    }
}

/// Later than any file of these tests.
fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(4_000_000_000 + hours * 3600).unwrap()
}

#[test]
fn rotation_puts_the_published_key_to_work_and_keeps_the_old_one_checkable() {
    let home = home();
    let (old, published) = (home.ring().statements().key_id().to_owned(), home.published());
    home.keeper().rotate(KeyUse::Statements, RULES, false, at(0)).unwrap();
    let new = home.ring().statements().key_id().to_owned();
    assert!(new != old && published.contains(&new), "the key that signs now was published before");
    assert!(home.published().contains(&old), "answers of the old key can still be checked");
    assert_eq!(home.state(&old), KeyState::Retired);
    assert_eq!(home.files(), 4, "the old private half is destroyed, another standby key is there");
    home.keeper().keep(RULES, at(24 * 3651)).unwrap();
    assert!(!home.published().contains(&old), "until its time is over");
}

#[test]
fn key_in_a_token_is_destroyed_once_every_gateway_has_its_successor() {
    let home = home();
    let old = home.ring().statements().key_id().to_owned();
    // No token is there to ask: what is looked at is the list.
    let in_token = |keeper: &mut KeyKeeper| {
        let record = keeper.list.keys.iter_mut().find(|record| record.kid == old).unwrap();
        record.home = KeyHome::Pkcs11("estelam-statements-1".into());
    };
    let mut keeper = home.keeper();
    in_token(&mut keeper);
    keeper.rotate(KeyUse::Statements, RULES, false, at(0)).unwrap();
    let place = |keeper: &KeyKeeper| keeper.records().iter().find(|record| record.kid == old).unwrap().home.clone();
    assert!(!keeper.clear_token(at(0)).unwrap());
    assert!(matches!(place(&keeper), KeyHome::Pkcs11(_)));
    assert!(keeper.clear_token(at(1)).unwrap());
    assert_eq!(place(&keeper), KeyHome::Gone);
    assert!(!keeper.clear_token(at(1)).unwrap(), "nothing is left");
    // The token could not be asked: that the key is to be destroyed is not forgotten.
    drop(keeper);
    let keeper = home.keeper();
    let record = keeper.records().iter().find(|record| record.kid == old).unwrap();
    assert_eq!(record.doomed, Some(KeyHome::Pkcs11("estelam-statements-1".into())));
}

#[test]
fn private_half_that_cannot_be_destroyed_at_once_is_destroyed_by_the_next_look() {
    let home = home();
    let old = home.ring().statements().key_id().to_owned();
    let mut keeper = home.keeper();
    let KeyHome::File(name) = keeper.records().iter().find(|record| record.kid == old).unwrap().home.clone() else { panic!() };
    let (file, aside) = (keeper.place.dir.join(&name), keeper.place.dir.join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap();
    keeper.rotate(KeyUse::Statements, RULES, false, at(0)).unwrap();
    let doomed = |keeper: &KeyKeeper| keeper.records().iter().find(|record| record.kid == old).unwrap().doomed.clone();
    assert_eq!(doomed(&keeper), Some(KeyHome::File(name)), "the new key signs, and the old one is not said to be gone");
    drop(keeper);
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    let mut keeper = home.keeper();
    keeper.keep(RULES, at(1)).unwrap();
    assert_eq!(doomed(&keeper), None);
    assert!(!file.exists());
    drop(keeper);
    assert_eq!(doomed(&home.keeper()), None);
}

#[test]
fn checkpoint_key_in_a_token_goes_once_a_running_gateway_signs_with_the_next() {
    let home = home();
    let mut keeper = home.keeper();
    let record = keeper.list.keys.iter_mut().find(|record| record.usage == KeyUse::Checkpoints).unwrap();
    (record.home, record.state, record.signs_until) = (KeyHome::Pkcs11("estelam-checkpoints-1".into()), KeyState::Retired, Some(at(0)));
    assert!(!keeper.clear_token(at(0)).unwrap());
    assert!(keeper.clear_token(at(2)).unwrap());
}

#[test]
fn key_that_verifiers_cannot_know_yet_does_not_sign() {
    let home = home();
    home.keeper().standby(KeyUse::Tokens, false, at(0)).unwrap();
    let early = home.keeper().rotate(KeyUse::Tokens, RULES, false, at(0)).unwrap_err();
    assert!(early.to_string().contains("--now"), "{early}");
    assert!(home.keeper().rotate(KeyUse::Tokens, RULES, false, at(1)).is_ok());
}

#[test]
fn schedule_publishes_first_and_rotates_after_the_overlap() {
    let home = home();
    let begun = home.ring().tokens().key_id().to_owned();
    assert!(home.keeper().keep(RULES, at(0)).unwrap());
    assert_eq!(home.ring().tokens().key_id(), begun, "first the successor is published");
    assert!(!home.keeper().keep(RULES, at(0)).unwrap());
    assert!(home.keeper().keep(RULES, at(1)).unwrap());
    assert_ne!(home.ring().tokens().key_id(), begun);
    assert!(!home.keeper().keep(RULES, at(1)).unwrap(), "nothing more is due");
}

#[test]
fn rehearsal_a_lost_key_stops_the_start_until_the_standby_key_takes_over() {
    let home = home();
    let lost = home.ring().statements().key_id().to_owned();
    fs::remove_file(home.place.dir.join("statements.pem")).unwrap();
    let refused = KeyRing::open_at(&home.place).unwrap_err().to_string();
    assert!(refused.contains("statements.pem") && refused.contains("estelam keys lost"), "{refused}");
    home.keeper().lost(KeyUse::Statements, RULES, at(0)).unwrap();
    assert_ne!(home.ring().statements().key_id(), lost);
    assert!(home.published().contains(&lost), "what it signed stays genuine");
}

#[test]
fn rehearsal_a_compromised_statement_key_is_withdrawn_and_marked() {
    let home = home();
    let stolen = home.ring().statements().key_id().to_owned();
    let under = Compromise { declared: at(0), tree_size: 41, checkpoint: "note".to_owned() };
    home.keeper().compromised(&stolen, under.clone(), RULES, at(0)).unwrap();
    assert_ne!(home.ring().statements().key_id(), stolen);
    assert!(!home.published().contains(&stolen), "no verifier takes it from now on");
    let life = home.ring().published("https://gate.test", &["log".to_owned()]);
    let seen = life.keys.iter().find(|key| key.kid == stolen).unwrap();
    assert_eq!((seen.state, seen.compromised.as_ref()), (KeyState::Compromised, Some(&under)));
    assert!(home.keeper().compromised(&stolen, under, RULES, at(1)).is_err(), "the mark is never moved");
}

#[test]
fn rehearsal_a_compromised_token_key_ends_every_token_of_it() {
    let home = home();
    let stolen = home.ring().tokens().key_id().to_owned();
    let under = Compromise { declared: at(0), tree_size: 0, checkpoint: String::new() };
    let without = home.keeper().compromised(&stolen, under.clone(), RULES, at(0)).unwrap_err();
    assert!(without.to_string().contains("estelam keys standby tokens"), "{without}");
    assert_eq!(home.state(&stolen), KeyState::Active, "refused whole");
    home.keeper().standby(KeyUse::Tokens, false, at(0)).unwrap();
    home.keeper().compromised(&stolen, under, RULES, at(0)).unwrap();
    assert!(!home.published().contains(&stolen));
}

#[test]
fn rehearsal_a_checkpoint_key_changes_and_old_checkpoints_stay_readable() {
    let home = home();
    let old = home.ring().checkpoints().public_key_bytes().to_vec();
    home.keeper().standby(KeyUse::Checkpoints, false, at(0)).unwrap();
    home.keeper().rotate(KeyUse::Checkpoints, RULES, true, at(0)).unwrap();
    assert_ne!(home.ring().checkpoints().public_key_bytes(), old);
    assert!(home.ring().former_checkpoint_keys().iter().any(|key| key.as_slice() == old));
    assert_eq!(home.ring().checkpoints().algorithm(), Algorithm::EdDsa);
}

#[test]
fn rehearsal_a_lost_content_key_is_never_made_anew() {
    let home = home();
    fs::remove_file(home.place.dir.join("content.key")).unwrap();
    let refused = KeyRing::create_or_open_at(&home.place).unwrap_err().to_string();
    assert!(refused.contains("content.key") && refused.contains("backup"), "{refused}");
}

#[test]
fn running_gateway_takes_a_rotation_up() {
    let home = home();
    let store = KeyStore::open(home.place.clone()).unwrap();
    assert!(store.reload(|_| true).unwrap().is_none() && store.look().is_empty());
    home.keeper().rotate(KeyUse::Statements, RULES, true, at(0)).unwrap();
    assert!(store.look().is_empty(), "the next start would go on with what it finds");
    let fresh = store.reload(|_| true).unwrap().unwrap();
    assert_eq!(store.current().statements().key_id(), fresh.statements().key_id());
    assert!(store.look().is_empty() && store.signs());
}

#[test]
fn wrong_missing_weak_and_exposed_secrets_are_refused_with_what_to_do() {
    let home = home();
    let refusal = || KeyRing::open_at(&home.place).unwrap_err().to_string();
    fs::write(&home.place.unlock, "another secret of more than twenty characters").unwrap();
    assert!(refusal().contains("does not open with the secret"), "{}", refusal());
    fs::write(&home.place.unlock, "short").unwrap();
    assert!(refusal().contains("20 characters"));
    fs::remove_file(&home.place.unlock).unwrap();
    assert!(refusal().contains("signing.unlock"));
    assert!(KeyRing::create_or_open_at(&home.place).is_err(), "no new secret beside sealed keys");
    fs::write(&home.place.unlock, "short").unwrap();
    assert!(refusal().contains("chmod go-rwx"), "made by others' rules: {}", refusal());
}

#[test]
fn list_that_is_lost_after_a_rotation_is_missed() {
    let home = home();
    home.keeper().rotate(KeyUse::Statements, RULES, true, at(0)).unwrap();
    fs::remove_file(home.place.dir.join("keys.json")).unwrap();
    assert!(matches!(KeyRing::open_at(&home.place), Err(KeyError::NoList { .. })));
}

#[test]
fn es256_by_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let place = KeyPlace { algorithm: Algorithm::Es256, ..KeyPlace::of(&folder.path().join("keys")) };
    let ring = KeyRing::create_or_open_at(&place).unwrap();
    let algorithms = [ring.tokens(), ring.statements(), ring.checkpoints()].map(|signer| signer.algorithm());
    assert_eq!(algorithms, [Algorithm::Es256, Algorithm::Es256, Algorithm::EdDsa]);
}

#[test]
fn keys_in_the_clear_are_refused_and_can_be_sealed() {
    let home = home();
    let pkcs8 = FileSigner::generate(Algorithm::EdDsa).unwrap();
    fs::write(home.place.dir.join("tokens.pem"), pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8.to_vec()))).unwrap();
    fs::remove_file(home.place.dir.join("keys.json")).unwrap();
    assert!(KeyRing::open_at(&home.place).unwrap_err().to_string().contains("estelam keys seal"));
    KeyRing::create_or_open_at(&home.place).unwrap();
    assert!(fs::read_to_string(home.place.dir.join("tokens.pem")).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    assert!(KeyRing::open_at(&home.place).is_ok());
}
