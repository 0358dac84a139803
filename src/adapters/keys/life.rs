//! The life of a key: made in advance, put to work, retired; lost, or compromised. One change at a time, whole or not at all.

use std::fs::{self, File};

use jiff::{SignedDuration, Timestamp};

use super::record::{Compromise, KeyHome, KeyList, KeyRecord, KeyState, KeyUse};
use super::ring::open_key;
use super::sealed::Unlock;
use super::{FileSigner, HsmSigner, KeyError, KeyPlace, KeyRing, files};
use crate::core::signing::Algorithm;

/// How keys change by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// After how long a signing key is replaced; `None`: only by command.
    pub rotate_after: Option<SignedDuration>,
    /// How long a key is published before it signs: longer than verifiers keep the key set.
    pub overlap: SignedDuration,
    /// How long a retired statement key stays published.
    pub checkable: SignedDuration,
}

/// How long a retired token key stays: longer than any token lives.
const TOKENS_CHECKABLE: SignedDuration = SignedDuration::from_hours(1);

/// By then every gateway that runs has taken a change of keys up.
const TAKEN_UP: SignedDuration = SignedDuration::from_mins(1);

/// Changes the keys of one installation; others wait for it.
#[derive(Debug)]
pub struct KeyKeeper {
    pub(super) place: KeyPlace,
    pub(super) unlock: Unlock,
    pub(super) list: KeyList,
    _alone: File,
}

