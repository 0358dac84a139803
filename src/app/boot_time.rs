//! The wall clock across the gateway's own stops: as long as the machine was not started anew, the time since its start tells whether the wall clock was set
//! while no gateway ran. Nobody outside has a say in this. A clock that was set is not believed until the registry agrees with it: then two say so.
//!
//! `ledger/clock` holds, for the next start, which run of the machine it was and by how much wall clock and time since the machine's start differed, in
//! microseconds; it is written while the registry agrees with the clock. It may be lost: then nothing is known of before.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::adapters::clock::DoubtedClock;
use crate::adapters::registry::CachedRegistry;
use crate::core::domain::clock::Clock;
use crate::core::ledger::witness_time::BOUND;
use crate::files;

/// The file's name in the log's folder.
const FILE: &str = "clock";
/// How often it is seen whether the registry agrees.
const EVERY: Duration = Duration::from_secs(1);
/// What wall clock and time since boot may move against each other before it is written again: far below the bound.
const WRITTEN_ANEW: SignedDuration = SignedDuration::from_secs(2);

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    boot: Box<str>,
    offset_us: i64,
}

impl Kept {
    /// As it is now; none where nobody knows which run of the machine this is.
    fn now(clock: &dyn Clock) -> Option<Self> {
        let boot = clock.boot()?;
        let elapsed = i64::try_from(clock.elapsed().as_micros()).ok()?;
        Some(Self { boot, offset_us: clock.now().as_microsecond().saturating_sub(elapsed) })
    }

    /// By how much the wall clock was set in between; none where that cannot be told.
    fn moved_since(&self, before: &Self) -> Option<SignedDuration> {
        (self.boot == before.boot).then(|| SignedDuration::from_micros(self.offset_us.saturating_sub(before.offset_us)))
    }
}

/// Holds the clock against that of the process before.
pub(super) struct BootTime {
    path: PathBuf,
    clock: Arc<DoubtedClock>,
    written: Option<Kept>,
}

impl BootTime {
    /// Looks what was there before, and doubts the clock where it was set since.
    pub(super) fn begin(dir: &std::path::Path, clock: Arc<DoubtedClock>) -> Self {
        let path = dir.join(FILE);
        let written: Option<Kept> = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let moved = Kept::now(&*clock).zip(written.as_ref()).and_then(|(now, before)| now.moved_since(before));
        clock.note_moved(moved.is_some_and(|moved| moved.abs() > BOUND));
        Self { path, clock, written }
    }

    /// Looks until the task is dropped.
    pub(super) async fn keep(mut self, registry: Arc<CachedRegistry>) {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            if registry.ready() {
                self = match tokio::task::spawn_blocking(move || self.agreed()).await {
                    Ok(kept) => kept,
                    Err(_) => return,
                };
            }
        }
    }

    /// The registry is in order, so that what it says is of a time that is ours to a minute.
    fn agreed(mut self) -> Self {
        self.clock.note_moved(false);
        let Some(now) = Kept::now(&*self.clock).filter(|_| self.clock.holds()) else { return self };
        let moved = self.written.as_ref().and_then(|before| now.moved_since(before));
        if moved.is_none_or(|moved| moved.abs() > WRITTEN_ANEW) {
            let text = serde_json::to_vec(&now).unwrap_or_default();
            match files::write_privately(&self.path, &text) {
                Ok(()) => self.written = Some(now),
                Err(error) => tracing::debug!(%error, "what the clock shows cannot be kept for the next start"),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::Timestamp;

    use super::*;
    use crate::adapters::clock::{Doubt, ManualClock};

    fn clock(second: i64, boot: &str) -> Arc<DoubtedClock> {
        let at = Timestamp::from_second(1_795_000_000 + second).unwrap();
        DoubtedClock::over(Arc::new(ManualClock::of_boot(at, boot)))
    }

    /// A start with a clock that is off by so much; the doubt, and that once the registry agrees.
    fn starts(dir: &std::path::Path, second: i64, boot: &str) -> [Option<Doubt>; 2] {
        let clock = clock(second, boot);
        let begun = BootTime::begin(dir, clock.clone());
        let first = clock.doubt();
        drop(begun.agreed());
        [first, clock.doubt()]
    }

    #[test]
    fn a_clock_that_was_set_while_nothing_ran_is_believed_once_the_registry_agrees() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(starts(dir.path(), 0, "a"), [None, None], "nothing is known of before");
        assert_eq!(starts(dir.path(), 20, "a"), [None, None], "so much two clocks may differ");
        for ahead in [3600, 0] {
            assert_eq!(starts(dir.path(), ahead, "a"), [Some(Doubt::Moved), None]);
            assert_eq!(starts(dir.path(), ahead, "a"), [None, None]);
        }
        assert_eq!(starts(dir.path(), 86_400, "b"), [None, None], "another run of the machine says nothing");
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert_eq!(starts(dir.path(), 0, "b"), [None, None]);
    }

    #[test]
    fn what_the_registry_has_not_agreed_with_is_kept_for_no_next_start() {
        let dir = tempfile::tempdir().unwrap();
        starts(dir.path(), 0, "a");
        for _ in 0..3 {
            let clock = clock(3600, "a");
            drop(BootTime::begin(dir.path(), clock.clone()));
            assert_eq!(clock.doubt(), Some(Doubt::Moved));
        }
        assert_eq!(starts(dir.path(), 0, "a"), [None, None], "set right again");
    }
}
