//! Reading the contents of entries offline: beside a running service or on a copy, never writing.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use uuid::Uuid;

use super::config::LedgerError;
use super::contents::{Contents, Opened};
use super::keys::ContentKek;
use super::{nodes, recovery, schema};
use crate::core::ledger::content;
use crate::core::ledger::leaf::Header;
use crate::core::ledger::{EntryContent, EntryKind};

/// Entries read in one go.
const CHUNK: u64 = 1024;
/// Length of the salt before a content.
const SALT: usize = 32;

/// One entry as it was read.
#[derive(Debug)]
pub struct StoredEntry {
    /// Its index.
    pub index: u64,
    /// `answer_id` or `request_id`.
    pub id: Uuid,
    /// Ledger time.
    pub time: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// Its content.
    pub content: StoredContent,
}

/// What became of an entry's content.
#[derive(Debug)]
pub enum StoredContent {
    /// It is there.
    Kept(Box<EntryContent>),
    /// It was deleted when due.
    Deleted,
    /// It does not open or is in no known form.
    Unreadable,
}

/// The retry mark of an answer.
#[derive(Debug)]
pub struct StoredMark {
    /// The tag of its key.
    pub key: String,
    /// That of its body, if it has one.
    pub of_body: Option<String>,
    /// Its `answer_id`, or that of the answer which it was a retry of.
    pub first: Uuid,
    /// When the call came, by its id; ledger time stands still after a clock that was ahead.
    pub time: Timestamp,
}

/// A log that is open for reading alone.
pub struct LogEntries {
    conn: Connection,
    contents: Contents,
}

impl LogEntries {
    /// Opens the log in a folder with the key-encryption key of its contents.
    ///
    /// # Errors
    /// [`LedgerError`]: see [`super::open_offline`]; or the key file cannot be read.
    pub fn open(dir: &Path, content_kek: &ContentKek) -> Result<Self, LedgerError> {
        let conn = recovery::open_offline(dir)?;
        Ok(Self { conn, contents: Contents::load(content_kek)? })
    }

