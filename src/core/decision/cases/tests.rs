//! The shipped cases hold, and what is wrong with a case is said in one line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::refusal::RefusalCode;
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
        "9: `name` cannot be given; use `actor`, `check`, `reference`, `nonce`, `identifier`, `signature`, `receipt`",
    );
    check("clinic", "bank", "3: `one`: expected `entitled` `valid`, got `refused` `service-not-allowed`");
}

/// The shipped folder without every case of this service that expects, or does not expect, an entitlement.
fn without_cases(service: &str, entitled: bool) -> BTreeMap<String, String> {
    let mut files = files();
    let answers = files.get_mut("cases/answers.toml").unwrap();
    let (asks, expects) = (format!("service = \"{service}\"\n"), "expect = \"entitled\"\n");
    let goes = |case: &&str| case.contains(&asks) && case.contains(expects) == entitled;
    let (gone, kept): (Vec<&str>, Vec<&str>) = answers.split("[[answer]]\n").partition(goes);
    assert!(!gone.is_empty(), "no such case of `{service}`");
    *answers = kept.join("[[answer]]\n");
    files
}

#[test]
fn a_rule_without_a_case_each_way_is_named_where_it_stands() {
    let rule = "welfare-any-document";
    let line = 1 + files()["services.toml"].lines().position(|line| line.contains(rule)).unwrap();
    let expected = format!("services.toml:{line}: the rule `{rule}` needs a case in cases/*.toml that entitles and one that does not");
    for entitled in [true, false] {
        let errors = run(&without_cases("welfare", entitled)).map(|tally| format!("{tally:?}")).unwrap_err();
        assert_eq!(lines(&errors), expected, "without those that entitle: {entitled}");
    }
}

/// The same case with another file of its agency.
fn told(agency_file: (&str, &str), case: &str) -> Result<(), String> {
    let mut files = files();
    let clinic = files.get_mut("agencies/clinic.toml").unwrap();
    let (from, to) = agency_file;
    assert!(clinic.contains(from), "{from}");
    *clinic = clinic.replacen(from, to, 1);
    files.insert("cases/one.toml".to_owned(), case.to_owned());
    run(&files).map(drop).map_err(|errors| lines(&errors))
}

#[test]
fn what_an_agency_is_told_is_a_part_of_a_case() {
    let case = CASE
        .replace("1406/01/01", "1405/01/01")
        .replace("\"entitled\"\nreason = \"valid\"", "\"not-entitled\"\nreason = \"document-lapsed\"");
    let with = |told: &str| format!("{case}told = {told}\n");
    let (as_shipped, coarse) = (("kind = true", "kind = true"), ("\"lapse\", ", ""));
    let exactly = with("{ reason = \"document-lapsed\", shows = [\"status\", \"kind\"] }");
    let coarsely = with("{ reason = \"service-not-covered\", shows = [\"kind\"] }");
    assert_eq!(told(as_shipped, &exactly), Ok(()));
    assert_eq!(told(coarse, &coarsely), Ok(()));
    let wrong = |from, case: &str, expected: &str| assert_eq!(told(from, case), Err(format!("cases/one.toml:{expected}")));
    wrong(coarse, &exactly, "3: `one`: expected the agency to be told `document-lapsed`, got `service-not-covered`");
    wrong(as_shipped, &coarsely, "3: `one`: expected the agency to be told `service-not-covered`, got `document-lapsed`");
    let shows = with("{ shows = [\"kind\"] }");
    wrong(("kind = true", "kind = false"), &shows, "3: `one`: expected the agency to be shown `kind`, got `status`");
    wrong(as_shipped, &with("{ shows = [] }"), "3: `one`: expected the agency to be shown nothing, got `kind`, `status`");
    let line = "11: ";
    wrong(
        as_shipped,
        &with("{ reason = \"under-age\" }"),
        &format!("{line}`under-age` is never told where the reason is `document-lapsed`; write `document-lapsed` or `service-not-covered`"),
    );
    let parts = "`kind`, `series`, `status`, `decree`, `then`, `window`, `end`";
    wrong(as_shipped, &with("{ shows = [\"name\"] }"), &format!("{line}`name` is no part of an answer; use {parts}"));
    wrong(
        as_shipped,
        &with("{ shows = [] }").replace("agency = \"clinic\"\n", ""),
        "10: `told` needs an `agency`: what is told is for its file to say",
    );
    let refused = with("{ shows = [] }").replace("not-entitled", "refused").replace("document-lapsed", "actor-required");
    wrong(as_shipped, &refused, &format!("{line}a refusal tells its code and nothing else; remove `told`"));
}

