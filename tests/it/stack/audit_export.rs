//! Exports that the receiver can check, and counts that tell nothing of few.

use estelam::core::ledger::audit::Fold;
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::leaf::{header_commitment, leaf};
use estelam::core::ledger::note::NoteKey;
use estelam::core::ledger::tree::leaf_hash;
use serde_json::{Value, json};

use super::audit::{patterns, read, some_traffic};
use super::fixtures::query;
use super::harness::{Reply, System, send};
use super::record;

async fn exported(system: &System, query: &str) -> Reply {
    let reply = read(system, ("security-auditor", "log:patterns"), &format!("/v1/log/export?{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    reply
}

fn bytes<const N: usize>(text: &Value) -> [u8; N] {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn hashes(list: &Value) -> Vec<[u8; 32]> {
    list.as_array().unwrap().iter().map(bytes).collect()
}

async fn log_key(system: &System) -> NoteKey {
    let url = format!("https://localhost:{}/checkpoint.key", system.config.listen.public.port());
    let reply = send(system.client("bank").get(url)).await;
    NoteKey::parse(String::from_utf8(reply.body).unwrap().trim()).unwrap()
}

/// Whether the rows of an export fold up to its checkpoint's root.
fn holds(lines: &[Value], key: &NoteKey) -> bool {
    let (mut fold, keys) = (Fold::default(), [key.clone()]);
    let checkpoint = Checkpoint::open(lines[0]["manifest"]["checkpoint"].as_str().unwrap(), &keys).unwrap();
    for row in &lines[1..lines.len() - 1] {
        let proof = &row["proof"];
        if fold.gap(row["index"].as_u64().unwrap(), &hashes(&proof["gap"])).is_err() {
            return false;
        }
        let leaf = leaf(&header_commitment(&bytes(&proof["salt"]), &bytes(&proof["header"])), &bytes(&proof["content_commitment"]));
        fold.leaf(leaf_hash(&leaf));
    }
    fold.gap(checkpoint.size, &hashes(&lines.last().unwrap()["end"]["gap"])).is_ok() && fold.root() == checkpoint.root
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_folds_up_to_its_checkpoint_and_does_not_once_a_row_is_changed() {
    let system = System::today().await;
    some_traffic(&system).await;
    some_traffic(&system).await;
    let key = log_key(&system).await;
    for (filter, rows) in
        [("", None), ("agency=bank&route=verify", Some(6)), ("agency=nobody", Some(0)), ("agency=clinic&kind=answer", Some(2))]
    {
        let before = system.entries();
        let reply = exported(&system, filter).await;
        let text = String::from_utf8(reply.body).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // The token, the export before its first byte, its end before the last.
        assert_eq!(system.entries(), before + 3);
        let count = lines.len() - 2;
        assert_eq!(
            (lines[0]["manifest"]["count"].as_u64(), lines.last().unwrap()["end"]["rows"].as_u64()),
            (Some(count as u64), Some(count as u64))
        );
        assert!(rows.is_none_or(|rows| rows == count), "{filter}: {count}");
        // A content is kept so many days from its entry's time, wherever it is.
        for row in &lines[1..=count] {
            let days = if row["class"] == "admin" { 365 } else { 90 };
            let instant = |name: &str| row[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            assert_eq!(instant("destroy_by").duration_since(instant("time")), jiff::SignedDuration::from_hours(24 * days), "{row}");
        }
        let instant = |text: &Value| text.as_str().map(|text| text.parse::<jiff::Timestamp>().unwrap());
        let first = lines[1..=count].iter().filter_map(|row| instant(&row["destroy_by"])).min();
        assert_eq!(instant(&lines.last().unwrap()["end"]["first_destroy_by"]), first, "{filter}");
        assert!(holds(&lines, &key), "{filter}");
        assert!(!text.contains("trail_tag") && !text.contains("A170000001"));
        if count < 2 {
            continue;
        }
        let mut left_out = lines.clone();
        left_out.remove(1);
        let mut changed = lines.clone();
        changed[1]["proof"]["header"] = lines[2]["proof"]["header"].clone();
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        for forged in [left_out, changed, swapped] {
            assert!(!holds(&forged, &key), "{filter}");
        }
    }
    let end = record::latest(&system);
    assert_eq!((end["route"].as_str(), end["code"].as_str()), (Some("log-export"), Some("export-end")));
    let csv = String::from_utf8(exported(&system, "agency=bank&route=verify&format=csv").await.body).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(
        lines[0].starts_with("# {\"manifest\"")
            && lines[1].starts_with("index,time,agency")
            && lines.last().unwrap().starts_with("# {\"end\"")
    );
    assert_eq!(lines.len(), 6 + 3);
    // What an export does not take is no export of everything.
    for query in ["format=xml", "limit=100", "order=oldest", "cursor=AAAA"] {
        let refused = read(&system, ("security-auditor", "log:patterns"), &format!("/v1/log/export?{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, "malformed-request"), "{query}");
    }
    let other = read(&system, ("dpo", "log:person"), "/v1/log/export").await;
    assert_eq!((other.status, other.code()), (403, "scope-missing"));
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summary_tells_whole_tens_of_days_and_keeps_them_when_the_day_is_over() {
    let system = System::today().await;
    for number in 0..12 {
        let agency = if number < 3 { "clinic" } else { "telecom" };
        let service = if number < 3 { "treatment" } else { "sim" };
        assert_eq!(system.ask(agency, &query(agency, "amayesh-no", "A170000001", service)).await.status, 200);
    }
    // Three of the clinic, nine of the telecom: nothing is told of either.
    assert_eq!(patterns(&system, "/v1/log/summary").await["buckets"], json!([]));
    assert_eq!(system.ask("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await.status, 200);
    let today = patterns(&system, "/v1/log/summary").await;
    let bucket = json!({"day": "2026-11-23", "agency": "telecom", "complete": false,
        "services": [{"service": "sim", "outcome": "entitled", "count": 10}], "actors": [{"actor": "clerk-1", "count": 10}]});
    assert_eq!(today["buckets"], json!([bucket]));
    // One more changes nothing, and no filter counts by itself.
    assert_eq!(system.ask("telecom", &query("telecom", "amayesh-no", "A170000001", "sim")).await.status, 200);
    assert_eq!(patterns(&system, "/v1/log/summary").await["buckets"], json!([bucket]));
    for query in [
        "service=sim",
        "actor=clerk-1",
        "from=2026-11-23T01:00:00Z",
        "answer_id=01900000-0000-7000-8000-000000000001",
        "limit=1",
        "order=oldest",
        "format=csv",
        "cursor=AAAA",
        "signed=no",
        "min_latency_ms=1",
        "max_latency_ms=1",
        "class=minor",
        "origin=x",
    ] {
        let reply = read(&system, ("security-auditor", "log:patterns"), &format!("/v1/log/summary?{query}")).await;
        assert_eq!((reply.status, reply.code()), (400, "malformed-request"), "{query}");
    }
    system.advance(24 * 3600);
    system.pki.refresh_crls().unwrap();
    system.running.parts().trust.reload().unwrap();
    let mut kept = bucket.clone();
    kept["complete"] = json!(true);
    let system = system.restarted(|_| ()).await;
    assert_eq!(patterns(&system, "/v1/log/summary?from=2026-11-23&to=2026-11-23").await["buckets"], json!([kept]));
    assert_eq!(patterns(&system, "/v1/log/summary?agency=bank").await["buckets"], json!([]));
    system.stop().await;
}
