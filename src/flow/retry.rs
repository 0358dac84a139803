//! `Idempotency-Key`: a retry gets the recorded answer once more, another body under the same key is refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{Gate, Incoming, answer, conclude_in_turn};
use crate::core::domain::agency::{AgencyId, Scope};
use crate::core::domain::context::RetryMark;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::policy::SCOPE_WITHDRAWN;
use crate::core::reply::Reply;
use crate::core::signing::Conclusion;
use crate::core::token::VerifiedCall;

/// The place of one answer that may be delivered again.
#[derive(Debug)]
pub struct Slot {
    retry: RetryMark,
    /// The answer, once there is one.
    reply: OnceCell<Reply>,
    /// Whether any of the tries was signed: then nobody gets its answer without a signature.
    signed: AtomicBool,
    /// The first try whose answer may be on record although nobody got it: the later ones are retries of it.
    in_doubt: OnceLock<Uuid>,
}

impl Slot {
    /// One without an answer.
    pub fn new(retry: RetryMark) -> Self {
        Self { retry, reply: OnceCell::new(), signed: AtomicBool::new(false), in_doubt: OnceLock::new() }
    }

    /// The mark of its tries.
    pub fn mark(&self) -> &str {
        &self.retry.mark
    }

    /// What ties the next try to those before it.
    pub fn retry(&self) -> RetryMark {
        RetryMark { of: self.retry.of.or_else(|| self.in_doubt.get().copied()), ..self.retry.clone() }
    }

    /// Whether nothing was answered in it, and nothing may be on record either.
    fn is_unused(&self) -> bool {
        !self.reply.initialized() && self.in_doubt.get().is_none()
    }
}

/// The key was claimed by another body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyReused;

/// Remembers answers for ten minutes by certificate and key, and across a restart which answers were recorded.
pub trait Outbox: Send + Sync + 'static {
    /// The slot of a key on an agency's certificate, made for the body with this SHA-256 if there is none. The digest lives in memory alone.
    ///
    /// # Errors
    /// [`KeyReused`].
    fn slot(&self, agency: &AgencyId, certificate: &[u8; 32], key: &str, digest: [u8; 32]) -> Result<Arc<Slot>, KeyReused>;

    /// Gives back a slot in which nothing was answered, unless another try holds it: the key is free again.
    fn release(&self, agency: &AgencyId, slot: Arc<Slot>);
}

/// Answers once per key. Only answers (200) are kept: a refusal is judged anew on every try, and takes up no room.
pub(super) async fn once(gate: &Gate, call: VerifiedCall, incoming: &Incoming) -> Reply {
    let key = incoming.idempotency_key.as_deref().unwrap_or_default();
    let well_formed = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if !well_formed {
        let refusal = call.refuse(RefusalCode::MalformedRequest, "an `Idempotency-Key` is 1 to 64 visible ASCII characters");
        return conclude_in_turn(gate, (Conclusion::Refusal(refusal), None), incoming.format).await;
    }
    let agency = call.agency().agency().clone();
    let Ok(slot) = gate.outbox.slot(&agency, &call.agency().peer().thumbprint, key, incoming.body_digest()) else {
        let refusal = call.refuse(RefusalCode::KeyReused, "use a new `Idempotency-Key` for a new request");
        return conclude_in_turn(gate, (Conclusion::Refusal(refusal), None), incoming.format).await;
    };
    let reply = in_slot(gate, call, incoming, &slot).await;
    if slot.is_unused() {
        gate.outbox.release(&agency, slot);
    }
    reply
}

async fn in_slot(gate: &Gate, call: VerifiedCall, incoming: &Incoming, slot: &Slot) -> Reply {
    let call = match may_have(gate, call, slot) {
        Ok(call) => call,
        Err(refusal) => return conclude_in_turn(gate, (Conclusion::Refusal(refusal), None), incoming.format).await,
    };
    // A key that may be somebody's number leaves no mark.
    let marked = !incoming.idempotency_key.as_deref().is_some_and(|key| (gate.policy)().schemes.looks_like_identifier(key));
    let mut fresh = false;
    let outcome = slot
        .reply
        .get_or_try_init(|| async {
            fresh = true;
            // A crash or a disk that hangs loses replies, not always the record: such a request is answered anew, tied to its first answer,
            // and counted once. Which try that was is known only now that this one's turn has come.
            let call = if marked { call.retrying(slot.retry()) } else { call };
            let in_turn = answer(gate, call, incoming).await;
            let is_answer = matches!(in_turn.0, Conclusion::Answer(_));
            let reply = conclude_in_turn(gate, in_turn, incoming.format).await;
            if is_answer && reply.may_be_recorded() {
                let _ = slot.in_doubt.set(incoming.context.request_id);
            }
            if reply.status() == 200 { Ok(reply) } else { Err(reply) }
        })
        .await;
    match outcome {
        Ok(reply) if fresh => reply.clone(),
        Ok(reply) => reply.clone().redelivered(),
        Err(refused) => refused,
    }
}

/// A recorded answer goes to nobody who would not be answered now: the policy may have changed since, and whoever has the connection alone does
/// not have the key that signed.
fn may_have(gate: &Gate, call: VerifiedCall, slot: &Slot) -> Result<VerifiedCall, Box<Refusal>> {
    if call.is_signed() {
        slot.signed.store(true, Ordering::Relaxed);
        return Ok(call);
    }
    let snapshot = (gate.policy)();
    let policy = snapshot.agencies.get(call.agency().agency());
    let wanted = slot.reply.initialized() && policy.is_some_and(|policy| policy.request_signing.required);
    if wanted || slot.signed.load(Ordering::Relaxed) {
        return Err(call.refuse(RefusalCode::SignatureRequired, "sign a retry like its first try: send `Estelam-Signature`"));
    }
    if slot.reply.initialized() && !snapshot.grants_scope(call.agency().agency(), Scope::Verify) {
        return Err(call.refuse(RefusalCode::ScopeMissing, SCOPE_WITHDRAWN));
    }
    Ok(call)
}
