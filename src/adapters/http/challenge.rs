//! `WWW-Authenticate` as it leaves: which challenge it is was decided before (RFC 6750 §3); here it learns where the metadata of
//! the resource is (RFC 9728 §5.1).

use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{GATEWAY_ROUTES, HttpState, incoming};

/// A request that is ambiguous about its token (RFC 6750 §3.1).
const INVALID_REQUEST: &str = r#"Bearer realm="estelam", error="invalid_request""#;

/// Completes the challenge of a refusal, if it has one or needs one.
pub(super) fn complete(response: &mut HttpResponse, request: &HttpRequest) {
    if !response.status().is_client_error() {
        return;
    }
    if !takes_a_token(request) {
        return;
    }
    let given = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let ambiguous = || (response.status() == 400 && incoming::is_ambiguous_about_its_token(request)).then_some(INVALID_REQUEST);
    // A client that is to prove who it is has no use for the metadata of what tokens open.
    let Some(challenge) = given.or_else(ambiguous).filter(|challenge| challenge.starts_with("Bearer")) else { return };
    let Some(state) = request.app_data::<Data<HttpState>>() else { return };
    if let Ok(value) = HeaderValue::from_str(&format!(r#"{challenge}, resource_metadata="{}""#, state.resource.url)) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
}

/// Whether the resource is one that a token opens. The others have nothing to challenge for: what the token endpoint says, OAuth says.
fn takes_a_token(request: &HttpRequest) -> bool {
    let pattern = request.match_pattern();
    GATEWAY_ROUTES.iter().any(|(_, path, token)| *token && Some(*path) == pattern.as_deref())
}
