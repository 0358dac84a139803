//! Logs that were sealed are searched like the present one: by filter, by person, by the holder; and deleted like it.

use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::*;
use crate::adapters::clock::ManualClock;
use crate::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use crate::core::ledger::EntryContent;
use crate::core::ledger::audit::{Field, Filter, LogAudit, OpenedKey, Search, Trace, TrailSearch};
use crate::core::ledger::holder::{HolderLog, SealedTrails};
use crate::core::ledger::purge_order::Ordered;
use crate::core::ledger::subject::TrailRoot;
use crate::core::ledger::succession::Ending;
use crate::core::registry::holder::{OpenedTrail, SealedTrail};

/// An installation whose log was sealed twice: sixty entries on the first of January under each origin, every tenth about one person.
pub(super) struct House {
    _folder: tempfile::TempDir,
    pub(super) config: LedgerConfig,
    clock: Arc<ManualClock>,
    pub(super) officer: Zeroizing<Vec<u8>>,
    desk: Zeroizing<Vec<u8>>,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const EACH: u64 = 60;

pub(super) async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let ((dpo, officer), (holder, desk)) = (generate_officer_key().unwrap(), generate_officer_key().unwrap());
    let config = LedgerConfig { dpo_public_key: dpo, holder_public_key: Some(holder), ..config_in(folder.path().join("ledger")) };
    let house = House { _folder: folder, config, clock: Arc::new(ManualClock::new(at("2026-01-01T08:00:00Z"))), officer, desk };
    for log in 0..3 {
        let ledger = house.present();
        for number in log * EACH..(log + 1) * EACH {
            ledger.append(house.entry(number)).await.unwrap();
        }
        ledger.settled().await.unwrap();
        drop(ledger);
        if log < 2 {
            house.succeed();
        }
    }
    house
}

impl House {
    pub(super) fn origins(&self) -> Origins {
        Origins::open(&self.config.dir, &self.config.origin).unwrap()
    }

    pub(super) fn settings(&self) -> LedgerConfig {
        let origins = self.origins();
        LedgerConfig { dir: origins.dir_of(origins.present()), origin: origins.present().into(), ..self.config.clone() }
    }

    /// Seals the present log and begins the next.
    pub(super) fn succeed(&self) {
        let order = SuccessionOrder { why: Ending::ByHand, witnessed: None, now: self.clock.now(), signer: &*signer() };
        succeed(&self.settings(), &mut self.origins(), &order).unwrap();
    }

    pub(super) fn present(&self) -> Arc<SqliteLedger> {
        SqliteLedger::open(self.settings(), signer(), self.clock.clone()).unwrap()
    }

    pub(super) fn chain(&self) -> LogChain {
        LogChain::open(self.present(), &self.origins(), &self.settings()).unwrap()
    }

    /// What the registry tells of the holder's trails.
    pub(super) fn opened(&self, chain: &LogChain, sealed: &SealedTrails) -> Vec<OpenedTrail> {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let opened = |trail: SealedTrail| {
            let origin = trail.origin.as_deref().unwrap_or(chain.log_origin());
            let key = open_trail_key(&self.desk, origin, &trail.epoch, &STANDARD.decode(&trail.sealed).unwrap()).unwrap();
            let root = URL_SAFE_NO_PAD.encode(TrailRoot::under(&key, "amayesh-no", "A000000003").expose());
            OpenedTrail { epoch: trail.epoch, origin: trail.origin, roots: vec![root] }
        };
        sealed.trails.clone().into_iter().map(opened).collect()
    }

    pub(super) fn entry(&self, number: u64) -> Entry {
        let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
        let value = format!("A{:09}", number % 10);
        let raw = RawIdentifier { scheme: "amayesh-no", value: &value, ..RawIdentifier::default() };
        let content = EntryContent {
            route: "verify".into(),
            agency: Some(if number.is_multiple_of(2) { "bank" } else { "school" }.into()),
            decision: Some("entitled".into()),
            ..EntryContent::default()
        };
        self.clock.set(self.clock.now() + SignedDuration::from_secs(1));
        Entry {
            time: self.clock.now(),
            subject: Some(schemes.accept(raw, None).unwrap().identifier),
            content: Box::new(content),
            ..entry(u128::from(number) + 1, 0)
        }
    }
}

