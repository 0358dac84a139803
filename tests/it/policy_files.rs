//! Every mistake in a policy file is one line that says where it is and what to do.

use estelam::core::policy::Snapshot;

use crate::policy_support::{changed, files, lines, load};

/// Changes one text of one shipped file and expects these faults, each a line that begins so.
fn check(path: &str, from: &str, to: &str, expected: &[&str]) {
    let errors = Snapshot::load(&changed(path, from, to)).err().map(|errors| lines(&errors)).unwrap_or_default();
    same(&errors, expected);
}

fn same(errors: &str, expected: &[&str]) {
    let fits = errors.lines().count() == expected.len() && errors.lines().zip(expected).all(|(line, begin)| line.starts_with(begin));
    assert!(fits, "expected lines that begin with {expected:#?}, got:\n{errors}");
}

fn bank(from: &str, to: &str, expected: &str) {
    check("agencies/bank.toml", from, to, &[&format!("agencies/bank.toml:{expected}")]);
}

#[test]
fn shipped_folder_loads_and_names_its_version() {
    let version = load(&files()).version.to_string();
    assert_eq!((version.len(), &version[..7]), (7 + 64, "sha256:"));
    let other = load(&changed("agencies/bank.toml", "# Banks", "# The banks")).version.to_string();
    assert_ne!(version, other, "a comment is part of the version");
}

#[test]
fn unknown_keys_and_broken_syntax() {
    bank("outage =", "otage =", "18: unknown field `otage`, expected one of `id`");
    bank("[disclosure]", "[disclosure", "29: unclosed table");
    bank("max_connections = 256", "max_connections = \"many\"", "46: invalid type: string \"many\", expected usize");
    bank("per_second = 2000,", "per_second = -1,", "47: invalid value: integer `-1`");
}

#[test]
fn names_that_nobody_knows() {
    bank("kind = \"bank\"", "kind = \"banc\"", "7: no such kind of agency `banc`; use one of `bank`");
    bank("\"bank-card\"]", "\"bank-kard\"]", "38: no such service `bank-kard`; services.toml lists them");
    bank("\"account-opening\"", "\"account-openin\"", "39: no such purpose `account-openin`; use one of");
    bank("\"actor\", \"check\"", "\"actor\", \"chekc\"", "40: `chekc` cannot be asked for; use `actor`");
    bank("scopes = [\"verify\"]", "scopes = [\"verify\", \"admin\"]", "14: no such scope `admin`; use one of `verify`");
    bank("\"try-later\"", "\"later\"", "18: no such outage rule `later`; write \"proceed\" or \"try-later\"");
}

#[test]
fn an_agency_does_not_bear_a_name_of_the_systems_own_parts() {
    for name in ["gateway", "gateway-client", "registry", "registry-client"] {
        let mut files = files();
        let text = files["agencies/kefalat.toml"].replace("id = \"kefalat\"", &format!("id = \"{name}\""));
        files.insert(format!("agencies/{name}.toml"), text.replace("agency/kefalat", &format!("agency/{name}")));
        let errors = Snapshot::load(&files).err().map(|errors| lines(&errors)).unwrap_or_default();
        assert!(errors.contains(&format!("`{name}` is a name of the system's own parts")), "{errors}");
    }
}

#[test]
fn identities_that_are_not_the_agencys_own() {
    bank("id = \"bank\"", "id = \"banks\"", "6: the id is `banks` but the file is named `bank.toml`; make them equal");
    bank(
        "estelam.test/agency/bank\"",
        "estelam.test/agency/school\"",
        "13: `spiffe://estelam.test/agency/school` is another agency's identity; write",
    );
    bank(
        "estelam.test/agency/bank\"",
        "estelam.test/agency/bank/branches/1\"",
        "13: `spiffe://estelam.test/agency/bank/branches/1` is no identity; write",
    );
    bank("spiffe://estelam.test", "https://estelam.test", "13: `https://estelam.test/agency/bank` is no identity; write");
    bank(
        "estelam.test/agency/bank\"",
        "estelam.test/agency/bank\", \"spiffe://estelam.test/agency/bank\"",
        "13: the identity `spiffe://estelam.test/agency/bank` is already claimed at agencies/bank.toml:13; remove one",
    );
    let other = "agencies/clinic.toml";
    check(
        other,
        "spiffe://estelam.test",
        "spiffe://other.test",
        &[
            "agencies/clinic.toml:13: `spiffe://other.test/agency/clinic` is of another trust domain than `estelam.test` at agencies/bank.toml:13",
        ],
    );
    bank("[\"spiffe://estelam.test/agency/bank\"]", "[]", "13: an agency needs at least one identity");
}

