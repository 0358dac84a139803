//! The log as anyone may read it: C2SP checkpoint and tiles, of the present log and of the sealed ones before it. They hold hashes only.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::HttpState;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::{NoteKey, open};
use crate::core::ledger::succession::{Succession, renamed};
use crate::core::ledger::tile::TilePath;
use crate::core::ledger::{LogReader, LogUnreadable};

/// `GET /checkpoint`: the latest signed checkpoint.
pub(super) async fn checkpoint(state: Data<HttpState>) -> HttpResponse {
    text(HttpResponse::Ok(), "no-cache").body(state.log.checkpoint().to_string())
}

/// `GET /checkpoint.key`: the key that signs checkpoints, as a C2SP verifier key.
pub(super) async fn key(state: Data<HttpState>) -> HttpResponse {
    let key = (state.checkpoint_keys)().first().map(NoteKey::to_string).unwrap_or_default();
    text(HttpResponse::Ok(), "public, max-age=300").body(format!("{key}\n"))
}

/// `GET /tile/…`: a tile of hashes or a bundle of leaves. Tiles never change.
pub(super) async fn tile(state: Data<HttpState>, path: Path<String>) -> HttpResponse {
    tile_of(state.log.as_ref(), &path).await
}

/// `GET /log/{number}/checkpoint`: the last checkpoint of a log that was sealed.
pub(super) async fn sealed_checkpoint(state: Data<HttpState>, number: Path<usize>) -> HttpResponse {
    match sealed(&state, *number) {
        Some(log) => text(HttpResponse::Ok(), "public, max-age=300").body(log.checkpoint().to_string()),
        None => absent("there is no sealed log of this number\n"),
    }
}

/// `GET /log/{number}/checkpoint.key`: the key that signed it.
pub(super) async fn sealed_key(state: Data<HttpState>, number: Path<usize>) -> HttpResponse {
    match sealed(&state, *number).and_then(|log| signer_of(&log.checkpoint(), &(state.checkpoint_keys)())) {
        Some(key) => text(HttpResponse::Ok(), "public, max-age=300").body(format!("{key}\n")),
        None => absent("there is no sealed log of this number\n"),
    }
}

/// `GET /log/{number}/tile/…`: a tile of a log that was sealed.
pub(super) async fn sealed_tile(state: Data<HttpState>, path: Path<(usize, String)>) -> HttpResponse {
    let (number, path) = path.into_inner();
    match sealed(&state, number) {
        Some(log) => tile_of(log, &path).await,
        None => absent("there is no sealed log of this number\n"),
    }
}

/// One log as the list of them has it.
#[derive(Serialize)]
struct Listed {
    origin: String,
    /// Below which path its checkpoint and tiles are.
    prefix: String,
    checkpoint_key: Option<String>,
    /// Entries: at its end, or under the published checkpoint.
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    succession: Option<Succession>,
}

#[derive(Serialize)]
struct List {
    origins: Vec<Listed>,
}

/// `GET /log/origins`: every log of this installation, the oldest first, and how each goes on from the one before it.
pub(super) async fn origins(state: Data<HttpState>) -> HttpResponse {
    let mut origins = Vec::new();
    let present = ("", state.log.as_ref());
    let numbered: Vec<_> = (1..).map(|number| format!("/log/{number}")).take(state.log.sealed().len()).collect();
    let sealed = numbered.iter().map(String::as_str).zip(state.log.sealed().iter().map(|log| log.as_ref()));
    for (prefix, log) in sealed.chain([present]) {
        match listed(&state, prefix, log).await {
            Ok(log) => origins.push(log),
            Err(LogUnreadable { .. }) => return text(HttpResponse::ServiceUnavailable(), "no-store").body(UNREADABLE),
        }
    }
    HttpResponse::Ok().insert_header(("Cache-Control", "no-cache")).json(List { origins })
}

async fn listed(state: &HttpState, prefix: &str, log: &dyn LogReader) -> Result<Listed, LogUnreadable> {
    let note = log.checkpoint();
    Ok(Listed {
        origin: Checkpoint::claimed_origin(&note).unwrap_or_default().to_owned(),
        prefix: prefix.to_owned(),
        checkpoint_key: signer_of(&note, &(state.checkpoint_keys)()),
        size: log.size(),
        succession: log.succession().await?,
    })
}

/// The key that signed a checkpoint of any of our logs, as a verifier key of that log.
pub(super) fn signer_of(note: &str, keys: &[NoteKey]) -> Option<String> {
    let keys = renamed(keys, Checkpoint::claimed_origin(note)?);
    keys.iter().find(|key| open(note, std::slice::from_ref(key)).is_ok()).map(NoteKey::to_string)
}

fn sealed(state: &HttpState, number: usize) -> Option<&dyn LogReader> {
    state.log.sealed().get(number.checked_sub(1)?).map(|log| log.as_ref())
}

const UNREADABLE: &str = "the log cannot be read at present\n";

async fn tile_of(log: &dyn LogReader, path: &str) -> HttpResponse {
    let found = match TilePath::parse(&format!("tile/{path}")) {
        Some(TilePath::Hashes { level, index, width }) => log.tile(level, index, width).await,
        Some(TilePath::Entries { index, width }) => log.entry_bundle(index, width).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(bytes)) => HttpResponse::Ok()
            .insert_header(("Cache-Control", "public, max-age=31536000, immutable"))
            .content_type("application/octet-stream")
            .body(bytes),
        Ok(None) => absent("there is no such tile under the published checkpoint\n"),
        Err(LogUnreadable { .. }) => text(HttpResponse::ServiceUnavailable(), "no-store").body(UNREADABLE),
    }
}

fn absent(what: &'static str) -> HttpResponse {
    text(HttpResponse::NotFound(), "no-store").body(what)
}

fn text(mut response: HttpResponseBuilder, cache: &'static str) -> HttpResponseBuilder {
    response.insert_header(("Cache-Control", cache)).content_type("text/plain; charset=utf-8");
    response
}
