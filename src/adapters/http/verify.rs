//! `POST /v1/verify`, and the refusals of requests that meet no resource.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};

use super::unbroken::Unbroken;
use super::{HttpState, incoming, respond};
use crate::core::domain::refusal::RefusalCode;
use crate::flow;

/// One verification query. A client that hangs up cannot cut a call in half.
pub(super) async fn verify(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read(&state, &request, payload, "verify", state.body_limit).await else {
        return respond::unread(&request).await;
    };
    let reply = Unbroken::new(flow::verify(state.gate.clone(), incoming)).await;
    respond::timed(&reply, arrival, state.grid, &request).await
}

/// A path that no resource has.
pub(super) async fn not_found(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    refused(state, request, payload, RefusalCode::NotFound, "see the API description for the resources of this listener", "").await
}

/// Another method than POST.
pub(super) async fn only_post(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    refused(state, request, payload, RefusalCode::MethodNotAllowed, "use POST", "POST").await
}

/// Another method than GET and POST.
pub(super) async fn get_or_post(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    refused(state, request, payload, RefusalCode::MethodNotAllowed, "use GET or POST", "GET, POST").await
}

/// Another method than GET.
pub(super) async fn only_get(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    refused(state, request, payload, RefusalCode::MethodNotAllowed, "use GET", "GET").await
}

async fn refused(
    state: Data<HttpState>,
    request: HttpRequest,
    payload: Payload,
    code: RefusalCode,
    detail: &'static str,
    allow: &'static str,
) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read(&state, &request, payload, "none", state.body_limit).await else {
        return respond::unread(&request).await;
    };
    let gate = state.gate.clone();
    let call = rt::spawn(async move {
        let mut refusal = match flow::identify(&gate, &incoming) {
            Ok(agency) => agency.refuse(code, detail),
            Err(refusal) => refusal,
        };
        refusal.allow = allow;
        flow::refuse(&gate, refusal).await
    });
    respond::with(call.await, arrival, state.grid, &request).await
}
