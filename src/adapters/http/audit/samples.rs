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
use super::redrawn::{Question, Shown, redrawn};
use super::{HttpState, IN_THE_BODY, answered, context_of, delivery, limited, one_log, parsed, queried, read_json, unreadable};
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::random::random;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{
    AuditRow, Cursor, DamagedEntry, EntryView, Field, Filter, LARGEST_SAMPLE, LogList, Picked, Sample, Search, Takes,
};
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
    /// The log to draw from, and how many of its entries.
    origin: Option<String>,
    tree_size: Option<u64>,
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
    let mut context = context_of(&state, limited(&state, call)?);
    if !text.is_empty() {
        return Err(malformed(&context, IN_THE_BODY));
    }
    let ask: Draw = read_json(&incoming).map_err(|(code, detail)| Refusal::new(context.clone(), code, detail))?;
    if !(1..=LARGEST_SAMPLE).contains(&ask.size) || ask.seed.as_ref().is_some_and(|seed| !is_seed(&state, seed)) {
        let detail = "`size` is 1 to 100, `seed` up to 64 letters, digits, `.`, `_`, `-` that do not look like the number of a person";
        return Err(malformed(&context, detail));
    }
    let (log, list) = (&*state.audit.log, state.audit.log.logs(None));
    let number = one_log(log, ask.origin.as_deref()).map_err(|fault| fault.refusal(&context))?.unwrap_or_else(|| list.present());
    let origin = list.origin_of(number).map_or_else(String::new, ToString::to_string);
    let parameters = ask.filter.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = parsed(&state, parameters, Takes::FILTER).map_err(|detail| malformed(&context, format!("`filter`: {detail}")))?;
    let filter = query.filter.with(Field::Route, "verify");
    let Some(seed) = ask.seed.or_else(new_seed) else { return Err(unreadable(context)(LogUnreadable("no random bytes"))) };
    // By it a sample is found when it is drawn again.
    context.reference = Some(seed.clone());
    let search = Search { filter: filter.clone(), limit: ask.size, size: ask.tree_size, only: Some(number), ..Search::default() };
    if let Some(tree_size) = ask.tree_size {
        let question = Question { seed: &seed, origin: &origin, tree_size, size: ask.size, filter: &filter };
        if let Some(earlier) = question.recorded(&state, &list).await.map_err(unreadable(context.clone()))? {
            return redrawn(&state, context, (earlier, question), search).await;
        }
    }
    let found = log.draw(search, seed.clone()).await.map_err(unreadable(context.clone()))?;
    if ask.tree_size.is_some_and(|wanted| wanted != found.size) {
        return Err(malformed(&context, "`tree_size` is more than the log has entries"));
    }
    let indices = found.rows.iter().map(|row| row.index).collect();
    // All of them are of the sample's own log.
    let left_out = found.damaged.into_iter().map(|damaged| DamagedEntry { origin: None, ..damaged }).collect();
    let (drawn_from, by_agency, not_covered) = (found.count.unwrap_or(0), by_agency(&found.rows), list.beside(&origin));
    let (origin, tree_size) = (Some(origin), found.size);
    let sample = Sample { drawn_by: seed, origin, tree_size, drawn_from, indices, by_agency, left_out, due: ask.due };
    let asked = Asked::new(&state, &filter, drawn_from > 0).await.map_err(unreadable(context.clone()))?;
    let details = serde_json::to_string(&Details { asked, sample: &sample }).ok();
    let shown = Shown { id: context.request_id, sample: &sample, rows: &found.rows, not_covered, again: None };
    let body = shown.body();
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

/// A sample with where its entries are.
pub(super) struct Drawn {
    pub(super) id: Uuid,
    /// The log that it was drawn from; none where that is not there.
    pub(super) log: Option<u16>,
    time: Timestamp,
    pub(super) sample: Sample,
    /// The filter, as it was recorded.
    pub(super) filter: Value,
}

impl Drawn {
    pub(super) fn read(row: &AuditRow, list: &LogList) -> Option<Self> {
        #[derive(Deserialize)]
        struct Details {
            sample: Sample,
            #[serde(default)]
            filter: Value,
        }
        let Details { sample, filter } = serde_json::from_str(row.content().details.as_deref()?).ok()?;
        let log = sample.origin.as_deref().map_or(Some(row.log), |origin| list.number_of(origin));
        Some(Self { id: row.id, log, time: row.time, sample, filter })
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
    let list = state.audit.log.logs(None);
    Ok(state.audit.log.search(search).await?.rows.first().and_then(|row| Drawn::read(row, &list)))
}

pub(super) fn samples(filter: Filter) -> Filter {
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
    let (mut shown, list) = (Vec::new(), state.audit.log.logs(None));
    for drawn in found.rows.iter().filter_map(|row| Drawn::read(row, &list)) {
        shown.extend(item(&state, &drawn, own.as_deref()).await.map_err(unreadable(context.clone()))?);
    }
    let last = found.rows.last().filter(|_| found.more).map(|row| (row.log, row.index));
    let next = last.map(|last| Cursor::new(&filter, false, (found.head, found.size), last).to_string());
    let details = json!({ "filter": &filter }).to_string();
    let complete = found.damaged.is_empty() && found.missing.is_empty();
    Ok(delivery(context, "samples", Some(details), &json!({ "samples": shown, "next": next, "complete": complete })))
}

/// A sample as it is shown: to an agency its own entries, and nothing where it has none.
async fn item(state: &HttpState, drawn: &Drawn, own: Option<&str>) -> Result<Option<Value>, LogUnreadable> {
    let indices = drawn.indices_of(own);
    if indices.is_empty() {
        return Ok(None);
    }
    let Some(log) = drawn.log else { return Ok(Some(lost(drawn))) };
    let Picked { mut rows, mut gone, mut damaged } = state.audit.log.pick(log, indices).await?;
    rows.retain(|row| own.is_none_or(|own| row.content().agency.as_deref() == Some(own)));
    if own.is_some() && drawn.sample.by_agency.is_empty() {
        // Whose they were nobody knows any more.
        (gone, damaged) = (Vec::new(), Vec::new());
    }
    if rows.is_empty() && gone.is_empty() && damaged.is_empty() {
        return Ok(None);
    }
    let said: HashMap<u64, Said> = of_sample(state, drawn.id, own).await?;
    let entries: Vec<Item<'_>> = rows.iter().map(|row| Item { entry: view(row, own), justification: said.get(&row.index) }).collect();
    let open = entries.iter().filter(|entry| entry.justification.is_none()).count();
    let mut shown = json!({ "sample_id": drawn.id, "drawn_at": drawn.time, "due": drawn.sample.due, "open": open, "entries": entries, "gone": gone,
        "damaged": damaged });
    if let (None, Some(members)) = (own, shown.as_object_mut()) {
        members.insert("left_out".to_owned(), json!(drawn.sample.left_out));
    }
    Ok(Some(shown))
}

/// A sample of a log that is not there.
fn lost(drawn: &Drawn) -> Value {
    let none: [u64; 0] = [];
    json!({ "sample_id": drawn.id, "drawn_at": drawn.time, "due": drawn.sample.due, "open": 0, "entries": none, "gone": none, "damaged": none,
        "missing_logs": [&drawn.sample.origin] })
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
