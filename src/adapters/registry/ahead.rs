//! What look-ups show of changes that the feed has not told: each says which cursor it reflects.

/// Look-ups that are beyond the feed's cursor. All times are those of [`Contact`](super::contact::Contact).
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// The lowest version beyond the cursor, and when it was seen first.
    first: (u64, u64),
    /// The highest, and when it was seen first.
    newest: (u64, u64),
    /// When any was seen last.
    seen: u64,
}

impl Ahead {
    /// Whether a look-up of this version is beyond the cursor, and what is known then. One that is not says that the registry has no such
    /// changes, once none has shown any for longer than `doubt`: what was seen before was another store's, or a mistake.
    pub(super) fn seen(known: Option<Self>, version: u64, cursor: u64, now: u64, doubt: u64) -> Option<Self> {
        if version <= cursor {
            return known.filter(|known| now.saturating_sub(known.seen) <= doubt);
        }
        let here = (version, now);
        Some(known.map_or(Self { first: here, newest: here, seen: now }, |known| Self {
            first: known.first,
            newest: if version > known.newest.0 { here } else { known.newest },
            seen: now,
        }))
    }

    /// What is left of it once the feed has come to `cursor`.
    pub(super) fn after(self, cursor: u64) -> Option<Self> {
        if self.newest.0 <= cursor {
            return None;
        }
        Some(if self.first.0 <= cursor { Self { first: self.newest, ..self } } else { self })
    }

    /// Since when the feed has had something to tell.
    pub(super) const fn since(&self) -> u64 {
        self.first.1
    }

    /// The newest version that was seen.
    pub(super) const fn newest(&self) -> u64 {
        self.newest.0
    }
}
