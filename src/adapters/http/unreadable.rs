//! Requests that are HTTP by their shape but cannot be read: refused, signed and recorded like every other.

use std::fmt::Write;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::rt;
use actix_web::web::Data;
use bytes::Bytes;
use jiff::Timestamp;

use super::{HttpState, meters, respond};
use crate::adapters::tls::unreadable::{RefuseUnreadable, Unreadable};
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::RefusalCode;
use crate::core::identity::PeerChain;
use crate::core::reply::{Format, Reply};
use crate::flow::{self, Gate, Incoming};

/// The whole reply to an unreadable request of a certificate. The connection ends with it.
pub fn refuse_unreadable(state: Data<HttpState>) -> RefuseUnreadable {
    Arc::new(move |peer, what| {
        let gate = state.gate.clone();
        // Nobody to refuse on record, so nothing is said.
        let Some(peer) = peer else { return Box::pin(async { Bytes::new() }) };
        Box::pin(async move {
            let arrival = respond::Arrival::now();
            let now = gate.clock.now();
            // A task of its own: a client that hangs up cannot cut the record in half.
            match rt::spawn(refuse(gate, peer, what)).await {
                Ok(reply) if reply.is_silent() => Bytes::new(),
                Ok(reply) => {
                    meters::replied(reply.label(), arrival.elapsed());
                    on_the_wire(reply.status(), reply.content_type(), reply.headers(), reply.body(), now)
                }
                Err(_) => Bytes::new(),
            }
        })
    })
}

async fn refuse(gate: Arc<Gate>, peer: Arc<PeerChain>, what: Unreadable) -> Reply {
    let incoming = Incoming {
        peer,
        context: CallContext::new("none", gate.clock.now()),
        authorization: None,
        content_type: None,
        idempotency_key: None,
        signature: None,
        format: Format::Json,
        body: Ok(Bytes::new()),
        oddity: None,
    };
    let (code, detail) = what_is_wrong(what);
    let refusal = match flow::identify(&gate, &incoming) {
        Ok(agency) => agency.refuse(code, detail),
        Err(refusal) => refusal,
    };
    flow::refuse(&gate, refusal).await
}

/// What to say about it.
pub(super) const fn what_is_wrong(what: Unreadable) -> (RefusalCode, &'static str) {
    match what {
        Unreadable::Malformed => (
            RefusalCode::MalformedRequest,
            "this is not a request of HTTP/1.1: look at the request line, one `Host`, and either `Content-Length` or chunks (RFC 9112)",
        ),
        Unreadable::HeadTooLarge => (RefusalCode::HeadTooLarge, "send fewer and shorter header fields"),
    }
}

/// The last reply of a connection as HTTP/1.1 bytes (RFC 9112): actix is done with it.
pub(super) fn on_the_wire(status: u16, content_type: &str, headers: &[(&str, String)], body: &[u8], now: Timestamp) -> Bytes {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Refused");
    let mut head = format!("HTTP/1.1 {status} {reason}\r\ncontent-length: {}\r\n", body.len());
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let fixed = [("connection", "close"), ("content-type", content_type), ("cache-control", "no-store"), ("date", date.as_str())];
    for (name, value) in fixed.into_iter().chain(headers.iter().map(|(name, value)| (*name, value.as_str()))) {
        // Writing into a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes.into()
}
