//! `estelam status`: what a running gateway can do now, as a table.

use clap::Args;
use serde_json::Value;

use super::place::Place;
use super::{CliError, reach};

/// Show what the running gateway can do now: its parts, how fresh its facts are, lanes, addresses of the registry
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Fails where the gateway runs and is not ready, so that a script can ask too.
    pub(super) fn run(self) -> Result<(), CliError> {
        let status = reach::status(&self.place)?;
        if self.json {
            println!("{status}");
        } else {
            rows(&status).iter().for_each(|(what, value)| println!("{what:<22} {value}"));
        }
        if status.get("ready") == Some(&Value::Bool(true)) {
            Ok(())
        } else {
            Err(CliError::failed("the gateway is not ready; the parts say why"))
        }
    }
}

/// Each line of the table.
fn rows(status: &Value) -> Vec<(String, String)> {
    let at = |pointer: &str| shown(status.pointer(pointer));
    let row = |what: &str, value: String| (what.to_owned(), value);
    let mut rows = vec![row("ready", at("/ready"))];
    let parts = status.get("parts").and_then(Value::as_object).into_iter().flatten();
    let degraded = |part: &str| status.get("degraded").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == part));
    rows.extend(parts.map(|(part, ready)| {
        let how = match ready {
            Value::Bool(true) if degraded(part) => "NOT IN ORDER; it does not keep anything from being answered yet",
            Value::Bool(true) => "ok",
            _ if degraded(part) => "NOT IN ORDER; what can be answered without it is",
            _ => "NOT READY",
        };
        (format!("  {part}"), how.to_owned())
    }));
    rows.push(row("time", at("/time")));
    if let Some(doubt) = status.get("clock").filter(|doubt| doubt.is_object()) {
        rows.push(row("its doubt", format!("{}: {}", shown(doubt.get("doubt")), shown(doubt.get("do")))));
    }
    if let Some(Value::String(why)) = status.get("keys") {
        rows.push(row("keys", why.clone()));
    }
    if let Some(Value::String(why)) = status.get("revocation_lists") {
        rows.push(row("revocation lists", why.clone()));
    }
    rows.push(row("policy", at("/policy_version")));
    rows.push(row("decrees", at("/registry/decrees_version")));
    let feed = format!(
        "silent for {} s, cursor {}, {} changes behind what look-ups show",
        at("/registry/feed_silent_s"),
        at("/registry/cursor"),
        at("/registry/feed_lag")
    );
    rows.push(row("change feed", feed));
    rows.push(row("decrees' age", format!("{} s", at("/registry/decrees_age_s"))));
    rows.push(row("remembered", format!("{} people, {} MiB", at("/registry/remembered"), at("/registry/remembered_mib"))));
    rows.push(row("look-ups at once", format!("at most {}", at("/registry/at_once"))));
    for lane in ["counter", "background"] {
        let lane_at = |what: &str| at(&format!("/registry/lanes/{lane}/{what}"));
        rows.push((format!("  {lane}"), format!("{} at the registry, {} wait", lane_at("in_flight"), lane_at("waiting"))));
    }
    rows.extend(addresses(status, "/registry/addresses", "address"));
    if status.pointer("/registry/people/protocol").is_some() {
        let what = format!("{}, no change feed: facts are as old as each policy lets them be", at("/registry/people/protocol"));
        rows.push(row("people", what));
        rows.extend(addresses(status, "/registry/people/addresses", "  address"));
    }
    rows.push(row("access log", format!("{} entries of `{}`", at("/ledger/entries"), at("/ledger/origin"))));
    let disk = |what: &str| at(&format!("/ledger/disk/{what}"));
    rows.push(row("its disk", format!("{}: {} MiB free, {} MiB for answers alone", disk("room"), disk("free_mib"), disk("reserve_mib"))));
    rows.push(row("deletion", deletion(status.pointer("/deletion").unwrap_or(&Value::Null))));
    rows
}

/// Until when two officials ordered deletions, class by class; and what is due and stays.
fn deletion(seen: &Value) -> String {
    let classes = seen.get("ordered_until").and_then(Value::as_object);
    let ordered = match (seen.get("needs_order"), classes) {
        (Some(Value::Bool(false)), _) => "of what is due; this is a demo, which needs no order".to_owned(),
        (_, Some(classes)) => {
            let until = |(class, day): (&String, &Value)| match day {
                Value::Null => format!("{class} NOT ORDERED"),
                day => format!("{class} until {}", shown(Some(day))),
            };
            classes.iter().map(until).collect::<Vec<_>>().join(", ")
        }
        // A gateway of an earlier version does not say which of the two it is.
        _ if seen.get("unreadable") == Some(&Value::Bool(false)) => "not looked at since the start; ask again in a few seconds".to_owned(),
        _ => "nothing now: holds or purge orders cannot be read; the log says why".to_owned(),
    };
    match seen.get("not_ordered").filter(|left| left.is_object()) {
        Some(left) => {
            let at = |name: &str| shown(left.get(name));
            format!("{ordered}; {} entries since {} are due and NOT deleted", at("entries"), at("oldest"))
        }
        None => ordered,
    }
}

