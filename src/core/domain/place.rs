//! Where in a TOML file something is wrong: one line that names the place, for every data file of the installation.

use std::ops::Range;

/// The line, from 1, of a byte offset in a text.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Where in the table that begins at `start` a field is written; the start where it is not found. A table ends where the next begins.
pub fn field_offset(text: &str, start: usize, field: &str) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let body = rest.find('\n').unwrap_or(rest.len());
    let table = rest.get(body..).map_or(rest, |after| rest.get(..body + after.find("\n[").unwrap_or(after.len())).unwrap_or(rest));
    let written = table.match_indices(field).find(|(at, _)| {
        let before = table.get(..*at).and_then(|before| before.chars().next_back());
        let after = table.get(at + field.len()..).unwrap_or_default().trim_start_matches([' ', '\t']);
        after.starts_with('=') && before.is_none_or(|before| !(before.is_alphanumeric() || before == '_'))
    });
    start + written.map_or(0, |(at, _)| at)
}

/// One line that says where (line of `span`) and what, with what to do.
pub fn fault(text: &str, span: &Range<usize>, what: impl std::fmt::Display) -> String {
    format!("line {}: {what}", line_of(text, span.start))
}

/// What the TOML reader found wrong, as one line.
pub fn syntax_fault(text: &str, error: &toml::de::Error) -> String {
    let what = error.message().lines().collect::<Vec<_>>().join("; ");
    match error.span() {
        Some(span) => fault(text, &span, what),
        None => what,
    }
}

/// Whether a text is a province code of ISO 3166-2:IR.
pub fn is_province(code: &str) -> bool {
    code.strip_prefix("IR-").is_some_and(|number| number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Bytes as the text that they are.
///
/// # Errors
/// The line, from 1, of the first byte that is not UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str, usize> {
    std::str::from_utf8(bytes).map_err(|error| 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count())
}
