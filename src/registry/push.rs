//! Pushes what changed to gateways as Security Event Tokens (RFC 8417, RFC 8935), beside the poll that they all follow: nothing depends on it.
//!
//! Each receiver has a cursor in the store: what it acknowledged. One event tells everything after it, so that whatever a receiver missed is
//! in the next one, and what changes while one is under way goes into one.

use std::time::Duration;

use actix_web::web::{self, Data};
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use rusqlite::params;

use super::feed::changes_after;
use super::http::RegistryState;
use super::store::{Store, StoreError};
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::domain::random::random;
use crate::core::registry::wire::ChangesAnswer;

/// Where a gateway takes events.
const PATH: &str = "/v1/events";
/// Between two events to one receiver, at least: a gateway takes two a second.
const APART: Duration = Duration::from_millis(500);
/// The first wait after a failure, doubled each time up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Signs what changed, for a receiver; `None` when the signer fails.
pub type Sign = Box<dyn Fn(&ChangesAnswer) -> Option<String> + Send + Sync>;
/// Connects to a receiver under the registry's certificate; errors say what is wrong.
pub type Connect = Box<dyn Fn() -> Result<Connection, String> + Send + Sync>;

/// A client for one receiver.
pub struct Connection {
    /// Its connections.
    pub client: Client,
    /// Whether the receiver's certificate may still be trusted; else its connections are not used again.
    pub good: Box<dyn Fn() -> bool + Send + Sync>,
}

/// A gateway that is told what changes.
pub struct Receiver {
    /// Its issuer URL, below which it takes events.
    pub gateway: String,
    /// Signs for it.
    pub sign: Sign,
    /// Connects to it.
    pub connect: Connect,
}

/// Why an event did not arrive, and how long the receiver wants to be left alone.
struct Failed(String, Duration);

impl Failed {
    fn now(why: impl Into<String>) -> Self {
        Self(why.into(), Duration::ZERO)
    }
}

/// Begins with these receivers and no others. One that is new is told what changes from now on: until now it followed the poll alone.
///
/// # Errors
/// [`StoreError`].
pub fn begin(store: &Store, gateways: &[String]) -> Result<(), StoreError> {
    store.with_writer(|transaction| {
        let mut known = transaction.prepare("SELECT gateway FROM receiver")?;
        let known: Vec<String> = known.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for gone in known.iter().filter(|known| !gateways.contains(known)) {
            transaction.execute("DELETE FROM receiver WHERE gateway = ?1", [gone])?;
        }
        for gateway in gateways {
            let new =
                "INSERT INTO receiver (gateway, told) SELECT ?1, coalesce(max(cursor), 0) FROM change WHERE true ON CONFLICT DO NOTHING";
            transaction.execute(new, [gateway])?;
        }
        Ok(())
    })
}

impl Receiver {
    /// Tells the receiver what changes, until the registry ends or the task is dropped.
    pub async fn keep(self, state: Data<RegistryState>) {
        let (mut news, mut wait, mut connection) = (state.news(), FIRST_WAIT, None);
        loop {
            news.mark_unchanged();
            match self.round(&state, &mut connection).await {
                Ok(true) => {
                    wait = FIRST_WAIT;
                    tokio::time::sleep(APART).await;
                }
                Ok(false) => {
                    if news.changed().await.is_err() {
                        return;
                    }
                }
                Err(Failed(why, at_least)) => {
                    connection = None;
                    tracing::warn!(gateway = self.gateway, why, "a gateway is not told what changed; it follows the poll meanwhile");
                    tokio::time::sleep(jittered(wait).max(at_least)).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Sends what the receiver has not acknowledged; false when there is nothing.
    async fn round(&self, state: &Data<RegistryState>, connection: &mut Option<Connection>) -> Result<bool, Failed> {
        let told = self.stored(state, told).await?;
        let changes = self.stored(state, move |state, _| state.read_changes(told)).await?;
        if changes.cursor == told && !changes.everything {
            return Ok(false);
        }
        let event = (self.sign)(&changes).ok_or_else(|| Failed::now("the signer failed"))?;
        let current = match connection.take().filter(|connection| (connection.good)()) {
            Some(current) => current,
            None => (self.connect)().map_err(Failed::now)?,
        };
        acknowledged(current.client.post(format!("{}{PATH}", self.gateway)).body(event)).await?;
        *connection = Some(current);
        let cursor = changes.cursor;
        self.stored(state, move |state, gateway| acknowledge(state.store(), gateway, cursor)).await?;
        Ok(true)
    }

    /// Asks the store off the event loop.
    async fn stored<T: Send + 'static>(
        &self,
        state: &Data<RegistryState>,
        work: impl FnOnce(&RegistryState, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failed> {
        let (state, gateway) = (state.clone(), self.gateway.clone());
        let done = web::block(move || work(&state, &gateway)).await;
        done.map_err(|error| Failed::now(error.to_string()))?.map_err(|error| Failed::now(error.to_string()))
    }
}

async fn acknowledged(request: reqwest::RequestBuilder) -> Result<(), Failed> {
    let request = request.header(CONTENT_TYPE, format!("application/{}", JwtKind::SecurityEvent.typ())).header(ACCEPT, "application/json");
    let response = request.send().await.map_err(|error| Failed::now(error.without_url().to_string()))?;
    match response.status() {
        StatusCode::ACCEPTED => Ok(()),
        // Made anew each time, so it may be taken once clocks or keys are right.
        StatusCode::BAD_REQUEST => Err(Failed("it says that the event is not acceptable; look at its log".to_owned(), LONGEST_WAIT)),
        status => Err(Failed(format!("it answered {status}"), asked_for(&response))),
    }
}

fn asked_for(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(Duration::ZERO, Duration::from_secs).min(LONGEST_WAIT)
}

/// Half of a wait and a random part of the other half.
fn jittered(wait: Duration) -> Duration {
    let [random] = random::<1>().unwrap_or([255]);
    wait / 2 + wait / 2 * u32::from(random) / 255
}

/// What a receiver acknowledged last.
fn told(state: &RegistryState, gateway: &str) -> Result<u64, StoreError> {
    state.store().read(|snapshot| {
        let mut find = snapshot.prepare_cached("SELECT told FROM receiver WHERE gateway = ?1")?;
        Ok(find.query_row([gateway], |row| row.get(0))?)
    })
}

fn acknowledge(store: &Store, gateway: &str, cursor: u64) -> Result<(), StoreError> {
    store.with_writer(|transaction| {
        transaction.prepare_cached("UPDATE receiver SET told = ?2 WHERE gateway = ?1")?.execute(params![gateway, cursor])?;
        Ok(())
    })
}

impl RegistryState {
    fn read_changes(&self, after: u64) -> Result<ChangesAnswer, StoreError> {
        self.store().read(|snapshot| changes_after(snapshot, after, None, self.subjects()))
    }
}
