//! Reading a request's body under a size cap and the body deadline.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;

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
    // A body that came with its head is there already: no timer for it, and no copy.
    match with_the_head(&mut payload).await {
        Some(None) => Ok(Bytes::new()),
        Some(Some(Ok(first))) if announced == Some(first.len()) => Ok(first),
        Some(Some(Ok(first))) => collect(payload, first, cap, deadline).await,
        Some(Some(Err(_))) => Err(BodyError::Broken),
        None => collect(payload, Bytes::new(), cap, deadline).await,
    }
}

/// What came of the body together with the head: the next piece, or that there is none; `None` where it is still to come.
///
/// The dispatcher calls a handler before it looks for a body, then hands on what lies in its buffer and calls the handler again, all in one turn of
/// the same task. So whoever asks too early gives way once without asking to be woken: whatever comes later than that wakes the task by its socket.
async fn with_the_head(payload: &mut web::Payload) -> Option<Option<Result<Bytes, PayloadError>>> {
    let there = payload.next().now_or_never();
    if there.is_some() {
        return there;
    }
    let mut called_again = false;
    poll_fn(|_| if std::mem::replace(&mut called_again, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    payload.next().now_or_never()
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
