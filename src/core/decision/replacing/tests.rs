//! Claims about decrees that take the place of others, before or after those began.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::core::decision::explain::{DecreeVerdict, explain};
use crate::core::decision::person::property_tests::{bearing, holder, now, one_of};
use crate::core::decision::query::Evidence;
use crate::core::decision::testing::{Ask, amayesh, decree, decrees, noon, person, service, shipped_decrees};
use crate::core::domain::decree::{Effect, Selector};
use crate::core::domain::document::DocumentKind::{Amayesh, Hoviat};
use crate::core::domain::reason::ReasonCode;
use crate::core::registry::{Freshness, RegistryAnswer};

fn replacing_decree(of: &[&str], decree: Decree) -> Decree {
    Decree { supersedes: of.iter().map(|id| (*id).to_owned()).collect(), ..decree }
}

fn of_series(series: u16, decree: Decree) -> Decree {
    let select = decree.select.iter().map(|selector| Selector { series: Some(series), ..selector.clone() }).collect();
    Decree { select, ..decree }
}

/// What became of each, by its id.
fn fates(list: Vec<Decree>, day: &str) -> Vec<String> {
    let set = decrees(list);
    let replacing = Replacing::of(&set, noon(day), noon(day));
    let said = |decree: &Decree| match replacing.fate(decree) {
        Fate::Stands => "stands".to_owned(),
        Fate::EndedBy(other) => format!("ended by {}", other.id),
        Fate::NeverBegan(other) => format!("never began for {}", other.id),
    };
    set.decrees.iter().map(said).collect()
}

/// Domain §3: renewable until a window that admits the series has ended. A window that never opened has not ended.
#[test]
fn a_window_replaced_before_it_began_ends_nobodys_wait() {
    let first = of_series(18, decree("w1", Effect::RenewalWindow, Amayesh, "1404/09/12", "1404/11/12"));
    let instead = of_series(17, decree("w2", Effect::RenewalWindow, Hoviat, "1404/09/01", "1404/11/12"));
    let known = |decree| Decree { recorded_at: noon("1404/08/01"), ..decree };
    let set = decrees(vec![known(first.clone()), known(replacing_decree(&["w1"], instead))]);
    let treated = |set, day| Ask::new("treatment", person("1370", vec![amayesh(18, "1404/03/31")]), set, noon(day)).reason();
    for day in ["1404/08/02", "1404/09/01", "1404/09/11", "1404/09/12", "1404/11/12", "1404/11/13", "1406/01/01"] {
        assert_eq!(treated(&set, day), ReasonCode::LapsedRenewable, "{day}");
    }
    // Without the other decree the window opens and ends.
    assert_eq!(treated(&decrees(vec![known(first)]), "1404/11/13"), ReasonCode::DocumentLapsed);
}

#[test]
fn a_window_replaced_after_it_began_has_ended() {
    let first = of_series(18, decree("w1", Effect::RenewalWindow, Amayesh, "1404/09/12", ""));
    let instead = replacing_decree(&["w1"], decree("w2", Effect::RenewalWindow, Hoviat, "1404/10/01", ""));
    let set = decrees(vec![first, instead]);
    let treated = |day| Ask::new("treatment", person("1370", vec![amayesh(18, "1404/03/31")]), &set, noon(day)).reason();
    assert_eq!(treated("1404/09/30"), ReasonCode::LapsedRenewable);
    assert_eq!(treated("1404/10/01"), ReasonCode::DocumentLapsed);
}

