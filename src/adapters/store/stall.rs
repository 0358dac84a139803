//! A disk that hangs: whoever waits for it is told so after a while, and asks again, instead of waiting for as long as it takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::queue::Waiter;
use crate::core::ledger::LedgerUnavailable;

/// How long a batch may take. Whoever serves people does not wait longer for a record.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// What those are told who waited so long. Their entries may be stored all the same.
pub(super) const HANGS: LedgerUnavailable = LedgerUnavailable("its disk hangs");

/// Those who wait for the batch that is being written.
#[derive(Default)]
pub(super) struct Waiting {
    batch: Mutex<Option<Batch>>,
    hangs: AtomicBool,
}

struct Batch {
    since: Instant,
    waiters: Vec<Waiter>,
}

impl Waiting {
    /// A batch is about to be written.
    pub(super) fn begin(&self, waiters: Vec<Waiter>) {
        *self.lock() = Some(Batch { since: Instant::now(), waiters });
    }

    /// It was written, or failed; gives those who still wait.
    pub(super) fn end(&self) -> Vec<Waiter> {
        let batch = self.lock().take();
        self.hangs.store(false, Ordering::Release);
        batch.map(|batch| batch.waiters).unwrap_or_default()
    }

    /// Whether a batch has taken too long and still does.
    pub(super) fn hangs(&self) -> bool {
        self.hangs.load(Ordering::Acquire)
    }

    /// Tells those who have waited for longer than this; whether a batch takes so long.
    pub(super) fn give_up(&self, patience: Duration) -> bool {
        let mut batch = self.lock();
        let Some(batch) = batch.as_mut().filter(|batch| batch.since.elapsed() >= patience) else { return false };
        // Under the lock, so that the end of the batch comes after it.
        self.hangs.store(true, Ordering::Release);
        for waiter in batch.waiters.drain(..) {
            let _ = waiter.send(Err(HANGS));
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Option<Batch>> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::core::ledger::Receipt;

    #[test]
    fn waiters_are_told_once_and_nobody_is_left_at_the_end() {
        let (waiting, (waiter, mut told)) = (Waiting::default(), oneshot::channel());
        assert!(!waiting.give_up(Duration::ZERO), "nobody waits");
        waiting.begin(vec![waiter]);
        assert!(!waiting.give_up(Duration::from_hours(1)) && told.try_recv().is_err());
        assert!(waiting.give_up(Duration::ZERO) && waiting.hangs());
        assert_eq!(told.try_recv(), Ok(Err(HANGS)));
        assert!(waiting.give_up(Duration::ZERO), "it still hangs");
        assert!(waiting.end().is_empty() && !waiting.hangs());
    }

    #[test]
    fn a_batch_in_time_keeps_its_waiters() {
        let (waiting, (waiter, mut told)) = (Waiting::default(), oneshot::channel());
        waiting.begin(vec![waiter]);
        for waiter in waiting.end() {
            assert!(waiter.send(Ok(Receipt { index: 7 })).is_ok());
        }
        assert_eq!(told.try_recv(), Ok(Ok(Receipt { index: 7 })));
    }
}
