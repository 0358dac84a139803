//! What joins the entries about one person, and what does not: tags with the disk and the content keys in hand, and with the officer's key.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::tests::{Log, at, entry, log, trace};
use crate::adapters::store::contents::{Contents, Opened};
use crate::adapters::store::{OfficerKey, OfflineAudit, SqliteLedger, keys, open_trail_key};
use crate::core::ledger::Ledger as _;
use crate::core::ledger::audit::{LogAudit as _, TrailFound, TrailSearch};
use crate::core::ledger::leaf::{header_commitment, leaf};
use crate::core::ledger::subject::TrailRoot;
use crate::core::ledger::tree::{Hash, sha256};

type Content = serde_json::Map<String, serde_json::Value>;

/// One entry, opened with the content keys alone.
struct Open {
    index: u64,
    key: i64,
    id: Vec<u8>,
    salt: Hash,
    header: [u8; 43],
    plain: Vec<u8>,
}

impl Open {
    fn content(&self) -> Content {
        serde_json::from_slice(&self.plain[32..]).unwrap()
    }
}

fn database(log: &Log) -> Connection {
    Connection::open(log.config.dir.join("ledger.sqlite")).unwrap()
}

fn opened(log: &Log) -> Vec<Open> {
    let (conn, mut contents) = (database(log), Contents::load(&log.config.content_kek).unwrap());
    let mut select = conn.prepare("SELECT idx, content_key, id, salt, header, sealed FROM entry ORDER BY idx").unwrap();
    let rows = select.query_map([], |row| {
        let (index, key, id, salt, header) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok((Open { index, key, id, salt, header, plain: Vec::new() }, row.get::<_, Vec<u8>>(5)?))
    });
    let open = |(entry, sealed): (Open, Vec<u8>)| match contents.open(&conn, entry.key, &entry.id, &sealed).unwrap() {
        Opened::Plain(plain) => Open { plain: plain.to_vec(), ..entry },
        Opened::NoKey | Opened::Damaged => unreachable!("the keys are there"),
    };
    rows.unwrap().map(Result::unwrap).map(open).collect()
}

/// Puts a content in place of another, so that it fits its leaf.
fn put(log: &Log, entry: &Open, content: &Content) {
    let (conn, mut contents) = (database(log), Contents::load(&log.config.content_kek).unwrap());
    let plain = [&entry.plain[..32], &serde_json::to_vec(content).unwrap()].concat();
    let commitment = sha256(&plain);
    let leaf = leaf(&header_commitment(&entry.salt, &entry.header), &commitment);
    let seal = |key: &aws_lc_rs::aead::LessSafeKey| keys::seal(key, &entry.id, plain).unwrap();
    let sealed = contents.with_key(&conn, entry.key, seal).unwrap().unwrap();
    let update = "UPDATE entry SET content_commitment = ?1, leaf = ?2, sealed = ?3 WHERE idx = ?4";
    conn.execute(update, (commitment.as_slice(), leaf.as_slice(), sealed, entry.index)).unwrap();
}

/// The entries of two days about forty people, each asked about by three agencies; the log was opened anew for the second day.
async fn two_days(log: &Log) -> std::sync::Arc<SqliteLedger> {
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 0..120).await;
    ledger.settled().await.unwrap();
    drop(ledger);
    let ledger = log.open();
    log.live(&ledger, "2026-01-02T08:00:00Z", 120..240).await;
    ledger.settled().await.unwrap();
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_tag_joins_two_agencies_for_who_has_the_disk_and_the_content_keys() {
    let log = log();
    let ledger = two_days(&log).await;
    let mut agencies: HashMap<(&str, String), HashSet<String>> = HashMap::new();
    let entries = opened(&log);
    for content in entries.iter().map(Open::content) {
        for name in ["agency_tag", "trail_tag"] {
            let tag = content[name].as_str().unwrap().to_owned();
            agencies.entry((name, tag)).or_default().insert(content["agency"].as_str().unwrap().to_owned());
        }
    }
    assert!(agencies.values().all(|of_tag| of_tag.len() == 1));
    let trails = agencies.keys().filter(|(name, _)| *name == "trail_tag").count();
    assert_eq!(trails, 40 * 3 * 2, "one for each person, agency and epoch");
    // The officer joins them.
    ledger.keep_officer_key(OfficerKey::new(log.officer.clone()));
    let found = ledger.trail(TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }).await.unwrap();
    let asked: HashSet<_> = found.rows.iter().filter_map(|(_, row)| row.content().agency.as_deref()).collect();
    assert_eq!((found.rows.len(), asked.len()), (6, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn entries_of_builds_with_one_tag_for_all_agencies_are_found_beside_those_of_today() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let log = log();
    let ledger = two_days(&log).await;
    let first = ledger.epochs(None, None).await.unwrap().into_iter().next().unwrap();
    drop(ledger);
    let key = open_trail_key(&log.officer, "log.example", &first.name, &first.sealed).unwrap();
    let (search, entries) = (TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }, opened(&log));
    let root = TrailRoot::under(&key, &search.traces[0].scheme, &search.traces[0].value);
    let mut changed = 0;
    for entry in entries.iter().filter(|entry| entry.index % 40 == 3) {
        let mut content = entry.content();
        if content["epoch"].as_str() == Some(&first.name) {
            content["trail_tag"] = URL_SAFE_NO_PAD.encode(root.earlier_tag()).into();
            put(&log, entry, &content);
            changed += 1;
        }
    }
    assert_eq!(changed, 3);
    // What the index had of them, where there is one yet.
    let _ = std::fs::remove_dir_all(log.config.dir.join("segments"));
    let indices = |found: &TrailFound| found.rows.iter().map(|(_, row)| row.index).collect::<Vec<_>>();
    let mut offline = OfflineAudit::open(&log.config.dir, &log.config.content_kek, "log.example").unwrap();
    let found = offline.trail(&search, &[OfficerKey::new(log.officer.clone())]).unwrap();
    assert_eq!(indices(&found), [3, 43, 83, 123, 163, 203]);
    assert!(found.damaged.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_entry_about_somebody_without_an_agency_is_in_the_trail() {
    let log = log();
    let ledger = log.open();
    log.live(&ledger, "2026-01-01T08:00:00Z", 0..60).await;
    let (mut of_nobody, _) = entry(43, at("2026-01-01T09:00:00Z"));
    (of_nobody.content.agency, of_nobody.id) = (None, uuid::Uuid::from_u128(1_000));
    let index = ledger.append(of_nobody).await.unwrap().index;
    let found = ledger.trail(TrailSearch { traces: vec![trace(3)], ..TrailSearch::default() }).await.unwrap();
    assert_eq!(found.rows.iter().map(|(_, row)| row.index).collect::<Vec<_>>(), [3, 43, index]);
}
