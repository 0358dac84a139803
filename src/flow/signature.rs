//! Where a request's signature is looked at: after token and scope, before anything of the body is read.

use super::{Gate, Incoming, admit};
use crate::core::domain::agency::Scope;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::token::{self, RequestSigning, SignatureField, SignedCall, VerifiedCall};

/// Certificate, token, scope, and the signature where there must be one: the agency's policy says so, or the scope does.
///
/// # Errors
/// The refusal of the first of them that is not good.
pub async fn authenticate(gate: &Gate, incoming: &Incoming, scope: Scope) -> Result<VerifiedCall, Box<Refusal>> {
    authenticate_any(gate, incoming, &[scope]).await
}

/// The same for a resource that more than one scope opens.
///
/// # Errors
/// As [`authenticate`].
pub async fn authenticate_any(gate: &Gate, incoming: &Incoming, scopes: &[Scope]) -> Result<VerifiedCall, Box<Refusal>> {
    let (call, scope) = admit(gate, incoming, scopes)?;
    let terms = terms(gate, &call);
    let call = looked_at(gate, call, incoming, &terms).await?;
    let wanted = scope.wants_signature() || terms.required;
    if wanted { token::require_signature(call, &terms).map(SignedCall::into_call) } else { Ok(call) }
}

/// For what reads a person's trail, opens a holder's view or administers the gateway: it takes the proof that the request was signed.
///
/// # Errors
/// As [`authenticate`]; `signature-required` without a signature, whichever the scope.
pub async fn authenticate_signed(gate: &Gate, incoming: &Incoming, scope: Scope) -> Result<SignedCall, Box<Refusal>> {
    let (call, _) = admit(gate, incoming, &[scope])?;
    let terms = terms(gate, &call);
    let call = looked_at(gate, call, incoming, &terms).await?;
    token::require_signature(call, &terms)
}

/// The door of a verification query. What its grant wants is tested with the other duties, so that a query without a signature costs nothing
/// here.
pub(super) async fn admit_query(gate: &Gate, incoming: &Incoming) -> Result<VerifiedCall, Box<Refusal>> {
    let (call, _) = admit(gate, incoming, &[Scope::Verify])?;
    match &incoming.signature {
        None => Ok(call),
        // Rare, so it does not make every call's state larger.
        Some(_) => {
            let terms = terms(gate, &call);
            Box::pin(looked_at(gate, call, incoming, &terms)).await
        }
    }
}

/// What the agency's policy says of signatures; nothing of an agency that no policy knows.
fn terms(gate: &Gate, call: &VerifiedCall) -> RequestSigning {
    (gate.policy)().agencies.get(call.agency().agency()).map(|policy| policy.request_signing.clone()).unwrap_or_default()
}

/// Verifies a signature that is there.
async fn looked_at(gate: &Gate, call: VerifiedCall, incoming: &Incoming, terms: &RequestSigning) -> Result<VerifiedCall, Box<Refusal>> {
    let Some(field) = &incoming.signature else { return Ok(call) };
    let field: &SignatureField = field;
    match &incoming.body {
        Ok(body) => token::verify_signature(call, (field, body), &terms.keys, &*gate.signatures, gate.clock.now()).await,
        Err(_) => {
            Err(call.refuse(RefusalCode::BodyTooLarge, "the body is larger than this resource reads, so its signature means nothing"))
        }
    }
}
