//! Which parts of a draft cannot be tried on recorded queries: an entry holds neither the number that was asked about, nor what else was
//! asked in that minute, nor the words that were said.

use std::collections::{BTreeMap, BTreeSet};

use super::Snapshot;
use crate::core::domain::reason::{OutageStep, ReasonCode, ReasonText};

/// A policy folder: path inside it → text.
type Files = BTreeMap<String, String>;

/// The parts of an agency's file that say how fast it may ask, how it proves who it is, and what its own numbers mean.
const OF_AGENCIES: [&str; 6] = ["limits", "protection", "unit", "scheme_numbers", "client_auth", "request_signing"];

/// Each part of `draft` that differs from the same of `recorded` and on which no replay depends: its file, and the table in it.
pub fn untried((recorded, before): (&Files, &Snapshot), (draft, after): (&Files, &Snapshot)) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let schemes = |files: &Files| table(files, "schemes.toml");
    if schemes(recorded) != schemes(draft) {
        found.insert("schemes.toml".to_owned());
    }
    if words(before) != words(after) {
        found.insert("reasons.toml (its words)".to_owned());
    }
    let keys = recorded.keys().chain(draft.keys()).filter(|path| path.ends_with(".json"));
    found.extend(keys.filter(|path| recorded.get(*path) != draft.get(*path)).cloned());
    // An agency that is not in both is let in or kept out, which is tried.
    for path in draft.keys().filter(|path| path.starts_with("agencies/") && path.ends_with(".toml") && recorded.contains_key(*path)) {
        let (old, new) = (table(recorded, path), table(draft, path));
        let differs = OF_AGENCIES.iter().filter(|name| part(old.as_ref(), name) != part(new.as_ref(), name));
        found.extend(differs.map(|name| format!("{path} [{name}]")));
    }
    found
}

/// A part of an agency's file, without what is tried: whether a signature is wanted, and whether a unit is suspended.
fn part(file: Option<&toml::Table>, name: &str) -> Option<toml::Value> {
    let mut value = file?.get(name)?.clone();
    let tables = match &mut value {
        toml::Value::Array(tables) => tables.as_mut_slice(),
        table => std::slice::from_mut(table),
    };
    for table in tables.iter_mut().filter_map(toml::Value::as_table_mut) {
        table.retain(|key, _| !matches!(key, "required" | "suspended"));
    }
    Some(value).filter(|value| value.as_table().is_none_or(|table| !table.is_empty()))
}

/// What a file says, whatever its comments and its order.
fn table(files: &Files, path: &str) -> Option<toml::Table> {
    files.get(path).and_then(|text| text.parse().ok())
}

/// The words of every reason in both languages. That a next step is another one is tried.
fn words(snapshot: &Snapshot) -> Vec<[&str; 4]> {
    fn of(text: &ReasonText) -> [&str; 4] {
        [&text.fa, &text.en, &text.next_fa, &text.next_en]
    }
    let reasons = &snapshot.reasons;
    let outage = OutageStep::ALL.iter().filter_map(|step| reasons.outage(*step));
    ReasonCode::ALL.iter().filter_map(|code| reasons.get(*code)).chain(outage).map(of).collect()
}
