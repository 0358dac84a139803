//! Acts upon the signing keys, told by their records before and after.

use std::collections::BTreeMap;

use serde_json::json;

use super::known::KnownKey;
use super::{Act, Acts};
use crate::adapters::keys::{KeyRecord, KeyState};

impl Acts {
    /// Records how the keys have changed since that was recorded last, or waits to be. A key that others may have, that is lost or withdrawn, signs no more at once;
    /// anything else waits for its entry. Whether the keys may be taken up.
    pub async fn keys_changed(&self, records: &[KeyRecord], actor: &'static str) -> bool {
        let known = self.known();
        let now = known_of(records);
        let changes = known.keys.as_ref().map_or_else(BTreeMap::new, |before| changes(before, &now));
        let act = act(&changes, actor);
        let closing = changes.values().any(|change| change.closes());
        let mark = move |known: &mut super::Known| known.keys = Some(now.clone());
        if closing {
            self.record_soon(act.into_iter().collect(), mark);
            return true;
        }
        let recorded = self.record(act, mark).await;
        recorded.inspect_err(|error| tracing::error!(%error, "changed keys are not taken up: they cannot be recorded")).is_ok()
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    before: Option<KnownKey>,
    after: KnownKey,
}

impl Change {
    fn is(self, state: KeyState) -> bool {
        self.after.state == state && self.before.is_none_or(|before| before.state != state)
    }

    const fn is_lost(self) -> bool {
        self.after.lost && !matches!(self.before, Some(KnownKey { lost: true, .. }))
    }

    fn closes(self) -> bool {
        self.is(KeyState::Compromised) || self.is(KeyState::Withdrawn) || self.is_lost()
    }
}

pub(super) fn known_of(records: &[KeyRecord]) -> BTreeMap<String, KnownKey> {
    let known = |record: &KeyRecord| KnownKey { usage: record.usage, state: record.state, lost: record.lost };
    records.iter().map(|record| (record.kid.clone(), known(record))).collect()
}

pub(super) fn changes(before: &BTreeMap<String, KnownKey>, after: &BTreeMap<String, KnownKey>) -> BTreeMap<String, Change> {
    let changed = after.iter().filter(|(kid, key)| before.get(*kid) != Some(key));
    changed.map(|(kid, key)| (kid.clone(), Change { before: before.get(kid).copied(), after: *key })).collect()
}

/// One act for all that changed at once, named for what matters most; every key is in its details.
pub(super) fn act(changes: &BTreeMap<String, Change>, actor: &'static str) -> Option<Act> {
    let any = |what: fn(Change) -> bool| changes.values().any(|change| what(*change));
    let code = if changes.is_empty() {
        return None;
    } else if any(|change| change.is(KeyState::Compromised)) {
        "key-compromised"
    } else if any(Change::is_lost) {
        "key-lost"
    } else if any(|change| change.is(KeyState::Active)) {
        "key-rotated"
    } else if any(|change| change.is(KeyState::Withdrawn)) {
        "key-retired"
    } else {
        "key-standby"
    };
    let keys = changes.iter().map(|(kid, change)| {
        json!({ "kid": kid, "use": change.after.usage, "from": change.before.map(|before| before.state), "to": change.after.state })
    });
    Some(Act::new("keys", code, actor).details(&json!({ "keys": keys.collect::<Vec<_>>() })))
}
