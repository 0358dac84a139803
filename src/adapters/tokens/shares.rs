//! What is remembered of single uses, agency by agency: each has a share of its own that others cannot fill, so that nobody keeps anybody else
//! from getting tokens.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::replay::Spent;
use crate::core::domain::agency::AgencyId;
use crate::core::token::ReplaysUnavailable;

/// How much is remembered at once.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Of one agency at most.
    most: usize,
    /// Of one agency whatever the others do.
    own: usize,
    /// Of all of them, beyond what is each one's own.
    common: usize,
}

/// A signature lives a minute, so that `most` lets one agency sign some 4,300 queries a second; an assertion lives five minutes at most, so that `own`
/// is 13 tokens a second. Memory stays below `common` and `own` times the agencies, at about 100 bytes each.
pub(super) const BOUNDS: Bounds = Bounds { most: 1 << 18, own: 1 << 12, common: 1 << 20 };

/// Seconds for which what has expired counts as spent all the same: a clock that is set back by less than 30 s is believed.
const EXPIRED_KEPT_S: i64 = 60;

/// What was spent and has not expired.
pub(super) struct Shares {
    bounds: Bounds,
    /// Spent before this process began; whose each was, the file does not tell. They are gone within minutes.
    earlier: HashMap<Spent, i64>,
    /// When the last of those has expired.
    earlier_until: i64,
    agencies: HashMap<AgencyId, Share>,
    /// What all agencies hold beyond what is each one's own.
    common: usize,
}

#[derive(Default)]
struct Share {
    spent: HashMap<Spent, i64>,
    by_expiry: BinaryHeap<Reverse<(i64, Spent)>>,
}

impl Shares {
    pub(super) fn new(earlier: HashMap<Spent, i64>, bounds: Bounds) -> Self {
        let earlier_until = earlier.values().copied().max().unwrap_or(i64::MIN);
        Self { bounds, earlier, earlier_until, agencies: HashMap::new(), common: 0 }
    }

    /// Whether it is the first use, as far as this process knows; then it is spent.
    pub(super) fn first_use(&mut self, client: &AgencyId, key: Spent, expires_at: i64, now: i64) -> Result<bool, ReplaysUnavailable> {
        let Bounds { most, own, common } = self.bounds;
        if self.earlier.contains_key(&key) {
            return Ok(false);
        }
        if self.earlier_until.saturating_add(EXPIRED_KEPT_S) <= now && !self.earlier.is_empty() {
            self.earlier = HashMap::new();
        }
        if self.common >= common {
            self.forget_expired(now);
        }
        if !self.agencies.contains_key(client) {
            self.agencies.insert(client.clone(), Share::default());
        }
        let share = self.agencies.get_mut(client).ok_or(ReplaysUnavailable)?;
        if share.spent.contains_key(&key) {
            return Ok(false);
        }
        // What has expired is refused by its `exp` before it gets here, so it may stay until there is need for room.
        if share.spent.len() >= own {
            self.common -= share.forget_expired(now, own);
        }
        let beyond = share.spent.len() >= own;
        if share.spent.len() >= most || beyond && self.common >= common {
            return Err(ReplaysUnavailable);
        }
        self.common += usize::from(beyond);
        share.spent.insert(key, expires_at);
        share.by_expiry.push(Reverse((expires_at, key)));
        Ok(true)
    }

    /// Whether it was spent.
    pub(super) fn knows(&self, client: &AgencyId, key: &Spent) -> bool {
        self.earlier.contains_key(key) || self.agencies.get(client).is_some_and(|share| share.spent.contains_key(key))
    }

    /// Makes good again what this process has spent.
    pub(super) fn take_back(&mut self, client: &AgencyId, key: &Spent) {
        let Some(share) = self.agencies.get_mut(client) else { return };
        if share.spent.remove(key).is_some() && share.spent.len() >= self.bounds.own {
            self.common -= 1;
        }
    }

    fn forget_expired(&mut self, now: i64) {
        let own = self.bounds.own;
        self.common -= self.agencies.values_mut().map(|share| share.forget_expired(now, own)).sum::<usize>();
    }
}

