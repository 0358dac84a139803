//! Claims about the shipped services and about faults in the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rstest::rstest;

use super::{SHIPPED_SERVICES, ServiceCatalogue};

#[test]
fn the_18_services_of_the_domain_are_shipped_in_its_order() {
    let catalogue = ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap();
    let codes: Vec<&str> = catalogue.iter().map(|service| service.code.as_str()).collect();
    let domain = "identity education-school education-university health-primary treatment insurance-health insurance-social bank-account \
        bank-card sim travel residence-renewal work-permit driving-licence housing-lease civil-events welfare subsidised-goods";
    assert_eq!(codes, domain.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn only_primary_health_is_free_to_all_and_treatment_in_an_emergency() {
    let catalogue = ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap();
    let free = |emergency| -> Vec<&str> {
        catalogue.iter().filter(|service| service.is_free_to_all(emergency)).map(|service| service.code.as_str()).collect()
    };
    assert_eq!(free(false), ["health-primary"]);
    assert_eq!(free(true), ["health-primary", "treatment"]);
}

fn rules(rules: &str) -> String {
    let file = format!("[[service]]\ncode = \"a\"\nfa = \"الف\"\nen = \"A\"\n{rules}");
    ServiceCatalogue::parse(&file).unwrap_err()
}

const RULE: &str = "[[service.rule]]\nsource = \"s\"\nconfidence = \"pub\"\n";

#[rstest]
#[case("id = \"r\"\nfrom = \"1402/07/31\"", "line 9: `1402/07/31` is no Jalali day: there is no such day in that calendar")]
#[case("id = \"r\"\nfrom = \"1402/07\"", "line 9: `1402/07` is not a whole day; write YYYY/MM/DD")]
#[case("id = \"r\"\nfrom = \"1402/07/02\"\nuntil = \"1402/07/01\"", "line 8: rule `r` ends before it begins; swap `from` and `until`")]
#[case("id = \"r\"\notherwise = \"valid\"", "line 9: `otherwise` may be `service-not-covered`, `area-unknown` or `rule-missing`")]
fn a_bad_rule_is_refused_by_line(#[case] fields: &str, #[case] message: &str) {
    assert_eq!(rules(&format!("{RULE}{fields}\n")), message);
}

#[test]
fn rules_that_share_a_day_are_refused() {
    let until = format!("{RULE}id = \"one\"\nuntil = \"1402/07/01\"\n");
    let overlapping = format!("{until}{RULE}id = \"two\"\nfrom = \"1402/07/01\"\n");
    assert_eq!(rules(&overlapping), "line 13: rule `two` overlaps rule `one`; end one the day before the other begins");
    let touching = format!("[[service]]\ncode = \"a\"\nfa = \"الف\"\nen = \"A\"\n{until}{RULE}id = \"two\"\nfrom = \"1402/07/02\"\n");
    assert!(ServiceCatalogue::parse(&touching).is_ok());
}

#[test]
fn unknown_keys_and_repeated_codes_are_refused_by_line() {
    assert!(rules("colour = 1\nno_document = true\n").starts_with("line 5: unknown field `colour`"));
    let free = "[[service]]\ncode = \"a\"\nfa = \"الف\"\nen = \"A\"\nno_document = true\n";
    let twice = ServiceCatalogue::parse(&format!("{free}{free}")).unwrap_err();
    assert_eq!(twice, "line 7: service `a` is described twice; keep one");
    assert_eq!(rules(""), "line 2: service `a` has no rule; add a [[service.rule]], or `no_document = true`");
}
