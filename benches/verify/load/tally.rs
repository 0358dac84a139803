//! Counts and latencies of one run.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Order, Outcome, Sample};
use crate::fault::{Doing, Fault};

/// Latencies beyond a minute count as a minute.
const LONGEST_US: u64 = 60_000_000;

/// Shared by all connections of the (single) thread.
pub struct Tally {
    started: Instant,
    opens: Instant,
    closes: Instant,
    interval: Option<Duration>,
    turns: Cell<u32>,
    answers: Cell<u64>,
    errors: Cell<u64>,
    first_error: RefCell<Option<String>>,
    latencies_us: RefCell<Histogram<u64>>,
}

impl Tally {
    /// Starts now.
    pub fn new(now: Instant, order: &Order) -> Result<Self, Fault> {
        let opens = now + order.warm_up;
        Ok(Self {
            started: now,
            opens,
            closes: opens + order.window,
            interval: order.rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            turns: Cell::new(0),
            answers: Cell::new(0),
            errors: Cell::new(0),
            first_error: RefCell::new(None),
            latencies_us: RefCell::new(Histogram::new_with_bounds(1, LONGEST_US, 3).doing("preparing the histogram")?),
        })
    }

    /// When the window opens.
    pub const fn opens(&self) -> Instant {
        self.opens
    }

    /// When the window closes.
    pub const fn closes(&self) -> Instant {
        self.closes
    }

    /// Replies so far, of any status.
    pub const fn replies(&self) -> u64 {
        self.answers.get() + self.errors.get()
    }

    /// The next intended instant, where a rate was ordered.
    pub fn next_due(&self) -> Option<Instant> {
        let turn = self.turns.replace(self.turns.get() + 1);
        self.interval.map(|interval| self.started + interval * turn)
    }

    /// A reply with status 200 to the request that was due at `due`.
    pub fn note_answer(&self, due: Instant) {
        self.answers.set(self.answers.get() + 1);
        if due >= self.opens {
            let spent = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.latencies_us.borrow_mut().saturating_record(spent);
        }
    }

    /// Anything else.
    pub fn note_error(&self, what: String) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert(what);
    }

    /// The figures, between two samples.
    pub fn outcome(&self, opened: &Sample, closed: &Sample) -> Outcome {
        let replies = (closed.replies - opened.replies) as f64;
        let seconds = (closed.at - opened.at).as_secs_f64();
        let (server, own) = (closed.server.saturating_sub(opened.server), closed.own.saturating_sub(opened.own));
        let latency_ms = |quantile| self.latencies_us.borrow().value_at_quantile(quantile) as f64 / 1000.0;
        Outcome {
            rps: replies / seconds,
            server_cpu_us: server.as_secs_f64() * 1e6 / replies,
            server_busy: server.as_secs_f64() / seconds,
            load_busy: own.as_secs_f64() / seconds,
            p50_ms: latency_ms(0.5),
            p99_ms: latency_ms(0.99),
            answers: self.answers.get(),
            errors: self.errors.get(),
            first_error: self.first_error.borrow().clone(),
        }
    }
}
