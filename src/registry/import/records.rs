//! Cutting a file into records: physical lines, joined while a CSV quote is open, each known by its first line.

use std::io::{BufRead, Read};

use super::ImportError;

/// A record longer than this is a quote that somebody forgot to close.
const LONGEST_RECORD: usize = 1 << 20;
/// A line longer than this (bytes) is no row, and would have to be held in memory.
const LONGEST_LINE: u64 = 64 << 20;

/// What is said of bytes that are not UTF-8.
const NOT_UTF8: &str = "not UTF-8; save the file as UTF-8 and import it again";
/// What is said where the file ends within a character.
const CUT_OFF: &str = "the file ends within a character, so it was cut off; bring it whole and import it again";
/// How files begin that offices send by mistake, and what is said of them.
const MISTAKEN: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "this is a gzip archive; unpack it and import what is in it"),
    (b"PK\x03\x04", "this is a spreadsheet or a zip archive; save the sheet as CSV in UTF-8, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "this is a spreadsheet; save the sheet as CSV in UTF-8"),
    (b"\xff\xfe", "this is UTF-16; save the file as UTF-8 and import it again"),
    (b"\xfe\xff", "this is UTF-16; save the file as UTF-8 and import it again"),
];

/// Refuses a file that by its first bytes is of another kind.
///
/// # Errors
/// [`ImportError::Encoding`] says which, and what to do.
pub(super) fn refuse_mistaken(input: &mut impl BufRead) -> Result<(), ImportError> {
    let start = input.fill_buf().map_err(ImportError::Read)?;
    // UTF-16 without a mark: every other byte of a header is nought.
    let wide = matches!(start, [0, _, 0, _, ..] | [_, 0, _, 0, ..]).then_some("this is UTF-16; save the file as UTF-8 and import it again");
    let named = MISTAKEN.iter().find(|(first, _)| start.starts_with(first)).map(|(_, what)| *what);
    named.or(wide).map_or(Ok(()), |what| Err(ImportError::Encoding { line: 1, what }))
}

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
        let read = self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(ImportError::Read)?;
        if read as u64 == LONGEST_LINE {
            return Err(ImportError::LongLine { line: self.line });
        }
        let text = std::str::from_utf8(&line).map_err(|error| {
            // Only the last line has no end.
            let cut_off = error.error_len().is_none() && !line.ends_with(b"\n");
            ImportError::Encoding { line: self.line, what: if cut_off { CUT_OFF } else { NOT_UTF8 } }
        })?;
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
