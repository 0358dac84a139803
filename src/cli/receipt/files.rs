//! What the receipt verbs read: files that others wrote, so sizes are capped and nothing is guessed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::super::{CliError, Failure};
use crate::adapters::keys::PublishedKeys;
use crate::core::domain::jwk;
use crate::core::domain::jws::{members_are_unique, object};
use crate::core::ledger::ProofBundle;
use crate::core::ledger::genuine::{LogKey, TrustedKeys};
use crate::core::ledger::note::NoteKey;

/// A document, a proof or a checkpoint, in bytes.
const MAX_PAPER: u64 = 64 * 1024;
/// A list of keys, in bytes.
const MAX_KEYS: u64 = 1024 * 1024;

/// What an answer or a problem holds that can be checked or printed.
#[derive(Deserialize)]
pub(super) struct Wrapped {
    /// The compact statement.
    pub(super) statement: Option<String>,
    /// The printed receipt.
    pub(super) receipt: Option<WrappedReceipt>,
}

/// `receipt` of an answer.
#[derive(Deserialize)]
pub(super) struct WrappedReceipt {
    pub(super) jwt: String,
}

/// A file's text, `-` for standard input.
pub(super) fn text(path: &Path) -> Result<String, CliError> {
    read(path, MAX_PAPER)
}

/// What somebody brings, whatever it is; `None` where it is larger than any paper.
pub(super) fn paper(path: &Path) -> Result<Option<Vec<u8>>, CliError> {
    bytes(path, MAX_PAPER)
}

fn read(path: &Path, most: u64) -> Result<String, CliError> {
    let Some(bytes) = bytes(path, most)? else {
        return Err(CliError::failed(format_args!("`{}` is larger than {most} bytes, so it is not what it should be", path.display())));
    };
    String::from_utf8(bytes).map_err(|_| CliError::failed(format_args!("`{}` is not text", path.display())))
}

/// The bytes of a file; `None` where they are more than so many.
fn bytes(path: &Path, most: u64) -> Result<Option<Vec<u8>>, CliError> {
    let doing = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(most + 1).read_to_end(&mut bytes).doing("cannot read standard input")?;
    } else {
        let file = File::open(path).doing(doing())?;
        file.take(most + 1).read_to_end(&mut bytes).doing(doing())?;
    }
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// The answer or problem that a text is, if it is JSON.
///
/// # Errors
/// JSON of another sort, or with a member twice.
pub(super) fn wrapped(text: &str) -> Result<Option<Wrapped>, CliError> {
    if !text.starts_with('{') {
        return Ok(None);
    }
    let read = members_are_unique(text.as_bytes()).then(|| object(text.as_bytes())).flatten();
    read.map(Some).ok_or_else(|| CliError::failed("the file is JSON, but not an answer or a problem in which no member occurs twice"))
}

/// The keys to trust: a list of key lives, or a JWK set together with the issuer that it is of.
pub(super) fn keys(path: &Path, issuer: Option<&str>) -> Result<TrustedKeys, CliError> {
    let text = read(path, MAX_KEYS)?;
    let json = text.trim().as_bytes();
    let malformed = |why: &str| CliError::failed(format_args!("`{}` holds no keys of a gateway: {why}", path.display()));
    if !members_are_unique(json) {
        return Err(malformed("it is not JSON in which no member occurs twice"));
    }
    if let Some(life) = object::<PublishedKeys>(json) {
        let trusted = life.trusted().ok_or_else(|| malformed("a key in it contradicts itself"))?;
        if issuer.is_some_and(|issuer| issuer != trusted.issuer) {
            return Err(CliError::usage(format_args!("`{}` is of another issuer than `--issuer` says", path.display())));
        }
        return Ok(trusted);
    }
    let keys = jwk::published_keys(json).map_err(|rejected| malformed(rejected.0))?;
    let issuer = issuer.ok_or_else(|| CliError::usage("a JWK set does not say whose it is: give `--issuer` with the gateway's URL"))?;
    Ok(TrustedKeys::from_jwks(issuer.to_owned(), &keys))
}

/// The log's key as a C2SP verifier key (`GET /checkpoint.key`).
pub(super) fn log_key(path: &Path) -> Result<LogKey, CliError> {
    let key = NoteKey::parse(text(path)?.trim()).doing(format_args!("`{}`", path.display()))?;
    Ok(LogKey { key, compromised: None })
}

/// A proof as `GET /v1/log/proof/{answer_id}` gives it.
pub(super) fn proof(path: &Path) -> Result<ProofBundle, CliError> {
    let text = text(path)?;
    let json = text.trim().as_bytes();
    let read = members_are_unique(json).then(|| object(json)).flatten();
    read.ok_or_else(|| CliError::failed(format_args!("`{}` is no proof from the log in which no member occurs twice", path.display())))
}
