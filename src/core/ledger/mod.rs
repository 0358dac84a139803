//! Stage 7: from a signed conclusion to a recorded one. The entry is durable before a [`Recorded`] exists.

pub mod audit;
pub mod checkpoint;
pub mod content;
pub mod cosignature;
pub mod genuine;
pub mod holder;
pub mod leaf;
pub mod note;
pub mod purge_order;
pub mod reader;
pub mod retention;
pub mod room;
pub mod subject;
pub mod succession;
pub mod tile;
pub mod tree;
pub mod witness;
pub mod witness_time;

use std::borrow::Cow;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use self::room::Room;
use super::domain::document::coded_enum;
use super::domain::identifier::Identifier;
use super::domain::nested::Nested;
use super::signing::Signed;

pub use reader::{LogReader, LogUnreadable, ProofBundle};

coded_enum! {
    /// What an entry is about.
    EntryKind {
        /// An answer to a verification query.
        Answer = "answer",
        /// A refusal.
        Refusal = "refusal",
        /// An access token that was issued.
        Token = "token",
        /// A read of the log or of a proof.
        LogRead = "log-read",
        /// An administrative act.
        Admin = "admin",
        /// A change that the registry pushed.
        RegistryEvent = "registry-event",
    }
}

coded_enum! {
    /// How long an entry's content is kept (domain §8).
    RetentionClass {
        /// 90 days.
        Detail = "detail",
        /// 30 days: the holder is a minor.
        Minor = "minor",
        /// One year: administrative acts and counts.
        Admin = "admin",
    }
}

impl RetentionClass {
    /// How many days the content of an entry is kept, counted from its ledger time.
    pub const fn days(self) -> u16 {
        match self {
            Self::Detail => 90,
            Self::Minor => 30,
            Self::Admin => 365,
        }
    }
}

/// What is handed to the ledger.
#[derive(Debug)]
pub struct Entry {
    /// What it is about.
    pub kind: EntryKind,
    /// How long its content is kept.
    pub class: RetentionClass,
    /// When the call was concluded; the ledger moves it forward if its own time is later.
    pub time: Timestamp,
    /// `answer_id` or `request_id`.
    pub id: uuid::Uuid,
    /// SHA-256 of the compact statement that leaves.
    pub statement_digest: [u8; 32],
    /// Whom the call was about; becomes keyed tags and is then dropped.
    pub subject: Option<Identifier>,
    /// The rest, encrypted at rest and deleted when due.
    pub content: Box<EntryContent>,
}

/// The deletable part of an entry: no number, no name, no birth date, no unkeyed digest (contract §6).
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize)]
pub struct EntryContent {
    /// Route name.
    pub route: Cow<'static, str>,
    /// Agency.
    pub agency: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// First 16 hex digits of the certificate's SHA-256.
    pub certificate: Option<String>,
    /// How well it was known that the certificate is not revoked, where a list was past its date.
    #[serde(default)]
    pub assurance: Option<String>,
    /// Actor.
    pub actor: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Purpose.
    pub purpose: Option<String>,
    /// Agency's reference.
    pub reference: Option<String>,
    /// Outcome code of an answer.
    pub decision: Option<Cow<'static, str>>,
    /// Exact reason code of an answer.
    pub reason: Option<Cow<'static, str>>,
    /// Refusal code.
    pub code: Option<Cow<'static, str>>,
    /// How many refusals were counted together; of floods alone.
    #[serde(default)]
    pub count: Option<u64>,
    /// Policy version.
    pub policy_version: Option<String>,
    /// Decrees version.
    pub decrees_version: Option<String>,
    /// Decree named.
    pub decree: Option<String>,
    /// Freshness code.
    pub freshness: Option<Cow<'static, str>>,
    /// When the registry said so, as coarsely as [`Verdict::noted_as_of`](super::decision::Verdict::noted_as_of) has it.
    pub as_of: Option<Timestamp>,
    /// Commitment to the agency's signature over the request, where there was one (see
    /// [`RequestSignature`](super::domain::context::RequestSignature)).
    #[serde(default)]
    pub signature: Option<String>,
    /// The key that made it.
    #[serde(default)]
    pub signed_by: Option<String>,
    /// What ties retries of one request together (see [`RetryTags`](super::domain::context::RetryTags)).
    #[serde(default)]
    pub retry: Option<String>,
    /// What tells them from another request under the same key; none in entries of earlier builds.
    #[serde(default)]
    pub retry_body: Option<String>,
    /// `answer_id` of the answer to the same request that a crash lost on its way; this one does not count again.
    #[serde(default)]
    pub retry_of: Option<String>,
    /// What the decision was derived from, as JSON; of an entry that is read, or that is written with a text of its own (acts, alerts).
    pub basis: Option<String>,
    /// The same of a conclusion that is about to be written, in whose content it stands under that name.
    #[serde(skip)]
    pub inputs: Option<Nested>,
    /// What a read of the log asked for, or what an agency said about a sample, as JSON; never an identifier.
    #[serde(default)]
    pub details: Option<String>,
    /// Microseconds from arrival to conclusion.
    pub latency_us: u64,
    /// Subject tag under the agency's key of the epoch; set by the ledger.
    #[serde(default)]
    pub agency_tag: Option<String>,
    /// Subject tag under the trail key of the epoch, another one for each agency (see [`subject`]); set by the ledger.
    #[serde(default)]
    pub trail_tag: Option<String>,
    /// The epoch of the tags; set by the ledger.
    #[serde(default)]
    pub epoch: Option<String>,
}

/// Where an entry is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Index of the entry, from 0.
    pub index: u64,
}

/// The entry could not be made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access log cannot take entries: {0}")]
pub struct LedgerUnavailable(pub &'static str);

/// The access log (سابقه دسترسی), append side.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Appends one entry; when this returns a receipt the entry is durable.
    ///
    /// # Errors
    /// [`LedgerUnavailable`]: the queue is full, the disk refuses, or the writer has stopped. The entry may or may not
    /// have been stored; the caller must let nothing of it leave.
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable>;

    /// The log's origin line, as in its checkpoints.
    fn origin(&self) -> &str;

    /// What its disk has room for, as it was seen last.
    fn room(&self) -> Room {
        Room::Ample
    }
}

/// Is told of what was recorded, for those who watch behind the path. It must not wait and cannot fail.
pub trait Observer: Send + Sync + 'static {
    /// Something is durable, and about to leave.
    fn recorded(&self, recorded: &Recorded);
}

/// A conclusion whose entry is durable. Only [`record`] makes one, and the receipt inside is of exactly this entry.
#[derive(Debug)]
pub struct Recorded {
    signed: Signed,
    receipt: Receipt,
}

impl Recorded {
    /// What was signed.
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }

    /// Where it was recorded.
    pub const fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// Takes it apart for the reply.
    pub fn into_signed(self) -> Signed {
        self.signed
    }
}

/// Makes a signed conclusion durable.
///
/// # Errors
/// [`LedgerUnavailable`]; the conclusion is dropped, so that nothing of it can leave.
pub async fn record(mut signed: Signed, ledger: &dyn Ledger) -> Result<Recorded, LedgerUnavailable> {
    let entry = signed.take_entry().ok_or(LedgerUnavailable("the conclusion was already recorded"))?;
    let receipt = ledger.append(entry).await?;
    Ok(Recorded { signed, receipt })
}
