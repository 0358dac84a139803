//! The claims about whose signatures put a decree in force here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::net::SocketAddr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::adapters::clock::ManualClock;
use crate::adapters::keys::FileSigner;
use crate::adapters::registry::NewDecrees;
use crate::config::template;
use crate::core::domain::service::{SHIPPED_SERVICES, ServiceCatalogue};
use crate::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt};
use crate::core::signing::Algorithm;
use crate::registry::decrees::{self, OfficialKey, Officials, served};
use crate::registry::store::Store;

const NOW: &str = "2026-11-24T10:00:00Z";
/// The officials of the gateway and their last days.
const LISTED: [(&str, &str); 3] = [("one", "2027-01-01"), ("two", "2027-01-01"), ("gone", "2026-06-30")];
/// What the registry calls them, and two whom the gateway does not know.
const KNOWN_AS: [&str; 5] = ["alpha", "beta", "gamma", "stranger-1", "stranger-2"];

/// Keeps what each entry says, with its code.
#[derive(Default)]
struct Book(Mutex<Vec<(String, Value)>>);

#[async_trait]
impl Ledger for Book {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        let details = serde_json::from_str(entry.content.basis.as_deref().unwrap()).unwrap();
        self.0.lock().unwrap().push((entry.content.code.unwrap().into_owned(), details));
        Ok(Receipt { index: 0 })
    }

    fn origin(&self) -> &'static str {
        "test"
    }
}

/// A registry whose officials are of its own making, and a gateway.
struct Office {
    dir: tempfile::TempDir,
    config: Config,
    store: Store,
    keys: Vec<OfficialKey>,
    clock: Arc<ManualClock>,
    book: Arc<Book>,
    acts: Arc<Acts>,
    judge: Arc<DecreeJudge>,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn new_key() -> OfficialKey {
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", FileSigner::generate(Algorithm::EdDsa).unwrap().to_vec()));
    OfficialKey::from_pem(pem.as_bytes()).unwrap()
}

fn official((id, to): (&str, &str), key: &OfficialKey) -> String {
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], key.public()].concat();
    format!("[[official]]\nid = \"{id}\"\nrole = \"director\"\nkey = \"{}\"\nfrom = \"2026-01-01\"\nto = \"{to}\"\n", STANDARD.encode(spki))
}

fn office(demo: bool) -> Office {
    let dir = tempfile::tempdir().unwrap();
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let text = template(address, address, address, 1, 1);
    let text = if demo { text } else { text.replace("demo = true", "demo = false").replace("officer_key = ", "# officer_key = ") };
    let config = Config::parse(&text, &dir.path().join("estelam.toml")).unwrap();
    std::fs::create_dir_all(&config.ledger.dir).unwrap();
    let keys: Vec<_> = KNOWN_AS.iter().map(|_| new_key()).collect();
    for (name, key) in KNOWN_AS.iter().zip(&keys) {
        Officials::enrol(dir.path(), name, key).unwrap();
    }
    if !demo {
        let officials: String = LISTED.into_iter().zip(&keys).map(|(listed, key)| official(listed, key)).collect();
        AuthorityFolder::of(&config).init("officials.toml", &format!("quorum = 2\n{officials}")).unwrap();
    }
    let (clock, book) = (Arc::new(ManualClock::new(at(NOW))), Arc::new(Book::default()));
    let ledger: Arc<dyn Ledger> = book.clone();
    let acts = Acts::open(&config.ledger.dir, &ledger, clock.clone()).unwrap();
    let judge = DecreeJudge::of(&config, acts.clone(), clock.clone());
    Office { store: Store::open(dir.path()).unwrap(), dir, config, keys, clock, book, acts, judge }
}

impl Office {
    fn known(&self) -> Officials {
        Officials::load(self.dir.path()).unwrap()
    }

    /// Has the registry put a decree in force, as it lets two of its own officials do.
    fn approve(&self, id: &str, [one, other]: [usize; 2], when: &str) {
        let file = self.dir.path().join("decree.toml");
        let text = format!(
            "[[decree]]\nid = \"{id}\"\nauthority = \"ministry-of-interior\"\nissued_on = \"1404/10/11\"\nknown_from = \"1404/10/11\"\n\
             effective_from = \"1404/10/11\"\nselect = [{{ kind = \"amayesh\", series = 16 }}]\nservices = \"all\"\neffect = \"extend\"\n\
             text.fa = \"برای آزمون\"\ntext.en = \"for a test\"\n"
        );
        std::fs::write(&file, text).unwrap();
        let services = ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap();
        decrees::add(&self.store, &self.known(), &services, &file, &self.keys[one]).unwrap();
        decrees::approve(&self.store, &self.known(), id, &self.keys[other], &ManualClock::new(at(when))).unwrap();
    }

