//! Suspending an agency, and letting it ask again: one line of its file, checked with the whole folder before it is written.

use std::path::Path;

use super::agency::replace;
use super::folder::read;
use crate::core::domain::agency::AgencyId;
use crate::core::policy::{LoadError, Snapshot};

/// Writes `suspended = …` into the agency's file; a running service takes it up by itself. Comments and order stay.
///
/// # Errors
/// There is no such agency, the folder would not validate with the change, or the file cannot be written; nothing has changed then.
pub fn set_suspended(dir: &Path, agency: &AgencyId, suspended: bool) -> Result<(), Vec<LoadError>> {
    let path = format!("agencies/{agency}.toml");
    let mut files = read(dir)?;
    let text = files.get(&path).ok_or_else(|| vec![LoadError::of_file(&path, format!("no such agency `{agency}`"))])?;
    let changed = with_line(text, suspended);
    files.insert(path.clone(), changed.clone());
    Snapshot::load(&files)?;
    replace(&dir.join(&path), &changed).map_err(|error| vec![LoadError::of_file(&path, format!("cannot be written: {error}"))])
}

/// The text with the line in place of the old one, or right below the `id`.
fn with_line(text: &str, suspended: bool) -> String {
    let line = format!("suspended = {suspended}");
    let is_key = |text: &str, key: &str| text.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    let has_line = text.lines().any(|old| is_key(old, "suspended"));
    let mut lines = Vec::new();
    for old in text.lines() {
        if is_key(old, "suspended") {
            lines.push(line.as_str());
            continue;
        }
        lines.push(old);
        if !has_line && is_key(old, "id") {
            lines.push(&line);
        }
    }
    lines.join("\n") + "\n"
}
