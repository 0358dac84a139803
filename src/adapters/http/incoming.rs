//! From an HTTP request on a mutual-TLS connection to what the flow takes in.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Payload;
use bytes::Bytes;
use memchr::memmem;

use super::HttpState;
use crate::adapters::tls::body::{BodyError, read_body};
use crate::core::domain::context::CallContext;
use crate::core::identity::PeerChain;
use crate::core::policy::BodyTooLarge;
use crate::core::reply::Format;
use crate::core::token::SignatureField;
use crate::flow::Incoming;

/// Whether a header field is one by which a proxy claims a client certificate. We terminate TLS ourselves, so each is a forgery. Every proxy has
/// names of its own for it (RFC 9440 came late), so they are told by what they have in common: `cert` in some place, or the mark of one of the
/// few that send its parts under other names. No field that means anything here is like that.
fn claims_a_certificate(name: &str) -> bool {
    const PREFIXES: [&str; 4] = ["x-ssl-", "ssl-", "x-client-dn", "x-amzn-mtls-"];
    let holds = |part: &str| memmem::find(name.as_bytes(), part.as_bytes()).is_some();
    holds("cert") || holds("ssl_client") || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Fields of nearly every request, of which nothing has to be looked for.
const USUAL: [HeaderName; 6] =
    [header::HOST, header::AUTHORIZATION, header::CONTENT_TYPE, header::CONTENT_LENGTH, header::ACCEPT, header::USER_AGENT];

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static SIGNATURE: HeaderName = HeaderName::from_static("estelam-signature");

/// What is said of a query string where none belongs.
const QUERY_STRING: &str = "leave the query string out; a token goes into the `Authorization` header field";
/// Resources that take a query string.
const QUERIED: &str = "/v1/log/";

/// What is said to whoever wants to go on in another protocol.
const ANOTHER_PROTOCOL: &str = "leave out `CONNECT` and `Upgrade: websocket`: no other protocol is spoken here";

/// Fields of which a request may have one each: which of two would count is for nobody to guess.
static SINGLE: [(&HeaderName, &str); 4] = [
    (&header::AUTHORIZATION, "send one `Authorization` header field"),
    (&header::CONTENT_TYPE, "send one `Content-Type` header field"),
    (&IDEMPOTENCY_KEY, "send one `Idempotency-Key` header field"),
    (&SIGNATURE, "send one `Estelam-Signature` header field"),
];

/// Reads a request whole whose resource takes a query string.
pub(super) async fn read_queried(
    state: &HttpState,
    request: &HttpRequest,
    payload: Payload,
    route: &'static str,
    limit: usize,
) -> Option<Incoming> {
    let mut incoming = read(state, request, payload, route, limit).await?;
    incoming.oddity = incoming.oddity.filter(|oddity| *oddity != QUERY_STRING);
    if has_token_in_query(request) {
        incoming.oddity = Some(QUERY_STRING);
    }
    Some(incoming)
}

/// Reads a request whole; `None` when its body came too slowly or is broken, or its connection has no certificate.
pub(super) async fn read(
    state: &HttpState,
    request: &HttpRequest,
    payload: Payload,
    route: &'static str,
    limit: usize,
) -> Option<Incoming> {
    let peer = request.conn_data::<Arc<PeerChain>>()?.clone();
    let context = CallContext::new(route, state.gate.clock.now());
    let another_protocol = wants_another_protocol(request);
    // What follows such a head has no end that could be waited for, unless it says its length; the connection closes with the reply.
    let endless = another_protocol && !says_its_length(request);
    let read = if endless { Ok(Bytes::new()) } else { read_body(request, payload, limit).await };
    let body = match read {
        Ok(body) => Ok(body),
        Err(BodyError::TooLarge) => Err(BodyTooLarge),
        Err(BodyError::Slow | BodyError::Broken) => return None,
    };
    Some(Incoming {
        peer,
        context,
        authorization: text(request, &header::AUTHORIZATION),
        content_type: content_type(request),
        idempotency_key: text(request, &IDEMPOTENCY_KEY),
        signature: signature(request),
        format: format(request),
        body,
        oddity: if another_protocol { Some(ANOTHER_PROTOCOL) } else { oddity(request) },
    })
}

fn text(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    // A value that is not text is a value all the same: it must not look like an absent one. (`HeaderValue::to_str` looks at one byte
    // after the other; of what is in a field value anyway, it takes ASCII.)
    request.headers().get(name).map(|value| {
        let ascii = Some(value.as_bytes()).filter(|bytes| bytes.is_ascii());
        ascii.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("").to_owned()
    })
}

/// The signature with the target that it must name: the query string says what is asked for as much as the path does.
fn signature(request: &HttpRequest) -> Option<Box<SignatureField>> {
    let compact = text(request, &SIGNATURE)?;
    let target = request.uri().path_and_query().map_or_else(|| request.uri().path(), |target| target.as_str());
    Some(Box::new(SignatureField { compact, method: request.method().as_str().to_owned(), path: target.to_owned() }))
}

/// The media type of the bytes as they came: under a content coding (RFC 9110 §8.4) they are of none that we take.
fn content_type(request: &HttpRequest) -> Option<String> {
    let coded = request.headers().get_all(header::CONTENT_ENCODING).any(|value| !is_identity(value.to_str().unwrap_or("?")));
    if coded { None } else { text(request, &header::CONTENT_TYPE) }
}

fn is_identity(codings: &str) -> bool {
    codings.split(',').map(str::trim).all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity"))
}

/// What the caller likes best of the two (RFC 9110 §12.5.1): of the ranges with the greatest weight the first counts.
fn format(request: &HttpRequest) -> Format {
    let lines = request.headers().get_all(header::ACCEPT).filter_map(|line| line.to_str().ok());
    let mut best = (0.0, Format::Json);
    for range in lines.flat_map(|line| line.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/jwt" => Format::Statement,
            "application/json" | "application/*" | "*/*" => Format::Json,
            _ => continue,
        };
        let weight = weight(parts);
        if weight > best.0 {
            best = (weight, format);
        }
    }
    best.1
}

