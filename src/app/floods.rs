//! Floods of refusals in the access log: one entry per certificate, second and code, once the second is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::parts::Parts;
use crate::adapters::quota::RefusalFloods;
use crate::core::limit::Flood;
use crate::flow::{self, Gate};

/// How often it is seen whether a second is over.
const EVERY: Duration = Duration::from_secs(1);

/// Records the seconds that are over, at intervals, until it is told to end; never in the middle of a record.
pub(super) async fn keep(gate: Arc<Gate>, floods: Arc<RefusalFloods>, mut ending: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = ending.wait_for(|ends| *ends) => return,
            _ = tick.tick() => {}
        }
        record(&gate, &floods, false).await;
    }
}

impl Parts {
    /// Records the refusals that were counted in the seconds that are over, or all of them.
    pub async fn record_floods(&self, all: bool) {
        record(&self.gate, &self.floods, all).await;
    }
}

async fn record(gate: &Gate, floods: &RefusalFloods, all: bool) {
    let taken = floods.take(gate.clock.now(), all);
    record_by(floods, taken, |flood| flow::record_flood(gate, flood)).await;
}

/// What was taken and is not recorded yet: it goes back, however this ends.
struct Taken<'f> {
    floods: &'f RefusalFloods,
    left: VecDeque<Flood>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.left.drain(..).for_each(|flood| self.floods.put_back(flood));
    }
}

async fn record_by<F: Future<Output = bool>>(floods: &RefusalFloods, taken: Vec<Flood>, recorded: impl Fn(Flood) -> F) {
    let mut taken = Taken { floods, left: taken.into() };
    let mut refused = Vec::new();
    while let Some(flood) = taken.left.front().cloned() {
        if !recorded(flood.clone()).await {
            refused.push(flood);
        }
        taken.left.pop_front();
    }
    taken.left.extend(refused);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt as _;

    use super::*;
    use crate::core::domain::refusal::RefusalCode;

    fn flood(second: i64) -> Flood {
        Flood { certificate: [1; 32], agency: None, branch: None, code: RefusalCode::NotFound, second, count: 7 }
    }

    #[test]
    fn a_record_that_is_broken_off_loses_no_count() {
        let floods = RefusalFloods::new(1);
        let record = record_by(&floods, vec![flood(1), flood(2), flood(3)], |flood| async move {
            // The log takes the first and hangs on the second.
            flood.second == 1 || std::future::pending().await
        });
        assert!(record.now_or_never().is_none());
        assert_eq!(floods.take(jiff::Timestamp::MAX, true), [flood(2), flood(3)]);
    }

    #[test]
    fn what_the_log_does_not_take_is_kept_and_the_rest_is_recorded_once() {
        let floods = RefusalFloods::new(1);
        record_by(&floods, vec![flood(1), flood(2), flood(3)], |flood| async move { flood.second != 2 }).now_or_never().unwrap();
        assert_eq!(floods.take(jiff::Timestamp::MAX, true), [flood(2)]);
    }
}
