//! The keys of a running gateway: the snapshot in force, exchanged whole when the folder changes.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::condition::{Condition, KeyFault};
use super::record::{KeyList, version_of};
use super::{KeyError, KeyPlace, KeyRing};

/// Holds the key ring that signs now.
#[derive(Debug)]
pub struct KeyStore {
    place: KeyPlace,
    ring: ArcSwap<KeyRing>,
    /// One reading at a time: of two, both would take the same change up.
    reading: Mutex<()>,
    condition: Mutex<Condition>,
    faults: ArcSwap<Vec<KeyFault>>,
}

impl KeyStore {
    /// Opens the keys.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(place: KeyPlace) -> Result<Self, KeyError> {
        let ring = KeyRing::open_at(&place)?;
        Ok(Self {
            place,
            ring: ArcSwap::from_pointee(ring),
            reading: Mutex::default(),
            condition: Mutex::default(),
            faults: ArcSwap::default(),
        })
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

    /// Looks at the files of the keys: what is wrong with them now. It opens those that have changed, which may take a while.
    pub fn look(&self) -> Arc<Vec<KeyFault>> {
        let mut condition = self.condition.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = Arc::new(condition.look(&self.place, &self.ring.load()));
        self.faults.store(faults.clone());
        faults
    }

    /// Notes that the files cannot be looked at.
    pub fn unseen(&self) -> Arc<Vec<KeyFault>> {
        let faults = Arc::new(vec![KeyFault::unseen(&self.place.dir)]);
        self.faults.store(faults.clone());
        faults
    }

    /// What was wrong with the files when they were looked at last. The keys in memory sign all the same.
    pub fn faults(&self) -> Arc<Vec<KeyFault>> {
        self.faults.load_full()
    }

    /// Whether every signing key could sign now: one from a file is in memory, the token of any other answers.
    pub fn signs(&self) -> bool {
        let ring = self.ring.load();
        [ring.tokens(), ring.statements(), ring.checkpoints()].into_iter().all(|signer| signer.ready())
    }
}
