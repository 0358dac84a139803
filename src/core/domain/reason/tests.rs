//! Claims about the shipped words and about faults in the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::{OutageStep, Outcome, ReasonCatalogue, ReasonCode, SHIPPED_REASONS};

#[test]
fn every_reason_has_words_and_a_next_step_in_both_languages() {
    let catalogue = ReasonCatalogue::parse(SHIPPED_REASONS).unwrap();
    assert!(ReasonCode::ALL.iter().all(|code| catalogue.get(*code).is_some()));
    assert_eq!(catalogue.outage(OutageStep::Proceed).unwrap().next_action, "proceed");
    assert_eq!(catalogue.outage(OutageStep::TryLater).unwrap().next_action, "try-later");
}

#[test]
fn no_text_speaks_of_unlawful_presence() {
    let words = SHIPPED_REASONS.lines().filter(|line| !line.starts_with('#')).collect::<String>().to_lowercase();
    for never in ["illegal", "alien", "unlawful", "deport", "غیرقانونی", "غیرمجاز", "بیگانه", "اتباع", "اخراج"]
    {
        assert!(!words.contains(never), "{never}");
    }
}

/// How long a rule waits and until when a decree holds is theirs to say; a text stands for all of them.
#[test]
fn no_text_names_a_number_that_is_a_rules_or_a_decrees() {
    let words = SHIPPED_REASONS.lines().filter(|line| !line.starts_with('#'));
    for line in words {
        assert!(!line.chars().any(char::is_numeric), "{line}");
    }
}

#[test]
fn a_missing_code_an_unknown_code_and_missing_words_are_refused() {
    let renamed = SHIPPED_REASONS.replace("[reason.too-stale]", "[reason.too-old]");
    let line = 1 + renamed.lines().position(|line| line == "[reason.too-old]").unwrap();
    assert_eq!(
        ReasonCatalogue::parse(&renamed).unwrap_err(),
        format!("line {line}: [reason.too-old] is no known code; correct the name or remove the table")
    );
    let start = SHIPPED_REASONS.find("[reason.too-stale]").unwrap();
    let end = start + SHIPPED_REASONS[start..].find("\n[").unwrap() + 1;
    let missing = format!("{}{}", &SHIPPED_REASONS[..start], &SHIPPED_REASONS[end..]);
    let last = 1 + missing.lines().enumerate().filter(|(_, line)| line.starts_with("[reason.")).map(|(at, _)| at).last().unwrap();
    assert_eq!(
        ReasonCatalogue::parse(&missing).unwrap_err(),
        format!("line {last}: [reason.too-stale] is missing; every code needs its words, add the table below this one")
    );
    let more = format!(
        "{SHIPPED_REASONS}\n[reason.other]\nfa = \"الف\"\nen = \"a\"\nnext = {{ who = \"none\", action = \"a\", fa = \"الف\", en = \"a\" }}\n"
    );
    let error = ReasonCatalogue::parse(&more).unwrap_err();
    assert!(
        error.starts_with("line ") && error.ends_with("[reason.other] is no known code; correct the name or remove the table"),
        "{error}"
    );
    let wordless = SHIPPED_REASONS.replace("مدرک دارنده معتبر است.", " ");
    assert!(ReasonCatalogue::parse(&wordless).unwrap_err().ends_with("`valid` has no Persian words in `fa`; write them"));
    let extra = SHIPPED_REASONS.replace("[reason.valid]", "[reason.valid]\ncolour = 1");
    assert!(ReasonCatalogue::parse(&extra).unwrap_err().contains("unknown field `colour`"));
}

#[test]
fn the_coarse_reason_keeps_the_outcome_and_says_less() {
    for code in ReasonCode::ALL {
        assert_eq!(code.coarse().outcome(), code.outcome(), "{code:?}");
        assert_eq!(code.coarse().coarse(), code.coarse());
        if code.outcome() == Outcome::NotEntitled {
            assert_eq!(code.coarse(), ReasonCode::ServiceNotCovered);
        }
    }
}
