//! The claims about purge orders outside a demo, on a real log: nothing is deleted but what two officials in office ordered.

use std::path::PathBuf;

use jiff::SignedDuration;
use rusqlite::Connection;
use uuid::Uuid;

use super::*;
use crate::adapters::clock::ManualClock;
use crate::adapters::keys::KeyRing;
use crate::adapters::store::{
    LogEntries, PurgeGrounds, StoredContent, VerifyError, VerifyOptions, VerifyReport, generate_officer_key, verify_all,
};
use crate::app::origins::{OpenLog, open_log, origins_of};
use crate::app::purge::{PurgeRequest, Purger, Purges};
use crate::app::purge_orders::PurgeOrders;
use crate::core::ledger::cosignature::WitnessKey;
use crate::core::ledger::purge_order::PurgeOrder;
use crate::core::ledger::retention::PurgeStatement;
use crate::core::ledger::{EntryContent, EntryKind, LogReader as _, RetentionClass};

/// The first entry of the log.
const FIRST: &str = "2026-08-01T08:00:00Z";

/// An installation with a log of 34 days, of which the contents about minors of the first three are due.
pub(super) struct Archive {
    pub(super) home: Home,
    pub(super) clock: Arc<ManualClock>,
    pub(super) log: OpenLog,
    purger: Purger,
    next: u128,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) async fn archive() -> Archive {
    let home = home();
    let config = &home.config;
    for path in [&config.ledger.dpo_public_key, &config.holder.as_ref().unwrap().public_key] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, STANDARD.encode(generate_officer_key().unwrap().0)).unwrap();
    }
    std::fs::create_dir_all(&config.ledger.purge_orders).unwrap();
    let clock = Arc::new(ManualClock::new(at(FIRST)));
    let ring = KeyRing::create_or_open(&config.keys).unwrap();
    let log = open_log(config, &ring, clock.clone()).unwrap();
    let ledger: Arc<dyn Ledger> = log.ledger.clone();
    home.books.lock().unwrap().push(ledger.clone());
    let acts = Acts::open(&config.ledger.dir, &ledger, clock.clone()).unwrap();
    let purger = Purger {
        logs: log.reader.clone(),
        config: config.clone(),
        acts,
        deletion: Arc::default(),
        clock: clock.clone(),
        disputed: Box::new(|| false),
    };
    let mut archive = Archive { home, clock, log, purger, next: 0 };
    archive.live(34).await;
    archive
}

impl Archive {
    /// So many days with an entry each about a minor.
    async fn live(&mut self, days: u32) {
        for _ in 0..days {
            let time = at(FIRST) + SignedDuration::from_hours(24) * i32::try_from(self.next).unwrap();
            self.clock.set(time);
            let content = EntryContent { route: "verify".into(), agency: Some("bank".into()), ..EntryContent::default() };
            let entry = Entry {
                kind: EntryKind::Answer,
                class: RetentionClass::Minor,
                time,
                id: Uuid::from_u128(self.next),
                statement_digest: [0; 32],
                subject: None,
                content: Box::new(content),
            };
            self.log.ledger.append(entry).await.unwrap();
            self.next += 1;
        }
    }

    pub(super) fn acts(&self) -> &Arc<Acts> {
        &self.purger.acts
    }

    pub(super) fn orders(&self) -> PurgeOrders {
        PurgeOrders::of(&self.home.config, self.clock.now()).unwrap()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.home.config.ledger.purge_orders.join("year-1.json")
    }

    pub(super) fn key(&self, official: usize) -> &OfficialKey {
        &self.home.keys[official]
    }

    async fn purge(&self) -> Result<Purges, StartError> {
        self.purger.purge(&PurgeRequest::default(), OPERATOR).await
    }

