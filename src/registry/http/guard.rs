//! Only callers whose certificate bears an allowed name pass; the TLS layer has fixed its trust domain.

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::{RegistryState, problem};
use crate::core::identity::PeerChain;

/// 403 unless the connection's certificate bears a name on the list, and nothing after it.
pub(super) async fn allowed_only<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if is_allowed(&request) {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    let response = problem::not_allowed();
    Ok(request.into_response(response).map_into_right_body())
}

fn is_allowed(request: &ServiceRequest) -> bool {
    let peer = request.conn_data::<Arc<PeerChain>>();
    let state = request.app_data::<web::Data<RegistryState>>();
    peer.zip(state).is_some_and(|(peer, state)| peer.branch.is_none() && state.allow.contains(&peer.agency))
}
