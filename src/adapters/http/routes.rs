//! The route lists of the three listeners. A test fails when a gateway route has no row in the refusals table.

use actix_web::dev::HttpServiceFactory;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Data, PathConfig, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};

use super::{HttpState, OpsState, audit, events, ledger, log, metadata, ops as ops_handlers, receipt, revoke, stranger, token, verify};

const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
const JWKS: &str = "/.well-known/jwks.json";

/// Every route of the `gateway` listener: method, path, and whether it needs a token.
pub const GATEWAY_ROUTES: &[(&str, &str, bool)] = &[
    ("POST", "/v1/verify", true),
    ("POST", "/oauth2/token", false),
    ("POST", "/oauth2/revoke", false),
    ("POST", "/v1/events", false),
    ("GET", "/v1/log/proof/{answer_id}", true),
    ("GET", "/v1/log/entries", true),
    ("GET", "/v1/log/epochs", true),
    ("GET", "/v1/log/export", true),
    ("POST", "/v1/log/holder", true),
    ("POST", "/v1/log/person", true),
    ("GET", "/v1/log/samples", true),
    ("POST", "/v1/log/samples", true),
    ("POST", "/v1/log/samples/{sample_id}/justification", true),
    ("GET", "/v1/log/summary", true),
    ("GET", AUTHORIZATION_SERVER, false),
    ("GET", PROTECTED_RESOURCE, false),
    ("GET", JWKS, false),
];

/// Routes for agencies, over mutual TLS.
pub fn gateway(state: Data<HttpState>) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |config| {
        config
            .app_data(state.clone())
            // Bare as actix's own, so that the connection puts a recorded one in its place.
            .app_data(unfit_path(|| HttpResponse::new(StatusCode::BAD_REQUEST)))
            .service(web::resource("/v1/verify").route(web::post().to(verify::verify)).default_service(web::to(verify::only_post)))
            .service(web::resource("/oauth2/token").route(web::post().to(token::token)).default_service(web::to(verify::only_post)))
            .service(web::resource("/oauth2/revoke").route(web::post().to(revoke::revoke)).default_service(web::to(verify::only_post)))
            .service(web::resource("/v1/events").route(web::post().to(events::take)).default_service(web::to(verify::only_post)))
            .service(web::resource("/v1/log/proof/{answer_id}").route(web::get().to(log::proof)).default_service(web::to(verify::only_get)))
            .service(web::resource("/v1/log/entries").route(web::get().to(audit::entries)).default_service(web::to(verify::only_get)))
            .service(web::resource("/v1/log/epochs").route(web::get().to(audit::epochs)).default_service(web::to(verify::only_get)))
            .service(web::resource("/v1/log/export").route(web::get().to(audit::export)).default_service(web::to(verify::only_get)))
            .service(
                web::resource("/v1/log/samples")
                    .route(web::get().to(audit::list))
                    .route(web::post().to(audit::draw))
                    .default_service(web::to(verify::get_or_post)),
            )
            .service(
                web::resource("/v1/log/samples/{sample_id}/justification")
                    .route(web::post().to(audit::justify))
                    .default_service(web::to(verify::only_post)),
            )
            .service(web::resource("/v1/log/summary").route(web::get().to(audit::summary)).default_service(web::to(verify::only_get)))
            .service(web::resource("/v1/log/holder").route(web::post().to(audit::holder)).default_service(web::to(verify::only_post)))
            .service(web::resource("/v1/log/person").route(web::post().to(audit::person)).default_service(web::to(verify::only_post)))
            .service(readable(AUTHORIZATION_SERVER, metadata::authorization_server).default_service(web::to(verify::only_get)))
            .service(readable(PROTECTED_RESOURCE, metadata::protected_resource).default_service(web::to(verify::only_get)))
            .service(readable(JWKS, metadata::jwks).default_service(web::to(verify::only_get)))
            .default_service(web::to(verify::not_found));
    }
}

/// Routes for anyone, over server TLS.
pub fn public(state: Data<HttpState>) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |config| {
        config
            .app_data(state.clone())
            .app_data(unfit_path(stranger::no_such_path))
            .service(open(AUTHORIZATION_SERVER, metadata::authorization_server))
            .service(open(PROTECTED_RESOURCE, metadata::protected_resource))
            .service(open(JWKS, metadata::jwks))
            .service(open("/.well-known/estelam-keys.json", metadata::key_life))
            .service(open("/checkpoint", ledger::checkpoint))
            .service(open("/checkpoint.key", ledger::key))
            .service(open("/tile/{path:.*}", ledger::tile))
            .service(open("/log/origins", ledger::origins))
            .service(open("/log/{number}/checkpoint", ledger::sealed_checkpoint))
            .service(open("/log/{number}/checkpoint.key", ledger::sealed_key))
            .service(open("/log/{number}/tile/{path:.*}", ledger::sealed_tile))
            .service(open("/openapi.json", metadata::openapi))
            .service(open("/receipt", receipt::page))
            .service(open("/receipt/check.js", receipt::script))
            .service(open("/receipt/style.css", receipt::style))
            .default_service(web::to(stranger::not_found));
    }
}

/// Routes for the operator, on loopback only.
pub fn ops(state: Data<OpsState>) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |config| {
        config
            .app_data(state.clone())
            .route("/health/live", web::get().to(ops_handlers::live))
            .route("/health/ready", web::get().to(ops_handlers::ready))
            .route("/status", web::get().to(ops_handlers::status))
            .route("/metrics", web::get().to(ops_handlers::metrics));
    }
}

/// What is answered where a part of a path is not of its kind: the framework's own words would repeat what was sent.
fn unfit_path(reply: fn() -> HttpResponse) -> PathConfig {
    PathConfig::default().error_handler(move |error, _| InternalError::from_response(error, reply()).into())
}

/// A resource of the `public` listener, which a browser shall ask for over TLS alone from then on (RFC 6797).
fn open<F, A>(path: &'static str, handler: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
{
    let https_only = DefaultHeaders::new().add(("Strict-Transport-Security", "max-age=63072000"));
    readable(path, handler).default_service(web::to(stranger::only_reads)).wrap(https_only)
}

/// A resource of public metadata: its body, or its head alone.
fn readable<F, A>(path: &'static str, handler: F) -> Resource
where
    F: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
{
    web::resource(path).route(web::get().to(handler.clone())).route(web::head().to(handler))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use actix_web::http::header::CACHE_CONTROL;
    use actix_web::web::Path;
    use actix_web::{App, body, test};

    use super::*;

    async fn said(replied: fn() -> HttpResponse) -> HttpResponse {
        let route = web::get().to(|_: Path<u64>| async { HttpResponse::Ok().finish() });
        let app = test::init_service(App::new().app_data(unfit_path(replied)).route("/log/{number}", route)).await;
        let request = test::TestRequest::get().uri("/log/9990000018x").to_request();
        test::call_service(&app, request).await.into_parts().1
    }

    #[actix_web::test]
    async fn a_part_of_a_path_that_is_not_of_its_kind_is_not_repeated() {
        let reply = said(stranger::no_such_path).await;
        assert_eq!(reply.status(), StatusCode::NOT_FOUND);
        assert_eq!(reply.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        let body = body::to_bytes(reply.into_body()).await.unwrap();
        assert!(body.starts_with(b"{") && !body.windows(4).any(|part| part == b"9990"), "{body:?}");
        let reply = said(|| HttpResponse::new(StatusCode::BAD_REQUEST)).await;
        assert_eq!((reply.status(), body::to_bytes(reply.into_body()).await.unwrap().len()), (StatusCode::BAD_REQUEST, 0));
    }
}
