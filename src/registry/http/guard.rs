//! Only callers whose certificate bears an allowed name pass; the TLS layer has fixed its trust domain. Each is told to which question the
//! answer is.

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::{RegistryState, problem};
use crate::core::identity::PeerChain;
use crate::core::registry::wire::QUESTION;

/// Longest name of a question that is said again, in bytes.
const MAX_QUESTION: usize = 64;

/// Says the name of the question again, where it has one.
pub(super) async fn question_again<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let asked: Option<HeaderValue> = request.headers().get(QUESTION).filter(|asked| asked.len() <= MAX_QUESTION).cloned();
    let mut response = next.call(request).await?;
    if let Some(asked) = asked {
        response.headers_mut().insert(HeaderName::from_static(QUESTION), asked);
    }
    Ok(response)
}

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
