//! The parts, the stretch in memory, and how both follow the log.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};
use zeroize::Zeroizing;

use super::columns::{Columns, Part as _};
use super::damage::Damage;
use super::file::{self, FilePart, Listed};
use super::list::List;
use super::rows;
use super::{CHUNK, STRETCH, SegmentError};
use crate::adapters::store::contents::Contents;

/// Keys of contents that are about anybody: administrative ones keep no epoch.
const LIVE_KEYS: &str = "SELECT seq FROM content_key WHERE class <> 3 UNION ALL SELECT -seq FROM held_key WHERE class <> 3";

/// Where searches look.
pub(in crate::adapters::store) struct Index {
    dir: PathBuf,
    /// Whether files are written: only by the process that has the log open.
    writes: bool,
    loaded: bool,
    pub(super) list: List,
    /// The stretch after the files, by content key.
    tail: BTreeMap<i64, Columns>,
    /// Parts made again beside the process that writes.
    mended: Vec<(i64, Columns)>,
    /// Parts made again since the last step: none is twice.
    mended_now: Vec<Listed>,
    /// Parts of the list whose key is gone though no purge destroyed it: their entries are noted by the next step.
    lost: Vec<Listed>,
    /// Entries before this one are in files or in the tail.
    seen: u64,
    days: HashMap<i64, i64>,
    /// How many damaged entries were looked at again.
    looked: u64,
}

