//! The receipt that a holder may carry away, printed: that an answer was given on a day, and nothing else. Only on the holder's wish.
//!
//! A paper can be found, or demanded. So it names neither agency, service, purpose, outcome, reason, document nor holder, and no
//! instant but the day. The statement of its answer, which the agency keeps, commits to it; through that the log does.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;

use super::{Seal, SignerFailed, sha256};
use crate::core::domain::date::{start_of_tehran_day, tehran_day};
use crate::core::domain::random::random;
use crate::core::domain::receipt_code::receipt_code;

/// A signed receipt and what it is found by.
pub struct PrintedReceipt {
    jwt: String,
    digest: [u8; 32],
}

/// The paper is the holder's: neither it nor its code is shown.
impl std::fmt::Debug for PrintedReceipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrintedReceipt").finish_non_exhaustive()
    }
}

impl PrintedReceipt {
    /// The compact JWS that the QR code holds.
    pub fn jwt(&self) -> &str {
        &self.jwt
    }

    /// The short code that agency and holder keep.
    pub fn code(&self) -> String {
        receipt_code(&self.digest)
    }

    /// SHA-256 of the JWS in base64url, as the statement has it.
    pub(super) fn digest_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.digest)
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    /// Midnight in Tehran: the day, and no more.
    iat: i64,
    /// 128 random bits: two receipts of one day have nothing in common that tells anything.
    jti: String,
}

/// Signs a receipt for an answer of today.
///
/// # Errors
/// [`SignerFailed`], also when there is no randomness to be had.
pub(super) fn print(seal: &Seal, issuer: &str, now: Timestamp) -> Result<PrintedReceipt, SignerFailed> {
    let jti = URL_SAFE_NO_PAD.encode(random::<16>().ok_or(SignerFailed)?);
    let payload = Payload { iss: issuer, iat: start_of_tehran_day(tehran_day(now)).as_second(), jti };
    // Serialising these plain fields into memory cannot fail; an empty payload would fail every check.
    let jwt = seal.compact(&seal.receipt_header, &serde_json::to_vec(&payload).unwrap_or_default())?;
    let digest = sha256(jwt.as_bytes());
    Ok(PrintedReceipt { jwt, digest })
}
