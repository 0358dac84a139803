//! What a witness's cosignature says of our own clock. It was made after we published the checkpoint and before we got it back, so its
//! instant lies between the two on any clock that is right.

use jiff::{SignedDuration, Timestamp};

/// Clocks that differ by more than this are not both right.
pub const BOUND: SignedDuration = SignedDuration::from_secs(30);
/// Cosignatures name whole seconds.
const GRAIN: SignedDuration = SignedDuration::from_secs(1);

/// How far our clock is off by the witness's, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockDoubt {
    /// The witness cosigned later than our clock says it is.
    #[error("this machine's clock is at least {} s behind the witness's", .0.as_secs())]
    Behind(SignedDuration),
    /// The witness cosigned before our clock says that the checkpoint was there.
    #[error("this machine's clock is at least {} s ahead of the witness's", .0.as_secs())]
    Ahead(SignedDuration),
}

/// Holds our clock against a cosignature: `published` is what it showed when the checkpoint was there, if that is known, and `now` what
/// it shows when the cosignature is read.
///
/// # Errors
/// [`ClockDoubt`].
pub fn judge(cosigned: Timestamp, published: Option<Timestamp>, now: Timestamp) -> Result<(), ClockDoubt> {
    let behind = cosigned.duration_since(now);
    if behind > BOUND {
        return Err(ClockDoubt::Behind(behind));
    }
    let ahead = published.map(|published| published.duration_since(cosigned));
    match ahead.filter(|ahead| *ahead > BOUND + GRAIN) {
        Some(ahead) => Err(ClockDoubt::Ahead(ahead)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn cosignature_from_the_future_shows_a_clock_that_is_behind() {
        assert_eq!(judge(at(30), None, at(0)), Ok(()));
        assert_eq!(judge(at(31), None, at(0)), Err(ClockDoubt::Behind(SignedDuration::from_secs(31))));
        assert_eq!(judge(at(-86_400), None, at(0)), Ok(()), "an old one shows nothing");
    }

    #[test]
    fn cosignature_from_before_the_checkpoint_shows_a_clock_that_is_ahead() {
        assert_eq!(judge(at(0), Some(at(31)), at(40)), Ok(()), "its seconds are whole ones");
        let doubt = judge(at(0), Some(at(32)), at(40)).unwrap_err();
        assert_eq!(doubt, ClockDoubt::Ahead(SignedDuration::from_secs(32)));
        assert_eq!(doubt.to_string(), "this machine's clock is at least 32 s ahead of the witness's");
    }
}
