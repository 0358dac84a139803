//! The files of the keys while the gateway runs. It goes on with the keys in its memory whatever becomes of them: a folder that was put down wrong on every
//! node must cut nobody off. What it records meanwhile is verified by public keys that are in the log. What could not be opened again if the content key
//! stayed away is bounded: after a day without it nothing more is recorded.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::adapters::keys::{KeyFault, KeyStore};
use crate::adapters::store::SqliteLedger;
use crate::core::domain::clock::Clock;
use crate::core::domain::context::CallContext;
use crate::core::ledger::EntryKind;
use crate::core::signing::Delivery;
use crate::flow::{self, Gate};
use crate::threads;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// A look that takes longer shows that nobody knows whether the files are there.
const PATIENCE: Duration = Duration::from_secs(5);
/// For so long contents are recorded under a key that is in memory alone.
const WITHOUT_CONTENT_KEY: Duration = Duration::from_hours(24);

/// Entry, like the alarm, of files that a restart would not find as they should be.
const MISSING: &str = "key-file-missing";
/// Entry of their return.
const BACK: &str = "key-files-back";

/// What is known of the files.
pub(super) struct KeyFiles {
    keys: Arc<KeyStore>,
    ledger: Arc<SqliteLedger>,
    clock: Arc<dyn Clock>,
    /// Since when, by the time since boot, what opens the contents is away.
    away: ArcSwapOption<Duration>,
}

impl KeyFiles {
    /// Of these keys, for this log.
    pub(super) fn new(keys: Arc<KeyStore>, ledger: Arc<SqliteLedger>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, ledger, clock, away: ArcSwapOption::empty() }
    }

    /// Whether everything that a start needs is there.
    pub(super) fn in_order(&self) -> bool {
        self.keys.faults().is_empty() && self.keys.signs()
    }

    /// Whether answers go on: from memory, for as long as that is allowed.
    pub(super) fn serve(&self) -> bool {
        self.keys.signs() && self.left() != Some(Duration::ZERO)
    }

    /// What is wrong and what to do; none where all is in order.
    pub(super) fn advice(&self) -> Option<String> {
        let faults = self.keys.faults();
        let first = faults.first()?;
        let more = if faults.len() > 1 { format!(" (and {} more)", faults.len() - 1) } else { String::new() };
        let then = match self.until() {
            None => "the keys in memory go on, and a restart would not have them".to_owned(),
            Some(until) => {
                format!("the keys in memory go on, a restart would not have them, and from {until:.0} on nothing is recorded or answered")
            }
        };
        Some(format!("{}{more}; {then}", first.why))
    }

    /// Until when contents are recorded without what opens them; none where it is there.
    fn until(&self) -> Option<Timestamp> {
        let left = SignedDuration::try_from(self.left()?).ok()?;
        self.clock.now().checked_add(left).ok()
    }

    fn left(&self) -> Option<Duration> {
        let since = match self.away.load_full() {
            Some(since) => *since,
            // Seen just now.
            None if self.keys.faults().iter().any(|fault| fault.of_contents) => self.clock.elapsed(),
            None => return None,
        };
        Some(WITHOUT_CONTENT_KEY.saturating_sub(self.clock.elapsed().saturating_sub(since)))
    }

    /// Takes up what was seen just now; whether contents are recorded.
    fn note(&self, faults: &[KeyFault]) -> bool {
        if !faults.iter().any(|fault| fault.of_contents) {
            self.away.store(None);
        } else if self.away.load().is_none() {
            self.away.store(Some(Arc::new(self.clock.elapsed())));
        }
        let recorded = self.left() != Some(Duration::ZERO);
        self.ledger.withhold(!recorded);
        recorded
    }
}

type Faults = Arc<Vec<KeyFault>>;

/// One look at a time, however long it takes.
struct Looks {
    look: Arc<dyn Fn() -> Faults + Send + Sync>,
    /// What is noted where nothing can be seen.
    unseen: Box<dyn Fn() -> Faults + Send + Sync>,
    under_way: Option<(JoinHandle<Faults>, Instant)>,
}

impl Looks {
    fn of(keys: &Arc<KeyStore>) -> Self {
        let (seeing, unseeing) = (keys.clone(), keys.clone());
        let look = move || {
            // Opening a file may cost much, and nobody waits for it.
            threads::give_way();
            seeing.look()
        };
        Self { look: Arc::new(look), unseen: Box::new(move || unseeing.unseen()), under_way: None }
    }

