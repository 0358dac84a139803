//! The claims about authority over the rules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod deferrals;
mod elsewhere;
mod owners;
mod purge_grounds;
mod purge_orders;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::adapters::keys::FileSigner;
use crate::adapters::policy_files::install;
use crate::app::holds::Holds;
use crate::config::template;
use crate::core::ledger::retention::{Hold, Step};
use crate::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt};
use crate::core::signing::Algorithm;
use crate::registry::decrees::OfficialKey;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-11-24T10:00:00Z".parse().unwrap()
    }
}

/// Keeps codes of entries, or refuses.
#[derive(Default)]
struct Book {
    codes: Mutex<Vec<String>>,
    broken: bool,
}

#[async_trait]
impl Ledger for Book {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        if self.broken {
            return Err(LedgerUnavailable("the disk is full"));
        }
        self.codes.lock().unwrap().push(entry.content.code.unwrap().into_owned());
        Ok(Receipt { index: 0 })
    }

    fn origin(&self) -> &'static str {
        "test"
    }
}

struct Home {
    dir: tempfile::TempDir,
    config: Config,
    keys: Vec<OfficialKey>,
    books: Mutex<Vec<Arc<dyn Ledger>>>,
}

fn new_key() -> OfficialKey {
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", FileSigner::generate(Algorithm::EdDsa).unwrap().to_vec()));
    OfficialKey::from_pem(pem.as_bytes()).unwrap()
}

fn official(id: &str, key: &OfficialKey, to: &str) -> String {
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], key.public()].concat();
    format!("[[official]]\nid = \"{id}\"\nrole = \"director\"\nkey = \"{}\"\nfrom = \"2026-01-01\"\nto = \"{to}\"\n", STANDARD.encode(spki))
}

fn first_officials(keys: &[OfficialKey]) -> String {
    let terms = [("one", "2027-01-01"), ("two", "2027-01-01"), ("gone", "2026-02-01"), ("left", "2026-02-01")];
    let people: Vec<_> = terms.iter().zip(keys).map(|((name, to), key)| official(name, key, to)).collect();
    format!("quorum = 2\n{}", people.concat())
}

fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<_> = (0..4).map(|_| new_key()).collect();
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let text =
        template(address, address, address, 1, 1).replace("demo = true", "demo = false").replace("officer_key = ", "# officer_key = ");
    let config = Config::parse(&text, &dir.path().join("estelam.toml")).unwrap();
    install(&config.policies).unwrap();
    std::fs::create_dir_all(&config.ledger.dir).unwrap();
    AuthorityFolder::of(&config).init("officials.toml", &first_officials(&keys)).unwrap();
    Home { dir, config, keys, books: Mutex::default() }
}

impl Home {
    fn folder(&self) -> AuthorityFolder {
        AuthorityFolder::of(&self.config)
    }

    fn version(&self) -> String {
        PolicyStore::open(&self.config.policies).unwrap().current().version.to_string()
    }

    fn proposal(&self, kind: Kind, hash: String, previous: Option<String>) -> Approval {
        let officials = self.folder().officials(FixedClock.now()).unwrap().hash;
        let issuer = Some(self.config.issuer.clone());
        Approval { proposal: Proposal { kind, issuer, hash, previous, officials, at: FixedClock.now() }, signatures: Vec::new() }
    }

    fn signed(&self, mut approval: Approval, by: &[usize]) -> Approval {
        let present = self.folder().officials(FixedClock.now()).unwrap();
        for official in by {
            approval.sign(&present.file, &self.keys[*official], FixedClock.now()).unwrap();
        }
        approval
    }

    fn approve(&self, by: &[usize]) {
        let previous = self.folder().in_force().unwrap().and_then(|last| last.policies);
        let approval = self.proposal(Kind::Policies, self.version(), previous);
        self.folder().put_policies(&self.signed(approval, by)).unwrap();
    }

    /// Acts upon a book, which stays open.
    fn acts(&self, book: Arc<Book>) -> Result<Arc<Acts>, StartError> {
        let ledger: Arc<dyn Ledger> = book;
        self.books.lock().unwrap().push(ledger.clone());
        Acts::open(&self.config.ledger.dir, &ledger, Arc::new(FixedClock))
    }

