//! The name of a set of decrees: a hash that registry and gateway compute each for itself.

use aws_lc_rs::digest::{SHA256, digest};

use super::wire::WireDecree;

/// One decree in its canonical form (RFC 8785): what officials sign and what the version is made of.
///
/// # Errors
/// [`serde_json::Error`] when a field cannot be written as JSON.
pub fn canonical(decree: &WireDecree) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(decree)
}

/// `sha256:` and the hex digest over the canonical form of each decree, one a line, in the order given.
///
/// # Errors
/// As [`canonical`].
pub fn version_of(decrees: &[WireDecree]) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    for decree in decrees {
        bytes.extend_from_slice(&canonical(decree)?);
        bytes.push(b'\n');
    }
    Ok(sha256_of(&bytes))
}

/// `sha256:` and the hex digest of bytes.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    let hex: String = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
