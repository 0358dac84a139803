//! `Idempotency-Key`: a retry gets the recorded answer once more, another body under the same key is refused.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{Gate, Incoming, answer, conclude};
use crate::core::domain::refusal::RefusalCode;
use crate::core::reply::Reply;
use crate::core::signing::Conclusion;
use crate::core::token::VerifiedCall;

/// The place of one answer that may be delivered again.
#[derive(Debug)]
pub struct Slot {
    /// SHA-256 of the body that claimed the key. It lives in memory for ten minutes and is never stored.
    pub digest: [u8; 32],
    /// The answer, once there is one.
    pub reply: OnceCell<Reply>,
}

/// Remembers answers for ten minutes by certificate and key.
pub trait Outbox: Send + Sync + 'static {
    /// The slot of a key on a certificate, made for this body if there is none.
    fn slot(&self, certificate: [u8; 32], key: &str, digest: [u8; 32]) -> Arc<Slot>;
}

/// Answers once per key. Only answers (200) are kept: a refusal is judged anew on every try.
pub(super) async fn once(gate: &Gate, call: VerifiedCall, incoming: &Incoming) -> Reply {
    let key = incoming.idempotency_key.as_deref().unwrap_or_default();
    let well_formed = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if !well_formed {
        let refusal = call.refuse(RefusalCode::MalformedRequest, "an `Idempotency-Key` is 1 to 64 visible ASCII characters");
        return conclude(gate, Conclusion::Refusal(refusal), incoming.format).await;
    }
    let digest = incoming.body_digest();
    let slot = gate.outbox.slot(call.agency().peer().thumbprint, key, digest);
    if slot.digest != digest {
        let refusal = call.refuse(RefusalCode::KeyReused, "use a new `Idempotency-Key` for a new request");
        return conclude(gate, Conclusion::Refusal(refusal), incoming.format).await;
    }
    let mut fresh = false;
    let outcome = slot
        .reply
        .get_or_try_init(|| async {
            fresh = true;
            let reply = conclude(gate, answer(gate, call, incoming).await, incoming.format).await;
            if reply.status() == 200 { Ok(reply) } else { Err(reply) }
        })
        .await;
    match outcome {
        Ok(reply) if fresh => reply.clone(),
        Ok(reply) => reply.clone().redelivered(),
        Err(refused) => refused,
    }
}
