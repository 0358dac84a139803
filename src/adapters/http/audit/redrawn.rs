//! A sample that is drawn again: whoever names the size that the log had then gets the same work-list, and is told which of its entries are gone.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::Asked;
use super::samples::{Drawn, samples};
use super::{HttpState, delivery, unreadable};
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::Refusal;
use crate::core::ledger::LogUnreadable;
use crate::core::ledger::audit::{AuditRow, DamagedEntry, EntryView, Field, Filter, LogList, Picked, Sample, Search};
use crate::core::signing::Delivery;

const REDRAWN: &str = "sample-redrawn";
/// Samples of one seed that are looked at.
const MOST: usize = 1000;

/// What a sample follows from.
pub(super) struct Question<'q> {
    pub(super) seed: &'q str,
    pub(super) origin: &'q str,
    pub(super) tree_size: u64,
    pub(super) size: usize,
    pub(super) filter: &'q Filter,
}

impl Question<'_> {
    /// The first sample that was drawn by the same question.
    pub(super) async fn recorded(&self, state: &HttpState, list: &LogList) -> Result<Option<Drawn>, LogUnreadable> {
        let filter = samples(Filter::default().with(Field::Reference, self.seed));
        let search = Search { filter, limit: MOST, oldest_first: true, ..Search::default() };
        let found = state.audit.log.search(search).await?;
        Ok(found.rows.iter().filter_map(|row| Drawn::read(row, list)).find(|drawn| self.is_of(drawn)))
    }

    fn is_of(&self, drawn: &Drawn) -> bool {
        let Sample { drawn_by, origin, tree_size, drawn_from, indices, .. } = &drawn.sample;
        let size = u64::try_from(self.size).unwrap_or(u64::MAX).min(*drawn_from);
        (drawn_by.as_str(), origin.as_deref(), *tree_size) == (self.seed, Some(self.origin), self.tree_size)
            && indices.len() as u64 == size
            && serde_json::to_value(self.filter).is_ok_and(|filter| filter == drawn.filter)
    }
}

/// What has become of a sample.
pub(super) struct Again {
    gone: Vec<u64>,
    damaged: Vec<DamagedEntry>,
    /// Whether drawing anew bears it out; none where that cannot be done.
    agrees: Option<bool>,
}

/// A sample with its entries, as JSON.
pub(super) struct Shown<'s> {
    pub(super) id: Uuid,
    pub(super) sample: &'s Sample,
    pub(super) rows: &'s [AuditRow],
    pub(super) not_covered: Vec<String>,
    /// Of one that was drawn again.
    pub(super) again: Option<Again>,
}

#[derive(Serialize)]
struct Details<'d> {
    #[serde(flatten)]
    asked: Asked,
    sample_id: Uuid,
    gone: &'d [u64],
    agrees: Option<bool>,
}

impl Shown<'_> {
    pub(super) fn body(&self) -> Value {
        let entries: Vec<EntryView<'_>> = self.rows.iter().map(EntryView::from).collect();
        let Sample { drawn_by, origin, tree_size, drawn_from, left_out, due, .. } = self.sample;
        let mut body = json!({ "sample_id": self.id, "seed": drawn_by, "origin": origin, "tree_size": tree_size, "drawn_from": drawn_from, "due": due,
            "left_out": left_out, "entries": entries, "not_covered": self.not_covered, "redrawn": self.again.is_some() });
        if let (Some(Again { gone, damaged, agrees }), Some(members)) = (&self.again, body.as_object_mut()) {
            members.insert("gone".to_owned(), json!(gone));
            members.insert("damaged".to_owned(), json!(damaged));
            members.insert("agrees".to_owned(), json!(agrees));
        }
        body
    }
}

/// Answers with the work-list that was drawn then. No other comes of it: nobody is asked twice.
pub(super) async fn redrawn(
    state: &HttpState,
    context: CallContext,
    (earlier, question): (Drawn, Question<'_>),
    search: Search,
) -> Result<Delivery, Box<Refusal>> {
    let (log, sample) = (&*state.audit.log, &earlier.sample);
    let number = search.only.unwrap_or(0);
    let Picked { rows, gone, damaged } = log.pick(number, sample.indices.clone()).await.map_err(unreadable(context.clone()))?;
    // From what it was drawn from then, as far as that can still be read.
    let search = Search { left_out: sample.left_out.clone(), ..search };
    let found = log.draw(search, question.seed.to_owned()).await.ok();
    let again: Option<Vec<u64>> = found.map(|found| found.rows.iter().map(|row| row.index).collect());
    let unread: Vec<u64> = gone.iter().copied().chain(damaged.iter().map(|one| one.index)).collect();
    let agrees = again.map(|again| sample.agrees(question.size, &again, &unread));
    if agrees == Some(false) {
        tracing::error!(sample = %earlier.id, "a sample that is drawn again is another one; run `estelam log verify`");
    }
    let asked = Asked::new(state, question.filter, sample.drawn_from > 0).await.map_err(unreadable(context.clone()))?;
    let details = serde_json::to_string(&Details { asked, sample_id: earlier.id, gone: &gone, agrees }).ok();
    let (again, not_covered) = (Some(Again { gone, damaged, agrees }), log.logs(None).beside(question.origin));
    let body = Shown { id: earlier.id, sample, rows: &rows, not_covered, again }.body();
    Ok(delivery(context, REDRAWN, details, &body))
}
