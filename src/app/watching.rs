//! Watching for abuse behind the request path: takes what was recorded, counts it by the rules in force, and records the alerts of a day
//! once it is over. After a restart it reads the day again from the log.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::StartError;
use super::alerts::Publisher;
use super::aside::PATIENCE;
use super::kept_alerts::{BoundsFile, Kept, KeptFile, WATCH};
use super::webhook;
use crate::adapters::keys::KeyStore;
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::shield::LoggedAlerts;
use crate::adapters::store::{ContentKek, LedgerConfig, LogEntries, SqliteLedger, StoredContent, StoredEntry};
use crate::adapters::watch::{Feed, Tally, WatchAlert};
use crate::adapters::webhook::Courier;
use crate::config::Config;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::core::domain::date::{start_of_tehran_day, tehran_day};
use crate::core::ledger::{EntryContent, EntryKind};
use crate::core::policy::Snapshot;
use crate::core::watch::{Kinds, Raised, Sighting, Watcher};
use crate::threads;

/// How often sightings are taken.
const EVERY: Duration = Duration::from_millis(500);
/// Calls concluded just before midnight may be recorded just after it.
const LINGERS: SignedDuration = SignedDuration::from_secs(5);
/// How long after it could not be read the log is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// How soon it is tried again to count what came last.
const SOON: Duration = Duration::from_millis(10);
/// Days that are read again after a long stop.
const READ_AGAIN: i64 = 7;
/// Route of the entries.
pub(super) const ROUTE: &str = "watch";

/// Everything that works behind the path.
pub struct Behind {
    /// Takes what the path recorded.
    pub feed: Arc<Feed>,
    /// Counts it.
    pub watching: Arc<Watching>,
    /// Records alerts.
    pub(super) publisher: Publisher,
    /// Keeps what bounds on the path raised.
    pub(super) bounds: Arc<BoundsFile>,
    /// Carries alerts out, until a task does.
    pub(super) courier: Option<Courier>,
}

impl Behind {
    /// Opens it all; nothing runs yet.
    ///
    /// # Errors
    /// The webhook's configuration cannot be used.
    pub(super) fn open(
        config: &Config,
        keys: &Arc<KeyStore>,
        policies: &Arc<PolicyStore>,
        (ledger, log): (&Arc<SqliteLedger>, &LedgerConfig),
        (clock, alerts): (&Arc<dyn Clock>, &LoggedAlerts),
    ) -> Result<Self, StartError> {
        let bounds = Arc::new(BoundsFile::open(&log.dir, alerts, clock.now()));
        let feed = Arc::new(Feed::default());
        let (outbox, courier) = webhook::open(config, keys, clock)?.unzip();
        let publisher = Publisher { ledger: ledger.clone(), outbox };
        let log = (log.dir.clone(), log.content_kek.clone());
        let watching = Watching::new(feed.clone(), policies.clone(), log, publisher.clone(), clock.clone());
        Ok(Self { feed, watching, publisher, bounds, courier })
    }
}

/// The watch of one gateway.
pub struct Watching {
    feed: Arc<Feed>,
    policies: Arc<PolicyStore>,
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    kek: ContentKek,
    publisher: Publisher,
    file: KeptFile,
    state: Mutex<State>,
    recording: tokio::sync::Mutex<()>,
    /// The gateway stops: no day is read any further.
    stops: AtomicBool,
}

struct State {
    watcher: Watcher,
    tally: Tally,
    version: Arc<str>,
    /// Branches that send batches.
    batches: HashSet<u64>,
    cursor: Option<Date>,
    passed_over: u64,
    /// Entries before this one were read from the log.
    read_to: u64,
    /// When reading the log failed last; until it succeeds no day is done with.
    blind: Option<Timestamp>,
}

impl Watching {
    /// A watch that has counted nothing yet.
    pub(super) fn new(
        feed: Arc<Feed>,
        policies: Arc<PolicyStore>,
        (dir, kek): (PathBuf, ContentKek),
        publisher: Publisher,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let (file, kept) = KeptFile::open(&dir, WATCH, clock.now());
        let snapshot = policies.current();
        let watcher = Watcher::new(snapshot.watch.clone(), kinds(&snapshot));
        let batches = batches(&feed, &snapshot);
        let state = State {
            watcher,
            tally: kept.tally(),
            version: snapshot.version.clone(),
            batches,
            cursor: kept.recorded_through,
            passed_over: 0,
            read_to: 0,
            blind: None,
        };
        Arc::new(Self {
            feed,
            policies,
            clock,
            dir,
            kek,
            publisher,
            file,
            state: Mutex::new(state),
            recording: tokio::sync::Mutex::default(),
            stops: AtomicBool::new(false),
        })
    }

