//! Exports and samples of an installation whose log was sealed and went on under another origin, and of a log that lost a row.

use std::process::{Command, Output, Stdio};

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::agency_life::today;
use super::audit::{patterns, read, some_traffic, token};
use super::harness::{Reply, System, send};
use super::tools::configured;
use crate::openapi::assert_described;

const AUDITOR: (&str, &str) = ("security-auditor", "log:patterns");

fn estelam(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_estelam")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a verb printed that went well.
fn said(arguments: &[&str]) -> String {
    let output = estelam(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What one said that did not.
fn fault(arguments: &[&str]) -> String {
    let output = estelam(arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

async fn draw(system: &System, body: &Value) -> Reply {
    let token = token(system, AUDITOR.0, AUDITOR.1).await;
    let request = system.request(AUDITOR.0, "POST", "/v1/log/samples").bearer_auth(token).header(CONTENT_TYPE, "application/json");
    send(request.body(body.to_string())).await
}

async fn exported(system: &System, query: &str) -> Vec<Value> {
    let reply = read(system, AUDITOR, &format!("/v1/log/export?{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    String::from_utf8(reply.body).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Everything between the manifest and the last line that is a row.
fn rows(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line.get("index").is_some()).collect()
}

fn indices(sample: &Value) -> Vec<u64> {
    sample["entries"].as_array().unwrap().iter().map(|entry| entry["index"].as_u64().unwrap()).collect()
}

fn origin(system: &System) -> String {
    use estelam::core::ledger::Ledger as _;
    system.running.parts().ledger.origin().to_owned()
}

/// A system whose log was sealed; some traffic before and after. Its folder, and both origins.
async fn sealed_once() -> (System, String, (String, String)) {
    let system = System::at(&today(), "").await;
    some_traffic(&system).await;
    let (dir, old) = (configured(&system), origin(&system));
    let system = system.restarted(|_| drop(said(&["log", "succeed", "--dir", &dir]))).await;
    system.set(&today());
    configured(&system);
    system.credential(AUDITOR.0);
    some_traffic(&system).await;
    let new = origin(&system);
    assert_ne!(old, new);
    (system, dir, (old, new))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_of_every_log_and_each_of_them_is_checked_against_its_own_checkpoints() {
    let (system, dir, (old, new)) = sealed_once().await;
    let file = system.dir.path().join("bank.out");
    let (path, old_checkpoint) = (file.to_str().unwrap(), system.dir.path().join("old.checkpoint"));
    for format in ["ndjson", "csv"] {
        let export = ["log", "export", "--agency", "bank", "--kind", "answer", "--format", format, "--out", path, "--dir", &dir];
        assert_eq!(said(&export), "");
        let checked = said(&["log", "export", "--check", path, "--prove", "--dir", &dir]);
        assert!(checked.contains(&format!("of `{old}`")) && checked.contains(&format!("of `{new}`")), "{checked}");
        assert!(checked.contains("its rows are to be destroyed by") && !checked.contains("by now"), "{checked}");
    }
    let lines = exported(&system, "agency=bank&kind=answer").await;
    let manifest = &lines[0]["manifest"];
    assert_eq!((&manifest["count"], &manifest["complete"], &manifest["origin"]), (&json!(6), &json!(true), &json!(new)), "{manifest}");
    assert!(manifest["earlier"].as_array().unwrap().iter().all(|under| under["origin"] == json!(old)), "{manifest}");
    // Whoever kept a checkpoint of the old log can hold the file against that.
    std::fs::write(&old_checkpoint, manifest["earlier"][0]["checkpoint"].as_str().unwrap()).unwrap();
    said(&["log", "export", "--check", path, "--checkpoint", old_checkpoint.to_str().unwrap(), "--dir", &dir]);
    let of = |wanted: &str| rows(&lines).into_iter().filter(|row| row["origin"] == json!(wanted)).count();
    assert_eq!((of(&old), of(&new)), (3, 3));
    // A row of the sealed log that is altered, or is gone, fails the check.
    let write = |lines: &[Value]| std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut altered = lines.clone();
    altered[1]["class"] = json!("admin");
    write(&altered);
    let told = fault(&["log", "export", "--check", path, "--dir", &dir]);
    assert!(told.contains("line 2: it is to be destroyed by another instant"), "{told}");
    let mut shorter = lines.clone();
    shorter.remove(2);
    write(&shorter);
    assert!(fault(&["log", "export", "--check", path, "--dir", &dir]).contains("does not hold"));

    let one = exported(&system, &format!("agency=bank&kind=answer&origin={old}")).await;
    assert_eq!((&one[0]["manifest"]["not_covered"], rows(&one).len()), (&json!([new]), 3), "{}", one[0]);
    let refused = read(&system, AUDITOR, "/v1/log/export?origin=nobody").await;
    assert_eq!((refused.status, refused.code()), (400, "malformed-request"));
    assert!(refused.json["detail"].as_str().unwrap().contains("`origin`"), "{}", refused.json);

    // Once the sealed log is taken away an export says what it lacks.
    let system = system.restarted(|ledger| std::fs::rename(ledger.join("ledger.sqlite"), ledger.join("ledger.away")).unwrap()).await;
    system.set(&today());
    let lines = exported(&system, "agency=bank&kind=answer").await;
    let manifest = &lines[0]["manifest"];
    assert_eq!((&manifest["missing_logs"], &manifest["complete"], rows(&lines).len()), (&json!([old]), &json!(false), 3), "{manifest}");
    let refused = read(&system, AUDITOR, &format!("/v1/log/export?origin={old}")).await;
    assert_eq!((refused.status, refused.code()), (503, "ledger-unavailable"));
    system.stop_registry().await;
    system.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_of_a_sealed_log_is_drawn_answered_and_drawn_again() {
    let (system, _, (old, new)) = sealed_once().await;
    let ask = json!({"size": 2, "seed": "azar", "filter": {"agency": "bank", "kind": "answer"}, "origin": old});
    let first = draw(&system, &ask).await;
    assert_eq!((first.status, &first.json["origin"], &first.json["not_covered"]), (200, &json!(old), &json!([new])), "{}", first.json);
    assert_described("LogSample", &first.json);
    assert!(first.json["entries"].as_array().unwrap().iter().all(|entry| entry["origin"] == json!(old)));
    let banks = read(&system, ("bank", "verify"), "/v1/log/samples").await;
    assert_eq!(indices(&banks.json["samples"][0]), indices(&first.json));
    let path = format!("/v1/log/samples/{}/justification", first.json["sample_id"].as_str().unwrap());
    let token = token(&system, "bank", "verify").await;
    let said = system.request("bank", "POST", &path).bearer_auth(token).header(CONTENT_TYPE, "application/json");
    let body = json!({"index": indices(&first.json)[0], "ground": "holder-present"});
    assert_eq!(send(said.body(body.to_string())).await.status, 200);
    let seen = patterns(&system, "/v1/log/samples").await;
    assert_described("LogSamples", &seen);
    assert_eq!((&seen["complete"], &seen["samples"][0]["open"]), (&json!(true), &json!(1)));

    let mut again = ask.clone();
    again["tree_size"] = first.json["tree_size"].clone();
    check_redrawn(&system, &again, &first.json).await;
    system.stop().await;
}

async fn check_redrawn(system: &System, ask: &Value, first: &Value) {
    let again = draw(system, ask).await;
    assert_eq!(again.status, 200, "{}", again.json);
    assert_described("LogSample", &again.json);
    for same in ["sample_id", "entries", "drawn_from", "tree_size", "origin"] {
        assert_eq!(again.json[same], first[same], "{same}");
    }
    assert_eq!(
        (&again.json["redrawn"], &again.json["agrees"], &again.json["gone"]),
        (&json!(true), &json!(true), &json!([])),
        "{}",
        again.json
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_comes_again_by_the_size_that_its_log_had_however_it_has_grown_and_nobody_is_asked_twice() {
    let system = System::today().await;
    some_traffic(&system).await;
    let ask = json!({"size": 2, "seed": "azar", "filter": {"kind": "answer"}});
    let first = draw(&system, &ask).await;
    assert_eq!((first.status, &first.json["redrawn"], &first.json["drawn_from"]), (200, &json!(false), &json!(4)), "{}", first.json);
    for _ in 0..3 {
        some_traffic(&system).await;
    }
    let mut again = ask.clone();
    again["tree_size"] = first.json["tree_size"].clone();
    check_redrawn(&system, &again, &first.json).await;
    assert_eq!(patterns(&system, "/v1/log/samples").await["samples"].as_array().unwrap().len(), 1);
    // Another question at that size is another sample, of no more entries than there were.
    again["size"] = json!(9);
    let other = draw(&system, &again).await;
    assert_eq!((&other.json["redrawn"], &other.json["drawn_from"], indices(&other.json).len()), (&json!(false), &json!(4), 4));
    again["tree_size"] = json!(1_000_000);
    let refused = draw(&system, &again).await;
    assert_eq!((refused.status, refused.code()), (400, "malformed-request"));
    assert!(refused.json["detail"].as_str().unwrap().contains("`tree_size`"), "{}", refused.json);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_lost_is_named_in_exports_and_work_lists_and_the_rest_is_delivered() {
    let system = System::at(&today(), "").await;
    let dir = configured(&system);
    system.credential(AUDITOR.0);
    some_traffic(&system).await;
    let ask = json!({"size": 9, "seed": "azar", "filter": {"agency": "bank", "kind": "answer"}});
    let drawn = draw(&system, &ask).await;
    let (all, id) = (indices(&drawn.json), drawn.json["sample_id"].as_str().unwrap().to_owned());
    system.running.parts().ledger.settled().await.unwrap();
    let log = rusqlite::Connection::open(system.config.ledger.dir.join("ledger.sqlite")).unwrap();
    log.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let kept = log
        .execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM entry")
        .and_then(|()| log.execute("DELETE FROM entry WHERE idx = ?1", [all[1]]));
    assert_eq!(kept.unwrap(), 1);

    let lines = exported(&system, "agency=bank&kind=answer").await;
    let manifest = &lines[0]["manifest"];
    let lost = json!([{"index": all[1], "origin": origin(&system)}]);
    // The index had counted it; that it is gone is found out on the way, and so told at the end.
    assert_eq!((&manifest["earlier"], &manifest["count"]), (&json!([]), &json!(3)), "{manifest}");
    assert_eq!(rows(&lines).iter().map(|row| row["index"].as_u64().unwrap()).collect::<Vec<_>>(), [all[0], all[2]]);
    let end = &lines.last().unwrap()["end"];
    assert_eq!((&end["rows"], &end["gone"], &end["damaged"]), (&json!(2), &json!(1), &lost), "{end}");
    // So few entries have no other tile: these rows stand on the gateway's word, which the check does not take for a proof.
    assert!(lines.last().unwrap()["end"]["gap"].is_null(), "{}", lines.last().unwrap());
    let file = system.dir.path().join("bank.ndjson");
    let path = file.to_str().unwrap();
    assert_eq!(said(&["log", "export", "--agency", "bank", "--kind", "answer", "--out", path, "--dir", &dir]), "");
    assert!(fault(&["log", "export", "--check", path, "--dir", &dir]).contains("lead to no checkpoint"));

    for (agency, scope) in [AUDITOR, ("bank", "verify")] {
        let reopened = read(&system, (agency, scope), &format!("/v1/log/samples?sample_id={id}")).await;
        assert_eq!(reopened.status, 200, "{}", reopened.json);
        assert_described("LogSamples", &reopened.json);
        let sample = &reopened.json["samples"][0];
        assert_eq!((&sample["damaged"], indices(sample), &sample["open"]), (&json!([{"index": all[1]}]), vec![all[0], all[2]], &json!(2)));
    }
    let mut again = ask.clone();
    again["tree_size"] = drawn.json["tree_size"].clone();
    let again = draw(&system, &again).await;
    assert_eq!((&again.json["agrees"], &again.json["damaged"]), (&json!(true), &json!([{"index": all[1]}])), "{}", again.json);
    let mut ask = json!({"size": 9, "seed": "dey", "filter": {"agency": "bank", "kind": "answer"}});
    let beside = draw(&system, &ask).await;
    assert_described("LogSample", &beside.json);
    let left_out = json!([{"index": all[1]}]);
    assert_eq!((&beside.json["left_out"], &beside.json["drawn_from"]), (&left_out, &json!(2)), "{}", beside.json);
    assert_eq!(indices(&beside.json), [all[0], all[2]]);
    assert!(log.execute("INSERT INTO entry SELECT * FROM kept WHERE idx = ?1", [all[1]]).unwrap() == 1);
    // Put right, it is the same as it was, and says so to those who audit.
    ask["tree_size"] = beside.json["tree_size"].clone();
    check_redrawn(&system, &ask, &beside.json).await;
    let path = format!("/v1/log/samples?sample_id={}", beside.json["sample_id"].as_str().unwrap());
    for ((agency, scope), told) in [(AUDITOR, left_out), (("bank", "verify"), Value::Null)] {
        let listed = read(&system, (agency, scope), &path).await;
        assert_described("LogSamples", &listed.json);
        assert_eq!(listed.json["samples"][0]["left_out"], told, "{agency}");
    }
    system.stop().await;
}
