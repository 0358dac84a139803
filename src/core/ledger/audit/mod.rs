//! What auditors ask of the log, and the port that answers: filters over entries, one person's trail, material for exports.
//!
//! Nothing here names a person. A row never holds a subject tag: whoever may see rows must not be able to join them by person.

mod chain;
mod cursor;
mod damaged;
mod field;
mod filter;
mod fold;
mod sample;
mod stretch;
mod summary;
mod takes;
mod values;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use chain::Gather;
pub use cursor::{BadCursor, Cursor};
pub use damaged::DamagedEntry;
pub use field::Field;
pub use filter::{BadQuery, Filter, Paging, Query, in_column, instant_of};
pub use fold::{Fold, FoldFault, subtrees};
pub use sample::{Ground, Justification, LARGEST_SAMPLE, Sample, rank};
pub use stretch::{Cover, LogList, Stretch};
pub use summary::{ActorCount, Bucket, STEP, ServiceCount, Summary, Tally, is_over, joined};
pub use takes::Takes;
pub use values::FieldValues;
pub use view::{EntryView, ProofView};

use super::leaf::{HEADER_LEN, Header};
use super::reader::LogUnreadable;
use super::tree::Hash;
use super::{EntryContent, EntryKind, RetentionClass};
use crate::core::domain::reason::ReasonCode;

/// One entry as an auditor may see it: checked against its leaf, without subject tags.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Its index.
    pub index: u64,
    /// Ledger time.
    pub time: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// How long its content is kept.
    pub class: RetentionClass,
    /// `answer_id` or `request_id`.
    pub id: Uuid,
    /// salt₁.
    pub salt: Hash,
    /// The header's bytes.
    pub header: [u8; HEADER_LEN],
    /// H(salt₂ ‖ content).
    pub content_commitment: Hash,
    /// The number of its log in the installation's chain of logs, from 0.
    pub log: u16,
    /// The origin of its log, where that is not the present one.
    pub origin: Option<Arc<str>>,
    content: Box<EntryContent>,
}

/// Where an entry is and what its leaf is made of.
#[derive(Clone, Copy, Debug)]
pub struct LeafParts {
    /// Its index.
    pub index: u64,
    /// Ledger time.
    pub time: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// How long its content is kept.
    pub class: RetentionClass,
    /// `answer_id` or `request_id`.
    pub id: Uuid,
    /// salt₁.
    pub salt: Hash,
    /// The header's bytes.
    pub header: [u8; HEADER_LEN],
    /// H(salt₂ ‖ content).
    pub content_commitment: Hash,
}

impl TrailFound {
    /// Whether every epoch of the period was searched, in every log, and nothing in it is damaged.
    pub const fn is_whole(&self) -> bool {
        self.unopened.is_empty() && self.damaged.is_empty() && self.missing.is_empty()
    }
}

impl AuditRow {
    /// A row from an entry; its subject tags are dropped.
    pub fn new(parts: LeafParts, mut content: Box<EntryContent>) -> Self {
        (content.agency_tag, content.trail_tag, content.epoch) = (None, None, None);
        let LeafParts { index, time, kind, class, id, salt, header, content_commitment } = parts;
        Self { index, time, kind, class, id, salt, header, content_commitment, log: 0, origin: None, content }
    }

    /// The same as an entry of this log of a chain.
    #[must_use]
    pub fn of_log(self, log: u16, origin: Option<Arc<str>>) -> Self {
        Self { log, origin, ..self }
    }

    /// The content without subject tags.
    pub const fn content(&self) -> &EntryContent {
        &self.content
    }

    /// Whether it is kept for a minor's time.
    pub fn is_about_a_minor(&self) -> bool {
        Header::decode(&self.header).is_ok_and(|header| header.class == RetentionClass::Minor)
    }

    /// Whether it was answered that several people bear the number: then nobody knows whose entry it is, whoever bears the number now.
    pub fn is_ambiguous(&self) -> bool {
        self.content.reason.as_deref() == Some(ReasonCode::AmbiguousIdentifier.code())
    }
}

/// A search for entries.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Which entries.
    pub filter: Filter,
    /// Most rows.
    pub limit: usize,
    /// Only entries before this index (newest first), or from it on (oldest first).
    pub bound: Option<u64>,
    /// The log that `bound` is an index of; the present one if not given.
    pub log: Option<u16>,
    /// Only the first so many entries of the log; all that are durable if not given. Logs that were sealed are searched whole.
    pub size: Option<u64>,
    /// The log that `size` is the size of, and the last that is searched; the present one if not given.
    pub head: Option<u16>,
    /// Only in the log of this number.
    pub only: Option<u16>,
    /// From the oldest on instead of from the newest.
    pub oldest_first: bool,
    /// Whether all that fit are counted.
    pub counted: bool,
    /// Entries that a sample is not drawn from.
    pub left_out: Vec<DamagedEntry>,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// The rows in their order.
    pub rows: Vec<AuditRow>,
    /// How many entries fit in all; none where it was not asked for.
    pub count: Option<u64>,
    /// The size of the log that was searched; of several, of the last.
    pub size: u64,
    /// The number of that log.
    pub head: u16,
    /// Whether more rows follow.
    pub more: bool,
    /// Entries of the span that was searched of which nobody knows whether they fit.
    pub damaged: Vec<DamagedEntry>,
    /// Origins of logs that were sealed, may have entries of the span, and are not there.
    pub missing: Vec<String>,
}

