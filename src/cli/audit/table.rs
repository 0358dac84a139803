//! Entries as a table for people.

use serde_json::Value;

const HEAD: [&str; 8] = ["index", "time", "agency", "actor", "service", "purpose", "outcome", "reason or code"];

/// Entries as lines of a table, with a head.
pub(super) fn entries(entries: &[Value]) -> String {
    let rows: Vec<[String; 8]> = entries.iter().map(row).collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 8]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let (mut lines, mut log) = (vec![line(&HEAD.map(str::to_owned))], None);
    for (entry, row) in entries.iter().zip(&rows) {
        // Each log counts from nought: only sealed ones are named in answers.
        let origin = entry.get("origin").and_then(Value::as_str);
        if origin != log {
            lines
                .push(origin.map_or_else(|| "of the present log:".to_owned(), |origin| format!("of the log `{origin}`, which is sealed:")));
            log = origin;
        }
        lines.push(line(row));
    }
    lines.join("\n")
}

fn row(entry: &Value) -> [String; 8] {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let agency = match entry.get("branch").and_then(Value::as_str) {
        Some(branch) => format!("{}/{branch}", text("agency")),
        None => text("agency"),
    };
    let outcome = if text("decision") == "-" { text("kind") } else { text("decision") };
    let why = if text("reason") == "-" { text("code") } else { text("reason") };
    let why = entry.get("count").map_or_else(|| why.clone(), |count| format!("{why}, {count} times"));
    // Whole seconds are enough to read; `--json` has all of it.
    let time = text("time").get(..19).unwrap_or("-").replace('T', " ");
    let index = entry.get("index").map(Value::to_string).unwrap_or_default();
    [index, time, agency, text("actor"), text("service"), text("purpose"), outcome, why]
}

/// Says which entries nobody can read.
pub(super) fn damaged(entries: &[Value]) {
    entries.iter().for_each(|entry| println!("{}", damaged_line(entry)));
}

fn damaged_line(entry: &Value) -> String {
    let text = |name: &str| entry.get(name).map(ToString::to_string).unwrap_or_default();
    let of = if entry.get("origin").is_some() { format!(" of {}", text("origin")) } else { String::new() };
    let (which, were) = match entry.get("last") {
        Some(last) => {
            (format!("up to {} entries from {} to {last}{of} do not fit their leaves", text("entries"), text("index")), "they were")
        }
        None => (format!("entry {}{of} does not fit its leaf", text("index")), "it was"),
    };
    format!("{which}, and nobody knows whether {were} sought: run `estelam log verify`")
}

/// Says which sealed logs are not there.
pub(super) fn missing(origins: &[Value]) {
    for origin in origins {
        println!("the sealed log {origin} is not there, and nobody knows what it had: put its folder back");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [json!({"index": 7, "time": "2026-11-23T10:00:00.5Z", "agency": "bank", "branch": "north", "actor": "teller-17",
            "service": "bank-card", "purpose": "account-maintenance", "decision": "entitled", "reason": "valid", "kind": "answer"})];
        assert_eq!(
            super::entries(&rows),
            "index  time                 agency      actor      service    purpose              outcome   reason or code\n\
             7      2026-11-23 10:00:00  bank/north  teller-17  bank-card  account-maintenance  entitled  valid"
        );
        let sealed = [
            json!({"index": 0, "time": "2026-11-24T10:00:00Z"}),
            json!({"index": 9, "time": "2026-11-23T10:00:00Z", "origin": "log.example"}),
        ];
        let told = super::entries(&sealed);
        assert_eq!(told.lines().nth(2), Some("of the log `log.example`, which is sealed:"), "{told}");
        let flood = [
            json!({"index": 8, "time": "2026-11-23T10:00:01Z", "agency": "bank", "kind": "refusal", "code": "token-invalid", "count": 900}),
        ];
        let damaged = super::damaged_line(&json!({"index": 71, "last": 76, "entries": 5, "origin": "log.example"}));
        assert!(damaged.starts_with(
            "up to 5 entries from 71 to 76 of \"log.example\" do not fit their leaves, and nobody knows whether they were sought"
        ));
        assert!(super::entries(&flood).ends_with("refusal  token-invalid, 900 times"));
    }
}
