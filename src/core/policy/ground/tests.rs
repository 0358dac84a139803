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
