//! Where in a TOML file something is wrong: one line that names the place, for every data file of the installation.

use std::ops::Range;

/// The line, from 1, of a byte offset in a text.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
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
