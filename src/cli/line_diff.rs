//! What changes between two versions of a folder of text files, line by line: what an official reads before signing. Nothing that
//! differs is left out, wherever else the same line may stand.

use std::collections::BTreeMap;
use std::fmt;

/// Cells of the table that finds what two versions have in common, 16 MiB of them. Beyond it every line that may have changed is shown
/// as gone and come.
const MOST_CELLS: usize = 1 << 22;

/// One line that goes or comes, with its number from 1 in its own version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change<'a> {
    Gone(usize, &'a str),
    Come(usize, &'a str),
}

/// One line for each file that differs, and under it each line that goes or comes, with its number and the table of the file that it
/// stands in. Of a first version there is nothing to compare with: the files are named, with the number of their lines.
pub(super) fn changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let mut said = Vec::new();
    for (path, text) in new {
        match old.get(path) {
            None if old.is_empty() => said.push(format!("new: {path}, {} lines", text.lines().count())),
            None => {
                said.push(format!("new: {path}"));
                said.extend(lines_of(text).iter().zip(1..).map(|(line, number)| format!("  {}", Change::Come(number, line))));
            }
            Some(before) if before != text => {
                said.push(format!("changed: {path}"));
                said.extend(in_their_tables(&lines_of(before), &lines_of(text)));
            }
            Some(_) => {}
        }
    }
    said.extend(old.keys().filter(|path| !new.contains_key(*path)).map(|path| format!("removed: {path}")));
    said
}

/// Every line, so that texts that differ have lines that differ: what ends them counts too.
fn lines_of(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

/// The changes as lines, under the header of the table that they stand in wherever that is another than before.
fn in_their_tables(old: &[&str], new: &[&str]) -> Vec<String> {
    let (mut said, mut under) = (Vec::new(), None);
    for change in changed_lines(old, new) {
        let table = match change {
            Change::Gone(number, _) => table_of(old, number),
            Change::Come(number, _) => table_of(new, number),
        };
        if table.is_some() && table != under {
            said.extend(table.iter().map(|table| format!("  in {}", visible(table))));
        }
        under = table;
        said.push(format!("  {change}"));
    }
    said
}

/// The header of the TOML table that a line belongs to, with the first line under it, which tells tables of one name apart.
fn table_of(lines: &[&str], number: usize) -> Option<String> {
    let header = lines.get(..number)?.iter().rposition(|line| line.starts_with('['))?;
    let (name, rest) = lines.get(header..)?.split_first()?;
    let says_something = |line: &&&str| !line.trim().is_empty() && !line.starts_with(['#', '[']);
    let first = rest.iter().find(says_something).filter(|_| name.starts_with("[["));
    Some(first.map_or_else(|| (*name).to_owned(), |first| format!("{name} {first}")))
}

/// What has to go from the one and come for the other: all but the longest common subsequence of lines.
fn changed_lines<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Change<'a>> {
    let before = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (old.get(before..).unwrap_or_default(), new.get(before..).unwrap_or_default());
    let after = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let old_rest = old_rest.get(..old_rest.len() - after).unwrap_or_default();
    let new_rest = new_rest.get(..new_rest.len() - after).unwrap_or_default();
    let common = Common::of(old_rest, new_rest);
    let (mut changes, mut gone, mut come) = (Vec::new(), 0, 0);
    loop {
        match (old_rest.get(gone), new_rest.get(come)) {
            (Some(one), Some(other)) if one == other && common.is_known() => (gone, come) = (gone + 1, come + 1),
            (Some(one), other) if other.is_none() || common.left(gone + 1, come) >= common.left(gone, come + 1) => {
                gone += 1;
                changes.push(Change::Gone(before + gone, one));
            }
            (_, Some(other)) => {
                come += 1;
                changes.push(Change::Come(before + come, other));
            }
            (_, None) => return changes,
        }
    }
}

/// How many lines two versions have in common from any two places on.
struct Common {
    cells: Vec<u32>,
    width: usize,
}

impl Common {
    fn of(old: &[&str], new: &[&str]) -> Self {
        let width = new.len() + 1;
        let size = width.saturating_mul(old.len() + 1);
        let mut common = Self { cells: vec![0; if size > MOST_CELLS { 0 } else { size }], width };
        for (row, one) in old.iter().enumerate().rev().filter(|_| size <= MOST_CELLS) {
            for (column, other) in new.iter().enumerate().rev() {
                let more = if one == other {
                    1 + common.left(row + 1, column + 1)
                } else {
                    common.left(row + 1, column).max(common.left(row, column + 1))
                };
                common.cells.get_mut(row * width + column).into_iter().for_each(|cell| *cell = more);
            }
        }
        common
    }

    /// False where the texts are too long to be compared.
    const fn is_known(&self) -> bool {
        !self.cells.is_empty()
    }

    fn left(&self, row: usize, column: usize) -> u32 {
        self.cells.get(row * self.width + column).copied().unwrap_or(0)
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(number, line) => write!(f, "- {number}: {}", visible(line)),
            Self::Come(number, line) => write!(f, "+ {number}: {}", visible(line)),
        }
    }
}

/// The line as it is, with everything escaped that could make a terminal show another: control characters and marks that turn the
/// direction of text. Persian needs none of them but the joiners, which stay.
fn visible(line: &str) -> String {
    let misleads = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2028}' | '\u{2029}')
            || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    line.chars().fold(String::with_capacity(line.len()), |mut shown, c| {
        if misleads(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    })
}

#[cfg(test)]
mod tests;