impl Index {
    /// The index of the log in `dir`; nothing is read yet.
    pub(in crate::adapters::store) fn new(dir: &Path, writes: bool) -> Self {
        let (list, tail, mended, mended_now, lost) = (List::default(), BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
        let (dir, days) = (dir.join("segments"), HashMap::new());
        Self { dir, writes, loaded: false, list, tail, mended, mended_now, lost, seen: 0, days, looked: 0 }
    }

    /// The parts in memory, with their keys.
    pub(super) fn in_memory(&self) -> impl Iterator<Item = (i64, &Columns)> {
        self.tail.iter().map(|(key, columns)| (*key, columns)).chain(self.mended.iter().map(|(key, columns)| (*key, columns)))
    }

    /// Entries of a log of this size that are not looked at yet.
    pub(in crate::adapters::store) const fn behind(&self, size: u64) -> u64 {
        size.saturating_sub(self.seen)
    }

    /// Looks at up to `most` entries that came since; the stretch in memory becomes files when it is long enough.
    pub(in crate::adapters::store) fn follow(
        &mut self,
        conn: &Connection,
        contents: &Mutex<Contents>,
        size: u64,
        most: u64,
    ) -> Result<(), SegmentError> {
        self.mended_now.clear();
        self.follow_on(conn, contents, size, most).inspect_err(|_| self.reload())
    }

    fn follow_on(&mut self, conn: &Connection, contents: &Mutex<Contents>, size: u64, most: u64) -> Result<(), SegmentError> {
        self.load(conn, contents)?;
        for lost in std::mem::take(&mut self.lost) {
            self.list.parts.retain(|known| *known != lost);
            self.add_again(conn, contents, lost.key, lost.extent.first, lost.extent.last + 1)?;
        }
        let until = size.min(self.seen.saturating_add(most));
        while self.seen < until {
            let end = (self.seen + CHUNK).min(until);
            self.take(conn, contents, (self.seen, end))?;
            self.seen = end;
            if self.writes && self.seen - self.list.covered >= STRETCH {
                self.write_stretch(conn, contents)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, conn: &Connection, contents: &Mutex<Contents>, stretch: (u64, u64)) -> Result<(), SegmentError> {
        // Before the rows are read: a key that is destroyed since is forgotten after this.
        let (mut contents, mut plain) = (contents.lock().unwrap_or_else(PoisonError::into_inner), Zeroizing::default());
        let missing = rows::each(conn, stretch, |raw| {
            let seen = raw.glimpse(conn, &mut contents, &mut plain, |entry| {
                self.tail.entry(raw.key()).or_default().add(entry);
                entry.epoch.into_iter().for_each(|epoch| self.list.name_epoch(raw.key(), epoch));
            });
            seen.or_else(|error| self.list.note(error).map(drop))
        })?;
        self.note_missing(missing)
    }

    fn note_missing(&mut self, missing: Vec<u64>) -> Result<(), SegmentError> {
        missing.into_iter().try_for_each(|index| self.list.note(SegmentError::Damaged(Damage::one(index, None, None))).map(drop))
    }

    /// Files of all that is in memory, then a list that names them. Where one of them cannot be written, whoever called forgets all of it.
    fn write_stretch(&mut self, conn: &Connection, contents: &Mutex<Contents>) -> Result<(), SegmentError> {
        for (key, columns) in std::mem::take(&mut self.tail) {
            self.add_part(conn, contents, key, &columns)?;
        }
        self.list.covered = self.seen;
        self.write_list(conn, contents)
    }

    fn add_part(&mut self, conn: &Connection, contents: &Mutex<Contents>, key: i64, columns: &Columns) -> Result<(), SegmentError> {
        let Some(day) = self.day_of(conn, key)? else { return self.lose(conn, contents, key, columns) };
        let listed = Listed { key, day, extent: columns.extent() };
        std::fs::create_dir_all(&self.dir)?;
        let mut open = contents.lock().unwrap_or_else(PoisonError::into_inner);
        let written = open.with_key(conn, key, |cipher| file::write(&self.dir, &listed, cipher, columns))?;
        drop(open);
        let Some(written) = written else { return self.lose(conn, contents, key, columns) };
        written?;
        self.list.parts.push(listed);
        Ok(())
    }

    /// Gives up a part whose key is gone; where no purge destroyed that, its entries are damaged.
    fn lose(&mut self, conn: &Connection, contents: &Mutex<Contents>, key: i64, columns: &Columns) -> Result<(), SegmentError> {
        if contents.lock().unwrap_or_else(PoisonError::into_inner).is_destroyed(conn, key)? {
            return Ok(());
        }
        let lost = columns.indices.iter().zip(&columns.times);
        let mut damaged = lost.map(|(index, time)| SegmentError::Damaged(Damage::one(*index, Some(key), Some(*time))));
        damaged.try_for_each(|error| self.list.note(error).map(drop))
    }

    fn write_list(&mut self, conn: &Connection, contents: &Mutex<Contents>) -> Result<(), SegmentError> {
        if self.writes { self.list.write(&self.dir, conn, contents) } else { Ok(()) }
    }

    /// Reads the list once.
    fn load(&mut self, conn: &Connection, contents: &Mutex<Contents>) -> Result<(), SegmentError> {
        if self.loaded {
            return Ok(());
        }
        self.list = List::read(&self.dir, conn, contents)?;
        let (covered, mut kept) = (self.list.covered, Vec::new());
        let mut open = contents.lock().unwrap_or_else(PoisonError::into_inner);
        // What lies beyond is looked at again with the rest.
        for listed in std::mem::take(&mut self.list.parts).into_iter().filter(|listed| listed.extent.last < covered) {
            let there = open.key(conn, listed.key)?.is_some();
            if there || !open.is_destroyed(conn, listed.key)? {
                kept.push(listed);
                self.lost.extend((!there).then_some(listed));
            }
        }
        drop(open);
        self.list.parts = kept;
        self.list.damaged.keep_before(covered);
        (self.seen, self.loaded) = (covered, true);
        self.remove_strangers()?;
        self.find_held(conn, contents)
    }

    /// Removes files that no list names: of keys that are gone, or of a stretch whose list was not written.
    fn remove_strangers(&self) -> Result<(), SegmentError> {
        let Ok(files) = std::fs::read_dir(&self.dir) else { return Ok(()) };
        let named: std::collections::HashSet<PathBuf> = self.list.parts.iter().map(|listed| listed.path(&self.dir)).collect();
        for file in files.filter(|_| self.writes) {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "seg" || extension == "tmp") && !named.contains(&path) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Entries that a purge held are under new keys; a crash may have come before they were listed.
    fn find_held(&mut self, conn: &Connection, contents: &Mutex<Contents>) -> Result<(), SegmentError> {
        let mut select = conn.prepare("SELECT -seq FROM held_key")?;
        let keys: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for key in keys.into_iter().filter(|key| !self.list.parts.iter().any(|listed| listed.key == *key)).collect::<Vec<_>>() {
            self.add_again(conn, contents, key, 0, self.list.covered)?;
        }
        Ok(())
    }

    /// Makes the part of one key anew from entries `from..to`.
    fn add_again(&mut self, conn: &Connection, contents: &Mutex<Contents>, key: i64, from: u64, to: u64) -> Result<(), SegmentError> {
        let (mut at, mut columns, mut plain) = (from, Columns::default(), Zeroizing::default());
        while at < to {
            let end = (at + CHUNK).min(to);
            let mut open = contents.lock().unwrap_or_else(PoisonError::into_inner);
            let missing = rows::each(conn, (at, end), |raw| {
                if raw.key() != key {
                    return Ok(());
                }
                let seen = raw.glimpse(conn, &mut open, &mut plain, |entry| {
                    columns.add(entry);
                    entry.epoch.into_iter().for_each(|epoch| self.list.name_epoch(key, epoch));
                });
                seen.or_else(|error| self.list.note(error).map(drop))
            })?;
            drop(open);
            self.note_missing(missing)?;
            at = end;
        }
        if columns.indices.is_empty() {
            return Ok(());
        }
        if self.writes {
            self.add_part(conn, contents, key, &columns)?;
            return self.write_list(conn, contents);
        }
        self.mended.push((key, columns));
        Ok(())
    }

    /// Makes a part anew whose file is not usable; once in a search, since what cannot be read back at once never will be.
    pub(super) fn mend(&mut self, conn: &Connection, contents: &Mutex<Contents>, listed: &Listed) -> Result<(), SegmentError> {
        if self.mended_now.contains(listed) {
            return Err(SegmentError::Unusable(listed.extent.first, listed.extent.last));
        }
        self.mended_now.push(*listed);
        tracing::warn!(first = listed.extent.first, last = listed.extent.last, "a part of the log's index is not usable and is made again");
        metrics::counter!("estelam_log_index_mended_total").increment(1);
        self.list.parts.retain(|known| known != listed);
        self.add_again(conn, contents, listed.key, listed.extent.first, listed.extent.last + 1).inspect_err(|_| self.reload())
    }

    /// The same as [`List::note`], for entries that were damaged after they were looked at: what has them is made again without them. Whether any
    /// was not known.
    pub(super) fn note_all(&mut self, conn: &Connection, contents: &Mutex<Contents>, damaged: Vec<Damage>) -> Result<bool, SegmentError> {
        let mut new = Vec::new();
        for one in damaged {
            new.extend(self.list.note(SegmentError::Damaged(one))?.then_some(one.first));
        }
        if new.iter().any(|index| *index >= self.list.covered) {
            (self.tail, self.seen) = (BTreeMap::new(), self.list.covered);
        }
        if self.mended.iter().any(|(_, columns)| new.iter().any(|index| columns.indices.contains(index))) {
            self.forget_all();
            return Ok(true);
        }
        let has = |listed: &&Listed| new.iter().any(|index| (listed.extent.first..=listed.extent.last).contains(index));
        for listed in self.list.parts.iter().filter(has).copied().collect::<Vec<_>>() {
            self.mend(conn, contents, &listed)?;
        }
        Ok(!new.is_empty())
    }

    /// Those of the first `size` entries that no search finds, since they do not fit their leaves. One that was purged is none of them any more; where one
    /// was put right, the index is made again by the next search.
    pub(super) fn damaged(&mut self, conn: &Connection, contents: &Mutex<Contents>, size: u64) -> Result<Vec<Damage>, SegmentError> {
        let destroyed = |key| Ok(contents.lock().unwrap_or_else(PoisonError::into_inner).is_destroyed(conn, key)?);
        self.list.damaged.forget(destroyed)?;
        self.list.damaged.bound(conn)?;
        let found = self.list.damaged.all().into_iter().filter_map(|damage| damage.before(size)).collect();
        let again = self.list.damaged.to_look_at(self.looked);
        self.looked = self.looked.wrapping_add(again.len() as u64);
        for index in again {
            match rows::one(conn, contents, index) {
                Err(SegmentError::Damaged(_)) => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    self.forget_all();
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Epochs that contents name and the table lacks, or has under another name. They go with the last content of their day that is about anybody,
    /// and not before: so those that the contents under keys still stored name must be there.
    pub(super) fn lost_epochs(&self, conn: &Connection) -> Result<Vec<String>, SegmentError> {
        let texts =
            |select: &str| conn.prepare_cached(select)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<HashSet<String>>>();
        // In this order: a purge destroys the keys of a day before it forgets its epochs.
        let there = texts("SELECT name FROM epoch")?;
        let mut select = conn.prepare_cached(LIVE_KEYS)?;
        let keys = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<HashSet<i64>>>()?;
        let named = self.list.epochs.iter().filter(|(key, _)| keys.contains(key)).flat_map(|(_, epochs)| epochs);
        Ok(named.filter(|epoch| !there.contains(*epoch)).cloned().collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Forgets everything; the next search makes it again from the log.
    pub(super) fn forget_all(&mut self) {
        (self.list, self.tail, self.mended, self.seen) = (List::default(), BTreeMap::new(), Vec::new(), 0);
        self.lost.clear();
    }

    /// After an error, when nobody knows what was taken up and what was not: the next search begins with what the files have.
    fn reload(&mut self) {
        self.forget_all();
        self.days.clear();
        self.loaded = false;
    }

    /// Forgets destroyed keys and removes their files; `held` are entries that a hold keeps under new keys.
    pub(in crate::adapters::store) fn purged(
        &mut self,
        conn: &Connection,
        contents: &Mutex<Contents>,
        keys: &[i64],
        held: &[u64],
    ) -> Result<(), SegmentError> {
        self.drop_keys(conn, contents, keys, held).inspect_err(|_| self.reload())
    }

    fn drop_keys(&mut self, conn: &Connection, contents: &Mutex<Contents>, keys: &[i64], held: &[u64]) -> Result<(), SegmentError> {
        self.load(conn, contents)?;
        let (gone, kept): (Vec<Listed>, Vec<Listed>) = self.list.parts.iter().partition(|listed| keys.contains(&listed.key));
        self.list.parts = kept;
        self.tail.retain(|key, _| !keys.contains(key));
        self.days.retain(|key, _| !keys.contains(key));
        self.list.epochs.retain(|key, _| !keys.contains(key));
        self.write_list(conn, contents)?;
        for path in gone.iter().map(|listed| listed.path(&self.dir)).filter(|path| path.exists()) {
            std::fs::remove_file(path)?;
        }
        let (Some(first), Some(last)) = (held.iter().min(), held.iter().max()) else { return Ok(()) };
        let mut select = conn.prepare_cached("SELECT DISTINCT content_key FROM entry WHERE idx >= ?1 AND idx <= ?2 AND content_key < 0")?;
        let keys: Vec<i64> = select.query_map((first, last), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for key in keys.into_iter().filter(|key| !self.list.parts.iter().any(|listed| listed.key == *key)).collect::<Vec<_>>() {
            // What is beyond is looked at when the index comes there.
            self.tail.remove(&key);
            self.add_again(conn, contents, key, *first, (*last + 1).min(self.seen))?;
        }
        Ok(())
    }

    /// The day of a content key; none when the key is gone.
    pub(super) fn day_of(&mut self, conn: &Connection, key: i64) -> Result<Option<i64>, SegmentError> {
        if let Some(day) = self.days.get(&key) {
            return Ok(Some(*day));
        }
        let select = if key < 0 { "SELECT day FROM held_key WHERE seq = ?1" } else { "SELECT day FROM content_key WHERE seq = ?1" };
        let day: Option<i64> = conn.prepare_cached(select)?.query_row([key.unsigned_abs()], |row| row.get(0)).optional()?;
        if let Some(day) = day {
            self.days.insert(key, day);
        }
        Ok(day)
    }

    /// Does something with a part's file; none when a purge destroyed its key, an error when the file, or the key that it needs, is not usable.
    pub(super) fn with_part<T>(
        &self,
        conn: &Connection,
        contents: &Mutex<Contents>,
        listed: &Listed,
        work: impl FnOnce(&FilePart<'_>) -> Result<T, file::Unusable>,
    ) -> Result<Option<Result<T, file::Unusable>>, SegmentError> {
        let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome =
            contents.with_key(conn, listed.key, |cipher| FilePart::open(&self.dir, listed, cipher).and_then(|part| work(&part)))?;
        match outcome {
            None if contents.is_destroyed(conn, listed.key)? => Ok(None),
            // Who makes it again finds that its entries are damaged.
            outcome => Ok(Some(outcome.unwrap_or(Err(file::Unusable)))),
        }
    }
}
