//! Which logs an installation has, and under which checkpoints their entries stand.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::core::ledger::tree::Hash;

/// The logs of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogList {
    /// Number and origin of those that are there, the oldest first; the last is the present one.
    pub logs: Vec<(u16, Arc<str>)>,
    /// Origins of those that were sealed and are not there.
    pub missing: Vec<String>,
}

impl LogList {
    /// The number of the log of an origin.
    pub fn number_of(&self, origin: &str) -> Option<u16> {
        self.logs.iter().find(|(_, known)| **known == *origin).map(|(number, _)| *number)
    }

    /// The origin of a log.
    pub fn origin_of(&self, number: u16) -> Option<&Arc<str>> {
        self.logs.iter().find(|(known, _)| *known == number).map(|(_, origin)| origin)
    }

    /// The number of the present log.
    pub fn present(&self) -> u16 {
        self.logs.last().map_or(0, |(number, _)| *number)
    }

    /// Every other log, those that are not there too.
    pub fn beside(&self, origin: &str) -> Vec<String> {
        let there = self.logs.iter().map(|(_, known)| known.to_string());
        there.chain(self.missing.iter().cloned()).filter(|known| known != origin).collect()
    }
}

/// Entries of one log that one checkpoint covers: all before `size`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The number of the log.
    pub log: u16,
    /// The log's origin. The checkpoint has it too, unless it is the seal that the next log put on the end of this one.
    pub origin: Arc<str>,
    /// Entries that the checkpoint covers.
    pub size: u64,
    /// The signed note.
    pub checkpoint: Arc<str>,
}

impl Stretch {
    /// The root that the checkpoint says; whether it is signed is for whoever gets it.
    pub fn root(&self) -> Option<Hash> {
        let line = self.checkpoint.split('\n').nth(2)?;
        STANDARD.decode(line).ok()?.try_into().ok()
    }
}

/// What proves some rows of a stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// For each row the roots of the subtrees between the last proved row and it, from left to right (see [`super::subtrees`]), and for the end of the stretch, where
    /// it was asked for, those up to it. None for a row that lies with one whose leaf is lost among the same 256 entries: nobody can say what lies
    /// between them, and the next proof goes past all of these.
    pub gaps: Vec<Option<Vec<Hash>>>,
    /// Entries before this one are proved, as rows or in gaps.
    pub at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_what_an_export_of_one_log_leaves_out() {
        let list = LogList { logs: vec![(1, "a/2".into()), (2, "a/3".into())], missing: vec!["a".into()] };
        assert_eq!((list.number_of("a/2"), list.number_of("a"), list.present()), (Some(1), None, 2));
        assert_eq!(list.beside("a/2"), ["a/3", "a"]);
    }

    #[test]
    fn the_root_of_a_note_is_read_and_rubbish_has_none() {
        let stretch = |text: &str| Stretch { log: 0, origin: "a".into(), size: 1, checkpoint: text.into() };
        assert_eq!(stretch(&format!("a\n1\n{}\n\n— a x\n", STANDARD.encode([7; 32]))).root(), Some([7; 32]));
        assert_eq!([stretch(""), stretch("a\n1\nAA==\n")].map(|stretch| stretch.root()), [None, None]);
    }
}
