//! The shipped cases hold, and what is wrong with a case is said in one line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::core::policy::shipped;

fn files() -> BTreeMap<String, String> {
    shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn lines(errors: &[LoadError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_cases_hold_and_every_rule_has_one_each_way() {
    let tally = run(&files()).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    assert!(tally.permits > 30 && tally.answers > 50, "{tally:?}");
}

const CASE: &str = r#"
[[answer]]
name = "one"
agency = "clinic"
service = "treatment"
purpose = "treatment"
at = "1405/09/02"
documents = [{ kind = "passport-residence", expires = "1406/01/01" }]
expect = "entitled"
reason = "valid"
"#;

fn check(from: &str, to: &str, expected: &str) {
    assert!(CASE.contains(from), "{from}");
    let mut files = files();
    files.insert("cases/one.toml".to_owned(), CASE.replacen(from, to, 1));
    let errors = run(&files).map(|tally| format!("{tally:?}")).unwrap_err();
    assert_eq!(lines(&errors), format!("cases/one.toml:{expected}"));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    check("reason = \"valid\"", "reason = \"valid-by-decree\"", "3: `one`: expected `entitled` `valid-by-decree`, got `entitled` `valid`");
    check("reason = \"valid\"", "reason = \"valid\"\nrule = \"x\"", "3: `one`: expected the rule `x`, got `treatment-any-document`");
    check(
        "reason = \"valid\"",
        "reason = \"document-lapsed\"",
        "10: `document-lapsed` is no reason of `entitled`; reasons.toml lists them",
    );
    check("1406/01/01", "1406/13/01", "8: `expires` is no date: there is no such day in that calendar");
    check(
        "at = \"1405/09/02\"",
        "at = \"1405\"",
        "7: `1405` is no instant; write 1402/04/03, 1402/04/03 10:00 or 2023-06-24T10:00:00+03:30",
    );
    check("expect", "decrees = [\"d0\"]\nexpect", "9: no such decree `d0`; write it as a [[decree]]");
    check(
        "expect",
        "gives = [\"name\"]\nexpect",
        "9: `name` cannot be given; use `actor`, `check`, `reference`, `nonce`, `identifier`, `receipt`",
    );
    check("clinic", "bank", "3: `one`: expected `entitled` `valid`, got `refused` `service-not-allowed`");
}

#[test]
fn a_rule_without_a_case_each_way_is_named_where_it_stands() {
    let mut files = files();
    let services = files.get_mut("services.toml").unwrap();
    let rule = "\n[[service.rule]]\nid = \"new-rule\"\nfrom = \"1450/01/01\"\nsource = \"none\"\nconfidence = \"inf\"\n";
    let lines_before = services.lines().count();
    services.push_str(rule);
    let errors = run(&files).map(|tally| format!("{tally:?}")).unwrap_err();
    let said = lines(&errors);
    assert!(
        said.contains(&format!("services.toml:{}: the rule `new-rule` needs a case", lines_before + 3)) || said.contains("overlaps"),
        "{said}"
    );
}
