//! Entries that were damaged, or whose content is gone without a purge: they are named, and keep nobody from the others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::tests::{Log, at, log, three_days, trace};
use crate::adapters::store::{PurgeJob, SqliteLedger};
use crate::core::ledger::LogReader as _;
use crate::core::ledger::audit::{DamagedEntry, Filter, LogAudit as _, Sample, Search, TrailSearch};
use crate::core::ledger::purge_order::Ordered;

/// Of the second of three days.
const DAMAGED: u64 = 75;

fn all() -> Search {
    Search { limit: 1000, counted: true, ..Search::default() }
}

fn first_day() -> Search {
    Search { filter: Filter { to: Some(at("2026-01-02T00:00:00Z")), ..Filter::default() }, ..all() }
}

/// The indices of damaged entries, each of which is named.
pub(super) fn indices(damaged: &[DamagedEntry]) -> Vec<u64> {
    let each = |one: &DamagedEntry| {
        let last = one.last.unwrap_or(one.index);
        assert_eq!(one.count(), last - one.index + 1, "none of these is told apart from one that is whole: {one:?}");
        one.index..=last
    };
    let mut found: Vec<u64> = damaged.iter().flat_map(each).collect();
    found.sort_unstable();
    found
}

/// Rows, as many as are counted, and indices of what nobody can read.
async fn found(ledger: &SqliteLedger, search: Search) -> (usize, Vec<u64>) {
    let found = ledger.search(search).await.unwrap();
    assert_eq!(found.count, Some(found.rows.len() as u64));
    (found.rows.len(), indices(&found.damaged))
}

fn database(log: &Log) -> rusqlite::Connection {
    rusqlite::Connection::open(log.config.dir.join("ledger.sqlite")).unwrap()
}

/// Everything that is asked about some entries that are gone names them or is refused; what does not touch them is whole.
async fn are_missed(ledger: &SqliteLedger, gone: &[u64]) {
    assert_eq!(found(ledger, all()).await, (200 - gone.len(), gone.to_vec()));
    assert_eq!(found(ledger, first_day()).await, (70, vec![]), "the first day is whole");
    sample_is_of_the_others(ledger, gone).await;
    let trail = ledger.trail(TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }).await.unwrap();
    assert_eq!(indices(&trail.damaged), gone, "they may be about anybody");
}

/// Indices that are drawn, how many they are drawn from, and what is left out.
async fn drawn(ledger: &SqliteLedger, search: Search) -> (Vec<u64>, Option<u64>, Vec<DamagedEntry>) {
    let found = ledger.draw(Search { limit: 5, ..search }, "seed".into()).await.unwrap();
    (found.rows.iter().map(|row| row.index).collect(), found.count, found.damaged)
}