    fn rescind(&self, id: &str, by: [usize; 2]) {
        for key in by {
            decrees::rescind(&self.store, &self.known(), id, &self.keys[key], &*self.clock).unwrap();
        }
    }

    fn answer(&self) -> DecreesAnswer {
        served(&self.store, &self.known()).unwrap().answer(self.clock.now()).unwrap()
    }

    fn judged(&self) -> SignedDecrees {
        self.judge.judge(&self.answer())
    }

    /// What is wrong with the one approval or rescission that is not signed.
    #[track_caller]
    fn wrong(&self, answer: &DecreesAnswer) -> (String, Step, &'static str) {
        let unsigned = self.judge.judge(answer).unsigned;
        let [Unsigned { id, step, why }] = &unsigned[..] else { panic!("exactly one is wrong: {unsigned:?}") };
        (id.clone(), *step, *why)
    }

    /// Lets the list take effect; the entries that it made.
    async fn take_up(&self) -> Vec<(String, Value)> {
        let (answer, seen) = (self.answer(), self.book.0.lock().unwrap().len());
        let signed = self.judge.judge(&answer);
        assert_eq!(signed.unsigned, []);
        let standing = answer.decrees.iter().map(|decree| (decree.id.clone(), decree.rescinded_at.is_some())).collect();
        let activate = activation(&self.config, self.acts.clone(), self.clock.clone());
        activate(NewDecrees { version: answer.version, standing, signed }).await.unwrap();
        self.book.0.lock().unwrap().split_off(seen)
    }
}

