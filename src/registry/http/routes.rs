//! The handlers. Store reads run off the event loop; identifiers come in bodies only and go nowhere else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::{RegistryState, problem};
use crate::core::domain::date::tehran_day;
use crate::core::registry::wire::{ChangesAnswer, DecreesAnswer, IdentifiersAnswer, LookupAnswer, LookupRequest};
use crate::registry::decrees::{DecreeError, Officials, served};
use crate::registry::feed::changes_after;
use crate::registry::store::{StoreError, StoredPerson};

/// Longest that a poll of the change feed is held, in seconds.
const LONGEST_POLL_S: u64 = 25;

/// Most people that an answer lists: two make a number ambiguous, and one that hundreds share must not make an answer that is too long to
/// be read.
const MOST_PEOPLE: usize = 10;

pub(super) type State = web::Data<RegistryState>;

/// `POST /registry/v1/lookup`: the same statements for somebody, nobody and an unknown scheme.
pub(super) async fn look_up(state: State, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    if !is_json(&request) {
        return problem::not_json();
    }
    state.look_ups.fetch_add(1, Ordering::Relaxed);
    let reading = web::block(move || {
        let question: LookupRequest<'_> = serde_json::from_slice(&body).map_err(|_| None)?;
        found(&state, &question).map_err(Some)
    });
    match reading.await {
        Ok(Ok(answer)) => ok(&answer),
        Ok(Err(None)) => problem::malformed(),
        Ok(Err(Some(error))) => failed(&error),
        Err(error) => failed(&error),
    }
}

/// `POST /registry/v1/identifiers`: every number of everybody behind one.
pub(super) async fn identifiers(state: State, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    if !is_json(&request) {
        return problem::not_json();
    }
    let reading = web::block(move || {
        let question: LookupRequest<'_> = serde_json::from_slice(&body).map_err(|_| None)?;
        let as_of = state.clock.now();
        let persons = state.store.identifiers(&question.scheme, &question.value, tehran_day(as_of)).map_err(Some)?;
        Ok::<_, Option<StoreError>>(IdentifiersAnswer { as_of, persons })
    });
    match reading.await {
        Ok(Ok(answer)) => ok(&answer),
        Ok(Err(None)) => problem::malformed(),
        Ok(Err(Some(error))) => failed(&error),
        Err(error) => failed(&error),
    }
}

/// `GET /registry/v1/decrees`, every signature checked again.
pub(super) async fn decrees(state: State) -> HttpResponse {
    match web::block(move || decrees_in_force(&state)).await {
        Ok(Ok(answer)) => ok(&answer),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

/// What a follower of the feed asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesQuery {
    /// The last cursor applied.
    after: u64,
    /// Seconds to wait for a change; at most, and by default, 25.
    wait: Option<u64>,
    /// What was told with that cursor.
    history: Option<String>,
}

/// `GET /registry/v1/changes?after=CURSOR[&wait=SECONDS]`: answers at once when there is something, else when there is.
pub(super) async fn changes(state: State, request: HttpRequest) -> HttpResponse {
    let Ok(query) = web::Query::<ChangesQuery>::from_query(request.query_string()) else { return problem::malformed() };
    let deadline = Instant::now() + Duration::from_secs(query.wait.unwrap_or(LONGEST_POLL_S).min(LONGEST_POLL_S));
    let (mut cursor, mut ending) = (state.cursor.clone(), state.ending.subscribe());
    loop {
        // Marked as seen before the read: a commit during the read wakes the wait after it.
        cursor.mark_unchanged();
        let answer = match changed(&state, &query).await {
            Ok(answer) => answer,
            Err(refusal) => return refusal,
        };
        let nothing = answer.cursor == query.after && !answer.everything;
        let more = async {
            tokio::select! {
                changed = cursor.changed() => changed.is_ok(),
                _ = ending.wait_for(|ending| *ending) => false,
            }
        };
        if !nothing || !timeout_at(deadline, more).await.unwrap_or(false) {
            return ok(&answer);
        }
    }
}

/// `GET /health/live`.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).body("ok\n")
}

fn found(state: &RegistryState, question: &LookupRequest<'_>) -> Result<LookupAnswer, StoreError> {
    // Before the read: the answer may only be younger than it says.
    let as_of = state.clock.now();
    let subject = state.subjects.subject(&question.scheme, &question.value);
    let (version, persons, more) = state.store.lookup_with_cursor(&question.scheme, &question.value, MOST_PEOPLE)?;
    let key = |person: &StoredPerson| Some(state.subjects.person(&person.source, &person.person));
    let persons = persons.iter().map(|person| person.to_wire(&question.scheme, &question.value, key(person))).collect();
    Ok(LookupAnswer { version, as_of, subject, persons, more })
}

fn decrees_in_force(state: &RegistryState) -> Result<DecreesAnswer, DecreeError> {
    let as_of = state.clock.now();
    served(&state.store, &Officials::load(&state.dir)?)?.answer(as_of)
}

async fn changed(state: &State, query: &ChangesQuery) -> Result<ChangesAnswer, HttpResponse> {
    let (state, after, known) = (state.clone(), query.after, query.history.clone());
    match web::block(move || state.store.read(|snapshot| changes_after(snapshot, after, known.as_deref(), &state.subjects))).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

pub(super) fn is_json(request: &HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

pub(super) fn ok<T: Serialize>(answer: &T) -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(answer)
}

/// Store and decree errors name no person; the caller learns only that there is no answer.
pub(super) fn failed(error: &impl std::fmt::Display) -> HttpResponse {
    tracing::error!(%error, "the registry could not answer");
    problem::unavailable()
}
