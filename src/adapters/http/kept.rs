//! Which keys are claimed, agency by agency, so that no agency's keys push out another's.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::outbox::{KEPT_FOR, Tag};
use crate::core::domain::agency::AgencyId;
use crate::flow::Slot;

/// How often the keys of agencies that do not ask any more are looked at.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// A key that somebody claimed.
pub(super) struct Claim {
    /// When.
    pub at: Timestamp,
    /// SHA-256 of the body that it was claimed for.
    pub digest: [u8; 32],
    /// The place of the answer.
    pub slot: Arc<Slot>,
}

/// Everybody's claims.
pub(super) struct Kept {
    most: usize,
    len: usize,
    shares: HashMap<AgencyId, Share>,
    swept: Timestamp,
}

/// One agency's claims.
#[derive(Default)]
struct Share {
    claims: HashMap<Tag, (u64, Claim)>,
    /// The same in the order in which they were claimed.
    oldest: BTreeMap<u64, Tag>,
}

impl Kept {
    /// Room for so many claims.
    pub(super) fn new(most: usize, now: Timestamp) -> Self {
        Self { most, len: 0, shares: HashMap::new(), swept: now }
    }

    pub(super) fn find(&self, agency: &AgencyId, tag: &Tag) -> Option<&Claim> {
        self.shares.get(agency)?.claims.get(tag).map(|(_, claim)| claim)
    }

    /// Adds a claim that is not there yet. Where there is no room, whoever has most gives up the oldest.
    pub(super) fn claim(&mut self, agency: &AgencyId, tag: Tag, claim: Claim) {
        if self.len >= self.most
            && let Some(largest) = self.shares.values_mut().max_by_key(|share| share.claims.len())
        {
            self.len -= largest.forget_oldest();
        }
        self.shares.entry(agency.clone()).or_default().add(tag, claim);
        self.len += 1;
    }

    pub(super) fn forget(&mut self, agency: &AgencyId, tag: &Tag) {
        let Some(share) = self.shares.get_mut(agency) else { return };
        if let Some((place, _)) = share.claims.remove(tag) {
            share.oldest.remove(&place);
            self.len -= 1;
        }
    }

    /// Forgets what is too old: of this agency now, of the others now and then.
    pub(super) fn forget_expired(&mut self, agency: &AgencyId, now: Timestamp) {
        if now.duration_since(self.swept).abs() >= SWEEP_EVERY {
            self.len -= self.shares.values_mut().map(|share| share.forget_expired(now)).sum::<usize>();
            self.shares.retain(|_, share| !share.claims.is_empty());
            self.swept = now;
        } else if let Some(share) = self.shares.get_mut(agency) {
            self.len -= share.forget_expired(now);
        }
    }
}

impl Share {
    fn add(&mut self, tag: Tag, claim: Claim) {
        let place = self.oldest.last_key_value().map_or(0, |(place, _)| place + 1);
        self.oldest.insert(place, tag);
        self.claims.insert(tag, (place, claim));
    }

    /// How many went: one, or none where there is none.
    fn forget_oldest(&mut self) -> usize {
        let oldest = self.oldest.pop_first().and_then(|(_, tag)| self.claims.remove(&tag));
        usize::from(oldest.is_some())
    }

    fn forget_expired(&mut self, now: Timestamp) -> usize {
        let expired = |(_, claim): &(u64, Claim)| now.duration_since(claim.at) >= KEPT_FOR;
        let mut gone = 0;
        while self.oldest.first_key_value().and_then(|(_, tag)| self.claims.get(tag)).is_some_and(expired) {
            gone += self.forget_oldest();
        }
        gone
    }
}
