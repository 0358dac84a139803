//! Every way in which the files can be such that a restart would not have its keys is found, and the keys in memory sign meanwhile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::condition::Condition;
use super::{KeyError, KeyPlace, KeyRing, KeyStore, Unlock};
use crate::core::signing::Signer as _;

struct Home {
    _folder: tempfile::TempDir,
    place: KeyPlace,
    store: KeyStore,
}

fn home() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let place = KeyPlace::of(&folder.path().join("keys"));
    KeyRing::create_or_open_at(&place).unwrap();
    let store = KeyStore::open(place.clone()).unwrap();
    Home { _folder: folder, place, store }
}

impl Home {
    /// Does something to a file, which must be found, and undoes it, which must be found too.
    fn finds(&self, path: &Path, of_contents: bool, damage: impl FnOnce(&Path)) {
        assert!(self.store.look().is_empty());
        let (bytes, mode) = (fs::read(path).unwrap(), fs::metadata(path).unwrap().permissions());
        damage(path);
        let faults = self.store.look();
        let found =
            faults.iter().find(|fault| fault.path == path).unwrap_or_else(|| unreachable!("{} is not found: {faults:?}", path.display()));
        assert_eq!(found.of_contents, of_contents, "{found:?}");
        assert!(found.why.contains(path.file_name().unwrap().to_str().unwrap()), "{found:?}");
        assert_eq!(self.store.faults(), faults, "as it was seen last");
        assert!(self.store.signs() && self.store.current().statements().sign(b"answer").is_ok(), "the keys are in memory");
        let _ = fs::remove_file(path);
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, mode).unwrap();
        assert!(self.store.look().is_empty(), "put back");
    }
}

#[test]
fn file_that_is_gone_reachable_by_others_or_damaged_is_found() {
    let home = home();
    let of = |name: &str| home.place.dir.join(name);
    let unlock = home.place.unlock.clone();
    for (path, of_contents) in [
        (of("tokens.pem"), false),
        (of("statements.pem"), false),
        (of("statements.standby.pem"), false),
        (of("checkpoints.pem"), false),
        (of("content.key"), true),
        (unlock, true),
    ] {
        home.finds(&path, of_contents, |path| fs::remove_file(path).unwrap());
        home.finds(&path, of_contents, |path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap());
        home.finds(&path, of_contents, |path| fs::write(path, "half").unwrap());
    }
    home.finds(&of("keys.json"), false, |path| fs::write(path, "[").unwrap());
}

#[test]
fn file_with_another_key_is_found() {
    let home = home();
    let mine = home.place.dir.join("tokens.pem");
    home.finds(&mine, false, |path| assert!(fs::copy(home.place.dir.join("statements.pem"), path).is_ok()));
    let sealed = Unlock::read(&home.place.unlock).unwrap().seal_content(&[7; 32]).unwrap();
    home.finds(&home.place.dir.join("content.key"), true, |path| fs::write(path, sealed.as_bytes()).unwrap());
}

#[test]
fn folder_that_is_gone_is_found_and_so_is_its_return() {
    let home = home();
    let aside = home.place.dir.with_extension("aside");
    fs::rename(&home.place.dir, &aside).unwrap();
    assert!(home.store.look().iter().any(|fault| fault.of_contents) && home.store.signs());
    fs::rename(&aside, &home.place.dir).unwrap();
    assert!(home.store.look().is_empty());
}

/// A secret that a person thought of takes some 80 ms and 32 MiB a try, on a machine that answers meanwhile.
#[test]
fn file_that_does_not_open_is_tried_again_once_it_or_what_it_should_be_has_changed() {
    let home = home();
    let (path, unlock) = (home.place.dir.join("tokens.pem"), Unlock::read(&home.place.unlock).unwrap());
    let (mut condition, mut tries) = (Condition::default(), 0);
    let mut look = |should_be: &[u8], opens: bool| {
        let outcome = condition.outcome(&path, Some(&unlock), should_be, |_, _| {
            tries += 1;
            if opens { Ok(()) } else { Err(KeyError::OtherKey { path: path.clone() }) }
        });
        (outcome.is_none(), tries)
    };
    assert_eq!([look(b"one", false), look(b"one", false), look(b"one", true)], [(false, 1); 3]);
    assert_eq!([look(b"other", true), look(b"other", true)], [(true, 2); 2]);
    fs::write(&path, "half").unwrap();
    assert_eq!([look(b"other", false), look(b"other", true)], [(false, 3); 2]);
}