/// The weight among the parameters of a range; 1 without one, 0 for one that is none.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f32 {
    let given = parameters.find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")));
    given.map_or(1.0, |weight| weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0))
}

/// Whether a request asks for a tunnel or a web socket (RFC 9110 §9.3.6 and §7.8): actix takes all that follows for its body.
fn wants_another_protocol(request: &HttpRequest) -> bool {
    request.method() == Method::CONNECT || wants_web_socket(request)
}

fn wants_web_socket(request: &HttpRequest) -> bool {
    let websocket = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.trim().eq_ignore_ascii_case("websocket"));
    request.headers().get_all(header::UPGRADE).any(websocket)
}

/// Whether actix ends the body of a `CONNECT` where its length says: not at a length of nothing, nor before a web socket.
fn says_its_length(request: &HttpRequest) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    length.is_some_and(|length| length > 0) && !wants_web_socket(request)
}

fn oddity(request: &HttpRequest) -> Option<&'static str> {
    let headers = request.headers();
    if headers.keys().any(|name| !USUAL.contains(name) && claims_a_certificate(name.as_str())) {
        return Some("leave out header fields that claim a client certificate; the certificate of the connection counts");
    }
    // Hardly any request repeats a field at all.
    let repeats = headers.len() > headers.len_keys();
    if let Some((_, detail)) = SINGLE.iter().find(|(name, _)| repeats && is_repeated(request, name)) {
        return Some(detail);
    }
    (!request.query_string().is_empty()).then_some(QUERY_STRING)
}

fn has_token_in_query(request: &HttpRequest) -> bool {
    form_urlencoded::parse(request.query_string().as_bytes()).any(|(name, _)| name == "access_token")
}

/// Whether a request gives its token in more than one way, or in one that is none (RFC 6750 §3.1, `invalid_request`).
pub(super) fn is_ambiguous_about_its_token(request: &HttpRequest) -> bool {
    let takes_query = request.path().starts_with(QUERIED);
    is_repeated(request, &header::AUTHORIZATION) || has_token_in_query(request) || !(takes_query || request.query_string().is_empty())
}

fn is_repeated(request: &HttpRequest, name: &HeaderName) -> bool {
    request.headers().get_all(name).nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_by_which_a_proxy_claims_a_certificate_is_told_and_no_other() {
        // RFC 9440; Envoy, nginx, Apache, HAProxy, Traefik, Azure, AWS, Cloudflare, Google, F5 and common guides for them.
        for name in [
            "client-cert",
            "client-cert-chain",
            "x-forwarded-client-cert",
            "x-ssl-client-cert",
            "x-ssl-cert",
            "x-client-cert",
            "x-client-certificate",
            "x-ssl-certificate",
            "ssl-client-cert",
            "ssl_client_cert",
            "ssl_client_s_dn",
            "x-ssl-client-s-dn",
            "x-ssl-client-verify",
            "x-ssl-client-sha1",
            "x-forwarded-tls-client-cert",
            "x-forwarded-tls-client-cert-info",
            "x-arr-clientcert",
            "x-amzn-mtls-clientcert",
            "x-amzn-mtls-clientcert-leaf",
            "cf-client-cert-der-base64",
            "x-client-cert-present",
            "x-client-cert-spiffe",
            "x-client-dn",
            "x-tls-client-certificate",
            "x-peer-certificate",
        ] {
            assert!(claims_a_certificate(name), "{name}");
        }
        for name in [
            "host",
            "authorization",
            "content-type",
            "idempotency-key",
            "estelam-signature",
            "accept",
            "user-agent",
            "traceparent",
            "x-forwarded-for",
        ] {
            assert!(!claims_a_certificate(name), "{name}");
        }
    }
}
