//! The manual explains whatever can turn red: each part of the health check, each alarm.

use crate::house::shipped_sources;

const OPERATING: &str = include_str!("../../src/manual/operating.rs");

/// Alarms whose names are put together elsewhere than where they are counted, and in how many places that is.
const COUNTED_BY_NAME: (usize, [&str; 9]) = (
    4,
    [
        "clock-jumped",
        "clock-contradicted",
        "clock-moved",
        "disk-low",
        "disk-scarce",
        "disk-gone",
        "disk-hung",
        "revocation-lists-grace",
        "revocation-lists-overdue",
    ],
);

/// The text up to the next quotation mark.
fn quoted(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix('"')?.split('"').next()
}

#[test]
fn every_alarm_stands_in_the_manual_with_what_to_do() {
    let (places, by_name) = COUNTED_BY_NAME;
    let (mut literal, mut named) = (Vec::new(), 0);
    for (_, text) in shipped_sources() {
        for after in text.split("\"estelam_alarms_total\", \"alarm\" =>").skip(1) {
            match quoted(after) {
                Some(alarm) => literal.push(alarm.to_owned()),
                None => named += 1,
            }
        }
    }
    assert!(literal.len() >= 14, "{literal:?}");
    assert_eq!(named, places, "an alarm is counted by a name that this test does not know");
    let explained = |alarm: &str| OPERATING.lines().any(|line| line.starts_with("//! | `") && line.contains(&format!("`{alarm}`")));
    let unexplained: Vec<_> = literal.iter().map(String::as_str).chain(by_name).filter(|alarm| !explained(alarm)).collect();
    assert!(unexplained.is_empty(), "operating.rs has no row for {unexplained:?}");
}

#[test]
fn every_part_of_the_health_check_stands_in_the_manual_with_what_to_do() {
    let sources = shipped_sources();
    let (_, readiness) = sources.iter().find(|(name, _)| name == "src/app/readiness.rs").unwrap();
    let parts: Vec<_> = readiness.split("(\"").skip(1).filter_map(|after| after.split('"').next()).collect();
    assert!(parts.contains(&"keys") && parts.contains(&"people-registry") && parts.len() >= 7, "{parts:?}");
    for part in parts {
        assert!(OPERATING.contains(&format!("//! | `{part}` |")), "operating.rs has no row for the part `{part}`");
    }
}
