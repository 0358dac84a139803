//! Which service rules have a case that entitles and one that does not.

use std::collections::{BTreeMap, BTreeSet};

use super::Answered;
use crate::core::domain::place::line_of;
use crate::core::domain::reason::Outcome;
use crate::core::policy::{LoadError, Snapshot};

/// The rules that decided cases, each way.
#[derive(Default)]
pub(super) struct Applied {
    allowed: BTreeSet<String>,
    denied: BTreeSet<String>,
}

impl Applied {
    pub(super) fn note(&mut self, answered: &Answered) {
        if let Some(rule) = &answered.rule {
            let entitled = answered.outcome == Outcome::Entitled.code();
            if entitled {
                self.allowed.insert(rule.clone())
            } else {
                self.denied.insert(rule.clone())
            };
        }
    }

    /// One line for each rule that lacks a case.
    pub(super) fn missing(&self, snapshot: &Snapshot, files: &BTreeMap<String, String>) -> Vec<LoadError> {
        let text = files.get("services.toml").map_or("", String::as_str);
        let rules = snapshot.services.iter().flat_map(|service| &service.rules);
        let lacking = rules.filter(|rule| !(self.allowed.contains(&rule.id) && self.denied.contains(&rule.id)));
        let line = |id: &str| text.find(&format!("\"{id}\"")).map(|offset| line_of(text, offset));
        lacking
            .map(|rule| {
                let message = format!("the rule `{}` needs a case in cases/*.toml that entitles and one that does not", rule.id);
                LoadError { file: "services.toml".to_owned(), line: line(&rule.id), message }
            })
            .collect()
    }
}
