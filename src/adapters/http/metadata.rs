//! Public metadata: the authorization server (RFC 8414), the protected resource (RFC 9728), the keys (RFC 7517), the API description.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::HttpState;

/// The API description as it ships with the product.
pub const OPENAPI: &str = include_str!("openapi.json");

/// `GET /.well-known/oauth-authorization-server`.
pub(super) async fn authorization_server(state: Data<HttpState>) -> HttpResponse {
    json(state.metadata.clone(), "public, max-age=300")
}

/// `GET /.well-known/oauth-protected-resource`.
pub(super) async fn protected_resource(state: Data<HttpState>) -> HttpResponse {
    json((state.resource.metadata)(), "public, max-age=300")
}

/// `GET /.well-known/jwks.json`.
pub(super) async fn jwks(state: Data<HttpState>) -> HttpResponse {
    json((state.jwks)(), "public, max-age=300")
}

/// `GET /.well-known/estelam-keys.json`: every key that ever signed, and from when on it is not to be believed.
pub(super) async fn key_life(state: Data<HttpState>) -> HttpResponse {
    json((state.key_life)(), "public, max-age=60")
}

/// `GET /openapi.json`.
pub(super) async fn openapi() -> HttpResponse {
    json(OPENAPI.to_owned(), "public, max-age=300")
}

fn json(body: String, cache: &'static str) -> HttpResponse {
    HttpResponse::Ok().insert_header(("Cache-Control", cache)).content_type("application/json").body(body)
}
