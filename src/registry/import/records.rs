//! Cutting a file into records: physical lines, joined while a CSV quote is open, each known by its first line.

use std::io::BufRead;

use super::ImportError;

/// A record longer than this is a quote that somebody forgot to close.
const LONGEST_RECORD: usize = 1 << 20;

/// A reader of records that counts lines and bytes.
pub(super) struct Records<R> {
    input: R,
    quoting: bool,
    line: u64,
    bytes: u64,
}

/// Where the reader stands inside a CSV record (RFC 4180).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Unquoted,
    Quoted,
    AfterQuote,
}

impl<R: BufRead> Records<R> {
    /// Records of CSV (`quoting`) or plain lines.
    pub(super) const fn new(input: R, quoting: bool) -> Self {
        Self { input, quoting, line: 1, bytes: 0 }
    }

    /// Bytes read so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the next record into `record`, without a byte order mark; gives its first line, or `None` at the end.
    ///
    /// # Errors
    /// [`ImportError`] names the line that is not UTF-8 or whose quote is never closed.
    pub(super) fn next(&mut self, record: &mut String) -> Result<Option<u64>, ImportError> {
        record.clear();
        let first_line = self.line;
        let mut place = Place::FieldStart;
        loop {
            let start = record.len();
            if !self.read_line(record)? {
                let open = place == Place::Quoted;
                return if open { Err(ImportError::OpenQuote { line: first_line }) } else { Ok((start > 0).then_some(first_line)) };
            }
            let added = record.get(start..).unwrap_or_default();
            place = if self.quoting { added.bytes().fold(place, step) } else { Place::FieldStart };
            if place != Place::Quoted {
                return Ok(Some(first_line));
            }
            if record.len() > LONGEST_RECORD {
                return Err(ImportError::OpenQuote { line: first_line });
            }
        }
    }

    fn read_line(&mut self, record: &mut String) -> Result<bool, ImportError> {
        let mut line = Vec::new();
        let read = self.input.read_until(b'\n', &mut line).map_err(ImportError::Read)?;
        let text = std::str::from_utf8(&line).map_err(|_| ImportError::Encoding { line: self.line })?;
        let text = if self.bytes == 0 { text.strip_prefix('\u{FEFF}').unwrap_or(text) } else { text };
        record.push_str(text);
        self.bytes += read as u64;
        self.line += u64::from(read > 0);
        Ok(read > 0)
    }
}

const fn step(place: Place, byte: u8) -> Place {
    match (place, byte) {
        (Place::Quoted, b'"') => Place::AfterQuote,
        (Place::Quoted, _) | (Place::FieldStart | Place::AfterQuote, b'"') => Place::Quoted,
        (_, b',' | b'\n' | b'\r') => Place::FieldStart,
        _ => Place::Unquoted,
    }
}