impl Share {
    /// Each is taken out once, the oldest first, and what is left is not looked at. By how much less this share is beyond its own.
    fn forget_expired(&mut self, now: i64, own: usize) -> usize {
        let before = self.spent.len();
        while let Some(Reverse((expires_at, key))) = self.by_expiry.peek().copied()
            && expires_at <= now
        {
            self.by_expiry.pop();
            self.spent.remove(&key);
        }
        before.max(own) - self.spent.len().max(own)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SMALL: Bounds = Bounds { most: 8, own: 2, common: 10 };

    /// How many of so many new uses of an agency are let in.
    fn spend(shares: &mut Shares, client: &str, first: u8, many: u8, (expires_at, now): (i64, i64)) -> usize {
        let client = AgencyId::parse(client).unwrap();
        let mark = client.as_str().as_bytes().first().copied().unwrap();
        let key = |number: u8| std::array::from_fn(|at| if at == 0 { mark } else { number });
        (first..first + many).filter(|number| shares.first_use(&client, key(*number), expires_at, now) == Ok(true)).count()
    }

    #[test]
    fn no_agency_fills_the_share_of_another() {
        let mut shares = Shares::new(HashMap::new(), SMALL);
        assert_eq!(spend(&mut shares, "bank", 0, 50, (100, 0)), 8, "its own two and six of what is common");
        assert_eq!(spend(&mut shares, "clinic", 0, 50, (100, 0)), 6, "its own two and the other four");
        for client in ["school", "ministry", "telecom"] {
            assert_eq!(spend(&mut shares, client, 0, 50, (100, 0)), 2, "{client} has its own whatever others do");
        }
        assert_eq!((shares.common, shares.agencies.len()), (10, 5));
    }

    #[test]
    fn what_has_expired_makes_room_for_its_own_agency_and_for_all() {
        let mut shares = Shares::new(HashMap::new(), SMALL);
        assert_eq!(spend(&mut shares, "bank", 0, 4, (10, 0)) + spend(&mut shares, "bank", 4, 4, (20, 0)), 8);
        assert_eq!(spend(&mut shares, "bank", 8, 1, (30, 9)), 0);
        assert_eq!(spend(&mut shares, "bank", 8, 9, (30, 10)), 4, "the first four are over");
        assert_eq!(spend(&mut shares, "clinic", 0, 9, (30, 10)), 6);
        assert_eq!((shares.common, spend(&mut shares, "school", 0, 9, (40, 19))), (10, 2), "what is common is taken");
        assert_eq!(spend(&mut shares, "school", 20, 9, (40, 30)), 6, "what others let expire is free, though they do not come again");
        let held = |client: &str| shares.agencies.get(&AgencyId::parse(client).unwrap()).unwrap().spent.len();
        assert_eq!((held("bank"), held("clinic"), held("school"), shares.common), (0, 0, 8, 6));
    }

    #[test]
    fn what_was_spent_before_the_start_is_known_for_a_minute_after_its_end() {
        let key = [b'b'; 32];
        let mut shares = Shares::new(HashMap::from([(key, 100)]), SMALL);
        let bank = AgencyId::parse("bank").unwrap();
        assert_eq!(spend(&mut shares, "clinic", 0, 1, (200, 100 + EXPIRED_KEPT_S - 1)), 1);
        assert_eq!(shares.first_use(&bank, key, 100, 75), Ok(false), "the clock was set back");
        assert_eq!(spend(&mut shares, "clinic", 1, 1, (200, 100 + EXPIRED_KEPT_S)), 1);
        assert!(!shares.knows(&bank, &key));
    }

    #[test]
    fn what_is_taken_back_gives_its_room_back_once() {
        let mut shares = Shares::new(HashMap::new(), SMALL);
        let bank = AgencyId::parse("bank").unwrap();
        assert_eq!(spend(&mut shares, "bank", 0, 4, (10, 0)), 4);
        let key = |number: u8| std::array::from_fn(|at| if at == 0 { b'b' } else { number });
        for _ in 0..2 {
            shares.take_back(&bank, &key(0));
        }
        assert_eq!((shares.common, shares.knows(&bank, &key(0)), shares.knows(&bank, &key(1))), (1, false, true));
        assert_eq!(spend(&mut shares, "bank", 0, 4, (10, 0)), 1);
        shares.forget_expired(10);
        assert_eq!(shares.common, 0);
    }

    #[test]
    fn what_was_spent_before_this_process_began_stays_spent_for_every_agency() {
        let mut shares = Shares::new(HashMap::from([([7; 32], 100)]), SMALL);
        assert_eq!(shares.first_use(&AgencyId::parse("bank").unwrap(), [7; 32], 100, 1), Ok(false));
    }
}
