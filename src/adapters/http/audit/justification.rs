//! `POST /v1/log/samples/{sample_id}/justification`: an agency says on what ground it asked. There is no free text: it would hold names.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::samples::sample_of;
use super::{HttpState, IN_THE_BODY, answered, context_of, delivery, limited, read_json, unreadable};
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{AuditRow, Field, Filter, Ground, Justification, LARGEST_SAMPLE, Search};
use crate::core::policy::is_label;
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming};

const ROUTE: &str = "log-justification";
const JUSTIFIED: &str = "justified";
/// How often one entry may be justified: the last time counts, all of them stay in the log, and who lists a sample reads them all.
const MOST: usize = 5;
/// Justifications of one sample that are read. Calls beside each other may pass [`MOST`] by a few.
const MOST_OF_SAMPLE: usize = LARGEST_SAMPLE * MOST * 2;
const BODY: usize = 4 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Justify {
    index: u64,
    ground: Ground,
    reference: Option<String>,
}

/// What was said about an entry last.
#[derive(Serialize)]
pub(super) struct Said {
    ground: Option<Ground>,
    reference: Option<String>,
    time: Timestamp,
    /// The entry that records it.
    recorded_as: u64,
}

/// An agency's answer about one entry.
pub(in crate::adapters::http) async fn justify(
    state: Data<HttpState>,
    request: HttpRequest,
    path: Path<String>,
    payload: Payload,
) -> HttpResponse {
    let id = path.into_inner();
    answered(state, (request, payload), (ROUTE, BODY), move |state, incoming, text| said(state, incoming, (id, text))).await
}

async fn said(state: Arc<HttpState>, incoming: Incoming, (id, text): (String, String)) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate(&state.gate, &incoming, Scope::Verify).await?;
    let mut context = context_of(&state, limited(&state, call)?);
    let refuse = |context: CallContext, code, detail: &str| Refusal::new(context, code, detail);
    if !text.is_empty() {
        return Err(refuse(context, RefusalCode::MalformedRequest, IN_THE_BODY));
    }
    let ask: Justify = read_json(&incoming).map_err(|(code, detail)| refuse(context.clone(), code, &detail))?;
    if ask.reference.as_deref().is_some_and(|reference| !is_label(reference, &(state.gate.policy)().schemes)) {
        let detail = "`reference` is your own file: up to 64 letters, digits, `.`, `_`, `-`, and not the number of a person";
        return Err(refuse(context, RefusalCode::MalformedRequest, detail));
    }
    let own = context.agency.as_ref().map(ToString::to_string).unwrap_or_default();
    let id = Uuid::parse_str(&id).ok();
    let known = match id {
        Some(id) => is_asked(&state, (id, ask.index), &own).await.map_err(unreadable(context.clone()))?,
        None => false,
    };
    let Some(id) = id.filter(|_| known) else {
        return Err(refuse(context, RefusalCode::NotFound, "there is no such entry of this agency in such a sample"));
    };
    let before = justifications(&state, id, Some(&own)).await.map_err(unreadable(context.clone()))?;
    if before.iter().filter(|(said, _)| said.index == ask.index).count() >= MOST {
        return Err(refuse(context, RefusalCode::MalformedRequest, "this entry was justified five times, and the last one counts"));
    }
    context.reference = Some(id.to_string());
    let justification = Justification { sample_id: id, index: ask.index, ground: Some(ask.ground), reference: ask.reference };
    let details = serde_json::to_string(&justification).ok();
    Ok(delivery(context, JUSTIFIED, details, &json!({ "sample_id": id, "index": ask.index })))
}

/// Whether a sample asks an agency about an entry.
async fn is_asked(state: &HttpState, (id, index): (Uuid, u64), agency: &str) -> Result<bool, LogUnreadable> {
    let Some(drawn) = sample_of(state, id).await?.filter(|drawn| drawn.sample.indices.contains(&index)) else { return Ok(false) };
    if drawn.sample.by_agency.get(agency).is_some_and(|own| own.contains(&index)) {
        return Ok(true);
    }
    let Some(log) = drawn.log else { return Ok(false) };
    let picked = state.audit.log.pick(log, vec![index]).await?;
    Ok(picked.rows.iter().any(|row| row.content().agency.as_deref() == Some(agency)))
}

/// What was said last about each entry of a sample, by one agency or by all.
pub(super) async fn of_sample(state: &HttpState, id: Uuid, agency: Option<&str>) -> Result<HashMap<u64, Said>, LogUnreadable> {
    let mut last = HashMap::new();
    for (said, row) in justifications(state, id, agency).await? {
        let Justification { index, ground, reference, .. } = said;
        last.entry(index).or_insert(Said { ground, reference, time: row.time, recorded_as: row.index });
    }
    Ok(last)
}

/// The justifications of a sample with their entries, newest first.
async fn justifications(state: &HttpState, id: Uuid, agency: Option<&str>) -> Result<Vec<(Justification, AuditRow)>, LogUnreadable> {
    let of_id = Filter::default().with(Field::Route, ROUTE).with(Field::Code, JUSTIFIED).with(Field::Reference, id.to_string());
    let filter = agency.into_iter().fold(of_id, |filter, agency| filter.with(Field::Agency, agency));
    let search = Search { filter, limit: MOST_OF_SAMPLE, ..Search::default() };
    let read = |row: AuditRow| {
        let said = serde_json::from_str(row.content().details.as_deref()?).ok()?;
        Some((said, row))
    };
    Ok(state.audit.log.search(search).await?.rows.into_iter().filter_map(read).collect())
}
