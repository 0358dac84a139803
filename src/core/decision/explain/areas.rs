//! Which list of provinces an answer rests on: one that makes another answer of it, were it the only list.

use jiff::Timestamp;
use serde::Serialize;

use super::Asked;
use crate::core::decision::Verdict;
use crate::core::decision::query::{Query, decide_query};
use crate::core::domain::service::{Area, Service, ServiceRule};

/// A list of open provinces of the service's rule.
#[derive(Debug, Serialize)]
pub struct ExplainedArea {
    /// Its id.
    pub id: String,
    /// First instant in force.
    pub from: Option<Timestamp>,
    /// First instant no longer in force.
    pub until: Option<Timestamp>,
    /// Where it comes from.
    pub source: String,
    /// How sure we are of it.
    pub confidence: String,
    /// Whether it opens the holder's province to this query.
    pub opens: bool,
}

impl Asked<'_> {
    /// Every list of the rule, whether in force or not.
    pub(super) fn areas(&self, rule: &ServiceRule) -> Vec<ExplainedArea> {
        let said = |verdict: &Verdict| (verdict.reason, verdict.document.clone());
        let without = said(&self.with_areas(&|_| false));
        let explained = rule.areas.iter().map(|area| ExplainedArea {
            id: area.id.clone(),
            from: area.from,
            until: area.until,
            source: area.source.clone(),
            confidence: area.confidence.clone(),
            opens: said(&self.with_areas(&|other| other.id == area.id)) != without,
        });
        explained.collect()
    }

    /// The verdict if these lists alone named any province.
    fn with_areas(&self, names: &dyn Fn(&Area) -> bool) -> Verdict {
        let emptied = |area: &Area| if names(area) { area.clone() } else { Area { provinces: Vec::new(), ..area.clone() } };
        let rule = |rule: &ServiceRule| ServiceRule { areas: rule.areas.iter().map(emptied).collect(), ..rule.clone() };
        let service = Service { rules: self.query.service.rules.iter().map(rule).collect(), ..self.query.service.clone() };
        decide_query(&Query { service: &service, ..*self.query }, self.evidence, self.at, self.known_at)
    }
}
