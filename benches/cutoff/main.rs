//! `make cutoff`: from the command to the first refused request, on a connection that is open and busy.
//!
//! A whole system in this process is asked without a pause by one caller, while it is cut off in each of the ways that there are. Told is
//! the time from the moment the command began (the program's start, the write of a list's file, the sending of a revocation) to the first
//! request that was not answered. The bound is one second for 99 of 100.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "a bench")]

#[path = "../../tests/it/stack/harness.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod harness;
#[path = "../../tests/it/stack/list_source.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod list_source;
#[path = "../../tests/it/stack/workshop.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod workshop;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estelam::adapters::clock::SystemClock;
use estelam::adapters::cutoff;
use estelam::adapters::tls::material;
use estelam::config::{Config, template};
use estelam::core::domain::clock::Clock as _;
use harness::{FORM, System, send, try_send};
use list_source::ListSource;
use serde_json::json;

const BOUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 100;
const SMOKE_ROUNDS: usize = 2;
/// A cut that takes longer than this is a failure and no figure.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let given = std::env::args().skip_while(|argument| argument != "--rounds").nth(1).and_then(|number| number.parse().ok());
    let rounds = if smoke { SMOKE_ROUNDS } else { given.unwrap_or(ROUNDS) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let kept = runtime.block_on(measure(rounds));
    match (smoke, kept) {
        (true, _) => println!("smoke: everything worked; the figures mean nothing"),
        (false, true) => println!("PASS"),
        (false, false) => println!("FAIL"),
    }
    if smoke || kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(rounds: usize) -> bool {
    let lab = tempfile::tempdir().unwrap();
    let published = lab.path().join("published.crl");
    let source = ListSource::of(published.clone()).await;
    // A second source that nobody can reach: it must not slow the first one down.
    let urls = vec![source.url.clone(), "http://127.0.0.1:1/list.crl".to_owned()];
    let system = System::with(&SystemClock.now().to_string(), "", |config| apart(config, urls, &published)).await;
    open_connections(&system);
    let dir = configured(&system);
    println!("from the command to the first refused request      p50        p99        max   (of {rounds})");
    let mut kept = true;
    for way in [Way::Suspension, Way::Certificate, Way::ListFile, Way::ListUrl, Way::Token, Way::KeyCompromise] {
        let mut taken = Vec::new();
        for round in 0..rounds {
            taken.push(cut_off(&system, way, round, &dir, &published).await);
        }
        kept &= tell(way, &mut taken);
    }
    system.running.stop().await;
    kept
}

#[derive(Clone, Copy)]
enum Way {
    Suspension,
    Certificate,
    ListFile,
    ListUrl,
    Token,
    KeyCompromise,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Suspension => "`estelam agency suspend`",
            Self::Certificate => "a certificate on the local list",
            Self::ListFile => "a revocation list put into its folder",
            Self::ListUrl => "a revocation list published at a URL",
            Self::Token => "POST /oauth2/revoke",
            Self::KeyCompromise => "`estelam keys compromised` of the tokens' key",
        }
    }
}

async fn cut_off(system: &System, way: Way, round: usize, dir: &str, published: &Path) -> Duration {
    let folder = format!(
        "bank.{}{round}",
        match way {
            Way::Suspension => "s",
            Way::Certificate => "c",
            Way::ListFile => "f",
            Way::ListUrl => "u",
            Way::Token => "t",
            Way::KeyCompromise => "k",
        }
    );
    if matches!(way, Way::KeyCompromise) {
        // The key that takes over is there in advance, as it is for statements by itself.
        assert!(estelam(dir, &["keys", "standby", "tokens"]).wait().unwrap().success());
    }
    let token = system.new_token(&folder).await;
    let seen = checkpoint(system).await;
    let body = json!({"identifier": {"scheme": "amayesh-no", "value": "A170000001"}, "service": "bank-card",
        "purpose": "account-maintenance", "actor": "teller-17", "check": {"birth_year": 1370, "calendar": "jalali"}})
    .to_string();
    let ask =
        || system.request(&folder, "POST", "/v1/verify").bearer_auth(&token).header("content-type", "application/json").body(body.clone());
    assert_eq!(send(ask()).await.status, 200, "before the cut");
    let begun = Instant::now();
    let mut command = None;
    match way {
        Way::Suspension => command = Some(agency(dir, "suspend")),
        Way::KeyCompromise => command = Some(estelam(dir, &["keys", "compromised", &key_of(&token), "--checkpoint", &seen])),
        Way::Certificate => {
            let leaf = material::certificates(&system.credential(&folder).cert).unwrap().remove(0);
            let peer = system.running.parts().trust.identify(&leaf).unwrap();
            cutoff::change(&system.config.cutoff, |list| list.cut_certificate(peer.thumbprint, system.clock.now())).unwrap();
        }
        Way::ListFile => publish(system, &folder, &system.config.tls.crls.join("intermediate.crl.pem")),
        Way::ListUrl => publish(system, &folder, published),
        Way::Token => {
            let form = form_urlencoded::Serializer::new(String::new()).append_pair("token", &token).finish();
            let client = system.request(&folder, "POST", "/oauth2/revoke").header("content-type", FORM).body(form);
            tokio::spawn(async move { assert_eq!(send(client).await.status, 200) });
        }
    }
    while try_send(ask()).await.is_ok_and(|reply| reply.status == 200) {
        assert!(begun.elapsed() < PATIENCE, "{} does not cut off", way.name());
    }
    let taken = begun.elapsed();
    if let Some(mut command) = command {
        assert!(command.wait().unwrap().success());
        if matches!(way, Way::Suspension) {
            assert!(agency(dir, "resume").wait().unwrap().success());
            // The program went by the machine's clock: tokens from before its instant stay cut off.
            system.set(&SystemClock.now().to_string());
            system.advance(2);
        }
    }
    taken
}

