//! `/v1/log/samples`: random work-lists that ask agencies to justify what they asked, and their answers. The log itself is where they are kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{HttpState, answered, context_of, delivery, limited, read_json, unreadable};
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::random::random;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{AuditRow, EntryView, Field, Filter, Justification, LARGEST_SAMPLE, Query, Sample, Search};
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming};

const ROUTE: &str = "log-samples";
const JUSTIFICATION: &str = "log-justification";
const DRAWN: &str = "sample-drawn";
const JUSTIFIED: &str = "justified";
/// Samples and justifications that are looked at, the newest first.
const MOST: usize = 1000;
/// Longest justification, in characters.
const LONGEST: usize = 1000;
const BODY: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draw {
    size: usize,
    seed: Option<String>,
    #[serde(default)]
    filter: BTreeMap<String, String>,
    due: Option<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Justify {
    index: u64,
    text: String,
}

#[derive(Serialize)]
struct Item<'r> {
    #[serde(flatten)]
    entry: EntryView<'r>,
    justification: Option<&'r Said>,
}

#[derive(Serialize)]
struct Said {
    text: String,
    time: Timestamp,
    /// The entry that records it.
    recorded_as: u64,
}

/// Draws a sample.
pub(in crate::adapters::http) async fn draw(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), (ROUTE, BODY), drawn).await
}

/// The open samples: to an auditor all, to an agency its own entries.
pub(in crate::adapters::http) async fn list(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), (ROUTE, 0), listed).await
}

/// An agency's answer about one entry.
pub(in crate::adapters::http) async fn justify(
    state: Data<HttpState>,
    request: HttpRequest,
    path: Path<String>,
    payload: Payload,
) -> HttpResponse {
    let id = path.into_inner();
    answered(state, (request, payload), (JUSTIFICATION, BODY), move |state, incoming, _| said(state, incoming, id)).await
}

fn malformed(context: &CallContext, detail: impl Into<String>) -> Box<Refusal> {
    Refusal::new(context.clone(), RefusalCode::MalformedRequest, detail)
}

async fn drawn(state: Arc<HttpState>, incoming: Incoming, _: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate(&state.gate, &incoming, Scope::LogPatterns).await?;
    let context = context_of(&state, limited(&state, call)?);
    let ask: Draw = read_json(&incoming).map_err(|(code, detail)| Refusal::new(context.clone(), code, detail))?;
    let well_formed =
        |seed: &String| (1..=64).contains(&seed.len()) && seed.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !(1..=LARGEST_SAMPLE).contains(&ask.size) || ask.seed.as_ref().is_some_and(|seed| !well_formed(seed)) {
        return Err(malformed(&context, "`size` is 1 to 100, `seed` up to 64 letters, digits, `.`, `_`, `-`"));
    }
    let seed = match ask.seed.or_else(new_seed) {
        Some(seed) => seed,
        None => return Err(unreadable(context)(LogUnreadable("no random bytes"))),
    };
    let policy = (state.gate.policy)();
    let looks = |value: &str| policy.schemes.looks_like_identifier(value);
    if ["limit", "cursor", "order", "format"].iter().any(|name| ask.filter.contains_key(*name)) {
        return Err(malformed(&context, "`filter` has a member that is no field of an entry"));
    }
    let query = Query::parse(ask.filter.iter().map(|(name, value)| (name.as_str(), value.as_str())), &looks);
    let filter = query.map_err(|error| malformed(&context, error.to_string()))?.filter.with(Field::Route, "verify");
    let search = Search { filter: filter.clone(), limit: ask.size, ..Search::default() };
    let found = state.audit.log.draw(search, seed.clone()).await.map_err(unreadable(context.clone()))?;
    let indices = found.rows.iter().map(|row| row.index).collect();
    let sample = Sample { drawn_by: seed, tree_size: found.size, drawn_from: found.count.unwrap_or(0), indices, due: ask.due };
    let details = json!({ "filter": &filter, "sample": &sample }).to_string();
    let entries: Vec<EntryView<'_>> = found.rows.iter().map(EntryView::from).collect();
    let body = json!({ "sample_id": context.request_id, "seed": &sample.drawn_by, "tree_size": sample.tree_size, "drawn_from": sample.drawn_from,
        "due": sample.due, "entries": entries });
    Ok(delivery(context, DRAWN, Some(details), &body))
}

