//! Floods of refusals (contract §4): past a bound per certificate they are recorded as one count per second and code, and the
//! connection is closed without a word.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::RefusalCode;

/// The route of a count's entry: it is about no single request.
const ROUTE: &str = "flood";

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It is signed, recorded and told.
    Told,
    /// It is counted, and nothing leaves. Its connection is held so many times as long as that of a flood that begins.
    Counted(u32),
}

/// Refusals of one certificate, second and code that were counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flood {
    /// SHA-256 of the certificate.
    pub certificate: [u8; 32],
    /// Whose it is.
    pub agency: Option<AgencyId>,
    /// The branch that it names.
    pub branch: Option<Arc<str>>,
    /// Why they were refused.
    pub code: RefusalCode,
    /// The second, since 1970.
    pub second: i64,
    /// How many.
    pub count: u64,
}

/// Tells floods of refusals from refusals.
pub trait Floods: Send + Sync + 'static {
    /// One refusal of the call with this context. A call without a certificate is never counted, so that it is always told.
    fn refused(&self, context: &CallContext, code: RefusalCode, now: Timestamp) -> Passage;

    /// Whether the certificate of a call floods, or has until lately: then whoever asks with it waits for its turn.
    fn is_flooding(&self, context: &CallContext) -> bool;

    /// A call with a certificate that floods had to wait for its turn: the flood is not over.
    fn pressed(&self, context: &CallContext, now: Timestamp);

    /// Counts a refusal for which the log has no room, so that there is at least a count of it later. Without a certificate there is nobody to
    /// count it for.
    fn withheld(&self, context: &CallContext, code: RefusalCode, now: Timestamp);
}

impl Flood {
    /// What is known of the calls that were counted: whose they were. Each had its own actor and service, so that there is none.
    pub fn context(&self, now: Timestamp) -> CallContext {
        let mut context = CallContext::new(ROUTE, now);
        context.agency.clone_from(&self.agency);
        context.branch.clone_from(&self.branch);
        context.certificate = Some(self.certificate);
        context
    }
}

/// A bound on refusals that are told: so many a second, and so many at once after a quiet time. It counts in thousandths, by the
/// instants that it is given.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: u64,
    since: Timestamp,
}

/// Thousandths of a refusal.
const WHOLE: u64 = 1000;

impl Allowance {
    /// Everything at once is left.
    pub const fn full(at_once: u32, now: Timestamp) -> Self {
        Self { left: at_once as u64 * WHOLE, since: now }
    }

    /// Spends one; false when none is left.
    pub fn spend(&mut self, per_second: u32, at_once: u32, now: Timestamp) -> bool {
        self.refill(per_second, at_once, now);
        let spent = self.left.checked_sub(WHOLE);
        self.left = spent.unwrap_or(self.left);
        spent.is_some()
    }

    /// Whether nothing that was spent is still missing at `now`.
    pub fn is_full(&mut self, per_second: u32, at_once: u32, now: Timestamp) -> bool {
        self.refill(per_second, at_once, now);
        self.left >= u64::from(at_once) * WHOLE
    }

    fn refill(&mut self, per_second: u32, at_once: u32, now: Timestamp) {
        // A clock that goes back gives nothing, and takes nothing.
        let elapsed = now.duration_since(self.since).max(SignedDuration::ZERO).as_millis();
        let gained = u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_mul(u64::from(per_second));
        self.left = self.left.saturating_add(gained).min(u64::from(at_once) * WHOLE);
        self.since = self.since.max(now);
    }
}
