//! The log as anyone may read it: C2SP checkpoint and tiles. They hold hashes only.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::HttpState;
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::tile::TilePath;

/// `GET /checkpoint`: the latest signed checkpoint.
pub(super) async fn checkpoint(state: Data<HttpState>) -> HttpResponse {
    text(HttpResponse::Ok(), "no-cache").body(state.log.checkpoint().to_string())
}

/// `GET /checkpoint.key`: the key that signs checkpoints, as a C2SP verifier key.
pub(super) async fn key(state: Data<HttpState>) -> HttpResponse {
    text(HttpResponse::Ok(), "public, max-age=300").body(format!("{}\n", state.checkpoint_key))
}

/// `GET /tile/…`: a tile of hashes or a bundle of leaves. Tiles never change.
pub(super) async fn tile(state: Data<HttpState>, path: Path<String>) -> HttpResponse {
    let found = match TilePath::parse(&format!("tile/{path}")) {
        Some(TilePath::Hashes { level, index, width }) => state.log.tile(level, index, width).await,
        Some(TilePath::Entries { index, width }) => state.log.entry_bundle(index, width).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(bytes)) => HttpResponse::Ok()
            .insert_header(("Cache-Control", "public, max-age=31536000, immutable"))
            .content_type("application/octet-stream")
            .body(bytes),
        Ok(None) => text(HttpResponse::NotFound(), "no-store").body("there is no such tile under the published checkpoint\n"),
        Err(LogUnreadable { .. }) => text(HttpResponse::ServiceUnavailable(), "no-store").body("the log cannot be read at present\n"),
    }
}

fn text(mut response: HttpResponseBuilder, cache: &'static str) -> HttpResponseBuilder {
    response.insert_header(("Cache-Control", cache)).content_type("text/plain; charset=utf-8");
    response
}
