//! What a read of the log leaves in the log of its own question.
//!
//! A value that no entry has may be anything, a name too: then its field alone is recorded. A value that an entry has, or that a closed list or the
//! policy in force has, is no news.

use serde::Serialize;

use super::HttpState;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::refusal::RefusalCode;
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{Field, Filter, Search};

/// A question as it is recorded.
#[derive(Serialize)]
pub(super) struct Asked {
    filter: Filter,
    /// Fields that were asked for by a value that no entry has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    of_no_entry: Vec<Field>,
}

impl Asked {
    /// The question of a read; `found` says that some entry fits it, so that all its values are in the log already.
    pub(super) async fn new(state: &HttpState, filter: &Filter, found: bool) -> Result<Self, LogUnreadable> {
        let mut asked = Self { filter: filter.clone(), of_no_entry: Vec::new() };
        if found {
            return Ok(asked);
        }
        for (field, value) in &filter.fields {
            if !is_in_force(state, *field, value) && !is_in_the_log(state, *field, value).await? {
                asked.filter.fields.remove(field);
                asked.of_no_entry.push(*field);
            }
        }
        Ok(asked)
    }

    pub(super) fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// Whether a value is of a closed list or of the policy in force.
fn is_in_force(state: &HttpState, field: Field, value: &str) -> bool {
    let policy = (state.gate.policy)();
    match field {
        Field::Agency => AgencyId::parse(value).is_some_and(|agency| policy.agencies.contains_key(&agency)),
        Field::Service => policy.services.get(value).is_some(),
        Field::Purpose => policy.purposes.contains(value),
        Field::Code => RefusalCode::parse(value).is_some(),
        other => other.is_closed(),
    }
}

async fn is_in_the_log(state: &HttpState, field: Field, value: &str) -> Result<bool, LogUnreadable> {
    let search = Search { filter: Filter::default().with(field, value), limit: 1, ..Search::default() };
    Ok(!state.audit.log.search(search).await?.rows.is_empty())
}