fn new_seed() -> Option<String> {
    random::<16>().map(|bytes| bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
}

/// Samples that were drawn and what was said about them.
struct Known {
    samples: Vec<Drawn>,
    said: HashMap<(Uuid, u64), Said>,
    rows: HashMap<(u16, u64), AuditRow>,
}

/// A sample that was drawn: of the log that has the entry that says so.
struct Drawn {
    id: Uuid,
    time: Timestamp,
    log: u16,
    sample: Sample,
}

async fn known(state: &HttpState) -> Result<Known, LogUnreadable> {
    #[derive(Deserialize)]
    struct Details {
        sample: Sample,
    }
    let log = &state.audit.log;
    let of = |route: &str, code: &str| Search {
        filter: Filter::default().with(Field::Route, route).with(Field::Code, code),
        limit: MOST,
        ..Search::default()
    };
    let (drawn, justified) = (log.search(of(ROUTE, DRAWN)).await?, log.search(of(JUSTIFICATION, JUSTIFIED)).await?);
    let sample = |row: &AuditRow| {
        let details: Details = serde_json::from_str(row.content().details.as_deref()?).ok()?;
        Some(Drawn { id: row.id, time: row.time, log: row.log, sample: details.sample })
    };
    let samples: Vec<_> = drawn.rows.iter().filter_map(sample).collect();
    let mut said = HashMap::new();
    // Newest first: what was said last counts, all of it stays in the log.
    for row in &justified.rows {
        let Some(text) = row.content().details.as_deref() else { continue };
        let Ok(Justification { sample_id, index, text }) = serde_json::from_str(text) else { continue };
        said.entry((sample_id, index)).or_insert(Said { text, time: row.time, recorded_as: row.index });
    }
    let places = |drawn: &Drawn| drawn.sample.indices.iter().map(|index| (drawn.log, *index)).collect::<Vec<_>>();
    let mut places: Vec<(u16, u64)> = samples.iter().flat_map(places).collect();
    places.sort_unstable();
    places.dedup();
    let rows = log.rows(places).await?.into_iter().map(|row| ((row.log, row.index), row)).collect();
    Ok(Known { samples, said, rows })
}

async fn listed(state: Arc<HttpState>, incoming: Incoming, text: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate_any(&state.gate, &incoming, &[Scope::LogPatterns, Scope::Verify]).await?;
    let auditor = call.claims().scopes.contains(&Scope::LogPatterns);
    let context = context_of(&state, limited(&state, call)?);
    if !text.is_empty() {
        return Err(malformed(&context, "leave the query string out"));
    }
    let own = context.agency.as_ref().map(ToString::to_string).filter(|_| !auditor);
    let known = known(&state).await.map_err(unreadable(context.clone()))?;
    let shown = |row: &&AuditRow| own.as_ref().is_none_or(|own| row.content().agency.as_deref() == Some(own));
    let mut samples = Vec::new();
    for Drawn { id, time, log, sample } in &known.samples {
        let rows = sample.indices.iter().filter_map(|index| known.rows.get(&(*log, *index))).filter(shown);
        let items: Vec<Item<'_>> =
            rows.map(|row| Item { entry: EntryView::from(row), justification: known.said.get(&(*id, row.index)) }).collect();
        let open = items.iter().filter(|item| item.justification.is_none()).count();
        if !items.is_empty() {
            samples.push(json!({ "sample_id": id, "drawn_at": time, "due": sample.due, "open": open, "entries": items }));
        }
    }
    Ok(delivery(context, "samples", None, &json!({ "samples": samples })))
}

async fn said(state: Arc<HttpState>, incoming: Incoming, id: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate(&state.gate, &incoming, Scope::Verify).await?;
    let mut context = context_of(&state, limited(&state, call)?);
    let ask: Justify = read_json(&incoming).map_err(|(code, detail)| Refusal::new(context.clone(), code, detail))?;
    let policy = (state.gate.policy)();
    let text = ask.text.trim();
    let numbers = text.split(|c: char| c.is_whitespace() || ",;:()\"'".contains(c)).any(|word| policy.schemes.looks_like_identifier(word));
    if text.is_empty() || text.chars().count() > LONGEST || text.chars().any(|c| c.is_control() && c != '\n') || numbers {
        return Err(malformed(&context, "`text` is 1 to 1000 characters, without the number of a person"));
    }
    let absent =
        |context: CallContext| Refusal::new(context, RefusalCode::NotFound, "there is no such entry of this agency in such a sample");
    let Ok(id) = Uuid::parse_str(&id) else { return Err(absent(context)) };
    let known = known(&state).await.map_err(unreadable(context.clone()))?;
    let asked = known.samples.iter().find(|drawn| drawn.id == id && drawn.sample.indices.contains(&ask.index));
    let own = asked.and_then(|drawn| known.rows.get(&(drawn.log, ask.index))).and_then(|row| row.content().agency.as_deref());
    if own.is_none() || own != context.agency.as_ref().map(crate::core::domain::agency::AgencyId::as_str) {
        return Err(absent(context));
    }
    context.reference = Some(id.to_string());
    let justification = Justification { sample_id: id, index: ask.index, text: text.to_owned() };
    let details = serde_json::to_string(&justification).ok();
    Ok(delivery(context, JUSTIFIED, details, &json!({ "sample_id": id, "index": ask.index })))
}
