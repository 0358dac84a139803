//! The usual form of a content, read in one pass: members in the order of RFC 8785 under their known names. Whoever has to look at millions looks
//! here first; what is not of this form may still be one, and is then read as any JSON is.

use jiff::Timestamp;
use memchr::memchr2;
use uuid::Uuid;

use crate::core::domain::eight::Eight;

/// What a member holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text,
    Number,
    Instant,
    Id,
}

/// The id of a content in the usual form; none of anything else. `text` gets the name and the bytes of every number, and of every text, as they stand
/// between its quotes: with a backslash where something is escaped.
pub(super) fn id_of<'b>(bytes: &'b [u8], mut text: impl FnMut(&[u8], &'b [u8])) -> Option<Uuid> {
    // In one go for all strings: what they may hold is UTF-8 without control characters.
    if bytes.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' ' || std::str::from_utf8(bytes).is_err() {
        return None;
    }
    let mut members = Members { rest: bytes.strip_prefix(b"{")?, left: KNOWN.iter() };
    let (mut id, mut route, mut latency) = (None, false, false);
    loop {
        match members.name()? {
            (_, Holds::Id) => id = Some(Uuid::try_parse_ascii(members.plain()?).ok()?),
            (_, Holds::Instant) => instant(members.plain()?)?,
            (name, Holds::Number) => {
                text(name, members.number()?);
                latency |= name == b"latency_us";
            }
            (name, Holds::Text) => {
                text(name, members.text()?);
                route |= name == b"route";
            }
        }
        match members.next()? {
            b',' => {}
            b'}' if members.rest.is_empty() && route && latency => return id,
            _ => return None,
        }
    }
}

/// Every member that there may be, in the order of RFC 8785.
const KNOWN: [(&[u8], Holds); 30] = [
    (b"actor", Holds::Text),
    (b"agency", Holds::Text),
    (b"agency_tag", Holds::Text),
    (b"as_of", Holds::Instant),
    (b"assurance", Holds::Text),
    (b"basis", Holds::Text),
    (b"branch", Holds::Text),
    (b"certificate", Holds::Text),
    (b"code", Holds::Text),
    (b"count", Holds::Number),
    (b"decision", Holds::Text),
    (b"decree", Holds::Text),
    (b"decrees_version", Holds::Text),
    (b"details", Holds::Text),
    (b"epoch", Holds::Text),
    (b"freshness", Holds::Text),
    (b"id", Holds::Id),
    (b"latency_us", Holds::Number),
    (b"policy_version", Holds::Text),
    (b"purpose", Holds::Text),
    (b"reason", Holds::Text),
    (b"reference", Holds::Text),
    (b"retry", Holds::Text),
    (b"retry_body", Holds::Text),
    (b"retry_of", Holds::Text),
    (b"route", Holds::Text),
    (b"service", Holds::Text),
    (b"signature", Holds::Text),
    (b"signed_by", Holds::Text),
    (b"trail_tag", Holds::Text),
];

/// What is left of an object.
struct Members<'b> {
    rest: &'b [u8],
    /// Members that may still come: names ascend, so none comes twice.
    left: std::slice::Iter<'static, (&'static [u8], Holds)>,
}

impl<'b> Members<'b> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next member's name, and what it holds.
    fn name(&mut self) -> Option<(&'static [u8], Holds)> {
        let inside = self.rest.strip_prefix(b"\"")?;
        let begins = |(name, _): &&(&[u8], Holds)| inside.strip_prefix(*name).is_some_and(|rest| rest.starts_with(b"\":"));
        let (name, holds) = self.left.find(begins)?;
        self.rest = inside.get(name.len() + 2..)?;
        Some((name, *holds))
    }

    /// A string without escapes.
    fn plain(&mut self) -> Option<&'b [u8]> {
        let inside = self.rest.strip_prefix(b"\"")?;
        let (text, rest) = inside.split_at_checked(next_mark(inside)?)?;
        self.rest = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    /// A string with the escapes of two characters, as it stands.
    fn text(&mut self) -> Option<&'b [u8]> {
        let begins = self.rest.strip_prefix(b"\"")?;
        let mut inside = begins;
        loop {
            let (found, rest) = inside.get(next_mark(inside)?..)?.split_first()?;
            if *found == b'"' {
                self.rest = rest;
                return begins.get(..begins.len() - rest.len() - 1);
            }
            let (escape, rest) = rest.split_first()?;
            if !matches!(escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
                return None;
            }
            inside = rest;
        }
    }

    /// A whole number that fits 64 bits, written as JSON demands.
    fn number(&mut self) -> Option<&'b [u8]> {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at_checked(length)?;
        if !(1..=19).contains(&length) || (length > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        self.rest = rest;
        Some(digits)
    }
}

/// Where the next quote or backslash stands. Most texts are short, and in JSON within JSON the next one is near: so first among eight bytes at once.
fn next_mark(bytes: &[u8]) -> Option<usize> {
    if let Some(found) = bytes.first_chunk().and_then(|eight| Eight::of(eight).first_mark()) {
        return Some(found);
    }
    memchr2(b'"', b'\\', bytes)
}

/// Whether a text is an instant. As contents have them, `2026-11-23T10:00:00Z` or with a fraction, it is seen at once, but for the last days of a month and
/// the first and last millennia, where the calendar is asked.
fn instant(text: &[u8]) -> Option<()> {
    let two = |at: usize| match text.get(at..at + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let usual = || {
        let within = matches!(two(0)?, 10..90) && two(2).is_some() && matches!(two(5)?, 1..=12) && matches!(two(8)?, 1..=28);
        let within = within && two(11)? < 24 && two(14)? < 60 && two(17)? < 60;
        let fraction = text.get(19..)?.strip_suffix(b"Z")?;
        let digits =
            fraction.strip_prefix(b".").is_none_or(|digits| matches!(digits.len(), 1..=9) && digits.iter().all(u8::is_ascii_digit));
        let marked = marks.iter().all(|(at, mark)| text.get(*at) == Some(mark));
        (within && marked && digits && (fraction.is_empty() || fraction.starts_with(b"."))).then_some(())
    };
    usual().or_else(|| std::str::from_utf8(text).ok()?.parse::<Timestamp>().ok().map(drop))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_ascend() {
        assert!(KNOWN.map(|(name, _)| name).is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn instants_are_those_that_the_calendar_knows() {
        for good in ["2026-11-23T10:00:00Z", "2026-11-30T23:59:59.123456789Z", "2024-02-29T00:00:00.1Z", "0001-01-01T00:00:00Z"] {
            assert_eq!(instant(good.as_bytes()), Some(()), "{good}");
        }
        for bad in
            ["2026-02-29T00:00:00Z", "2026-11-23T10:00:00", "2026-11-23T10:00:00.Z", "2026-11-23T24:00:00Z", "2026-00-23T10:00:00Z", ""]
        {
            assert_eq!(instant(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_next_mark_is_the_first_one(bytes in "[ab\"\\\\!#\\[\\]\u{a2}\u{dc}]{0,20}") {
            let first = bytes.bytes().position(|byte| byte == b'"' || byte == b'\\');
            prop_assert_eq!(next_mark(bytes.as_bytes()), first);
        }

        /// Nothing is taken for an instant that is none.
        #[test]
        fn what_is_seen_at_once_is_an_instant(
            text in "[0-9]{4}-[0-3][0-9]-[0-4][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?[Zz]?"
        ) {
            prop_assert_eq!(instant(text.as_bytes()).is_some(), text.parse::<Timestamp>().is_ok(), "{}", text);
        }
    }
}
