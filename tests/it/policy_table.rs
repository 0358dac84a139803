//! The tables of the request path and the rules in `*.cedar` say the same, for every agency, service and purpose.

use std::collections::BTreeSet;
use std::path::Path;

use estelam::core::domain::agency::Scope;
use estelam::core::domain::refusal::RefusalCode;
use estelam::core::policy::{Loaded, cases};

use jiff::Timestamp;

use crate::policy_support::{files, lines};

fn loaded() -> Loaded {
    Loaded::from_files(&files()).unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

#[test]
fn the_table_agrees_with_the_rules_everywhere() {
    let loaded = loaded();
    let (mut permitted, mut refused) = (0, 0);
    for agency in loaded.snapshot.agencies.values() {
        let kind = &loaded.kinds[agency.id.as_str()];
        for service in loaded.rules.services() {
            for purpose in loaded.rules.purposes() {
                let table = loaded.snapshot.grant(agency, service, purpose, Timestamp::UNIX_EPOCH).is_ok();
                let verdict = loaded.rules.judge(agency.id.as_str(), kind, service, purpose, Timestamp::UNIX_EPOCH).unwrap();
                assert_eq!(table, verdict.permitted, "{} {service} {purpose}", agency.id);
                if table { permitted += 1 } else { refused += 1 }
            }
        }
    }
    assert_eq!((permitted, permitted + refused), (2 + 6 + 4 + 4 + 1 + 4, 9 * 18 * 10));
}

#[test]
fn grants_and_duties_are_those_of_the_contract() {
    let loaded = loaded();
    let rows: Vec<(&str, &[&str], &[&str], &str)> = vec![
        ("school", &["education-school"], &["enrolment", "re-enrolment"], "actor"),
        ("clinic", &["health-primary", "insurance-health", "treatment"], &["admission", "treatment"], ""),
        ("insurer", &["insurance-health", "insurance-social"], &["claim", "enrolment"], "actor check"),
        ("bank", &["bank-account", "bank-card"], &["account-maintenance", "account-opening"], "actor check"),
        ("telecom", &["sim"], &["sim-registration"], "actor check"),
        ("kefalat", &["identity", "residence-renewal"], &["delivery", "renewal"], "actor check"),
        ("security-auditor", &[], &[], ""),
        ("dpo", &[], &[], ""),
        ("operator", &[], &[], ""),
    ];
    assert_eq!(loaded.snapshot.agencies.len(), rows.len());
    for (name, services, purposes, duties) in rows {
        let policy = loaded.snapshot.agencies.values().find(|policy| policy.id.as_str() == name).unwrap();
        assert_eq!(policy.grants.keys().map(AsRef::as_ref).collect::<BTreeSet<&str>>(), services.iter().copied().collect(), "{name}");
        for granted in policy.grants.values() {
            assert_eq!(granted.keys().map(AsRef::as_ref).collect::<BTreeSet<&str>>(), purposes.iter().copied().collect(), "{name}");
            for grant in granted.values().flatten() {
                let must = [(grant.actor, "actor"), (grant.check, "check"), (grant.reference, "reference"), (grant.nonce, "nonce")];
                let must: Vec<_> = must.into_iter().filter_map(|(wanted, duty)| wanted.then_some(duty)).collect();
                assert_eq!(must.join(" "), duties, "{name}");
                assert_eq!(grant.receipt, name != "kefalat", "{name}: printed receipts");
            }
        }
    }
}

#[test]
fn overseers_hold_their_scopes_and_may_verify_nothing() {
    let loaded = loaded();
    let scopes = |name: &str| loaded.snapshot.agencies.values().find(|policy| policy.id.as_str() == name).unwrap().scopes.clone();
    assert_eq!(scopes("security-auditor"), [Scope::LogPatterns]);
    assert_eq!(scopes("dpo"), [Scope::LogPerson, Scope::LogHolder]);
    assert_eq!(scopes("operator"), [Scope::Ops]);
    for name in ["security-auditor", "dpo", "operator"] {
        let policy = loaded.snapshot.agencies.values().find(|policy| policy.id.as_str() == name).unwrap();
        for service in loaded.rules.services() {
            let refused = loaded.snapshot.grant(policy, service, "treatment", Timestamp::UNIX_EPOCH).err().map(|(code, _)| code);
            assert_eq!(refused, Some(RefusalCode::ServiceNotAllowed), "{name} {service}");
        }
    }
}

#[test]
fn every_rule_has_cases_each_way_and_all_pass() {
    let passed = cases::run(&files()).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    assert!(passed >= 2 * loaded().rules.places().len());
}

#[test]
fn a_rule_without_cases_and_a_case_that_fails_are_reported() {
    let mut without = files();
    without.insert("cases/permits.toml".to_owned(), String::new());
    assert_eq!(cases::run(&without).unwrap_err().len(), loaded().rules.places().len());
    let mut wrong = files();
    let case =
        "[[case]]\npolicy = \"overseers-never-verify\"\nagency = \"dpo\"\nservice = \"sim\"\npurpose = \"claim\"\nexpect = \"permit\"\n";
    wrong.insert("cases/wrong.toml".to_owned(), case.to_owned());
    assert_eq!(lines(&cases::run(&wrong).unwrap_err()), "cases/wrong.toml:2: expected `permit`, got `service-not-allowed`");
}

/// A case proves something about the rule that it names only where that rule is among those that decide.
#[test]
fn a_case_that_another_rule_decides_is_reported() {
    for (rule, agency, service, purpose, expect) in [
        ("schools-enrol-pupils", "clinic", "treatment", "treatment", "permit"),
        ("overseers-never-verify", "school", "bank-account", "enrolment", "service-not-allowed"),
    ] {
        let case = |rule: &str| {
            let mut files = files();
            let asked = format!("agency = \"{agency}\"\nservice = \"{service}\"\npurpose = \"{purpose}\"\nexpect = \"{expect}\"\n");
            files.insert("cases/other.toml".to_owned(), format!("\n[[case]]\npolicy = \"{rule}\"\n{asked}"));
            cases::run(&files).map(drop).map_err(|errors| lines(&errors))
        };
        let expected = format!("cases/other.toml:3: the rule `{rule}` did not decide this case; ask something that it decides");
        assert_eq!(case(rule), Err(expected));
        let decides = if expect == "permit" { "clinics-treat-patients" } else { "only-banks-ask-about-banking" };
        assert_eq!(case(decides), Ok(()), "the same case under the name of the rule that decides it");
    }
}

#[test]
fn the_shipped_list_names_every_file_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let on_disk = estelam::adapters::policy_files::read(&folder).unwrap();
    assert_eq!(on_disk, files());
}

#[test]
fn a_rule_that_names_one_agency_meets_that_agency_alone() {
    let mut files = files();
    let second = files["agencies/bank.toml"].replace("id = \"bank\"", "id = \"bank-2\"").replace("agency/bank\"", "agency/bank-2\"");
    files.insert("agencies/bank-2.toml".to_owned(), second);
    let rule = "@id(\"no-cards-from-bank-2\")\nforbid (principal == Agency::\"bank-2\", action, resource == Service::\"bank-card\");\n";
    files.insert("local.cedar".to_owned(), rule.to_owned());
    let errors = Loaded::from_files(&files).map(|_| ()).unwrap_err();
    assert_eq!(errors.len(), 2, "{}", lines(&errors));
    for error in errors {
        assert!(error.file == "agencies/bank-2.toml" && error.message.contains("`no-cards-from-bank-2` (local.cedar:1)"), "{error}");
    }
}
