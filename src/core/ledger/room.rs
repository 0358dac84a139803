//! How much room the disk under the access log has, and what is still recorded there when it gets little: answers go on when all else
//! has stopped.

use super::EntryKind;
use crate::core::signing::Conclusion;

/// Bytes without which nothing is begun that has to be recorded: what is under way must still find its place.
const LEAST: u64 = 4 << 20;

/// What the disk has room for; each stage stops more than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Everything.
    #[default]
    Ample,
    /// Reads of the log (searches, trails, exports, samples, proofs) and back-ups wait.
    Low,
    /// Refusals are not told either, only counted; answers, tokens and administrative acts go on, into the reserve.
    Scarce,
    /// Nothing: the reserve is used up.
    Gone,
}

impl Room {
    /// Every stage, the best first.
    pub const ALL: [Self; 4] = [Self::Ample, Self::Low, Self::Scarce, Self::Gone];

    /// Its name in status, metrics and entries.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ample => "ample",
            Self::Low => "low",
            Self::Scarce => "scarce",
            Self::Gone => "gone",
        }
    }

    /// What a reply that could not be recorded says; nothing while there is room for everything.
    pub const fn why_not(self) -> Option<&'static str> {
        match self {
            Self::Ample => None,
            Self::Low => Some("the disk of the access log is short of room: answers go on, reads of the log wait"),
            Self::Scarce => Some("the disk of the access log is nearly full: answers alone go on"),
            Self::Gone => Some("the disk of the access log is full: nothing can be recorded"),
        }
    }

    /// Whether reads of the log may begin.
    pub const fn takes_reads(self) -> bool {
        matches!(self, Self::Ample)
    }

    /// Whether an answer may be recorded now.
    pub const fn takes_answers(self) -> bool {
        !matches!(self, Self::Gone)
    }

    /// Whether this conclusion may be recorded now. What may not is not told either.
    pub fn takes(self, conclusion: &Conclusion) -> bool {
        match conclusion {
            Conclusion::Answer(_) => self.takes_answers(),
            Conclusion::Refusal(_) | Conclusion::Flood(_) => self < Self::Scarce,
            Conclusion::Delivery(delivery) => match delivery.kind {
                EntryKind::LogRead => self.takes_reads(),
                EntryKind::Refusal => self < Self::Scarce,
                EntryKind::Answer | EntryKind::Token | EntryKind::Admin | EntryKind::RegistryEvent => self < Self::Gone,
            },
        }
    }
}

/// What an installation sets, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomBounds {
    /// With less free than this, reads of the log and back-ups stop; with less than a quarter of it, refusals too.
    pub floor: u64,
    /// What is kept for answers, beside what is free.
    pub reserve: u64,
}

impl RoomBounds {
    /// The stage of a disk with so much free and so much of the reserve left. Back to a better stage leads an eighth more than down
    /// from it, so that a disk at a bound does not change its mind with each entry.
    pub fn judge(&self, free: u64, reserve_left: u64, before: Room) -> Room {
        let at_least = |bound: u64, leaves: bool| free >= if leaves { bound + bound / 8 } else { bound };
        if free.saturating_add(reserve_left) < LEAST {
            Room::Gone
        } else if !at_least(self.floor / 4, matches!(before, Room::Scarce | Room::Gone)) {
            Room::Scarce
        } else if !at_least(self.floor, !matches!(before, Room::Ample)) {
            Room::Low
        } else {
            Room::Ample
        }
    }

    /// How much of the reserve is given up, or made again, at once.
    pub const fn step(&self) -> u64 {
        let eighth = self.reserve / 8;
        if eighth < LEAST { LEAST } else { eighth }
    }
}

/// The disk under the access log.
pub trait Disk: Send + Sync + 'static {
    /// Bytes that this process may still write; none where the system does not tell.
    fn free(&self) -> Option<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const BOUNDS: RoomBounds = RoomBounds { floor: 64 * MIB, reserve: 32 * MIB };

    #[test]
    fn each_stage_begins_at_its_bound_and_ends_an_eighth_above_it() {
        for (free, left, before, now) in [
            (64, 32, Room::Ample, Room::Ample),
            (63, 32, Room::Ample, Room::Low),
            (71, 32, Room::Low, Room::Low),
            (72, 32, Room::Low, Room::Ample),
            (16, 32, Room::Low, Room::Low),
            (15, 32, Room::Low, Room::Scarce),
            (17, 32, Room::Scarce, Room::Scarce),
            (18, 32, Room::Scarce, Room::Low),
            (0, 4, Room::Scarce, Room::Scarce),
            (3, 0, Room::Scarce, Room::Gone),
            (4, 0, Room::Gone, Room::Scarce),
            (1000, 0, Room::Gone, Room::Ample),
        ] {
            assert_eq!(BOUNDS.judge(free * MIB, left * MIB, before), now, "{free} MiB free, {left} kept, {before:?} before");
        }
    }

    #[test]
    fn a_reserve_is_given_up_in_pieces_that_are_worth_it() {
        assert_eq!(BOUNDS.step(), LEAST);
        assert_eq!(RoomBounds { floor: 0, reserve: 256 * MIB }.step(), 32 * MIB);
        assert!(Room::ALL.is_sorted());
    }
}
