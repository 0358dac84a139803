//! Keyed hashes of what is counted (SipHash under a key drawn at start): no table holds an identifier, a clerk or a branch.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use crate::core::limit::{Asked, Protection};

/// Last digits by which the numbers of one run differ: a thousand plain ones, a hundred where the last is a check digit.
const RUN_DIGITS: usize = 3;

/// A table by tags: they are keyed hashes already, so that nobody can choose them and a fast hash of them is good enough.
pub(super) type ByTag<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The key.
#[derive(Default)]
pub(super) struct Tags(RandomState);

/// One call, as far as it is counted.
pub(super) struct Tagged {
    /// The branch, or the certificate where it names none.
    pub place: u64,
    /// The identifier.
    pub value: u64,
    /// The run of numbers that it is of; `None` for a value that ends in no digit.
    pub run: Option<Place>,
    /// The actor.
    pub actor: u64,
    /// Whether one was named.
    pub actor_named: bool,
    /// Whether the policy wants a second factor.
    pub check_required: bool,
    /// The budget of the batch that the query is one of.
    pub batch: Option<u32>,
}

/// Where a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The run of numbers.
    pub run: u64,
    /// Its place within the run, from 0 to 999.
    pub at: u16,
}

/// What a hash is of, so that equal texts of different sorts have different tags.
#[derive(Hash)]
enum Of<'a> {
    Branch(&'a str),
    Certificate(&'a [u8; 32]),
    Value(&'a str, &'a str),
    Run(&'a str, &'a str),
    Actor(&'a str),
}

impl Tags {
    pub(super) fn of(&self, asked: &Asked<'_>, bounds: &Protection) -> Tagged {
        let (scheme, value) = (asked.identifier.scheme(), asked.identifier.expose_value());
        let mut begun = self.0.build_hasher();
        asked.agency.hash(&mut begun);
        let tag = |of: Of<'_>| {
            let mut hasher = begun.clone();
            of.hash(&mut hasher);
            hasher.finish()
        };
        Tagged {
            place: tag(asked.branch.map_or(Of::Certificate(asked.certificate), Of::Branch)),
            value: tag(Of::Value(scheme, value)),
            run: run_of(value).map(|(run, at)| Place { run: tag(Of::Run(scheme, run)), at }),
            actor: tag(Of::Actor(asked.actor.unwrap_or_default())),
            actor_named: asked.actor.is_some(),
            check_required: asked.check_required,
            batch: bounds.batch_of(asked),
        }
    }
}

/// A value without its last digits, and these as a number.
fn run_of(value: &str) -> Option<(&str, u16)> {
    let digits = value.bytes().rev().take(RUN_DIGITS).take_while(u8::is_ascii_digit).count();
    let (run, last) = value.split_at_checked(value.len() - digits)?;
    last.parse().ok().map(|at| (run, at))
}

#[cfg(test)]
mod tests {
    use super::run_of;

    #[test]
    fn numbers_of_one_thousand_are_one_run() {
        assert_eq!(run_of("9990000018"), Some(("9990000", 18)));
        assert_eq!((run_of("A170000001"), run_of("A170000999")), (Some(("A170000", 1)), Some(("A170000", 999))));
        assert_eq!((run_of("AB7"), run_of("17"), run_of("ABC"), run_of("")), (Some(("AB", 7)), Some(("", 17)), None, None));
    }
}
