//! Once contents are deleted the person can no longer be found: not with keys that the officer kept, not with tags that the registry told, not by
//! whoever puts the trail keys back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::sealed_tests::ended_at;
use super::tests::{Log, at, log};
use super::*;
use crate::adapters::store::{generate_officer_key, open_trail_key};
use crate::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use crate::core::ledger::audit::{LogAudit, OpenedKey, SealedEpoch, Trace, TrailSearch};
use crate::core::ledger::holder::HolderLog;
use crate::core::ledger::subject::TrailRoot;
use crate::core::registry::holder::OpenedTrail;

const SCHEME: &str = "amayesh-no";
const NUMBER: &str = "A000000003";
const FROM: &str = "2026-01-01T00:00:00Z";

/// What was kept from before the purge: trail keys that the officer opened, tags that the registry told, and the table itself.
struct Kept {
    keys: Vec<([u8; 32], String, Option<String>)>,
    trails: Vec<OpenedTrail>,
    rows: Vec<(i64, String, Vec<u8>)>,
}

/// A log whose first three days have an entry about one person each, read by officer and holder.
async fn about_somebody() -> (Log, Arc<SqliteLedger>, Keys) {
    let mut log = log();
    let ((dpo, officer), (holder, desk)) = (generate_officer_key().unwrap(), generate_officer_key().unwrap());
    (log.config.dpo_public_key, log.config.holder_public_key) = (dpo, Some(holder));
    let ledger = log.open();
    let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
    for day in 0..3 {
        let time = at("2026-01-01T09:00:00Z") + jiff::SignedDuration::from_hours(24 * day);
        log.clock.set(time);
        let raw = RawIdentifier { scheme: SCHEME, value: NUMBER, ..RawIdentifier::default() };
        let entry = Entry {
            kind: EntryKind::Answer,
            class: RetentionClass::Detail,
            time,
            id: Uuid::from_u128(1000 + u128::try_from(day).unwrap()),
            statement_digest: [0; 32],
            subject: Some(schemes.accept(raw, None).unwrap().identifier),
            content: Box::new(EntryContent { route: "verify".into(), agency: Some("bank".into()), ..EntryContent::default() }),
        };
        ledger.append(entry).await.unwrap();
    }
    ledger.settled().await.unwrap();
    (log, ledger, Keys { officer, desk })
}

/// Private keys of the officer and of the registry's desk.
struct Keys {
    officer: Zeroizing<Vec<u8>>,
    desk: Zeroizing<Vec<u8>>,
}

impl Keys {
    async fn kept(&self, log: &Log, reader: &(impl LogAudit + HolderLog)) -> Kept {
        let key = |private: &[u8], origin: Option<&str>, epoch: &str, sealed: &[u8]| {
            open_trail_key(private, origin.unwrap_or(reader.log_origin()), epoch, sealed).unwrap()
        };
        let of = |epoch: &SealedEpoch| {
            let origin = epoch.origin.as_deref();
            (*key(&self.officer, origin, &epoch.name, &epoch.sealed), epoch.name.clone(), origin.map(str::to_owned))
        };
        let keys = reader.epochs(None, None).await.unwrap().iter().map(of).collect();
        let trails = reader.sealed_trails(at(FROM)).await.unwrap().trails.into_iter().map(|trail| {
            let key = key(&self.desk, trail.origin.as_deref(), &trail.epoch, &STANDARD.decode(&trail.sealed).unwrap());
            let roots = vec![URL_SAFE_NO_PAD.encode(TrailRoot::under(&key, SCHEME, NUMBER).expose())];
            OpenedTrail { epoch: trail.epoch, origin: trail.origin, roots }
        });
        let conn = log.sql();
        let mut select = conn.prepare("SELECT seq, name, sealed FROM epoch").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect();
        Kept { keys, trails: trails.collect(), rows }
    }
}

impl Kept {
    /// Puts the trail keys back that went with the contents.
    fn put_back(&self, log: &Log) {
        for row in &self.rows {
            log.sql().execute("INSERT OR REPLACE INTO epoch VALUES (?1, ?2, ?3)", (row.0, &row.1, &row.2)).unwrap();
        }
    }

    /// Entries that officer and holder find, and whether each is told that this is all of the first three days.
    async fn finds(&self, reader: &(impl LogAudit + HolderLog)) -> ((usize, bool), (usize, bool)) {
        let trace = Trace { scheme: SCHEME.into(), value: Zeroizing::new(NUMBER.into()) };
        let key = |(key, epoch, origin): &([u8; 32], String, Option<String>)| OpenedKey {
            epoch: epoch.clone(),
            origin: origin.clone(),
            key: Zeroizing::new(*key),
        };
        let keys = self.keys.iter().map(key).collect();
        let trail =
            reader.trail(TrailSearch { traces: vec![trace], keys, from: None, to: Some(at("2026-01-04T00:00:00Z")) }).await.unwrap();
        let view = reader.entries_of(self.trails.clone(), at(FROM)).await.unwrap();
        ((trail.rows.len(), trail.is_whole()), (view.entries.len(), view.whole))
    }
}

#[tokio::test]
async fn after_a_purge_keys_that_were_kept_find_nobody() {
    let (log, ledger, keys) = about_somebody().await;
    let kept = keys.kept(&log, &*ledger).await;
    // The key in memory is one of those that were kept.
    assert_eq!(kept.finds(&*ledger).await, ((3, true), (3, true)));
    log.live(&ledger, "2026-01-06T08:00:00Z", 100).await;
    ledger.purge(log.job()).await.unwrap();
    assert_eq!(kept.finds(&*ledger).await, ((0, true), (0, true)));
    kept.put_back(&log);
    assert_eq!(kept.finds(&*ledger).await, ((0, true), (0, true)), "a trail key without the contents leads nowhere");
    drop(ledger);
    std::fs::remove_dir_all(log.config.dir.join("segments")).unwrap();
    assert_eq!(kept.finds(&*log.open()).await, ((0, true), (0, true)), "nor does an index that is made again");
}

#[tokio::test]
async fn after_a_purge_of_a_sealed_log_keys_that_were_kept_find_nobody() {
    let (log, ledger, keys) = about_somebody().await;
    drop(ledger);
    log.clock.set(at("2026-01-06T00:00:00Z"));
    let (log, chain) = ended_at(log, "2026-01-06T00:00:00Z");
    let kept = keys.kept(&log, &chain).await;
    assert_eq!(kept.finds(&chain).await, ((3, true), (3, true)));
    log.live(chain.present(), "2026-01-06T08:00:00Z", 100).await;
    let purged = chain.purge_sealed(&log.job()).await;
    assert!(purged.len() == 1 && purged.iter().all(|(_, outcome)| outcome.is_ok()), "{purged:?}");
    assert_eq!(kept.finds(&chain).await, ((0, true), (0, true)));
    kept.put_back(&log);
    assert_eq!(kept.finds(&chain).await, ((0, true), (0, true)), "a trail key without the contents leads nowhere");
}
