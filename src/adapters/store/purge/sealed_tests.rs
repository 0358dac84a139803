//! Deletion in a log that has ended: as due as anywhere else, recorded by the log that goes on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::tests::{Log, at, found_in_files, hold, log, secrets};
use super::*;
use crate::adapters::store::test_signer::signer;
use crate::adapters::store::{
    ChainReport, LogChain, Origins, PurgeGrounds, SuccessionOrder, VerifyError, VerifyOptions, succeed, verify_all,
};
use crate::core::ledger::LogReader as _;
use crate::core::ledger::succession::Ending;

/// Three days of a log that ended then, and another that lived a hundred days after it.
pub(super) async fn ended_long_ago() -> (Log, LogChain) {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 3).await;
    drop(ledger);
    ended_at(log, "2026-01-04T00:00:00Z")
}

/// What was deleted; no log failed.
async fn purged(chain: &LogChain, job: &PurgeJob) -> Vec<(String, PurgeReport)> {
    chain.purge_sealed(job).await.into_iter().map(|(origin, outcome)| (origin, outcome.unwrap())).collect()
}

/// The log as it is, ended, and the next one.
pub(super) fn ended_at(log: Log, end: &str) -> (Log, LogChain) {
    let mut origins = Origins::open(&log.config.dir, &log.config.origin).unwrap();
    let order = SuccessionOrder { why: Ending::ByHand, witnessed: None, now: at(end), signer: &*signer() };
    succeed(&log.config, &mut origins, &order).unwrap();
    let config = LedgerConfig { dir: origins.dir_of(origins.present()), origin: origins.present().into(), ..log.config.clone() };
    let present = SqliteLedger::open(config.clone(), signer(), log.clock.clone()).unwrap();
    let chain = LogChain::open(present, &origins, &config).unwrap();
    (log, chain)
}

pub(super) fn verify_chain(log: &Log) -> Result<ChainReport, VerifyError> {
    let origins = Origins::open(&log.config.dir, &log.config.origin).unwrap();
    let options = VerifyOptions {
        dir: origins.dir_of(origins.present()),
        checkpoint_keys: log.config.checkpoint_keys().unwrap(),
        content_kek: Some(log.config.content_kek.clone()),
        seen_checkpoint: None,
        purges: PurgeGrounds::default(),
        now: at("2030-01-01T00:00:00Z"),
    };
    verify_all(&origins, &options, &mut |_, _| {})
}

#[tokio::test]
async fn contents_of_a_sealed_log_go_when_they_are_due_and_the_chain_still_verifies() {
    let (log, chain) = ended_long_ago().await;
    log.live(chain.present(), "2026-01-04T08:00:00Z", 10).await;
    assert!(purged(&chain, &log.job()).await.is_empty(), "nothing is due after ten days");
    let gone = [secrets(&log, 1, 3), secrets(&log, 2, 3)].concat();
    assert_eq!(found_in_files(&log.config.dir, &gone), gone.len());
    assert!(chain.proof(Uuid::from_u128(1)).await.unwrap().is_some());
    log.live(chain.present(), "2026-01-14T08:00:00Z", 90).await;
    let reports = purged(&chain, &log.job()).await;
    let [(origin, report)] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!((origin.as_str(), report.keys.iter().map(|key| key.entries).sum::<u64>()), ("log.example", 24));
    assert_eq!(found_in_files(&log.config.dir, &gone), 0);
    let proof = chain.sealed()[0].proof(Uuid::from_u128(1)).await.unwrap().unwrap();
    assert_eq!(proof.agency, None, "what is left tells nothing of whom it was about, and can be proved");
    assert!(purged(&chain, &log.job()).await.is_empty(), "nothing more is due");
    drop(chain);
    let verified = verify_chain(&log).unwrap();
    assert_eq!((verified.sealed[0].report.entries, verified.sealed[0].report.contents_deleted), (24, 24));
    assert_eq!(verified.present.contents_deleted, 0);
}