/// A new sample of the whole log names what is gone and is of the rest; one of a span without damage says nothing of it.
async fn sample_is_of_the_others(ledger: &SqliteLedger, gone: &[u64]) {
    let (sample, from, left_out) = drawn(ledger, all()).await;
    assert_eq!((sample.len(), from, indices(&left_out)), (5, Some(200 - gone.len() as u64), gone.to_vec()));
    assert!(sample.iter().all(|index| !gone.contains(index)));
    let (sample, from, left_out) = drawn(ledger, first_day()).await;
    assert_eq!((sample.len(), from, left_out), (5, Some(70), vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn damaged_entry_is_named_and_hides_no_other() {
    for indexed_before in [false, true] {
        let log = log();
        let ledger = log.open();
        let known = three_days(&log, &ledger).await;
        ledger.settled().await.unwrap();
        if indexed_before {
            assert_eq!(found(&ledger, all()).await, (200, vec![]));
        }
        let conn = database(&log);
        let content: Vec<u8> = conn.query_row("SELECT sealed FROM entry WHERE idx = ?1", [DAMAGED], |row| row.get(0)).unwrap();
        conn.execute("UPDATE entry SET sealed = zeroblob(length(sealed)) WHERE idx = ?1", [DAMAGED]).unwrap();
        assert_eq!(found(&ledger, all()).await, (199, vec![DAMAGED]));
        assert_eq!(found(&ledger, first_day()).await, (70, vec![]), "the first day is whole");
        let id = Some(uuid::Uuid::from_u128(u128::from(known[75].index) + 1));
        assert_eq!(found(&ledger, Search { filter: Filter { id, ..Filter::default() }, ..all() }).await, (0, vec![DAMAGED]));
        sample_is_of_the_others(&ledger, &[DAMAGED]).await;
        let trail = ledger.trail(TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }).await.unwrap();
        assert_eq!(indices(&trail.damaged), [DAMAGED], "it may be about anybody");
        assert!(!trail.rows.is_empty());
        drop(ledger);
        let ledger = log.open();
        assert_eq!(found(&ledger, all()).await, (199, vec![DAMAGED]));
        conn.execute("UPDATE entry SET sealed = ?2 WHERE idx = ?1", (DAMAGED, content)).unwrap();
        found(&ledger, all()).await;
        assert_eq!(found(&ledger, all()).await, (200, vec![]), "put right, it is found again");
        assert_eq!(ledger.size(), 200);
    }
}

/// What decides is what could be read when a sample was drawn: it comes again when that was put right, and when more was damaged since.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sample_drawn_beside_damage_comes_again_whatever_becomes_of_it() {
    let log = log();
    let ledger = log.open();
    three_days(&log, &ledger).await;
    ledger.settled().await.unwrap();
    let (whole, from, _) = drawn(&ledger, all()).await;
    assert_eq!(from, Some(200));
    let conn = database(&log);
    let content: Vec<u8> = conn.query_row("SELECT sealed FROM entry WHERE idx = ?1", [whole[0]], |row| row.get(0)).unwrap();
    let damage = |index: u64| conn.execute("UPDATE entry SET sealed = zeroblob(length(sealed)) WHERE idx = ?1", [index]).unwrap();
    damage(whole[0]);
    let (indices, from, left_out) = drawn(&ledger, all()).await;
    assert_eq!((from, left_out.as_slice(), indices.len()), (Some(199), [DamagedEntry::one(whole[0])].as_slice(), 5));
    assert!(whole[1..].iter().all(|index| indices.contains(index)), "{whole:?} {indices:?}");
    let record = serde_json::json!({"seed": "seed", "tree_size": 200, "drawn_from": 199, "indices": indices, "left_out": left_out});
    let sample: Sample = serde_json::from_value(record).unwrap();
    let again = Search { left_out: sample.left_out.clone(), ..all() };
    conn.execute("UPDATE entry SET sealed = ?2 WHERE idx = ?1", (whole[0], content)).unwrap();
    assert_eq!(drawn(&ledger, all()).await, (whole, Some(200), vec![]), "put right, it is drawn from all");
    assert_eq!(drawn(&ledger, again.clone()).await, (indices.clone(), Some(199), vec![]));
    damage(indices[2]);
    let (others, from, left_out) = drawn(&ledger, again).await;
    assert_eq!((from, left_out.as_slice()), (Some(198), [DamagedEntry::one(indices[2])].as_slice()));
    assert!(sample.agrees(5, &others, &[indices[2]]) && !sample.agrees(5, &others, &[]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn content_or_row_that_is_gone_without_a_purge_is_named() {
    // One of a part, one of the stretch in memory.
    for entry in [DAMAGED, 198] {
        for taken in ["UPDATE entry SET sealed = NULL WHERE idx = ?1", "DELETE FROM entry WHERE idx = ?1"] {
            for indexed_before in [false, true] {
                let log = log();
                let ledger = log.open();
                three_days(&log, &ledger).await;
                ledger.settled().await.unwrap();
                if indexed_before {
                    assert_eq!(found(&ledger, all()).await, (200, vec![]));
                }
                database(&log).execute(taken, [entry]).unwrap();
                let day = Filter { from: Some(at("2026-01-02T00:00:00Z")), ..Filter::default() };
                assert_eq!(found(&ledger, Search { filter: day, ..all() }).await, (129, vec![entry]), "{taken}");
                // A row that is not there is of a day between those of the rows around it.
                are_missed(&ledger, &[entry]).await;
                assert_eq!(found(&ledger, all()).await, (199, vec![entry]), "{taken}");
                sample_is_of_the_others(&ledger, &[entry]).await;
                let id = Some(uuid::Uuid::from_u128(u128::from(entry) + 1));
                assert_eq!(found(&ledger, Search { filter: Filter { id, ..Filter::default() }, ..all() }).await, (0, vec![entry]));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn contents_whose_key_is_gone_without_a_purge_are_named_until_it_is_put_right() {
    let lost: Vec<u64> = (70..140).filter(|index| index % 7 != 0).collect();
    for taken in [
        "UPDATE content_key SET wrapped = zeroblob(60) WHERE seq = ?1",
        "UPDATE content_key SET day = 0 WHERE seq = ?1",
        "DELETE FROM content_key WHERE seq = ?1",
    ] {
        for indexed_before in [false, true] {
            let log = log();
            let ledger = log.open();
            three_days(&log, &ledger).await;
            if indexed_before {
                assert_eq!(found(&ledger, all()).await, (200, vec![]));
            }
            ledger.settled().await.unwrap();
            drop(ledger);
            let conn = database(&log);
            let key: i64 = conn.query_row("SELECT content_key FROM entry WHERE idx = ?1", [DAMAGED], |row| row.get(0)).unwrap();
            let row = "SELECT day, class, wrapped FROM content_key WHERE seq = ?1";
            let row: (i64, i64, Vec<u8>) = conn.query_row(row, [key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
            conn.execute(taken, [key]).unwrap();
            // A record that no entry commits to excuses nothing.
            let forged = format!(
                r#"{{"act":"purge","as_of":"2026-06-01T00:00:00Z","holds":[],"keys":[{{"day":"2026-01-02","class":"detail","key":{key},"entries":60,"held":0}}]}}"#
            );
            conn.execute("INSERT INTO purge (idx, said, done) VALUES (75, ?1, 1)", [forged]).unwrap();
            let ledger = log.open();
            let counted = ledger.search(Search { limit: 0, ..all() }).await.unwrap();
            assert_eq!((counted.count, indices(&counted.damaged).len()), (Some(140), 60), "{taken}");
            are_missed(&ledger, &lost).await;
            conn.execute("INSERT OR REPLACE INTO content_key VALUES (?1, ?2, ?3, ?4)", (key, row.0, row.1, row.2)).unwrap();
            found(&ledger, all()).await;
            assert_eq!(found(&ledger, all()).await, (200, vec![]), "put right, they are found again");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_header_that_was_changed_is_of_a_day_between_those_around_it() {
    let log = log();
    let ledger = log.open();
    three_days(&log, &ledger).await;
    ledger.settled().await.unwrap();
    // Its own time says the first day, and does not fit its leaf.
    database(&log).execute("UPDATE entry SET header = (SELECT header FROM entry WHERE idx = 3) WHERE idx = ?1", [DAMAGED]).unwrap();
    are_missed(&ledger, &[DAMAGED]).await;
}

/// With more of them than are kept apart (a thousand ranges, in tests sixteen) everything goes on: what they touch says so, and no more than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn more_damage_than_is_kept_apart_ends_no_search_no_count_and_no_purge() {
    let log = log();
    let ledger = log.open();
    for (day, numbers) in [("2026-01-01", 0..70), ("2026-01-02", 70..340), ("2026-01-03", 340..400)] {
        log.live(&ledger, &format!("{day}T08:00:00Z"), numbers).await;
    }
    ledger.settled().await.unwrap();
    database(&log).execute("UPDATE entry SET sealed = zeroblob(length(sealed)) WHERE idx >= 70 AND idx < 340 AND idx % 2 = 0", []).unwrap();
    let all_found = ledger.search(all()).await.unwrap();
    assert_eq!((all_found.count, all_found.rows.len()), (Some(265), 265));
    let named: u64 = all_found.damaged.iter().map(DamagedEntry::count).sum();
    assert!(all_found.damaged.len() <= 16 && named >= 135, "{:?}", all_found.damaged);
    assert!(all_found.damaged.iter().all(|one| one.index >= 70 && one.last.unwrap_or(one.index) < 340), "{:?}", all_found.damaged);
    assert_eq!(found(&ledger, first_day()).await, (70, vec![]), "the first day is whole");
    let (sample, from, left_out) = drawn(&ledger, all()).await;
    assert!(sample.len() == 5 && from >= Some(130) && left_out.len() <= 16, "{left_out:?}");
    assert!(sample.iter().all(|index| left_out.iter().all(|range| *index < range.index || *index > range.end())), "{sample:?}");
    let (sample, from, left_out) = drawn(&ledger, first_day()).await;
    assert_eq!((sample.len(), from, left_out), (5, Some(70), vec![]));
    let trail = ledger.trail(TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }).await.unwrap();
    assert!(!trail.rows.is_empty() && !trail.is_whole());
    let day = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
    let now = at("2026-01-05T08:00:00Z");
    let told = ledger.summary(None, None, now).await.unwrap();
    assert_eq!(told.damaged.iter().copied().collect::<Vec<_>>(), [day("2026-01-02")]);
    let complete = |wanted: &str| told.buckets.iter().filter(|one| one.day == day(wanted)).all(|one| one.complete);
    assert!(told.buckets.iter().any(|one| one.day == day("2026-01-02")), "{told:?}");
    assert!(complete("2026-01-01") && !complete("2026-01-02"), "{told:?}");
    let kept = |wanted: &str| -> bool {
        let days = jiff::civil::Date::constant(1970, 1, 1).until(day(wanted)).unwrap().get_days();
        database(&log).query_row("SELECT EXISTS (SELECT 1 FROM day_count WHERE day = ?1)", [days], |row| row.get(0)).unwrap()
    };
    assert!(kept("2026-01-01") && !kept("2026-01-02"), "its counts wait until what is damaged may be put right no more");
    // Minors' contents go after thirty days, those that are damaged with them; the counts of their day are kept with a mark.
    for number in 4..=34 {
        log.live(&ledger, &(at("2026-01-01T08:00:00Z") + jiff::SignedDuration::from_hours(24 * (number - 1))).to_string(), 201..202).await;
    }
    let now = at("2026-02-03T09:00:00Z");
    let (witnessed, holds, only, ordered) = (None, Vec::new(), Vec::new(), Ordered::not_needed());
    let report = ledger.purge(PurgeJob { now, witnessed, holds, ordered, only, dry_run: false, by: "operator" }).await.unwrap();
    assert!(report.keys.iter().any(|key| key.day == day("2026-01-02")), "{report:?}");
    assert!(kept("2026-01-02"));
    let after = ledger.summary(None, Some(day("2026-01-02")), now).await.unwrap();
    assert_eq!(
        (after.buckets, after.damaged),
        (told.buckets.into_iter().filter(|one| one.day <= day("2026-01-02")).collect(), told.damaged)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn list_of_another_log_or_of_a_longer_one_hides_no_entry() {
    let first = log();
    let ledger = first.open();
    three_days(&first, &ledger).await;
    assert_eq!(found(&ledger, all()).await, (200, vec![]));
    drop(ledger);
    // The same key-encryption key, as a log has it that goes on from another.
    for (origin, entries) in [("log.example/2026-03-01.00000000", 200), ("log.example", 60)] {
        let mut other = log();
        (other.config.content_kek, other.config.origin) = (first.config.content_kek.clone(), origin.into());
        std::fs::create_dir_all(other.config.dir.join("segments")).unwrap();
        std::fs::copy(first.config.dir.join("segments/parts"), other.config.dir.join("segments/parts")).unwrap();
        let ledger = other.open();
        other.live(&ledger, "2026-03-01T08:00:00Z", 0..entries).await;
        assert_eq!(found(&ledger, all()).await, (usize::try_from(entries).unwrap(), vec![]), "{origin}");
    }
}
