//! The keys that a log signs its checkpoints with, as the auditor got them: the present one, and those before it.

use std::path::PathBuf;

use crate::cli::{CliError, Failure};
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::{NoteError, NoteKey};
use crate::core::ledger::succession::{is_successor, renamed};

/// Verifier keys of one log and of those that go on from it.
pub(super) struct LogKeys(Vec<NoteKey>);

impl LogKeys {
    /// Reads files of verifier keys, one key a line.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, CliError> {
        let mut keys: Vec<NoteKey> = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?;
            let before = keys.len();
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                keys.push(NoteKey::parse(line.trim()).doing(format_args!("`{}`", path.display()))?);
            }
            if keys.len() == before {
                return Err(CliError::usage(format_args!("`{}` has no verifier key", path.display())));
            }
        }
        if let Some(first) = keys.first()
            && let Some(other) = keys.iter().find(|key| !is_same_log(key.name(), first.name()))
        {
            return Err(CliError::usage(format_args!("`--log-key`: `{}` and `{}` are two logs", first.name(), other.name())));
        }
        Ok(Self(keys))
    }

    /// The same keys under the name of a log of the chain.
    pub(super) fn of_log(&self, origin: &str) -> Vec<NoteKey> {
        renamed(&self.0, origin)
    }

    /// Reads a checkpoint of the log that was handed in, or of one of its chain, if one of the keys signed it.
    pub(super) fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let claimed = Checkpoint::claimed_origin(note).unwrap_or_default();
        if self.0.iter().any(|key| is_same_log(claimed, key.name())) {
            return Checkpoint::open(note, &self.of_log(claimed));
        }
        Checkpoint::open(note, &self.0)
    }
}

/// Whether two origins are of one chain of logs.
fn is_same_log(one: &str, other: &str) -> bool {
    one == other || is_successor(one, other) || is_successor(other, one)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(name: &str, byte: u8) -> NoteKey {
        NoteKey::new(name, [byte; 32]).unwrap()
    }

    #[test]
    fn keys_of_one_log_come_from_several_lines_and_files_and_those_of_two_logs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, keys: &[NoteKey]| {
            let path = folder.path().join(name);
            std::fs::write(&path, keys.iter().map(|key| format!("{key}\n\n")).collect::<String>()).unwrap();
            path
        };
        let later = "log.example/2026-11-28.ab000001";
        let both = file("both", &[key("log.example", 1), key("log.example", 2)]);
        let keys = LogKeys::read(&[both.clone(), file("later", &[key(later, 3)])]).unwrap();
        assert_eq!(keys.of_log(later), [1, 2, 3].map(|byte| key(later, byte)));
        assert!(LogKeys::read(&[both, file("other", &[key("other.example", 4)])]).is_err());
        assert!(LogKeys::read(&[file("none", &[])]).is_err());
    }
}
