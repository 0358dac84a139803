//! Nothing leaves before it is durable: the gateway is killed under load again and again, and every reply that a client
//! received whole is in the log, where the reply says, about the same statement. In most rounds the disk loses what was not synced.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use estelam::adapters::store::open_offline;
use estelam::core::ledger::leaf::Header;
use estelam::core::ledger::tree::Hash;

use super::sigkill_load::{Load, Moment, Received, Seen};
use super::sigkill_support::{Disk, Installation};

/// How often the process is killed.
const KILLS: usize = 52;
/// The moments at which it is killed, in turn.
const MOMENTS: [Moment; 6] = [Moment::Reply, Moment::Stall, Moment::Disk, Moment::Publication, Moment::Stall, Moment::Disk];
/// Replies before a kill: at least one, at most this many.
const MOST_REPLIES: u64 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_received_reply_outlives_sigkill() {
    let installation = Installation::make();
    let (mut seed, mut received, mut newest, mut cut) = (1402, Vec::new(), None, 0);
    for (round, moment) in (1..=KILLS).zip(MOMENTS.into_iter().cycle()) {
        let goal = 1 + usize::try_from(draw(&mut seed) % MOST_REPLIES).unwrap();
        let gateway = installation.start(moment.disk()).await;
        let load = Load::new(gateway, &installation, goal, moment, newest).await;
        let outcome = Arc::new(load).run(&installation).await;
        newest = outcome.newest;
        check_consistency(&installation, newest.as_ref(), round);
        find_all(&installation, &outcome.received, &format!("after kill {round} ({moment:?})"));
        received.extend(outcome.received);
        cut += outcome.cut_while_waiting;
    }
    let entries = find_all(&installation, &received, "at the end");
    println!("{KILLS} kills on {cut} requests under way; {} replies received whole, {entries} entries in the log", received.len());
    assert!(cut > KILLS, "the kills fell on requests under way");
    assert!(newest.is_some_and(|seen| seen.size > 1), "checkpoints were seen");
    let _ready_by_itself = installation.start(Disk::Plain).await;
}

/// The whole log holds and continues the greatest checkpoint that anybody saw.
fn check_consistency(installation: &Installation, seen: Option<&Seen>, round: usize) {
    let entries = installation.verify_log(seen.map(|seen| seen.note.as_str()));
    let size = seen.map_or(0, |seen| seen.size);
    assert!(entries >= size, "after kill {round}: {entries} entries, a checkpoint over {size} was seen");
}

/// Finds every reply in the log, no two at one place; gives the number of entries.
fn find_all(installation: &Installation, received: &[Received], when: &str) -> usize {
    let log = statement_digests(installation);
    let digests: HashSet<_> = log.values().copied().collect();
    let mut taken = HashSet::new();
    let mut missing = Vec::new();
    for reply in received {
        let found = match reply.index {
            Some(index) => log.get(&index) == Some(&reply.digest()),
            None => digests.contains(&reply.digest()),
        };
        if !found {
            missing.push((reply.agency, reply.index));
        }
        assert!(reply.index.is_none_or(|index| taken.insert(index)), "{when}: two replies name entry {:?}", reply.index);
    }
    assert!(missing.is_empty(), "{when}: of {} received replies the log lacks {}: {missing:?}", received.len(), missing.len());
    log.len()
}

/// What each entry's header is about, read beside the product.
fn statement_digests(installation: &Installation) -> HashMap<u64, Hash> {
    let conn = open_offline(&installation.dir().join("ledger")).unwrap();
    let mut select = conn.prepare("SELECT idx, header FROM entry").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    rows.map(|row| row.map(|(index, header)| (index, Header::decode(&header).unwrap().statement_digest)).unwrap()).collect()
}

/// The next number of a fixed sequence (SplitMix64).
fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
