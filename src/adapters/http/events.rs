//! `POST /v1/events`: the registry pushes what changed, as a Security Event Token (RFC 8417, RFC 8935). Certificate and signature are each
//! checked on their own; what is taken merely invalidates.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use async_trait::async_trait;
use jiff::Timestamp;

use super::{HttpState, incoming, respond};
use crate::core::domain::context::CallContext;
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::domain::refusal::{LimitNotice, Refusal, RefusalCode};
use crate::core::identity::PeerChain;
use crate::core::ledger::EntryKind;
use crate::core::limit::Tier;
use crate::core::registry::event::{SetError, SetRejected};
use crate::core::reply::Reply;
use crate::core::signing::Delivery;
use crate::core::token::SingleUse;
use crate::flow::{self, Incoming};

/// Largest event in bytes: as many changed subjects as the feed lists at once.
const BODY_LIMIT: usize = 1 << 20;
/// Largest body of somebody who may send none.
const STRANGERS_LIMIT: usize = 8 << 10;

/// Takes the registry's events.
#[async_trait]
pub trait EventDesk: Send + Sync + 'static {
    /// Whether a certificate is the one that events come from.
    fn is_sender(&self, peer: &PeerChain) -> bool;

    /// Spends one event of those that may come.
    ///
    /// # Errors
    /// What to tell the sender.
    fn admit(&self, now: Timestamp) -> Result<(), LimitNotice>;

    /// Judges an event and heeds it. It is not spent yet: what fails from here on must be good again when it is sent again.
    ///
    /// # Errors
    /// Why not; then nothing was heeded.
    async fn take(&self, compact: &str, now: Timestamp) -> Result<TakenEvent, Untaken>;

    /// Spends an event that was heeded and is on record.
    ///
    /// # Errors
    /// [`Untaken::Unavailable`]: it is as good as before.
    async fn spend(&self, event: &TakenEvent, now: Timestamp) -> Result<(), Untaken>;
}

/// An event that was heeded.
pub struct TakenEvent {
    /// What it is spent by.
    pub once: SingleUse,
    /// What changed, as JSON for the log.
    pub details: String,
    /// As long as this lives the same event is not taken beside it.
    pub held: Box<dyn Send + Sync>,
}

/// Why an event is not taken.
pub enum Untaken {
    /// It is not acceptable.
    Rejected(SetRejected),
    /// Too many of its sort came in a short time.
    TooSoon(LimitNotice),
    /// Its single use cannot be recorded at present, or it is just being taken.
    Unavailable,
}

