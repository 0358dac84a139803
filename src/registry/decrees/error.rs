//! Why a decree is not accepted. Decrees are public, so that these may name them.

use std::path::PathBuf;

use crate::registry::store::StoreError;

/// Nothing was written when any of these comes back.
#[derive(Debug, thiserror::Error)]
pub enum DecreeError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {why}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// A file of decrees is wrong.
    #[error("{file}:{line}: {why}")]
    File {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong and what to do.
        why: String,
    },
    /// A key file is wrong.
    #[error("`{}` {why}", .path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key belongs to no known official.
    #[error(
        "this key belongs to no official of this registry; make its public half known first (`estelam registry official add NAME --public FILE`)"
    )]
    UnknownOfficial,
    /// It takes two officials.
    #[error("it takes two officials of this registry; name the key of each with `--key`")]
    NotTwo,
    /// No decree of that id.
    #[error("there is no decree `{0}`; `decree list` shows all")]
    Unknown(String),
    /// The step is not possible for this decree.
    #[error("decree `{id}`: {why}")]
    Refused {
        /// Which decree.
        id: String,
        /// Why not.
        why: String,
    },
    /// A signature does not verify.
    #[error(
        "decree `{id}`: the signature of `{official}` does not verify; the store was changed by other means or the official's key is gone"
    )]
    Signature {
        /// Which decree.
        id: String,
        /// Whose signature.
        official: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
