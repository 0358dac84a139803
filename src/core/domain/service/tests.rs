//! Claims about the shipped services and about faults in the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rstest::rstest;

use super::{SHIPPED_SERVICES, ServiceCatalogue, Terms};

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

#[test]
fn the_counts_and_the_cycle_of_the_domain_are_data() {
    let catalogue = ServiceCatalogue::parse(SHIPPED_SERVICES).unwrap();
    let terms: Vec<_> = catalogue.iter().flat_map(|service| &service.rules).map(|rule| (rule.id.as_str(), rule.terms)).collect();
    let told: Vec<_> = terms.into_iter().filter(|(_, terms)| !terms.is_empty()).collect();
    let expected = [
        ("health-insurance-cards", Terms { cycle_months: Some(12), ..Terms::default() }),
        ("bank-card-1400", Terms { at_most: Some(1), ends_with_document: true, ..Terms::default() }),
        ("sim-any-document", Terms { at_most: Some(3), ..Terms::default() }),
    ];
    assert_eq!(told, expected);
}

fn rules(rules: &str) -> String {
    let file = format!("[[service]]\ncode = \"a\"\nfa = \"الف\"\nen = \"A\"\n{rules}");
    ServiceCatalogue::parse(&file).unwrap_err()
}

const RULE: &str = "[[service.rule]]\nsource = \"s\"\nconfidence = \"pub\"\n";

#[rstest]
#[case("id = \"r\"\nfrom = \"1402/07/31\"", "line 9: `1402/07/31` is no Jalali day: there is no such day in that calendar")]
#[case("id = \"r\"\nfrom = \"1402/07\"", "line 9: `1402/07` is not a whole day; write YYYY/MM/DD")]
#[case("id = \"r\"\nfrom = \"1402/07/02\"\nuntil = \"1402/07/01\"", "line 9: rule `r` ends before it begins; swap `from` and `until`")]
#[case("id = \"r\"\notherwise = \"valid\"", "line 9: `otherwise` may be `service-not-covered`, `area-unknown` or `rule-missing`")]
#[case("id = \"r\"\npropagation_hours = 0", "line 9: `propagation_hours` is from 1 to 744; leave it out where nothing has to travel")]
#[case("id = \"r\"\npropagation_hours = 745", "line 9: `propagation_hours` is from 1 to 744; leave it out where nothing has to travel")]
#[case("id = \"r\"\nat_most = 0", "line 9: `at_most` is from 1 to 100; leave it out where there is no bound")]
#[case("id = \"r\"\nat_most = 101", "line 9: `at_most` is from 1 to 100; leave it out where there is no bound")]
#[case("id = \"r\"\nat_most = 3\ncycle_months = 121", "line 10: `cycle_months` is from 1 to 120; leave it out where there is no bound")]
#[case("id = \"r\"\nends_with_document = 1", "line 9: invalid type: integer `1`, expected a boolean")]
#[case("id = \"r\"\npropagation_hours = -1", "line 9: invalid value: integer `-1`, expected u16")]
#[case(
    "id = \"r\"\naccepts = [\"passport\"]",
    "line 9: no such word here; use `smart-card`, `amayesh`, `hoviat`, `temporary-card`, `census-slip`, `laissez-passer`, `exit-laissez-passer`, `passport-residence`, `passport-visa`, `household-visa-electronic`, `household-visa-manual`, `residence-booklet`, `special-booklet`, `refugee-booklet`, `student-pass`, `pupil-card`, `education-support-slip`, `work-permit`"
)]
fn a_bad_rule_is_refused_by_line(#[case] fields: &str, #[case] message: &str) {
    assert_eq!(rules(&format!("{RULE}{fields}\n")), message);
}

const AREA: &str = "[[service.rule.area]]\nsource = \"s\"\nconfidence = \"pub\"\n";

#[rstest]
#[case("id = \"a-1\"\nprovinces = []", "line 14: area `a-1` lists no province; a province on no list is unknown")]
#[case("id = \"a-1\"\nprovinces = [\"IR-7\"]", "line 15: `IR-7` is no province; write one of `IR-00` to `IR-32`, as the registry does")]
#[case("id = \"a-1\"\nprovinces = [\"Qom\"]", "line 15: `Qom` is no province; write one of `IR-00` to `IR-32`, as the registry does")]
#[case("id = \"a-1\"\nprovinces = [\"IR-07\"]\nnationalities = [\"af\"]", "line 16: `af` is no ISO 3166 alpha-2 code in capitals")]
#[case("id = \"r\"\nprovinces = [\"IR-07\"]", "line 14: area `r` is given twice; every area needs its own id")]
#[case(
    "id = \"a-1\"\nfrom = \"1402/07/31\"\nprovinces = [\"IR-07\"]",
    "line 15: `1402/07/31` is no Jalali day: there is no such day in that calendar"
)]
#[case(
    "id = \"a-1\"\nclosed = [\"IR-07\"]",
    "line 15: unknown field `closed`, expected one of `id`, `from`, `until`, `nationalities`, `holders`, `provinces`, `source`, `confidence`"
)]
fn a_bad_area_is_refused_by_line(#[case] fields: &str, #[case] message: &str) {
    let rule = format!("{RULE}id = \"r\"\naccepts = [\"laissez-passer\"]\notherwise = \"area-unknown\"\n");
    assert_eq!(rules(&format!("{rule}{AREA}{fields}\n")), message);
}

#[test]
fn areas_never_turn_what_they_do_not_list_into_a_no() {
    let area = format!("{AREA}id = \"a-1\"\nprovinces = [\"IR-07\"]\n");
    let refused =
        "line 8: a rule with areas needs the kinds that carry the service everywhere in `accepts`, and `otherwise = \"area-unknown\"`";
    assert_eq!(rules(&format!("{RULE}id = \"r\"\naccepts = [\"laissez-passer\"]\n{area}")), refused);
    assert_eq!(rules(&format!("{RULE}id = \"r\"\notherwise = \"area-unknown\"\n{area}")), refused);
}

#[test]
fn rules_that_share_a_day_are_refused() {
    let until = format!("{RULE}id = \"one\"\nuntil = \"1402/07/01\"\n");
    let overlapping = format!("{until}{RULE}id = \"two\"\nfrom = \"1402/07/01\"\n");
    assert_eq!(rules(&overlapping), "line 14: rule `two` overlaps rule `one`; end one the day before the other begins");
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
