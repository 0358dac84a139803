//! Stage 6: from a decision, a refusal or a delivery to a signed statement, ready to be recorded.

mod answer;
mod conclusion;
mod entry;
mod event;
mod receipt;
mod refusal;

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

pub use self::answer::{AnswerFacts, MayDeny};
pub use self::conclusion::{Conclusion, Counted, Delivery};
pub use self::event::{ALERT_EVENT, AlertEvent, registry_event, security_event};
pub use self::receipt::PrintedReceipt;
use super::domain::jwt_kind::JwtKind;
use super::ledger::Entry;

/// `typ` of a statement over an answer.
pub const ANSWER_TYP: &str = "estelam-answer+jwt";
/// `typ` of a statement over a refusal.
pub const REFUSAL_TYP: &str = "estelam-refusal+jwt";

/// A signature algorithm (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
}

impl Algorithm {
    /// Its JOSE name.
    pub const fn jose(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }
}

/// The signer failed; nothing may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signer failed")]
pub struct SignerFailed;

/// Signs bytes with one private key that never leaves it. Statements, tokens and checkpoints have separate signers.
pub trait Signer: Send + Sync + 'static {
    /// The key's id, as published in the JWKS (RFC 7638 thumbprint).
    fn key_id(&self) -> &str;

    /// The key's algorithm.
    fn algorithm(&self) -> Algorithm;

    /// Signs a message; for ES256 the result is the fixed 64-byte form of RFC 7518 §3.4.
    ///
    /// # Errors
    /// [`SignerFailed`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed>;
}

/// The statement signer together with the name it signs under; the protected headers are encoded once.
pub struct Notary {
    issuer: Arc<str>,
    seal: ArcSwap<Seal>,
}

/// One key with its headers: they change together.
struct Seal {
    signer: Arc<dyn Signer>,
    answer_header: String,
    refusal_header: String,
    receipt_header: String,
}

impl Seal {
    fn new(signer: Arc<dyn Signer>) -> Self {
        let header = |typ: &str| {
            let json = format!(r#"{{"alg":"{}","typ":"{typ}","kid":"{}"}}"#, signer.algorithm().jose(), signer.key_id());
            URL_SAFE_NO_PAD.encode(json)
        };
        let [answer_header, refusal_header, receipt_header] = [ANSWER_TYP, REFUSAL_TYP, JwtKind::Receipt.typ()].map(header);
        Self { signer, answer_header, refusal_header, receipt_header }
    }

    fn compact(&self, header: &str, payload: &[u8]) -> Result<String, SignerFailed> {
        let mut compact = String::with_capacity(header.len() + payload.len() * 4 / 3 + 96);
        compact.push_str(header);
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut compact);
        let signature = self.signer.sign(compact.as_bytes())?;
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut compact);
        Ok(compact)
    }
}

impl Notary {
    /// A notary for the gateway with this issuer URL.
    pub fn new(issuer: Arc<str>, signer: Arc<dyn Signer>) -> Self {
        Self { issuer, seal: ArcSwap::from_pointee(Seal::new(signer)) }
    }

    /// Signs with another key from now on; a statement being signed keeps the one it began with.
    pub fn replace(&self, signer: Arc<dyn Signer>) {
        self.seal.store(Arc::new(Seal::new(signer)));
    }

    /// The issuer URL in every statement.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl std::fmt::Debug for Notary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notary").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A signed conclusion, not yet recorded. Only [`sign`] makes one.
pub struct Signed {
    conclusion: Conclusion,
    facts: Option<AnswerFacts>,
    receipt: Option<Box<PrintedReceipt>>,
    statement: String,
    entry: Option<Entry>,
}

/// The statement of a token's delivery is the token: it is not shown.
impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("conclusion", &self.conclusion).finish_non_exhaustive()
    }
}

impl Signed {
    /// What was concluded.
    pub const fn conclusion(&self) -> &Conclusion {
        &self.conclusion
    }

    /// The answer's facts as the agency may see them; `None` for refusals and deliveries.
    pub const fn facts(&self) -> Option<&AnswerFacts> {
        self.facts.as_ref()
    }

    /// The printed receipt of an answer, where the holder wished one.
    pub fn receipt(&self) -> Option<&PrintedReceipt> {
        self.receipt.as_deref()
    }

    /// The compact statement.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// The entry for the ledger, once.
    pub(in crate::core) fn take_entry(&mut self) -> Option<Entry> {
        self.entry.take()
    }
}

/// Signs a conclusion and prepares its ledger entry.
///
/// # Errors
/// [`SignerFailed`]: the conclusion is dropped, nothing of it may leave.
pub fn sign(conclusion: Conclusion, notary: &Notary, now: Timestamp) -> Result<Signed, SignerFailed> {
    let seal = notary.seal.load();
    let mut receipt = None;
    let (facts, statement) = match &conclusion {
        Conclusion::Answer(decision) => {
            let facts = AnswerFacts::of(decision);
            if decision.permit().receipt() {
                receipt = Some(Box::new(receipt::print(&seal, &notary.issuer, now)?));
            }
            let payload = answer::payload(&facts, decision, &notary.issuer, receipt.as_deref(), now);
            (Some(facts), seal.compact(&seal.answer_header, &payload)?)
        }
        Conclusion::Refusal(refused) => (None, seal.compact(&seal.refusal_header, &refusal::payload(refused, &notary.issuer, now))?),
        Conclusion::Delivery(delivery) => (None, delivery.statement.clone()),
        Conclusion::Flood(counted) => (None, seal.compact(&seal.refusal_header, &refusal::count(counted, &notary.issuer, now))?),
    };
    let entry = entry::of(&conclusion, sha256(statement.as_bytes()), now);
    Ok(Signed { conclusion, facts, receipt, statement, entry: Some(entry) })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
