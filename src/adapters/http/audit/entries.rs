//! `GET /v1/log/entries`: entries by filter, with exact counts and stable pages.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::asked::Asked;
use super::{HttpState, answered, context_of, delivery, limited, queried, unreadable};
use crate::core::domain::agency::Scope;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::audit::{Cursor, DamagedEntry, EntryView, Filter, Found, Search, Takes};
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming};

#[derive(Serialize)]
struct Body<'f> {
    entries: Vec<EntryView<'f>>,
    count: u64,
    tree_size: u64,
    next: Option<String>,
    /// Entries of which nobody knows whether they fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<DamagedEntry>,
    /// Sealed logs that may have entries that fit and are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_logs: Vec<String>,
    /// Whether `count` has every entry that fits.
    complete: bool,
}

/// A page has 100 rows, or up to 1,000 if asked for.
const TAKES: Takes = Takes { pages: Some((100, 1000)), order: true, ..Takes::FILTER };

/// One page.
pub(in crate::adapters::http) async fn entries(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), ("log-entries", 0), found).await
}

async fn found(state: Arc<HttpState>, incoming: Incoming, text: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate(&state.gate, &incoming, Scope::LogPatterns).await?;
    let context = context_of(&state, limited(&state, call)?);
    let query = match queried(&state, &text, TAKES) {
        Ok(query) => query,
        Err(detail) => return Err(Refusal::new(context, RefusalCode::MalformedRequest, detail)),
    };
    let (filter, paging) = (query.filter, query.paging);
    let search = Search {
        filter: filter.clone(),
        limit: paging.limit,
        bound: paging.cursor.map(|cursor| cursor.index),
        log: paging.cursor.map(|cursor| cursor.log),
        size: paging.cursor.map(|cursor| cursor.size),
        head: paging.cursor.map(|cursor| cursor.head),
        oldest_first: paging.oldest_first,
        counted: true,
        ..Search::default()
    };
    let found = state.audit.log.search(search).await.map_err(unreadable(context.clone()))?;
    let body = Body {
        entries: found.rows.iter().map(EntryView::from).collect(),
        count: found.count.unwrap_or(0),
        tree_size: found.size,
        next: next(&found, &filter, paging.oldest_first).map(|cursor| cursor.to_string()),
        damaged: found.damaged.clone(),
        missing_logs: found.missing.clone(),
        complete: found.damaged.is_empty() && found.missing.is_empty(),
    };
    let asked = Asked::new(&state, &filter, body.count > 0).await.map_err(unreadable(context.clone()))?;
    Ok(delivery(context, "entries", asked.to_json(), &body))
}

/// Where the next page begins, if there is one.
fn next(found: &Found, filter: &Filter, oldest_first: bool) -> Option<Cursor> {
    let last = found.rows.last().filter(|_| found.more)?;
    let index = if oldest_first { last.index + 1 } else { last.index };
    Some(Cursor::new(filter, oldest_first, (found.head, found.size), (last.log, index)))
}
