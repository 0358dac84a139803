//! C2SP tlog-cosignature, version 1: a witness signs a checkpoint together with the instant at which it saw it.
//!
//! ```text
//! signed     "cosignature/v1" LF "time " seconds since 1970 LF ‖ the checkpoint's text
//! line       "— " name " " base64(key id (4) ‖ seconds (u64, big-endian) ‖ Ed25519 signature (64))
//! key id     SHA-256(name ‖ LF ‖ 0x04 ‖ key), first 4 bytes
//! ```

use std::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::note::NoteError;
use super::tree::sha256;
use crate::core::signing::{Algorithm, Signer};

/// The signature type byte of cosignatures.
const COSIGNATURE: u8 = 4;

/// A witness: a name and an Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    public: [u8; 32],
    id: [u8; 4],
}

impl WitnessKey {
    /// A key under a name.
    ///
    /// # Errors
    /// [`NoteError::BadName`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            return Err(NoteError::BadName);
        }
        let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[COSIGNATURE], &public].concat());
        Ok(Self { name: name.to_owned(), public, id: [a, b, c, d] })
    }

    /// Reads the `name+hash+base64` form.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] or [`NoteError::BadName`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let text = text.trim_end();
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(NoteError::Malformed) };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Malformed)?;
        let Some((&COSIGNATURE, public)) = bytes.split_first() else { return Err(NoteError::Malformed) };
        let key = Self::new(name, public.try_into().map_err(|_| NoteError::Malformed)?)?;
        if key.to_string() == text { Ok(key) } else { Err(NoteError::Malformed) }
    }

    /// The note with this witness's line added. The caller has shown that the checkpoint is consistent with the last one it saw.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for no note, [`NoteError::Signer`] when the signer fails or has another key.
    pub fn cosign(&self, note: &str, signer: &dyn Signer, at: Timestamp) -> Result<String, NoteError> {
        let text = text_of(note)?;
        let seconds = u64::try_from(at.as_second()).map_err(|_| NoteError::Signer)?;
        if signer.algorithm() != Algorithm::EdDsa {
            return Err(NoteError::Signer);
        }
        let signature = signer.sign(&signed(seconds, text)).map_err(|_| NoteError::Signer)?;
        let line = STANDARD.encode([self.id.as_slice(), &seconds.to_be_bytes(), &signature].concat());
        let cosigned = format!("{note}\u{2014} {} {line}\n", self.name);
        self.cosigned_at(&cosigned).map_err(|_| NoteError::Signer)?;
        Ok(cosigned)
    }

    /// The latest instant at which this witness cosigned the note.
    ///
    /// # Errors
    /// [`NoteError`]: it did not, or a line of its key is wrong.
    pub fn cosigned_at(&self, note: &str) -> Result<Timestamp, NoteError> {
        let text = text_of(note)?;
        let mut latest = None;
        for line in note.get(text.len()..).unwrap_or_default().lines() {
            let Some((name, blob)) = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')) else { continue };
            let blob = STANDARD.decode(blob).map_err(|_| NoteError::Malformed)?;
            let Some((id, rest)) = blob.split_first_chunk::<4>() else { return Err(NoteError::Malformed) };
            if name != self.name || *id != self.id {
                continue;
            }
            let (seconds, signature) = rest.split_first_chunk::<8>().ok_or(NoteError::Malformed)?;
            let seconds = u64::from_be_bytes(*seconds);
            let key = UnparsedPublicKey::new(&ED25519, self.public);
            key.verify(&signed(seconds, text), signature).map_err(|_| NoteError::WrongSignature)?;
            latest = latest.max(Some(seconds));
        }
        let seconds = latest.and_then(|seconds| i64::try_from(seconds).ok()).ok_or(NoteError::Unsigned)?;
        Timestamp::from_second(seconds).map_err(|_| NoteError::Malformed)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.id;
        let key = STANDARD.encode([[COSIGNATURE].as_slice(), self.public.as_slice()].concat());
        write!(f, "{}+{a:02x}{b:02x}{c:02x}{d:02x}+{key}", self.name)
    }
}

/// The signed text of a note, with its last line feed.
fn text_of(note: &str) -> Result<&str, NoteError> {
    let (text, _) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
    note.get(..=text.len()).ok_or(NoteError::Malformed)
}

fn signed(seconds: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::core::signing::SignerFailed;

    struct Pair(Ed25519KeyPair);

    impl Signer for Pair {
        fn key_id(&self) -> &str {
            "test"
        }
        fn algorithm(&self) -> Algorithm {
            Algorithm::EdDsa
        }
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
            Ok(self.0.sign(message).as_ref().to_vec())
        }
    }

    fn witness(seed: u8) -> (WitnessKey, Pair) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        (WitnessKey::new("witness.example", pair.public_key().as_ref().try_into().unwrap()).unwrap(), Pair(pair))
    }

    const NOTE: &str = "log.example\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u{2014} log.example AAAAAAAA\n";

    #[test]
    fn cosignature_tells_its_instant_and_nobody_elses() {
        let (key, pair) = witness(1);
        let at: Timestamp = "2026-11-24T05:00:00Z".parse().unwrap();
        let note = key.cosign(NOTE, &pair, at).unwrap();
        assert!(note.starts_with(NOTE));
        assert_eq!(key.cosigned_at(&note), Ok(at));
        assert_eq!(witness(2).0.cosigned_at(&note), Err(NoteError::Unsigned));
        assert_eq!(key.cosigned_at(&note.replacen("\n1\n", "\n2\n", 1)), Err(NoteError::WrongSignature));
        assert_eq!(key.cosigned_at(NOTE), Err(NoteError::Unsigned));
        assert_eq!(key.cosign(NOTE, &witness(2).1, at), Err(NoteError::Signer));
    }

    #[test]
    fn verifier_key_reads_back_and_is_no_note_key() {
        let (key, _) = witness(1);
        assert_eq!(WitnessKey::parse(&key.to_string()), Ok(key.clone()));
        assert!(crate::core::ledger::note::NoteKey::parse(&key.to_string()).is_err());
    }
}
