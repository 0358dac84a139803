//! A disk without room: nothing is answered that is not recorded, nothing that was answered is lost, and the gateway comes back by itself.

use std::time::{Duration, Instant};

use estelam::adapters::store::open_offline;
use estelam::core::ledger::leaf::Header;
use estelam::core::ledger::tree::sha256;
use serde_json::Value;

use crate::sigkill_support::{Disk, Installation};
use crate::succession::{ask, token};

/// A bound on what takes seconds at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is a refusal for want of a record, and keeps every answer.
async fn until_refused(installation: &Installation, bearer: &Value, answers: &mut Vec<Value>) {
    let (begun, http) = (Instant::now(), installation.http("clinic"));
    loop {
        assert!(begun.elapsed() < PATIENCE, "a full disk is noticed");
        match ask(&http, &installation.gateway(), bearer).await {
            (200, answer) => answers.push(answer),
            (503, problem) => {
                assert_eq!(problem["code"], "ledger-unavailable");
                assert!(problem["decision"].is_null() && problem["statement"].is_null(), "{problem}");
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Asks until there is an answer again.
async fn until_answered(installation: &Installation, bearer: &Value, answers: &mut Vec<Value>) {
    let (begun, http) = (Instant::now(), installation.http("clinic"));
    loop {
        assert!(begun.elapsed() < PATIENCE, "the gateway comes back by itself");
        if let (200, answer) = ask(&http, &installation.gateway(), bearer).await {
            return answers.push(answer);
        }
    }
}

/// Every answer is where it says, about its own statement.
fn find_all(installation: &Installation, answers: &[Value]) {
    let log = open_offline(&installation.dir().join("ledger")).unwrap();
    let mut select = log.prepare("SELECT header FROM entry WHERE idx = ?1").unwrap();
    for answer in answers {
        let index = answer["ledger"]["index"].as_u64().unwrap();
        let header: Vec<u8> =
            select.query_row([index], |row| row.get(0)).unwrap_or_else(|_| panic!("entry {index} was answered and is lost"));
        let digest = sha256(answer["statement"].as_str().unwrap().as_bytes());
        assert_eq!(Header::decode(&header).unwrap().statement_digest, digest, "entry {index}");
    }
}

/// Whoever waits for a disk that hangs is told within seconds, with the agency's advice; nothing that was answered is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_disk_keeps_nobody_waiting() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Late).await;
    let http = installation.http("clinic");
    let (_, bearer) = token(&http, &installation.gateway()).await;
    let mut answers = Vec::new();
    until_answered(&installation, &bearer, &mut answers).await;
    let held = installation.hold_disk();
    for _ in 0..3 {
        let (status, problem) = ask(&http, &installation.gateway(), &bearer).await;
        assert_eq!((status, &problem["code"], &problem["advice"]), (503, &"ledger-unavailable".into(), &"proceed".into()));
        assert!(!installation.is_ready().await);
    }
    held.release();
    until_answered(&installation, &bearer, &mut answers).await;
    gateway.kill();
    installation.verify_log(None);
    find_all(&installation, &answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_stops_the_answers_and_loses_none() {
    let installation = Installation::make();
    let gateway = installation.start(Disk::Late).await;
    let http = installation.http("clinic");
    let (_, bearer) = token(&http, &installation.gateway()).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        until_answered(&installation, &bearer, &mut answers).await;
        std::fs::write(installation.full(), "").unwrap();
        until_refused(&installation, &bearer, &mut answers).await;
        let ready = http.get(format!("http://127.0.0.1:{}/health/ready", installation.ops())).send().await.unwrap();
        assert_eq!(ready.status(), 503);
        std::fs::remove_file(installation.full()).unwrap();
    }
    until_answered(&installation, &bearer, &mut answers).await;
    std::fs::write(installation.full(), "").unwrap();
    until_refused(&installation, &bearer, &mut answers).await;
    gateway.kill();
    assert_eq!(installation.refuses_to_start().await, Some(1), "without room nothing starts");
    find_all(&installation, &answers);
    std::fs::remove_file(installation.full()).unwrap();
    let gateway = installation.start(Disk::Late).await;
    until_answered(&installation, &bearer, &mut answers).await;
    gateway.kill();
    installation.verify_log(None);
    find_all(&installation, &answers);
}