    /// Nothing is deleted or recorded as deleted; how many contents are due is told.
    async fn stays(&self, due: u64, why: &str) {
        let purges = self.purge().await.unwrap();
        assert_eq!((purges.present.entry, purges.present.keys.len()), (None, 0), "{why}");
        assert_eq!(purges.unordered().map(|key| key.entries).sum::<u64>(), due, "{why}");
        assert_eq!(self.purger.deletion.status()["not_ordered"]["entries"], due, "{why}");
        assert!(!self.codes().contains(&"purge".to_owned()), "{why}");
        assert!(self.is_readable(0).await, "{why}");
    }

    /// Nothing is deleted, and the error says why.
    async fn fails(&self, why: &str) {
        let error = self.purge().await.map(drop).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("nothing is deleted"), "{error}");
        assert!(self.is_readable(0).await, "{why}");
        assert_eq!(self.purger.deletion.status()["ordered_until"], serde_json::Value::Null, "{why}");
    }

    async fn is_readable(&self, number: u128) -> bool {
        self.log.ledger.proof(Uuid::from_u128(number)).await.unwrap().unwrap().agency.is_some()
    }

    fn codes(&self) -> Vec<String> {
        let mut codes = Vec::new();
        let mut log = LogEntries::open(&self.home.config.ledger.dir, &self.log.config.content_kek).unwrap();
        let mut each = |entry: crate::adapters::store::StoredEntry| match entry.content {
            StoredContent::Kept(content) if entry.kind == EntryKind::Admin => codes.push(content.code.unwrap().into_owned()),
            _ => {}
        };
        log.between(Timestamp::MIN, Timestamp::MAX, &mut |_, _| (), &mut each).unwrap();
        codes
    }

    fn statements(&self) -> Vec<PurgeStatement> {
        let conn = Connection::open(self.home.config.ledger.dir.join("ledger.sqlite")).unwrap();
        let mut select = conn.prepare("SELECT said FROM purge ORDER BY idx").unwrap();
        let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
    }

    fn verify(&self) -> u64 {
        self.verified(PurgeGrounds::default()).unwrap().contents_deleted
    }

    /// As an auditor checks it who knows this of witnesses and officials.
    pub(super) fn verified(&self, purges: PurgeGrounds) -> Result<VerifyReport, VerifyError> {
        let settings = &self.log.config;
        let options = VerifyOptions {
            dir: settings.dir.clone(),
            checkpoint_keys: settings.checkpoint_keys().unwrap(),
            content_kek: Some(settings.content_kek.clone()),
            seen_checkpoint: None,
            purges,
            now: at("2030-01-01T00:00:00Z"),
        };
        verify_all(&origins_of(&self.home.config).unwrap(), &options, &mut |_, _| ()).map(|report| report.present)
    }
}