#[test]
fn what_is_said_beside_a_number_is_a_part_of_a_case() {
    let with = |documents: &str, beside: &str| {
        let given = "documents = [{ kind = \"passport-residence\", expires = \"1406/01/01\" }]\n";
        assert!(CASE.contains(given));
        CASE.replace(given, &format!("documents = [{documents}]\n{beside}\n"))
    };
    let nobody = |case: String| case.replace("\"entitled\"\nreason = \"valid\"", "\"indeterminate\"\nreason = \"not-established\"");
    let passport = "{ kind = \"passport-residence\", expires = \"1406/01/01\", country = \"AFG\" }";
    let card = "{ kind = \"amayesh\", series = 17, expires = \"1406/01/01\" }";
    let as_shipped = ("kind = true", "kind = true");
    let holds = |case: String| assert_eq!(told(as_shipped, &case), Ok(()), "{case}");
    let got_nobody = |case: String| {
        assert_eq!(
            told(as_shipped, &case),
            Err("cases/one.toml:3: `one`: expected `entitled` `valid`, got `indeterminate` `not-established`".to_owned())
        );
        holds(nobody(case));
    };
    holds(with(passport, "country = \"AF\""));
    got_nobody(with(passport, "country = \"IQ\""));
    holds(with(card, "series = 17"));
    got_nobody(with(card, "series = 16"));
    // Only the paper whose number is asked about counts; another would contradict nothing.
    let both = format!("{card}, {passport}");
    holds(with(&both, "series = 16"));
    got_nobody(with(&both.replace("series = 17,", "series = 17, asked = true,"), "series = 16"));
    // With a number the query has them within it.
    let number = "identifier = { scheme = \"amayesh-no\", value = \"A170000777\", series = ";
    holds(with(card, &format!("{number}17 }}")));
    got_nobody(with(card, &format!("{number}16 }}")));
    let wrong = |case: String, expected: &str| assert_eq!(told(as_shipped, &case), Err(format!("cases/one.toml:{expected}")));
    wrong(with(card, &format!("{number}17 }}\nseries = 17")), "10: write `series` within `identifier`, where the query has it");
    wrong(with(card, "country = \"Iraq\""), "9: `Iraq` is no country; write its two or three capitals, as a passport does");
    wrong(with(&passport.replace("AFG", "af"), ""), "8: `af` is no country; write its two or three capitals, as a passport does");
    assert!(told(as_shipped, &with(card, "series = \"17\"")).unwrap_err().starts_with("cases/one.toml:9: invalid type"));
}

#[test]
fn whether_a_no_is_looked_up_once_more_is_a_part_of_a_case() {
    let case = CASE
        .replace("1406/01/01", "1405/01/01")
        .replace("\"entitled\"\nreason = \"valid\"", "\"not-entitled\"\nreason = \"document-lapsed\"");
    let with = |asked: bool| format!("{case}registry = \"cached\"\nasked_again = {asked}\n");
    let live = ("max_stale", "must_be_live_for_denial = true\nmax_stale");
    let as_shipped = ("kind = true", "kind = true");
    assert_eq!(told(live, &with(true)), Ok(()));
    assert_eq!(told(as_shipped, &with(false)), Ok(()));
    let wrong = |from, case: &str, expected: &str| assert_eq!(told(from, case), Err(format!("cases/one.toml:{expected}")));
    wrong(as_shipped, &with(true), "3: `one`: expected the registry to be asked again, but the remembered facts were enough");
    wrong(live, &with(false), "3: `one`: expected the remembered facts to be enough, but the registry was asked again");
    // What is too old is asked again for whatever answer.
    let old =
        CASE.replace("at = \"1405/09/02\"\n", "at = \"1405/09/02\"\nregistry = \"cached\"\nfacts_age = \"9 days\"\nasked_again = true\n");
    assert_eq!(told(as_shipped, &old), Ok(()));
    wrong(
        as_shipped,
        &with(true).replace("registry = \"cached\"\n", ""),
        "11: `asked_again` needs `registry = \"cached\"`: only remembered facts may not be enough",
    );
}

/// RFC 8037, appendix A.2.
const REQUEST_KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// What comes of the case alone.
fn explained_alone(files: &BTreeMap<String, String>, change: impl FnOnce(&mut AnswerCase)) -> Result<ReasonCode, RefusalCode> {
    let snapshot = Snapshot::load(files).unwrap();
    let mut case = read(files, &snapshot.services).unwrap().into_iter().find(|case| case.name == "one").unwrap();
    change(&mut case);
    explained(&case, &snapshot).map(|(explanation, _)| explanation.reason).map_err(|(code, _)| code)
}

#[test]
fn grant_that_wants_a_signed_request_gets_one_by_a_case_that_says_nothing_else() {
    let comes_of = |gives: &str| {
        let mut files = files();
        files.get_mut("agencies/clinic.toml").unwrap().push_str("\n[request_signing]\nrequired = true\n");
        files.insert("agencies/clinic.request-jwks.json".to_owned(), REQUEST_KEYS.to_owned());
        files.insert("cases/one.toml".to_owned(), format!("{CASE}{gives}"));
        explained_alone(&files, |_| ())
    };
    assert_eq!(comes_of(""), Ok(ReasonCode::Valid));
    assert_eq!(comes_of("gives = [\"identifier\"]\n"), Err(RefusalCode::SignatureRequired));
    assert_eq!(comes_of("gives = [\"identifier\", \"signature\"]\n"), Ok(ReasonCode::Valid));
}

#[test]
fn decrees_that_nobody_has_confirmed_for_too_long_explain_why_nothing_was_said() {
    let mut files = files();
    files.insert("cases/one.toml".to_owned(), CASE.to_owned());
    assert_eq!(explained_alone(&files, |_| ()), Ok(ReasonCode::Valid));
    assert_eq!(explained_alone(&files, |case| case.decrees_age_s = u32::MAX - 1), Ok(ReasonCode::TooStale));
}
