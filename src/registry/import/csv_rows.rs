//! The CSV form: one row per document under a header in any order.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::ImportError;
use super::row::{Column, Row};
use crate::core::domain::text;

/// Which column each field of a row belongs to.
pub(super) struct Header(Vec<Column>);

impl Header {
    /// Reads the header row.
    ///
    /// # Errors
    /// [`ImportError::Header`] names the column that is unknown, repeated or missing.
    pub(super) fn read(record: &str) -> Result<Self, ImportError> {
        let refuse = |what: String| Err(ImportError::Header(what));
        let records = split(record).map_err(|_| ImportError::Header("it cannot be read as CSV".to_owned()))?;
        let [header] = records.as_slice() else {
            return refuse("lines must end in LF or CRLF, and the first must name the columns".to_owned());
        };
        if let (1, Some(separator)) = (header.len(), [";", "\t", "|"].into_iter().find(|one| record.contains(one))) {
            return refuse(format!("its fields are separated by {separator:?} and not by commas; save the file as CSV with commas"));
        }
        let codes: Vec<String> = header.iter().map(|name| text::digits(name).to_ascii_lowercase()).collect();
        if !codes.iter().any(|code| Column::parse(code).is_some()) {
            return refuse(format!("it names no column, so that it is no header; {}", needed()));
        }
        let mut columns = Vec::with_capacity(codes.len());
        for (place, code) in codes.into_iter().enumerate() {
            match Column::parse(&code) {
                Some(column) if columns.contains(&column) => return refuse(format!("column `{code}` stands there twice")),
                Some(column) => columns.push(column),
                None if code.is_empty() => return refuse(format!("column {} has no name", place + 1)),
                None => return refuse(unknown(place + 1, &code)),
            }
        }
        match Column::ALL.iter().find(|column| !column.is_optional() && !columns.contains(column)) {
            Some(missing) => refuse(format!("column `{}` is missing", missing.code())),
            None => Ok(Self(columns)),
        }
    }

    /// Lays a record out into rows; a blank line is none.
    pub(super) fn rows(&self, line: u64, record: &str) -> Result<Vec<Row>, ImportError> {
        if record.trim().is_empty() {
            return Ok(Vec::new());
        }
        let records = split(record).map_err(|_| ImportError::Unreadable { line })?;
        // A file that was cut off ends within a row.
        let is_whole = record.ends_with('\n');
        Ok(records.iter().map(|record| self.row(line, record, is_whole)).collect())
    }

    fn row(&self, line: u64, record: &StringRecord, is_whole: bool) -> Row {
        let mut row = Row::at(line);
        for (column, field) in self.0.iter().zip(record) {
            row.set(*column, field);
        }
        // Commas that a spreadsheet leaves at the end of a row say nothing.
        let surplus = record.iter().skip(self.0.len()).any(|field| !field.is_empty());
        let lacks = self.0.iter().skip(record.len()).any(|column| !(is_whole && column.may_be_left_out()));
        row.ragged = lacks || surplus;
        row
    }
}

fn split(record: &str) -> Result<Vec<StringRecord>, csv::Error> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).trim(Trim::All).buffer_capacity(record.len().max(1));
    builder.from_reader(record.as_bytes()).into_records().collect()
}

/// Names the column only if it is a word. It stands beside the name of a column, so that it is no person's: a line of people was refused before.
fn unknown(place: usize, code: &str) -> String {
    let is_word = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let name = if is_word { format!(" `{code}`") } else { String::new() };
    format!("column {place}{name} is unknown; {}", needed())
}

/// What the first line must be.
fn needed() -> String {
    let codes = |optional: bool| {
        let those = Column::ALL.iter().filter(|column| column.is_optional() == optional);
        those.map(|column| column.code()).collect::<Vec<_>>().join(", ")
    };
    format!("the first line names the columns, separated by commas: {} are needed, and {} may be added", codes(false), codes(true))
}
