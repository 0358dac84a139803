//! What all cases share: who asks, what every row is held against besides each reply, and the row itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Asker, Outcome, tally};
use crate::registry::{Doing, Feed, List};
use crate::site::Site;

/// The deadline of one look-up is 0.8 s; a shared machine may add to it.
const IN_TIME_MS: u64 = 5_000;
/// A look-up that took so long on a slow machine was out of time: whatever is broken, that comes to nothing, and may.
const LOOK_UP_MS: u64 = 700;
/// The first good answer comes within this once nothing is broken, if a case says nothing else.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);
/// So long everything is waited for that ought to be well again, so that a row that fails says how late it was.
const PATIENCE: Duration = Duration::from_secs(90);
/// A checkpoint comes every second in a demo.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(5);

pub const FRESH: &[&str] = &["entitled live", "entitled cached"];
pub const KNOWN: &[&str] = &["entitled live", "entitled cached", "entitled stale", "indeterminate stale", "indeterminate live"];
pub const UNDECIDED: &[&str] = &["indeterminate stale", "indeterminate live", "indeterminate cached"];
pub const NOT_TAKEN: &[&str] = &["ledger-unavailable"];

/// What is promised of a fault.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub promised: &'static str,
    allowed: &'static [&'static str],
    also: &'static [&'static str],
    within: Duration,
}

impl Case {
    /// Nothing is said meanwhile but what is allowed.
    pub const fn new(name: &'static str, promised: &'static str, allowed: &'static [&'static str]) -> Self {
        Self { name, promised, allowed, also: &[], within: RECOVERED_WITHIN }
    }

    /// This may be said too.
    pub const fn or(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    /// The first good answer after the fault comes within so many seconds.
    pub const fn within(self, seconds: u64) -> Self {
        Self { within: Duration::from_secs(seconds), ..self }
    }

    fn allows(&self, outcome: &Outcome) -> bool {
        let out_of_time = outcome.said == "indeterminate stale" && outcome.took_ms >= LOOK_UP_MS;
        out_of_time || self.allowed.iter().chain(self.also).any(|said| *said == outcome.said)
    }
}

/// One row of the table.
pub struct Row {
    pub name: &'static str,
    pub promised: &'static str,
    pub happened: String,
    /// From the fault's end to the first good answer, and its bound.
    pub recovered: Option<(Duration, Duration)>,
    pub kept: bool,
}

/// What all cases share.
pub struct Scene {
    pub site: Site,
    pub clinic: Arc<Asker>,
    pub bank: Arc<Asker>,
    /// Entries under the last checkpoint that anybody saw.
    published: AtomicU64,
}

impl Scene {
    pub async fn of(site: Site) -> Self {
        let (clinic, bank) = (Arc::new(Asker::new(&site, "clinic").await), Arc::new(Asker::new(&site, "bank").await));
        Self { site, clinic, bank, published: AtomicU64::new(0) }
    }

    /// Asks so often, one after another.
    pub async fn asked(&self, times: usize, max_age: Option<u32>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for _ in 0..times {
            outcomes.push(self.clinic.ask(max_age).await);
        }
        outcomes
    }

