//! Replay against a draft counts who would be told something else, and names what of the draft no recorded query can try.

use estelam::app::review::{Against, Policy, Review};
use estelam::core::decision::replay::Telling;

use super::fixtures::query;
use super::harness::System;
use super::replay::everything;
use super::tools::{configured, estelam};

/// Texts of a file, and what stands there instead.
type Changes<'a> = &'a [(&'a str, &'a str)];

/// What is told: reason, next step, and what is shown.
type Words = (String, String, String);

/// The exact reason, what was told and what would be, and how often.
type Line = (&'static str, [Words; 2], u64);

/// A draft in which some texts of a file are replaced.
fn draft(path: &str, changes: Changes<'_>) -> Policy {
    let mut files = crate::policy_support::files();
    let text = files.get_mut(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{path}: {from}");
        *text = text.replacen(from, to, 1);
    }
    Policy::load(files).unwrap()
}

/// Reason, next step and what is shown.
fn told(telling: Option<&Telling>) -> Words {
    let telling = telling.unwrap();
    let shows: Vec<&str> = telling.shows.iter().map(|part| part.code()).collect();
    (telling.reason.code().to_owned(), telling.next.clone(), shows.join(" "))
}

/// The exact reason of each line, what was told, what would be, and how often; the exact reason stays.
fn lines(review: &Review) -> Vec<Line> {
    let line = |it: &estelam::app::review::Difference| {
        assert_eq!((it.agency.as_str(), it.old.code()), ("clinic", it.new.code()));
        (it.old.code(), [told(it.old.told()), told(it.new.told())], it.queries)
    };
    review.different.iter().map(line).collect()
}

fn words(reason: &str, next: &str, shows: &str) -> Words {
    (reason.to_owned(), next.to_owned(), shows.to_owned())
}

/// One who is entitled by a decree, one whose card lapsed (twice), and one in an outage.
async fn asked() -> System {
    let system = System::today().await;
    let clinic = async |scheme: &str, value: &str, expected: &str| {
        let reply = system.ask("clinic", &query("clinic", scheme, value, "insurance-health")).await;
        assert_eq!(reply.outcome(), expected, "{}", reply.json);
    };
    clinic("amayesh-no", "A170000001", "entitled valid-by-decree").await;
    clinic("amayesh-no", "A160000002", "not-entitled document-lapsed").await;
    clinic("amayesh-no", "A160000002", "not-entitled document-lapsed").await;
    system.stop_registry().await;
    clinic("yekta", "9990000034", "indeterminate registry-unavailable").await;
    system
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_that_tells_something_else_is_a_difference_though_it_decides_the_same() {
    let system = asked().await;
    let review = |path: &str, changes: Changes<'_>| everything(&system, &Against::Draft(&draft(path, changes)));
    let clinic = "agencies/clinic.toml";

    let coarser = review(clinic, &[("\"lapse\", ", "")]);
    let lapsed = [
        words("document-lapsed", "ask-kefalat-office", "kind series status"),
        words("service-not-covered", "ask-kefalat-office", "kind series"),
    ];
    assert_eq!(lines(&coarser), [("document-lapsed", lapsed, 2)], "{coarser:#?}");
    assert_eq!((coarser.same, coarser.changed_not_tried.len()), (2, 0));

    let silent = review(clinic, &[("decree = true", "decree = false")]);
    let found = lines(&silent);
    let [decreed, lapsed] = &found[..] else { panic!("{silent:#?}") };
    let shown = |line: &Line| (line.0.to_owned(), line.1.clone().map(|told| told.2), line.2);
    assert_eq!(shown(lapsed), ("document-lapsed".into(), ["kind series status".into(), "kind series".into()], 2));
    assert_eq!(shown(decreed), ("valid-by-decree".into(), ["kind series status decree".into(), "kind series".into()], 1));

    let waits = review(clinic, &[("outage = \"proceed\"", "outage = \"try-later\"")]);
    let outage = [words("registry-unavailable", "proceed", ""), words("registry-unavailable", "try-later", "")];
    assert_eq!(lines(&waits), [("registry-unavailable", outage, 1)], "{waits:#?}");

    // The real command says what is told otherwise, and nothing that is told alike.
    let (dir, folder) = (configured(&system), system.dir.path().join("draft"));
    estelam::adapters::policy_files::install(&folder).unwrap();
    let text = std::fs::read_to_string(folder.join(clinic)).unwrap();
    std::fs::write(folder.join(clinic), text.replace("\"lapse\", ", "").replace("max_connections = 256", "max_connections = 255")).unwrap();
    let day = ["replay", "--dir", &dir, "--from", "1405/09/02", "--to", "1405/09/02", "--against", folder.to_str().unwrap()];
    let printed = String::from_utf8(estelam(&day, "").stdout).unwrap();
    let line = printed.lines().nth(1).unwrap();
    assert!(
        line.contains(
            "document-lapsed, told document-lapsed, shows kind series status document-lapsed, told service-not-covered, shows kind series"
        ),
        "{printed}"
    );
    assert!(!line.contains("ask-kefalat-office") && printed.contains("4 queries: 2 the same, 2 different"), "{printed}");
    assert!(printed.contains("not to be tried on recorded queries: agencies/clinic.toml [limits]\n"), "{printed}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_of_a_draft_no_recorded_query_can_try_is_named() {
    let system = asked().await;
    let clinic = "agencies/clinic.toml";
    let numbers = "\n[scheme_numbers]\n7 = \"yekta\"\n\n[protection]";
    let comment = "\n# Another comment.\n[[scheme]]\ncode = \"fida\"";
    let rows: [(&str, Changes<'_>, &[&str]); 5] = [
        (clinic, &[("max_connections = 256", "max_connections = 255")], &["agencies/clinic.toml [limits]"]),
        (
            clinic,
            &[("failed_checks = 5", "failed_checks = 6"), ("\n[protection]", numbers)],
            &["agencies/clinic.toml [protection]", "agencies/clinic.toml [scheme_numbers]"],
        ),
        ("schemes.toml", &[("pattern = '9\\d{9}'", "pattern = '[89]\\d{9}'")], &["schemes.toml"]),
        ("schemes.toml", &[("\n[[scheme]]\ncode = \"fida\"", comment)], &[]),
        ("reasons.toml", &[("\"The holder's document is valid.\"", "\"The holder has a valid document.\"")], &["reasons.toml (its words)"]),
    ];
    for (path, changes, expected) in rows {
        let review = everything(&system, &Against::Draft(&draft(path, changes)));
        let named: Vec<&str> = review.changed_not_tried.iter().map(String::as_str).collect();
        assert_eq!((review.changed(), named.as_slice()), (0, expected), "{path}");
    }
    system.stop().await;
}
