//! From a reply to the HTTP response, on the time grid where the contract wants it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, rt};
use tokio::time::Instant;

use super::{HttpState, challenge, meters};
use crate::adapters::tls::connection::{ConnectionHandle, Cut};
use crate::core::domain::random::random;
use crate::core::reply::Reply;

/// When a request's handler started.
#[derive(Clone, Copy)]
pub(super) struct Arrival(Instant);

impl Arrival {
    pub(super) fn now() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The response to a call, whether its task ended well or not.
pub(super) async fn with(
    call: Result<Reply, rt::task::JoinError>,
    arrival: Arrival,
    grid: Duration,
    request: &HttpRequest,
) -> HttpResponse {
    match call {
        Ok(reply) => timed(&reply, arrival, grid, request).await,
        Err(_) => unread(request).await,
    }
}

/// The response for a reply, at its time.
pub(super) async fn timed(reply: &Reply, arrival: Arrival, grid: Duration, request: &HttpRequest) -> HttpResponse {
    if reply.is_silent() {
        // As long as it is held, whoever floods has one connection less to do it with.
        let hold = request.app_data::<Data<HttpState>>().map_or(Duration::ZERO, |state| state.flood_hold);
        tokio::time::sleep(spread(hold.saturating_mul(reply.held()))).await;
        return without_a_word(request, Cut::Flood).await;
    }
    if reply.leaves_on_grid() {
        tokio::time::sleep_until(next_on_grid(arrival.0, Instant::now(), grid)).await;
    }
    meters::replied(reply.label(), arrival.0.elapsed());
    let mut response = of(reply);
    challenge::complete(&mut response, request);
    response
}

/// As long, or up to twice as long: connections that were taken into a hold together do not come back together, each with a handshake.
fn spread(hold: Duration) -> Duration {
    let [random] = random::<1>().unwrap_or([255]);
    hold + hold / 256 * u32::from(random)
}

/// The response for a reply.
pub(super) fn of(reply: &Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, BoxBody::new(reply.body().clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in reply.headers() {
        if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(*name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if reply.closes_connection() {
        response.head_mut().set_connection_type(actix_http::ConnectionType::Close);
    }
    response
}

/// A request that was not read whole, or a task that died: a broken one is refused, else the connection ends without a word.
pub(super) async fn unread(request: &HttpRequest) -> HttpResponse {
    if request.conn_data::<Arc<ConnectionHandle>>().is_some_and(|connection| connection.body_is_broken()) {
        // Bare as actix's own refusals, so that the connection puts a recorded one in its place.
        return HttpResponse::new(StatusCode::BAD_REQUEST);
    }
    without_a_word(request, Cut::Handling).await
}

/// Ends the connection.
async fn without_a_word(request: &HttpRequest, why: Cut) -> HttpResponse {
    if let Some(connection) = request.conn_data::<Arc<ConnectionHandle>>() {
        connection.cut(why);
        // The cut drops the connection and this with it; a reply without a record must not slip out before.
        return std::future::pending().await;
    }
    HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE)
}

/// The first point of the grid, counted from the arrival, that is not over yet.
pub(super) fn next_on_grid(arrival: Instant, now: Instant, grid: Duration) -> Instant {
    let grid_us = grid.as_micros().max(1);
    let steps = now.duration_since(arrival).as_micros().div_ceil(grid_us).max(1);
    arrival + Duration::from_micros(u64::try_from(steps.saturating_mul(grid_us)).unwrap_or(u64::MAX / 2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn connections_of_a_flood_are_held_for_times_of_their_own_none_shorter_than_the_hold() {
        let hold = Duration::from_millis(500);
        let held: HashSet<_> = (0..64).map(|_| spread(hold)).collect();
        assert!(held.iter().all(|held| (hold..hold * 2).contains(held)));
        assert!(held.len() > 32, "{held:?}");
        assert_eq!(spread(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn fast_and_slower_refusals_leave_at_the_same_point_of_the_grid() {
        let (arrival, grid) = (Instant::now(), Duration::from_millis(50));
        for spent in [0, 1, 20, 49, 50] {
            let leaves = next_on_grid(arrival, arrival + Duration::from_millis(spent), grid);
            assert_eq!(leaves - arrival, grid, "after {spent} ms");
        }
        assert_eq!(next_on_grid(arrival, arrival + Duration::from_millis(51), grid) - arrival, grid * 2);
    }
}