#[tokio::test]
async fn purge_that_a_sealed_log_had_begun_itself_is_finished() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 40).await;
    let gone = secrets(&log, 2, 9);
    // As if the process had ended after the keys were destroyed.
    let (plan, _) = ledger.planned(log.job()).await.unwrap();
    ledger.record(&plan, None, None, "operator").await.unwrap();
    for due in plan.due {
        ledger.destroy(due).await.unwrap();
    }
    drop(ledger);
    let (log, chain) = ended_at(log, "2026-02-10T00:00:00Z");
    assert!(found_in_files(&log.config.dir, &gone) > 0, "contents lie about still");
    log.live(chain.present(), "2026-02-10T08:00:00Z", 1).await;
    let only_finish = PurgeJob { now: at("2026-02-09T15:00:00Z"), ..log.job() };
    let reports = purged(&chain, &only_finish).await;
    let [(_, report)] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(report.finished, 1);
    assert_eq!(found_in_files(&log.config.dir, &gone), 0);
    drop(chain);
    assert_eq!(verify_chain(&log).unwrap().sealed[0].report.contents_deleted, 18);
}

#[tokio::test]
async fn what_a_hold_covers_in_a_sealed_log_stays_readable() {
    let (log, chain) = ended_long_ago().await;
    log.live(chain.present(), "2026-01-04T08:00:00Z", 100).await;
    let job = PurgeJob { holds: vec![hold("bank", "2026-01-01", "2026-01-01")], ..log.job() };
    purged(&chain, &job).await;
    let sealed = &chain.sealed()[0];
    assert!(sealed.proof(Uuid::from_u128(2)).await.unwrap().unwrap().agency.is_some(), "held");
    assert!(sealed.proof(Uuid::from_u128(1)).await.unwrap().unwrap().agency.is_none(), "the school's is not");
    verify_chain(&log).unwrap();
    purged(&chain, &log.job()).await;
    assert!(chain.sealed()[0].proof(Uuid::from_u128(2)).await.unwrap().unwrap().agency.is_none(), "released");
    drop(chain);
    verify_chain(&log).unwrap();
}

#[tokio::test]
async fn deletion_in_a_sealed_log_without_its_record_is_found() {
    let (log, chain) = ended_long_ago().await;
    log.live(chain.present(), "2026-01-04T08:00:00Z", 100).await;
    let content: Vec<u8> = log.sql().query_row("SELECT sealed FROM entry WHERE idx = 1", [], |row| row.get(0)).unwrap();
    log.sql().execute("UPDATE entry SET sealed = NULL WHERE idx = 1", []).unwrap();
    let found = verify_chain(&log).unwrap_err().to_string();
    assert!(found.contains("entry 1 is bad: its content is gone and no recorded purge deleted it"), "{found}");
    log.sql().execute("UPDATE entry SET sealed = ?1 WHERE idx = 1", [content]).unwrap();
    purged(&chain, &log.job()).await;
    verify_chain(&log).unwrap();
    for (forged, expected) in [
        ("UPDATE later_purge SET said = replace(said, '2026-04', '2026-05')", "is about something else"),
        ("UPDATE later_purge SET idx = idx - 1", "is about something else"),
        ("UPDATE later_purge SET origin = 'log.example/2026-01-04.00000000'", "none of this installation"),
    ] {
        let before: (String, u64, String) = log
            .sql()
            .query_row("SELECT origin, idx, said FROM later_purge", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        log.sql().execute(forged, []).unwrap();
        let found = verify_chain(&log).unwrap_err().to_string();
        assert!(found.contains(expected), "{forged}: {found}");
        log.sql().execute("UPDATE later_purge SET origin = ?1, idx = ?2, said = ?3", before).unwrap();
    }
    verify_chain(&log).unwrap();
}

#[tokio::test]
async fn a_deletion_before_its_time_is_found_after_the_lawful_one_too() {
    let (log, chain) = ended_long_ago().await;
    log.live(chain.present(), "2026-01-04T08:00:00Z", 100).await;
    log.sql().execute("UPDATE entry SET sealed = NULL WHERE idx = 1", []).unwrap();
    purged(&chain, &log.job()).await;
    let found = verify_chain(&log).unwrap_err().to_string();
    assert!(found.contains("some were taken away without one"), "{found}");
}
