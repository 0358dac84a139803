//! Claims about sets of decrees over time, and about selectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::{Decree, DecreeSet, Effect, Selector};
use crate::core::decision::testing::{amayesh, date, decree, decrees, noon, person};
use crate::core::domain::date::Validity;
use crate::core::domain::document::DocumentKind::Amayesh;

fn one(id: &str) -> Decree {
    decree(id, Effect::Extend, Amayesh, "1402/04/01", "")
}

#[test]
fn a_set_may_grow_and_a_decree_may_be_rescinded_once() {
    let before = decrees(vec![one("a"), one("b")]);
    let rescinded = Decree { rescinded_at: Some(noon("1405/01/01")), ..one("b") };
    assert_eq!(before.is_continued_by(&decrees(vec![one("c"), one("b"), one("a")])), Ok(()));
    let after = decrees(vec![one("a"), rescinded.clone()]);
    assert_eq!(before.is_continued_by(&after), Ok(()));
    assert_eq!(after.is_continued_by(&before), Err("b"), "a rescission is not taken back");
    let moved = Decree { rescinded_at: Some(noon("1404/01/01")), ..rescinded };
    assert_eq!(after.is_continued_by(&decrees(vec![one("a"), moved])), Err("b"));
}

#[test]
fn a_decree_that_is_gone_or_changed_rewrites_history() {
    let before = decrees(vec![one("a")]);
    let lost = |set: DecreeSet| before.is_continued_by(&set).is_err();
    assert!(lost(decrees(vec![])) && lost(decrees(vec![one("b")])));
    assert!(lost(decrees(vec![Decree { recorded_at: noon("1401/01/01"), ..one("a") }])), "dated back");
    assert!(lost(decrees(vec![Decree { effective_until: Some(noon("1406/01/01")), ..one("a") }])));
    assert!(lost(decrees(vec![Decree { select: vec![Selector::default()], ..one("a") }])));
}

#[test]
fn a_selector_field_that_the_record_lacks_does_not_match() {
    let holder = person("1370", vec![]);
    let paper = amayesh(17, "1402/03/31");
    let matches = |selector: Selector| selector.matches(&paper, &holder);
    let text = |text: &str| Some(text.to_owned());
    assert!(matches(Selector {
        kind: Some(Amayesh),
        series: Some(17),
        nationality: text("AF"),
        province: text("IR-30"),
        ..Selector::default()
    }));
    assert!(!matches(Selector { household_role: text("head"), ..Selector::default() }), "not recorded");
    assert!(!matches(Selector { series: Some(16), ..Selector::default() }));
    assert!(!matches(Selector { nationality: text("IQ"), ..Selector::default() }));
    assert!(!matches(Selector { province: text("IR-07"), ..Selector::default() }));
    assert!(!matches(Selector { legal_status: Some(Amayesh), ..Selector::default() }), "a card's own kind is no status");
    assert!(!matches(Selector { issued: Some(date("1402")), ..Selector::default() }), "no issue date");
    let mut dated = paper.clone();
    dated.printed = Validity::new(Some(date("1402/05")), None);
    let window = |text| Selector { issued: Some(date(text)), ..Selector::default() }.matches(&dated, &holder);
    assert!(window("1402/05/31") && window("1402/05/01") && !window("1402/06/01") && !window("1402/04/31"));
}
