//! Reading back what the database lacks.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::NAMES;
use super::frame::{BLOCK, Frame};
use crate::adapters::store::config::LedgerError;
use crate::core::ledger::tree::Hash;

/// The frames with entries from index `stored` on, in order and without a gap.
///
/// A frame that is not whole was cut off while it was written: nobody was answered on it, and it is passed over. If frames follow
/// that do not join, then entries that were answered for are lost, and the log must not go on.
///
/// # Errors
/// [`LedgerError::Inconsistent`] for a gap, [`LedgerError::Io`] when a file cannot be read. A missing file holds nothing.
pub(in crate::adapters::store) fn pending(dir: &Path, stored: u64) -> Result<Vec<Frame>, LedgerError> {
    let mut frames = Vec::new();
    for name in NAMES {
        let path = dir.join(name);
        match fs::read(&path) {
            Ok(bytes) => scan(&bytes, stored, &mut frames),
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(LedgerError::Io { what: "read", path, source }),
        }
    }
    frames.sort_by_key(|frame| frame.first);
    let mut next = stored;
    for frame in &frames {
        if frame.first > next {
            let lost = format!("entries {next} to {} are neither in the database nor whole in the journal", frame.first - 1);
            return Err(LedgerError::Inconsistent(lost));
        }
        next = frame.end();
    }
    Ok(frames)
}

/// The newest whole frame whose entries are all among the first `stored`: where it ends, and the root of the tree there. Frames lie about until newer
/// ones take their place, so that the journal is a second witness of what the database has.
pub(in crate::adapters::store) fn newest(dir: &Path, stored: u64) -> Result<Option<(u64, Hash)>, LedgerError> {
    let mut frames = Vec::new();
    for name in NAMES {
        let path = dir.join(name);
        match fs::read(&path) {
            Ok(bytes) => scan(&bytes, 0, &mut frames),
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(LedgerError::Io { what: "read", path, source }),
        }
    }
    let last = frames.iter().filter(|frame| frame.end() <= stored).max_by_key(|frame| frame.end());
    Ok(last.map(|frame| (frame.end(), frame.root)))
}

/// Whether any whole frame, however old, has an entry under one of these content keys.
pub(in crate::adapters::store) fn holds_any(dir: &Path, keys: &[i64]) -> Result<bool, LedgerError> {
    let mut frames = Vec::new();
    for name in NAMES {
        let path = dir.join(name);
        let bytes = fs::read(&path).map_err(|source| LedgerError::Io { what: "read", path, source })?;
        scan(&bytes, 0, &mut frames);
    }
    Ok(frames.iter().flat_map(|frame| &frame.entries).any(|entry| keys.contains(&entry.content_key)))
}

/// Collects every whole frame that reaches beyond `stored`. Old frames lie about after newer ones: their entries are stored.
fn scan(bytes: &[u8], stored: u64, frames: &mut Vec<Frame>) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let (frame, filled) = Frame::read(rest).map_or((None, BLOCK), |(frame, filled)| (Some(frame), filled));
        frames.extend(frame.filter(|frame| frame.end() > stored));
        at += filled;
    }
}
