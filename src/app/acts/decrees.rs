//! The act of taking up a list of decrees: its hash, what came and what was rescinded since the last one, and who signed each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{Act, Acts, OFFICIALS};
use crate::adapters::registry::{ActivateDecrees, NewDecrees};

impl Acts {
    /// Records a list of decrees before the gateway decides by it; in a demo the entry says that it is one.
    pub fn activate_decrees(self: &Arc<Self>, demo: bool) -> ActivateDecrees {
        let acts = self.clone();
        Arc::new(move |new| {
            let acts = acts.clone();
            Box::pin(async move {
                let known = acts.known();
                let same = known.decrees.as_ref().is_some_and(|(version, _)| *version == new.version);
                let judged = known.decree_steps.as_ref().is_some_and(|judged| judged.is_superset(&new.signed.steps));
                if same && (demo || judged) {
                    return Ok(());
                }
                let before = known.decrees.as_ref().map(|(version, standing)| (version.as_str(), standing));
                // Where an earlier version recorded the same list, it is merely remembered as judged.
                let act = (!same).then(|| act(before, &new, demo));
                let (next, steps) = ((new.version, new.standing), new.signed.steps);
                let mark = move |known: &mut super::Known| {
                    known.decrees = Some(next.clone());
                    // What a demo took says nothing for an installation that its folder may become.
                    if demo {
                        return;
                    }
                    known.decree_steps.get_or_insert_default().extend(steps.iter().cloned());
                };
                acts.record(act, mark).await.map_err(|_| "the log does not take the entry of its decrees")
            })
        })
    }
}

pub(super) fn act(before: Option<(&str, &BTreeMap<String, bool>)>, new: &NewDecrees, demo: bool) -> Act {
    let none = BTreeMap::new();
    let old = before.map_or(&none, |(_, standing)| standing);
    let signed = |id: &String, rescinded: bool| {
        let by = new.signed.by.get(id);
        let signers = by.and_then(|by| if rescinded { by.rescission.as_ref() } else { Some(&by.approval) });
        json!({ "id": id, "hash": by.map(|by| &by.hash), "signers": signers })
    };
    let added: Vec<_> = new.standing.keys().filter(|id| !old.contains_key(*id)).map(|id| signed(id, false)).collect();
    let gone = new.standing.iter().filter(|(id, gone)| **gone && old.get(*id) != Some(&true));
    let rescinded: Vec<_> = gone.map(|(id, _)| signed(id, true)).collect();
    let mut details = json!({ "previous": before.map(|(version, _)| version), "added": added, "rescinded": rescinded });
    if demo && let Some(details) = details.as_object_mut() {
        details.insert("demo".to_owned(), json!(true));
    }
    Act::new("decrees", "decrees-activated", OFFICIALS).decrees(&*new.version).details(&details)
}
