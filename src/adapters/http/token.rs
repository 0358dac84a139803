//! `POST /oauth2/token`: client credentials, authenticated by the certificate (RFC 6749 §4.4, RFC 8705).

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};

use super::{HttpState, incoming, respond};
use crate::core::domain::agency::Scope;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::EntryKind;
use crate::core::limit::Tier;
use crate::core::policy::tokens_while_overdue;
use crate::core::reply::Reply;
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming};

/// A form of five short fields is far below this.
const BODY_LIMIT: usize = 4096;

/// One token request. Issued tokens and errors alike are recorded before they leave.
pub(super) async fn token(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read(&state, &request, payload, "token", BODY_LIMIT).await else {
        return respond::unread(&request).await;
    };
    let grid = state.grid;
    let call = rt::spawn(issue(state.into_inner(), incoming)).await;
    respond::with(call, arrival, grid, &request).await
}

async fn issue(state: Arc<HttpState>, incoming: Incoming) -> Reply {
    let gate = &*state.gate;
    match admitted(&state, &incoming) {
        Ok(delivery) => flow::deliver(gate, delivery).await,
        Err(refusal) => flow::refuse(gate, refusal).await,
    }
}

fn admitted(state: &HttpState, incoming: &Incoming) -> Result<Delivery, Box<Refusal>> {
    let gate = &*state.gate;
    let agency = flow::identify(gate, incoming)?;
    if let Err(limit) = gate.limiter.admit_unit(agency.agency(), agency.peer().branch.as_deref(), Tier::Token) {
        let mut refusal = agency.refuse(RefusalCode::RateLimited, "keep a token until it expires instead of asking for one per call");
        refusal.limit = Some(limit);
        return Err(refusal);
    }
    if incoming.authorization.is_some() {
        return Err(
            agency.refuse(RefusalCode::MalformedRequest, "leave the `Authorization` header out here: the certificate authenticates")
        );
    }
    let Ok(body) = &incoming.body else {
        return Err(agency.refuse(RefusalCode::BodyTooLarge, "a token request is a short form"));
    };
    let policy = (gate.policy)();
    if let Err((code, detail)) = tokens_while_overdue(&agency, &policy) {
        return Err(agency.refuse(code, detail));
    }
    let scopes: &[Scope] = policy.agencies.get(agency.agency()).map_or(&[], |agency| &agency.scopes);
    let outcome = state.issuer.issue(&agency, scopes, incoming.content_type.as_deref(), body, gate.clock.now());
    let kind = if outcome.token.is_some() { EntryKind::Token } else { EntryKind::Refusal };
    Ok(Delivery {
        context: agency.into_context(),
        kind,
        code: outcome.code,
        status: outcome.status,
        content_type: "application/json",
        statement: outcome.token.unwrap_or_else(|| outcome.body.clone()),
        body: outcome.body,
    })
}
