//! The claims about recording acts: nothing refused gets into the log, what closes waits for nothing, and no task waits for itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::adapters::cutoff::CutOffList;
use crate::adapters::keys::{KeyKeeper, KeyPlace, KeyRing, KeyStore, KeyUse, Rules};
use crate::core::ledger::Receipt;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-24T10:00:00Z".parse().unwrap()
    }
}

/// When the keys of these tests are due.
struct Later;

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(4_000_000_000).unwrap()
    }
}

/// Keeps codes of entries, as many as it takes; and may hang until it is told to go on.
struct Book {
    codes: StdMutex<Vec<String>>,
    takes: AtomicUsize,
    came: Notify,
    hangs: Option<Notify>,
}

impl Book {
    fn taking(takes: usize) -> Arc<Self> {
        Arc::new(Self { codes: StdMutex::default(), takes: AtomicUsize::new(takes), came: Notify::new(), hangs: None })
    }

    fn hanging() -> Arc<Self> {
        Arc::new(Self { codes: StdMutex::default(), takes: AtomicUsize::new(99), came: Notify::new(), hangs: Some(Notify::new()) })
    }

    fn codes(&self) -> Vec<String> {
        self.codes.lock().unwrap().clone()
    }
}

#[async_trait]
impl Ledger for Book {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        self.came.notify_one();
        if let Some(go_on) = &self.hangs {
            go_on.notified().await;
        }
        let takes = self.takes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        takes.map_err(|_| LedgerUnavailable("the disk is full"))?;
        self.codes.lock().unwrap().push(entry.content.code.unwrap().into_owned());
        Ok(Receipt { index: 0 })
    }

    fn origin(&self) -> &'static str {
        "test"
    }
}

/// Acts upon a book, with the folder that must stay.
fn acts(book: &Arc<Book>) -> (Arc<Acts>, tempfile::TempDir, Arc<dyn Ledger>) {
    let dir = tempfile::tempdir().unwrap();
    let ledger: Arc<dyn Ledger> = book.clone();
    (Acts::open(dir.path(), &ledger, Arc::new(Noon)).unwrap(), dir, ledger)
}

fn act(code: &'static str) -> Act {
    Act::new("test", code, OPERATOR)
}

fn list(edit: impl Fn(&mut CutOffList)) -> CutOffList {
    let mut list = CutOffList::default();
    edit(&mut list);
    list
}

#[tokio::test]
async fn an_act_that_is_refused_is_not_recorded_later() {
    let book = Book::taking(1);
    let (acts, _dir, _ledger) = acts(&book);
    acts.record_soon(vec![act("closed")], |_| ());
    assert!(acts.record(act("opened"), |known| known.policies = Some("next".to_owned())).await.is_err());
    assert_eq!(acts.known(), Known::default());
    book.takes.store(9, Ordering::Relaxed);
    acts.record(act("opened-at-last"), |_| ()).await.unwrap();
    assert_eq!(book.codes(), ["closed", "opened-at-last"]);
}

#[tokio::test]
async fn of_several_openings_each_takes_effect_with_its_entry_and_none_is_recorded_twice() {
    let book = Book::taking(1);
    let (acts, _dir, _ledger) = acts(&book);
    let old = list(|list| ["bank", "school"].iter().for_each(|agency| list.suspend(agency, None, Noon.now())));
    let new = list(|list| {
        list.clone_from(&old);
        assert!(list.resume("bank", None) && list.resume("school", None));
    });
    let half = acts.cut_off_opens(&old, &new).await;
    assert!(!half.agencies["bank"].suspended && half.agencies["school"].suspended);
    book.takes.store(9, Ordering::Relaxed);
    assert_eq!(acts.cut_off_opens(&half, &new).await, new);
    assert_eq!(book.codes(), ["agency-resumed", "agency-resumed"]);
}

#[tokio::test]
async fn a_branchs_suspension_is_one_act_and_what_opens_again_is_recorded_with_its_tokens_apart() {
    let book = Book::taking(9);
    let (acts, _dir, _ledger) = acts(&book);
    let later = Timestamp::from_second(Noon.now().as_second() + 60).unwrap();
    let (none, cut) = (CutOffList::default(), list(|list| list.suspend("bank", Some("north"), Noon.now())));
    let again = list(|list| list.suspend("bank", Some("north"), later));
    let closed = |old: &CutOffList, new: &CutOffList| {
        let closing = cut_off::between(old, new).closing.into_iter();
        closing.map(|act| (act.code, act.branch)).collect::<Vec<_>>()
    };
    let north = Some("north".to_owned());
    assert_eq!(closed(&none, &cut), [("branch-suspended", north.clone())], "its tokens are no act beside it");
    assert_eq!(closed(&cut, &again), [("tokens-killed", north)]);
    let resumed = list(|list| {
        list.clone_from(&cut);
        assert!(list.resume("bank", Some("north")));
    });
    assert_eq!(acts.cut_off_opens(&cut, &resumed).await, resumed);
    assert_eq!(acts.cut_off_opens(&resumed, &none).await, none);
    assert_eq!(book.codes(), ["branch-resumed", "tokens-restored"]);
}

