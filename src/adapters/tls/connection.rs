//! One live connection: which phase it is in, until when, and the switch that cuts it.
//!
//! The request path pays a few atomic stores per request; no timer is made or cancelled for it. The table's watchdog
//! compares the deadlines with a coarse tick and cuts what is late.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;

use super::trust::CertificateTrust;
use crate::core::identity::PeerChain;

/// How long each phase of a request may last.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// The whole TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request (or the end of the handshake) to the end of its head.
    pub head: Duration,
    /// From the end of the head to the last byte of the body.
    pub body: Duration,
    /// From the end of the body to the reply.
    pub handling: Duration,
    /// Between requests, and between two steps of a client that reads its reply.
    pub idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
            handling: Duration::from_secs(30),
            idle: Duration::from_secs(75),
        }
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TLS handshake, bounded by its own timer.
    Handshake,
    /// Waiting for the next request, or for the client to take its reply.
    Idle,
    /// A request's head is coming in.
    Head,
    /// A request's body is coming in.
    Body,
    /// A handler works; nothing is expected of the client.
    Handling,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Handshake, Self::Idle, Self::Head, Self::Body, Self::Handling];

    const fn code(self) -> u64 {
        match self {
            Self::Handshake => 0,
            Self::Idle => 1,
            Self::Head => 2,
            Self::Body => 3,
            Self::Handling => 4,
        }
    }
}

/// Why a connection was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing came for too long between requests.
    Idle,
    /// A head took too long.
    SlowHead,
    /// A body took too long.
    SlowBody,
    /// A handler took too long.
    Handling,
    /// The certificate or the agency is no longer accepted.
    NotAccepted,
    /// Too many refusals.
    Flood,
}

impl Cut {
    const ALL: [Self; 6] = [Self::Idle, Self::SlowHead, Self::SlowBody, Self::Handling, Self::NotAccepted, Self::Flood];

    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SlowHead => "slow-head",
            Self::SlowBody => "slow-body",
            Self::Handling => "handling",
            Self::NotAccepted => "not-accepted",
            Self::Flood => "flood",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Idle => 1,
            Self::SlowHead => 2,
            Self::SlowBody => 3,
            Self::Handling => 4,
            Self::NotAccepted => 5,
            Self::Flood => 6,
        }
    }
}

/// Milliseconds since the table began, as of the watchdog's last round.
#[derive(Debug, Default)]
pub struct CoarseTime(AtomicU64);