/// Domain §4: a decree replaces others from its own effect on. One that was itself cancelled beforehand has none.
#[test]
fn a_decree_cancelled_before_it_began_replaces_nothing() {
    let end = of_series(17, decree("t", Effect::Terminate, Amayesh, "1405/06/01", ""));
    let end = Decree { recorded_at: noon("1405/03/01"), ..replacing_decree(&["d1-1402-04-07"], end) };
    let cancel = replacing_decree(&["t"], decree("c", Effect::RequireAction, Hoviat, "1405/05/01", ""));
    let mut set = shipped_decrees();
    let ask = |set: &_, now, known| {
        let verdict =
            Ask { known_at: noon(known), ..Ask::new("sim", person("1370", vec![amayesh(17, "1402/03/31")]), set, noon(now)) }.verdict();
        (verdict.reason, verdict.decree)
    };
    let by_d1 = (ReasonCode::ValidByDecree, Some("d1-1402-04-07".to_owned()));
    let ended = (ReasonCode::EndedByDecree, Some("t".to_owned()));
    set.decrees.push(end);
    assert_eq!(ask(&set, "1405/05/31", "1405/05/31"), by_d1);
    assert_eq!(ask(&set, "1405/06/01", "1405/06/01"), ended, "it ends Amayesh 17 where nothing cancels it");
    set.decrees.push(cancel);
    for day in ["1405/05/01", "1405/05/31", "1405/06/01", "1406/01/01"] {
        assert_eq!(ask(&set, day, day), by_d1, "{day}");
    }
    // Only what was known counts: a day on which nobody knew of the cancellation.
    assert_eq!(ask(&set, "1405/06/01", "1405/04/01"), ended);
    // And a cancellation that is taken back cancels no more.
    set.decrees.last_mut().unwrap().rescinded_at = Some(noon("1405/07/01"));
    assert_eq!(ask(&set, "1405/06/30", "1405/07/02"), by_d1, "until then it had held");
    assert_eq!(ask(&set, "1405/07/02", "1405/07/02"), ended);
}

#[test]
fn an_explanation_tells_the_same_story_of_who_replaced_whom() {
    let end = Decree { recorded_at: noon("1405/03/01"), ..decree("t", Effect::Terminate, Amayesh, "1405/06/01", "") };
    let cancel = replacing_decree(&["t"], decree("c", Effect::RequireAction, Hoviat, "1405/05/01", ""));
    let mut set = shipped_decrees();
    set.decrees.extend([replacing_decree(&["d1-1402-04-07"], end), cancel]);
    let (now, holder, sim) = (noon("1405/06/01"), person("1370", vec![amayesh(17, "1402/03/31")]), service("sim"));
    let ask = Ask::new("sim", holder.clone(), &set, now);
    let answer = RegistryAnswer { persons: vec![holder].into(), as_of: now, freshness: Freshness::Live, shed: false };
    let told = explain(&ask.query(&sim), &Evidence { answer: Some(&answer), decrees: Some(&set), decrees_age_s: 0 }, now, now);
    let of = |id: &str| {
        let decree = told.decrees.iter().find(|decree| decree.id == id).unwrap();
        (decree.verdict, decree.superseded_by.as_deref(), decree.decisive)
    };
    assert_eq!(of("d1-1402-04-07"), (DecreeVerdict::Applied, None, true));
    assert_eq!(of("t"), (DecreeVerdict::Superseded, Some("c"), false));
    assert_eq!(of("c"), (DecreeVerdict::OutOfSelector, None, true));
}

#[test]
fn what_a_replaced_decree_had_replaced_stays_replaced_if_it_had_begun() {
    let one = |id: &str, from: &str, of: &[&str]| replacing_decree(of, decree(id, Effect::Extend, Amayesh, from, ""));
    let chain = || vec![one("a", "1403/01/01", &[]), one("b", "1403/02/01", &["a"]), one("c", "1403/03/01", &["b"])];
    assert_eq!(fates(chain(), "1403/01/02"), ["stands", "stands", "stands"]);
    assert_eq!(fates(chain(), "1403/02/02"), ["ended by b", "stands", "stands"]);
    assert_eq!(fates(chain(), "1403/03/02"), ["ended by b", "ended by c", "stands"]);
    let same_day = vec![one("a", "1403/01/01", &[]), one("b", "1403/02/01", &["a"]), one("c", "1403/02/01", &["b"])];
    assert_eq!(fates(same_day, "1403/02/01"), ["stands", "never began for c", "stands"]);
}

#[test]
fn decrees_that_replace_each_other_come_to_an_end() {
    let one = |id: &str, from: &str, recorded: &str, of: &[&str]| Decree {
        recorded_at: noon(recorded),
        ..replacing_decree(of, decree(id, Effect::Extend, Amayesh, from, ""))
    };
    let itself = vec![one("a", "1403/01/01", "1402/01/01", &["a"])];
    assert_eq!(fates(itself, "1404/01/01"), ["stands"]);
    let earlier_begins = vec![one("a", "1403/02/01", "1402/02/01", &["b"]), one("b", "1403/01/01", "1402/01/01", &["a"])];
    assert_eq!(fates(earlier_begins, "1404/01/01"), ["never began for b", "stands"]);
    let last_word = vec![one("a", "1403/01/01", "1402/01/01", &["b"]), one("b", "1403/01/01", "1402/02/01", &["a"])];
    assert_eq!(fates(last_word, "1404/01/01"), ["never began for b", "stands"]);
    let three = |id, recorded, of| one(id, "1403/01/01", recorded, &[of]);
    let circle = vec![three("a", "1402/01/01", "b"), three("b", "1402/01/02", "c"), three("c", "1402/01/03", "a")];
    assert_eq!(fates(circle, "1404/01/01"), ["never began for c", "stands", "stands"]);
}

