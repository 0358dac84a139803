//! What proves an export: every log up to its end, and beside a leaf that is lost all but the rows next to it.

use jiff::SignedDuration;

use super::chain::{house, of_verify};
use super::*;
use crate::adapters::clock::ManualClock;
use crate::core::ledger::audit::{DamagedEntry, Fold, LogAudit, Search, Stretch};
use crate::core::ledger::leaf::{header_commitment, leaf};
use crate::core::ledger::tree::leaf_hash;

/// What whoever gets an export of a log can say of it.
#[derive(Debug, PartialEq, Eq)]
struct Folded {
    rows: usize,
    /// Rows that lead to no checkpoint.
    unproved: Vec<u64>,
    /// The size of each stretch, and whether its checkpoint was met.
    ends: Vec<(u64, bool)>,
}

fn page(stretch: &Stretch, bound: u64) -> Search {
    let (bound, size, only) = (Some(bound), Some(stretch.size), Some(stretch.log));
    Search { limit: 50, bound, size, only, oldest_first: true, ..Search::default() }
}

/// Rows of a log folded as an export has them.
async fn folded(log: &dyn LogAudit, number: u16) -> Folded {
    let (mut fold, mut at, mut bound) = (Fold::default(), 0, 0);
    let mut folded = Folded { rows: 0, unproved: Vec::new(), ends: Vec::new() };
    for stretch in log.stretches(number).await.unwrap() {
        loop {
            let rows = log.search(page(&stretch, bound)).await.unwrap().rows;
            let Some(last) = rows.last() else { break };
            bound = last.index + 1;
            let cover = log.cover(stretch.clone(), at, rows.iter().map(|row| row.index).collect(), false).await.unwrap();
            at = cover.at;
            folded.rows += rows.len();
            for (row, gap) in rows.iter().zip(cover.gaps) {
                let Some(gap) = gap else {
                    folded.unproved.push(row.index);
                    continue;
                };
                fold.gap(row.index, &gap).unwrap();
                fold.leaf(leaf_hash(&leaf(&header_commitment(&row.salt, &row.header), &row.content_commitment)));
            }
        }
        let mut end = log.cover(stretch.clone(), at, Vec::new(), true).await.unwrap();
        at = end.at;
        let gap = end.gaps.pop().unwrap();
        gap.iter().for_each(|gap| fold.gap(stretch.size, gap).unwrap());
        assert!(gap.is_none() || Some(fold.root()) == stretch.root(), "{number}: {}", stretch.size);
        folded.ends.push((stretch.size, gap.is_some()));
    }
    folded
}

#[tokio::test]
async fn rows_of_every_log_fold_up_to_the_checkpoints_of_its_end() {
    let house = house().await;
    let chain = house.chain();
    let list = chain.logs(None);
    assert_eq!((list.logs.len(), list.missing.len(), list.present()), (3, 0, 2));
    for (number, origin) in &list.logs {
        let size = if *number == 0 { 60 } else { 61 };
        let found = folded(&chain, *number).await;
        assert_eq!((found.rows, found.unproved.len(), found.ends.last()), (size, 0, Some(&(size as u64, true))), "{origin}");
        let last = chain.stretches(*number).await.unwrap().pop().unwrap();
        let claimed = crate::core::ledger::checkpoint::Checkpoint::claimed_origin(&last.checkpoint).unwrap().to_owned();
        // None of their own reached the end of those that were sealed.
        assert_eq!((last.origin == *origin, claimed == **origin), (true, *number == 2), "{claimed}");
    }
}

#[tokio::test]
async fn a_sealed_log_is_proved_by_its_own_last_checkpoint_and_behind_it_by_the_seal() {
    let house = house().await;
    {
        let ledger = house.present();
        // Signed ahead of its time; then more comes.
        assert_eq!(ledger.stretches(0).await.unwrap().len(), 1);
        ledger.append(house.entry(180)).await.unwrap();
    }
    house.succeed();
    let chain = house.chain();
    let found = folded(&chain, 2).await;
    assert_eq!((found.rows, found.unproved.len(), found.ends), (62, 0, vec![(61, true), (62, true)]));
}

