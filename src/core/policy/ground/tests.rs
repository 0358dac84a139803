//! Every refusal by policy is traced to a line that holds what it speaks of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::core::policy::shipped;

const AT: &str = "2026-11-23T12:00:00Z";

fn files() -> BTreeMap<String, String> {
    shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Asks why, and says the file, a part of the line and the English of each ground.
fn why(files: &BTreeMap<String, String>, agency: &str, service: &str, purpose: &str, code: RefusalCode) -> Vec<(String, String, String)> {
    let caller = Caller { agency, branch: None, service, purpose };
    let grounds = grounds(files, caller, Some("national-code"), AT.parse().unwrap(), code);
    let line =
        |ground: &Ground| ground.line.map_or(String::new(), |line| files[&ground.file].lines().nth(line - 1).unwrap().trim().to_owned());
    assert!(grounds.iter().all(|ground| ground.fa.chars().any(|c| c > '\u{600}')), "{grounds:?}");
    grounds.iter().map(|ground| (ground.file.clone(), line(ground), ground.en.clone())).collect()
}

fn check(agency: &str, service: &str, purpose: &str, code: RefusalCode, expected: &[(&str, &str, &str)]) {
    let got = why(&files(), agency, service, purpose, code);
    assert_eq!(got.len(), expected.len(), "{got:?}");
    for ((file, line, en), (wanted_file, wanted_line, wanted_en)) in got.iter().zip(expected) {
        assert!(file == wanted_file && line.starts_with(wanted_line) && en.contains(wanted_en), "{file}: {line}: {en}");
    }
}

#[test]
fn refusals_of_the_shipped_policies_are_traced_to_their_lines() {
    use RefusalCode as C;
    let school = "agencies/school.toml";
    check(
        "school",
        "bank-account",
        "enrolment",
        C::ServiceNotAllowed,
        &[
            (school, "services = [", "`bank-account` is not in the list"),
            ("guardrails.cedar", "@id(\"only-banks", "`only-banks-ask-about-banking` forbids"),
        ],
    );
    check("school", "education-school", "claim", C::PurposeNotAllowed, &[(school, "purposes = [", "`claim` is not in the list")]);
    check("school", "education-school", "enrolment", C::ActorRequired, &[(school, "must_give = [\"actor\"]", "wants `actor`")]);
    check("bank", "bank-card", "account-opening", C::CheckRequired, &[("agencies/bank.toml", "must_give", "wants `check`")]);
    check("kefalat", "identity", "renewal", C::ReceiptNotAllowed, &[("agencies/kefalat.toml", "services = [", "`receipt = true`")]);
    check("nobody", "sim", "claim", C::AgencySuspended, &[("agencies/nobody.toml", "", "no such file")]);
    check("school", "no-such", "claim", C::UnknownService, &[("services.toml", "", "`no-such` is not in this file")]);
    check(
        "dpo",
        "sim",
        "claim",
        C::ServiceNotAllowed,
        &[("agencies/dpo.toml", "id = ", "no [[grant]]"), ("guardrails.cedar", "@id", "forbids")],
    );
    check("school", "education-school", "enrolment", C::WrongScheme, &[("schemes.toml", "code = \"national-code\"", "does not fit")]);
    check("school", "education-school", "enrolment", C::RateLimited, &[(school, "[limits]", "rates"), (school, "[protection]", "search")]);
    check("school", "education-school", "enrolment", C::TokenInvalid, &[]);
}

#[test]
fn suspension_branches_and_days_are_named_where_they_stand() {
    let mut files = files();
    let school = files.get_mut("agencies/school.toml").unwrap();
    *school = school
        .replace("must_give = [\"actor\"]", "until = \"1404/01/01\"\nmust_give = [\"actor\"]")
        .replace("agency/school\"", "agency/school/branch/north\"");
    let ended = why(&files, "school", "education-school", "enrolment", RefusalCode::ServiceNotAllowed);
    assert!(ended.len() == 1 && ended[0].1.starts_with("until = \"1404/01/01\""), "{ended:?}");
    let branch = why(&files, "school", "education-school", "enrolment", RefusalCode::AgencySuspended);
    assert!(branch[0].1.starts_with("identities") && branch[0].2.contains("none of these"), "{branch:?}");
    let school = files.get_mut("agencies/school.toml").unwrap();
    *school = school.replace("id = \"school\"\n", "id = \"school\"\nsuspended = true\n");
    let suspended = why(&files, "school", "education-school", "enrolment", RefusalCode::AgencySuspended);
    assert_eq!(suspended[0].1, "suspended = true");
}

#[test]
fn a_suspended_unit_is_named_where_it_is_suspended_and_no_other_ground_with_it() {
    let mut files = files();
    let units =
        "\n[[unit]]\nname = \"south\"\nsuspended = true\n\n[[unit]]\nsuspended = true\nname = \"north\"\n\n[[unit]]\nname = \"east\"\n";
    files.get_mut("agencies/school.toml").unwrap().push_str(units);
    let text = files["agencies/school.toml"].clone();
    let barred = |branch| {
        let caller = Caller { agency: "school", branch: Some(branch), service: "education-school", purpose: "enrolment" };
        grounds(&files, caller, None, AT.parse().unwrap(), RefusalCode::AgencySuspended)
    };
    for (branch, header) in [("south", "name = \"south\""), ("north", "[[unit]]")] {
        let grounds = barred(branch);
        let [ground] = &grounds[..] else { panic!("{grounds:?}") };
        let line = ground.line.unwrap();
        assert_eq!((text.lines().nth(line - 2), text.lines().nth(line - 1)), (Some(header), Some("suspended = true")), "{branch}");
        assert_eq!(ground.en, format!("the unit `{branch}` is suspended"));
        assert!(ground.fa.contains("تعلیق شده است") && ground.fa.contains(branch), "{}", ground.fa);
    }
    assert!(barred("east")[0].en.contains("none of these identities"));
}

#[test]
fn what_permits_an_answer_is_traced_to_the_grant_and_the_rule() {
    let mut files = files();
    let asked = |files: &BTreeMap<String, String>, purpose: &str| {
        let caller = Caller { agency: "clinic", branch: None, service: "treatment", purpose };
        let grounds = permit_grounds(files, caller, AT.parse().unwrap());
        assert!(grounds.iter().all(|ground| ground.fa.chars().any(|c| c > '\u{600}')), "{grounds:?}");
        let line = |ground: &Ground| files[&ground.file].lines().nth(ground.line.unwrap() - 1).unwrap().to_owned();
        grounds.iter().map(|ground| (ground.file.clone(), line(ground), ground.en.clone())).collect::<Vec<_>>()
    };
    let found = asked(&files, "treatment");
    let [grant, rule] = &found[..] else { panic!("{found:?}") };
    assert!(grant.0 == "agencies/clinic.toml" && grant.1.starts_with("services = [\"treatment\""), "{grant:?}");
    assert!(grant.2.contains("`treatment` for the purpose `treatment`"), "{grant:?}");
    assert!(rule.0 == "permits.cedar" && rule.1 == "@id(\"clinics-treat-patients\")", "{rule:?}");
    assert_eq!(rule.2, "the rule `clinics-treat-patients` permits it");
    assert_eq!(asked(&files, "claim"), []);
    // Of two grants and two rules, those that are in force.
    let own =
        "@id(\"of-old\")\n@until(\"1400/01/01\")\npermit (principal in Kind::\"clinic\", action, resource == Service::\"treatment\");\n";
    let now = own.replace("of-old", "of-now").replace("until(\"1400", "from(\"1400");
    files.insert("local.cedar".to_owned(), format!("{own}{now}"));
    let clinic = files.get_mut("agencies/clinic.toml").unwrap();
    let old = "[[grant]]\nuntil = \"1400/01/01\"\nservices = [\"treatment\"]\npurposes = [\"treatment\"]\nmust_give = []\n\n";
    *clinic = clinic.replacen("[[grant]]\n", &format!("{old}[[grant]]\nfrom = \"1400/01/02\"\n"), 1);
    let places: Vec<(String, String)> = asked(&files, "treatment").into_iter().map(|(file, line, _)| (file, line)).collect();
    assert_eq!(places.len(), 3, "{places:?}");
    assert!(places[0].1.contains("\"health-primary\""), "{places:?}");
    assert_eq!((places[1].1.as_str(), places[2].1.as_str()), ("@id(\"clinics-treat-patients\")", "@id(\"of-now\")"));
}
