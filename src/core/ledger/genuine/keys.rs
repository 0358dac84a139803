//! The keys that a check trusts, and what each is good for.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use super::{Doubt, Proven};
use crate::core::domain::jwk::{KeyMaterial, PublicJwk};
use crate::core::domain::jws::CompactJws;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::succession::sealed_by;

/// For how long after its successor was named a key may still have signed: a running gateway finishes what it began, and reads a change of
/// its keys a moment later.
const STILL_SIGNING: SignedDuration = SignedDuration::from_mins(2);

/// The keys of one gateway, as whoever checks has them.
#[derive(Clone, Debug)]
pub struct TrustedKeys {
    /// `iss` of its statements.
    pub issuer: String,
    /// Keys that sign, whatever they sign.
    pub signing: Vec<SigningKey>,
    /// Keys of its logs, each under every origin that a checkpoint of theirs may name.
    pub log: Vec<LogKey>,
    /// Origins of its logs, the oldest first, as far as they are known: each but the last ended where the next began.
    pub origins: Vec<String>,
}

/// A key of statements or tokens.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    public: PublicBytes,
    /// When it was good.
    pub life: Life,
}

#[derive(Clone, Debug)]
enum PublicBytes {
    Ed25519([u8; 32]),
    P256([u8; 65]),
}

/// When a key was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// From a JWK set, which says only that the key is published.
    Unknown,
    /// It signs something else than statements.
    OtherUse,
    /// It signed from one instant to another, or still does.
    Signs {
        /// First instant; `None`: never yet.
        from: Option<Timestamp>,
        /// When its successor was named.
        until: Option<Timestamp>,
        /// Set if others may have it.
        compromised: Option<Limit>,
    },
}

/// What a compromise leaves genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Entries with a smaller index.
    pub tree_size: u64,
    /// The checkpoint of that size, a signed note.
    pub checkpoint: String,
}

/// A key that signs checkpoints.
#[derive(Clone, Debug)]
pub struct LogKey {
    /// The verifier key.
    pub key: NoteKey,
    /// Set if others may have it.
    pub compromised: Option<Limit>,
}

impl TrustedKeys {
    /// From a JWK set: nothing is known of the keys' lives. Keys without an id, and RSA keys, are not ours.
    pub fn from_jwks(issuer: String, keys: &[PublicJwk]) -> Self {
        let signing = keys.iter().filter_map(|key| {
            let public = match key.material() {
                KeyMaterial::Ed25519(bytes) => PublicBytes::Ed25519(*bytes),
                KeyMaterial::P256(bytes) => PublicBytes::P256(*bytes),
                KeyMaterial::Rsa { .. } => return None,
            };
            Some(SigningKey { kid: key.kid()?.to_owned(), public, life: Life::Unknown })
        });
        Self { issuer, signing: signing.collect(), log: Vec::new(), origins: Vec::new() }
    }

    /// The log that a checkpoint's origin is of: a seal is of the log that ended.
    pub(super) fn log_of<'o>(&'o self, origin: &'o str) -> &'o str {
        let Some(next) = sealed_by(origin).and_then(|new| self.place(new)) else { return origin };
        next.checked_sub(1).and_then(|place| self.origins.get(place)).map_or(origin, String::as_str)
    }

    fn place(&self, origin: &str) -> Option<usize> {
        self.origins.iter().position(|known| known == origin)
    }

    /// Whether an entry was in the logs under the checkpoint of a limit; none where that cannot be told.
    fn is_under(&self, entry: &Proven, limit: &Limit) -> Option<bool> {
        let log = self.log_of(Checkpoint::claimed_origin(&limit.checkpoint)?);
        if entry.origin == log {
            return Some(entry.index < limit.tree_size);
        }
        // What is in an older log was there before the later one began.
        Some(self.place(&entry.origin)? < self.place(log)?)
    }
}

impl SigningKey {
    /// A key from its 32 bytes of Ed25519 or its uncompressed P-256 point; `None` for anything else.
    pub fn new(kid: String, public: &[u8], life: Life) -> Option<Self> {
        let public = match (public.try_into(), public.try_into()) {
            (Ok(bytes), _) => PublicBytes::Ed25519(bytes),
            (_, Ok(point)) => PublicBytes::P256(point),
            _ => return None,
        };
        Some(Self { kid, public, life })
    }

    /// What a compromise of the key leaves genuine; `None` where there was none.
    pub(super) const fn limit(&self) -> Option<&Limit> {
        match &self.life {
            Life::Signs { compromised, .. } => compromised.as_ref(),
            Life::Unknown | Life::OtherUse => None,
        }
    }

    /// Checks algorithm and signature, and that the key is for this.
    pub(super) fn verify(&self, jws: &CompactJws<'_>) -> Result<(), Doubt> {
        let (name, algorithm, bytes): (_, &'static dyn VerificationAlgorithm, &[u8]) = match &self.public {
            PublicBytes::Ed25519(bytes) => ("EdDSA", &ED25519, bytes),
            PublicBytes::P256(bytes) => ("ES256", &ECDSA_P256_SHA256_FIXED, bytes),
        };
        if jws.header.alg != name {
            return Err(Doubt::OtherAlgorithm);
        }
        let signature = URL_SAFE_NO_PAD.decode(jws.signature).map_err(|_| Doubt::WrongSignature)?;
        let key = UnparsedPublicKey::new(algorithm, bytes);
        key.verify(jws.signing_input.as_bytes(), &signature).map_err(|_| Doubt::WrongSignature)?;
        if self.life == Life::OtherUse { Err(Doubt::OtherUse) } else { Ok(()) }
    }

    /// Whether the key signed at a time within `first..end`.
    pub(super) fn signed_then(&self, (first, end): (Timestamp, Timestamp)) -> Result<(), Doubt> {
        let Life::Signs { from, until, .. } = &self.life else { return Ok(()) };
        let began = from.is_some_and(|from| from < end);
        let stopped = until.is_some_and(|until| first > until.checked_add(STILL_SIGNING).unwrap_or(Timestamp::MAX));
        if began && !stopped { Ok(()) } else { Err(Doubt::OutsideKeyLife) }
    }

    /// Whether what the key signed counts, seen where it is in the log.
    pub(super) fn believe(&self, entry: Option<&Proven>, keys: &TrustedKeys) -> Result<(), Doubt> {
        let Some(limit) = self.limit() else { return Ok(()) };
        match entry.and_then(|entry| keys.is_under(entry, limit)) {
            None => Err(Doubt::KeyCompromised),
            Some(true) => Ok(()),
            Some(false) => Err(Doubt::AfterCompromise),
        }
    }
}