/// One event; recorded before it is acknowledged.
pub(super) async fn take(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let from_sender = |peer: &Arc<PeerChain>| state.events.as_ref().is_some_and(|desk| desk.is_sender(peer));
    let limit = if request.conn_data::<Arc<PeerChain>>().is_some_and(from_sender) { BODY_LIMIT } else { STRANGERS_LIMIT };
    let Some(incoming) = incoming::read(&state, &request, payload, "events", limit).await else {
        return respond::unread(&request).await;
    };
    let grid = state.grid;
    let call = rt::spawn(answer(state.into_inner(), incoming)).await;
    let mut response = respond::with(call, arrival, grid, &request).await;
    match response.status() {
        // RFC 8935 §2.3 wants the language of the description.
        StatusCode::BAD_REQUEST => drop(response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"))),
        // An empty body has no type.
        StatusCode::ACCEPTED => drop(response.headers_mut().remove(CONTENT_TYPE)),
        _ => {}
    }
    response
}

async fn answer(state: Arc<HttpState>, incoming: Incoming) -> Reply {
    match taken(&state, &incoming).await {
        Ok(Outcome::Heeded(event, context)) => acknowledged(&state, incoming, *event, context).await,
        Ok(Outcome::Rejected(delivery)) => flow::deliver(&state.gate, delivery).await,
        Err(refusal) => flow::refuse(&state.gate, refusal).await,
    }
}

/// Nothing is acknowledged but what has effect and is on record, and nothing is spent before that.
async fn acknowledged(state: &HttpState, incoming: Incoming, event: TakenEvent, context: CallContext) -> Reply {
    let gate = &state.gate;
    // Its record has the name of the call; what is said of a failure after that is another one.
    let failed = CallContext { request_id: CallContext::new("events", gate.clock.now()).request_id, ..context.clone() };
    let compact = incoming.body.as_deref().ok().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
    let reply = flow::deliver(gate, accepted(context, compact, event.details.clone())).await;
    let Some(desk) = state.events.as_ref().filter(|_| reply.status() == StatusCode::ACCEPTED) else { return reply };
    match desk.spend(&event, gate.clock.now()).await {
        Ok(()) => reply,
        Err(_) => flow::refuse(gate, unkept(failed)).await,
    }
}

/// What becomes of an event that came in order.
enum Outcome {
    Heeded(Box<TakenEvent>, CallContext),
    Rejected(Delivery),
}

fn unkept(context: CallContext) -> Box<Refusal> {
    Refusal::new(context, RefusalCode::LedgerUnavailable, "the event cannot be kept; send it again")
}

async fn taken(state: &HttpState, incoming: &Incoming) -> Result<Outcome, Box<Refusal>> {
    let Some(desk) = state.events.as_ref().filter(|desk| desk.is_sender(&incoming.peer)) else {
        return not_the_sender(state, incoming).map(Outcome::Rejected);
    };
    let gate = &*state.gate;
    let (context, now) = (flow::identify_registry(gate, incoming)?, gate.clock.now());
    if let Err(limit) = desk.admit(now) {
        return Err(limited(context, limit));
    }
    if !gate.clock.holds() {
        return Err(Refusal::new(context, RefusalCode::LedgerUnavailable, "the clock jumped; send the event again later"));
    }
    if let Some(oddity) = oddity(incoming) {
        return Ok(Outcome::Rejected(rejected(context, SetRejected(SetError::InvalidRequest, oddity))));
    }
    if !is_event(incoming.content_type.as_deref()) {
        return Err(Refusal::new(context, RefusalCode::UnsupportedMediaType, "send `application/secevent+jwt`"));
    }
    let Ok(body) = &incoming.body else {
        return Err(Refusal::new(context, RefusalCode::BodyTooLarge, "an event is at most 1 MiB; say `everything` instead"));
    };
    let compact = std::str::from_utf8(body).unwrap_or_default();
    match desk.take(compact, now).await {
        Ok(event) => Ok(Outcome::Heeded(Box::new(event), context)),
        Err(Untaken::Rejected(why)) => Ok(Outcome::Rejected(rejected(context, why))),
        Err(Untaken::TooSoon(limit)) => Err(limited(context, limit)),
        Err(Untaken::Unavailable) => Err(unkept(context)),
    }
}

/// An agency, or a gateway that takes no events from anybody.
fn not_the_sender(state: &HttpState, incoming: &Incoming) -> Result<Delivery, Box<Refusal>> {
    let agency = flow::identify(&state.gate, incoming)?;
    if state.events.is_none() {
        return Err(agency.refuse(RefusalCode::NotFound, "no registry pushes events to this gateway"));
    }
    let limit = state.gate.limiter.admit(agency.agency(), Tier::Token);
    let context = agency.into_context();
    match limit {
        Ok(()) => Ok(rejected(context, SetRejected(SetError::AccessDenied, "events are taken from the registry alone"))),
        Err(limit) => Err(limited(context, limit)),
    }
}

/// What has no place beside an event.
fn oddity(incoming: &Incoming) -> Option<&'static str> {
    let token = incoming.authorization.is_some().then_some("leave `Authorization` out here: the certificate authenticates");
    let signature = incoming.signature.is_some().then_some("leave `Estelam-Signature` out here: the event itself is signed");
    incoming.oddity.or(token).or(signature)
}

fn is_event(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|kind| kind.split(';').next()).and_then(|kind| kind.trim().split_once('/'));
    kind.is_some_and(|(kind, subtype)| {
        kind.eq_ignore_ascii_case("application") && subtype.eq_ignore_ascii_case(JwtKind::SecurityEvent.typ())
    })
}

fn limited(context: CallContext, limit: LimitNotice) -> Box<Refusal> {
    let mut refusal = Refusal::new(context, RefusalCode::RateLimited, "put what changed meanwhile into one event");
    refusal.limit = Some(limit);
    refusal
}

fn accepted(context: CallContext, compact: &str, details: String) -> Delivery {
    let (kind, statement) = (EntryKind::RegistryEvent, compact.to_owned());
    let content_type = "application/json";
    Delivery { context, kind, code: "event-accepted", details: Some(details), status: 202, content_type, body: String::new(), statement }
}

fn rejected(context: CallContext, SetRejected(error, description): SetRejected) -> Delivery {
    let (kind, code) = (EntryKind::Refusal, error.code());
    let body = serde_json::json!({ "err": code, "description": description }).to_string();
    Delivery { context, kind, code, details: None, status: 400, content_type: "application/json", statement: body.clone(), body }
}
