//! What the request path needs: its ports, and one incoming request as the HTTP layer hands it over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures_util::future::Either;

use super::retry::Outbox;
use super::turns::{BatchTurn, BatchTurns, CounterCall, Wait};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::{Clock, Deadline};
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::Refusal;
use crate::core::identity::{PeerChain, Trust};
use crate::core::ledger::{Ledger, Observer};
use crate::core::limit::{Floods, Limiter, Shield, Tier};
use crate::core::policy::{BodyTooLarge, Permit, RequestInput, Snapshot};
use crate::core::registry::Registry;
use crate::core::reply::Format;
use crate::core::signing::Notary;
use crate::core::token::{SignatureField, SignatureVerifier, TokenVerifier};

/// A batch's turn, or that somebody at a counter is served; none as long as the registry is waited for.
pub(super) type Turn<'g> = Option<Either<CounterCall<'g>, BatchTurn>>;

/// The ports of the request path, wired once at start.
pub struct Gate {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Certificates and agencies as they are now.
    pub trust: Arc<dyn Trust>,
    /// Access tokens.
    pub tokens: Arc<dyn TokenVerifier>,
    /// Signatures over requests.
    pub signatures: Arc<dyn SignatureVerifier>,
    /// The policy in force; each call takes one snapshot.
    pub policy: Box<dyn Fn() -> Arc<Snapshot> + Send + Sync>,
    /// Limits per agency and tier.
    pub limiter: Arc<dyn Limiter>,
    /// What tells floods of refusals from refusals.
    pub floods: Arc<dyn Floods>,
    /// What keeps holders from being searched for.
    pub shield: Arc<dyn Shield>,
    /// The national registry, through the cache.
    pub registry: Arc<dyn Registry>,
    /// The statement signer.
    pub notary: Notary,
    /// The access log.
    pub ledger: Arc<dyn Ledger>,
    /// Who watches behind the path.
    pub observer: Arc<dyn Observer>,
    /// Answers that a retry may ask for again.
    pub outbox: Arc<dyn Outbox>,
    /// Turns of batches: so many of their queries are worked on at once.
    pub batches: BatchTurns,
    /// For so long in all a query may wait for the registry, and for its turn.
    pub patience: Duration,
    /// Set once the node is stopping.
    pub stopping: AtomicBool,
}

impl Gate {
    /// When a query that begins now must be answered, whatever it waits for.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.patience, &*self.clock)
    }

    /// Waits for a batch's turn; somebody at a counter has none to wait for, unless the certificate floods. The turn ends when the value is dropped.
    /// Also whether there was none at once.
    ///
    /// # Errors
    /// [`NoTurn`] came in time.
    pub(super) async fn turn(&self, permit: &Permit, by: Deadline) -> Result<(Turn<'_>, Wait), NoTurn> {
        let context = permit.call().agency().context();
        let floods = self.floods.is_flooding(context);
        if permit.tier() != Tier::Background && !floods {
            return Ok((Some(Either::Left(self.batches.counter())), Wait::Not));
        }
        let agency = permit.call().agency().agency();
        let turn = async { if floods { self.flooding_turn(agency, context).await } else { self.batches.take(agency).await } };
        let (turn, wait) = tokio::time::timeout(by.left(&*self.clock), turn).await.map_err(|_| NoTurn)?;
        if wait != Wait::Not {
            // Whoever came to a counter meanwhile is seen, and goes first.
            tokio::task::yield_now().await;
        }
        Ok((turn.map(Either::Right), wait))
    }

    /// A flood that has to wait for its turns is not over, though nothing may be refused to it meanwhile.
    async fn flooding_turn(&self, agency: &AgencyId, context: &CallContext) -> (Option<BatchTurn>, Wait) {
        let (turn, wait) = self.batches.take_flooding(agency).await;
        // Whoever only lets a counter go first, as everybody does on a busy node, presses nobody.
        if wait == Wait::InLine {
            self.floods.pressed(context, self.clock.now());
        }
        (turn, wait)
    }

    /// What is refused to a certificate that floods waits for a batch's turn too: signing and recording it is as much work as an answer.
    pub(super) async fn turn_to_refuse(&self, refusal: &Refusal) -> Turn<'_> {
        let agency = refusal.context.agency.as_ref().filter(|_| self.floods.is_flooding(&refusal.context))?;
        self.flooding_turn(agency, &refusal.context).await.0.map(Either::Right)
    }

    /// Whether the node is stopping and takes no new call.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// Too many batches were before this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoTurn;

/// One request as it came in.
pub struct Incoming {
    /// The certificate on the connection.
    pub peer: Arc<PeerChain>,
    /// Route, id and arrival.
    pub context: CallContext,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Content-Type` header; none where a content coding hides what it names.
    pub content_type: Option<String>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// The `Estelam-Signature` header.
    pub signature: Option<Box<SignatureField>>,
    /// What the caller wants to read.
    pub format: Format,
    /// The body, or that it was larger than the limit.
    pub body: Result<Bytes, BodyTooLarge>,
    /// Something that makes the whole request unacceptable: a header that claims a certificate, a query string.
    pub oddity: Option<&'static str>,
}

/// Its headers hold a token and its body an identifier: neither is shown.
impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("peer", &self.peer).field("context", &self.context).finish_non_exhaustive()
    }
}

impl Incoming {
    pub(super) fn input(&self) -> RequestInput<'_> {
        RequestInput {
            content_type: self.content_type.as_deref(),
            body: self.body.as_deref().map_err(|too_large| *too_large),
            statement_alone: self.format == Format::Statement,
        }
    }

    /// SHA-256 of the body, by which a retry is told from another request.
    pub(super) fn body_digest(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, self.body.as_deref().unwrap_or_default()).as_ref());
        out
    }
}
