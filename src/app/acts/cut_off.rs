//! Acts upon the list of what is cut off: what a change of it closes, and what it opens.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Act, Acts, OPERATOR};
use crate::adapters::cutoff::{AgencyCut, CutOffList};

/// The acts that lead from one list to another.
#[derive(Default)]
pub(super) struct CutOffActs {
    pub(super) closing: Vec<Act>,
    pub(super) opening: Vec<Opening>,
}

/// One act that opens something, and what it makes of the list.
pub(super) struct Opening {
    act: Act,
    end: Arc<dyn Fn(&mut CutOffList) + Send + Sync>,
}

impl Acts {
    /// Records what a new list opens, one thing after the other and each before it is open: the list as far as that went.
    pub async fn cut_off_opens(&self, old: &CutOffList, new: &CutOffList) -> CutOffList {
        let mut list = old.clone();
        for Opening { act, end } in between(old, new).opening {
            let mark = end.clone();
            if let Err(error) = self.record(act, move |known| mark(&mut known.cut_off)).await {
                tracing::error!(%error, "what was cut off stays so: its end cannot be recorded");
                return list;
            }
            end(&mut list);
        }
        // What says the same in other words is taken up as it stands.
        if between(&list, new).closing.is_empty() { new.clone() } else { list }
    }

    /// Records what a list that is in force now has closed.
    pub fn cut_off_closed(&self, old: &CutOffList, new: &CutOffList) {
        let CutOffActs { closing, .. } = between(old, new);
        if !closing.is_empty() {
            let next = new.clone();
            self.record_soon(closing, move |known| known.cut_off = known.cut_off.joined(next.clone()));
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
    for one in before.keys().copied().filter(|one| !after.contains_key(one)) {
        acts.open(certificate("certificate-restored", one), move |list| _ = list.certificates.remove(&one));
    }
    acts
}

impl CutOffActs {
    fn open(&mut self, act: Act, end: impl Fn(&mut CutOffList) + Send + Sync + 'static) {
        self.opening.push(Opening { act, end: Arc::new(end) });
    }

    /// The end of something about one agency.
    fn open_for(&mut self, agency: &str, act: Act, end: impl Fn(&mut AgencyCut) + Send + Sync + 'static) {
        let agency = agency.to_owned();
        self.open(act, move |list| list.agencies.get_mut(&agency).into_iter().for_each(&end));
    }

    fn of_agency(&mut self, agency: &str, old: &AgencyCut, new: &AgencyCut) {
        let act = |code, branch: Option<&String>| Act::new("cut-off", code, OPERATOR).of_agency(agency, branch.map(String::as_str));
        if new.suspended && !old.suspended {
            self.closing.push(act("agency-suspended", None));
        }
        self.closing.extend(new.branches.difference(&old.branches).map(|branch| act("branch-suspended", Some(branch))));
        if old.suspended && !new.suspended {
            self.open_for(agency, act("agency-resumed", None), |cut| cut.suspended = false);
        }
        for branch in old.branches.difference(&new.branches) {
            let name = branch.clone();
            self.open_for(agency, act("branch-resumed", Some(branch)), move |cut| _ = cut.branches.remove(&name));
        }
        // A suspension kills tokens too; that is no act of its own.
        if new.tokens_before > old.tokens_before && (old.suspended || !new.suspended) {
            self.closing.push(act("tokens-killed", None));
        }
        if new.tokens_before < old.tokens_before {
            let before = new.tokens_before;
            self.open_for(agency, act("tokens-restored", None), move |cut| cut.tokens_before = before);
        }
        let branches: BTreeSet<&String> = old.branch_tokens_before.keys().chain(new.branch_tokens_before.keys()).collect();
        for branch in branches {
            self.of_branch_tokens(agency, branch, old, new);
        }
    }

    /// The same of one branch's tokens.
    fn of_branch_tokens(&mut self, agency: &str, branch: &str, old: &AgencyCut, new: &AgencyCut) {
        let act = |code| Act::new("cut-off", code, OPERATOR).of_agency(agency, Some(branch));
        let [was, is] = [old, new].map(|cut| cut.branch_tokens_before.get(branch).copied());
        if is > was && (old.branches.contains(branch) || !new.branches.contains(branch)) {
            self.closing.push(act("tokens-killed"));
        }
        if is < was {
            let branch = branch.to_owned();
            self.open_for(agency, act("tokens-restored"), move |cut| {
                match is {
                    Some(before) => cut.branch_tokens_before.insert(branch.clone(), before),
                    None => cut.branch_tokens_before.remove(&branch),
                };
            });
        }
    }
}
