//! The memory of idempotency keys: ten minutes, per certificate. A key is known for as long as that whatever others do; of answers so many bytes
//! are kept, with a share for every agency.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge};
use uuid::Uuid;

use super::kept::{Claim, Kept};
use super::past::Past;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::core::domain::context::RetryTags;
use crate::flow::{NoSlot, Outbox, Slot};

/// How long a retry finds its answer (contract §4).
pub const KEPT_FOR: SignedDuration = SignedDuration::from_secs(600);
/// Bytes of a tag.
const TAG: usize = 16;

/// A keyed tag over certificate and key: what is kept holds no key, since a key may be somebody's number.
pub(super) type Tag = [u8; TAG];

/// Answers by certificate and key.
pub struct MemoryOutbox {
    kept: Mutex<Kept>,
    secret: hmac::Key,
    /// Secrets of marks under which the log may have answers from before the content key was replaced.
    former: Vec<hmac::Key>,
    bodies: ArcSwap<Vec<hmac::Key>>,
    past: Arc<Past>,
    clock: Arc<dyn Clock>,
}

impl MemoryOutbox {
    /// An outbox with room for so many bytes of answers, the secret of the marks, and what the log has of the last ten minutes. It knows no
    /// secrets of bodies yet: see [`Self::keep_bodies`].
    pub fn new(most_bytes: usize, secret: &[u8; 32], past: Arc<Past>, clock: Arc<dyn Clock>) -> Self {
        let kept = Mutex::new(Kept::new(most_bytes, clock.now()));
        Self { kept, secret: hmac::Key::new(HMAC_SHA256, secret), former: Vec::new(), bodies: ArcSwap::default(), past, clock }
    }

    /// Looks in the log for marks under these secrets too.
    #[must_use]
    pub fn with_former<'s>(mut self, secrets: impl Iterator<Item = &'s [u8; 32]>) -> Self {
        self.former = secrets.map(|secret| hmac::Key::new(HMAC_SHA256, secret)).collect();
        self
    }

    /// Marks bodies under the first of these secrets from now on, and knows those again that were marked under any.
    pub fn keep_bodies<'s>(&self, secrets: impl Iterator<Item = &'s [u8; 32]>) {
        self.bodies.store(Arc::new(secrets.map(|secret| hmac::Key::new(HMAC_SHA256, secret)).collect()));
    }

    fn tag(&self, certificate: &[u8; 32], key: &str) -> Tag {
        tag_of(&self.secret, certificate, key.as_bytes())
    }

    /// The slot of a key that is in memory, if it is.
    fn remembered(&self, kept: &mut Kept, agency: &AgencyId, (tag, digest): (Tag, &[u8; 32])) -> Option<Result<Arc<Slot>, NoSlot>> {
        let claim = kept.find(agency, &tag)?;
        if claim.digest != *digest {
            return Some(Err(NoSlot::KeyReused));
        }
        let slot = match &claim.slot {
            Some(slot) => slot.clone(),
            // Its answer was given up, or nobody got it: it is made anew, and tied to the first.
            None => claim.slot.insert(self.new_slot((tag, digest), claim.first, claim.signed)).clone(),
        };
        Some(Ok(slot))
    }

    fn new_slot(&self, (tag, digest): (Tag, &[u8; 32]), of: Option<Uuid>, signed: bool) -> Arc<Slot> {
        let bodies = self.bodies.load();
        // Without a secret there is nothing to be told from another body by: no entry may be marked so.
        let tags = bodies.first().map(|secret| RetryTags { key: written(&tag), of_body: written(&tag_of(secret, &tag, digest)) });
        Arc::new(Slot::new((tag, tags), of, signed))
    }

    /// The first answer that the log has under a key from before this process began.
    ///
    /// # Errors
    /// [`NoSlot`]: it was to another body, or nobody can tell yet. What cannot be told of a body any more was another.
    async fn recorded(&self, (tag, digest): (Tag, &[u8; 32]), asked: (&[u8; 32], &str), now: Timestamp) -> Result<Option<Uuid>, NoSlot> {
        let former = self.former.iter().filter(|_| !self.past.is_over(now)).map(|secret| tag_of(secret, asked.0, asked.1.as_bytes()));
        let tags: Vec<Tag> = std::iter::once(tag).chain(former).collect();
        let Some((tag, found)) = self.past.find(&tags, now).await.map_err(|_| NoSlot::LogUnread)? else { return Ok(None) };
        let is_of = |body| self.bodies.load().iter().any(|secret| tag_of(secret, &tag, digest) == body);
        if found.of_body.is_none_or(is_of) { Ok(Some(found.first)) } else { Err(NoSlot::KeyReused) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn slot(&self, agency: &AgencyId, certificate: &[u8; 32], key: &str, digest: [u8; 32]) -> Result<Arc<Slot>, NoSlot> {
        let (tag, now) = (self.tag(certificate, key), self.clock.now());
        let request = (tag, &digest);
        {
            let mut kept = self.kept();
            kept.forget_expired(agency, now);
            if let Some(known) = self.remembered(&mut kept, agency, request) {
                return known;
            }
        }
        let before = self.recorded(request, (certificate, key), now).await?;
        let mut kept = self.kept();
        // Another try may have come first while this one waited.
        if let Some(known) = self.remembered(&mut kept, agency, request) {
            return known;
        }
        let slot = self.new_slot(request, before, false);
        kept.claim(agency, tag, Claim::new(now, digest, slot.clone()));
        Ok(slot)
    }

    fn settle(&self, agency: &AgencyId, slot: Arc<Slot>) {
        let tag = *slot.place();
        let mut kept = self.kept();
        let holds = |claim: &&mut Claim| claim.slot.as_ref().is_some_and(|held| Arc::ptr_eq(held, &slot));
        let Some(claim) = kept.find(agency, &tag).filter(holds) else { return };
        claim.first = claim.first.or(slot.first());
        claim.signed |= slot.was_signed();
        if let Some(bytes) = slot.bytes() {
            let given_up = kept.hold(agency, tag, bytes);
            counter!("estelam_retry_answers_given_up_total").increment(given_up as u64);
        } else if Arc::strong_count(&slot) == 2 {
            // Held here and by the caller alone: nobody else waits for it, and nobody can begin to while the lock is held.
            claim.slot = None;
            if claim.first.is_none() {
                kept.forget(agency, &tag);
            }
        }
    }

    fn measure(&self) {
        let (keys, bytes) = self.kept().size();
        gauge!("estelam_retry_keys").set(keys as f64);
        gauge!("estelam_retry_answers_bytes").set(bytes as f64);
        gauge!("estelam_retry_log_read").set(if self.past.is_read(self.clock.now()) { 1.0 } else { 0.0 });
    }
}

fn tag_of(secret: &hmac::Key, first: &[u8], second: &[u8]) -> Tag {
    let mut context = hmac::Context::with_key(secret);
    context.update(first);
    context.update(second);
    let mut tag = [0; TAG];
    tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
    tag
}

fn written(tag: &Tag) -> Box<str> {
    URL_SAFE_NO_PAD.encode(tag).into()
}

pub(super) fn read_tag(mark: &str) -> Option<Tag> {
    URL_SAFE_NO_PAD.decode(mark).ok()?.try_into().ok()
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