/// Entries that were asked for by their indices.
#[derive(Debug, Default)]
pub struct Picked {
    /// Those that can be read, in that order.
    pub rows: Vec<AuditRow>,
    /// Indices of those whose content was deleted.
    pub gone: Vec<u64>,
    /// Those that nobody can read.
    pub damaged: Vec<DamagedEntry>,
}

/// The trail key of an epoch, as only the data-protection officer can open it.
#[derive(Clone, Debug)]
pub struct SealedEpoch {
    /// Its name, which begins with its day.
    pub name: String,
    /// The origin of its log, where that is not the present one: the key is bound to it.
    pub origin: Option<Arc<str>>,
    /// The sealed trail key.
    pub sealed: Vec<u8>,
    /// What its key must come to (see [`super::subject::trail_key_check`]); none of an epoch of an earlier build.
    pub check: Option<Hash>,
    /// Whether its keys are in this process's memory still.
    pub current: bool,
}

/// An identifier to search the trail for. Wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    /// Scheme code.
    pub scheme: String,
    /// Normalised value.
    pub value: Zeroizing<String>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({}, …)", self.scheme)
    }
}

/// A trail key that the officer opened. Wiped when dropped.
pub struct OpenedKey {
    /// Its epoch.
    pub epoch: String,
    /// The origin of the epoch's log; none for the present one.
    pub origin: Option<String>,
    /// The key.
    pub key: Zeroizing<[u8; 32]>,
}

/// A search for the entries about some identifiers.
#[derive(Default)]
pub struct TrailSearch {
    /// The identifiers.
    pub traces: Vec<Trace>,
    /// Trail keys that the officer opened for this search.
    pub keys: Vec<OpenedKey>,
    /// Entries from this instant on.
    pub from: Option<Timestamp>,
    /// Entries before this instant.
    pub to: Option<Timestamp>,
}

/// The keys are not shown.
impl std::fmt::Debug for TrailSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrailSearch").field("traces", &self.traces).field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

/// What a trail search found.
#[derive(Debug, Default)]
pub struct TrailFound {
    /// Place of the identifier in the search, and the entry; by index.
    pub rows: Vec<(usize, AuditRow)>,
    /// Epochs that were searched.
    pub searched: usize,
    /// Epochs of the period whose trail key nobody gave, whose given key is another, or which entries name and the log lost.
    pub unopened: Vec<String>,
    /// The size of the log that was searched.
    pub size: u64,
    /// Entries of the period of which nobody knows whom they are about.
    pub damaged: Vec<DamagedEntry>,
    /// Origins of logs that were sealed, may have entries of the period, and are not there.
    pub missing: Vec<String>,
}

/// Answers auditors' questions about the log.
#[async_trait]
pub trait LogAudit: Send + Sync + 'static {
    /// Searches for entries. Every row was checked against its leaf.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn search(&self, search: Search) -> Result<Found, LogUnreadable>;

    /// Draws `search.limit` of the entries that fit by a seed; the count is of all that fit. What nobody can read is left out and named: `damaged` has
    /// all of it, and no entry that lies in it is drawn or counted.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn draw(&self, search: Search, seed: String) -> Result<Found, LogUnreadable>;

    /// Some entries of a log by index.
    ///
    /// # Errors
    /// [`LogUnreadable`], also where there is no such log.
    async fn pick(&self, log: u16, indices: Vec<u64>) -> Result<Picked, LogUnreadable>;

    /// The epochs of a period, by time.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn epochs(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<SealedEpoch>, LogUnreadable>;

    /// Counts per day (UTC) and agency, as they may be told; of days that are over as they were kept then.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn summary(&self, from: Option<Date>, to: Option<Date>, now: Timestamp) -> Result<Summary, LogUnreadable>;

    /// Every log; of those that are not there the ones that may have entries from an instant on.
    fn logs(&self, from: Option<Timestamp>) -> LogList;

    /// The checkpoints under which all entries of a log stand, by size. Of the present log the last one covers all that is durable; of a sealed one it is its own last,
    /// and then its seal where that did not reach the end. Where a leaf near the end is lost there is an earlier one before, up to which all is proved.
    ///
    /// # Errors
    /// [`LogUnreadable`], also where there is no such log.
    async fn stretches(&self, log: u16) -> Result<Vec<Stretch>, LogUnreadable>;

    /// What proves rows of a stretch (by index, ascending), of which all before `at` is proved already; with `end` also that nothing but the gap comes after them.
    ///
    /// # Errors
    /// [`LogUnreadable`], also where there is no such log.
    async fn cover(&self, stretch: Stretch, at: u64, rows: Vec<u64>, end: bool) -> Result<Cover, LogUnreadable>;

    /// Searches for the entries about some identifiers. Keys that were given are wiped before this returns.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn trail(&self, search: TrailSearch) -> Result<TrailFound, LogUnreadable>;
}
