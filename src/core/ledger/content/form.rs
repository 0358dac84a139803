//! The usual form of a content, read in one pass: members in the order of RFC 8785 under their known names. Whoever has to look at millions looks
//! here first; what is not of this form may still be one, and is then read as any JSON is.

use jiff::Timestamp;
use memchr::memchr2;
use uuid::Uuid;

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
    let mut members = Members { rest: bytes.strip_prefix(b"{")?, last: b"" };
    let (mut id, mut route, mut latency) = (None, false, false);
    loop {
        let name = members.name()?;
        match holds(name)? {
            Holds::Id => id = Some(Uuid::try_parse_ascii(members.plain()?).ok()?),
            Holds::Instant => drop(std::str::from_utf8(members.plain()?).ok()?.parse::<Timestamp>().ok()?),
            Holds::Number => {
                text(name, members.number()?);
                latency |= name == b"latency_us";
            }
            Holds::Text => {
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

/// What a member of this name holds; none for an unknown one.
fn holds(name: &[u8]) -> Option<Holds> {
    Some(match name {
        b"id" => Holds::Id,
        b"as_of" => Holds::Instant,
        b"count" | b"latency_us" => Holds::Number,
        b"actor" | b"agency" | b"agency_tag" | b"assurance" | b"basis" | b"branch" | b"certificate" | b"code" | b"decision" | b"decree"
        | b"decrees_version" | b"details" | b"epoch" | b"freshness" | b"policy_version" | b"purpose" | b"reason" | b"reference"
        | b"retry" | b"retry_body" | b"retry_of" | b"route" | b"service" | b"signature" | b"signed_by" | b"trail_tag" => Holds::Text,
        _ => return None,
    })
}

/// What is left of an object.
struct Members<'b> {
    rest: &'b [u8],
    /// Name of the member before: names ascend, so none comes twice.
    last: &'b [u8],
}

impl<'b> Members<'b> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn name(&mut self) -> Option<&'b [u8]> {
        let name = self.plain()?;
        if name <= self.last || self.next()? != b':' {
            return None;
        }
        self.last = name;
        Some(name)
    }

    /// A string without escapes.
    fn plain(&mut self) -> Option<&'b [u8]> {
        let inside = self.rest.strip_prefix(b"\"")?;
        let (text, rest) = inside.split_at_checked(memchr2(b'"', b'\\', inside)?)?;
        self.rest = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    /// A string with the escapes of two characters, as it stands.
    fn text(&mut self) -> Option<&'b [u8]> {
        let begins = self.rest.strip_prefix(b"\"")?;
        let mut inside = begins;
        loop {
            let (found, rest) = inside.get(memchr2(b'"', b'\\', inside)?..)?.split_first()?;
            if *found == b'"' {
                self.rest = rest;
                return begins.get(..begins.len() - rest.len() - 1);
            }
            let (escape, rest) = rest.split_first()?;
            if !b"\"\\/bfnrt".contains(escape) {
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
