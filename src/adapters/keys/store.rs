//! The keys of a running gateway: the snapshot in force, exchanged whole when the folder changes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::record::{KeyHome, KeyList, KeyRecord, version_of};
use super::{KeyError, KeyPlace, KeyRing, files};

/// Holds the key ring that signs now.
#[derive(Debug)]
pub struct KeyStore {
    place: KeyPlace,
    ring: ArcSwap<KeyRing>,
    /// One reading at a time: of two, both would take the same change up.
    reading: Mutex<()>,
}

impl KeyStore {
    /// Opens the keys.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(place: KeyPlace) -> Result<Self, KeyError> {
        let ring = KeyRing::open_at(&place)?;
        Ok(Self { place, ring: ArcSwap::from_pointee(ring), reading: Mutex::default() })
    }

    /// Where the keys are.
    pub const fn place(&self) -> &KeyPlace {
        &self.place
    }

    /// The snapshot in force.
    pub fn current(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// Names the records of the snapshot in force.
    pub fn version(&self) -> String {
        version_of(self.ring.load().records())
    }

    /// Reads the folder again. Returns the new snapshot if anything changed, once `may` has let it take the place of the old one.
    ///
    /// # Errors
    /// [`KeyError`]; the old snapshot stays in force.
    pub fn reload(&self, may: impl FnOnce(&KeyRing) -> bool) -> Result<Option<Arc<KeyRing>>, KeyError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        // Unlocking costs much, and the list says whether anything changed.
        let listed = KeyList::read(&self.place.dir)?;
        if listed.is_none_or(|list| list.keys == self.ring.load().records()) {
            return Ok(None);
        }
        let fresh = Arc::new(KeyRing::open_at(&self.place)?);
        if !may(&fresh) {
            return Ok(None);
        }
        self.ring.store(fresh.clone());
        Ok(Some(fresh))
    }

    /// Keys that the list has and whose files are gone: their ids and files. While there is any, [`Self::ready`] says no.
    pub fn missing(&self) -> Vec<(String, PathBuf)> {
        let ring = self.ring.load();
        let file = |record: &KeyRecord| match &record.home {
            KeyHome::File(name) => Some((record.kid.clone(), self.place.dir.join(name))),
            KeyHome::Pkcs11(_) | KeyHome::Gone => None,
        };
        ring.records().iter().filter_map(file).filter(|(_, file)| !file.exists()).collect()
    }

    /// Whether every key could sign now and would open again: its file is there, its token answers.
    pub fn ready(&self) -> bool {
        let ring = self.ring.load();
        let answering = [ring.tokens(), ring.statements(), ring.checkpoints()].into_iter().all(|signer| signer.ready());
        answering && self.place.unlock.exists() && self.place.dir.join(files::CONTENT).exists() && self.missing().is_empty()
    }
}
