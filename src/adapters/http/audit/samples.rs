//! `/v1/log/samples`: random work-lists that ask agencies to justify what they asked. The log itself is where they are kept.
//!
//! A page of the list looks at so many samples and no more, and opens of them the entries alone that the caller is shown: who lists asks for little of
//! the worker that all searches share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::Asked;
use super::justification::{Said, of_sample};
use super::{HttpState, IN_THE_BODY, answered, context_of, delivery, limited, parsed, queried, read_json, unreadable};
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::random::random;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{AuditRow, Cursor, EntryView, Field, Filter, LARGEST_SAMPLE, Sample, Search, Takes};
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming};

const ROUTE: &str = "log-samples";
const DRAWN: &str = "sample-drawn";
/// A page of the list looks at 20 samples, or up to 50 if asked for.
const PAGE: Takes = Takes { id: Some("sample_id"), pages: Some((20, 50)), ..Takes::SPAN };
const BODY: usize = 16 << 10;
/// Letters of a seed that we make: no digits, so that it never looks like a number of somebody.
const LETTERS: &[u8; 16] = b"abcdefghijkmnpqr";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draw {
    size: usize,
    seed: Option<String>,
    #[serde(default)]
    filter: BTreeMap<String, String>,
    due: Option<Date>,
}

#[derive(Serialize)]
struct Item<'r> {
    #[serde(flatten)]
    entry: EntryView<'r>,
    justification: Option<&'r Said>,
}

/// What a sample leaves in the log.
#[derive(Serialize)]
struct Details<'s> {
    #[serde(flatten)]
    asked: Asked,
    sample: &'s Sample,
}

/// Draws a sample.
pub(in crate::adapters::http) async fn draw(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), (ROUTE, BODY), drawn).await
}

/// The samples: to an auditor all, to an agency its own entries.
pub(in crate::adapters::http) async fn list(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), (ROUTE, 0), listed).await
}

fn malformed(context: &CallContext, detail: impl Into<String>) -> Box<Refusal> {
    Refusal::new(context.clone(), RefusalCode::MalformedRequest, detail)
}

async fn drawn(state: Arc<HttpState>, incoming: Incoming, text: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate(&state.gate, &incoming, Scope::LogPatterns).await?;
    let context = context_of(&state, limited(&state, call)?);
    if !text.is_empty() {
        return Err(malformed(&context, IN_THE_BODY));
    }
    let ask: Draw = read_json(&incoming).map_err(|(code, detail)| Refusal::new(context.clone(), code, detail))?;
    if !(1..=LARGEST_SAMPLE).contains(&ask.size) || ask.seed.as_ref().is_some_and(|seed| !is_seed(&state, seed)) {
        let detail = "`size` is 1 to 100, `seed` up to 64 letters, digits, `.`, `_`, `-` that do not look like the number of a person";
        return Err(malformed(&context, detail));
    }
    let seed = match ask.seed.or_else(new_seed) {
        Some(seed) => seed,
        None => return Err(unreadable(context)(LogUnreadable("no random bytes"))),
    };
    let parameters = ask.filter.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = parsed(&state, parameters, Takes::FILTER).map_err(|detail| malformed(&context, format!("`filter`: {detail}")))?;
    let filter = query.filter.with(Field::Route, "verify");
    let search = Search { filter: filter.clone(), limit: ask.size, ..Search::default() };
    let found = state.audit.log.draw(search, seed.clone()).await.map_err(unreadable(context.clone()))?;
    let indices = found.rows.iter().map(|row| row.index).collect();
    let (drawn_from, by_agency) = (found.count.unwrap_or(0), by_agency(&found.rows));
    let sample = Sample { drawn_by: seed, tree_size: found.size, drawn_from, indices, by_agency, due: ask.due };
    let asked = Asked::new(&state, &filter, drawn_from > 0).await.map_err(unreadable(context.clone()))?;
    let details = serde_json::to_string(&Details { asked, sample: &sample }).ok();
    let entries: Vec<EntryView<'_>> = found.rows.iter().map(EntryView::from).collect();
    let body = json!({ "sample_id": context.request_id, "seed": &sample.drawn_by, "tree_size": sample.tree_size, "drawn_from": sample.drawn_from,
        "due": sample.due, "entries": entries });
    Ok(delivery(context, DRAWN, details, &body))
}

/// Whether a seed may stand in the log. Those that earlier builds made are 32 hex digits, which look like anything.
fn is_seed(state: &HttpState, seed: &str) -> bool {
    let formed = (1..=64).contains(&seed.len()) && seed.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let made_here = seed.len() == 32 && seed.bytes().all(|b| b.is_ascii_hexdigit()) && seed.bytes().any(|b| b.is_ascii_alphabetic());
    formed && (made_here || !(state.gate.policy)().schemes.looks_like_identifier(seed))
}

fn new_seed() -> Option<String> {
    let letter = |half: u8| LETTERS.get(usize::from(half)).copied().map(char::from);
    random::<16>().and_then(|bytes| bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(letter).collect())
}

