//! Why a document is not genuine, or why that cannot be told.

/// Why a document is not called genuine. Free of what the document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// An empty text.
    #[error("nothing was given to check")]
    NothingGiven,
    /// Larger than any receipt or answer.
    #[error("it is too large for a receipt or an answer; of a photo, give the text of the QR code in it")]
    TooLarge,
    /// Not a compact JWS in our form. That says nothing of what it was copied from.
    #[error("it is not in the form of a receipt, or not all of it: {0}")]
    Unreadable(&'static str),
    /// Another kind of token.
    #[error("it is a token of another kind")]
    OtherKind,
    /// Signed, but not what a document of its kind says.
    #[error("what it says is not in the form of its kind")]
    Claims,
    /// These keys are of another gateway.
    #[error("it names another issuer than the one these keys are of")]
    OtherIssuer,
    /// No such key.
    #[error("its key is not among the keys given; fetch them anew")]
    UnknownKey,
    /// One of our keys, but not for statements.
    #[error("it is signed with a key that is for something else")]
    OtherUse,
    /// The header does not fit the key.
    #[error("it names another algorithm than its key's")]
    OtherAlgorithm,
    /// The signature does not hold.
    #[error("the signature is wrong: something was changed, or somebody else signed")]
    WrongSignature,
    /// Before the key began to sign or after it stopped.
    #[error("its key did not sign at that time")]
    OutsideKeyLife,
    /// Others may have the key, and there is no proof.
    #[error("others may have its key; it counts only with a proof that it was in the log before that")]
    KeyCompromised,
    /// Others may have the key, and the entry is later.
    #[error("others may have its key, and it came into the log only after that")]
    AfterCompromise,
    /// A printed receipt whose statement is needed.
    #[error("a printed receipt is proved by the statement of its answer; ask the agency that gave it, by its code")]
    StatementNeeded,
    /// The statement is of another answer.
    #[error("the statement does not belong to this receipt")]
    StatementOfOther,
    /// A statement beside something that is no printed receipt.
    #[error("only a printed receipt has a statement beside it")]
    StatementOfNoReceipt,
    /// A proof, but no key of the log.
    #[error("no key of the log is given, so the proof cannot be checked")]
    NoLogKey,
    /// The proof is of something else.
    #[error("the proof is about another statement")]
    ProofOfOther,
    /// The proof does not hold.
    #[error("the proof does not lead from the entry to the checkpoint")]
    ProofBroken,
    /// The checkpoint is not the log's.
    #[error("the checkpoint is not signed by a key of this log")]
    CheckpointUnsigned,
    /// Others may have the key of the checkpoint.
    #[error("others may have the key that signed the checkpoint; fetch a new proof")]
    LogKeyCompromised,
    /// The proof leads to another tree than the checkpoint that was kept.
    #[error("the proof is under another checkpoint than the one given; fetch a proof or a checkpoint of the same size")]
    OtherCheckpoint,
    /// The JSON around the statement is not what was signed.
    #[error("the statement is signed, but the JSON around it says something else in `{0}`")]
    AroundDiffers(&'static str),
    /// Two trees of one size.
    #[error("the log has shown two different trees of one size: keep both checkpoints and tell the auditors")]
    Fork,
}

impl Doubt {
    /// Every one, without details.
    pub const ALL: [Self; 24] = [
        Self::NothingGiven,
        Self::TooLarge,
        Self::Unreadable(""),
        Self::OtherKind,
        Self::Claims,
        Self::OtherIssuer,
        Self::UnknownKey,
        Self::OtherUse,
        Self::OtherAlgorithm,
        Self::WrongSignature,
        Self::OutsideKeyLife,
        Self::KeyCompromised,
        Self::AfterCompromise,
        Self::StatementNeeded,
        Self::StatementOfOther,
        Self::StatementOfNoReceipt,
        Self::NoLogKey,
        Self::ProofOfOther,
        Self::ProofBroken,
        Self::CheckpointUnsigned,
        Self::LogKeyCompromised,
        Self::OtherCheckpoint,
        Self::AroundDiffers(""),
        Self::Fork,
    ];

    /// Whether the document itself is false; otherwise it cannot be told from what is given.
    pub const fn is_false(self) -> bool {
        match self {
            Self::OtherKind
            | Self::Claims
            | Self::OtherIssuer
            | Self::OtherUse
            | Self::OtherAlgorithm
            | Self::WrongSignature
            | Self::OutsideKeyLife
            | Self::AroundDiffers(_)
            | Self::AfterCompromise => true,
            Self::NothingGiven
            | Self::TooLarge
            | Self::Unreadable(_)
            | Self::UnknownKey
            | Self::KeyCompromised
            | Self::StatementNeeded
            | Self::StatementOfOther
            | Self::StatementOfNoReceipt
            | Self::NoLogKey
            | Self::ProofOfOther
            | Self::ProofBroken
            | Self::CheckpointUnsigned
            | Self::LogKeyCompromised
            | Self::OtherCheckpoint
            | Self::Fork => false,
        }
    }

    /// A stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NothingGiven => "nothing-given",
            Self::TooLarge => "too-large",
            Self::Unreadable(_) => "unreadable",
            Self::OtherKind => "other-kind",
            Self::Claims => "claims-malformed",
            Self::OtherIssuer => "other-issuer",
            Self::UnknownKey => "unknown-key",
            Self::OtherUse => "key-of-other-use",
            Self::OtherAlgorithm => "other-algorithm",
            Self::WrongSignature => "wrong-signature",
            Self::OutsideKeyLife => "outside-key-life",
            Self::KeyCompromised => "key-compromised",
            Self::AfterCompromise => "after-compromise",
            Self::StatementNeeded => "statement-needed",
            Self::StatementOfOther => "statement-of-other",
            Self::StatementOfNoReceipt => "statement-of-no-receipt",
            Self::NoLogKey => "no-log-key",
            Self::ProofOfOther => "proof-of-other",
            Self::ProofBroken => "proof-broken",
            Self::CheckpointUnsigned => "checkpoint-unsigned",
            Self::LogKeyCompromised => "log-key-compromised",
            Self::OtherCheckpoint => "other-checkpoint",
            Self::AroundDiffers(_) => "answer-differs",
            Self::Fork => "log-forked",
        }
    }

    /// The member in which an answer differs from its statement.
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::AroundDiffers(member) => Some(member),
            _ => None,
        }
    }
}
