//! What a rule file may not say.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rstest::rstest;

use super::*;

const GOOD: &str = r#"
closed = ["1405/01/01"]
[[hours]]
kinds = ["bank"]
open = [{ days = "sat-wed", from = "07:30", until = "14:00" }]
[[rule]]
id = "too-many"
fa = "زیاد"
en = "too many"
who = "actor"
counts = "holders"
per = "day"
more_than = 250
times_peers = 4
codes = ["valid"]
hours = "off"
least = { planted = "harvester", precision = 90, recall = 90 }
"#;

fn read(text: &str) -> Result<WatchRules, Vec<Fault>> {
    parse(text, |kind| kind == "bank")
}

#[test]
fn a_whole_file_is_read() {
    let rules = read(GOOD).unwrap();
    let [rule] = &rules.rules[..] else { panic!("one rule") };
    assert_eq!((&*rule.id, rule.more_than, rule.times_peers, rule.hours), ("too-many", 250, Some(4), Some(Hours::Off)));
    assert_eq!(rules.hours.closed.len(), 1);
    assert_eq!(read("").unwrap(), WatchRules::default());
}

#[rstest]
#[case::unknown_key("more_than = 250", "more_then = 250", "unknown field `more_then`")]
#[case::no_such_count(r#"counts = "holders""#, r#"counts = "people""#, "no such word here; use `calls`")]
#[case::agencies_of_an_actor(r#"counts = "holders""#, r#"counts = "agencies""#, "`agencies` are counted of a `holder` alone")]
#[case::holders_of_a_holder(r#"who = "actor""#, r#"who = "holder""#, "of a `holder` count `agencies` or `calls`")]
#[case::beyond_the_table("more_than = 250", "more_than = 4096", "told apart up to 4095")]
#[case::peers_of_an_hour(r#"per = "day""#, r#"per = "hour""#, "peers are compared")]
#[case::peers_at_the_median("times_peers = 4", "times_peers = 1", "write 2 or more")]
#[case::no_such_code(r#"["valid"]"#, r#"["vaild"]"#, "`vaild` is neither a reason nor a refusal")]
#[case::no_such_kind(r#"["bank"]"#, r#"["banc"]"#, "no such kind of agency `banc`")]
#[case::no_such_day("1405/01/01", "1405/01/32", "`1405/01/32` is no Jalali day")]
#[case::no_such_weekday("sat-wed", "mon-sun", "write a day")]
#[case::no_such_time("07:30", "7.30", "write a time")]
#[case::closes_before_it_opens("14:00", "07:00", "swap the times")]
#[case::an_id_of_the_bounds("too-many", "honeypot", "an alert of the bounds in [protection]")]
#[case::an_id_in_capitals("too-many", "Too", "an id is 2 to 40")]
#[case::no_words(r#"fa = "زیاد""#, r#"fa = " ""#, "write what it is about")]
#[case::more_than_all("precision = 90", "precision = 101", "1 to 100")]
#[case::no_such_abuser("harvester", "thief", "no such word here; use `harvester`")]
fn a_slip_is_refused_where_it_stands(#[case] from: &str, #[case] to: &str, #[case] what: &str) {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD, "`{from}` is not there");
    let faults = read(&text).unwrap_err();
    let fault = faults.iter().find(|fault| fault.what.contains(what)).unwrap_or_else(|| panic!("{faults:?}"));
    let line = |offset: usize| text[..offset].matches('\n').count();
    let wanted = text.find(to).map(line).unwrap();
    let found = line(fault.at.unwrap());
    assert!(found == wanted || what.starts_with("peers") || what.starts_with("of a"), "line {found} instead of {wanted}: {fault:?}");
}

#[test]
fn two_rules_of_one_name_are_refused() {
    let twice = format!("{GOOD}{}", GOOD.split("[[rule]]").nth(1).map(|rule| format!("[[rule]]{rule}")).unwrap());
    assert!(read(&twice).unwrap_err().iter().any(|fault| fault.what.contains("there twice")));
}
