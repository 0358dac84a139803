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
        let mut columns = Vec::with_capacity(header.len());
        for (place, name) in header.iter().enumerate() {
            let code = text::digits(name).to_ascii_lowercase();
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

/// Names the column only if it is a word: without a header, a person's number would stand there.
fn unknown(place: usize, code: &str) -> String {
    let is_word = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let name = if is_word { format!(" `{code}`") } else { String::new() };
    format!("column {place}{name} is unknown; the first line names the columns, which are {}, separated by commas", all_columns())
}

fn all_columns() -> String {
    Column::ALL.iter().map(|column| column.code()).collect::<Vec<_>>().join(", ")
}