impl KeyKeeper {
    /// Takes the key folder for a change. Private keys may be missing: to replace them is what it is for.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(place: KeyPlace) -> Result<Self, KeyError> {
        files::check_folder(&place.dir)?;
        let lock = place.dir.join(".lock");
        let alone = files::at(&lock, crate::files::lock(&lock))?;
        let unlock = Unlock::read(&place.unlock)?;
        let list = match KeyList::read(&place.dir)? {
            Some(list) => list,
            None => KeyList { keys: KeyRing::open_at(&place)?.records().to_vec() },
        };
        Ok(Self { place, unlock, list, _alone: alone })
    }

    /// The records as they stand.
    pub fn records(&self) -> &[KeyRecord] {
        &self.list.keys
    }

    /// Makes a key in advance and publishes it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn standby(&mut self, usage: KeyUse, in_hsm: bool, now: Timestamp) -> Result<String, KeyError> {
        let record = self.make(usage, in_hsm, now)?;
        let kid = record.kid.clone();
        self.list.keys.push(record);
        self.save()?;
        Ok(kid)
    }

    /// Puts the standby key to work, retires the one before it and destroys its private half (in a token a while later, see
    /// [`Self::clear_token`]), makes a new standby key.
    ///
    /// # Errors
    /// [`KeyError::NoStandby`]; [`KeyError::TooYoung`] unless `at_once`.
    pub fn rotate(&mut self, usage: KeyUse, rules: Rules, at_once: bool, now: Timestamp) -> Result<String, KeyError> {
        let (kid, since) = self.next(usage).map(|record| (record.kid.clone(), now.duration_since(record.created)))?;
        if since < rules.overlap && !at_once {
            return Err(KeyError::TooYoung { usage, since: since.as_secs(), needed: rules.overlap.as_secs() });
        }
        self.promote(usage, &kid, KeyState::Retired, rules, now)?;
        Ok(kid)
    }

    /// The private half of the signing key is gone, but nobody has it: the standby key takes over, old answers stay genuine.
    ///
    /// # Errors
    /// [`KeyError::NoStandby`].
    pub fn lost(&mut self, usage: KeyUse, rules: Rules, now: Timestamp) -> Result<String, KeyError> {
        let former = self.list.active(usage).map(|record| record.kid.clone());
        // With the rotation it becomes durable, so that nobody sees the one without the other.
        if let Some(record) = former.and_then(|kid| self.record_mut(&kid)) {
            record.lost = true;
        }
        self.rotate(usage, rules, true, now)
    }

    /// Others may have a key: it is published no more, and what it signed is genuine only under the checkpoint given. If it was
    /// the one that signs, the standby key takes over at once.
    ///
    /// # Errors
    /// [`KeyError::WrongState`]: no such key; [`KeyError::NoStandby`].
    pub fn compromised(&mut self, kid: &str, under: Compromise, rules: Rules, now: Timestamp) -> Result<(), KeyError> {
        let found = self.list.keys.iter().find(|record| record.kid == kid && record.state != KeyState::Compromised);
        let (usage, state) =
            found.map(|record| (record.usage, record.state)).ok_or_else(|| KeyError::WrongState { kid: kid.to_owned() })?;
        let mark = |record: &mut KeyRecord| {
            record.state = KeyState::Compromised;
            record.compromised = Some(under);
        };
        if state != KeyState::Active {
            if let Some(record) = self.record_mut(kid) {
                mark(record);
                record.doom();
            }
            self.save()?;
            return self.destroy_doomed();
        }
        let next = self.next(usage)?.kid.clone();
        if let Some(record) = self.record_mut(kid) {
            mark(record);
        }
        self.promote(usage, &next, KeyState::Compromised, rules, now)
    }

    /// Publishes a retired or standby key no more.
    ///
    /// # Errors
    /// [`KeyError::WrongState`].
    pub fn retire(&mut self, kid: &str) -> Result<(), KeyError> {
        let wrong = || KeyError::WrongState { kid: kid.to_owned() };
        let record = self.record_mut(kid).ok_or_else(wrong)?;
        if !matches!(record.state, KeyState::Standby | KeyState::Retired) {
            return Err(wrong());
        }
        record.state = KeyState::Withdrawn;
        record.doom();
        self.save()?;
        self.destroy_doomed()
    }

    /// What is due: withdraws keys past their time, rotates those that are old enough, makes missing standby keys, destroys what could not be
    /// destroyed before. Returns whether anything changed that verifiers or signers see.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn keep(&mut self, rules: Rules, now: Timestamp) -> Result<bool, KeyError> {
        self.destroy_doomed()?;
        let mut changed = self.withdraw_due(now);
        let due =
            |record: &KeyRecord| rules.rotate_after.is_some_and(|after| now.duration_since(record.signs_from.unwrap_or(now)) >= after);
        for usage in [KeyUse::Tokens, KeyUse::Statements] {
            let Some(active) = self.list.active(usage).cloned() else { continue };
            let standby = self.next(usage).ok().map(|record| record.created);
            match standby {
                None if usage == KeyUse::Statements || due(&active) => {
                    self.standby(usage, matches!(active.home, KeyHome::Pkcs11(_)), now)?;
                    changed = true;
                }
                Some(created) if due(&active) && now.duration_since(created) >= rules.overlap => {
                    self.rotate(usage, rules, false, now)?;
                    changed = true;
                }
                _ => {}
            }
        }
        if changed {
            self.save()?;
        }
        Ok(changed)
    }

    /// Destroys keys in the token that stopped signing a while ago, so that nobody asks for them any more. Returns whether anything changed.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn clear_token(&mut self, now: Timestamp) -> Result<bool, KeyError> {
        let stopped = |record: &KeyRecord| {
            matches!(record.home, KeyHome::Pkcs11(_))
                && !matches!(record.state, KeyState::Active | KeyState::Standby)
                && record.signs_until.is_none_or(|until| now.duration_since(until) >= TAKEN_UP)
        };
        let mut changed = false;
        for record in self.list.keys.iter_mut().filter(|record| stopped(record)) {
            record.doom();
            changed = true;
        }
        if changed {
            self.save()?;
            self.destroy_doomed()?;
        }
        Ok(changed)
    }

    fn withdraw_due(&mut self, now: Timestamp) -> bool {
        let mut changed = false;
        for record in &mut self.list.keys {
            if record.state == KeyState::Retired && record.checkable_until.is_some_and(|until| until <= now) {
                record.state = KeyState::Withdrawn;
                changed = true;
            }
        }
        changed
    }

    fn next(&self, usage: KeyUse) -> Result<&KeyRecord, KeyError> {
        self.list.of(usage, KeyState::Standby).next().ok_or(KeyError::NoStandby { usage })
    }

    fn promote(&mut self, usage: KeyUse, kid: &str, former: KeyState, rules: Rules, now: Timestamp) -> Result<(), KeyError> {
        let next = self.list.keys.iter().find(|record| record.kid == kid).ok_or_else(|| KeyError::WrongState { kid: kid.to_owned() })?;
        // A standby key that does not open must not take the place of one that works.
        drop(open_key(&self.place, &self.unlock, next)?);
        let in_hsm = matches!(next.home, KeyHome::Pkcs11(_));
        let spare = if usage == KeyUse::Statements { Some(self.make(usage, in_hsm, now)?) } else { None };
        let checkable = if usage == KeyUse::Tokens { TOKENS_CHECKABLE } else { rules.checkable };
        for record in self.list.keys.iter_mut().filter(|record| record.usage == usage) {
            let stops = record.state == KeyState::Active || record.state == former && record.signs_until.is_none();
            if record.kid == kid {
                record.state = KeyState::Active;
                record.signs_from = Some(now);
            } else if stops && record.signs_from.is_some() {
                record.state = former;
                record.signs_until = Some(now);
                record.checkable_until = now.checked_add(checkable).ok();
                // A gateway that runs has a file's key in memory, but asks the token until it has taken this change up.
                if former == KeyState::Compromised || !matches!(record.home, KeyHome::Pkcs11(_)) {
                    record.doom();
                }
            }
        }
        self.list.keys.extend(spare);
        self.save()?;
        self.destroy_doomed()
    }

    fn make(&self, usage: KeyUse, in_hsm: bool, now: Timestamp) -> Result<KeyRecord, KeyError> {
        let algorithm = if usage == KeyUse::Checkpoints { Algorithm::EdDsa } else { self.place.algorithm };
        if in_hsm {
            let hsm = self.place.hsm.as_ref().ok_or(KeyError::NoHsm)?;
            let label = format!("estelam-{}-{}", usage.code(), now.as_nanosecond());
            let public = HsmSigner::generate(hsm, &label, algorithm)?;
            return Ok(KeyRecord::new(usage, &public, KeyState::Standby, KeyHome::Pkcs11(label), now));
        }
        let pkcs8 = FileSigner::generate(algorithm).ok_or(KeyError::Generation)?;
        let signer = FileSigner::from_pkcs8(&pkcs8).ok_or(KeyError::Generation)?;
        let name = format!("{}-{}.pem", usage.code(), signer.public_key().kid().get(..12).unwrap_or("new"));
        files::write_new(&self.place.dir.join(&name), self.unlock.seal(&pkcs8).ok_or(KeyError::Generation)?.as_bytes())?;
        files::sync_folder(&self.place.dir)?;
        Ok(KeyRecord::new(usage, signer.public_key(), KeyState::Standby, KeyHome::File(name), now))
    }

    fn record_mut(&mut self, kid: &str) -> Option<&mut KeyRecord> {
        self.list.keys.iter_mut().find(|record| record.kid == kid)
    }

    fn save(&self) -> Result<(), KeyError> {
        self.list.write(&self.place.dir)
    }

    /// Destroys the private halves of which the list says that they are doomed, and notes which are gone. What cannot be destroyed now, because a
    /// token is away, stays in the list and is tried again: the change itself is made by then.
    fn destroy_doomed(&mut self) -> Result<(), KeyError> {
        let doomed: Vec<_> = self.list.keys.iter().filter_map(|record| Some((record.kid.clone(), record.doomed.clone()?))).collect();
        let mut changed = false;
        for (kid, home) in doomed {
            match self.destroy(&home) {
                Ok(()) => {
                    self.record_mut(&kid).into_iter().for_each(|record| record.doomed = None);
                    changed = true;
                }
                Err(error) => tracing::warn!("the private half of {kid} cannot be destroyed yet, and is tried again: {error}"),
            }
        }
        if changed { self.save() } else { Ok(()) }
    }

    fn destroy(&self, home: &KeyHome) -> Result<(), KeyError> {
        match home {
            KeyHome::File(name) => match fs::remove_file(self.place.dir.join(name)) {
                Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
                    Err(KeyError::Io { path: self.place.dir.join(name), source: fault })
                }
                _ => Ok(()),
            },
            KeyHome::Pkcs11(label) => {
                let hsm = self.place.hsm.as_ref().ok_or(KeyError::NoHsm)?;
                HsmSigner::destroy(hsm, label)
            }
            KeyHome::Gone => Ok(()),
        }
    }
}
