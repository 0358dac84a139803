//! `GET /v1/log/summary`: counts per day and agency that tell nothing of few people.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::civil::Date;
use serde::Serialize;

use super::asked::Asked;
use super::{HttpState, answered, context_of, delivery, limited, queried, unreadable};
use crate::core::domain::agency::Scope;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::audit::{Bucket, Field, Filter, STEP, Summary, Takes};
use crate::core::ledger::retention::day_of;
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming};

#[derive(Serialize)]
struct Body {
    buckets: Vec<Bucket>,
    /// Counts are whole multiples of this, rounded down; smaller ones are left out.
    step: u64,
    /// Days with entries that nobody can read: what is told of them may be too low.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    damaged_days: BTreeSet<Date>,
    /// Sealed logs that may have entries of these days and are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_logs: Vec<String>,
}

/// Counts of some days.
pub(in crate::adapters::http) async fn summary(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), ("log-summary", 0), found).await
}

async fn found(state: Arc<HttpState>, incoming: Incoming, text: String) -> Result<Delivery, Box<Refusal>> {
    let call = flow::authenticate(&state.gate, &incoming, Scope::LogPatterns).await?;
    let context = context_of(&state, limited(&state, call)?);
    let filter = match queried(&state, &text, Takes::FILTER) {
        Ok(query) => query.filter,
        Err(detail) => return Err(Refusal::new(context, RefusalCode::MalformedRequest, detail)),
    };
    // A filter chooses whole buckets: it must not be able to count anything by itself.
    let midnight = |at: jiff::Timestamp| at.as_nanosecond().rem_euclid(86_400_000_000_000) == 0;
    let whole = filter.from.into_iter().chain(filter.to).all(midnight);
    let mut bare = Filter { from: filter.from, to: filter.to, ..Filter::default() };
    bare.fields.extend(filter.fields.get(&Field::Agency).map(|agency| (Field::Agency, agency.clone())));
    if !whole || filter != bare {
        let detail = "a summary is asked for by whole days (`from`, `to`) and `agency` alone";
        return Err(Refusal::new(context, RefusalCode::MalformedRequest, detail));
    }
    let (from, now) = (filter.from.map(day_of), state.gate.clock.now());
    let to = filter.to.and_then(|to| day_of(to).yesterday().ok());
    let Summary { mut buckets, damaged, missing } = state.audit.log.summary(from, to, now).await.map_err(unreadable(context.clone()))?;
    if let Some(agency) = filter.fields.get(&Field::Agency) {
        buckets.retain(|bucket| bucket.agency == *agency);
    }
    let asked = Asked::new(&state, &filter, !buckets.is_empty()).await.map_err(unreadable(context.clone()))?;
    Ok(delivery(context, "summary", asked.to_json(), &Body { buckets, step: STEP, damaged_days: damaged, missing_logs: missing }))
}
