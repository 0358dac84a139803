//! The memory of idempotency keys: ten minutes, bounded, per certificate; and which answers were recorded before this process began.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::core::domain::clock::Clock;
use crate::core::domain::context::RetryMark;
use crate::flow::{KeyReused, Outbox, Slot};

/// How long a retry finds its answer (contract §4).
pub const KEPT_FOR: SignedDuration = SignedDuration::from_secs(600);
/// Bytes of a tag.
const TAG: usize = 16;

type Tag = [u8; TAG];
/// SHA-256 of the body that claimed a key, and the place of its answer.
type Claimed = ([u8; 32], Arc<Slot>);

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
pub struct MokaOutbox {
    kept: Cache<([u8; 32], String), Claimed>,
    secret: hmac::Key,
    /// By mark: the answer, and until when it counts.
    before: HashMap<Tag, (Uuid, Timestamp)>,
    clock: Arc<dyn Clock>,
}

impl MokaOutbox {
    /// An outbox for at most this many keys; the oldest go first. `before` is what the log has of the last ten minutes, oldest first.
    pub fn new(capacity: u64, secret: &[u8; 32], before: impl Iterator<Item = Recorded>, clock: Arc<dyn Clock>) -> Self {
        let kept_for = Duration::try_from(KEPT_FOR).unwrap_or_default();
        let kept = Cache::builder().max_capacity(capacity).time_to_live(kept_for).build();
        let mut by_mark = HashMap::new();
        for Recorded { mark, first, at } in before {
            if let Some(mark) = read(&mark) {
                // The first counts: what came after is a retry of it.
                by_mark.entry(mark).or_insert((first, at.checked_add(KEPT_FOR).unwrap_or(at)));
            }
        }
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

    fn new_slot(&self, certificate: &[u8; 32], key: &str) -> Slot {
        let tag = self.tag(certificate, key);
        let of = self.before.get(&tag).filter(|(_, until)| self.clock.now() < *until).map(|(first, _)| *first);
        Slot { retry: RetryMark { mark: URL_SAFE_NO_PAD.encode(tag).into(), of }, reply: OnceCell::new(), signed: AtomicBool::new(false) }
    }
}

impl Outbox for MokaOutbox {
    fn slot(&self, certificate: [u8; 32], key: &str, digest: [u8; 32]) -> Result<Arc<Slot>, KeyReused> {
        let slot = || (digest, Arc::new(self.new_slot(&certificate, key)));
        let (claimed, slot) = self.kept.get_with((certificate, key.to_owned()), slot);
        if claimed == digest { Ok(slot) } else { Err(KeyReused) }
    }
}

fn read(mark: &str) -> Option<Tag> {
    URL_SAFE_NO_PAD.decode(mark).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn outbox(before: Vec<Recorded>, now: i64) -> MokaOutbox {
        MokaOutbox::new(10, &[7; 32], before.into_iter(), Arc::new(At(Timestamp::from_second(now).unwrap())))
    }

    fn recorded(slot: &Slot, first: u128) -> Recorded {
        Recorded { mark: slot.retry.mark.to_string(), first: Uuid::from_u128(first), at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn retry_after_a_restart_names_its_first_answer_for_ten_minutes() {
        let slot = outbox(Vec::new(), 0).slot([1; 32], "k", [2; 32]).unwrap();
        let after = || vec![recorded(&slot, 5), recorded(&slot, 6)];
        let (early, late) = (outbox(after(), 599), outbox(after(), 600));
        let again = early.slot([1; 32], "k", [2; 32]).unwrap();
        assert_eq!(again.retry, RetryMark { mark: slot.retry.mark.clone(), of: Some(Uuid::from_u128(5)) });
        assert_eq!(early.slot([9; 32], "k", [2; 32]).unwrap().retry.of, None, "another certificate");
        assert_eq!(early.slot([1; 32], "k2", [2; 32]).unwrap().retry.of, None, "another key");
        assert_eq!(late.slot([1; 32], "k", [3; 32]).unwrap().retry.of, None, "its time is over");
    }

    #[test]
    fn key_has_one_body() {
        let outbox = outbox(Vec::new(), 0);
        let slot = outbox.slot([1; 32], "k", [2; 32]).unwrap();
        assert!(Arc::ptr_eq(&slot, &outbox.slot([1; 32], "k", [2; 32]).unwrap()));
        assert_eq!(outbox.slot([1; 32], "k", [3; 32]).unwrap_err(), KeyReused);
    }
}