    /// What is wrong with the files now; none while it may still be seen soon.
    async fn next(&mut self) -> Option<Faults> {
        let begin = || {
            let look = self.look.clone();
            (tokio::task::spawn_blocking(move || look()), Instant::now())
        };
        let (look, begun) = self.under_way.get_or_insert_with(begin);
        match timeout(EVERY, look).await {
            Ok(seen) => {
                self.under_way = None;
                Some(seen.unwrap_or_else(|_| (self.unseen)()))
            }
            Err(_) => (begun.elapsed() >= PATIENCE).then(|| (self.unseen)()),
        }
    }
}

/// Looks until the task is dropped; what changes is told, and is an entry.
pub(super) async fn keep(gate: Arc<Gate>, files: Arc<KeyFiles>) {
    let mut told = Arc::new(Vec::new());
    let mut recorded = Arc::new(Vec::new());
    let mut withheld = false;
    let mut looks = Looks::of(&files.keys);
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(faults) = looks.next().await else { continue };
        tell(&told, &faults);
        told = faults.clone();
        let takes = files.note(&faults);
        if !takes && !withheld {
            metrics::counter!("estelam_alarms_total", "alarm" => "content-key-away").increment(1);
            tracing::error!(
                "what opens the contents of the log has been away for a day; nothing more is recorded or answered until it is back"
            );
        }
        withheld = !takes;
        if faults != recorded && record(&gate, &faults).await {
            recorded = faults;
        }
    }
}

fn tell(before: &[KeyFault], now: &[KeyFault]) {
    for fault in now.iter().filter(|fault| !before.contains(fault)) {
        metrics::counter!("estelam_alarms_total", "alarm" => "key-file-missing").increment(1);
        tracing::error!("{}; the keys in memory go on, and a restart would not have them", fault.why);
    }
    if now.is_empty() && !before.is_empty() {
        tracing::warn!("the files of the keys are in order again");
    }
}

/// Files by their names alone.
async fn record(gate: &Gate, faults: &[KeyFault]) -> bool {
    let name = |fault: &KeyFault| fault.path.file_name().map(|name| name.to_string_lossy().into_owned());
    let names: Vec<_> = faults.iter().filter_map(name).collect();
    let code = if faults.is_empty() { BACK } else { MISSING };
    let delivery = Delivery {
        context: CallContext::new("keys", gate.clock.now()),
        kind: EntryKind::Admin,
        code,
        details: (!faults.is_empty()).then(|| json!({ "files": names }).to_string()),
        status: 200,
        content_type: "application/json",
        body: String::new(),
        statement: format!("{{\"event\":\"{code}\"}}"),
    };
    flow::deliver(gate, delivery).await.status() == 200
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};

    use super::*;

    fn fault(why: &str) -> Faults {
        Arc::new(vec![KeyFault { path: "keys".into(), why: why.to_owned(), of_contents: true }])
    }

    fn looks(look: impl Fn() -> Faults + Send + Sync + 'static) -> Looks {
        Looks { look: Arc::new(look), unseen: Box::new(|| fault("unseen")), under_way: None }
    }

    #[tokio::test(start_paused = true)]
    async fn folder_that_hangs_is_a_fault_after_five_seconds_and_until_it_is_seen_again() {
        let (begun, (let_go, hangs)) = (Arc::new(AtomicUsize::new(0)), mpsc::channel());
        let (counted, hangs) = (begun.clone(), Mutex::new(hangs));
        let mut looks = looks(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            hangs.lock().unwrap().recv().unwrap_or_else(|_| fault("gone"))
        });
        for second in 1..=8 {
            let next = tokio::spawn(async move {
                let seen = looks.next().await;
                (looks, seen)
            });
            tokio::task::yield_now().await;
            tokio::time::advance(EVERY + Duration::from_millis(1)).await;
            let seen;
            (looks, seen) = next.await.unwrap();
            assert_eq!(seen, (second >= 5).then(|| fault("unseen")), "second {second}");
        }
        assert!(begun.load(Ordering::SeqCst) <= 1, "one look at a time");
        let_go.send(Faults::default()).unwrap();
        assert_eq!(looks.next().await, Some(Faults::default()));
        drop(let_go);
        assert_eq!(looks.next().await, Some(fault("gone")), "and it is looked at again");
    }

    #[tokio::test]
    async fn look_that_breaks_off_is_a_fault_and_the_next_one_counts() {
        let tries = AtomicUsize::new(0);
        let mut looks = looks(move || {
            assert_ne!(tries.fetch_add(1, Ordering::SeqCst), 0, "the first breaks off");
            Faults::default()
        });
        assert_eq!(looks.next().await, Some(fault("unseen")));
        assert_eq!(looks.next().await, Some(Faults::default()));
    }
}