#[test]
fn limits_and_times_that_make_no_sense() {
    bank("counter = { per_second = 2000", "counter = { per_second = 0", "47: a rate of 0 in `counter`");
    bank("max_connections = 256", "max_connections = 0", "46: max_connections is 0");
    bank("max_connections = 256", "max_connections = 256\ndaily_quota = 0", "47: daily_quota is 0");
    bank("counter =", "#", "45: an agency that verifies needs `counter` in [limits]");
    bank("\"1 minute\"", "\"1 fortnight\"", "23: `1 fortnight` is no length of time; write for example \"5 minutes\"");
    bank("\"0 seconds\"", "\"2 minutes\"", "24: min_age is above max_age; lower it");
    bank("max_stale = \"1 hour\"", "max_stale = \"1 second\"", "25: max_stale is below max_age; raise it");
    bank("valid_for = \"5 minutes\"", "valid_for = \"0 seconds\"", "26: valid_for is nothing");
}

#[test]
fn scopes_and_grants_go_together() {
    check(
        "agencies/bank.toml",
        "scopes = [\"verify\"]",
        "scopes = [\"ops\"]",
        &[
            "agencies/bank.toml:38: a grant needs the scope `verify`; add it to `scopes` or remove the grant",
            "agencies/bank.toml:14: the scope `ops` is not for an agency of kind `bank`: that role has `verify`",
        ],
    );
    check(
        "agencies/bank.toml",
        "scopes = [\"verify\"]",
        "scopes = []",
        &["agencies/bank.toml:14: an agency needs at least one scope", "agencies/bank.toml:38: a grant needs the scope `verify`"],
    );
    let dpo = "agencies/dpo.toml";
    check(
        dpo,
        "[\"log:person\", \"log:holder\"]",
        "[\"verify\"]",
        &[
            "agencies/dpo.toml:14: the scope `verify` needs at least one [[grant]]",
            "agencies/dpo.toml:14: the scope `verify` is not for an agency of kind `data-protection-officer`",
            "agencies/dpo.toml:23: an agency that verifies needs `counter` in [limits]",
            "agencies/dpo.toml:23: an agency that verifies needs `background` in [limits]",
        ],
    );
    check(
        "agencies/bank.toml",
        "\"bank-card\"]",
        "\"bank-account\"]",
        &[
            "agencies/bank.toml:38: `bank-account` for `account-opening` is granted twice; remove one",
            "agencies/bank.toml:38: `bank-account` for `account-maintenance` is granted twice",
        ],
    );
    check(
        "agencies/clinic.toml",
        "must_give = []",
        "must_give = [\"check\"]",
        &["agencies/clinic.toml:39: `check` cannot be wanted for `health-primary`, which needs no document"],
    );
}

#[test]
fn a_grant_that_the_rules_forbid_names_both() {
    let school = "agencies/school.toml";
    check(
        school,
        "[\"education-school\"]",
        "[\"education-school\", \"bank-account\"]",
        &[
            "agencies/school.toml:39: `school` (of kind `school`) may not ask `bank-account` for `enrolment`: forbidden by `only-banks-ask-about-banking` (guardrails.cedar:10), `schools-ask-about-education-alone` (guardrails.cedar:31); remove the grant or change the rule",
            "agencies/school.toml:39: `school` (of kind `school`) may not ask `bank-account` for `re-enrolment`: forbidden by",
        ],
    );
    check(
        "agencies/bank.toml",
        "\"account-opening\", ",
        "\"account-opening\", \"renewal\", ",
        &[
            "agencies/bank.toml:38: `bank` (of kind `bank`) may not ask `bank-account` for `renewal`: no rule in *.cedar permits it",
            "agencies/bank.toml:38: `bank` (of kind `bank`) may not ask `bank-card` for `renewal`: no rule",
        ],
    );
}

#[test]
fn numbers_for_schemes_name_schemes_that_are_keys() {
    check(
        "agencies/bank.toml",
        "[limits]",
        "[scheme_numbers]\n1 = \"yekta\"\n2 = \"pan\"\n3 = \"nonsense\"\nx = \"fida\"\n\n[limits]",
        &[
            "agencies/bank.toml:47: `pan` is never a query key; use another scheme",
            "agencies/bank.toml:48: no such scheme `nonsense`; schemes.toml lists them",
            "agencies/bank.toml:49: `x` is no scheme number; use 1 to 6 digits",
        ],
    );
}

