//! What the cache knows an identifier by: a keyed hash, so that a dump of the cache shows no number.

use std::hash::{BuildHasher, RandomState};

/// 128 bits of SipHash under two keys of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark(u64, u64);

/// Makes marks. Its keys are drawn at the start and never leave the process.
#[derive(Default)]
pub(super) struct Marker(RandomState, RandomState);

impl Marker {
    pub(super) fn mark(&self, scheme: &str, value: &str) -> Mark {
        Mark(self.0.hash_one((scheme, value)), self.1.hash_one((scheme, value)))
    }
}

impl Mark {
    /// A number from 0 to 255 that differs from identifier to identifier, to spread out what would happen at once.
    pub(super) const fn spread(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_knows_an_identifier_again_and_another_does_not() {
        let (marker, other) = (Marker::default(), Marker::default());
        assert_eq!(marker.mark("yekta", "1"), marker.mark("yekta", "1"));
        assert_ne!(marker.mark("yekta", "1"), marker.mark("fida", "1"));
        assert_ne!(marker.mark("yekta", "1"), other.mark("yekta", "1"));
    }
}
