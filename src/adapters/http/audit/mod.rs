//! Auditors' questions over HTTP (contract §6). Every read is an entry of its own, durable before anything of it leaves.

mod asked;
mod entries;
mod epochs;
mod export;
mod holder;
mod holder_sessions;
mod justification;
mod manifest;
mod person;
mod redrawn;
mod rows;
mod samples;
mod summary;

use std::sync::Arc;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, rt};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroize as _;

use super::{HttpState, incoming, respond};
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::audit::{LogAudit, Query, Takes};
use crate::core::ledger::{EntryKind, LogUnreadable};
use crate::core::limit::Tier;
use crate::core::policy::is_json;
use crate::core::registry::Identities;
use crate::core::signing::Delivery;
use crate::core::token::VerifiedCall;
use crate::flow::{self, Incoming};

pub(super) use entries::entries;
pub(super) use epochs::epochs;
pub(super) use export::export;
pub(super) use holder::holder;
pub use holder::{Contested, HolderState, NotToday, Why};
pub use holder_sessions::Sessions;
pub(super) use justification::justify;
pub(super) use person::person;
pub(super) use samples::{draw, list};
pub(super) use summary::summary;

/// What the resources of auditors need.
pub struct AuditState {
    /// Searches in the log.
    pub log: Arc<dyn LogAudit>,
    /// A person's present and past identifiers.
    pub identities: Arc<dyn Identities>,
    /// The register of cases.
    pub cases: Arc<dyn Cases>,
    /// Trails that one officer may open in a day.
    pub trails_per_day: u64,
    /// One trail after the other, so that a day's quota is counted right.
    pub turn: Arc<tokio::sync::Mutex<()>>,
}

/// The register of cases in which trails may be opened.
pub trait Cases: Send + Sync + 'static {
    /// A case that is open for an office at an instant, as JSON for the log.
    fn open_case(&self, number: &str, office: &str, now: jiff::Timestamp) -> Option<String>;
}

/// What is done once it is certain whether an answer is on record.
type Then = Box<dyn FnOnce(bool)>;

/// What a resource answers with, and what is held until it is on record, or done then.
trait Answer {
    fn parts(self) -> (Delivery, Option<Then>);
}

impl Answer for Delivery {
    fn parts(self) -> (Delivery, Option<Then>) {
        (self, None)
    }
}

impl Answer for (Delivery, OwnedMutexGuard<()>) {
    fn parts(self) -> (Delivery, Option<Then>) {
        let (delivery, held) = self;
        (delivery, Some(Box::new(move |_| drop(held))))
    }
}

impl Answer for (Delivery, Option<Then>) {
    fn parts(self) -> (Delivery, Option<Then>) {
        self
    }
}

/// Reads a request, answers it in a task of its own, and concludes with a delivery or a refusal.
async fn answered<F, A>(
    state: actix_web::web::Data<HttpState>,
    (request, payload): (HttpRequest, Payload),
    (route, limit): (&'static str, usize),
    work: impl FnOnce(Arc<HttpState>, Incoming, String) -> F + 'static,
) -> HttpResponse
where
    F: Future<Output = Result<A, Box<Refusal>>> + 'static,
    A: Answer,
{
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read_queried(&state, &request, payload, route, limit).await else {
        return respond::unread(&request).await;
    };
    let (grid, query) = (state.grid, request.query_string().to_owned());
    let state = state.into_inner();
    let call = rt::spawn(async move {
        let gate = state.gate.clone();
        if let Some(reply) = flow::no_reading(&gate, &incoming) {
            return reply;
        }
        match work(state, incoming, query).await {
            Ok(answer) => {
                let (delivery, then) = answer.parts();
                let status = delivery.status;
                let reply = flow::deliver(&gate, delivery).await;
                then.into_iter().for_each(|then| then(reply.status() == status));
                reply
            }
            Err(refusal) => flow::refuse(&gate, refusal).await,
        }
    });
    respond::with(call.await, arrival, grid, &request).await
}

/// Spends one call of the agency's general rate.
fn limited(state: &HttpState, call: VerifiedCall) -> Result<VerifiedCall, Box<Refusal>> {
    match state.gate.limiter.admit(call.agency().agency(), Tier::Other) {
        Ok(()) => Ok(call),
        Err(limit) => {
            let mut refusal = call.refuse(RefusalCode::RateLimited, "ask for less at a time");
            refusal.limit = Some(limit);
            Err(refusal)
        }
    }
}

/// The call's context, for its delivery or refusal.
fn context_of(state: &HttpState, call: VerifiedCall) -> CallContext {
    let mut context = call.into_parts().0.into_context();
    context.policy_version = Some((state.gate.policy)().version.clone());
    context
}

/// Reads a query string.
fn queried(state: &HttpState, text: &str, takes: Takes) -> Result<Query, String> {
    let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    parsed(state, pairs.iter().map(|(name, value)| (&**name, &**value)), takes)
}

/// Reads parameters.
fn parsed<'p>(state: &HttpState, parameters: impl Iterator<Item = (&'p str, &'p str)>, takes: Takes) -> Result<Query, String> {
    let policy = (state.gate.policy)();
    let looks = |value: &str| policy.schemes.looks_like_identifier(value);
    Query::parse(parameters, takes, &looks).map_err(|error| error.to_string())
}

