//! A watch that stops: nobody waits for it, and a day that it does not read to its end is not done with.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::adapters::clock::ManualClock;
use crate::adapters::keys::FileSigner;
use crate::adapters::policy_files::install;
use crate::adapters::store::{generate_officer_key, load};
use crate::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt, RetentionClass};
use crate::core::signing::Algorithm;

const TODAY: &str = "2026-11-23T12:00:00Z";

/// Takes no entries.
struct Closed;

#[async_trait]
impl Ledger for Closed {
    async fn append(&self, _: Entry) -> Result<Receipt, LedgerUnavailable> {
        Err(LedgerUnavailable("closed"))
    }

    fn origin(&self) -> &'static str {
        "test"
    }
}

fn now() -> Timestamp {
    TODAY.parse().unwrap()
}

fn watching(dir: &Path, kek: ContentKek) -> Arc<Watching> {
    let policies = dir.join("policies");
    install(&policies).unwrap();
    let publisher = Publisher { ledger: Arc::new(Closed), outbox: None };
    let clock = Arc::new(ManualClock::new(now()));
    Watching::new(Arc::default(), PolicyStore::open(&policies).unwrap(), (dir.join("ledger"), kek), publisher, clock)
}

fn bank() -> AgencyId {
    AgencyId::parse("bank").unwrap()
}

#[tokio::test(start_paused = true)]
#[allow(clippy::await_holding_lock, reason = "somebody counts all the while")]
async fn stop_waits_a_second_at_most_for_who_counts_and_keeps_what_was_raised_where_nobody_does() {
    let dir = tempfile::tempdir().unwrap();
    let watching = watching(dir.path(), ContentKek::generate().unwrap());
    let kept = dir.path().join("ledger").join(WATCH);
    std::fs::create_dir(dir.path().join("ledger")).unwrap();
    watching.lock().tally.add(&Raised { day: tehran_day(now()), rule: "harvesting".into(), agency: bank(), who: 1 });
    let counts = watching.lock();
    let begun = Instant::now();
    watching.clone().end().await;
    assert!(begun.elapsed() <= PATIENCE + SOON, "{:?}", begun.elapsed());
    assert!(!kept.exists());
    drop(counts);
    watching.end().await;
    assert!(std::fs::read_to_string(kept).unwrap().contains("harvesting"));
}

/// A log in which three alerts of today are recorded.
fn log_of_three(dir: &Path) -> ContentKek {
    let signer = FileSigner::from_pkcs8(&FileSigner::generate(Algorithm::EdDsa).unwrap()).unwrap();
    let kek = ContentKek::generate().unwrap();
    let config = LedgerConfig {
        dir: dir.join("ledger"),
        origin: "log.example".into(),
        checkpoint_every: Duration::from_secs(3600),
        queue: 64,
        journal_bytes: 1 << 16,
        checkpoint_public_key: signer.public_key().bytes().try_into().unwrap(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key: generate_officer_key().unwrap().0,
        holder_public_key: None,
        content_kek: kek.clone(),
    };
    let mut entries = (0..3).map(|number| Entry {
        kind: EntryKind::Admin,
        class: RetentionClass::Admin,
        time: now(),
        id: Uuid::from_u128(number),
        statement_digest: [0; 32],
        subject: None,
        content: Box::new(EntryContent {
            route: ROUTE.into(),
            agency: Some("bank".into()),
            reference: Some("2026-11-23".into()),
            code: Some(format!("rule-{number}").into()),
            ..EntryContent::default()
        }),
    });
    load(&config, &signer, &mut entries, &mut |_| ()).unwrap();
    kek
}

#[test]
fn day_is_read_no_further_once_the_gateway_stops_and_is_not_done_with() {
    let dir = tempfile::tempdir().unwrap();
    let watching = watching(dir.path(), log_of_three(dir.path()));
    let read = |watching: &Watching| {
        let mut state = watching.lock();
        state.read_to = 0;
        watching.read_again(&mut state);
        (state.read_to, state.blind)
    };
    assert_eq!(read(&watching), (3, None));
    watching.read_no_more();
    assert_eq!(read(&watching), (0, Some(now())), "so that none of its days counts as recorded");
}
