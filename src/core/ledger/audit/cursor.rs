//! Where a page ended: a log and an index in it, the size of the last log that is searched, and a digest of the question. Entries that come
//! meanwhile are beyond that size, so that they shift nothing; nor does a log that is sealed meanwhile.
//!
//! ```text
//! version 0x02 ‖ last log (u16 BE) ‖ its size (u64 BE) ‖ log (u16 BE) ‖ index (u64 BE) ‖ first 8 bytes of SHA-256(order ‖ filter)
//! ```
//!
//! in base64url without padding.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Filter;
use crate::core::ledger::tree::sha256;

const VERSION: u8 = 2;

/// A place in what a filter finds. It holds no secret and gives no right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last log that is searched.
    pub head: u16,
    /// Its size.
    pub size: u64,
    /// The log of `index`.
    pub log: u16,
    /// Rows before this index (newest first), or from it on (oldest first), come next.
    pub index: u64,
    question: [u8; 8],
}

/// A cursor is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the `cursor` is not one that this service gave")]
pub struct BadCursor;

impl Cursor {
    /// The place (log, index) after a page of a search up to a size of the last log.
    pub fn new(filter: &Filter, oldest_first: bool, (head, size): (u16, u64), (log, index): (u16, u64)) -> Self {
        Self { head, size, log, index, question: question(filter, oldest_first) }
    }

    /// Reads one back.
    ///
    /// # Errors
    /// [`BadCursor`].
    pub fn parse(text: &str) -> Result<Self, BadCursor> {
        let bytes: [u8; 29] = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(BadCursor)?;
        let (version, rest) = bytes.split_first_chunk::<1>().ok_or(BadCursor)?;
        let (head, rest) = rest.split_first_chunk::<2>().ok_or(BadCursor)?;
        let (size, rest) = rest.split_first_chunk::<8>().ok_or(BadCursor)?;
        let (log, rest) = rest.split_first_chunk::<2>().ok_or(BadCursor)?;
        let (index, question) = rest.split_first_chunk::<8>().ok_or(BadCursor)?;
        if *version != [VERSION] {
            return Err(BadCursor);
        }
        let (head, log) = (u16::from_be_bytes(*head), u16::from_be_bytes(*log));
        let (size, index) = (u64::from_be_bytes(*size), u64::from_be_bytes(*index));
        Ok(Self { head, size, log, index, question: question.try_into().map_err(|_| BadCursor)? })
    }

    /// Whether it came from this question.
    pub fn fits(&self, filter: &Filter, oldest_first: bool) -> bool {
        self.question == question(filter, oldest_first)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, log) = (self.head.to_be_bytes(), self.log.to_be_bytes());
        let bytes = [&[VERSION], head.as_slice(), &self.size.to_be_bytes(), &log, &self.index.to_be_bytes(), &self.question].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn question(filter: &Filter, oldest_first: bool) -> [u8; 8] {
    let digest = sha256(&[&[u8::from(oldest_first)], filter.to_json().as_bytes()].concat());
    let mut first = [0; 8];
    first.copy_from_slice(digest.split_at(8).0);
    first
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn cursor_reads_back_and_rubbish_does_not() {
        let cursor = Cursor::new(&Filter::default(), true, (3, 7), (2, u64::MAX));
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        for text in ["", "AA", "!", &URL_SAFE_NO_PAD.encode([2; 25]), &URL_SAFE_NO_PAD.encode([1; 29])] {
            assert_eq!(Cursor::parse(text), Err(BadCursor));
        }
    }
}