impl CoarseTime {
    pub(super) fn set(&self, milliseconds: u64) {
        self.0.store(milliseconds, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whose connection it is, once the handshake is over.
pub(super) struct Holder {
    pub(super) peer: Arc<PeerChain>,
    pub(super) trust: Arc<CertificateTrust>,
}

/// A live connection. Handlers may signal through it; `serve` and `read_body` already do.
pub struct ConnectionHandle {
    /// Phase in the low three bits, deadline in milliseconds of `CoarseTime` above them; deadline 0 is none.
    state: AtomicU64,
    ahead: AtomicBool,
    broken_body: AtomicBool,
    ended: AtomicBool,
    last_refused: AtomicBool,
    cut: AtomicU8,
    waker: AtomicWaker,
    holder: OnceLock<Holder>,
    deadlines: Deadlines,
    slack: u64,
    time: Arc<CoarseTime>,
}

const PHASE_BITS: u32 = 3;
const PHASE_MASK: u64 = 0b111;

impl ConnectionHandle {
    /// A connection in its handshake. `tick` is how far `time` may lag behind.
    pub(super) fn new(deadlines: Deadlines, tick: Duration, time: Arc<CoarseTime>) -> Self {
        Self {
            state: AtomicU64::new(Phase::Handshake.code()),
            ahead: AtomicBool::new(false),
            broken_body: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            last_refused: AtomicBool::new(false),
            cut: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            holder: OnceLock::new(),
            deadlines,
            slack: milliseconds(tick),
            time,
        }
    }

    /// The head of a request has been read and its body is awaited.
    pub fn body_started(&self) {
        self.enter(Phase::Body, self.deadlines.body);
    }

    /// The last byte of a request has been read (or nothing more is wanted): the client is waiting for us.
    pub fn body_complete(&self) {
        self.enter(Phase::Handling, self.deadlines.handling);
    }

    /// The reply has been handed over; the next request may come.
    pub fn reply_sent(&self) {
        // A pipelined request that has begun already gets the deadline of a head.
        if self.ahead.load(Ordering::Relaxed) {
            self.ahead.store(false, Ordering::Relaxed);
            self.enter(Phase::Head, self.deadlines.head);
        } else {
            self.enter(Phase::Idle, self.deadlines.idle);
        }
    }

    /// The body of the request under way is broken: nothing can be read after it.
    pub(super) fn body_broken(&self) {
        self.broken_body.store(true, Ordering::Relaxed);
    }

    /// Whether the body of the request under way is broken.
    pub fn body_is_broken(&self) -> bool {
        self.broken_body.load(Ordering::Relaxed)
    }

    /// The reply that is the last one has been made. `bare` where it is one that the stream puts a refusal of ours in the place of.
    pub(super) fn end(&self, bare: bool) {
        self.last_refused.store(bare, Ordering::Relaxed);
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether the last reply of the connection has been made: no request after it is answered (RFC 9112 §9.6).
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Whether nothing is to be said any more, since the last reply was said as it is.
    pub(super) fn is_silent(&self) -> bool {
        self.has_ended() && !self.last_refused.load(Ordering::Relaxed)
    }

    /// How long a body may take.
    pub const fn body_deadline(&self) -> Duration {
        self.deadlines.body
    }

    /// What the connection is doing.
    pub fn phase(&self) -> Phase {
        phase_of(self.state.load(Ordering::Relaxed))
    }

    /// The certificate's holder, on a mutual-TLS listener.
    pub fn peer(&self) -> Option<&Arc<PeerChain>> {
        self.holder.get().map(|holder| &holder.peer)
    }

    /// Ends the connection now; the first reason given is the one that counts.
    pub fn cut(&self, why: Cut) {
        if self.cut.compare_exchange(0, why.code(), Ordering::AcqRel, Ordering::Acquire).is_ok() {
            metrics::counter!("estelam_connections_cut_total", "reason" => why.label()).increment(1);
            self.waker.wake();
        }
    }

    /// Why the connection was cut, if it was.
    pub fn cut_reason(&self) -> Option<Cut> {
        let code = self.cut.load(Ordering::Acquire);
        Cut::ALL.into_iter().find(|cut| cut.code() == code)
    }

    /// Completes when the connection is cut. Only one task may wait.
    pub(super) async fn until_cut(&self) {
        poll_fn(|context| {
            self.waker.register(context.waker());
            if self.cut.load(Ordering::Acquire) == 0 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// The handshake is over: the first request is due within the deadline of a head.
    pub(super) fn established(&self) {
        self.enter(Phase::Head, self.deadlines.head);
    }

    pub(super) fn hold(&self, holder: Holder) {
        let _first_only = self.holder.set(holder);
    }

    pub(super) fn holder(&self) -> Option<&Holder> {
        self.holder.get()
    }

    pub(super) fn bytes_read(&self) {
        match self.phase() {
            Phase::Idle => self.enter(Phase::Head, self.deadlines.head),
            Phase::Handling => self.ahead.store(true, Ordering::Relaxed),
            Phase::Handshake | Phase::Head | Phase::Body => {}
        }
    }

    pub(super) fn bytes_written(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Idle, self.deadlines.idle);
        }
    }

    /// Cuts the connection if its phase has lasted too long at `now` (milliseconds).
    pub(super) fn sweep(&self, now: u64) {
        let state = self.state.load(Ordering::Relaxed);
        let deadline = state >> PHASE_BITS;
        if deadline == 0 || now <= deadline {
            return;
        }
        match phase_of(state) {
            Phase::Handshake => {}
            Phase::Idle => self.cut(Cut::Idle),
            Phase::Head => self.cut(Cut::SlowHead),
            Phase::Body => self.cut(Cut::SlowBody),
            Phase::Handling => self.cut(Cut::Handling),
        }
    }

    fn enter(&self, phase: Phase, limit: Duration) {
        let deadline = self.time.get().saturating_add(milliseconds(limit)).saturating_add(self.slack);
        self.state.store((deadline << PHASE_BITS) | phase.code(), Ordering::Relaxed);
    }
}

fn phase_of(state: u64) -> Phase {
    Phase::ALL.into_iter().find(|phase| phase.code() == state & PHASE_MASK).unwrap_or(Phase::Handshake)
}

fn milliseconds(duration: Duration) -> u64 {
    // Bounded so that a deadline always fits above the phase bits.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(1 << 40)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn handle() -> (ConnectionHandle, Arc<CoarseTime>) {
        let time = Arc::new(CoarseTime::default());
        let second = |seconds| Duration::from_secs(seconds);
        let deadlines = Deadlines { handshake: second(1), head: second(2), body: second(3), handling: second(4), idle: second(5) };
        (ConnectionHandle::new(deadlines, Duration::from_millis(100), time.clone()), time)
    }

    /// Brings a connection into a phase at 10 s, then looks at it just before and after its deadline.
    fn check(bring: impl FnOnce(&ConnectionHandle), phase: Phase, limit: u64, why: Cut) {
        let (handle, time) = handle();
        time.set(10_000);
        handle.established();
        bring(&handle);
        assert_eq!(handle.phase(), phase);
        handle.sweep(10_100 + limit * 1000);
        assert_eq!(handle.cut_reason(), None);
        handle.sweep(10_101 + limit * 1000);
        assert_eq!(handle.cut_reason(), Some(why));
    }

    #[test]
    fn every_phase_has_its_deadline() {
        check(|_| {}, Phase::Head, 2, Cut::SlowHead);
        check(ConnectionHandle::body_started, Phase::Body, 3, Cut::SlowBody);
        check(ConnectionHandle::body_complete, Phase::Handling, 4, Cut::Handling);
        check(ConnectionHandle::reply_sent, Phase::Idle, 5, Cut::Idle);
    }

    #[test]
    fn the_first_byte_of_the_next_request_starts_the_head() {
        let next = |handle: &ConnectionHandle| {
            handle.reply_sent();
            handle.bytes_read();
        };
        check(next, Phase::Head, 2, Cut::SlowHead);
    }

    #[test]
    fn a_pipelined_request_starts_its_head_when_the_reply_is_out() {
        let pipelined = |handle: &ConnectionHandle| {
            handle.body_complete();
            handle.bytes_read();
            handle.reply_sent();
        };
        check(pipelined, Phase::Head, 2, Cut::SlowHead);
    }

    #[test]
    fn more_bytes_do_not_extend_a_head_or_a_body() {
        let (handle, time) = handle();
        handle.established();
        time.set(1_900);
        handle.bytes_read();
        handle.sweep(2_101);
        assert_eq!(handle.cut_reason(), Some(Cut::SlowHead));
    }

    #[test]
    fn a_reply_that_is_being_taken_is_not_idle() {
        let (handle, time) = handle();
        handle.reply_sent();
        time.set(4_000);
        handle.bytes_written();
        handle.sweep(9_000);
        assert_eq!(handle.cut_reason(), None);
    }

    #[test]
    fn the_first_reason_counts() {
        let (handle, _) = handle();
        handle.cut(Cut::NotAccepted);
        handle.cut(Cut::Idle);
        assert_eq!(handle.cut_reason(), Some(Cut::NotAccepted));
    }
}