fn addresses<'s>(status: &'s Value, pointer: &str, name: &'s str) -> impl Iterator<Item = (String, String)> + use<'s> {
    let all = status.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    all.enumerate().map(move |(place, address)| (format!("{name} {}", place + 1), endpoint(address)))
}

fn endpoint(address: &Value) -> String {
    let at = |name: &str| shown(address.get(name));
    let followed = if address.get("followed") == Some(&Value::Bool(true)) { ", followed" } else { "" };
    let failed = match address.get("last_error") {
        Some(Value::String(why)) => format!("; {} s ago {why}", at("last_error_s_ago")),
        _ => String::new(),
    };
    let lagging = if address.get("lagging") == Some(&Value::Bool(true)) { ", behind what is known" } else { "" };
    format!("breaker {}{followed}{lagging}, 95 of 100 within {} ms{failed}", at("breaker"), at("p95_ms"))
}

fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn table_names_what_is_not_ready_and_what_went_wrong_where() {
        let status = json!({
            "ready": false,
            "parts": {"keys": false, "ledger": true, "registry": false, "revocation-lists": true},
            "degraded": ["revocation-lists", "registry"],
            "revocation_lists": "bring a newer list",
            "keys": "`keys/content.key` is missing",
            "clock": {"doubt": "clock-behind-log", "do": "set it right"},
            "registry": {
                "cursor": 7, "feed_silent_s": 12, "feed_lag": 3, "decrees_age_s": 2,
                "lanes": {"counter": {"in_flight": 3, "waiting": 1}},
                "addresses": [{"breaker": "open", "followed": true, "p95_ms": null, "last_error": "it cannot be reached", "last_error_s_ago": 7}],
                "people": {"protocol": "spdci", "addresses": [{"breaker": "closed", "lagging": true, "p95_ms": 12, "last_error": null}]},
            },
            "ledger": {"disk": {"room": "low", "free_mib": 400, "reserve_mib": 256}},
            "deletion": {"needs_order": true, "ordered_until": {"detail": "2026-12-31", "minor": null}, "not_ordered": {"entries": 9, "oldest": "2026-08-01"}},
        });
        let text: Vec<_> = rows(&status).into_iter().map(|(what, value)| format!("{what}|{value}")).collect();
        assert!(text.contains(&"  keys|NOT READY".to_owned()), "{text:?}");
        assert!(text.contains(&"  ledger|ok".to_owned()), "{text:?}");
        assert!(text.iter().any(|line| line.starts_with("  revocation-lists|NOT IN ORDER")), "{text:?}");
        assert!(text.contains(&"revocation lists|bring a newer list".to_owned()), "{text:?}");
        assert!(text.contains(&"  registry|NOT IN ORDER; what can be answered without it is".to_owned()), "{text:?}");
        assert!(text.contains(&"change feed|silent for 12 s, cursor 7, 3 changes behind what look-ups show".to_owned()), "{text:?}");
        assert!(text.contains(&"keys|`keys/content.key` is missing".to_owned()), "{text:?}");
        assert!(text.contains(&"its doubt|clock-behind-log: set it right".to_owned()), "{text:?}");
        assert!(text.contains(&"decrees' age|2 s".to_owned()), "{text:?}");
        assert!(text.contains(&"its disk|low: 400 MiB free, 256 MiB for answers alone".to_owned()), "{text:?}");
        assert!(text.contains(&"  counter|3 at the registry, 1 wait".to_owned()), "{text:?}");
        let deletion = "deletion|detail until 2026-12-31, minor NOT ORDERED; 9 entries since 2026-08-01 are due and NOT deleted";
        assert!(text.contains(&deletion.to_owned()), "{text:?}");
        assert!(
            text.contains(&"address 1|breaker open, followed, 95 of 100 within - ms; 7 s ago it cannot be reached".to_owned()),
            "{text:?}"
        );
        assert!(text.contains(&"people|spdci, no change feed: facts are as old as each policy lets them be".to_owned()), "{text:?}");
        assert!(text.contains(&"  address 1|breaker closed, behind what is known, 95 of 100 within 12 ms".to_owned()), "{text:?}");
    }
}
