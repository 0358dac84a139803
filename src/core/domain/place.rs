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
    start + written_at(table, field).unwrap_or(0)
}

/// Where a field is written in one of the inline tables of a list, counted from 0; the list belongs to the table that begins at `start`. The
/// list where it is not found.
pub fn field_of_item_offset(text: &str, start: usize, list: &str, item: usize, field: &str) -> usize {
    let list = field_offset(text, start, list);
    let Some((at, _)) = text.get(list..).and_then(|rest| rest.match_indices('{').nth(item)) else { return list };
    let begins = list + at;
    let rest = text.get(begins..).unwrap_or_default();
    let table = rest.split('}').next().unwrap_or(rest);
    begins + written_at(table, field).unwrap_or(0)
}

/// Where a table says `field =`.
fn written_at(table: &str, field: &str) -> Option<usize> {
    let mut found = table.match_indices(field).map(|(at, _)| at);
    found.find(|at| {
        let before = table.get(..*at).and_then(|before| before.chars().next_back());
        let after = table.get(at + field.len()..).unwrap_or_default().trim_start_matches([' ', '\t']);
        after.starts_with('=') && before.is_none_or(|before| !(before.is_alphanumeric() || before == '_'))
    })
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

/// Whether a text has the form of a province code of ISO 3166-2:IR.
pub fn is_province(code: &str) -> bool {
    code.strip_prefix("IR-").is_some_and(|number| number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit()))
}

/// ISO 3166-2:IR, before and since its renumbering: registers keep to either.
const PROVINCES: &str = include_str!("provinces.txt");

/// Whether there is, or was, a province of this code: in a decree or a rule any other would reach nobody.
pub fn is_known_province(code: &str) -> bool {
    is_province(code) && PROVINCES.lines().any(|line| line.split('|').next().is_some_and(|known| known.trim() == code))
}

/// Bytes as the text that they are.
///
/// # Errors
/// The line, from 1, of the first byte that is not UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str, usize> {
    std::str::from_utf8(bytes).map_err(|error| 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_the_very_item_of_a_list() {
        let text =
            "[[a]]\nlist = [{ series = 1 }]\n[[a]]\nlist = [\n  { kind = \"k\", series = 1 },\n  { kind = \"k\" },\n  { series = 2 },\n]\n";
        let second = text.rfind("[[a]]").unwrap_or_default();
        let line = |item, field| line_of(text, field_of_item_offset(text, second, "list", item, field));
        assert_eq!([line(0, "series"), line(1, "kind"), line(2, "series"), line(1, "series"), line(9, "kind")], [5, 6, 7, 6, 4]);
    }

    #[test]
    fn a_province_is_known_under_its_old_and_its_new_number() {
        let known = (0..100).filter(|number| is_known_province(&format!("IR-{number:02}"))).collect::<Vec<_>>();
        assert_eq!(known, (0..=32).collect::<Vec<_>>());
        assert!(["IR-7", "IR-007", "ir-07", "IQ-07", "", "# ISO"].iter().all(|code| !is_known_province(code)));
    }
}
