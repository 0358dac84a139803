//! JSON that stands within another JSON as a string.

use std::io;

use memchr::memchr2;
use serde::Serialize;

/// A value as JSON, each quote and backslash behind a backslash: what stands between the quotes of the string that it is.
///
/// Escaped piece by piece as it is written, it costs no pass of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nested(Vec<u8>);

impl Nested {
    /// The value, with room for so many bytes at first; `None` for one that JSON cannot say.
    pub fn of(value: &impl Serialize, room: usize) -> Option<Self> {
        let mut escaping = Escaping(Vec::with_capacity(room));
        serde_json::to_writer(&mut escaping, value).ok()?;
        Some(Self(escaping.0))
    }

    /// Its bytes: UTF-8 without control characters, since compact JSON has none.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

struct Escaping(Vec<u8>);

impl io::Write for Escaping {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece)?;
        Ok(piece.len())
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece == b"\"" {
            self.0.extend_from_slice(b"\\\"");
        } else if memchr2(b'"', b'\\', piece).is_none() {
            self.0.extend_from_slice(piece);
        } else {
            for byte in piece {
                if matches!(byte, b'"' | b'\\') {
                    self.0.push(b'\\');
                }
                self.0.push(*byte);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn between_quotes_it_is_the_string_that_json_makes_of_the_json(members in any::<BTreeMap<String, Option<(String, i64)>>>()) {
            let plain = serde_json::to_string(&members).unwrap();
            let nested = Nested::of(&members, 0).unwrap();
            let between = String::from_utf8(nested.as_bytes().to_vec()).unwrap();
            prop_assert_eq!(format!("\"{between}\""), serde_json::to_string(&plain).unwrap());
        }
    }
}