fn agency(dir: &str, verb: &str) -> std::process::Child {
    estelam(dir, &["agency", verb, "bank"])
}

fn estelam(dir: &str, words: &[&str]) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_estelam")).args(words).args(["--dir", dir]).stdout(Stdio::null()).spawn().unwrap()
}

/// The id of the key that signed a token.
fn key_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Keeps a checkpoint that was published; its file.
async fn checkpoint(system: &System) -> String {
    let url = format!("https://localhost:{}/checkpoint", system.config.listen.public.port());
    let file = system.dir.path().join("seen-checkpoint");
    loop {
        let reply = send(system.client("bank").get(&url)).await;
        if reply.status == 200 {
            std::fs::write(&file, &reply.body).unwrap();
            return file.to_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Revokes the certificate and puts the authority's new list in a place, in one step.
fn publish(system: &System, folder: &str, place: &Path) {
    system.pki.revoke(&system.pki.serial_of(&system.credential(folder)).unwrap()).unwrap();
    let draft = place.with_extension("draft");
    std::fs::copy(system.dir.path().join("pki/crl/intermediate.crl.pem"), &draft).unwrap();
    std::fs::rename(draft, place).unwrap();
}

fn tell(way: Way, taken: &mut [Duration]) -> bool {
    taken.sort_unstable();
    let at = |percent: usize| taken[(taken.len() * percent).div_ceil(100).clamp(1, taken.len()) - 1];
    println!("  {:<42} {:>8.1?} {:>10.1?} {:>10.1?}", way.name(), at(50), at(99), at(100));
    at(99) <= BOUND
}

/// Each round has a certificate, and so a connection, of its own; some are not closed by what is cut off.
fn open_connections(system: &System) {
    const SHIPPED: &str = "max_connections = 256";
    workshop::edit_policy(system.dir.path(), "bank", |text| {
        assert!(text.contains(SHIPPED));
        text.replace(SHIPPED, "max_connections = 10000")
    });
    system.running.parts().policies.reload().unwrap();
}

/// A folder of lists apart from the authority's own, which goes on publishing in its own place; what is published at first is its present list.
fn apart(config: &mut Config, urls: Vec<String>, published: &Path) {
    let lists = config.tls.crls.with_file_name("lists");
    std::fs::create_dir_all(&lists).unwrap();
    for file in ["root.crl.pem", "intermediate.crl.pem"] {
        std::fs::copy(config.tls.crls.join(file), lists.join(file)).unwrap();
    }
    std::fs::copy(lists.join("intermediate.crl.pem"), published).unwrap();
    config.tls.crls = lists.clone();
    config.registry.crls = lists;
    config.tls.crl_urls = urls;
    config.limits.connections_per_address = 10_000;
}

/// Writes the configuration for the program to read.
fn configured(system: &System) -> String {
    let listen = &system.config.listen;
    let registry = system.registry_address().rsplit(':').next().unwrap().parse().unwrap();
    let text = template(listen.gateway, listen.public, listen.ops, registry, 1);
    std::fs::write(system.dir.path().join("estelam.toml"), text).unwrap();
    system.dir.path().to_str().unwrap().to_owned()
}
