//! `POST /oauth2/token`: client credentials, authenticated by the certificate and, where policy says so, an assertion (RFC 6749 §4.4,
//! RFC 8705, RFC 7523).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};

use super::{ClientTerms, HttpState, incoming, respond};
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::EntryKind;
use crate::core::limit::Tier;
use crate::core::policy::tokens_while_overdue;
use crate::core::reply::Reply;
use crate::core::signing::Delivery;
use crate::core::token::ClientAuth;
use crate::flow::{self, Incoming};

/// A form of six fields, one of them an assertion, is far below this.
const BODY_LIMIT: usize = 8192;

/// The terms of an agency that no policy knows: it cannot authenticate at all.
pub(super) static NO_CLIENT: ClientAuth = ClientAuth { certificate: false, keys: Vec::new() };

/// One token request. Issued tokens and errors alike are recorded before they leave.
pub(super) async fn token(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read(&state, &request, payload, "token", BODY_LIMIT).await else {
        return respond::unread(&request).await;
    };
    let (grid, address) = (state.grid, request.peer_addr().map(|address| address.ip()));
    let call = rt::spawn(issue(state.into_inner(), incoming, address)).await;
    respond::with(call, arrival, grid, &request).await
}

async fn issue(state: Arc<HttpState>, incoming: Incoming, address: Option<IpAddr>) -> Reply {
    let gate = &*state.gate;
    match admitted(&state, &incoming, address).await {
        Ok(delivery) => flow::deliver(gate, delivery).await,
        Err(refusal) => flow::refuse(gate, refusal).await,
    }
}

async fn admitted(state: &HttpState, incoming: &Incoming, address: Option<IpAddr>) -> Result<Delivery, Box<Refusal>> {
    let gate = &*state.gate;
    let agency = flow::identify(gate, incoming)?;
    // Callers whose address is not known count as one.
    let by_address = (state.token_addresses)(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let by_agency = || gate.limiter.admit_unit(agency.agency(), agency.peer().branch.as_deref(), Tier::Token);
    if let Err(limit) = by_address.and_then(|()| by_agency()) {
        let mut refusal = agency.refuse(RefusalCode::RateLimited, "keep a token until it expires instead of asking for one per call");
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
        return Err(agency.refuse(RefusalCode::BodyTooLarge, "a token request is a short form"));
    };
    let policy = (gate.policy)();
    if let Err((code, detail)) = tokens_while_overdue(&agency, &policy) {
        return Err(agency.refuse(code, detail));
    }
    let terms = match policy.agencies.get(agency.agency()) {
        Some(known) => ClientTerms { scopes: &known.scopes, auth: &known.client_auth },
        None => ClientTerms { scopes: &[], auth: &NO_CLIENT },
    };
    let outcome = state.issuer.issue(&agency, terms, incoming.content_type.as_deref(), body, gate.clock.now()).await;
    let kind = if outcome.token.is_some() { EntryKind::Token } else { EntryKind::Refusal };
    Ok(Delivery {
        context: agency.into_context(),
        kind,
        code: outcome.code,
        details: None,
        status: outcome.status,
        content_type: "application/json",
        statement: outcome.token.unwrap_or_else(|| outcome.body.clone()),
        body: outcome.body,
    })
}

/// Whether the client would authenticate by a secret in the header: RFC 6749 §5.2 has another reply for that than for a header out of place.
pub(super) fn by_secret(incoming: &Incoming) -> bool {
    let scheme = incoming.authorization.as_deref().and_then(|value| value.split(' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
}

/// Nothing of the secret is kept.
pub(super) fn refuse_secret(context: CallContext) -> Delivery {
    let code = "invalid_client";
    let description = "leave the `Authorization` header out: no client has a secret here; its certificate authenticates it";
    let body = serde_json::json!({ "error": code, "error_description": description }).to_string();
    let (kind, statement) = (EntryKind::Refusal, body.clone());
    Delivery { context, kind, code, details: None, status: 401, content_type: "application/json", statement, body }
}
