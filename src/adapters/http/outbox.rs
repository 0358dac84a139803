//! The memory of idempotency keys: ten minutes, per certificate, bounded with a share for every agency; and which answers were recorded
//! before this process began.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::kept::{Claim, Kept};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::core::domain::context::RetryMark;
use crate::flow::{KeyReused, Outbox, Slot};

/// How long a retry finds its answer (contract §4).
pub const KEPT_FOR: SignedDuration = SignedDuration::from_secs(600);
/// Bytes of a tag.
const TAG: usize = 16;

/// A keyed tag over certificate and key: what is kept holds no key, since a key may be somebody's number.
pub(super) type Tag = [u8; TAG];

/// An answer with a mark that was recorded before this process began.
pub struct Recorded {
    /// Its mark.
    pub mark: String,
    /// Its `answer_id`, or that of the answer which it was a retry of.
    pub first: Uuid,
    /// When it was recorded.
    pub at: Timestamp,
}

/// Answers by certificate and key.
pub struct MemoryOutbox {
    kept: Mutex<Kept>,
    secret: hmac::Key,
    /// By mark: the answer, and until when it counts.
    before: HashMap<Tag, (Uuid, Timestamp)>,
    clock: Arc<dyn Clock>,
}

impl MemoryOutbox {
    /// An outbox for at most this many keys. Where they are more, the agency that has most of them loses its oldest. `before` is what the
    /// log has of the last ten minutes, oldest first.
    pub fn new(most: usize, secret: &[u8; 32], before: impl Iterator<Item = Recorded>, clock: Arc<dyn Clock>) -> Self {
        let mut by_mark = HashMap::new();
        for Recorded { mark, first, at } in before {
            if let Some(mark) = read(&mark) {
                // The first counts: what came after is a retry of it.
                by_mark.entry(mark).or_insert((first, at.checked_add(KEPT_FOR).unwrap_or(at)));
            }
        }
        let kept = Mutex::new(Kept::new(most, clock.now()));
        Self { kept, secret: hmac::Key::new(HMAC_SHA256, secret), before: by_mark, clock }
    }

    fn tag(&self, certificate: &[u8; 32], key: &str) -> Tag {
        let mut context = hmac::Context::with_key(&self.secret);
        context.update(certificate);
        context.update(key.as_bytes());
        let mut tag = [0; TAG];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }

    fn new_slot(&self, tag: Tag, now: Timestamp) -> Slot {
        let of = self.before.get(&tag).filter(|(_, until)| now < *until).map(|(first, _)| *first);
        Slot::new(RetryMark { mark: URL_SAFE_NO_PAD.encode(tag).into(), of })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for MemoryOutbox {
    fn slot(&self, agency: &AgencyId, certificate: &[u8; 32], key: &str, digest: [u8; 32]) -> Result<Arc<Slot>, KeyReused> {
        let (tag, now) = (self.tag(certificate, key), self.clock.now());
        let mut kept = self.kept();
        kept.forget_expired(agency, now);
        match kept.find(agency, &tag) {
            Some(claim) if claim.digest == digest => Ok(Arc::clone(&claim.slot)),
            Some(_) => Err(KeyReused),
            None => {
                let slot = Arc::new(self.new_slot(tag, now));
                kept.claim(agency, tag, Claim { at: now, digest, slot: Arc::clone(&slot) });
                Ok(slot)
            }
        }
    }

    fn release(&self, agency: &AgencyId, slot: Arc<Slot>) {
        let Some(tag) = read(slot.mark()) else { return };
        let mut kept = self.kept();
        // Held here and by the caller alone: nobody else waits for it, and nobody can begin to while the lock is held.
        let unused = |claim: &Claim| Arc::ptr_eq(&claim.slot, &slot) && Arc::strong_count(&slot) == 2;
        if kept.find(agency, &tag).is_some_and(unused) {
            kept.forget(agency, &tag);
        }
    }
}

fn read(mark: &str) -> Option<Tag> {
    URL_SAFE_NO_PAD.decode(mark).ok()?.try_into().ok()
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
