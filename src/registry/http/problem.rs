//! The registry's few problems (RFC 9457), none of which repeats anything of the request.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
}

pub(super) fn not_allowed() -> HttpResponse {
    problem(StatusCode::FORBIDDEN, "not-allowed", "this certificate may not ask the registry")
}

pub(super) fn malformed() -> HttpResponse {
    problem(StatusCode::BAD_REQUEST, "malformed-request", "the request is not what the contract says")
}

pub(super) fn not_json() -> HttpResponse {
    problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "the body must be application/json")
}

pub(super) fn unavailable() -> HttpResponse {
    problem(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", "the registry cannot answer now")
}

fn problem(status: StatusCode, code: &'static str, title: &'static str) -> HttpResponse {
    let body = Problem { r#type: "about:blank", title, status: status.as_u16(), code };
    let text = serde_json::to_string(&body).unwrap_or_default();
    HttpResponse::build(status).content_type("application/problem+json").insert_header(("cache-control", "no-store")).body(text)
}
