//! One connection's loop: wait for its turn, ask, note the outcome.

use std::rc::Rc;
use std::time::Instant;

use super::tally::Tally;
use crate::wire::Connection;

/// Asks until the window has closed; `number` spreads the connections over the requests.
pub async fn keep_asking(mut connection: Connection, requests: Vec<Vec<u8>>, number: usize, tally: Rc<Tally>) {
    for request in requests.iter().cycle().skip(number) {
        let Some(due) = turn(&tally).await else { return };
        match connection.exchange(request).await {
            Ok(reply) if reply.status == 200 => tally.note_answer(due),
            Ok(reply) => tally.note_error(format!("status {}: {}", reply.status, opening(reply.body))),
            Err(fault) => {
                tally.note_error(fault.to_string());
                return;
            }
        }
    }
}

/// The instant from which the next request's latency counts, or `None` when no more are wanted.
///
/// With a rate, instants are fixed beforehand and a late caller takes the oldest one left: waiting for a free connection counts.
/// Timers of a millisecond are too coarse for that, so callers look at the clock in turn, giving way to arriving replies.
async fn turn(tally: &Tally) -> Option<Instant> {
    let due = tally.next_due().unwrap_or_else(Instant::now);
    if due >= tally.closes() {
        return None;
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