    /// Asks for so long, now live, now by what is remembered, now by what is at most two seconds old.
    pub async fn asked_for(&self, how_long: Duration) -> Vec<Outcome> {
        let (until, mut outcomes) = (Instant::now() + how_long, Vec::new());
        while Instant::now() < until {
            for max_age in [Some(0), None, Some(2)] {
                outcomes.push(self.clinic.ask(max_age).await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        outcomes
    }

    /// Several ask at once, each once.
    pub async fn asked_at_once(&self, how_many: usize, max_age: Option<u32>) -> Vec<Outcome> {
        let asking: Vec<_> = (0..how_many)
            .map(|_| {
                let asker = Arc::clone(&self.clinic);
                tokio::spawn(async move { asker.ask(max_age).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in asking {
            outcomes.push(task.await.unwrap());
        }
        outcomes
    }

    /// A promise that was not kept.
    pub fn broken(&self, what: impl Into<String>) {
        self.clinic.broken.lock().unwrap().push(what.into());
    }

    /// Says it where it is not so.
    pub fn demand(&self, kept: bool, what: impl FnOnce() -> String) {
        if !kept {
            self.broken(what());
        }
    }

    /// The registry is well; when that was.
    pub fn registry_is_well(&self) -> Instant {
        self.site.registry.set(Doing::Pass);
        self.site.registry.tell(Feed::Pass, List::Pass);
        Instant::now()
    }

    /// Tokens anew; after a restart connections too.
    pub async fn greet(&self) {
        self.clinic.renew().await;
        self.bank.renew().await;
    }

    /// When the first good answer came, and whether then everybody is known, every answer a yes, and the gateway ready with nothing amiss.
    async fn well(&self, ended: Instant) -> (Option<Duration>, bool) {
        let mut first = None;
        while ended.elapsed() < PATIENCE {
            let live = self.asked(3, Some(0)).await;
            let good = |outcome: &&Outcome| outcome.said == "entitled live";
            if let Some(outcome) = live.iter().find(good) {
                first.get_or_insert(outcome.ended.duration_since(ended));
            }
            if live.iter().filter(good).count() == live.len() && self.site.nothing_amiss().await {
                return (first, true);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (first, false)
    }

    /// The row of a case whose fault ended then: what was said must be allowed and in time, every promise kept, the process alive, all well again,
    /// and what was answered in the log.
    pub async fn row(&self, case: Case, outcomes: &[Outcome], ended: Instant) -> Row {
        let (recovered, well) = self.well(ended).await;
        self.demand(well, || "not everything is well again".to_owned());
        self.demand(recovered.is_some_and(|time| time <= case.within), || {
            format!("good again after more than {} s", case.within.as_secs())
        });
        self.demand(self.site.alive(), || "the gateway ended".to_owned());
        self.in_the_log().await;
        if well {
            // A token lasts for five minutes, and all the faults longer.
            self.greet().await;
        }
        if let Some(outcome) = outcomes.iter().find(|outcome| !case.allows(outcome)) {
            self.broken(format!("said {}", outcome.said));
        }
        let slowest = outcomes.iter().map(|outcome| outcome.took_ms).max().unwrap_or(0);
        self.demand(slowest <= IN_TIME_MS, || format!("took {slowest} ms"));
        let mut broken: Vec<String> =
            [&self.clinic, &self.bank].iter().flat_map(|asker| asker.broken.lock().unwrap().split_off(0)).collect();
        broken.sort();
        broken.dedup();
        let happened = format!("{} (slowest {slowest} ms)", tally(outcomes));
        let happened = if broken.is_empty() { happened } else { format!("{happened}; BROKEN: {}", broken.join("; ")) };
        if !broken.is_empty() {
            self.site.show_log();
        }
        let recovered = recovered.map(|time| (time, case.within));
        Row { name: case.name, promised: case.promised, happened, recovered, kept: broken.is_empty() }
    }

    /// Whatever was answered is under a checkpoint soon, no checkpoint has less than one before, and the last answer can be proved.
    async fn in_the_log(&self) {
        let (begun, highest) = (Instant::now(), self.clinic.highest().max(self.bank.highest()));
        let mut size = self.site.checkpoint().await;
        while size <= highest && begun.elapsed() < PUBLISHED_WITHIN {
            tokio::time::sleep(Duration::from_millis(50)).await;
            size = self.site.checkpoint().await;
        }
        self.demand(size > highest, || format!("entry {highest} was told of, and the checkpoint has {size}"));
        let before = self.published.fetch_max(size, Ordering::SeqCst);
        self.demand(size >= before, || format!("a checkpoint of {size} entries after one of {before}"));
        let proof = self.clinic.proof().await;
        // Reads of the log stop first on a disk that is short of room, and one that was found full counts as such for a minute.
        let short = proof == 503 && self.site.disk_room().await != "ample";
        self.demand(proof == 200 || short, || format!("the last answer has no proof: {proof}"));
    }
}
