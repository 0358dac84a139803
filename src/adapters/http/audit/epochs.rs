//! `GET /v1/log/epochs`: the sealed trail keys of a period. Only the data-protection officer's private key opens them.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{HttpState, answered, context_of, delivery, limited, queried, unreadable};
use crate::core::domain::agency::Scope;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::audit::{Filter, Takes};
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming};

#[derive(Serialize)]
struct Body<'e> {
    origin: &'e str,
    epochs: Vec<Epoch<'e>>,
}

#[derive(Serialize)]
struct Epoch<'e> {
    epoch: &'e str,
    /// Its log, where that is one that was sealed: the key is bound to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'e str>,
    sealed_key: String,
    /// The gateway has this one's keys itself.
    current: bool,
}

#[derive(Serialize)]
struct Details<'f> {
    filter: &'f Filter,
}

/// The epochs of a period.
pub(in crate::adapters::http) async fn epochs(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), ("log-epochs", 0), found).await
}

async fn found(state: Arc<HttpState>, incoming: Incoming, text: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate_signed(&state.gate, &incoming, Scope::LogPerson).await?.into_call();
    let context = context_of(&state, limited(&state, call)?);
    let filter = match queried(&state, &text, Takes::SPAN) {
        Ok(query) => query.filter,
        Err(detail) => return Err(Refusal::new(context, RefusalCode::MalformedRequest, detail)),
    };
    let found = state.audit.log.epochs(filter.from, filter.to).await.map_err(unreadable(context.clone()))?;
    let epochs = found.iter().map(|epoch| Epoch {
        epoch: &epoch.name,
        origin: epoch.origin.as_deref(),
        sealed_key: STANDARD.encode(&epoch.sealed),
        current: epoch.current,
    });
    let body = Body { origin: state.gate.ledger.origin(), epochs: epochs.collect() };
    let details = serde_json::to_string(&Details { filter: &filter }).ok();
    Ok(delivery(context, "epochs", details, &body))
}
