//! What the ledger needs to know to open, and why it may refuse.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;

use super::keys::ContentKek;
use super::schema;
use crate::core::ledger::note::{NoteError, NoteKey};

/// Length of a journal file: about 5,000 usual entries.
pub const JOURNAL_BYTES: u64 = 8 << 20;

/// Where the log is and under which keys.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// Folder of the log; made if missing.
    pub dir: PathBuf,
    /// Origin line of its checkpoints, also the name of the key that signs them; fixed for the life of the log.
    pub origin: String,
    /// How often a checkpoint is published, busy or idle.
    pub checkpoint_every: Duration,
    /// Entries that may wait for the writer; one more is refused.
    pub queue: usize,
    /// Length of each of the two journal files, in bytes; see [`JOURNAL_BYTES`].
    pub journal_bytes: u64,
    /// Ed25519 public key of the checkpoint signer.
    pub checkpoint_public_key: [u8; 32],
    /// Ed25519 public keys of earlier checkpoint signers.
    pub former_checkpoint_keys: Vec<[u8; 32]>,
    /// X25519 public key of the data-protection officer, to whom trail keys are sealed.
    pub dpo_public_key: [u8; 32],
    /// X25519 public key of the registry's desk for holders, to whom trail keys are sealed too; none where there is no holder's view.
    pub holder_public_key: Option<[u8; 32]>,
    /// The content key-encryption key.
    pub content_kek: ContentKek,
}

impl LedgerConfig {
    /// The keys whose checkpoints are believed, the present one first.
    ///
    /// # Errors
    /// [`NoteError::BadName`] for an origin that cannot name a key.
    pub fn checkpoint_keys(&self) -> Result<Vec<NoteKey>, NoteError> {
        std::iter::once(&self.checkpoint_public_key)
            .chain(&self.former_checkpoint_keys)
            .map(|key| NoteKey::new(&self.origin, *key))
            .collect()
    }
}

impl LedgerError {
    /// Whether the disk had no room, or this process no share of it left.
    pub(super) fn is_for_want_of_room(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded),
            Self::Database(error) => error.sqlite_error_code() == Some(ErrorCode::DiskFull),
            _ => false,
        }
    }

    /// An error of the database of the log in `dir`: one that is damaged is named.
    pub(super) fn of(self, dir: &Path) -> Self {
        match self {
            Self::Database(source) if matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => {
                Self::Damaged { path: schema::database(dir), source }
            }
            other => other,
        }
    }
}

/// Why the ledger does not open.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process has it.
    #[error("the ledger in `{0}` is already open in another process; stop that one first")]
    InUse(PathBuf),
    /// Another process has taken the log over while this one was paused.
    #[error(
        "another process has taken this ledger over; this one writes and signs nothing any more. End it, and restart the one that is meant to run"
    )]
    Fenced,
    /// The folder was copied; the original may be running.
    #[error(
        "the ledger in `{0}` is a copy of another folder, which may be in use: going on in both would be a fork. Start the service, which seals this copy \
         and goes on under a new origin, or put it in place with `estelam log restore`"
    )]
    Copied(PathBuf),
    /// The log ended; another goes on from it.
    #[error("the ledger in `{dir}` is sealed, `{successor}` goes on from it; its `origins.json` is missing or older, bring it back")]
    Sealed {
        /// Folder of the log.
        dir: PathBuf,
        /// Origin of the next log.
        successor: String,
    },
    /// The list of origins does not hold.
    #[error("`{path}` {what}; bring it back from a copy")]
    Origins {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file cannot be used.
    #[error("cannot {what} `{path}`: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refuses.
    #[error("the ledger's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// The journal is full of entries that the database could not take.
    #[error("the ledger's database failed while the journal was full; look at its error above, nothing that was answered is lost")]
    Behind,
    /// Written by another version, or no ledger.
    #[error("`{0}` is not a ledger of this version; do not overwrite it, use the version that wrote it")]
    OtherVersion(PathBuf),
    /// The log was begun under another origin.
    #[error("this ledger was begun with the origin `{stored}`, the configuration says `{configured}`; an origin never changes")]
    OtherOrigin {
        /// In the log.
        stored: String,
        /// In the configuration.
        configured: String,
    },
    /// A stored key cannot be unwrapped.
    #[error(
        "a content key of this ledger does not open with the present `content.key`; restore the key that belongs to this ledger, or run `estelam keys rotate content` again if that broke off"
    )]
    WrongKek,
    /// Nothing is there, or a half.
    #[error("a restore into `{0}` was cut short; run the same `estelam log restore` again")]
    HalfRestored(PathBuf),
    /// The database is no database any more.
    #[error(
        "`{path}` is damaged ({source}); look through it with `estelam log verify`, or move that file aside, nothing else, and put a copy back with \
         `estelam log restore`"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A copy would be written into a log.
    #[error(
        "`{0}` is the folder of a log that is in use, or lies in one, and a copy there would be written into that log; name a folder of the copy's own, \
         best on another disk"
    )]
    NotForCopies(PathBuf),
    /// A copy would be written where others can read it, or beside something else.
    #[error("`{path}` {what}: name a folder that is not there yet, an empty one of mode 0700, or one with an earlier copy of this log")]
    NotForNewCopy {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A reader holds on to pages that are to go.
    #[error(
        "the ledger in `{0}` is still read by another program (a back-up, `estelam log` or an SQLite shell), which keeps old pages alive; end it and run this again"
    )]
    StillRead(PathBuf),
    /// The log does not fit its checkpoint.
    #[error("the ledger does not fit its own checkpoint: {0}; run `estelam log verify` and restore the folder from a copy")]
    Inconsistent(String),
    /// A checkpoint cannot be signed or read.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// The cryptographic library failed.
    #[error("cannot {0}")]
    Crypto(&'static str),
}
