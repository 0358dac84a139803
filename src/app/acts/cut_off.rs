//! Acts upon the list of what is cut off: what a change of it closes, and what it opens.

use std::collections::BTreeSet;

use super::{Act, Acts, OPERATOR};
use crate::adapters::cutoff::{AgencyCut, CutOffList};

/// The acts that lead from one list to another.
#[derive(Debug, Default)]
pub(super) struct CutOffActs {
    pub(super) closing: Vec<Act>,
    pub(super) opening: Vec<Act>,
}

impl Acts {
    /// Records what a new list opens, before it does; with what it closes, which then takes effect a moment later. Whether it may take effect.
    pub fn cut_off_opens(&self, old: &CutOffList, new: &CutOffList) -> bool {
        let CutOffActs { closing, opening } = between(old, new);
        if opening.is_empty() {
            return true;
        }
        let next = new.clone();
        let recorded = self.record_here(closing.into_iter().chain(opening).collect(), move |known| known.cut_off = next);
        recorded.inspect_err(|error| tracing::error!(%error, "what was cut off stays so: its end cannot be recorded")).is_ok()
    }

    /// Records what a list that is in force now has closed. What it opened is recorded already, with all that came with it.
    pub fn cut_off_closed(&self, old: &CutOffList, new: &CutOffList) {
        let CutOffActs { closing, opening } = between(old, new);
        if opening.is_empty() && !closing.is_empty() {
            let next = new.clone();
            self.record_soon_here(closing, move |known| known.cut_off = next);
        }
    }
}

pub(super) fn between(old: &CutOffList, new: &CutOffList) -> CutOffActs {
    let mut acts = CutOffActs::default();
    let agencies: BTreeSet<&String> = old.agencies.keys().chain(new.agencies.keys()).collect();
    let none = AgencyCut::default();
    for agency in agencies {
        acts.of_agency(agency, old.agencies.get(agency).unwrap_or(&none), new.agencies.get(agency).unwrap_or(&none));
    }
    let certificate = |code, thumbprint: crate::adapters::cutoff::Thumbprint| {
        let hex: String = String::from(thumbprint).chars().take(16).collect();
        Act::new("cut-off", code, OPERATOR).about(hex)
    };
    let (before, after) = (&old.certificates, &new.certificates);
    acts.closing.extend(after.keys().filter(|one| !before.contains_key(one)).map(|one| certificate("certificate-cut", *one)));
    acts.opening.extend(before.keys().filter(|one| !after.contains_key(one)).map(|one| certificate("certificate-restored", *one)));
    acts
}

impl CutOffActs {
    fn of_agency(&mut self, agency: &str, old: &AgencyCut, new: &AgencyCut) {
        let act = |code, branch: Option<&String>| Act::new("cut-off", code, OPERATOR).of_agency(agency, branch.map(String::as_str));
        let closed = self.closing.len();
        if new.suspended && !old.suspended {
            self.closing.push(act("agency-suspended", None));
        }
        self.closing.extend(new.branches.difference(&old.branches).map(|branch| act("branch-suspended", Some(branch))));
        if old.suspended && !new.suspended {
            self.opening.push(act("agency-resumed", None));
        }
        self.opening.extend(old.branches.difference(&new.branches).map(|branch| act("branch-resumed", Some(branch))));
        // A suspension kills tokens too; that is no act of its own.
        if new.tokens_before > old.tokens_before && self.closing.len() == closed {
            self.closing.push(act("tokens-killed", None));
        }
        if new.tokens_before < old.tokens_before {
            self.opening.push(act("tokens-restored", None));
        }
    }
}
