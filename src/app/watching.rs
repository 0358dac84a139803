//! Watching for abuse behind the request path: takes what was recorded, counts it by the rules in force, and records the alerts of a day
//! once it is over. After a restart it reads the day again from the log.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::StartError;
use super::alerts::Publisher;
use super::kept_alerts::{BoundsFile, Kept, WATCH, quarter_of};
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
    /// The webhook's configuration, or what is kept beside the log, cannot be used.
    pub(super) fn open(
        config: &Config,
        keys: &Arc<KeyStore>,
        policies: &Arc<PolicyStore>,
        (ledger, log): (&Arc<SqliteLedger>, &LedgerConfig),
        (clock, alerts): (&Arc<dyn Clock>, &LoggedAlerts),
    ) -> Result<Self, StartError> {
        let bounds = Arc::new(BoundsFile::open(&log.dir, alerts, clock.now())?);
        let feed = Arc::new(Feed::default());
        let (outbox, courier) = webhook::open(config, keys, clock)?.unzip();
        let publisher = Publisher { ledger: ledger.clone(), outbox };
        let log = (log.dir.clone(), log.content_kek.clone());
        let watching = Watching::new(feed.clone(), policies.clone(), log, publisher.clone(), clock.clone())?;
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
    state: Mutex<State>,
    recording: tokio::sync::Mutex<()>,
}

struct State {
    watcher: Watcher,
    tally: Tally,
    version: Arc<str>,
    /// Branches that send batches.
    batches: HashSet<u64>,
    cursor: Option<Date>,
    /// What is beside the log, and the quarter of an hour in which it was looked at last.
    kept: Kept,
    quarter: i64,
    passed_over: u64,
    /// Entries before this one were read from the log.
    read_to: u64,
    /// When reading the log failed last; until it succeeds no day is done with.
    blind: Option<Timestamp>,
}

impl Watching {
    /// A watch that has counted nothing yet.
    ///
    /// # Errors
    /// What is kept beside the log cannot be read.
    pub(super) fn new(
        feed: Arc<Feed>,
        policies: Arc<PolicyStore>,
        (dir, kek): (PathBuf, ContentKek),
        publisher: Publisher,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StartError> {
        let kept = Kept::read(&dir, WATCH)?;
        let snapshot = policies.current();
        let watcher = Watcher::new(snapshot.watch.clone(), kinds(&snapshot));
        let batches = batches(&feed, &snapshot);
        let state = State {
            watcher,
            tally: kept.tally(),
            version: snapshot.version.clone(),
            batches,
            cursor: kept.recorded_through,
            kept,
            quarter: quarter_of(clock.now()),
            passed_over: 0,
            read_to: 0,
            blind: None,
        };
        Ok(Arc::new(Self {
            feed,
            policies,
            clock,
            dir,
            kek,
            publisher,
            state: Mutex::new(state),
            recording: tokio::sync::Mutex::default(),
        }))
    }

    /// Watches until the task is dropped.
    pub(super) async fn keep(self: Arc<Self>) {
        if !self.clone().behind(|watching| watching.read_again(&mut watching.lock())).await {
            return;
        }
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if !self.clone().behind(Self::step).await {
                return;
            }
            self.record().await;
        }
    }

    /// Counts off the runtime's threads; false when that came to nothing.
    async fn behind(self: Arc<Self>, work: impl FnOnce(&Self) + Send + 'static) -> bool {
        let done = tokio::task::spawn_blocking(move || {
            threads::give_way();
            work(&self);
        })
        .await;
        done.inspect_err(|_| tracing::error!("the watch stopped; restart the gateway")).is_ok()
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
        for (index, sighting) in waiting.seen {
            if index >= state.read_to {
                state.see(sighting);
            }
        }
        state.end_day(self.clock.now() - LINGERS);
    }

    /// Alerts that are counted and not recorded yet.
    pub fn counted(&self) -> Vec<WatchAlert> {
        self.lock().tally.all()
    }

    /// Records the alerts of the days that are over.
    pub async fn record(&self) {
        let _alone = self.recording.lock().await;
        let today = tehran_day(self.clock.now() - LINGERS);
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
            Some(through) => self.remember(through),
            None => self.keep_raised(false),
        }
    }

    /// Counts what came last, and keeps what was raised for the next start.
    pub(super) async fn end(self: Arc<Self>) {
        let last = |watching: &Self| {
            watching.step();
            watching.keep_raised(true);
        };
        self.behind(last).await;
    }

    /// Keeps what was raised since it was kept last: at the end, and else once in a quarter of an hour.
    fn keep_raised(&self, ends: bool) {
        let quarter = quarter_of(self.clock.now());
        let mut state = self.lock();
        if std::mem::replace(&mut state.quarter, quarter) == quarter && !ends {
            return;
        }
        let kept = Kept::of(state.cursor, &state.tally);
        if kept != state.kept && kept.write(&self.dir, WATCH) {
            state.kept = kept;
        }
    }

    fn remember(&self, through: Date) {
        let mut state = self.lock();
        let kept = Kept::of(Some(through), &state.tally);
        if kept.write(&self.dir, WATCH) {
            (state.cursor, state.kept) = (Some(through), kept);
            let next = through.tomorrow().unwrap_or(through);
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
            entries.between(start_of_tehran_day(from), Timestamp::MAX, &mut |_, _| (), &mut |entry| {
                state.read_back(&self.feed, &entry);
                state.read_to = state.read_to.max(entry.index + 1);
            })
        });
        let (tally, watcher, read_to) = before;
        state.tally.at_least(&tally);
        let Err(error) = read else {
            state.watcher.keep_holders(watcher);
            state.blind = None;
            return;
        };
        if state.blind.is_none() {
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
