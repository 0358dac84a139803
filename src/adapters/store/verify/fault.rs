//! What `log verify` can find wrong.

use std::path::PathBuf;

use crate::adapters::store::config::LedgerError;
use crate::core::ledger::note::NoteError;

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// No row has this index.
    #[error("it is missing")]
    Missing,
    /// Fields of wrong lengths, or an unknown header.
    #[error("its header is not in a known form")]
    Header,
    /// Earlier than the entry before it.
    #[error("its time is before that of the entry before it")]
    Time,
    /// The leaf is not the hash of salt, header and content commitment.
    #[error("its leaf does not fit its header and content commitment")]
    Leaf,
    /// The content does not decrypt.
    #[error("its content does not decrypt")]
    ContentDamaged,
    /// The content's key is gone or does not unwrap.
    #[error("the key of its content is missing or does not open with this key file")]
    ContentKey,
    /// The content is not what was committed to.
    #[error("its content does not fit the commitment")]
    ContentCommitment,
    /// The content is no canonical JSON of a known form.
    #[error("its content is not in a known form")]
    ContentForm,
    /// The content belongs to another answer.
    #[error("its id is not the one in its content")]
    OtherId,
    /// The content is gone and no recorded purge destroyed its key.
    #[error("its content is gone and no recorded purge deleted it")]
    ContentGone,
    /// The content names an epoch that the log does not have: whom it is about can be looked for by nobody.
    #[error("the trail key of its epoch is gone, or stands under another name: no trail finds it; put the table `epoch` back from a copy")]
    EpochGone,
    /// A purge deleted the content although its time was not over.
    #[error("the purge at entry {purge} deleted its content before its retention time was over")]
    ContentNotDue {
        /// The entry that records the purge.
        purge: u64,
    },
    /// A purge deleted the content as one of another retention class.
    #[error("the purge at entry {purge} deleted its content as one of another retention class")]
    ContentClass {
        /// The entry that records the purge.
        purge: u64,
    },
}

/// Why a log does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database cannot be opened.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The database or a key file cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database failed on the way.
    #[error("the ledger's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// A thread that checked entries ended before its time.
    #[error("a thread that checks entries ended before its time; run it again")]
    Stopped,
    /// Something in the database acts on its own.
    #[error("its database has the trigger or view `{0}`, which is none of ours: it acts by the hands of whoever reads or writes")]
    Stranger(String),
    /// A log does not go on from the one before it.
    #[error("the log `{origin}` does not go on from the one before it: {what}")]
    Succession {
        /// Its origin.
        origin: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A checkpoint of a log that is none of these.
    #[error("the checkpoint that was handed in is of the log `{0}`, which is none of this installation")]
    OtherLog(String),
    /// Something in a log that was sealed.
    #[error("the sealed log `{origin}`: {fault}")]
    Sealed {
        /// Its origin.
        origin: String,
        /// What is wrong.
        fault: Box<VerifyError>,
    },
    /// The first bad entry.
    #[error("entry {index} is bad: {what}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong.
        what: BadEntry,
    },
    /// The record of a purge does not hold.
    #[error("the record of the purge at entry {index} is bad: {what}")]
    Purge {
        /// The entry that it names.
        index: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A purge does not rest on what it must rest on.
    #[error("the purge at entry {index} does not hold: {what}")]
    PurgeGround {
        /// The entry that records it.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// More contents are gone than purges say.
    #[error(
        "{missing} contents under the key {key} are gone, and the record of its purge says {recorded}: some were taken away without one"
    )]
    Deletions {
        /// Number of the content key.
        key: i64,
        /// Contents that are gone.
        missing: u64,
        /// Contents that were purged.
        recorded: u64,
    },
    /// Counts of a day are not what was kept.
    #[error("the counts of {day} {what}; put the table `day_count` back from a copy of the log")]
    Counts {
        /// The day.
        day: jiff::civil::Date,
        /// What is wrong.
        what: &'static str,
    },
    /// The index by id and the entries differ.
    #[error("the index of entries by id does not fit the entries: some answers cannot be found, or others are found in their place")]
    Index,
    /// A stored subtree root is wrong or missing.
    #[error("the stored hash of tile level {level}, index {index} does not fit the entries")]
    Node {
        /// Tile level.
        level: u8,
        /// Index within the level.
        index: u64,
    },
    /// A stored checkpoint does not hold by itself.
    #[error("stored checkpoint {seq} is bad: {fault}")]
    Checkpoint {
        /// Its number in the store.
        seq: u64,
        /// What is wrong.
        fault: NoteError,
    },
    /// They are numbered without a gap.
    #[error("stored checkpoint {seq} is gone: what was signed there nobody can tell any more")]
    CheckpointGone {
        /// Its number in the store.
        seq: u64,
    },
    /// The row and the note disagree.
    #[error("stored checkpoint {seq} is bad: its row says another size than its note")]
    CheckpointSize {
        /// Its number in the store.
        seq: u64,
    },
    /// The checkpoint from elsewhere does not hold by itself.
    #[error("the checkpoint that was handed in is bad: {0}")]
    SeenCheckpoint(NoteError),
    /// The tree has another root than a checkpoint says.
    #[error("{} over {size} entries does not fit: an entry from {good} to {} was altered", named(*seq), size.saturating_sub(1))]
    Root {
        /// Number in the store; none for the one handed in.
        seq: Option<u64>,
        /// Size that it covers.
        size: u64,
        /// Size of the last checkpoint that fits.
        good: u64,
    },
    /// The journal and the database do not agree.
    #[error("the journal was written over other first {size} entries than the database has: an entry from {good} to {} was altered", size.saturating_sub(1))]
    Journal {
        /// Size at which they differ.
        size: u64,
        /// Size of the last checkpoint that fits.
        good: u64,
    },
    /// A log has its first checkpoint before its first entry.
    #[error("it has entries and no checkpoint: somebody took its checkpoints away, and entry 0 may be altered like any other")]
    NoCheckpoint,
    /// Entries are gone from the end.
    #[error("{} covers {size} entries, only {total} are stored: entry {total} is missing", named(*seq))]
    Lost {
        /// Number in the store; none for the one handed in.
        seq: Option<u64>,
        /// Size that it covers.
        size: u64,
        /// Entries stored.
        total: u64,
    },
}

fn named(seq: Option<u64>) -> String {
    seq.map_or_else(|| "the checkpoint that was handed in".into(), |seq| format!("stored checkpoint {seq}"))
}
