//! JSON objects of the request path, member by member: what `serde_json` writes, byte by byte, for a third of its price.
//!
//! Names are ours and need no escape; nearly every value is plain ASCII and is copied in one piece. Any other goes through `serde_json`.

use std::fmt::Display;
use std::io::Write as _;

use uuid::Uuid;

use super::eight::Eight;
use super::nested::Nested;

/// Writes the members of one object, each behind a comma; [`Self::close`] makes the first comma the opening brace.
pub struct Members<'o> {
    out: &'o mut Vec<u8>,
    begins: usize,
}

impl<'o> Members<'o> {
    /// Begins behind what `out` holds.
    pub const fn behind(out: &'o mut Vec<u8>) -> Self {
        let begins = out.len();
        Self { out, begins }
    }

    /// A member that is a text.
    #[inline(always)]
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    fn string(&mut self, value: &str) {
        if is_plain(value) {
            self.out.push(b'"');
            self.out.extend_from_slice(value.as_bytes());
            self.out.push(b'"');
        } else {
            // Writing a string into memory cannot fail.
            let _ = serde_json::to_writer(&mut *self.out, value);
        }
    }

    /// The same, left out where there is none.
    #[inline(always)]
    pub fn text_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A member that is a text: this JSON.
    pub fn nested(&mut self, name: &str, value: &Nested) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    /// A member that is written as its `Display` says, a number or a truth.
    pub fn bare(&mut self, name: &str, value: impl Display) {
        self.name(name);
        let _ = write!(self.out, "{value}");
    }

    /// A member that is an id.
    pub fn id(&mut self, name: &str, id: Uuid) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        self.out.push(b'"');
    }

    /// A member whose `Display` needs no escape, between quotes: an instant.
    pub fn quoted(&mut self, name: &str, value: impl Display) {
        self.name(name);
        let _ = write!(self.out, "\"{value}\"");
    }

    /// A member that is an object; left out where it has no members.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Members<'_>)) {
        let before = self.out.len();
        self.name(name);
        let mut inner = Members::behind(self.out);
        fill(&mut inner);
        if inner.is_empty() {
            self.out.truncate(before);
        } else {
            inner.close();
        }
    }

    /// Members that were written before, each behind a comma.
    pub fn more(&mut self, members: &[u8]) {
        self.out.extend_from_slice(members);
    }

    /// Ends the object.
    pub fn close(self) {
        match self.out.get_mut(self.begins) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
    }

    fn is_empty(&self) -> bool {
        self.out.len() == self.begins
    }

    /// Names are known where they are written, so that each is a few stores there and no call.
    #[inline(always)]
    fn name(&mut self, name: &str) {
        self.out.reserve(name.len() + 4);
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// Whether a text stands in JSON as it is. Most are of a few dozen bytes: eight at once, and the last eight as well where they are not eight more.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(last) = bytes.last_chunk() else { return bytes.iter().all(|byte| *byte >= 0x20 && !matches!(byte, b'"' | b'\\')) };
    let (eights, _) = bytes.as_chunks();
    let special = |eight: &[u8; 8]| Eight::of(eight).special();
    eights.iter().fold(special(last), |found, eight| found | special(eight)) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_those_of_serde_json(text in "\\PC*|[\\x00-\\x7f]*", number: i64, truth: bool) {
            let mut bytes = b"before".to_vec();
            let mut object = Members::behind(&mut bytes);
            object.text("a", &text);
            object.bare("b", number);
            object.object("c", |inner| inner.bare("d", truth));
            object.object("left out", |_| {});
            object.text_if("left out too", None);
            object.id("e", Uuid::from_u64_pair(number.unsigned_abs(), 7));
            object.close();
            let text = serde_json::to_string(&text).unwrap();
            let id = Uuid::from_u64_pair(number.unsigned_abs(), 7);
            let expected = format!(r#"before{{"a":{text},"b":{number},"c":{{"d":{truth}}},"e":"{id}"}}"#);
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn object_without_members_is_an_object() {
        let mut bytes = Vec::new();
        Members::behind(&mut bytes).close();
        assert_eq!(bytes, b"{}");
    }
}
