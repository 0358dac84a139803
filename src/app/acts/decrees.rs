//! The act of taking up a list of decrees: its hash, what came and what was rescinded since the last one, and who signed each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{Act, Acts, OFFICIALS};
use crate::adapters::registry::{ActivateDecrees, NewDecrees};

impl Acts {
    /// Records a list of decrees before the gateway decides by it.
    pub fn activate_decrees(self: &Arc<Self>) -> ActivateDecrees {
        let acts = self.clone();
        Arc::new(move |new| {
            let acts = acts.clone();
            Box::pin(async move {
                let known = acts.known().decrees;
                if known.as_ref().is_some_and(|(version, _)| *version == new.version) {
                    return Ok(());
                }
                let act = act(known.as_ref().map(|(version, standing)| (version.as_str(), standing)), &new);
                let next = (new.version, new.standing);
                let recorded = acts.record(act, move |known| known.decrees = Some(next.clone())).await;
                recorded.map_err(|_| "the log does not take the entry of its decrees")
            })
        })
    }
}

pub(super) fn act(before: Option<(&str, &BTreeMap<String, bool>)>, new: &NewDecrees) -> Act {
    let none = BTreeMap::new();
    let old = before.map_or(&none, |(_, standing)| standing);
    let signed = |id: &String| json!({ "id": id, "signers": new.signers.get(id) });
    let added: Vec<_> = new.standing.keys().filter(|id| !old.contains_key(*id)).map(signed).collect();
    let rescinded: Vec<_> =
        new.standing.iter().filter(|(id, gone)| **gone && old.get(*id) != Some(&true)).map(|(id, _)| signed(id)).collect();
    let details = json!({ "previous": before.map(|(version, _)| version), "added": added, "rescinded": rescinded });
    Act::new("decrees", "decrees-activated", OFFICIALS).decrees(&*new.version).details(&details)
}
