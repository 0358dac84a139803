//! Whether the files of the keys are what the next start needs, looked at while a gateway goes on with the keys in its memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::record::{KeyHome, KeyList, KeyRecord, LIST};
use super::ring::{content_key_of, signer_of};
use super::sealed::Unlock;
use super::{KeyError, KeyPlace, KeyRing, files};

/// One file that a restart would not find as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFault {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it, and what to do; names files, never what is in them.
    pub why: String,
    /// Whether what is recorded now could not be opened without it.
    pub of_contents: bool,
}

impl KeyFault {
    fn of(path: &Path, error: &KeyError, of_contents: bool) -> Self {
        Self { path: path.to_owned(), why: error.to_string(), of_contents }
    }

    /// A folder that cannot be looked at: nobody knows whether any of its files is there.
    pub(super) fn unseen(path: &Path) -> Self {
        let why = format!("`{}` cannot be looked at; see whether its disk answers", path.display());
        Self { path: path.to_owned(), why, of_contents: true }
    }
}

/// What was seen of the files. Opening one costs much, also in vain, so it is opened when it has changed.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// Of each file, what it was when it was opened last, and why it did not open.
    opened: HashMap<PathBuf, ([u8; 32], Option<String>)>,
}

impl Condition {
    /// Every file with which a start would fail, or would not go on with the keys of `ring` and those made in advance.
    pub(super) fn look(&mut self, place: &KeyPlace, ring: &KeyRing) -> Vec<KeyFault> {
        let list = KeyList::read(&place.dir);
        let faults = self.faults(place, ring, &list);
        // Whoever changes keys writes the list first and destroys the former ones then.
        let again = KeyList::read(&place.dir);
        if faults.is_empty() || again.as_ref().ok() == list.as_ref().ok() { faults } else { self.faults(place, ring, &again) }
    }

    fn faults(&mut self, place: &KeyPlace, ring: &KeyRing, list: &Result<Option<KeyList>, KeyError>) -> Vec<KeyFault> {
        let mut faults = Vec::new();
        if let Err(error) = files::check_folder(&place.dir) {
            faults.push(KeyFault::of(&place.dir, &error, true));
        }
        let unlock = Unlock::read(&place.unlock).inspect_err(|error| faults.push(KeyFault::of(&place.unlock, error, true))).ok();
        let path = place.dir.join(LIST);
        let records = match list {
            Ok(Some(list)) => &list.keys,
            Ok(None) => {
                if files::holds_later_keys(&place.dir).unwrap_or(true) {
                    faults.push(KeyFault::of(&path, &KeyError::NoList { path: path.clone() }, false));
                }
                ring.records()
            }
            Err(error) => {
                faults.push(KeyFault::of(&path, error, false));
                ring.records()
            }
        };
        let unlock = unlock.as_ref();
        faults.extend(records.iter().filter_map(|record| self.signing(place, unlock, record)));
        faults.extend(self.content(place, unlock, ring));
        faults
    }

    /// A signing key in a file. What one in a token is good for shows when it signs.
    fn signing(&mut self, place: &KeyPlace, unlock: Option<&Unlock>, record: &KeyRecord) -> Option<KeyFault> {
        let KeyHome::File(name) = &record.home else { return None };
        let path = place.dir.join(name);
        let opens = |unlock: &Unlock, text: &[u8]| signer_of(record, &path, text, unlock).map(drop);
        let why = self.outcome(&path, unlock, record.kid.as_bytes(), opens)?;
        Some(KeyFault { path, why, of_contents: false })
    }

    fn content(&mut self, place: &KeyPlace, unlock: Option<&Unlock>, ring: &KeyRing) -> Option<KeyFault> {
        let (path, own) = (place.dir.join(files::CONTENT), ring.content().expose());
        let opens = |unlock: &Unlock, text: &[u8]| {
            let found = content_key_of(&path, text, unlock)?;
            if found.expose() == own { Ok(()) } else { Err(KeyError::OtherContent { path: path.clone() }) }
        };
        let why = self.outcome(&path, unlock, own, opens)?;
        Some(KeyFault { path, why, of_contents: true })
    }

    /// What is wrong with a file. It is opened unless it is as it was the last time, and should be the same; without the secret it is only read.
    pub(super) fn outcome(
        &mut self,
        path: &Path,
        unlock: Option<&Unlock>,
        should_be: &[u8],
        opens: impl FnOnce(&Unlock, &[u8]) -> Result<(), KeyError>,
    ) -> Option<String> {
        let text = match files::read_private(path) {
            Ok(text) => text,
            Err(error) => return Some(error.to_string()),
        };
        let unlock = unlock?;
        let now = unlock.mark(&text, should_be);
        if let Some((then, why)) = self.opened.get(path)
            && *then == now
        {
            return why.clone();
        }
        let why = opens(unlock, &text).err().map(|error| error.to_string());
        self.opened.insert(path.to_owned(), (now, why.clone()));
        why
    }
}