pub(super) fn of_verify() -> Filter {
    Filter::default().with(Field::Route, "verify")
}

fn ids(rows: &[crate::core::ledger::audit::AuditRow]) -> Vec<u128> {
    rows.iter().map(|row| row.id.as_u128()).collect()
}

pub(super) fn person() -> TrailSearch {
    let trace = Trace { scheme: "amayesh-no".into(), value: Zeroizing::new("A000000003".into()) };
    TrailSearch { traces: vec![trace], ..TrailSearch::default() }
}

#[tokio::test]
async fn entries_of_sealed_logs_are_found_page_by_page_with_exact_counts() {
    let (house, mut found, mut next) = (house().await, Vec::new(), None::<(u16, u64)>);
    let chain = house.chain();
    let mut origins = std::collections::BTreeSet::new();
    loop {
        let (log, bound) = next.map_or((None, None), |(log, index)| (Some(log), Some(index)));
        let search = Search { filter: of_verify().with(Field::Agency, "bank"), limit: 7, counted: true, log, bound, ..Search::default() };
        let page = chain.search(search).await.unwrap();
        assert_eq!((page.count, page.head), (Some(90), 2));
        origins.extend(page.rows.iter().map(|row| row.origin.as_deref().map(str::to_owned)));
        found.extend(ids(&page.rows));
        let last = page.rows.last().unwrap();
        next = Some((last.log, last.index));
        if !page.more {
            break;
        }
    }
    assert_eq!(found, (0..180_u128).rev().filter(|number| number % 2 == 0).map(|number| number + 1).collect::<Vec<_>>());
    assert_eq!((origins.len(), origins.contains(&None)), (3, true), "the present log and two that were sealed: {origins:?}");
    let one = Search { filter: Filter { id: Some(Uuid::from_u128(6)), ..Filter::default() }, limit: 2, ..Search::default() };
    assert_eq!(ids(&chain.search(one).await.unwrap().rows), [6]);
    for only in 0..3 {
        let one = Search { filter: of_verify(), limit: 200, only: Some(only), ..Search::default() };
        let found = chain.search(one).await.unwrap();
        assert_eq!((found.rows.len(), found.rows.iter().all(|row| row.log == only)), (60, true), "a part of an export is of one log");
    }
    drop(chain);
    let mut offline = OfflineChain::open(&house.origins(), &house.config.content_kek).unwrap();
    while offline.prepare().unwrap() > 0 {}
    let all = offline.search(&Search { filter: of_verify(), limit: 200, counted: true, ..Search::default() }).unwrap();
    assert_eq!((all.count, all.rows.len()), (Some(180), 180), "and without a gateway");
    assert_eq!(offline.trail(&person(), &[OfficerKey::new(house.officer.clone())]).unwrap().rows.len(), 18);
}

#[tokio::test]
async fn a_trail_goes_back_through_sealed_logs_with_the_officers_key_for_each() {
    let house = house().await;
    let chain = house.chain();
    let sealed = chain.trail(person()).await.unwrap();
    assert!(
        sealed.rows.is_empty() && sealed.unopened.len() == 5,
        "one epoch for each start, but for the present one: {:?}",
        sealed.unopened
    );
    // Keys of the request: each counts for the log that it names and for no other.
    let epochs = chain.epochs(None, None).await.unwrap();
    let key = |epoch: &crate::core::ledger::audit::SealedEpoch| {
        let origin = epoch.origin.as_deref().unwrap_or(chain.log_origin());
        open_trail_key(&house.officer, origin, &epoch.name, &epoch.sealed).ok()
    };
    let opened = |named: bool| -> Vec<OpenedKey> {
        let opened = |epoch: &crate::core::ledger::audit::SealedEpoch| {
            let origin = epoch.origin.as_deref().filter(|_| named).map(str::to_owned);
            Some(OpenedKey { epoch: epoch.name.clone(), origin, key: key(epoch)? })
        };
        epochs.iter().filter(|epoch| !epoch.current).filter_map(opened).collect()
    };
    let found = chain.trail(TrailSearch { keys: opened(true), ..person() }).await.unwrap();
    assert_eq!(found.rows.iter().map(|(_, row)| row.id.as_u128()).collect::<Vec<_>>(), (0..18).map(|n| n * 10 + 4).collect::<Vec<_>>());
    assert!(found.unopened.is_empty() && found.rows.iter().filter(|(_, row)| row.origin.is_some()).count() == 12);
    let unnamed = chain.trail(TrailSearch { keys: opened(false), ..person() }).await.unwrap();
    assert_eq!(unnamed.rows.iter().filter(|(_, row)| row.origin.is_some()).count(), 0);
    // The officer's own service.
    chain.present().keep_officer_key(OfficerKey::new(house.officer.clone()));
    assert_eq!(chain.trail(person()).await.unwrap().rows.len(), 18);
}