    /// Watches until the task is dropped.
    pub(super) async fn keep(self: Arc<Self>) {
        if self.clone().behind(|watching| watching.read_again(&mut watching.lock())).await.is_none() {
            return;
        }
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if self.clone().behind(Self::step).await.is_none() {
                return;
            }
            self.record().await;
        }
    }

    /// Counts off the runtime's threads; none when that came to nothing.
    async fn behind<T: Send + 'static>(self: Arc<Self>, work: impl FnOnce(&Self) -> T + Send + 'static) -> Option<T> {
        let done = tokio::task::spawn_blocking(move || {
            threads::give_way();
            work(&self)
        })
        .await;
        done.inspect_err(|_| tracing::error!("the watch stopped; restart the gateway")).ok()
    }

    /// Counts what waits.
    pub fn step(&self) {
        let waiting = self.feed.take();
        if waiting.lost {
            metrics::counter!("estelam_watch_read_again_total").increment(1);
            tracing::warn!("more calls came than the watch could take; it reads the day again from the log");
        }
        let mut state = self.lock();
        state.take_up(&self.feed, &self.policies.current());
        if waiting.lost || state.blind.is_some_and(|since| self.clock.now().duration_since(since) >= AGAIN) {
            self.read_again(&mut state);
        }
        state.see_all(waiting.seen, self.clock.now() - LINGERS);
    }

    /// Alerts that are counted and not recorded yet.
    pub fn counted(&self) -> Vec<WatchAlert> {
        self.lock().tally.all()
    }

    /// Records the alerts of the days that are over.
    pub async fn record(&self) {
        let _alone = self.recording.lock().await;
        let (now, clock_holds) = self.clock.reading();
        if !clock_holds {
            // Nobody knows which day is over, and an entry of a wrong hour would drag the log's time along.
            return;
        }
        let today = tehran_day(now - LINGERS);
        let (due, cursor, blind) = {
            let state = self.lock();
            (state.tally.finished(today), state.cursor, state.blind.is_some())
        };
        // A day that could not be read may hold more than is counted: it is read again, at the latest by the next start.
        let mut all = !blind;
        for alert in due {
            let recorded = self.publisher.publish(ROUTE, &alert.rule, &alert.agency, alert.day, alert.count, self.clock.now()).await;
            all &= recorded;
            if recorded {
                self.lock().tally.mark_recorded(alert.day, &alert.rule, &alert.agency);
            }
        }
        let through = today.yesterday().ok().filter(|through| all && cursor.is_none_or(|cursor| cursor < *through));
        match through {
            Some(through) => self.remember(through).await,
            None if self.file.is_due(self.clock.now()) => {
                let raised = self.lock().kept();
                self.file.put(raised).await;
            }
            None => {}
        }
    }

    /// A day that is being read is read no further.
    pub(super) fn read_no_more(&self) {
        self.stops.store(true, Ordering::Relaxed);
    }

    /// Counts what came last, and keeps what was raised for the next start, if that takes no second: most of it the next start can read from the log.
    pub(super) async fn end(self: Arc<Self>) {
        let last = async {
            loop {
                if let Some(kept) = self.clone().behind(Self::count_last).await.flatten() {
                    return self.file.put(kept).await;
                }
                // Somebody still counts, or has just been told to read no further.
                tokio::time::sleep(SOON).await;
            }
        };
        if !tokio::time::timeout(PATIENCE, last).await.unwrap_or(false) {
            tracing::warn!("what the watch counted last is not kept; the next start reads the log again");
        }
    }

    /// What is to be kept once all is counted; none where somebody else counts.
    fn count_last(&self) -> Option<Kept> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        state.take_up(&self.feed, &self.policies.current());
        state.see_all(self.feed.take().seen, self.clock.now() - LINGERS);
        Some(state.kept())
    }

    async fn remember(&self, through: Date) {
        let kept = Kept::of(Some(through), &self.lock().tally);
        if !self.file.put(kept).await {
            return;
        }
        let (mut state, next) = (self.lock(), through.tomorrow().unwrap_or(through));
        // What was counted for these days meanwhile is recorded first.
        if state.tally.finished(next).is_empty() {
            state.cursor = Some(through);
            state.tally.forget_before(next);
        }
    }

    /// Reads every day that is not recorded yet again from the log. Where that fails, what was counted stands, and it is tried again.
    fn read_again(&self, state: &mut State) {
        let snapshot = self.policies.current();
        let fresh = state.watcher.anew(snapshot.watch.clone(), kinds(&snapshot));
        let before = (std::mem::take(&mut state.tally), std::mem::replace(&mut state.watcher, fresh), state.read_to);
        let today = tehran_day(self.clock.now());
        let from = state.cursor.map_or(today, |cursor| cursor.tomorrow().unwrap_or(cursor).max(days_before(today, READ_AGAIN)));
        let read = LogEntries::open(&self.dir, &self.kek).and_then(|mut entries| {
            entries.since(start_of_tehran_day(from), &mut |entry| {
                state.read_back(&self.feed, &entry);
                state.read_to = state.read_to.max(entry.index + 1);
                !self.stops.load(Ordering::Relaxed)
            })
        });
        let (tally, watcher, read_to) = before;
        state.tally.at_least(&tally);
        if let Ok(true) = read {
            state.watcher.keep_holders(watcher);
            state.blind = None;
            return;
        }
        if let (Err(error), None) = (read, state.blind) {
            metrics::counter!("estelam_alarms_total", "alarm" => "watch-blind").increment(1);
            tracing::error!(%error, "the watch cannot read the log again; it counts from now on, and tries again");
        }
        (state.watcher, state.read_to) = (watcher, read_to);
        state.blind = Some(self.clock.now());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Goes on under the policy in force.
    fn take_up(&mut self, feed: &Feed, snapshot: &Snapshot) {
        if self.version != snapshot.version {
            self.watcher.apply(snapshot.watch.clone(), kinds(snapshot));
            self.batches = batches(feed, snapshot);
            self.version = snapshot.version.clone();
        }
    }

    /// What is kept beside the log.
    fn kept(&self) -> Kept {
        Kept::of(self.cursor, &self.tally)
    }

    /// Counts what waited and is not read from the log, and ends the day where it is over.
    fn see_all(&mut self, seen: Vec<(u64, Sighting)>, now: Timestamp) {
        for (index, sighting) in seen {
            if index >= self.read_to {
                self.see(sighting);
            }
        }
        self.end_day(now);
    }

    fn see(&mut self, mut sighting: Sighting) {
        sighting.batch = self.batches.contains(&sighting.branch);
        let mut raised = Vec::new();
        self.watcher.see(&sighting, &mut raised);
        self.count(&raised);
    }

    fn end_day(&mut self, now: Timestamp) {
        let mut raised = Vec::new();
        self.watcher.until(now, &mut raised);
        self.count(&raised);
        let passed_over = self.watcher.passed_over();
        metrics::counter!("estelam_watch_passed_over_total").increment(passed_over.saturating_sub(self.passed_over));
        self.passed_over = passed_over;
    }

    fn count(&mut self, raised: &[Raised]) {
        for one in raised {
            metrics::counter!("estelam_alerts_raised_total").increment(1);
            if self.tally.add(one) == 1 {
                super::alerts::say(&one.rule, &one.agency, one.day);
            }
        }
    }

    fn read_back(&mut self, feed: &Feed, entry: &StoredEntry) {
        let StoredContent::Kept(content) = &entry.content else { return };
        match entry.kind {
            EntryKind::Answer | EntryKind::Refusal => feed.read_back(content, entry.time).into_iter().for_each(|seen| self.see(seen)),
            EntryKind::Admin if content.route == ROUTE => self.note_recorded(content),
            _ => {}
        }
    }

    fn note_recorded(&mut self, content: &EntryContent) {
        let day = content.reference.as_deref().and_then(|day| day.parse().ok());
        let agency = content.agency.as_deref().and_then(AgencyId::parse);
        if let (Some(day), Some(rule), Some(agency)) = (day, &content.code, agency) {
            self.tally.mark_recorded(day, rule, &agency);
        }
    }
}

fn days_before(day: Date, days: i64) -> Date {
    day.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(day)
}

fn kinds(snapshot: &Snapshot) -> Arc<Kinds> {
    Arc::new(snapshot.agencies.iter().map(|(id, policy)| (id.clone(), policy.kind.clone())).collect())
}

fn batches(feed: &Feed, snapshot: &Snapshot) -> HashSet<u64> {
    let branch_of = |(id, policy): (&AgencyId, &Arc<crate::core::policy::AgencyPolicy>)| {
        let branch = policy.protection.batches.as_ref()?.branch.clone()?;
        Some(feed.branch(id, &branch))
    };
    snapshot.agencies.iter().filter_map(branch_of).collect()
}

#[cfg(test)]
#[path = "watching_tests.rs"]
mod tests;
