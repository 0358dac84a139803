//! Which decrees took the place of which, at an instant of legal time and an instant of knowledge.
//!
//! A decree replaces those that it names from its own effect on (domain §4, `supersedes`). One that had begun ends there. One that had
//! not, or begins on the same day, never has any effect: no window of it has ended (domain §3), and what it would have replaced stays.
//! Until the other begins it stands as announced. A rescission brings back what the rescinded decree had replaced.

use jiff::Timestamp;

use crate::core::domain::decree::{Decree, DecreeSet, Phase};

/// The known decrees that replace others, without the rescinded ones and those that were replaced before they began.
#[derive(Debug)]
pub(super) struct Replacing<'a> {
    /// Their effect has begun; in the order of its first instant where there are several.
    begun: Vec<Begun<'a>>,
    /// Their effect lies ahead.
    ahead: Vec<&'a Decree>,
}

#[derive(Debug)]
struct Begun<'a> {
    decree: &'a Decree,
    /// Whether it is certain that it took effect.
    certain: bool,
}

/// What others made of a decree.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate<'a> {
    /// Nothing: its own dates count.
    Stands,
    /// This one ended it, after it had begun.
    EndedBy(&'a Decree),
    /// This one took its place before it began: it is as if it had never been.
    NeverBegan(&'a Decree),
}

impl<'a> Replacing<'a> {
    /// Those of `set`. Takes no memory where no decree replaces another.
    pub fn of(set: &'a DecreeSet, now: Timestamp, known_at: Timestamp) -> Self {
        let (mut begun, mut ahead) = (Vec::new(), Vec::new());
        for decree in set.decrees.iter().filter(|decree| !decree.supersedes.is_empty()) {
            match decree.phase(now, known_at) {
                Phase::InForce | Phase::Over => begun.push(Begun { decree, certain: false }),
                Phase::Ahead => ahead.push(decree),
                Phase::Unknown | Phase::Withdrawn => {}
            }
        }
        if begun.len() > 1 {
            keep_those_that_took_effect(&mut begun);
        }
        let mut replacing = Self { begun, ahead: Vec::new() };
        ahead.retain(|decree| matches!(replacing.fate(decree), Fate::Stands));
        replacing.ahead = ahead;
        replacing
    }

    /// What they made of a decree of the set by now.
    pub fn fate(&self, decree: &Decree) -> Fate<'a> {
        match self.begun.iter().map(|begun| begun.decree).find(|other| replaces(other, decree)) {
            None => Fate::Stands,
            Some(first) if annuls(first, decree) => Fate::NeverBegan(first),
            Some(first) => Fate::EndedBy(first),
        }
    }

    /// The instants ahead at which one of them begins to replace a decree.
    pub fn ahead_of(&self, decree: &Decree) -> impl Iterator<Item = Timestamp> {
        self.ahead.iter().filter(move |other| replaces(other, decree)).map(|other| other.effective_from)
    }
}

/// Whether one decree names another, wherever in time they are.
fn replaces(one: &Decree, other: &Decree) -> bool {
    one.id != other.id && one.supersedes.contains(&other.id)
}

/// Whether one decree, if it takes effect, keeps another from ever having any.
fn annuls(one: &Decree, other: &Decree) -> bool {
    one.effective_from <= other.effective_from && replaces(one, other)
}

/// Drops those that others replaced before they began. Only decrees of one day can annul each other in a circle; of such a circle the
/// one recorded last prevails, as the later word of the same authority.
fn keep_those_that_took_effect(begun: &mut Vec<Begun<'_>>) {
    begun.sort_unstable_by(|one, other| {
        let (one, other) = (one.decree, other.decree);
        (one.effective_from, other.recorded_at, &one.id).cmp(&(other.effective_from, one.recorded_at, &other.id))
    });
    // Each turn makes one certain, so that there is an end to it.
    while let Some(certain) = next_certain(begun) {
        begun.retain(|one| one.certain || !(annuls(certain, one.decree) || annuls(one.decree, certain)));
    }
}

/// Marks the first that no other may still annul; where all are in a circle, the first.
fn next_certain<'a>(begun: &mut [Begun<'a>]) -> Option<&'a Decree> {
    let open = || begun.iter().filter(|one| !one.certain).map(|one| one.decree);
    let next = open().find(|one| !open().any(|other| annuls(other, one))).or_else(|| open().next())?;
    begun.iter_mut().filter(|one| std::ptr::eq(one.decree, next)).for_each(|one| one.certain = true);
    Some(next)
}

#[cfg(test)]
mod tests;
