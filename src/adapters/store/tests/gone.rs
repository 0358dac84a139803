//! What was taken away is said: a sealed log, an epoch of it, a key of the officer's that was replaced.

use super::chain::{House, at, house, of_verify, person};
use super::*;
use crate::core::ledger::audit::{Filter, LogAudit as _, Search};
use crate::core::ledger::holder::HolderLog as _;

fn all() -> Search {
    Search { filter: of_verify(), limit: 200, counted: true, ..Search::default() }
}

fn database(house: &House, number: usize) -> std::path::PathBuf {
    house.origins().all()[number].1.join("ledger.sqlite")
}

#[tokio::test]
async fn a_sealed_log_that_was_taken_away_is_named_in_every_answer_until_it_is_put_back() {
    let house = house().await;
    let first = database(&house, 0);
    let away = first.with_extension("away");
    std::fs::rename(&first, &away).unwrap();
    let from = at("2026-01-01T00:00:00Z");
    {
        let chain = house.chain();
        chain.present().keep_officer_key(OfficerKey::new(house.officer.clone()));
        assert_eq!(chain.missing(), ["log.example"]);
        let found = chain.search(all()).await.unwrap();
        assert_eq!((found.count, found.missing), (Some(120), vec!["log.example".to_owned()]));
        let trail = chain.trail(person()).await.unwrap();
        assert_eq!((trail.rows.len(), trail.is_whole(), trail.missing), (12, false, vec!["log.example".to_owned()]));
        assert!(trail.unopened.is_empty());
        let told = chain.summary(None, None, at("2026-01-03T00:00:00Z")).await.unwrap();
        assert_eq!(told.missing, ["log.example"]);
        assert!(!told.buckets.is_empty() && told.buckets.iter().all(|bucket| !bucket.complete), "{told:?}");
        let sealed = chain.sealed_trails(from).await.unwrap();
        assert!(!sealed.whole && !sealed.are_all_in(&house.opened(&chain, &sealed)));
        // It ended before the next one began: of what came after that it has nothing.
        let later = Filter { from: Some(at("2026-01-01T08:05:00Z")), ..of_verify() };
        assert!(chain.search(Search { filter: later, ..all() }).await.unwrap().missing.is_empty());
        assert!(chain.search(Search { only: Some(2), ..all() }).await.unwrap().missing.is_empty());
        assert!(chain.search(Search { only: Some(0), ..all() }).await.is_err() && chain.stretches(0).await.is_err());
        assert!(chain.sealed_trails(at("2026-01-02T00:00:00Z")).await.unwrap().whole);
    }
    let mut offline = OfflineChain::open(&house.origins(), &house.config.content_kek).unwrap();
    let found = offline.search(&all()).unwrap();
    assert_eq!((found.count, found.missing), (Some(120), vec!["log.example".to_owned()]));
    assert!(!offline.trail(&person(), &[OfficerKey::new(house.officer.clone())]).unwrap().is_whole());
    std::fs::rename(&away, &first).unwrap();
    let chain = house.chain();
    let found = chain.search(all()).await.unwrap();
    assert_eq!((found.count, found.missing, chain.missing()), (Some(180), Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_holder_s_view_says_that_it_lacks_an_epoch_that_was_taken_away_or_an_entry_that_nobody_can_read() {
    let house = house().await;
    let chain = house.chain();
    let from = at("2026-01-01T00:00:00Z");
    let view = async || {
        let sealed = chain.sealed_trails(from).await.unwrap();
        let opened = house.opened(&chain, &sealed);
        assert!(sealed.are_all_in(&opened), "the table itself says nothing of what it lost");
        let found = chain.entries_of(opened, from).await.unwrap();
        (found.entries.len(), found.whole)
    };
    assert_eq!(view().await, (18, true));
    let conn = rusqlite::Connection::open(database(&house, 0)).unwrap();
    let row = "SELECT seq, name, sealed FROM epoch WHERE name LIKE '%-__.1.%'";
    let row: (i64, String, Vec<u8>) = conn.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    conn.execute("DELETE FROM epoch WHERE seq = ?1", [row.0]).unwrap();
    assert_eq!(view().await, (12, false));
    conn.execute("INSERT INTO epoch VALUES (?1, ?2, ?3)", row).unwrap();
    assert_eq!(view().await, (18, true));
    let conn = rusqlite::Connection::open(database(&house, 1)).unwrap();
    conn.execute("UPDATE entry SET sealed = zeroblob(length(sealed)) WHERE idx = 10", []).unwrap();
    // An index that was made before knows nothing of it until it comes there.
    drop(chain);
    std::fs::remove_dir_all(database(&house, 1).with_file_name("segments")).unwrap();
    let chain = house.chain();
    let opened = house.opened(&chain, &chain.sealed_trails(from).await.unwrap());
    let found = chain.entries_of(opened.clone(), from).await.unwrap();
    assert_eq!((found.entries.len(), found.whole), (18, false), "it may be the holder's");
    assert!(chain.entries_of(opened, at("2026-01-02T00:00:00Z")).await.unwrap().whole, "of another day it is none");
}

#[tokio::test]
async fn a_trail_around_a_change_of_the_officer_s_key_takes_both_and_names_what_neither_opens() {
    let house = house().await;
    let (public, new) = generate_officer_key().unwrap();
    let changed = LedgerConfig { dpo_public_key: public, ..house.settings() };
    let ledger =
        SqliteLedger::open(changed, signer(), Arc::new(crate::adapters::clock::ManualClock::new(at("2026-01-01T09:00:00Z")))).unwrap();
    ledger.append(house.entry(183)).await.unwrap();
    ledger.settled().await.unwrap();
    drop(ledger);
    let mut offline = OfflineChain::open(&house.origins(), &house.config.content_kek).unwrap();
    let key = |private: &zeroize::Zeroizing<Vec<u8>>| OfficerKey::new(private.clone());
    let mut found = |officer: &[OfficerKey]| {
        let trail = offline.trail(&person(), officer).unwrap();
        (trail.rows.len(), trail.unopened.len())
    };
    assert_eq!(found(&[key(&house.officer)]), (18, 1));
    let (rows, unopened) = found(&[key(&new)]);
    assert_eq!((rows, unopened > 1), (1, true));
    assert_eq!(found(&[key(&house.officer), key(&new)]), (19, 0));
}

/// A leaf is kept with its row alone until its tile is full: what lies beside a lost one is proved by a checkpoint from before it, or not at all.
#[tokio::test]
async fn an_entry_beside_a_lost_row_is_proved_by_the_first_checkpoint_that_covered_it() {
    let log = log();
    let keys = log.config.checkpoint_keys().unwrap();
    let digest = crate::core::ledger::tree::sha256(b"said");
    let said = |number: u128| Entry { statement_digest: digest, ..entry(number, 0) };
    let check = async |number: u128| {
        let proof = log.ledger.proof(Uuid::from_u128(number)).await;
        proof.map(|found| found.unwrap().check("said", &keys).map(|_| ()))
    };
    for number in 0..3 {
        log.ledger.append(said(number)).await.unwrap();
    }
    assert_eq!(check(2).await, Ok(Ok(())), "it signs a checkpoint over three");
    for number in 3..300 {
        log.ledger.append(said(number)).await.unwrap();
    }
    assert_eq!(check(299).await, Ok(Ok(())), "and one over all");
    let conn = rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap();
    conn.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM entry WHERE idx = 4; DELETE FROM entry WHERE idx = 4").unwrap();
    assert_eq!(check(0).await, Ok(Ok(())));
    assert!(check(3).await.is_err() && check(255).await.is_err(), "no earlier checkpoint reaches them without what is lost");
    assert_eq!(check(256).await, Ok(Ok(())), "of a full tile the hash is kept apart");
    conn.execute("INSERT INTO entry SELECT * FROM kept", []).unwrap();
    assert_eq!(check(255).await, Ok(Ok(())));
}
