//! Reading a request's body under a size cap and the body deadline.

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::timeout;

use std::sync::Arc;
use std::time::Duration;

use super::connection::{ConnectionHandle, Deadlines};

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the cap, announced or found.
    #[error("the request body is too large")]
    TooLarge,
    /// Not complete within the deadline.
    #[error("the request body did not come in time")]
    Slow,
    /// The client broke off, or its framing is wrong.
    #[error("the request body is broken")]
    Broken,
}

/// Reads the whole body, at most `cap` bytes, within the connection's body deadline, and tells the connection so.
///
/// # Errors
/// Too large, too slow or broken; the connection closes after the reply, since the rest of the body is unread.
pub async fn read_body(request: &HttpRequest, payload: web::Payload, cap: usize) -> Result<Bytes, BodyError> {
    let handle = request.conn_data::<Arc<ConnectionHandle>>();
    let deadline = handle.map_or(Deadlines::default().body, |handle| handle.body_deadline());
    let outcome = read(request, payload, cap, deadline).await;
    if let Some(handle) = handle {
        handle.body_complete();
        if outcome == Err(BodyError::Broken) {
            handle.body_broken();
        }
    }
    outcome
}

async fn read(request: &HttpRequest, mut payload: web::Payload, cap: usize, deadline: Duration) -> Result<Bytes, BodyError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > cap) {
        return Err(BodyError::TooLarge);
    }
    // A body that came with its head is there already: no timer for it.
    match futures_util::FutureExt::now_or_never(payload.next()) {
        Some(None) => Ok(Bytes::new()),
        Some(Some(Ok(first))) if announced == Some(first.len()) => Ok(first),
        Some(Some(Ok(first))) => collect(payload, first, cap, deadline).await,
        Some(Some(Err(_))) => Err(BodyError::Broken),
        None => collect(payload, Bytes::new(), cap, deadline).await,
    }
}

async fn collect(mut payload: web::Payload, first: Bytes, cap: usize, deadline: Duration) -> Result<Bytes, BodyError> {
    let rest = async {
        let mut body = BytesMut::from(first);
        while body.len() <= cap {
            match payload.next().await {
                Some(Ok(chunk)) => body.extend_from_slice(&chunk),
                Some(Err(_)) => return Err(BodyError::Broken),
                None => return Ok(body.freeze()),
            }
        }
        Err(BodyError::TooLarge)
    };
    timeout(deadline, rest).await.unwrap_or(Err(BodyError::Slow))
}
