//! Many clients, or one that asks for too much: the others do not notice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpSocket, TcpStream};

use crate::scene::{Case, FRESH, Row, Scene};
use crate::wild;

const UNNOTICED: &str = "the others do not notice";
/// Connections at once, by default, and those from one address (`limits.connections`, `connections_per_address`).
const MOST: usize = 10_000;
const OF_AN_ADDRESS: usize = 256;
/// Descriptors that this process wants for other things.
const OTHERS: usize = 300;
/// A connection without a handshake is kept for five seconds.
const GONE_WITHIN: Duration = Duration::from_secs(20);
/// Tokens that one agency asks for, and how many at once.
const TOKENS: usize = 1_200;
const AT_ONCE: usize = 24;

/// One agency asks without a pause while another serves a counter.
pub async fn flood(scene: &Scene) -> Row {
    const CASE: Case = Case::new("a flood beside a counter", "the counter is served", FRESH);
    let stop = Arc::new(AtomicBool::new(false));
    let flooding: Vec<_> = (0..24)
        .map(|lane: u64| {
            let (asker, stop) = (Arc::clone(&scene.bank), Arc::clone(&stop));
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let value = format!("A{:09}", 200_000_000 + lane * 1_000_000 + number * 5003);
                    asker.ask_about("amayesh-no", &value, None, "background").await;
                }
            })
        })
        .collect();
    let outcomes = scene.asked(100, None).await;
    stop.store(true, Ordering::Relaxed);
    for task in flooding {
        let _ = task.await;
    }
    let ended = Instant::now();
    scene.row(CASE, &outcomes, ended).await
}

/// Connections that say nothing, from many addresses, as many as the gateway takes and some more. Those from before are served, none is kept
/// beyond its deadline, and then everybody can connect again.
pub async fn idle(scene: &Scene) -> Row {
    const CASE: Case = Case::new("10,000 connections that say nothing", "open ones are served; all are gone in seconds", FRESH);
    let granted = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |granted| usize::try_from(granted).unwrap());
    let wanted = (MOST + OF_AN_ADDRESS).min(granted.saturating_sub(OTHERS));
    scene.asked(3, Some(0)).await;
    let usual = scene.site.descriptors();
    let gateway = scene.site.installation.gateway_address();
    let connecting: Vec<_> = (0..wanted.div_ceil(OF_AN_ADDRESS))
        .map(|place| {
            tokio::spawn(async move {
                let mut held = Vec::new();
                for _ in 0..OF_AN_ADDRESS.min(wanted - place * OF_AN_ADDRESS) {
                    let socket = TcpSocket::new_v4().unwrap();
                    let from = [127, 0, 1, u8::try_from(place + 1).unwrap()];
                    if socket.bind((from, 0).into()).is_err() {
                        break;
                    }
                    match tokio::time::timeout(Duration::from_secs(5), socket.connect(gateway)).await {
                        Ok(Ok(stream)) => held.push(stream),
                        _ => break,
                    }
                }
                held
            })
        })
        .collect();
    let (mut outcomes, mut at_most) = (Vec::new(), 0);
    while outcomes.len() < 20 || connecting.iter().any(|task| !task.is_finished()) {
        outcomes.push(scene.clinic.ask(Some(0)).await);
        at_most = at_most.max(scene.site.descriptors());
    }
    let mut held: Vec<TcpStream> = Vec::new();
    for task in connecting {
        held.extend(task.await.unwrap());
    }
    outcomes.extend(scene.asked(20, Some(0)).await);
    let silent = Instant::now();
    // They stay; the gateway lets them go.
    while scene.site.descriptors() > usual + 100 && silent.elapsed() < GONE_WITHIN {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let gone = silent.elapsed();
    scene.demand(gone < GONE_WITHIN, || "they are still there".to_owned());
    let ended = Instant::now();
    let connected = tokio::time::timeout(Duration::from_secs(10), wild::connect(&scene.site, "clinic")).await;
    scene.demand(connected.is_ok(), || "nobody can connect afterwards".to_owned());
    let count = held.len();
    drop(held);
    let mut row = scene.row(CASE, &outcomes, ended).await;
    row.happened = format!("{count} connected, {at_most} descriptors; gone after {} ms; {}", gone.as_millis(), row.happened);
    row
}

/// One agency asks for far more tokens than it may.
pub async fn tokens(scene: &Scene) -> Row {
    const CASE: Case = Case::new("one agency asks for 1,200 tokens", UNNOTICED, FRESH);
    let (http, url) = (scene.site.installation.http("telecom"), format!("{}/oauth2/token", scene.site.installation.gateway()));
    let asking: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (http, url) = (http.clone(), url.clone());
            tokio::spawn(async move {
                let mut told = Vec::new();
                for _ in 0..TOKENS / AT_ONCE {
                    let form = "grant_type=client_credentials&client_id=telecom";
                    let sent = http.post(&url).header("content-type", "application/x-www-form-urlencoded").body(form).send().await;
                    told.push(sent.map_or(0, |reply| reply.status().as_u16()));
                }
                told
            })
        })
        .collect();
    let outcomes = scene.asked(60, None).await;
    let mut told = BTreeMap::new();
    for task in asking {
        for status in task.await.unwrap() {
            *told.entry(status).or_insert(0_usize) += 1;
        }
    }
    let strange = told.keys().find(|status| !matches!(status, 0 | 200 | 429));
    scene.demand(strange.is_none(), || format!("a token request got {strange:?}"));
    let ended = Instant::now();
    let mut row = scene.row(CASE, &outcomes, ended).await;
    row.happened = format!("{told:?}; {}", row.happened);
    row
}
