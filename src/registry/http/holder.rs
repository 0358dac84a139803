//! The desk for holders over HTTP: codes that go out, and codes that come back. Numbers and codes are in bodies only and go nowhere else.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::DeserializeOwned;

use super::routes::{State, failed, is_json, ok};
use super::{RegistryState, problem};
use crate::core::registry::holder::{CodeAnswer, CodeRequest, OpenAnswer, OpenRequest};
use crate::registry::holder::{HolderDesk, Message};
use crate::registry::store::StoreError;

/// `POST /registry/v1/holder-code`: alike for somebody, nobody, and somebody without a SIM. The message goes out behind the reply.
pub(super) async fn code(state: State, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let work = |state: &RegistryState, desk: &HolderDesk, asked: CodeRequest<'static>| desk.begin(state.store(), &asked, state.clock.now());
    match done(&state, &request, body, work).await {
        Ok((handle, message)) => {
            message.into_iter().for_each(|message| send(&state, message));
            ok(&CodeAnswer { handle })
        }
        Err(refusal) => refusal,
    }
}

/// `POST /registry/v1/holder-open`: the tags of a holder's numbers, for the holder's code.
pub(super) async fn open(state: State, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let work =
        |state: &RegistryState, desk: &HolderDesk, asked: OpenRequest<'static>| desk.hand_in(state.store(), &asked, state.clock.now());
    match done(&state, &request, body, work).await {
        Ok(answer) => ok::<OpenAnswer>(&answer),
        Err(refusal) => refusal,
    }
}

async fn done<A: DeserializeOwned + 'static, T: Send + 'static>(
    state: &State,
    request: &HttpRequest,
    body: web::Bytes,
    work: impl FnOnce(&RegistryState, &HolderDesk, A) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, HttpResponse> {
    if !is_json(request) {
        return Err(problem::not_json());
    }
    let state = state.clone();
    let outcome = web::block(move || {
        let asked: A = serde_json::from_slice(&body).map_err(|_| None)?;
        let desk = state.holders.as_ref().ok_or(None)?;
        work(&state, desk, asked).map_err(Some)
    });
    match outcome.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(None)) => Err(problem::malformed()),
        Ok(Err(Some(error))) => Err(failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

fn send(state: &State, message: Message) {
    let state = state.clone();
    // Nobody waits for it: the reply must not take longer where there is a SIM.
    drop(web::block(move || {
        if let Some(desk) = &state.holders {
            desk.send(&message);
        }
    }));
}