#[tokio::test]
async fn a_holder_sees_what_was_asked_before_a_log_was_sealed() {
    let house = house().await;
    let chain = house.chain();
    let from = at("2026-01-01T00:00:00Z");
    let sealed = chain.sealed_trails(from).await.unwrap();
    assert!(sealed.whole);
    let trails = house.opened(&chain, &sealed);
    // The newest first: of more than the registry opens the oldest are left out, and that is told.
    assert!(sealed.trails.first().unwrap().origin.is_none() && sealed.trails.last().unwrap().epoch.contains(".1."), "{sealed:?}");
    assert!(sealed.are_all_in(&trails) && !sealed.are_all_in(&trails[..trails.len() - 1]));
    let entries = chain.entries_of(trails, from).await.unwrap();
    assert_eq!((entries.entries.len(), entries.whole), (18, true));
    // An epoch from before holders' views were offered.
    let conn = rusqlite::Connection::open(house.origins().all().first().unwrap().1.join("ledger.sqlite")).unwrap();
    assert!(conn.execute("DELETE FROM holder_epoch WHERE name LIKE '%-__.1.%'", []).unwrap() > 0);
    assert!(!chain.sealed_trails(from).await.unwrap().whole);
}

#[tokio::test]
async fn counts_of_a_day_span_its_logs_and_stay_when_a_sealed_one_is_purged() {
    let house = house().await;
    let now = at("2026-02-15T00:00:00Z");
    house.clock.set(now);
    let ledger = house.present();
    for day in 2..47 {
        let time = at("2026-01-01T08:00:00Z") + SignedDuration::from_hours(24 * day);
        ledger.append(Entry { class: RetentionClass::Admin, time, ..entry(1000 + u128::try_from(day).unwrap(), 0) }).await.unwrap();
    }
    drop(ledger);
    let chain = house.chain();
    let told = chain.summary(None, None, now).await.unwrap();
    let counts: Vec<_> = told.buckets.iter().map(|bucket| (bucket.agency.as_str(), bucket.services[0].count)).collect();
    assert_eq!(counts, [("bank", 90), ("school", 90)], "thirty in each log");
    let found = || async { chain.search(Search { filter: of_verify(), counted: true, ..Search::default() }).await.unwrap().count };
    let job = PurgeJob {
        now,
        witnessed: None,
        holds: Vec::new(),
        ordered: Ordered::not_needed(),
        only: Vec::new(),
        dry_run: false,
        by: "operator",
    };
    assert_eq!(found().await, Some(180));
    let parts = |dir: &std::path::Path| {
        std::fs::read_dir(dir.join("segments"))
            .map_or(0, |files| files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "seg")).count())
    };
    assert!(house.origins().all().iter().take(2).all(|(_, dir)| parts(dir) > 0));
    let purged = chain.purge_sealed(&job).await;
    assert!(purged.len() == 2 && purged.iter().all(|(_, outcome)| outcome.is_ok()), "{purged:?}");
    assert_eq!(found().await, Some(60), "those of the present log are not purged yet");
    assert_eq!(chain.summary(None, None, now).await.unwrap(), told, "a deletion changes no count");
    let left: Vec<usize> = house.origins().all().iter().take(2).map(|(_, dir)| parts(dir)).collect();
    assert_eq!(left, [0, 1], "the index of what is deleted is gone too; the entry that began the second log is kept a year");
}
