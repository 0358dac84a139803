//! The manual explains whatever can turn red: each part of the health check, each alarm.

use std::collections::BTreeSet;

use crate::house::shipped_sources;

const OPERATING: &str = include_str!("../../src/manual/operating.rs");
const METRICS: &str = include_str!("../../src/manual/metrics.rs");
const README: &str = include_str!("../../README.md");

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

/// Names in quotation marks that are a metric's: `estelam_` and then lower-case words.
fn metrics_of(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split('"').filter(|part| part.starts_with("estelam_"));
    names.filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
}

#[test]
fn every_metric_stands_in_the_manual_and_no_other() {
    let sources = shipped_sources();
    let counted: BTreeSet<&str> = sources.iter().flat_map(|(_, text)| metrics_of(text)).collect();
    assert!(counted.len() > 50, "{counted:?}");
    let explained = METRICS.split('`').skip(1).step_by(2).filter_map(|code| code.split('{').next());
    let explained: BTreeSet<&str> = explained.filter(|name| name.starts_with("estelam_")).collect();
    assert_eq!(counted, explained);
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let links: Vec<&str> = README.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() >= 12, "{links:?}");
    for link in links {
        assert!(root.join(link).exists(), "README.md links to `{link}`, which is not there");
    }
}
