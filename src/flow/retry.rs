//! `Idempotency-Key`: a retry gets the recorded answer once more, another body under the same key is refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{Gate, Incoming, answer, conclude_in_turn};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::context::{RetryMark, RetryTags};
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::policy::{self, RequestInput};
use crate::core::reply::Reply;
use crate::core::signing::Conclusion;
use crate::core::token::VerifiedCall;

/// The place of one answer that may be delivered again.
#[derive(Debug)]
pub struct Slot {
    place: [u8; 16],
    tags: Option<RetryTags>,
    /// The answer under this key that is on record from before.
    of: Option<Uuid>,
    /// The answer, once there is one.
    reply: OnceCell<Reply>,
    /// Whether any of the tries was signed: then nobody gets its answer without a signature.
    signed: AtomicBool,
    /// The first try whose answer is on record, or may be although nobody got it: the later ones are retries of it.
    recorded: OnceLock<Uuid>,
}

impl Slot {
    /// One without an answer: where it belongs, and what its entries are tied together by; the answer that is on record from before; and whether
    /// that was to a signed request.
    pub fn new((place, tags): ([u8; 16], Option<RetryTags>), of: Option<Uuid>, signed: bool) -> Self {
        Self { place, tags, of, reply: OnceCell::new(), signed: AtomicBool::new(signed), recorded: OnceLock::new() }
    }

    /// Where it belongs.
    pub const fn place(&self) -> &[u8; 16] {
        &self.place
    }

    /// What ties the next try to those before it.
    pub fn retry(&self) -> RetryMark {
        RetryMark { tags: self.tags.clone(), of: self.of.or_else(|| self.recorded.get().copied()) }
    }

    /// The first answer that is, or may be, on record under its key, if one of its own tries is.
    pub fn first(&self) -> Option<Uuid> {
        self.recorded.get().map(|own| self.of.unwrap_or(*own))
    }

    /// Whether any of the tries was signed.
    pub fn was_signed(&self) -> bool {
        self.signed.load(Ordering::Relaxed)
    }

    /// Bytes of memory that its answer takes; none without one.
    pub fn bytes(&self) -> Option<usize> {
        self.reply.get().map(|reply| reply.body().len() + SLOT_BYTES)
    }
}

/// What a slot with an answer takes beside the body of the answer.
const SLOT_BYTES: usize = 512;

/// Why a key has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// It was claimed by another body.
    KeyReused,
    /// Nobody can tell yet: the log has not been read since the start.
    LogUnread,
}

impl NoSlot {
    const fn refusal(self) -> (RefusalCode, &'static str) {
        match self {
            Self::KeyReused => (RefusalCode::KeyReused, "use a new `Idempotency-Key` for a new request"),
            Self::LogUnread => {
                let what = "the access log's last minutes are still being read after a start; ask again with the same `Idempotency-Key`";
                (RefusalCode::LedgerUnavailable, what)
            }
        }
    }
}

/// Remembers answers for ten minutes by certificate and key, and across a restart which answers were recorded.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// The slot of a key on an agency's certificate, made for the body with this SHA-256 if there is none. The digest lives in memory alone.
    ///
    /// # Errors
    /// [`NoSlot`].
    async fn slot(&self, agency: &AgencyId, certificate: &[u8; 32], key: &str, digest: [u8; 32]) -> Result<Arc<Slot>, NoSlot>;

    /// Takes a slot back after a try: its answer is kept while there is room, and that there was one for ten minutes. Where nothing is, or may
    /// be, on record, the key is free again unless another try holds the slot.
    fn settle(&self, agency: &AgencyId, slot: Arc<Slot>);

    /// Sets the gauges to what is so now.
    fn measure(&self) {}
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
    let slot = match gate.outbox.slot(&agency, &call.agency().peer().thumbprint, key, incoming.body_digest()).await {
        Ok(slot) => slot,
        Err(none) => {
            let (code, detail) = none.refusal();
            return conclude_in_turn(gate, (Conclusion::Refusal(call.refuse(code, detail)), None), incoming.format).await;
        }
    };
    let reply = in_slot(gate, call, incoming, &slot).await;
    gate.outbox.settle(&agency, slot);
    reply
}

async fn in_slot(gate: &Gate, call: VerifiedCall, incoming: &Incoming, slot: &Slot) -> Reply {
    let call = match may_have(gate, call, slot) {
        Ok(call) => call,
        Err(refusal) => return conclude_in_turn(gate, (Conclusion::Refusal(refusal), None), incoming.format).await,
    };
    if let Some(reply) = slot.reply.get() {
        return redelivered(gate, call, incoming, reply).await;
    }
    // A key that may be somebody's number leaves no mark.
    let marked = !incoming.idempotency_key.as_deref().is_some_and(|key| (gate.policy)().schemes.looks_like_identifier(key));
    let mut fresh = false;
    let outcome = slot
        .reply
        .get_or_try_init(|| async {
            fresh = true;
            // A crash or a disk that hangs loses replies, not always the record: such a request is answered anew, tied to its first answer,
            // and counted once. Which try that was is known only now that this one's turn has come.
            let retry = slot.retry();
            let call = call.retrying(RetryMark { tags: retry.tags.filter(|_| marked), ..retry });
            let in_turn = answer(gate, call, incoming).await;
            let is_answer = matches!(in_turn.0, Conclusion::Answer(_));
            let reply = conclude_in_turn(gate, in_turn, incoming.format).await;
            if is_answer && (reply.status() == 200 || reply.may_be_recorded()) {
                let _ = slot.recorded.set(incoming.context.request_id);
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

/// A recorded answer goes to nobody whose policy would not have the question answered now.
async fn redelivered(gate: &Gate, call: VerifiedCall, incoming: &Incoming, reply: &Reply) -> Reply {
    // Of the first try; whatever a retry would rather read, it is told the same.
    let input = RequestInput { statement_alone: false, ..incoming.input() };
    match policy::permit(call, input, (gate.policy)(), gate.clock.now()) {
        Ok(_) => reply.clone().redelivered(),
        Err(refusal) => conclude_in_turn(gate, (Conclusion::Refusal(refusal), None), incoming.format).await,
    }
}

/// Nor to whoever has the connection alone and not the key that signed.
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
    Ok(call)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// What tries do to a slot, for tests of who keeps them.
    impl Slot {
        /// It is answered, and that is on record.
        pub(crate) fn answer(&self, id: Uuid, bytes: usize) {
            self.recorded.set(id).unwrap();
            self.reply.set(Reply::of_bytes(vec![b'x'; bytes])).unwrap();
        }

        /// Its answer may be on record.
        pub(crate) fn doubt(&self, id: Uuid) {
            self.recorded.set(id).unwrap();
        }

        /// One of its tries is signed.
        pub(crate) fn sign(&self) {
            self.signed.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_on_record_under_a_key_is_its_first_answer() {
        let slot = |of| Slot::new(([0; 16], None), of, false);
        let (new, tied) = (slot(None), slot(Some(Uuid::from_u128(1))));
        assert_eq!((new.first(), tied.first(), tied.retry().of), (None, None, Some(Uuid::from_u128(1))), "nothing is of its own");
        new.doubt(Uuid::from_u128(2));
        tied.doubt(Uuid::from_u128(2));
        assert_eq!((new.first(), tied.first()), (Some(Uuid::from_u128(2)), Some(Uuid::from_u128(1))));
    }
}
