//! The faults, one function each: what is broken, what must be said meanwhile, how soon all is well again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Asker, Outcome, tally};
use crate::registry::Doing;
use crate::site::Site;
use crate::wild;

/// The deadline of one look-up is 0.8 s; a shared machine may add to it.
const IN_TIME_MS: u64 = 5_000;
/// Within what everything is well again once nothing is broken.
const RECOVERED_WITHIN: Duration = Duration::from_secs(20);

/// One row of the table.
pub struct Row {
    pub name: &'static str,
    pub promised: &'static str,
    pub happened: String,
    pub kept: bool,
}

/// What all cases share.
pub struct Scene {
    pub site: Site,
    pub clinic: Arc<Asker>,
    pub bank: Arc<Asker>,
}

impl Scene {
    pub async fn build() -> Self {
        let site = Site::build().await;
        let (clinic, bank) = (Arc::new(Asker::new(&site, "clinic").await), Arc::new(Asker::new(&site, "bank").await));
        Self { site, clinic, bank }
    }

    /// Asks so often, one after another.
    pub async fn asked(&self, times: usize, max_age: Option<u32>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for _ in 0..times {
            outcomes.push(self.clinic.ask(max_age).await);
        }
        outcomes
    }

    /// Everybody is known, and every answer is a yes.
    async fn well(&self) -> Option<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < RECOVERED_WITHIN {
            let live = self.asked(3, Some(0)).await;
            if live.iter().all(|outcome| outcome.said == "entitled live") {
                return Some(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }

    /// The row of a case: what was said must be allowed and in time, no promise broken, the process alive, and all well again.
    pub async fn row(&self, name: &'static str, promised: &'static str, outcomes: &[Outcome], allowed: &[&str]) -> Row {
        let well = self.well().await;
        let mut broken: Vec<String> =
            [&self.clinic, &self.bank].iter().flat_map(|asker| asker.broken.lock().unwrap().split_off(0)).collect();
        broken.extend(
            outcomes.iter().find(|outcome| !allowed.contains(&outcome.said.as_str())).map(|outcome| format!("said {}", outcome.said)),
        );
        broken.extend(outcomes.iter().find(|outcome| outcome.took_ms > IN_TIME_MS).map(|outcome| format!("took {} ms", outcome.took_ms)));
        if !self.site.alive() {
            broken.push("the gateway ended".to_owned());
        }
        let slowest = outcomes.iter().map(|outcome| outcome.took_ms).max().unwrap_or(0);
        let well = match well {
            Some(time) => format!("well after {} ms", time.as_millis()),
            None => {
                broken.push("never well again".to_owned());
                "not well".to_owned()
            }
        };
        broken.dedup();
        let happened = format!("{} (slowest {slowest} ms); {well}", tally(outcomes));
        let happened = if broken.is_empty() { happened } else { format!("{happened}; BROKEN: {}", broken.join("; ")) };
        Row { name, promised, happened, kept: broken.is_empty() }
    }
}

pub const FRESH: &[&str] = &["entitled live", "entitled cached"];
const KNOWN: &[&str] = &["entitled live", "entitled cached", "entitled stale", "indeterminate stale", "indeterminate live"];
const SEVERAL: &[&str] = &["indeterminate live", "indeterminate cached", "entitled cached"];
const UNDECIDED: &[&str] = &["indeterminate stale", "indeterminate live", "entitled live"];

/// A registry that does something wrong with every look-up.
pub async fn registry(scene: &Scene, name: &'static str, doing: Doing) -> Row {
    scene.site.registry.set(doing);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut outcomes = scene.asked(6, Some(0)).await;
    outcomes.extend(scene.asked(6, None).await);
    scene.site.registry.set(Doing::Pass);
    let (promised, allowed) = match doing {
        Doing::Slow(late) if late < Duration::from_millis(700) => ("answers, late", FRESH),
        Doing::Duplicate => ("undecided: two people have the number", SEVERAL),
        _ => ("in time: what is remembered, else undecided", KNOWN),
    };
    scene.row(name, promised, &outcomes, allowed).await
}

/// Somebody else's record under the right number, where a second factor is wanted.
pub async fn lie(scene: &Scene) -> Row {
    scene.site.registry.set(Doing::WrongPerson);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        outcomes.push(scene.bank.ask_about("amayesh-no", "A170000001", Some(0), "counter").await);
    }
    scene.site.registry.set(Doing::Pass);
    scene.row("registry says somebody else", "undecided: the second factor does not match", &outcomes, UNDECIDED).await
}

/// A gateway that stands still for a while.
pub async fn paused(scene: &Scene) -> Row {
    scene.site.pause(true);
    let asker = Arc::clone(&scene.clinic);
    let asked = tokio::spawn(async move { asker.ask(None).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.site.pause(false);
    let outcomes = [asked.await.unwrap(), scene.clinic.ask(None).await];
    scene.row("gateway paused for 2 s", "answers once it goes on", &outcomes, KNOWN).await
}

/// A gateway that is killed under load and started again.
pub async fn killed(scene: &mut Scene) -> Row {
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let asker = Arc::clone(&scene.clinic);
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                loop {
                    outcomes.push(asker.ask(None).await);
                    if outcomes.last().is_some_and(|last| last.said == "nothing") {
                        return outcomes;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    scene.site.kill();
    let mut outcomes = Vec::new();
    for task in asking {
        outcomes.extend(task.await.unwrap());
    }
    let highest = scene.clinic.highest.load(std::sync::atomic::Ordering::SeqCst);
    let broken = match scene.site.installation.check_log(None) {
        Ok(entries) => (highest >= entries).then(|| format!("entry {highest} was told of and is not among {entries}")),
        Err(why) => Some(why),
    };
    scene.clinic.broken.lock().unwrap().extend(broken);
    scene.site.start().await;
    scene.clinic.renew().await;
    scene.bank.renew().await;
    // Who asks without a pause may come to the rate of the agency, and is told so on record too; for a minute after the row in which the disk
    // was full no refusal is recorded, and each is a 503.
    let allowed: Vec<&str> = KNOWN.iter().copied().chain(["nothing", "rate-limited", "ledger-unavailable"]).collect();
    scene.row("gateway killed under load", "every answer is in the log", &outcomes, &allowed).await
}

/// No room for the access log.
pub async fn full_disk(scene: &Scene) -> Row {
    scene.site.fill_disk(true);
    let outcomes = scene.asked(8, None).await;
    scene.site.fill_disk(false);
    scene.site.until("a log that takes entries", async || scene.site.ready().await).await;
    scene.row("disk full", "503 with advice, no answer", &outcomes, &["ledger-unavailable"]).await
}

/// A disk that takes writes and never syncs.
pub async fn hanging_disk(scene: &Scene) -> Row {
    scene.site.hang_disk(true);
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let asker = Arc::clone(&scene.clinic);
            tokio::spawn(async move { asker.ask(None).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in asking {
        outcomes.push(task.await.unwrap());
    }
    outcomes.extend(scene.asked(8, None).await);
    scene.site.hang_disk(false);
    scene.row("disk hangs", "503 with advice within seconds", &outcomes, &["ledger-unavailable"]).await
}

/// No file descriptors left.
pub async fn no_descriptors(scene: &Scene) -> Row {
    scene.site.limit_descriptors(Some(0));
    let mut outcomes = scene.asked(6, None).await;
    let strangers: Vec<_> =
        (0..20).map(|_| tokio::spawn(tokio::net::TcpStream::connect(scene.site.installation.gateway_address()))).collect();
    outcomes.extend(scene.asked(6, Some(0)).await);
    scene.site.limit_descriptors(None);
    drop(strangers);
    let allowed: Vec<&str> = KNOWN.iter().copied().chain(["nothing", "ledger-unavailable"]).collect();
    scene.row("no file descriptors", "open connections are served; nothing unrecorded", &outcomes, &allowed).await
}

/// A wall clock that jumps.
pub async fn clock(scene: &Scene, name: &'static str, wrong_by: i64) -> Row {
    scene.site.set_clock(wrong_by);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let outcomes = scene.asked(6, None).await;
    let ready = scene.site.ready().await;
    scene.site.set_clock(0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    if ready {
        scene.clinic.broken.lock().unwrap().push("it calls itself ready".to_owned());
    }
    scene.row(name, "nothing is signed, and it is not ready", &outcomes, &["ledger-unavailable"]).await
}

/// Heads that never end.
pub async fn trickle(scene: &Scene) -> Row {
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = wild::connect(&scene.site, "clinic").await;
        stream.write_all(b"POST /v1/verify HTTP/1.1\r\nHost: local").await.unwrap();
        slow.push(stream);
    }
    let outcomes = scene.asked(20, None).await;
    drop(slow);
    scene.row("50 clients that trickle", "the others do not notice", &outcomes, FRESH).await
}

/// Clients that are gone before their answer.
pub async fn vanish(scene: &Scene) -> Row {
    for number in 0..100_u64 {
        let mut stream = wild::connect(&scene.site, "clinic").await;
        let request = wild::query(&scene.clinic, &scene.clinic.body("amayesh-no", "A170000001", None, "counter"));
        let sent = if number % 2 == 0 { request.len() } else { request.len() / 2 };
        stream.write_all(&request.as_bytes()[..sent]).await.unwrap();
        let _ = stream.flush().await;
    }
    let outcomes = scene.asked(20, None).await;
    scene.row("100 clients that vanish", "the others do not notice", &outcomes, FRESH).await
}

/// One agency asks without a pause while another serves a counter.
pub async fn flood(scene: &Scene) -> Row {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flooding: Vec<_> = (0..24)
        .map(|lane: u64| {
            let (asker, stop) = (Arc::clone(&scene.bank), Arc::clone(&stop));
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    let value = format!("A{:09}", 200_000_000 + lane * 1_000_000 + number * 5003);
                    asker.ask_about("amayesh-no", &value, None, "background").await;
                }
            })
        })
        .collect();
    let outcomes = scene.asked(100, None).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for task in flooding {
        let _ = task.await;
    }
    scene.row("a flood beside a counter", "the counter is served", &outcomes, FRESH).await
}

/// Twenty queries at once on one connection.
pub async fn pipeline(scene: &Scene) -> Row {
    let mut stream = wild::connect(&scene.site, "clinic").await;
    let request = wild::query(&scene.clinic, &scene.clinic.body("amayesh-no", "A170000001", None, "counter"));
    stream.write_all(request.repeat(20).as_bytes()).await.unwrap();
    let (mut seen, begun) = (Vec::new(), Instant::now());
    let answers = |seen: &[u8]| String::from_utf8_lossy(seen).matches("HTTP/1.1 200").count();
    while answers(&seen) < 20 && begun.elapsed() < Duration::from_secs(10) {
        match tokio::time::timeout(Duration::from_secs(10), stream.read_buf(&mut seen)).await {
            Ok(Ok(1..)) => {}
            _ => break,
        }
    }
    let told = answers(&seen);
    let said = if told == 20 { "20 in turn".to_owned() } else { format!("{told} of 20") };
    let outcome = Outcome { said, took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap() };
    scene.row("20 queries at once on one connection", "each is answered, in turn", &[outcome], &["20 in turn"]).await
}
