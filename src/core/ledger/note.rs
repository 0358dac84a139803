//! C2SP signed notes with Ed25519: a text, and lines that sign it.

use std::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tree::sha256;
use crate::core::signing::{Algorithm, Signer};

/// The signature type byte of Ed25519 keys.
const ED25519_TYPE: u8 = 1;

/// Who may sign a note: a name and an Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    public: [u8; 32],
    id: [u8; 4],
}

/// Why a note cannot be made or believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Key names are not empty and have no white space and no plus sign.
    #[error("the log's origin must not be empty and must have neither white space nor `+`")]
    BadName,
    /// The text is no signed note or no verifier key.
    #[error("this is not in the form of a C2SP signed note or verifier key")]
    Malformed,
    /// No signature line of a known key.
    #[error("the note is not signed by a key of this log")]
    Unsigned,
    /// A line of a known key does not verify.
    #[error("the note's signature is wrong")]
    WrongSignature,
    /// The signer has another key or algorithm, or failed.
    #[error("the checkpoint signer failed, or its Ed25519 key is not the configured one")]
    Signer,
}

impl NoteKey {
    /// A key under a name. The key id is SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key), first 4 bytes.
    ///
    /// # Errors
    /// [`NoteError::BadName`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            return Err(NoteError::BadName);
        }
        let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[ED25519_TYPE], &public].concat());
        Ok(Self { name: name.to_owned(), public, id: [a, b, c, d] })
    }

    /// Reads the `name+hash+base64` form.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] or [`NoteError::BadName`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(NoteError::Malformed) };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Malformed)?;
        let Some((&ED25519_TYPE, public)) = bytes.split_first() else { return Err(NoteError::Malformed) };
        let key = Self::new(name, public.try_into().map_err(|_| NoteError::Malformed)?)?;
        if key.to_string() == text.trim_end() { Ok(key) } else { Err(NoteError::Malformed) }
    }

    /// The same key under another name: that of another log of the same signer.
    ///
    /// # Errors
    /// [`NoteError::BadName`].
    pub fn renamed(&self, name: &str) -> Result<Self, NoteError> {
        Self::new(name, self.public)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.id;
        let key = STANDARD.encode([[ED25519_TYPE].as_slice(), self.public.as_slice()].concat());
        write!(f, "{}+{a:02x}{b:02x}{c:02x}{d:02x}+{key}", self.name)
    }
}

/// Signs a text, which ends with a line feed, and checks the signature against `key` before anyone sees it.
///
/// # Errors
/// [`NoteError::Signer`].
pub fn sign(text: &str, key: &NoteKey, signer: &dyn Signer) -> Result<String, NoteError> {
    if signer.algorithm() != Algorithm::EdDsa {
        return Err(NoteError::Signer);
    }
    let signature = signer.sign(text.as_bytes()).map_err(|_| NoteError::Signer)?;
    let line = STANDARD.encode([&key.id, signature.as_slice()].concat());
    let note = format!("{text}\n\u{2014} {} {line}\n", key.name);
    open(&note, std::slice::from_ref(key)).map_err(|_| NoteError::Signer)?;
    Ok(note)
}

/// The signed text, if at least one of the keys signed it and none of the lines that bear a known key is wrong.
///
/// # Errors
/// [`NoteError::Malformed`], [`NoteError::Unsigned`] or [`NoteError::WrongSignature`].
pub fn open<'n>(note: &'n str, keys: &[NoteKey]) -> Result<&'n str, NoteError> {
    let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
    let text = note.get(..=text.len()).ok_or(NoteError::Malformed)?;
    if text.trim_end_matches('\n').is_empty() {
        return Err(NoteError::Malformed);
    }
    let mut signed = false;
    for line in lines.strip_suffix('\n').ok_or(NoteError::Malformed)?.split('\n') {
        let (name, blob) = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or(NoteError::Malformed)?;
        let blob = STANDARD.decode(blob).map_err(|_| NoteError::Malformed)?;
        let (id, signature) = blob.split_at_checked(4).ok_or(NoteError::Malformed)?;
        let Some(key) = keys.iter().find(|key| key.name == name && key.id == id) else { continue };
        UnparsedPublicKey::new(&ED25519, key.public).verify(text.as_bytes(), signature).map_err(|_| NoteError::WrongSignature)?;
        signed = true;
    }
    if signed { Ok(text) } else { Err(NoteError::Unsigned) }
}