fn by_agency(rows: &[AuditRow]) -> BTreeMap<String, Vec<u64>> {
    let mut of: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in rows {
        let Some(agency) = &row.content().agency else { continue };
        of.entry(agency.to_string()).or_default().push(row.index);
    }
    of
}

/// A sample with where it stands in the log: its entries are of the same one.
pub(super) struct Drawn {
    pub(super) id: Uuid,
    pub(super) log: u16,
    time: Timestamp,
    pub(super) sample: Sample,
}

impl Drawn {
    fn read(row: &AuditRow) -> Option<Self> {
        #[derive(Deserialize)]
        struct Details {
            sample: Sample,
        }
        let details: Details = serde_json::from_str(row.content().details.as_deref()?).ok()?;
        Some(Self { id: row.id, log: row.log, time: row.time, sample: details.sample })
    }

    /// The entries of an agency; of samples of earlier builds all, since those do not say whose they are.
    fn indices_of(&self, agency: Option<&str>) -> Vec<u64> {
        let sample = &self.sample;
        match agency {
            Some(agency) if !sample.by_agency.is_empty() => sample.by_agency.get(agency).cloned().unwrap_or_default(),
            _ => sample.indices.clone(),
        }
    }
}

/// The sample of this id, if it was drawn.
pub(super) async fn sample_of(state: &HttpState, id: Uuid) -> Result<Option<Drawn>, LogUnreadable> {
    let search = Search { filter: samples(Filter { id: Some(id), ..Filter::default() }), limit: 1, ..Search::default() };
    Ok(state.audit.log.search(search).await?.rows.first().and_then(Drawn::read))
}

fn samples(filter: Filter) -> Filter {
    filter.with(Field::Route, ROUTE).with(Field::Code, DRAWN)
}

async fn listed(state: Arc<HttpState>, incoming: Incoming, text: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate_any(&state.gate, &incoming, &[Scope::LogPatterns, Scope::Verify]).await?;
    let auditor = call.claims().scopes.contains(&Scope::LogPatterns);
    let context = context_of(&state, limited(&state, call)?);
    let query = queried(&state, &text, PAGE).map_err(|detail| malformed(&context, detail))?;
    let own = context.agency.as_ref().map(ToString::to_string).filter(|_| !auditor);
    let (filter, cursor) = (query.filter, query.paging.cursor);
    let search = Search {
        filter: samples(filter.clone()),
        limit: query.paging.limit,
        bound: cursor.map(|cursor| cursor.index),
        log: cursor.map(|cursor| cursor.log),
        size: cursor.map(|cursor| cursor.size),
        head: cursor.map(|cursor| cursor.head),
        ..Search::default()
    };
    let found = state.audit.log.search(search).await.map_err(unreadable(context.clone()))?;
    let mut shown = Vec::new();
    for drawn in found.rows.iter().filter_map(Drawn::read) {
        shown.extend(item(&state, &drawn, own.as_deref()).await.map_err(unreadable(context.clone()))?);
    }
    let last = found.rows.last().filter(|_| found.more).map(|row| (row.log, row.index));
    let next = last.map(|last| Cursor::new(&filter, false, (found.head, found.size), last).to_string());
    let details = json!({ "filter": &filter }).to_string();
    Ok(delivery(context, "samples", Some(details), &json!({ "samples": shown, "next": next })))
}

/// A sample as it is shown: to an agency its own entries, and nothing where it has none.
async fn item(state: &HttpState, drawn: &Drawn, own: Option<&str>) -> Result<Option<Value>, LogUnreadable> {
    let indices = drawn.indices_of(own);
    if indices.is_empty() {
        return Ok(None);
    }
    let mut rows = state.audit.log.rows(indices.into_iter().map(|index| (drawn.log, index)).collect()).await?;
    rows.retain(|row| own.is_none_or(|own| row.content().agency.as_deref() == Some(own)));
    if rows.is_empty() {
        return Ok(None);
    }
    let said: HashMap<u64, Said> = of_sample(state, drawn.id, own).await?;
    let entries: Vec<Item<'_>> = rows.iter().map(|row| Item { entry: view(row, own), justification: said.get(&row.index) }).collect();
    let open = entries.iter().filter(|entry| entry.justification.is_none()).count();
    Ok(Some(json!({ "sample_id": drawn.id, "drawn_at": drawn.time, "due": drawn.sample.due, "open": open, "entries": entries })))
}

/// An entry as an auditor sees it, or the agency that it is of.
fn view<'r>(row: &'r AuditRow, own: Option<&str>) -> EntryView<'r> {
    let entry = EntryView::from(row);
    if own.is_some() { entry.for_its_agency() } else { entry }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::core::domain::scheme::{SHIPPED_SCHEMES, SchemeCatalogue};

    #[test]
    fn seeds_that_we_make_look_like_nobodys_number() {
        let schemes = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
        for _ in 0..100 {
            let seed = new_seed().unwrap();
            assert!(seed.len() == 32 && !schemes.looks_like_identifier(&seed), "{seed}");
        }
    }
}