#[tokio::test]
async fn what_closes_waits_neither_for_a_log_that_hangs_nor_for_an_act_that_does() {
    let book = Book::hanging();
    let (acts, _dir, _ledger) = acts(&book);
    let opening = tokio::spawn({
        let acts = acts.clone();
        async move { acts.record(act("opened"), |_| ()).await }
    });
    book.came.notified().await;
    let cut = list(|list| list.suspend("bank", None, Noon.now()));
    // Neither of these is awaited.
    acts.cut_off_closed(&CutOffList::default(), &cut);
    acts.record_soon(vec![act("closed")], |_| ());
    assert_eq!((book.codes(), acts.known().cut_off), (Vec::new(), cut));
    let (end, ends) = watch::channel(false);
    let keeper = tokio::spawn(acts.clone().keep(ends));
    for _ in 0..2 {
        book.hangs.as_ref().unwrap().notify_one();
        book.came.notified().await;
    }
    opening.await.unwrap().unwrap();
    end.send_replace(true);
    // Told to end in the middle of an entry: it makes it, and no second one.
    book.hangs.as_ref().unwrap().notify_one();
    keeper.await.unwrap();
    assert_eq!(book.codes(), ["opened", "agency-suspended", "closed"]);
}

fn key_place(dir: &std::path::Path) -> KeyPlace {
    let keys = dir.join("keys");
    KeyRing::create_or_open(&keys).unwrap();
    KeyPlace::of(&keys)
}

#[tokio::test]
async fn a_key_act_that_waits_is_not_recorded_twice() {
    let book = Book::taking(0);
    let (acts, dir, _ledger) = acts(&book);
    let place = key_place(dir.path());
    let ring = || KeyStore::open(place.clone()).unwrap().current();
    book.takes.store(9, Ordering::Relaxed);
    assert!(acts.keys_changed(ring().records(), OPERATOR).await, "what is there at first is no change");
    book.takes.store(0, Ordering::Relaxed);
    let rules = Rules { rotate_after: None, overlap: jiff::SignedDuration::ZERO, checkable: jiff::SignedDuration::from_hours(24) };
    KeyKeeper::open(place.clone()).unwrap().lost(KeyUse::Statements, rules, Noon.now()).unwrap();
    for _ in 0..2 {
        // Two readings during the outage.
        acts.keys_changed(ring().records(), OPERATOR).await;
    }
    book.takes.store(9, Ordering::Relaxed);
    acts.record(None, |_| ()).await.unwrap();
    assert_eq!(book.codes(), ["key-lost"]);
}

/// The process runs on one thread; a task of it holds the record when keys are due.
#[test]
fn a_scheduled_rotation_does_not_stop_the_thread_that_its_record_waits_for() {
    let (done, ends) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        done.send(runtime.block_on(rotate_while_a_task_records())).unwrap();
    });
    // The bound only ends a test that would hang for ever.
    let codes = ends.recv_timeout(Duration::from_secs(60)).expect("the runtime's one thread waits for itself");
    assert_eq!(codes, ["opened", "key-rotated"]);
}

async fn rotate_while_a_task_records() -> Vec<String> {
    let book = Book::hanging();
    let (acts, dir, _ledger) = acts(&book);
    let place = key_place(dir.path());
    let keys = Arc::new(KeyStore::open(place.clone()).unwrap());
    let first = super::keys::known_of(keys.current().records());
    acts.queue().recorded(&(Box::new(move |known: &mut Known| known.keys = Some(first.clone())) as Mark));
    let opening = tokio::spawn({
        let acts = acts.clone();
        async move { acts.record(act("opened"), |_| ()).await }
    });
    book.came.notified().await;
    let day = jiff::SignedDuration::from_hours(24);
    let rules = Rules { rotate_after: Some(day), overlap: day, checkable: day };
    let (begun, begins) = tokio::sync::oneshot::channel();
    let (users, begun) = ((acts.clone(), keys.clone()), StdMutex::new(Some(begun)));
    let take_up = move || {
        begun.lock().unwrap().take().into_iter().for_each(|begun| _ = begun.send(()));
        let (acts, keys) = &users;
        keys.reload(|ring| acts.wait(acts.keys_changed(ring.records(), GATEWAY)).unwrap()).unwrap();
    };
    let keeper = tokio::spawn(crate::app::keys::keep(take_up, place, rules, Arc::new(Later)));
    begins.await.unwrap();
    // The keys wait for the record, which a task of this thread holds.
    book.hangs.as_ref().unwrap().notify_one();
    opening.await.unwrap().unwrap();
    book.came.notified().await;
    book.hangs.as_ref().unwrap().notify_one();
    while book.codes().len() < 2 {
        tokio::task::yield_now().await;
    }
    keeper.abort();
    book.codes()
}