fn names(two: [&str; 2]) -> [String; 2] {
    two.map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_officials_of_the_gateway_put_a_decree_in_force_and_the_entry_names_them_by_its_own_list() {
    let office = office(false);
    office.approve("d9", [0, 1], NOW);
    let signed = office.judged();
    assert_eq!(signed.unsigned, []);
    assert_eq!((&signed.by["d9"].approval, &signed.by["d9"].rescission), (&names(["one", "two"]), &None));
    let hash = signed.by["d9"].hash.clone();
    let entries = office.take_up().await;
    let [(officials, _), (code, entry)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((officials.as_str(), code.as_str()), ("officials-activated", "decrees-activated"), "whoever signed is on record before");
    assert_eq!(entry["added"], json!([{"id": "d9", "hash": hash, "signers": ["one", "two"]}]));
    assert_eq!((hash.len(), entry.get("demo")), ("sha256:".len() + 64, None));
    assert_eq!(office.take_up().await, [], "the same list is recorded once");
    office.rescind("d9", [1, 0]);
    let entries = office.take_up().await;
    assert_eq!(entries[0].1["rescinded"], json!([{"id": "d9", "hash": hash, "signers": ["two", "one"]}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_registry_invented_put_no_decree_in_force_and_rescind_none() {
    let office = office(false);
    office.approve("d9", [0, 1], NOW);
    office.approve("d10", [3, 4], NOW);
    assert_eq!(office.wrong(&office.answer()), ("d10".to_owned(), Step::Approval, STRANGER));
    let signed = office.judged();
    assert!(signed.by.contains_key("d9") && !signed.by.contains_key("d10"));
    let office = self::office(false);
    office.approve("d9", [0, 1], NOW);
    office.rescind("d9", [3, 4]);
    assert_eq!(office.wrong(&office.answer()), ("d9".to_owned(), Step::Rescission, STRANGER));
    assert_eq!(office.judged().by["d9"].rescission, None, "nobody is named for it");
    // One stranger is as bad as two.
    let office = self::office(false);
    office.approve("d9", [0, 3], NOW);
    assert_eq!(office.wrong(&office.answer()).2, STRANGER);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_official_twice_is_one_official() {
    let office = office(false);
    office.approve("d9", [0, 1], NOW);
    let mut answer = office.answer();
    let message = Step::Approval.completed(&answer.decrees[0], at(NOW)).unwrap();
    let again = WireSignature::new("beta", office.keys[0].public(), &office.keys[0].sign(&message));
    answer.signatures.get_mut("d9").unwrap().approval[1] = again;
    assert_eq!(office.wrong(&answer).2, ONE_ALONE);
    let office = self::office(true);
    office.approve("d9", [0, 1], NOW);
    let mut answer = office.answer();
    let message = Step::Approval.completed(&answer.decrees[0], at(NOW)).unwrap();
    answer.signatures.get_mut("d9").unwrap().approval[1] =
        WireSignature::new("beta", office.keys[0].public(), &office.keys[0].sign(&message));
    assert_eq!(office.wrong(&answer).2, ONE_ALONE, "under two names in a demo too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_after_it_was_signed_is_not_signed() {
    let office = office(false);
    office.approve("d9", [0, 1], NOW);
    assert_eq!(office.judged().unsigned, [], "what held once is remembered, and helps nothing else");
    let changed = |change: &dyn Fn(&mut DecreesAnswer)| {
        let mut answer = office.answer();
        change(&mut answer);
        office.wrong(&answer).2
    };
    assert_eq!(changed(&|answer| answer.decrees[0].select[0].series = Some(15)), DOES_NOT_HOLD);
    assert_eq!(changed(&|answer| answer.decrees[0].text.en.push('!')), DOES_NOT_HOLD);
    assert_eq!(changed(&|answer| answer.decrees[0].recorded_at = Some(at("2026-02-01T00:00:00Z"))), DOES_NOT_HOLD);
    assert_eq!(changed(&|answer| answer.decrees[0].rescinded_at = Some(at(NOW))), NOTHING_SENT);
    assert_eq!(changed(&|answer| answer.signatures.clear()), NOTHING_SENT, "an earlier registry");
    assert_eq!(changed(&|answer| answer.signatures.get_mut("d9").unwrap().approval.reverse()), DOES_NOT_HOLD);
    assert_eq!(changed(&|answer| answer.signatures.get_mut("d9").unwrap().approval[0].key = "AAAA".to_owned()), DOES_NOT_HOLD);
    let entry = office.answer().signatures["d9"].approval.clone();
    // Neither step's signatures are good for the other.
    let both = |answer: &mut DecreesAnswer| {
        answer.decrees[0].rescinded_at = Some(at(NOW));
        answer.signatures.get_mut("d9").unwrap().rescission = Some(entry.clone());
    };
    assert_eq!(changed(&both), DOES_NOT_HOLD);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_left_office_signs_no_more_and_dates_nothing_back() {
    let office = office(false);
    office.approve("d9", [0, 2], "2026-09-01T10:00:00Z");
    assert_eq!(office.wrong(&office.answer()).2, NOT_IN_OFFICE);
    // The first list brings what was approved while they were in office.
    let office = self::office(false);
    office.approve("d9", [2, 0], "2026-05-01T10:00:00Z");
    assert_eq!(office.judged().by["d9"].approval, names(["gone", "one"]));
    office.take_up().await;
    office.approve("d10", [2, 0], "2026-05-02T10:00:00Z");
    assert_eq!(office.wrong(&office.answer()), ("d10".to_owned(), Step::Approval, LEFT));
    // Nor before the own term began.
    let office = self::office(false);
    office.approve("d9", [0, 1], "2025-12-31T10:00:00Z");
    assert_eq!(office.wrong(&office.answer()).2, NOT_IN_OFFICE);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_took_effect_stays_after_its_officials_have_left() {
    let office = office(false);
    office.approve("d9", [0, 1], NOW);
    office.take_up().await;
    office.clock.set(at("2027-03-01T10:00:00Z"));
    let later = DecreeJudge::of(&office.config, office.acts.clone(), office.clock.clone());
    assert_eq!(later.judge(&office.answer()).by["d9"].approval, names(["one", "two"]));
    office.rescind("d9", [0, 1]);
    let rescission = Unsigned { id: "d9".to_owned(), step: Step::Rescission, why: NOT_IN_OFFICE };
    assert_eq!(later.judge(&office.answer()).unsigned, [rescission], "they rescind it no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn officials_who_cannot_be_read_have_signed_nothing() {
    let office = office(false);
    office.approve("d9", [0, 1], NOW);
    std::fs::remove_dir_all(&office.config.authority).unwrap();
    assert_eq!(office.wrong(&office.answer()).2, UNREADABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_takes_two_of_its_registry_and_says_so_on_record() {
    let office = office(true);
    office.approve("d9", [3, 4], NOW);
    let entries = office.take_up().await;
    let [(_, entry)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&entry["added"][0]["signers"], &entry["demo"]), (&json!(["stranger-1", "stranger-2"]), &json!(true)));
    let mut answer = office.answer();
    answer.decrees[0].text.en.push('!');
    assert_eq!(office.wrong(&answer).2, DOES_NOT_HOLD);
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_of_an_unchanged_list_are_not_tried_again() {
    let office = office(false);
    office.approve("d9", [0, 1], NOW);
    office.judged();
    let held = office.judge.held.lock().unwrap().clone();
    assert_eq!(held.len(), 2);
    // Whatever is in it is believed: nothing is tried twice.
    let mut answer = office.answer();
    answer.decrees[0].text.en.push('!');
    let [first, second] = &answer.signatures["d9"].approval;
    let messages = [Step::Approval.begun(&answer.decrees[0]).unwrap(), Step::Approval.completed(&answer.decrees[0], at(NOW)).unwrap()];
    let untrue = [first.digest(&messages[0]), second.digest(&messages[1])];
    assert_eq!(office.wrong(&answer).2, DOES_NOT_HOLD);
    office.judge.held.lock().unwrap().extend(untrue);
    assert_eq!(office.judge.judge(&answer).unsigned, []);
    office.judged();
    assert_eq!(*office.judge.held.lock().unwrap(), held, "and nothing is kept that is not in the last list");
}