    /// The same; none where a folder has no log, because it was lost before the next one began.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_if_there(dir: &Path, content_kek: &ContentKek) -> Result<Option<Self>, LedgerError> {
        schema::database(dir).exists().then(|| Self::open(dir, content_kek)).transpose()
    }

    /// Hands over every entry with `from <= time < to`, in order; `progress` is told (done, in all) from time to time.
    ///
    /// # Errors
    /// The database fails.
    pub fn between(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
        each: &mut dyn FnMut(StoredEntry),
    ) -> Result<(), LedgerError> {
        let (from, to) = (self.first_at(from)?, self.first_at(to)?);
        let mut each = |entry| {
            each(entry);
            true
        };
        self.read(from, to, progress, &mut each).map(drop)
    }

    /// Hands over every entry from an instant on, in order; ends after one where `each` says no. Whether it came to the end.
    ///
    /// # Errors
    /// The database fails.
    pub fn since(&mut self, from: Timestamp, each: &mut dyn FnMut(StoredEntry) -> bool) -> Result<bool, LedgerError> {
        let (from, to) = (self.first_at(from)?, self.size()?);
        self.read(from, to, &mut |_, _| (), each)
    }

    /// Hands over every answer with a retry mark from an instant to the end, the newest first, some entries' at a time; ends where `each` says
    /// no.
    ///
    /// # Errors
    /// The database fails.
    pub fn marks(&mut self, from: Timestamp, each: &mut dyn FnMut(Vec<StoredMark>) -> bool) -> Result<(), LedgerError> {
        let (from, mut end) = (self.first_at(from)?, self.size()?);
        while end > from {
            let start = end.saturating_sub(CHUNK).max(from);
            let mut marks = Vec::new();
            for row in self.rows(start, end)?.into_iter().rev() {
                marks.extend(self.mark(&row)?);
            }
            if !each(marks) {
                return Ok(());
            }
            end = start;
        }
        Ok(())
    }

    /// The mark of an answer, if it has one. Of millions few have one, so a content is looked through before it is taken apart.
    fn mark(&mut self, row: &Row) -> Result<Option<StoredMark>, LedgerError> {
        let header = Header::decode(&row.header).ok().filter(|header| header.kind == EntryKind::Answer);
        let Some((header, sealed)) = header.zip(row.sealed.as_ref()) else { return Ok(None) };
        let Opened::Plain(plain) = self.contents.open(&self.conn, row.content_key, &row.id, sealed)? else { return Ok(None) };
        let bytes = plain.get(SALT..).unwrap_or_default();
        let (mut key, mut of_body, mut of) = (None, None, None);
        let seen = content::glance(bytes, |name, text| match name {
            b"retry" => key = Some(text.to_owned()),
            b"retry_body" => of_body = Some(text.to_owned()),
            b"retry_of" => of = text.parse().ok(),
            _ => {}
        });
        if seen.is_none()
            && let Ok(read) = content::decode(bytes)
        {
            (key, of_body, of) = (read.content.retry, read.content.retry_body, read.content.retry_of.and_then(|of| of.parse().ok()));
        }
        let id = Uuid::from_slice(&row.id).unwrap_or_default();
        let time = made_at(id).map_or(header.time, |made| made.min(header.time));
        Ok(key.map(|key| StoredMark { key, of_body, first: of.unwrap_or(id), time }))
    }

    fn read(
        &mut self,
        mut index: u64,
        end: u64,
        progress: &mut dyn FnMut(u64, u64),
        each: &mut dyn FnMut(StoredEntry) -> bool,
    ) -> Result<bool, LedgerError> {
        let (start, total) = (index, end.saturating_sub(index));
        while index < end {
            for row in self.rows(index, (index + CHUNK).min(end))? {
                if !each(self.entry(row)?) {
                    return Ok(false);
                }
            }
            index = (index + CHUNK).min(end);
            progress(index - start, total);
        }
        Ok(true)
    }

    /// The first entry with this id; `None` when there is none.
    ///
    /// # Errors
    /// The database fails.
    pub fn find(&mut self, id: Uuid) -> Result<Option<StoredEntry>, LedgerError> {
        let row = self
            .conn
            .prepare_cached("SELECT idx, id, header, content_key, sealed FROM entry WHERE id = ?1 ORDER BY idx LIMIT 1")?
            .query_row([id.as_bytes().as_slice()], Row::read)
            .optional()?;
        row.map(|row| self.entry(row)).transpose()
    }

    /// The first index whose ledger time is not before `at`: ledger time never decreases.
    fn first_at(&self, at: Timestamp) -> Result<u64, LedgerError> {
        let (mut low, mut high) = (0, self.size()?);
        while low < high {
            let middle = low + (high - low) / 2;
            let header: Vec<u8> =
                self.conn.prepare_cached("SELECT header FROM entry WHERE idx = ?1")?.query_row([middle], |row| row.get(0))?;
            let before = Header::decode(&header).is_ok_and(|header| header.time < at);
            if before { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Entries in all, those of the journal too.
    fn size(&self) -> Result<u64, LedgerError> {
        Ok(nodes::stored_size(&self.conn)?)
    }

    fn rows(&self, from: u64, to: u64) -> Result<Vec<Row>, LedgerError> {
        let mut select =
            self.conn.prepare_cached("SELECT idx, id, header, content_key, sealed FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
        let rows = select.query_map((from, to), Row::read)?.collect::<rusqlite::Result<_>>()?;
        Ok(rows)
    }

    fn entry(&mut self, row: Row) -> Result<StoredEntry, LedgerError> {
        let header = Header::decode(&row.header).ok();
        let deleted = row.sealed.is_none() && self.contents.is_destroyed(&self.conn, row.content_key)?;
        let content = match (&row.sealed, &header) {
            (None, _) if deleted => StoredContent::Deleted,
            (None, _) | (Some(_), None) => StoredContent::Unreadable,
            (Some(sealed), Some(_)) => match self.contents.open(&self.conn, row.content_key, &row.id, sealed)? {
                Opened::Plain(plain) => read(&plain),
                Opened::NoKey | Opened::Damaged => StoredContent::Unreadable,
            },
        };
        Ok(StoredEntry {
            index: row.index,
            id: Uuid::from_slice(&row.id).unwrap_or_default(),
            time: header.map_or(Timestamp::MIN, |header| header.time),
            kind: header.map_or(EntryKind::Admin, |header| header.kind),
            content,
        })
    }
}

/// The instant in a version 7 id.
fn made_at(id: Uuid) -> Option<Timestamp> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

fn read(plain: &[u8]) -> StoredContent {
    let decoded = plain.split_at_checked(SALT).and_then(|(_, bytes)| content::decode(bytes).ok());
    decoded.map_or(StoredContent::Unreadable, |decoded| StoredContent::Kept(Box::new(decoded.content)))
}

struct Row {
    index: u64,
    id: Vec<u8>,
    header: Vec<u8>,
    content_key: i64,
    sealed: Option<Vec<u8>>,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { index: row.get(0)?, id: row.get(1)?, header: row.get(2)?, content_key: row.get(3)?, sealed: row.get(4)? })
    }
}