#[tokio::test]
async fn a_sample_is_drawn_from_a_sealed_log_and_what_is_lost_of_it_is_named() {
    let house = house().await;
    let chain = house.chain();
    let ask = Search { filter: of_verify(), limit: 7, only: Some(0), ..Search::default() };
    let found = chain.draw(ask.clone(), "seed".into()).await.unwrap();
    assert_eq!((found.count, found.size, found.head), (Some(60), 60, 0));
    assert!(found.rows.iter().all(|row| row.log == 0 && row.origin.as_deref() == Some("log.example")));
    let indices: Vec<u64> = found.rows.iter().map(|row| row.index).collect();
    let conn = rusqlite::Connection::open(house.origins().all()[0].1.join("ledger.sqlite")).unwrap();
    conn.execute("DELETE FROM entry WHERE idx = ?1", [indices[1]]).unwrap();
    let picked = chain.pick(0, indices.clone()).await.unwrap();
    assert_eq!((picked.rows.len(), picked.gone.len(), picked.damaged.len(), picked.damaged[0].index), (6, 0, 1, indices[1]));
    let beside = chain.draw(ask, "seed".into()).await.unwrap();
    let left_out = DamagedEntry { origin: Some("log.example".into()), ..DamagedEntry::one(indices[1]) };
    assert_eq!((beside.rows.len(), beside.count, beside.damaged), (7, Some(59), vec![left_out]));
    assert!(chain.pick(9, indices).await.is_err());
}

/// A log of 600 entries with checkpoints at 520 and 600.
async fn long_log(then: impl AsyncFnOnce(&SqliteLedger, &rusqlite::Connection)) {
    let folder = tempfile::tempdir().unwrap();
    let config = LedgerConfig { queue: 1024, ..config_in(folder.path().join("ledger")) };
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1)));
    let ledger = SqliteLedger::open(config.clone(), signer(), clock).unwrap();
    for to in [0..520_u32, 520..600] {
        futures_util::future::try_join_all(to.map(|number| ledger.append(entry(u128::from(number), 1)))).await.unwrap();
        ledger.stretches(0).await.unwrap();
    }
    ledger.settled().await.unwrap();
    then(&ledger, &rusqlite::Connection::open(config.dir.join("ledger.sqlite")).unwrap()).await;
}

#[tokio::test]
async fn a_row_that_is_lost_costs_the_proofs_of_its_tile_and_no_row() {
    for taken in ["DELETE FROM entry WHERE idx = ?1", "UPDATE entry SET leaf = zeroblob(32) WHERE idx = ?1"] {
        long_log(async |ledger, conn| {
            assert_eq!(folded(ledger, 0).await, Folded { rows: 600, unproved: vec![], ends: vec![(600, true)] });
            conn.execute(taken, [300]).unwrap();
            let beside = |lost: u64, tile: std::ops::Range<u64>| tile.filter(move |index| *index != lost);
            let unproved: Vec<u64> = beside(300, 256..512).collect();
            assert_eq!(folded(ledger, 0).await, Folded { rows: 599, unproved: unproved.clone(), ends: vec![(600, true)] }, "{taken}");
            // Among the last ones, whose tile is not full: an earlier checkpoint proves what it can.
            conn.execute(taken, [550]).unwrap();
            let unproved = unproved.into_iter().chain(beside(550, 520..600)).collect();
            assert_eq!(folded(ledger, 0).await, Folded { rows: 598, unproved, ends: vec![(520, true), (600, false)] }, "{taken}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_content_that_nobody_can_read_costs_no_proof() {
    long_log(async |ledger, conn| {
        conn.execute("UPDATE entry SET sealed = zeroblob(length(sealed)) WHERE idx IN (300, 550)", []).unwrap();
        conn.execute("UPDATE entry SET header = zeroblob(length(header)) WHERE idx = 301", []).unwrap();
        assert_eq!(folded(ledger, 0).await, Folded { rows: 597, unproved: vec![], ends: vec![(600, true)] });
    })
    .await;
}