#[test]
fn rules_are_validated_strictly() {
    let rules = "permits.cedar";
    check(rules, "permit (", "permitt (", &["permits.cedar:18: invalid policy effect: permitt"]);
    check(rules, "Kind::\"school\"", "Kind::\"scool\"", &["permits.cedar:19: for policy `schools-enrol-pupils`: entity `Kind::\"scool\"`"]);
    check(
        rules,
        "context.purpose ==",
        "context.purpos ==",
        &["permits.cedar:72: for policy `operators-register-sims`, attribute `purpos` in context"],
    );
    check(rules, "@id(\"operators-register-sims\")\n", "", &["permits.cedar:64: a rule has no @id; name every rule"]);
    check(
        rules,
        "@id(\"operators-register-sims\")",
        "@id(\"clinics-treat-patients\")",
        &["permits.cedar:64: the rule `clinics-treat-patients` is also at permits.cedar:25; give each its own @id"],
    );
    check(rules, "principal in Kind::\"school\"", "principal == ?principal", &["permits.cedar:19: templates are not used here"]);
    check(
        "estelam.cedarschema",
        "entity Agency in",
        "entity Agency un",
        &["estelam.cedarschema:16: error parsing schema: unexpected token `un`"],
    );
    check(
        "estelam.cedarschema",
        "\"sim\", ",
        "",
        &["guardrails.cedar:27: for policy `only-telecoms", "permits.cedar:70: for policy `operators-register-sims`"],
    );
}

/// Cedar passes over a rule that fails, and a `forbid` would be gone without a word: the folder is refused instead, once for the rule.
#[test]
fn a_rule_that_fails_is_refused_where_it_stands_and_forbids_nothing_in_silence() {
    let guards = "guardrails.cedar";
    let fails = "// Adds up.\n@id(\"adds-up\")\nforbid (principal, action, resource == Service::\"treatment\")\nwhen { 9223372036854775807 + 1 == 2 };\n";
    let appended = format!("{}\n{fails}", files()[guards]);
    let line = 1 + appended[..appended.find("@id(\"adds-up\")").unwrap()].matches('\n').count();
    let mut files = files();
    files.insert(guards.to_owned(), appended);
    let errors = lines(&Snapshot::load(&files).unwrap_err());
    let expected = format!("guardrails.cedar:{line}: error while evaluating policy `adds-up`: integer overflow");
    assert!(errors.starts_with(&expected) && errors.ends_with("; mend the rule") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn files_missing_or_in_the_wrong_place() {
    let mut missing = files();
    missing.remove("estelam.cedarschema");
    missing.remove("services.toml");
    let mut misplaced = files();
    misplaced.insert("agency/bank.toml".to_owned(), String::new());
    same(
        &lines(&Snapshot::load(&missing).unwrap_err()),
        &["services.toml: the file is missing; restore it", "estelam.cedarschema: the file is missing; restore it"],
    );
    same(
        &lines(&Snapshot::load(&misplaced).unwrap_err()),
        &["agency/bank.toml: nothing reads this file; put agencies into agencies/NAME.toml"],
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mut files = changed("agencies/bank.toml", "\"try-later\"", "\"later\"");
    files.extend([("agencies/school.toml".to_owned(), "id = 1".to_owned()), ("services.toml".to_owned(), "x".to_owned())]);
    let errors = lines(&Snapshot::load(&files).unwrap_err());
    assert_eq!(errors.lines().count(), 2, "catalogues come first: agencies are checked against them, but for their form: {errors}");
    assert!(errors.contains("services.toml") && errors.contains("agencies/school.toml:1: "), "{errors}");
    files.insert("services.toml".to_owned(), crate::policy_support::files()["services.toml"].clone());
    assert_eq!(Snapshot::load(&files).unwrap_err().len(), 2);
}

#[test]
fn a_rule_that_was_lost_with_its_file_is_missed_by_its_cases() {
    let mut files = files();
    files.remove("guardrails.cedar");
    let errors = Snapshot::load(&files).err().map(|errors| lines(&errors)).unwrap_or_default();
    assert!(errors.lines().all(|line| line.starts_with("cases/permits.toml:") && line.contains("no such rule `")), "{errors}");
    assert!(errors.contains("`only-banks-ask-about-banking`") && errors.contains("`overseers-never-verify`"), "{errors}");
}

#[test]
fn bytes_that_are_no_text_are_found_by_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("services.toml"), b"# one\n# \xff\n").unwrap();
    let errors = estelam::adapters::policy_files::read(dir.path()).unwrap_err();
    assert_eq!(lines(&errors), "services.toml:2: is not UTF-8 here; save the file as UTF-8");
    let gone = estelam::adapters::policy_files::read(&dir.path().join("gone")).unwrap_err();
    assert!(lines(&gone).starts_with("*: the folder cannot be read: "), "{}", lines(&gone));
}
