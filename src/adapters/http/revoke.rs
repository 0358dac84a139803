//! `POST /oauth2/revoke`: a token is dead from the next request on (RFC 7009).

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};

use super::token::{NO_CLIENT, by_secret, refuse_secret};
use super::{HttpState, Revocation, incoming, respond};
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::EntryKind;
use crate::core::limit::Tier;
use crate::core::reply::Reply;
use crate::core::signing::Delivery;
use crate::core::token::{TokenClaims, TokenFault, TokenRejected};
use crate::flow::{self, Incoming};

/// A token and a few short fields.
const BODY_LIMIT: usize = 8 * 1024;

/// One request for a revocation, recorded before its reply leaves.
pub(super) async fn revoke(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read(&state, &request, payload, "revoke", BODY_LIMIT).await else {
        return respond::unread(&request).await;
    };
    let grid = state.grid;
    let call = rt::spawn(answer(state.into_inner(), incoming)).await;
    respond::with(call, arrival, grid, &request).await
}

async fn answer(state: Arc<HttpState>, incoming: Incoming) -> Reply {
    match revoked(&state, &incoming).await {
        Ok(delivery) => flow::deliver(&state.gate, delivery).await,
        Err(refusal) => flow::refuse(&state.gate, refusal).await,
    }
}

async fn revoked(state: &HttpState, incoming: &Incoming) -> Result<Delivery, Box<Refusal>> {
    let gate = &*state.gate;
    let agency = flow::identify(gate, incoming)?;
    // A branch that revokes without end must not spend what the others have.
    if let Err(limit) = gate.limiter.admit_unit(agency.agency(), agency.peer().branch.as_deref(), Tier::Token) {
        let mut refusal = agency.refuse(RefusalCode::RateLimited, "revoke fewer tokens at a time");
        refusal.limit = Some(limit);
        return Err(refusal);
    }
    if by_secret(incoming) {
        return Ok(refuse_secret(agency.into_context()));
    }
    if incoming.authorization.is_some() {
        return Err(
            agency.refuse(RefusalCode::MalformedRequest, "leave the `Authorization` header out here: the certificate authenticates")
        );
    }
    if incoming.signature.is_some() {
        return Err(agency.refuse(RefusalCode::MalformedRequest, "leave `Estelam-Signature` out here: it is for requests with a token"));
    }
    let Ok(body) = &incoming.body else {
        return Err(agency.refuse(RefusalCode::BodyTooLarge, "a revocation is a short form"));
    };
    let (policy, now) = ((gate.policy)(), gate.clock.now());
    let auth = policy.agencies.get(agency.agency()).map_or(&NO_CLIENT, |known| &known.client_auth);
    let outcome = match state.revoker.read(&agency, auth, incoming.content_type.as_deref(), body, now).await {
        Err(outcome) => outcome,
        Ok(token) => match gate.tokens.verify(&token, agency.peer(), gate.clock.now()) {
            Ok(claims) if claims.agency == *agency.agency() => return kill(state, agency.into_context(), &claims).await,
            Ok(_) => Revocation::refused("unauthorized_client", "the token is another client's"),
            // A token that is none is as dead as can be (section 2.2).
            Err(TokenFault::Rejected(_)) => Revocation::done("token-unknown"),
            // One that may work in a moment is not dead, and 200 would say so; at 503 the client knows that it still may (section 2.2.1).
            Err(TokenFault::NotYet(TokenRejected(why))) => Revocation::later(why),
            Err(TokenFault::Limited(limit)) => {
                let mut refusal = agency.refuse(RefusalCode::RateLimited, "revoke fewer tokens at a time");
                refusal.limit = Some(limit);
                return Err(refusal);
            }
        },
    };
    Ok(outcome.delivery(agency.into_context()))
}

async fn kill(
    state: &HttpState,
    context: crate::core::domain::context::CallContext,
    claims: &Arc<TokenClaims>,
) -> Result<Delivery, Box<Refusal>> {
    let (revoker, claims, now) = (state.revoker.clone(), claims.clone(), state.gate.clock.now());
    // The disk may take its time; other calls of this worker must not wait for it.
    match rt::task::spawn_blocking(move || revoker.revoke(&claims, now)).await {
        Ok(true) => Ok(Revocation::done("token-revoked").delivery(context)),
        Ok(false) | Err(_) => Err(Refusal::new(context, RefusalCode::LedgerUnavailable, "the revocation cannot be kept; send it again")),
    }
}

impl Revocation {
    /// Nothing of the token works any more.
    fn done(code: &'static str) -> Self {
        Self { status: 200, code, body: "{}".to_owned() }
    }

    fn refused(code: &'static str, description: &str) -> Self {
        Self::error(400, code, description)
    }

    /// The token cannot be judged yet, so nothing was revoked.
    fn later(description: &str) -> Self {
        Self::error(503, "temporarily_unavailable", description)
    }

    fn error(status: u16, code: &'static str, description: &str) -> Self {
        let body = serde_json::json!({ "error": code, "error_description": description }).to_string();
        Self { status, code, body }
    }

    fn delivery(self, context: crate::core::domain::context::CallContext) -> Delivery {
        let kind = if self.status == 200 { EntryKind::Token } else { EntryKind::Refusal };
        let Self { status, code, body } = self;
        Delivery { context, kind, code, details: None, status, content_type: "application/json", statement: body.clone(), body }
    }
}