    async fn start(&self, ledger: Arc<Book>) -> Result<Arc<PolicyStore>, StartError> {
        let store = PolicyStore::open(&self.config.policies).unwrap();
        let acts = self.acts(ledger)?;
        guard(&self.config, &store, acts, Arc::new(FixedClock)).await.map(|()| store)
    }

    fn change(&self, note: &str) {
        let path = self.config.policies.join("services.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\n# {note}\n")).unwrap();
    }
}

/// As the watch does: on a thread of its own, while the runtime runs.
async fn reload(store: &Arc<PolicyStore>) -> Result<(), Vec<LoadError>> {
    let store = store.clone();
    tokio::task::spawn_blocking(move || store.reload().map(drop)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_policies_keep_the_gateway_from_starting() {
    let home = home();
    let error = home.start(Arc::default()).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("nobody signed") && error.contains("estelam officials"), "{error}");
    home.approve(&[0]);
    assert!(home.start(Arc::default()).await.map(drop).unwrap_err().to_string().contains("1 of 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_policies_take_effect_after_their_entry_and_never_without() {
    let home = home();
    home.approve(&[0, 1]);
    let broken = Arc::new(Book { broken: true, ..Book::default() });
    assert!(home.start(broken).await.is_err());
    assert_eq!(home.folder().in_force().unwrap(), None);
    let book = Arc::new(Book::default());
    home.start(book.clone()).await.unwrap();
    assert_eq!(*book.codes.lock().unwrap(), ["officials-activated", "policies-activated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_signed_change_leaves_the_old_rules_in_force_and_nobody_goes_back() {
    let home = home();
    home.approve(&[0, 1]);
    let store = home.start(Arc::default()).await.unwrap();
    let old = home.version();
    home.change("later");
    home.approve(&[1]);
    assert!(reload(&store).await.is_err());
    assert_eq!(*store.current().version, *old);
    home.approve(&[0, 1]);
    reload(&store).await.unwrap();
    assert_ne!(*store.current().version, *old);
    let path = home.config.policies.join("services.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.strip_suffix("\n# later\n").unwrap()).unwrap();
    assert_eq!(home.version(), old);
    assert!(reload(&store).await.unwrap_err()[0].to_string().contains("follow other rules"));
}

#[test]
fn one_key_twice_and_officials_out_of_office_and_strangers_are_refused() {
    let home = home();
    let present = home.folder().officials(FixedClock.now()).unwrap();
    let mut approval = home.signed(home.proposal(Kind::Policies, home.version(), None), &[0]);
    assert!(approval.sign(&present.file, &home.keys[0], FixedClock.now()).unwrap_err().contains("signed this already"));
    assert!(approval.sign(&present.file, &home.keys[2], FixedClock.now()).unwrap_err().contains("not today"));
    assert!(approval.sign(&present.file, &new_key(), FixedClock.now()).unwrap_err().contains("no official"));
    approval.signatures.push(approval.signatures[0].clone());
    assert!(approval.signers(&present.file, FixedClock.now()).unwrap_err().contains("twice"));
}

#[test]
fn signatures_over_another_file_or_kind_are_refused() {
    let home = home();
    let present = home.folder().officials(FixedClock.now()).unwrap();
    let good = home.signed(home.proposal(Kind::Policies, home.version(), None), &[0, 1]);
    let judged = |approval: &Approval, kind, hash: &str| judge(approval, kind, hash, &present, None, FixedClock.now());
    assert!(judged(&good, Kind::Policies, &home.version()).is_ok());
    assert!(judged(&good, Kind::Policies, "sha256:00").is_err());
    assert!(judged(&good, Kind::Officials, &home.version()).is_err());
    let mut moved = good;
    moved.proposal.hash = "sha256:00".to_owned();
    assert!(judged(&moved, Kind::Policies, "sha256:00").unwrap_err().contains("does not hold"));
}

#[tokio::test(flavor = "multi_thread")]
async fn officials_change_only_by_a_quorum_of_those_present_and_never_go_back() {
    let home = home();
    home.approve(&[0, 1]);
    home.start(Arc::default()).await.unwrap();
    let first = home.folder().officials(FixedClock.now()).unwrap().hash;
    let text = format!("previous = \"{first}\"\n{}# second\n", first_officials(&home.keys));
    let proposal = home.proposal(Kind::Officials, version_of(text.as_bytes()), Some(first));
    let half = home.signed(proposal.clone(), &[0]);
    assert!(home.folder().put_officials(&text, &half, FixedClock.now()).is_err());
    assert_eq!(home.folder().officials(FixedClock.now()).unwrap().version, 1);
    home.folder().put_officials(&text, &home.signed(proposal, &[0, 1]), FixedClock.now()).unwrap();
    home.approve(&[0, 1]);
    let book = Arc::new(Book::default());
    home.start(book.clone()).await.unwrap();
    assert_eq!(*book.codes.lock().unwrap(), ["officials-activated", "policies-activated"]);
    remove_version(home.dir.path());
    assert!(home.folder().officials(FixedClock.now()).unwrap_err().contains("missing"));
}

/// Writes version 2 as somebody does who has the disk, proposed and signed at an instant by these.
fn slip_in(home: &Home, at: &str, by: &[usize]) -> Result<Present, String> {
    let first = AuthorityFolder::of(&home.config).officials(FixedClock.now()).unwrap();
    let text = format!("previous = \"{}\"\n{}# second\n", first.hash, first_officials(&home.keys));
    let mut approval = home.proposal(Kind::Officials, version_of(text.as_bytes()), Some(first.hash.clone()));
    approval.proposal.at = at.parse().unwrap();
    for official in by {
        approval.sign(&first.file, &home.keys[*official], approval.proposal.at).unwrap();
    }
    let folder = home.dir.path().join("policies/authority/officials");
    std::fs::write(folder.join("0002.json"), serde_json::to_vec(&approval).unwrap()).unwrap();
    std::fs::write(folder.join("0002.toml"), text).unwrap();
    let found = home.folder().officials(FixedClock.now());
    for file in ["0002.json", "0002.toml"] {
        std::fs::remove_file(folder.join(file)).unwrap();
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn former_officials_do_not_come_back_by_dating_a_change_into_their_terms() {
    let home = home();
    home.approve(&[0, 1]);
    home.start(Arc::default()).await.unwrap();
    let said = slip_in(&home, "2026-01-15T00:00:00Z", &[2, 3]).unwrap_err();
    assert!(said.contains("officials 2") && said.contains("before what it replaces was in force"), "{said}");
    // The same before anything was recorded, when nobody knows since when the first are in force.
    std::fs::remove_file(home.config.ledger.dir.join("authority.json")).unwrap();
    assert!(slip_in(&home, "2026-01-15T00:00:00Z", &[2, 3]).unwrap_err().contains("not in office"));
    assert!(slip_in(&home, "2026-11-24T10:01:00Z", &[0, 1]).unwrap_err().contains("still to come"));
    assert_eq!(slip_in(&home, "2026-11-24T10:00:00Z", &[0, 1]).unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_from_before_the_rules_in_force_does_not_count_again() {
    let home = home();
    home.approve(&[0, 1]);
    let store = home.start(Arc::default()).await.unwrap();
    home.change("later");
    let mut old = home.proposal(Kind::Policies, home.version(), home.folder().in_force().unwrap().unwrap().policies);
    old.proposal.at = "2026-11-24T09:59:00Z".parse().unwrap();
    home.folder().put_policies(&home.signed(old, &[0, 1])).unwrap();
    let said = reload(&store).await.unwrap_err()[0].to_string();
    assert!(said.contains("before what it replaces was in force"), "{said}");
    home.approve(&[0, 1]);
    reload(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn former_officials_begin_no_hold() {
    let home = home();
    let (now, then) = (FixedClock.now(), "2026-01-15T00:00:00Z".parse().unwrap());
    let holds = Holds::of(&home.config, now).unwrap();
    std::fs::create_dir_all(&home.config.ledger.holds).unwrap();
    holds.add(hold(), &home.keys[2], then).unwrap();
    holds.approve("court-1", Step::Begin, &home.keys[3], then).unwrap();
    let book = Arc::new(Book::default());
    let acts = home.acts(book.clone()).unwrap();
    assert!(holds.take_up(&acts, now).await.unwrap_err().to_string().contains("not in office"));
    assert!(book.codes.lock().unwrap().is_empty());
}

fn remove_version(dir: &Path) {
    std::fs::remove_file(dir.join("policies/authority/officials/0002.toml")).unwrap();
}

#[test]
fn mistakes_in_officials_toml_are_told_with_their_line() {
    let keys: Vec<_> = (0..4).map(|_| new_key()).collect();
    let text = first_officials(&keys);
    let wrong = |text: &str| OfficialsFile::parse("officials.toml", text).unwrap_err();
    assert!(wrong(&text.replace("quorum = 2", "quorum = 1")).starts_with("officials.toml:1: `quorum`"));
    let repeated = format!("quorum = 2\n{}{}", official("one", &keys[0], "2027-01-01"), official("two", &keys[0], "2027-01-01"));
    assert!(wrong(&repeated).starts_with("officials.toml:8: repeats"), "{}", wrong(&repeated));
    assert!(wrong(&text.replace("role =", "rule =")).starts_with("officials.toml:"));
}

fn hold() -> Hold {
    serde_json::from_str(r#"{"id":"court-1","reason":"order 1","from":"2026-01-01","to":"2026-01-31","until":"2027-01-01"}"#).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_a_demo_officials_in_office_begin_and_end_holds_and_nobody_else() {
    let home = home();
    let now = FixedClock.now();
    let dir = &home.config.ledger.holds;
    // Keys that an operator put beside the holds count for nothing.
    let enrolled = new_key();
    crate::registry::decrees::Officials::enrol(dir, "operator", &enrolled).unwrap();
    let holds = Holds::of(&home.config, now).unwrap();
    for stranger in [&enrolled, &home.keys[2]] {
        assert!(holds.add(hold(), stranger, now).unwrap_err().to_string().contains("officials who are in office"));
    }
    let book = Arc::new(Book::default());
    let acts = home.acts(book.clone()).unwrap();
    holds.add(hold(), &home.keys[0], now).unwrap();
    assert_eq!(holds.take_up(&acts, now).await.unwrap(), []);
    holds.approve("court-1", Step::Begin, &home.keys[1], now).unwrap();
    let later = "2027-06-01T00:00:00Z".parse().unwrap();
    assert!(holds.take_up(&acts, later).await.is_err(), "who is out of office begins no hold");
    assert_eq!(holds.take_up(&acts, now).await.unwrap(), [hold()]);
    for key in &home.keys[..2] {
        holds.approve("court-1", Step::End, key, now).unwrap();
    }
    assert_eq!(holds.take_up(&acts, later).await.unwrap(), [hold()], "who is out of office ends no hold");
    assert_eq!(holds.take_up(&acts, now).await.unwrap(), []);
    assert_eq!(*book.codes.lock().unwrap(), ["hold-begun", "hold-released"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_that_cannot_be_recorded_or_was_changed_stops_every_deletion() {
    let home = home();
    let now = FixedClock.now();
    let holds = Holds::of(&home.config, now).unwrap();
    std::fs::create_dir_all(&home.config.ledger.holds).unwrap();
    holds.add(hold(), &home.keys[0], now).unwrap();
    holds.approve("court-1", Step::Begin, &home.keys[1], now).unwrap();
    let broken = home.acts(Arc::new(Book { broken: true, ..Book::default() })).unwrap();
    assert!(holds.take_up(&broken, now).await.unwrap_err().to_string().contains("nothing is deleted"));
    let acts = home.acts(Arc::default()).unwrap();
    assert_eq!(holds.take_up(&acts, now).await.unwrap(), [hold()]);
    // Another hold under the same name, signed by the same two: shorter than what the log knows.
    std::fs::remove_file(home.config.ledger.holds.join("court-1.json")).unwrap();
    assert!(holds.take_up(&acts, now).await.unwrap_err().to_string().contains("the hold is gone"));
    holds.add(Hold { to: "2026-01-02".parse().unwrap(), ..hold() }, &home.keys[0], now).unwrap();
    holds.approve("court-1", Step::Begin, &home.keys[1], now).unwrap();
    assert!(holds.take_up(&acts, now).await.unwrap_err().to_string().contains("it is not the hold that was recorded"));
}
