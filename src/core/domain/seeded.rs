//! A small deterministic source of randomness (SplitMix64, Steele, Lea and Flood 2014): same seed, same people, on any machine.

/// The state of one stream.
pub struct Seeded(u64);

impl Seeded {
    /// A stream of its own for each place under a seed.
    pub const fn at(seed: u64, place: u64) -> Self {
        Self(mix(seed).wrapping_add(mix(place ^ 0x5851_F42D_4C95_7F2D)))
    }

    /// A number below `bound`; 0 when the bound is 0. The bias of the remainder is far below what made-up people need.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        if bound == 0 { 0 } else { mix(self.0) % bound }
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Whether something that happens to so many in a hundred happens.
    pub const fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of several.
    pub fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let place = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices.get(place).copied().unwrap_or_default()
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
