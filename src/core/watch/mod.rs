//! Watching for abuse behind the request path (domain §8): what was recorded goes past rules that are data, and what breaks one becomes an
//! alert that says rule, agency and day.
//!
//! Who is who is known by hashes alone, under a key that is drawn when the process starts. Nothing of it outlives the Tehran day.

mod count;
mod engine;
mod file;
mod hours;
pub mod measure;
mod rule;
pub mod week;

use jiff::Timestamp;

use super::domain::agency::AgencyId;

pub use self::engine::{KEYS, Kinds, Raised, Watcher};
pub use self::file::{Fault, parse};
pub use self::hours::OfficeHours;
pub use self::rule::{Counts, Hours, Least, Planted, Rule, WatchRules, Who, Window};

/// One recorded call, as far as it is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When it was concluded.
    pub at: Timestamp,
    /// The agency.
    pub agency: AgencyId,
    /// The branch, or the certificate where it names none.
    pub branch: u64,
    /// The named clerk or account of that branch.
    pub actor: Option<u64>,
    /// Whom it was about, by the number; the same whichever agency asks. What was read back from the log has another for each agency and epoch.
    pub holder: Option<u64>,
    /// Whom it was about, by whichever number, where the registry said.
    pub person: Option<u64>,
    /// Where the number stands; `None` for a value that ends in no digit, and for what was read back from the log.
    pub place: Option<Place>,
    /// Whether the number is a honeypot or a protected record.
    pub honeypot: bool,
    /// Whether the branch is the agency's for batches.
    pub batch: bool,
    /// Reason of an answer or code of a refusal.
    pub code: &'static str,
}

/// Where a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The run: all numbers that differ from it in their last three digits alone.
    pub run: u64,
    /// Its place within the run, from 0 to 999.
    pub at: u16,
}

/// Last digits by which the numbers of one run differ.
const RUN_DIGITS: usize = 3;

/// A value without its last digits, and these as a number; `None` for a value that ends in no digit.
pub fn run_of(value: &str) -> Option<(&str, u16)> {
    let digits = value.bytes().rev().take(RUN_DIGITS).take_while(u8::is_ascii_digit).count();
    let (run, last) = value.split_at_checked(value.len() - digits)?;
    last.parse().ok().map(|at| (run, at))
}

/// Two keys as one.
const fn mixed(one: u64, other: u64) -> u64 {
    let mut z = one.rotate_left(23) ^ other.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 27)
}
