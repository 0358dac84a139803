//! Which keys are claimed, agency by agency. Of answers only so many bytes are kept; whoever has most of them gives up the oldest, and the key
//! stays known all the same.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::outbox::{KEPT_FOR, Tag};
use crate::core::domain::agency::AgencyId;
use crate::flow::Slot;

/// How often the keys of agencies that do not ask any more are looked at.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// Of the room for answers so much is made at a time, so that the agency that has most is not looked for with every answer.
const MADE_AT_ONCE: usize = 64;
/// Keys that were given back and still stand in an order before it is written anew.
const GAPS: usize = 64;

/// A key that somebody claimed.
pub(super) struct Claim {
    /// When.
    pub at: Timestamp,
    /// SHA-256 of the body that it was claimed for.
    pub digest: [u8; 32],
    /// The first answer that is, or may be, on record under it.
    pub first: Option<Uuid>,
    /// Whether any of the tries was signed.
    pub signed: bool,
    /// The place of the answer, while there is one or somebody tries to get one.
    pub slot: Option<Arc<Slot>>,
    /// Bytes that the answer takes here.
    bytes: usize,
}

impl Claim {
    /// A new one, with the first place for its answer.
    pub(super) const fn new(at: Timestamp, digest: [u8; 32], slot: Arc<Slot>) -> Self {
        Self { at, digest, first: None, signed: false, slot: Some(slot), bytes: 0 }
    }
}

/// Everybody's claims.
pub(super) struct Kept {
    most_bytes: usize,
    bytes: usize,
    shares: HashMap<AgencyId, Share>,
    swept: Timestamp,
}

/// One agency's claims. In the orders may stand keys that are gone: a claim is at its place alone.
#[derive(Default)]
struct Share {
    claims: HashMap<Tag, (u64, Claim)>,
    next: u64,
    /// In the order in which they were claimed.
    oldest: VecDeque<(u64, Tag)>,
    /// How many of these were given back.
    gaps: usize,
    /// Those that have an answer, in the order in which they got it.
    answered: VecDeque<(u64, Tag)>,
    bytes: usize,
}

impl Kept {
    /// Room for so many bytes of answers.
    pub(super) fn new(most_bytes: usize, now: Timestamp) -> Self {
        Self { most_bytes, bytes: 0, shares: HashMap::new(), swept: now }
    }

    /// How many keys, and how many bytes of answers.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.shares.values().map(|share| share.claims.len()).sum(), self.bytes)
    }

    /// How long the order of an agency's keys is.
    #[cfg(test)]
    pub(super) fn order_of(&self, agency: &AgencyId) -> usize {
        self.shares.get(agency).map_or(0, |share| share.oldest.len())
    }

    pub(super) fn find(&mut self, agency: &AgencyId, tag: &Tag) -> Option<&mut Claim> {
        self.shares.get_mut(agency)?.claims.get_mut(tag).map(|(_, claim)| claim)
    }

    /// Adds a claim that is not there yet.
    pub(super) fn claim(&mut self, agency: &AgencyId, tag: Tag, claim: Claim) {
        self.shares.entry(agency.clone()).or_default().add(tag, claim);
    }

    /// Keeps the answer of a claim. How many others were given up for it.
    pub(super) fn hold(&mut self, agency: &AgencyId, tag: Tag, bytes: usize) -> usize {
        let Some(share) = self.shares.get_mut(agency) else { return 0 };
        self.bytes += share.hold(tag, bytes);
        self.make_room()
    }

    /// Gives a claim up under which nothing is on record.
    pub(super) fn forget(&mut self, agency: &AgencyId, tag: &Tag) {
        if let Some(share) = self.shares.get_mut(agency) {
            share.give_back(tag);
        }
    }

    /// Forgets what is too old: of this agency now, of the others now and then.
    pub(super) fn forget_expired(&mut self, agency: &AgencyId, now: Timestamp) {
        if now.duration_since(self.swept).abs() >= SWEEP_EVERY {
            self.bytes -= self.shares.values_mut().map(|share| share.forget_expired(now)).sum::<usize>();
            self.shares.retain(|_, share| !share.claims.is_empty());
            self.swept = now;
        } else if let Some(share) = self.shares.get_mut(agency) {
            self.bytes -= share.forget_expired(now);
        }
    }

    fn make_room(&mut self) -> usize {
        let mut given_up = 0;
        while self.bytes > self.most_bytes {
            let Some(largest) = self.shares.values_mut().max_by_key(|share| share.bytes).filter(|share| share.bytes > 0) else { break };
            let (answers, freed) = largest.give_up(self.most_bytes / MADE_AT_ONCE);
            self.bytes -= freed;
            given_up += answers;
        }
        given_up
    }
}

impl Share {
    fn add(&mut self, tag: Tag, claim: Claim) {
        self.oldest.push_back((self.next, tag));
        self.claims.insert(tag, (self.next, claim));
        self.next += 1;
    }

    /// The bytes that are kept more than before.
    fn hold(&mut self, tag: Tag, bytes: usize) -> usize {
        let Some((place, claim)) = self.claims.get_mut(&tag).filter(|(_, claim)| claim.bytes == 0) else { return 0 };
        claim.bytes = bytes;
        self.bytes += bytes;
        self.answered.push_back((*place, tag));
        bytes
    }

    /// Gives up the oldest answers until this is freed: one at least, where there is one. How many, and how many bytes they were.
    fn give_up(&mut self, wanted: usize) -> (usize, usize) {
        let (mut answers, mut freed) = (0, 0);
        while answers == 0 || freed < wanted {
            let Some((place, tag)) = self.answered.pop_front() else { break };
            if let Some((_, claim)) = self.claims.get_mut(&tag).filter(|(at, claim)| *at == place && claim.bytes > 0) {
                freed += std::mem::take(&mut claim.bytes);
                claim.slot = None;
                answers += 1;
            }
        }
        self.bytes -= freed;
        (answers, freed)
    }

    fn give_back(&mut self, tag: &Tag) {
        if self.claims.remove(tag).is_none() {
            return;
        }
        self.gaps += 1;
        if self.gaps > GAPS && self.gaps * 2 > self.oldest.len() {
            let claims = &self.claims;
            self.oldest.retain(|(place, tag)| claims.get(tag).is_some_and(|(at, _)| at == place));
            self.gaps = 0;
        }
    }

    /// How many bytes of answers went.
    fn forget_expired(&mut self, now: Timestamp) -> usize {
        let mut freed = 0;
        while let Some((place, tag)) = self.oldest.front() {
            match self.claims.get(tag).filter(|(at, _)| at == place) {
                Some((_, claim)) if now.duration_since(claim.at) < KEPT_FOR => break,
                Some((_, claim)) => {
                    freed += claim.bytes;
                    self.claims.remove(tag);
                }
                None => self.gaps = self.gaps.saturating_sub(1),
            }
            self.oldest.pop_front();
        }
        while let Some((place, tag)) = self.answered.front()
            && self.claims.get(tag).is_none_or(|(at, _)| at != place)
        {
            self.answered.pop_front();
        }
        self.bytes -= freed;
        freed
    }
}