pub(super) fn order() -> PurgeOrder {
    let text = r#"{"id":"year-1","reason":"decision 4","from":"2026-09-01","to":"2026-09-30"}"#;
    serde_json::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_without_two_officials_and_their_order_is_on_record_before_the_first_purge() {
    let mut archive = archive().await;
    archive.stays(3, "no order").await;
    let (orders, now) = (archive.orders(), archive.clock.now());
    orders.add(order(), archive.key(0), now).unwrap();
    archive.stays(3, "one signature").await;
    assert!(orders.approve("year-1", Step::Begin, archive.key(0), now).is_err(), "the same official twice");
    orders.approve("year-1", Step::Begin, archive.key(1), now).unwrap();
    let purges = archive.purge().await.unwrap();
    assert_eq!((purges.present.keys.len(), purges.unordered().count()), (3, 0));
    assert!(!archive.is_readable(0).await && archive.is_readable(3).await);
    assert_eq!(archive.codes(), ["officials-activated", "purge-order-begun", "purge"]);
    let statement = archive.statements().remove(0);
    assert_eq!(statement.orders[0].id, "year-1");
    assert_eq!(statement.orders[0].hash, version_of(&order().signed_bytes(Step::Begin)));
    assert_eq!(archive.purger.deletion.status()["ordered_until"]["minor"], "2026-09-30");
    assert_eq!(archive.purger.deletion.status()["not_ordered"], serde_json::Value::Null);

    archive.live(1).await;
    archive.orders().approve("year-1", Step::End, archive.key(0), archive.clock.now()).unwrap();
    assert_eq!(archive.purge().await.unwrap().present.keys.len(), 1, "one official alone ends no order");
    archive.live(1).await;
    archive.orders().approve("year-1", Step::End, archive.key(1), archive.clock.now()).unwrap();
    let purges = archive.purge().await.unwrap();
    assert_eq!((purges.present.keys.len(), purges.unordered().count()), (0, 1));
    assert!(archive.is_readable(4).await);
    assert_eq!(archive.codes(), ["officials-activated", "purge-order-begun", "purge", "purge", "purge-order-ended"]);
    assert_eq!(archive.verify(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_witness_is_configured_its_time_counts_without_being_asked_for() {
    let mut archive = archive().await;
    let now = archive.clock.now();
    archive.orders().add(order(), archive.key(0), now).unwrap();
    archive.orders().approve("year-1", Step::Begin, archive.key(1), now).unwrap();
    let signer = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    let key = WitnessKey::new("witness.example", signer.public_key_bytes().try_into().unwrap()).unwrap();
    let [key_file, seen] = ["witness.key", "seen"].map(|name| archive.home.dir.path().join(name));
    std::fs::write(&key_file, format!("{key}\n")).unwrap();
    let ledger = &mut archive.purger.config.ledger;
    (ledger.witness_key, ledger.witness_checkpoint) = (Some(key_file), Some(seen.clone()));
    let published = archive.log.ledger.checkpoint();
    let cosigned = |time| std::fs::write(&seen, key.cosign(&published, &signer, time).unwrap()).unwrap();

    archive.fails("witness").await;
    cosigned(at("2026-08-20T08:00:00Z"));
    let purges = archive.purge().await.unwrap();
    assert_eq!((purges.present.entry, purges.unordered().count()), (None, 0), "nothing was due when the witness looked last");
    assert!(archive.is_readable(0).await);
    cosigned(now);
    assert_eq!(archive.purge().await.unwrap().present.keys.len(), 3);
    assert!(archive.statements()[0].witnessed.is_some());
    assert_eq!(archive.verify(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_other_days_or_classes_deletes_nothing() {
    let archive = archive().await;
    let now = archive.clock.now();
    let sign_at = |order: PurgeOrder, time| {
        let id = order.id.clone();
        archive.orders().add(order, archive.key(0), time).unwrap();
        archive.orders().approve(&id, Step::Begin, archive.key(1), time).unwrap();
    };
    let sign = |order| sign_at(order, now);
    sign_at(PurgeOrder { id: "over".into(), to: "2026-09-02".parse().unwrap(), ..order() }, at("2026-09-02T08:00:00Z"));
    archive.stays(3, "its last day is over").await;
    sign(PurgeOrder { id: "to-come".into(), from: "2026-09-04".parse().unwrap(), ..order() });
    archive.stays(3, "its first day is to come").await;
    sign(PurgeOrder { id: "of-others".into(), classes: vec![RetentionClass::Detail], ..order() });
    archive.stays(3, "it is for other contents").await;
    let too_long = PurgeOrder { id: "for-ever".into(), to: "2030-01-01".parse().unwrap(), ..order() };
    assert!(archive.orders().add(too_long, archive.key(0), now).unwrap_err().to_string().contains("366 days at most"));
    sign(PurgeOrder { classes: vec![RetentionClass::Minor], ..order() });
    assert_eq!(archive.purge().await.unwrap().present.keys.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn officials_out_of_office_and_people_whom_an_operator_enrols_order_nothing() {
    let archive = archive().await;
    let (now, then) = (archive.clock.now(), at("2026-01-15T00:00:00Z"));
    let dir = &archive.home.config.ledger.purge_orders;
    // Two who have left date their signatures into their terms.
    let before = PurgeOrders::of(&archive.home.config, then).unwrap();
    before.add(order(), archive.key(2), then).unwrap();
    before.approve("year-1", Step::Begin, archive.key(3), then).unwrap();
    archive.stays(3, "who signed it has left office").await;
    assert_eq!(archive.codes(), ["officials-activated"], "and it is not on record as begun");
    std::fs::remove_file(archive.file()).unwrap();
    // An operator enrols two keys of its own beside the orders.
    let own = [new_key(), new_key()];
    for (name, key) in ["one", "two"].iter().zip(&own) {
        crate::registry::decrees::Officials::enrol(dir, name, key).unwrap();
    }
    assert!(archive.orders().add(order(), &own[0], now).unwrap_err().to_string().contains("officials who are in office"));
    let operators = PurgeOrders::open(dir).unwrap();
    operators.add(order(), &own[0], now).unwrap();
    operators.approve("year-1", Step::Begin, &own[1], now).unwrap();
    archive.fails("the signature of `one` does not hold").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_in_the_file_twice_counts_once() {
    let archive = archive().await;
    archive.orders().add(order(), archive.key(0), archive.clock.now()).unwrap();
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(archive.file()).unwrap()).unwrap();
    let signature = file["begun_by"][0].clone();
    file["begun_by"].as_array_mut().unwrap().push(signature);
    std::fs::write(archive.file(), file.to_string()).unwrap();
    archive.stays(3, "one official").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_altered_replaced_stripped_or_taken_away_stops_every_deletion() {
    let mut archive = archive().await;
    let sign = |archive: &Archive, order: PurgeOrder| {
        archive.orders().add(order, archive.key(0), archive.clock.now()).unwrap();
        archive.orders().approve("year-1", Step::Begin, archive.key(1), archive.clock.now()).unwrap();
    };
    sign(&archive, PurgeOrder { from: "2026-09-04".parse().unwrap(), ..order() });
    archive.stays(3, "on record, and its first day is to come").await;
    let good = std::fs::read_to_string(archive.file()).unwrap();
    std::fs::write(archive.file(), good.replace("2026-09-04", "2026-09-01")).unwrap();
    archive.fails("does not hold").await;
    std::fs::write(archive.file(), "{").unwrap();
    archive.fails("is not usable").await;
    std::fs::remove_file(archive.file()).unwrap();
    archive.fails("the purge order is gone, but it orders deletions until 2026-09-30").await;
    sign(&archive, order());
    archive.fails("it is not the purge order that was recorded").await;
    let mut stripped: serde_json::Value = serde_json::from_str(&good).unwrap();
    stripped["begun_by"].as_array_mut().unwrap().pop();
    std::fs::write(archive.file(), stripped.to_string()).unwrap();
    archive.fails("signatures that were recorded are not in it any more").await;
    std::fs::write(archive.file(), good).unwrap();
    archive.live(1).await;
    assert_eq!(archive.purge().await.unwrap().present.keys.len(), 4, "put back, and on its first day");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_stands_for_an_order() {
    let archive = archive().await;
    let only = vec![("2026-08-01".parse().unwrap(), RetentionClass::Minor)];
    let request = PurgeRequest { only, ..PurgeRequest::default() };
    let said = archive.purger.purge(&request, OPERATOR).await.map(drop).unwrap_err().to_string();
    assert!(said.contains("no order of two officials"), "{said}");
    let dry = PurgeRequest { dry_run: true, ..PurgeRequest::default() };
    assert_eq!(archive.purger.purge(&dry, OPERATOR).await.unwrap().unordered().count(), 3);
    archive.stays(3, "asked for by name").await;
    let text = r#"{"nonce":"a","only":[],"dry_run":false,"witnessed":null,"ordered":true}"#;
    assert!(serde_json::from_str::<PurgeRequest>(text).is_err(), "no member of it but these");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_deletes_what_is_due_without_an_order() {
    let mut archive = archive().await;
    archive.purger.config.demo = true;
    let purges = archive.purge().await.unwrap();
    assert_eq!((purges.present.keys.len(), purges.unordered().count()), (3, 0));
    assert!(archive.statements()[0].orders.is_empty());
    assert_eq!(archive.verify(), 3);
}
