//! `GET /v1/log/proof/{answer_id}`: the proof that an answer is in the log, only for the agency that got it or a log scope.

use std::sync::Arc;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use serde::Serialize;
use uuid::Uuid;

use super::ledger::signer_of;
use super::{HttpState, incoming, respond};
use crate::core::domain::agency::Scope;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::{EntryKind, ProofBundle};
use crate::core::limit::Tier;
use crate::core::reply::Reply;
use crate::core::signing::Delivery;
use crate::core::token::VerifiedCall;
use crate::flow::{self, Incoming};

#[derive(Serialize)]
struct ProofBody<'a> {
    #[serde(flatten)]
    bundle: &'a ProofBundle,
    checkpoint_key: Option<String>,
}

/// One proof. The read is an entry of its own.
pub(super) async fn proof(state: Data<HttpState>, request: HttpRequest, path: Path<String>, payload: Payload) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read(&state, &request, payload, "log-proof", 0).await else {
        return respond::unread(&request).await;
    };
    let grid = state.grid;
    let call = rt::spawn(prove(state.into_inner(), incoming, path.into_inner())).await;
    respond::with(call, arrival, grid, &request).await
}

async fn prove(state: Arc<HttpState>, incoming: Incoming, id: String) -> Reply {
    let gate = &*state.gate;
    if let Some(reply) = flow::no_reading(gate, &incoming) {
        return reply;
    }
    match found(&state, &incoming, &id).await {
        Ok(delivery) => flow::deliver(gate, delivery).await,
        Err(refusal) => flow::refuse(gate, refusal).await,
    }
}

async fn found(state: &HttpState, incoming: &Incoming, id: &str) -> Result<Delivery, Box<Refusal>> {
    let gate = &*state.gate;
    let call = flow::authenticate_any(gate, incoming, &[Scope::Verify, Scope::LogPatterns, Scope::LogPerson]).await?;
    if let Err(limit) = gate.limiter.admit(call.agency().agency(), Tier::Other) {
        let mut refusal = call.refuse(RefusalCode::RateLimited, "ask for fewer proofs at a time");
        refusal.limit = Some(limit);
        return Err(refusal);
    }
    // An unknown id and another agency's id look the same.
    let Ok(id) = Uuid::parse_str(id) else { return Err(absent(call)) };
    let bundle = match state.log.proof(id).await {
        Ok(bundle) => bundle.filter(|bundle| may_see(&call, bundle)),
        Err(_) => return Err(call.refuse(RefusalCode::LedgerUnavailable, "the log cannot be read at present")),
    };
    let Some(bundle) = bundle else { return Err(absent(call)) };
    let checkpoint_key = signer_of(&bundle.checkpoint, &(state.checkpoint_keys)());
    let body = serde_json::to_string(&ProofBody { bundle: &bundle, checkpoint_key }).unwrap_or_default();
    Ok(Delivery {
        context: call.into_parts().0.into_context(),
        kind: EntryKind::LogRead,
        code: "proof",
        details: None,
        status: 200,
        content_type: "application/json",
        statement: body.clone(),
        body,
    })
}

fn may_see(call: &VerifiedCall, bundle: &ProofBundle) -> bool {
    let scopes = &call.claims().scopes;
    let auditor = scopes.contains(&Scope::LogPatterns) || scopes.contains(&Scope::LogPerson);
    auditor || bundle.agency.as_deref() == Some(call.agency().agency().as_str())
}

fn absent(call: VerifiedCall) -> Box<Refusal> {
    call.refuse(RefusalCode::NotFound, "there is no such answer for this agency")
}
