//! Acts upon revocation lists: a list that took the place of another, a source that gives none any more, and lists past their date.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Act, Acts, GATEWAY};
use crate::adapters::tls::crl::ListInForce;
use crate::core::domain::assurance::Assurance;

/// What the acts are upon.
const ROUTE: &str = "revocation";

/// The lists of one trust as they are now.
pub struct ListsNow {
    /// Whose certificates they are about: `agencies`, `registry`, `people`.
    pub of: &'static str,
    /// The lists in force.
    pub lists: Vec<ListInForce>,
    /// How current the oldest is.
    pub assurance: Assurance,
}

/// What is known of the lists of one trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLists {
    /// SHA-256 of each list in force, by its authority.
    lists: BTreeMap<String, String>,
    /// The mark of their age; none while all are current.
    age: Option<String>,
}

impl Acts {
    /// Records what became of revocation lists since that was recorded last, or waits to be. They have effect already: what a list says closes.
    pub(in crate::app) fn lists_changed(&self, now: &[ListsNow]) {
        let next: BTreeMap<String, KnownLists> = now.iter().map(|trust| (trust.of.to_owned(), trust.known())).collect();
        let mut queue = self.queue();
        let known = queue.known().lists.clone();
        if known == next {
            return;
        }
        // One list may be of use to several trusts; that it is in force is one act.
        let mut told: BTreeSet<&str> = known.values().flat_map(|trust| trust.lists.values().map(String::as_str)).collect();
        let mut acts = Vec::new();
        for trust in now {
            acts.extend(known.get(trust.of).map(|known| trust.acts(known, &mut told)).unwrap_or_default());
        }
        queue.push(acts, Box::new(move |known| known.lists = next.clone()));
        drop(queue);
        self.queued.notify_one();
    }

    /// Records that a source of revocation lists, by its name without secrets, gives none any more, or that it does again.
    pub(in crate::app) fn list_source(&self, source: &str, lost: bool) {
        let code = if lost { "list-source-lost" } else { "list-source-back" };
        let act = Act::new(ROUTE, code, GATEWAY).details(&json!({ "source": source }));
        self.record_soon(vec![act], |_| ());
    }
}

impl ListsNow {
    /// The CRL number of each list by its authority.
    pub(in crate::app) fn numbers(&self) -> serde_json::Value {
        self.lists.iter().map(|list| (list.authority.chars().take(16).collect::<String>(), json!(list.number))).collect()
    }

    fn known(&self) -> KnownLists {
        let lists = self.lists.iter().map(|list| (list.authority.clone(), list.sha256.clone())).collect();
        KnownLists { lists, age: self.assurance.mark().map(str::to_owned) }
    }

    fn acts<'l>(&'l self, known: &KnownLists, told: &mut BTreeSet<&'l str>) -> Vec<Act> {
        let changed = self.lists.iter().filter(|list| told.insert(&list.sha256));
        let mut acts: Vec<Act> = changed.map(|list| self.act(list, known.lists.get(&list.authority))).collect();
        let (before, after) = (known.age.as_deref(), self.assurance.mark());
        if before != after {
            let details = json!({ "of": self.of, "before": before.unwrap_or("current"), "next_update": self.next_update() });
            acts.push(Act::new(ROUTE, after.unwrap_or("revocation-current"), GATEWAY).details(&details));
        }
        acts
    }

    fn act(&self, list: &ListInForce, before: Option<&String>) -> Act {
        let ListInForce { authority, number, sha256, revoked, next_update } = list;
        let details = json!({ "of": self.of, "authority": authority, "number": number, "sha256": sha256, "revoked": revoked,
            "next_update": next_update, "before": before });
        Act::new(ROUTE, "list-in-force", GATEWAY).about(authority.chars().take(16).collect::<String>()).details(&details)
    }

    fn next_update(&self) -> Option<jiff::Timestamp> {
        self.lists.iter().map(|list| list.next_update).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(number: &str, assurance: Assurance) -> ListsNow {
        let next_update = jiff::Timestamp::UNIX_EPOCH;
        let list = ListInForce { authority: "ab".repeat(32), number: number.into(), sha256: number.repeat(2), revoked: 3, next_update };
        ListsNow { of: "agencies", lists: vec![list], assurance }
    }

    fn codes(before: &ListsNow, after: &ListsNow) -> Vec<&'static str> {
        let known = before.known();
        let mut told = known.lists.values().map(String::as_str).collect();
        after.acts(&known, &mut told).into_iter().map(|act| act.code).collect()
    }

    #[test]
    fn a_new_list_and_every_change_of_age_are_acts() {
        use Assurance::{Current, Grace, Overdue};
        assert_eq!(codes(&lists("1", Current), &lists("1", Current)), [""; 0]);
        assert_eq!(codes(&lists("1", Current), &lists("2", Current)), ["list-in-force"]);
        assert_eq!(codes(&lists("1", Current), &lists("1", Grace)), ["revocation-grace"]);
        assert_eq!(codes(&lists("1", Grace), &lists("1", Overdue)), ["revocation-overdue"]);
        assert_eq!(codes(&lists("1", Overdue), &lists("2", Current)), ["list-in-force", "revocation-current"]);
    }
}
