//! What a code opens, for whom, how often and how long.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};
use crate::core::registry::holder::{NotSent, SealedTrail};

const SCHEME: &str = "amayesh-no";
const HOLDER: &str = "A170000001";

#[derive(Default)]
struct Sent(Mutex<Vec<(String, String)>>);

impl CodeSender for Sent {
    fn send(&self, msisdn: &str, text: &str) -> Result<(), NotSent> {
        self.0.lock().unwrap().push((msisdn.to_owned(), text.to_owned()));
        Ok(())
    }
}

struct Place {
    store: Store,
    desk: HolderDesk,
    sent: Arc<Sent>,
    _dir: tempfile::TempDir,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    crate::registry::import_demo_people(&store, &SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap()).unwrap();
    register(&store, SCHEME, HOLDER, "+989120000001", at(0)).unwrap();
    crate::files::write_new_secret(&dir.path().join(KEY_FILE), STANDARD.encode([7; 32]).as_bytes()).unwrap();
    let sent = Arc::new(Sent::default());
    // The seal of this test is none: the key lies open.
    let open: OpenTrailKey = |_, _, _, sealed| sealed.try_into().ok().map(Zeroizing::new);
    let desk = HolderDesk::open(dir.path(), open, sent.clone()).unwrap();
    Place { store, desk, sent, _dir: dir }
}

impl Place {
    /// Asks for a code; the handle, and the code if a message went out.
    fn begin(&self, value: &str, office: &str, second: i64) -> (String, Option<String>) {
        let asked = CodeRequest { scheme: SCHEME.into(), value: value.into(), office: office.into() };
        let (handle, message) = self.desk.begin(&self.store, &asked, at(second)).unwrap();
        message.iter().for_each(|message| self.desk.send(message));
        let code = message.map(|_| self.sent.0.lock().unwrap().last().unwrap().1.split_once(": ").unwrap().1[..CODE_DIGITS].to_owned());
        (handle, code)
    }

    fn hand_in(&self, handle: &str, code: &str, office: &str, second: i64) -> OpenAnswer {
        let epochs = vec![SealedTrail { epoch: "2026-11-23.1".into(), origin: None, sealed: STANDARD.encode([9; 32]) }];
        let asked = OpenRequest { handle: handle.into(), code: code.into(), office: office.into(), origin: "log".into(), epochs };
        self.desk.hand_in(&self.store, &asked, at(second)).unwrap()
    }
}

#[test]
fn the_right_code_opens_once_and_gives_the_trail_roots_of_this_person_alone() {
    let place = place();
    let (handle, code) = place.begin(HOLDER, "office", 0);
    let code = code.unwrap();
    let opened = place.hand_in(&handle, &code, "office", 599);
    let wanted = URL_SAFE_NO_PAD.encode(TrailRoot::under(&[9; 32], SCHEME, HOLDER).expose());
    assert!(opened.opened);
    assert_eq!((opened.trails.len(), &opened.trails[0].roots), (1, &vec![wanted]));
    assert!(!place.hand_in(&handle, &code, "office", 599).opened, "a second time");
    assert_eq!(place.sent.0.lock().unwrap()[0].0, "+989120000001");
}

#[test]
fn a_code_is_void_after_ten_minutes_for_another_office_and_after_five_wrong_ones() {
    let place = place();
    let (handle, code) = place.begin(HOLDER, "office", 0);
    let code = code.unwrap();
    assert!(!place.hand_in(&handle, &code, "another", 1).opened);
    assert!(!place.hand_in(&handle, &code, "office", 600).opened);
    let (handle, code) = place.begin(HOLDER, "office", 700);
    for _ in 0..CODE_TRIES {
        assert!(!place.hand_in(&handle, "no-code", "office", 701).opened);
    }
    assert!(!place.hand_in(&handle, &code.unwrap(), "office", 702).opened);
}

#[test]
fn nobody_a_protected_record_a_shared_number_and_no_sim_get_a_handle_that_opens_nothing() {
    let place = place();
    let block = |transaction: &rusqlite::Transaction<'_>| -> Result<usize, StoreError> {
        Ok(transaction.execute("UPDATE person SET blocked = 1 WHERE person = 'fx-01'", [])?)
    };
    for value in ["A170009999", "A160000002"] {
        let (handle, code) = place.begin(value, "office", 0);
        assert_eq!((handle.len(), code), (22, None), "{value}");
    }
    place.store.with_writer(block).unwrap();
    assert_eq!(place.begin(HOLDER, "office", 0).1, None);
    let asked = CodeRequest { scheme: "fida".into(), value: "199900000001".into(), office: "office".into() };
    assert!(place.desk.begin(&place.store, &asked, at(0)).unwrap().1.is_none(), "two people");
    assert!(place.sent.0.lock().unwrap().is_empty());
}

#[test]
fn nobody_gets_more_than_three_messages_a_day() {
    let place = place();
    let codes: Vec<bool> = (0..5).map(|second| place.begin(HOLDER, "office", second).1.is_some()).collect();
    assert_eq!(codes, [true, true, true, false, false]);
    assert!(place.begin(HOLDER, "office", 86_400).1.is_some());
}

#[test]
fn a_number_that_others_have_too_is_no_part_of_the_trail() {
    let place = place();
    let shared = place.store.read(|snapshot| -> Result<_, StoreError> {
        let person: i64 = snapshot.query_row("SELECT person FROM identifier WHERE value = '199900000001' LIMIT 1", [], |row| row.get(0))?;
        sims::numbers(snapshot, person)
    });
    assert!(shared.unwrap().iter().all(|number| *number.value != "199900000001"));
}

#[test]
fn desk_whose_key_is_there_and_not_usable_does_not_open_as_if_there_were_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, sent) = (tempfile::tempdir().unwrap(), Arc::new(Sent::default()));
    let open: OpenTrailKey = |_, _, _, _| None;
    let desk = || HolderDesk::open(dir.path(), open, sent.clone()).map(|desk| desk.key.is_some());
    assert!(!desk().unwrap(), "no key, no view");
    let path = dir.path().join(KEY_FILE);
    crate::files::write_new_secret(&path, b"no base64").unwrap();
    assert!(desk().is_err());
    std::fs::write(&path, STANDARD.encode([7; 32])).unwrap();
    assert!(desk().unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(desk().is_err(), "others can reach it");
}