/// Why one log cannot be chosen.
enum NoSuchLog {
    /// The installation has none of this origin.
    Unknown,
    /// It was sealed and is not there.
    Missing,
}

impl NoSuchLog {
    fn refusal(self, context: &CallContext) -> Box<Refusal> {
        let (code, detail) = match self {
            Self::Unknown => (RefusalCode::MalformedRequest, "`origin` is no log of this installation; `GET /log/origins` lists them"),
            Self::Missing => (RefusalCode::LedgerUnavailable, "the sealed log of this `origin` is not there; its folder is to be put back"),
        };
        Refusal::new(context.clone(), code, detail)
    }
}

/// The number of the log that is asked for; none where none is named.
fn one_log(log: &dyn LogAudit, origin: Option<&str>) -> Result<Option<u16>, NoSuchLog> {
    let Some(origin) = origin else { return Ok(None) };
    let list = log.logs(None);
    match list.number_of(origin) {
        Some(number) => Ok(Some(number)),
        None if list.missing.iter().any(|missing| missing == origin) => Err(NoSuchLog::Missing),
        None => Err(NoSuchLog::Unknown),
    }
}

/// What is said of a query string where the body says everything.
const IN_THE_BODY: &str = "leave the query string out: what is asked for goes into the body";

/// Reads a JSON body; what is said of a fault repeats nothing that was sent.
fn read_json<T: DeserializeOwned>(incoming: &Incoming) -> Result<T, (RefusalCode, String)> {
    if !incoming.content_type.as_deref().is_some_and(is_json) {
        return Err((RefusalCode::UnsupportedMediaType, "send the body as `application/json`, without a content coding".to_owned()));
    }
    let Ok(body) = &incoming.body else {
        return Err((RefusalCode::BodyTooLarge, "the body is larger than this resource takes".to_owned()));
    };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = crate::core::domain::request::object(&mut reader).and_then(|read| reader.end().map(|()| read));
    match read {
        Ok(Some(read)) => Ok(read),
        Ok(None) => Err((RefusalCode::MalformedRequest, "the body is not a JSON object".to_owned())),
        Err(error) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            Err((RefusalCode::MalformedRequest, format!("the body is not as the API description says: see {place}")))
        }
    }
}

/// Overwrites a body that held keys or a number. Bytes that somebody else holds too cannot be.
fn wipe(incoming: &mut Incoming) {
    if let Ok(body) = std::mem::replace(&mut incoming.body, Ok(Bytes::new())) {
        wiped(body);
    }
}

fn wiped(body: Bytes) -> Option<BytesMut> {
    let mut bytes = body.try_into_mut().ok()?;
    bytes.as_mut().zeroize();
    Some(bytes)
}

/// A read of the log as it leaves.
fn delivery(context: CallContext, code: &'static str, details: Option<String>, body: &impl Serialize) -> Delivery {
    // Serialising strings and numbers into memory cannot fail.
    let body = serde_json::to_string(body).unwrap_or_default();
    Delivery {
        context,
        kind: EntryKind::LogRead,
        code,
        details,
        status: 200,
        content_type: "application/json",
        statement: body.clone(),
        body,
    }
}

fn unreadable(context: CallContext) -> impl FnOnce(LogUnreadable) -> Box<Refusal> {
    move |_| Refusal::new(context, RefusalCode::LedgerUnavailable, "the log cannot be read at present")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_body_of_our_own_is_overwritten() {
        assert_eq!(wiped(Bytes::from(b"a key".to_vec())).unwrap(), [0; 5].as_slice());
        let shared = Bytes::from(b"a key".to_vec());
        assert_eq!((wiped(shared.clone()), &*shared), (None, b"a key".as_slice()));
    }
}
