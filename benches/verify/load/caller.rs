//! One connection's loop: wait for its turn, ask, note the outcome.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::tally::Tally;
use crate::wire::Connection;

/// Where to connect again after the server has closed a connection; none where that is a failure.
pub type Again = Option<(SocketAddr, Arc<ClientConfig>)>;

/// Asks until the window has closed; `number` spreads the connections over the requests.
pub async fn keep_asking((mut connection, again): (Connection, Again), requests: Vec<Vec<u8>>, number: usize, tally: Rc<Tally>) {
    for request in requests.iter().cycle().skip(number) {
        let Some(due) = turn(&tally).await else { return };
        match connection.exchange(request).await {
            Ok(reply) if reply.status == 200 => tally.note_answer(due),
            Ok(reply) => tally.note_error(format!("status {}: {}", reply.status, opening(reply.body))),
            Err(fault) => {
                tally.note_error(fault.to_string());
                let Some((address, tls)) = &again else { return };
                match opened_again(*address, tls, &tally).await {
                    Some(opened) => connection = opened,
                    None => return,
                }
            }
        }
    }
}

/// A new connection, tried until the window has closed.
async fn opened_again(address: SocketAddr, tls: &Arc<ClientConfig>, tally: &Tally) -> Option<Connection> {
    while Instant::now() < tally.closes() {
        if let Ok(connection) = Connection::open(address, tls.clone()).await {
            return Some(connection);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// Longer waits begin asleep.
const LONG_WAIT: Duration = Duration::from_millis(10);
/// How long before its end a wait is no longer slept through.
const AWAKE: Duration = Duration::from_millis(2);

/// The instant from which the next request's latency counts, or `None` when no more are wanted.
///
/// With a rate, instants are fixed beforehand and a late caller takes the oldest one left: waiting for a free connection counts.
/// Timers of a millisecond are too coarse for that, so callers look at the clock in turn for the last of the wait, giving way to arriving replies;
/// before that they sleep, so that other load generators on the processor have it too.
async fn turn(tally: &Tally) -> Option<Instant> {
    let due = tally.next_due().unwrap_or_else(Instant::now);
    if due >= tally.closes() {
        return None;
    }
    let early = due.saturating_duration_since(Instant::now());
    if early > LONG_WAIT {
        tokio::time::sleep(early - AWAKE).await;
    }
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
    Some(due)
}

/// Enough of a body to see what is wrong.
fn opening(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}