/// The rule a second time, as it is spoken: a decree took effect if none that took effect, no later than it, names it.
fn took_effect(list: &[Decree], one: &Decree) -> bool {
    !list.iter().any(|other| other.id != one.id && annuls(other, one) && took_effect(list, other))
}

prop_compose! {
    /// Five decrees of five different days, all begun, that name each other as they please.
    fn five()(
        days in Just(vec![1, 2, 3, 4, 5]).prop_shuffle(), names in prop::collection::vec(prop::collection::vec("[a-e]", 0..3), 5),
    ) -> Vec<Decree> {
        let of = |((id, day), supersedes): ((&str, i32), Vec<String>)| {
            Decree { supersedes, ..decree(id, Effect::Extend, Amayesh, &format!("1403/01/0{day}"), "") }
        };
        ["a", "b", "c", "d", "e"].into_iter().zip(days).zip(names).map(of).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn whatever_replaces_whatever_is_told_by_who_took_effect(list in five()) {
        let set = decrees(list);
        let replacing = Replacing::of(&set, noon("1404/01/01"), noon("1404/01/01"));
        for one in &set.decrees {
            let later = |other: &Decree| other.effective_from > one.effective_from && replaces(other, one) && took_effect(&set.decrees, other);
            let expected = match took_effect(&set.decrees, one) {
                false => "never began",
                true if set.decrees.iter().any(later) => "ended",
                true => "stands",
            };
            let said = match replacing.fate(one) {
                Fate::Stands => "stands",
                Fate::EndedBy(_) => "ended",
                Fate::NeverBegan(_) => "never began",
            };
            prop_assert_eq!(said, expected, "{} of {:?}", &one.id, &set.decrees);
        }
    }

    /// Also where everything is of one day and in circles: it ends, and the order of the list makes no difference.
    #[test]
    fn the_order_of_the_list_never_changes_who_took_effect(list in five(), recorded in prop::collection::vec(0_i64..3, 5)) {
        let at = noon("1403/01/01");
        let of_one_day = |(one, days): (Decree, i64)| {
            Decree { effective_from: at, recorded_at: at + SignedDuration::from_hours(24 * days), ..one }
        };
        let list: Vec<Decree> = list.into_iter().zip(recorded).map(of_one_day).collect();
        let told = |list: Vec<Decree>| {
            let ids: Vec<String> = list.iter().map(|one| one.id.clone()).collect();
            ids.into_iter().zip(fates(list, "1404/01/01")).collect::<std::collections::BTreeMap<_, _>>()
        };
        let (forward, backward) = (told(list.clone()), told(list.into_iter().rev().collect()));
        prop_assert_eq!(forward, backward);
    }

    /// Domain §3 and §4: from the day on which the other begins, it is as if the decree had never been, in every word of the answer.
    #[test]
    fn a_decree_replaced_before_it_began_is_as_if_it_had_never_been(
        holder in holder(), list in prop::collection::vec(bearing(), 0..4), (gone, other) in (bearing(), bearing()),
        effect in one_of(Effect::ALL), named in prop::collection::vec("[a-e]", 0..3), service in one_of(&["identity", "travel"]),
    ) {
        let first = gone.effective_from.min(other.effective_from);
        prop_assume!(first <= now());
        let other = Decree { id: "other".into(), effective_from: first, recorded_at: first, supersedes: vec!["gone".into()], ..other };
        let gone = Decree { id: "gone".into(), effective_from: gone.effective_from.max(first), effect, supersedes: named, ..gone };
        let without = decrees(list.into_iter().chain([other]).collect());
        let mut with = without.clone();
        with.decrees.push(gone);
        let verdict = |set| Ask::new(service, holder.clone(), set, now()).verdict();
        prop_assert_eq!(verdict(&without), verdict(&with));
    }
}
