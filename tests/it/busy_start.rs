//! How long a start takes after ten busy minutes: until the gateway is ready, and until every `Idempotency-Key` of the log is known again.

use std::process::Command;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::clock::SystemClock;
use estelam::adapters::keys::KeyRing;
use estelam::adapters::store::load;
use estelam::app::{key_place, ledger_config};
use estelam::config::Config;
use estelam::core::domain::clock::Clock as _;
use estelam::core::ledger::{Entry, EntryContent, EntryKind, RetentionClass};
use jiff::{SignedDuration, Timestamp};

use crate::sigkill_support::Installation;

/// Two thousand a second for ten minutes; `ANSWERS` says otherwise.
const ANSWERS: u64 = 1_200_000;

fn answer(number: u64, time: Timestamp) -> Entry {
    let mark = |kind: u8| {
        let mut mark = [kind; 16];
        mark[..8].copy_from_slice(&number.to_be_bytes());
        Some(URL_SAFE_NO_PAD.encode(mark))
    };
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let id = uuid::Builder::from_unix_timestamp_millis(u64::try_from(time.as_millisecond()).unwrap(), &random);
    let text = |text: &str| Some(text.to_owned());
    let content = EntryContent {
        route: "verify".into(),
        agency: text("clinic"),
        certificate: text("0123456789abcdef"),
        service: text("treatment"),
        purpose: text("treatment"),
        decision: Some("entitled".into()),
        reason: Some("valid-by-decree".into()),
        policy_version: text("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        decrees_version: text("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        decree: text("d1-1402-04-07"),
        freshness: Some("cached".into()),
        as_of: Some(time),
        basis: text(r#"{"q":{"t":1795867200,"g":25},"b":{"n":1,"f":60000000000,"a":[34,35],"d":[{"k":"amayesh","s":17}]}}"#),
        retry: mark(1),
        retry_body: mark(2),
        latency_us: 200,
        ..EntryContent::default()
    };
    let (kind, class) = (EntryKind::Answer, RetentionClass::Detail);
    Entry { kind, class, time, id: id.into_uuid(), statement_digest: [7; 32], subject: None, content: Box::new(content) }
}

/// Of another build than that of the tests, which is slow: `ESTELAM=target/release/estelam cargo test --locked --test it -- --ignored --nocapture busy_start`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a_start_after_ten_busy_minutes() {
    let answers = std::env::var("ANSWERS").map_or(ANSWERS, |number| number.parse().unwrap());
    let installation = Installation::make();
    let config = Config::read(&installation.dir().join("estelam.toml")).unwrap();
    let ring = KeyRing::open_at(&key_place(&config)).unwrap();
    let log = ledger_config(&config, &ring).unwrap();
    // The demo has been asked just now, and the log's time never decreases: all of them are of this second.
    let (now, apart) = (SystemClock.now(), SignedDuration::from_micros(1));
    let mut entries = (0..answers).map(|number| answer(number, now + apart * i32::try_from(number).unwrap()));
    load(&log, &**ring.checkpoints(), &mut entries, &mut |_| ()).unwrap();
    let mut serve = Command::new("sh");
    serve.args(["-c", r#"exec "${ESTELAM:-$0}" "$@""#]);
    let begun = Instant::now();
    let gateway = installation.start_wrapped(serve).await;
    let ready = begun.elapsed();
    let metrics = format!("http://127.0.0.1:{}/metrics", installation.ops());
    let http = installation.http("operator");
    while !http.get(&metrics).send().await.unwrap().text().await.unwrap().lines().any(|line| line == "estelam_retry_log_read 1") {
        assert!(begun.elapsed().as_secs() < 600, "the log is never read");
    }
    let known = begun.elapsed();
    println!("after {answers} answers under a key: ready after {} ms, every key known after {} ms", ready.as_millis(), known.as_millis());
    gateway.kill();
}
