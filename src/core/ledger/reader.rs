//! The read side of the log: what is public, and the proof that one entry is in it.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::checkpoint::Checkpoint;
use super::leaf::{HEADER_LEN, Header, header_commitment, leaf};
use super::note::{NoteError, NoteKey};
use super::succession::Succession;
use super::tree::{Hash, check_inclusion, leaf_hash, sha256};

/// The log cannot be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access log cannot be read: {0}")]
pub struct LogUnreadable(pub &'static str);

/// Reads the log. Nothing here names a person.
#[async_trait]
pub trait LogReader: Send + Sync + 'static {
    /// The latest published checkpoint, a signed note.
    fn checkpoint(&self) -> Arc<str>;

    /// Number of durable entries, published or not.
    fn size(&self) -> u64;

    /// The bytes of a tile of hashes as C2SP tlog-tiles has them; none when the published checkpoint does not cover all of it.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable>;

    /// The bytes of an entry bundle; none when the published checkpoint does not cover all of it.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn entry_bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, LogUnreadable>;

    /// The proof for the first entry with this id; none when there is none. Signs a checkpoint ahead of the fixed cadence if
    /// none covers the entry; that one is kept in the history but not published.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn proof(&self, id: Uuid) -> Result<Option<ProofBundle>, LogUnreadable>;

    /// How this log began, if it goes on from another one.
    ///
    /// # Errors
    /// [`LogUnreadable`].
    async fn succession(&self) -> Result<Option<Succession>, LogUnreadable>;

    /// The sealed logs that this one goes on from, the oldest first.
    fn sealed(&self) -> &[Arc<dyn LogReader>] {
        &[]
    }
}

/// All that is needed to check that an entry about a statement is in the log, without its content. Bytes are base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofBundle {
    /// The agency that the entry names, as long as its content is kept; for the permission to see the proof.
    #[serde(skip)]
    pub agency: Option<String>,
    /// Index of the entry.
    pub index: u64,
    /// salt₁.
    #[serde(with = "bytes")]
    pub salt: Hash,
    /// The header (see [`super::leaf`]).
    #[serde(with = "bytes")]
    pub header: [u8; HEADER_LEN],
    /// H(salt₂ ‖ content).
    #[serde(with = "bytes")]
    pub content_commitment: Hash,
    /// The RFC 6962 audit path, from the leaf upwards.
    #[serde(with = "byte_list")]
    pub inclusion_path: Vec<Hash>,
    /// A signed checkpoint that covers the entry.
    pub checkpoint: String,
}

/// Why a proof does not convince.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// The checkpoint is not one of this log.
    #[error("the proof's checkpoint does not hold: {0}")]
    Checkpoint(#[from] NoteError),
    /// The header is in no known form.
    #[error("the proof's header is not in a known form")]
    Header,
    /// The header is about another statement.
    #[error("the proof is about another statement")]
    OtherStatement,
    /// The path does not lead to the checkpoint's root.
    #[error("the proof's path does not lead from the entry to the checkpoint")]
    Path,
}

impl ProofBundle {
    /// Checks everything from the compact statement up to the checkpoint's signature, and returns the header.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn check(&self, statement: &str, keys: &[NoteKey]) -> Result<Header, ProofFault> {
        let header = Header::decode(&self.header).map_err(|_| ProofFault::Header)?;
        if header.statement_digest != sha256(statement.as_bytes()) {
            return Err(ProofFault::OtherStatement);
        }
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        let leaf = leaf(&header_commitment(&self.salt, &self.header), &self.content_commitment);
        check_inclusion(&leaf_hash(&leaf), self.index, checkpoint.size, &self.inclusion_path, &checkpoint.root)
            .map_err(|_| ProofFault::Path)?;
        Ok(header)
    }
}

/// Fixed-length bytes as base64.
pub(super) mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(value))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        T::try_from(bytes).map_err(|_| D::Error::custom("bytes of a wrong length"))
    }
}

/// A list of hashes as base64.
mod byte_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Hash;

    #[derive(Serialize, Deserialize)]
    struct Item(#[serde(with = "super::bytes")] Hash);

    pub(super) fn serialize<S: Serializer>(value: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value.iter().map(|hash| Item(*hash)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
        Ok(Vec::<Item>::deserialize(deserializer)?.into_iter().map(|item| item.0).collect())
    }
}
