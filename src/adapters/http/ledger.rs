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
pub(super) async fn sealed_checkpoint(state: Data<HttpState>, number: Path<String>) -> HttpResponse {
    match sealed(state.log.as_ref(), &number) {
        Some(log) => text(HttpResponse::Ok(), "public, max-age=300").body(log.checkpoint().to_string()),
        None => absent("there is no sealed log of this number\n"),
    }
}

/// `GET /log/{number}/checkpoint.key`: the key that signed it.
pub(super) async fn sealed_key(state: Data<HttpState>, number: Path<String>) -> HttpResponse {
    match sealed(state.log.as_ref(), &number).and_then(|log| signer_of(&log.checkpoint(), &(state.checkpoint_keys)())) {
        Some(key) => text(HttpResponse::Ok(), "public, max-age=300").body(format!("{key}\n")),
        None => absent("there is no sealed log of this number\n"),
    }
}

/// `GET /log/{number}/tile/…`: a tile of a log that was sealed.
pub(super) async fn sealed_tile(state: Data<HttpState>, path: Path<(String, String)>) -> HttpResponse {
    let (number, path) = path.into_inner();
    match sealed(state.log.as_ref(), &number) {
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
    /// Entries: at its end, or for the present one under the published checkpoint.
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
    match list(state.log.as_ref(), &(state.checkpoint_keys)()).await {
        Ok(list) => HttpResponse::Ok().insert_header(("Cache-Control", "no-cache")).json(list),
        Err(LogUnreadable { .. }) => text(HttpResponse::ServiceUnavailable(), "no-store").body(UNREADABLE),
    }
}

async fn list(present: &dyn LogReader, keys: &[NoteKey]) -> Result<List, LogUnreadable> {
    let mut origins = Vec::new();
    for (number, log) in (1..).zip(present.sealed()) {
        origins.push(listed(format!("/log/{number}"), log.as_ref(), log.size(), keys).await?);
    }
    // Not all that is there: whoever could see each entry come would know when something was asked.
    let published = Checkpoint::claimed_size(&present.checkpoint()).unwrap_or_default();
    origins.push(listed(String::new(), present, published, keys).await?);
    Ok(List { origins })
}

async fn listed(prefix: String, log: &dyn LogReader, size: u64, keys: &[NoteKey]) -> Result<Listed, LogUnreadable> {
    let note = log.checkpoint();
    Ok(Listed {
        origin: Checkpoint::claimed_origin(&note).unwrap_or_default().to_owned(),
        prefix,
        checkpoint_key: signer_of(&note, keys),
        size,
        succession: log.succession().await?,
    })
}

/// The key that signed a checkpoint of any of our logs, as a verifier key of that log.
pub(super) fn signer_of(note: &str, keys: &[NoteKey]) -> Option<String> {
    let keys = renamed(keys, Checkpoint::claimed_origin(note)?);
    keys.iter().find(|key| open(note, std::slice::from_ref(key)).is_ok()).map(NoteKey::to_string)
}

/// The sealed log of a number as it stands in a path.
fn sealed<'l>(present: &'l dyn LogReader, number: &str) -> Option<&'l dyn LogReader> {
    let number: usize = number.parse().ok()?;
    present.sealed().get(number.checked_sub(1)?).map(|log| log.as_ref())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::sync::Arc;

    use async_trait::async_trait;
    use uuid::Uuid;

    use super::*;
    use crate::core::ledger::ProofBundle;

    /// A log with more entries than its checkpoint says.
    struct Log {
        note: &'static str,
        size: u64,
        sealed: Vec<Arc<dyn LogReader>>,
    }

    #[async_trait]
    impl LogReader for Log {
        fn checkpoint(&self) -> Arc<str> {
            self.note.into()
        }

        fn size(&self) -> u64 {
            self.size
        }

        async fn tile(&self, _: u8, _: u64, _: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
            Ok(None)
        }

        async fn entry_bundle(&self, _: u64, _: u16) -> Result<Option<Vec<u8>>, LogUnreadable> {
            Ok(None)
        }

        async fn proof(&self, _: Uuid) -> Result<Option<ProofBundle>, LogUnreadable> {
            Ok(None)
        }

        async fn succession(&self) -> Result<Option<Succession>, LogUnreadable> {
            Ok(None)
        }

        fn sealed(&self) -> &[Arc<dyn LogReader>] {
            &self.sealed
        }
    }

    fn present() -> Log {
        let ended = Log { note: "log.example\n300\nroot\n", size: 301, sealed: Vec::new() };
        Log { note: "log.example/new\n5\nroot\n", size: 7, sealed: vec![Arc::new(ended)] }
    }

    #[actix_web::test]
    async fn nobody_learns_of_more_entries_of_the_present_log_than_are_published() {
        let list = list(&present(), &[]).await.unwrap();
        let told: Vec<_> = list.origins.iter().map(|log| (log.prefix.as_str(), log.origin.as_str(), log.size)).collect();
        assert_eq!(told, [("/log/1", "log.example", 301), ("", "log.example/new", 5)]);
    }

    #[test]
    fn what_is_no_number_of_a_sealed_log_finds_none() {
        let present = present();
        assert!(sealed(&present, "1").is_some());
        for number in ["0", "2", "", "-1", "1x", "9990000018x", "18446744073709551616"] {
            assert!(sealed(&present, number).is_none(), "{number}");
        }
    }
}
