//! Slips of an official's pen in every sort of policy file: each is refused with the file, the very line that was changed, and what to
//! do; `policy check`, `policy test` and a running gateway refuse alike.

use estelam::core::decision::cases;
use estelam::core::policy::{LoadError, Snapshot};

use crate::policy_support::{changed, files};

/// File, what stands there, what is written instead, and a part of what must be said about it.
type Slip = (&'static str, &'static str, &'static str, &'static str);

const BANK: &str = "agencies/bank.toml";
const SCHOOL: &str = "agencies/school.toml";
const CLINIC: &str = "agencies/clinic.toml";
const SERVICES: &str = "services.toml";
const SCHEMES: &str = "schemes.toml";
const REASONS: &str = "reasons.toml";
const PERMITS: &str = "permits.cedar";
const GUARDS: &str = "guardrails.cedar";
const SCHEMA: &str = "estelam.cedarschema";
const ANSWERS: &str = "cases/answers.toml";
const CASES: &str = "cases/permits.toml";
const DECREES: &str = "cases/decrees.toml";

const SLIPS: &[Slip] = &[
    // An agency's file.
    (BANK, "id = \"bank\"", "id = \"Bank\"", "make them equal"),
    (BANK, "fa = \"بانک‌ها\"", "fa = \" \"", "the agency's name is empty"),
    (BANK, "kind = \"bank\"", "kind = \"\"", "no such kind of agency"),
    (BANK, "scopes = [\"verify\"]", "scopes = \"verify\"", "invalid type"),
    (BANK, "max_age = \"1 minute\"", "max_age = \"-1 minute\"", "no length of time"),
    (BANK, "max_age = \"1 minute\"", "max_age = 60", "invalid type"),
    (BANK, "max_age = \"1 minute\"", "max_age = \"۱ دقیقه\"", "no length of time"),
    (BANK, "valid_for = \"5 minutes\"", "valid_for = \"300 years\"", "no length of time"),
    (BANK, "reasons = [\"lapse\"", "reasons = [\"laps\"", "no such class of reasons `laps`"),
    (BANK, "kind = true\n", "kind = \"yes\"\n", "invalid type"),
    (BANK, "services = [\"bank-account\", \"bank-card\"]", "services = []", "at least one service"),
    (BANK, "must_give = [\"actor\", \"check\"]", "must_give = \"actor\"", "invalid type"),
    (BANK, "must_give = [\"actor\", \"check\"]", "from = \"1405/13/01\"\nmust_give = []", "no Jalali day"),
    (BANK, "must_give = [\"actor\", \"check\"]", "until = \"1405/07\"\nmust_give = []", "not a whole day"),
    (BANK, "must_give = [\"actor\", \"check\"]", "until = \"1405/07/31\"\nmust_give = []", "no Jalali day"),
    (BANK, "failed_checks = 5 ", "failed_checks = -5 ", "invalid value"),
    (BANK, "honeypots = 3 ", "honypots = 3 ", "unknown field `honypots`"),
    (BANK, "actor_values = 20000 ", "actor_values = 0 ", "actor_values is 0"),
    (BANK, "[\"birth\", \"document-expires\"]", "[\"birth\", \"expiry\"]", "use `birth`, `document-expires`"),
    (BANK, "[\"birth\", \"document-expires\"]", "[]", "second_factors is empty"),
    (BANK, "[\"birth\", \"document-expires\"]", "[\"birth\", \"shared-expires\"]", "widens `document-expires`"),
    (BANK, "pause = \"10 minutes\"", "pause = \"0 seconds\"", "pause is nothing"),
    (BANK, "run_values = 100 ", "run_values = 0 ", "run_values is 0"),
    (BANK, "batches = { values = 50000", "batches = { values = 0", "batches of 0 values"),
    (BANK, "branch = \"back-office\"", "branch = \"back office\"", "no name of a branch"),
    (BANK, "[[grant]]", "[grant]", "invalid type"),
    (SCHOOL, "[limits]", "[limit]", "unknown field `limit`"),
    (SCHOOL, "token = { per_second = 500, burst = 1000 } ", "token = { per_second = 500 } ", "missing field `burst`"),
    (CLINIC, "outage = \"proceed\"", "outage = \"proceed\"\noutage = \"try-later\"", "duplicate key"),
    // The catalogue of services.
    (SERVICES, "code = \"sim\"", "code = \"sims\"", "`sims`"),
    (SERVICES, "code = \"treatment\"", "code = \"identity\"", "described twice"),
    (SERVICES, "from = \"1402/01/01\"", "from = \"1402/1/32\"", "no Jalali day"),
    (SERVICES, "from = \"1402/01/01\"", "from = \"1401/12/29\"", "overlap"),
    (SERVICES, "until = \"1403/12/30\"", "until = \"1402/12/30\"", "1402/12/30"),
    (SERVICES, "accepts = [\"laissez-passer\"]", "accepts = [\"laissez\"]", "use `smart-card`"),
    (SERVICES, "min_age = 18", "min_age = \"18\"", "invalid type"),
    (SERVICES, "at_most = 3", "at_most = 0", "`at_most` is from 1 to 100"),
    (SERVICES, "cycle_months = 12", "cycle_months = 1200", "`cycle_months` is from 1 to 120"),
    (SERVICES, "otherwise = \"area-unknown\"", "otherwise = \"valid\"", "`otherwise` may be"),
    (SERVICES, "confidence = \"pub\"\n\n# (b)", "confidence = \"sure\"\n\n# (b)", "use `seed`, `pub`, `inf`"),
    (SERVICES, "id = \"school-1404\"", "id = \"school-2015\"", "given twice"),
    (SERVICES, "provinces = [\"IR-17\"]", "provinces = [\"Kermanshah\"]", "Kermanshah"),
    (SERVICES, "provinces = [\"IR-17\"]", "provinces = [\"IR-71\"]", "`IR-71` is no province"),
    (SERVICES, "facet = \"bank\"", "facet = \"money\"", "use `identity`, `bank`, `sim`"),
    (SERVICES, "propagation_hours = 48", "propagation_hours = 999999", "invalid value"),
    (SERVICES, "fa = \"درمان\"", "fa = \"\"", "empty"),
    // Schemes.
    (SCHEMES, "pattern = '1\\d{11}'", "pattern = '1\\d{11'", "pattern"),
    (SCHEMES, "check = \"yekta-warn\"", "check = \"yekta\"", "yekta"),
    (SCHEMES, "code = \"yekta\"", "code = \"fida\"", "stands already in line"),
    (SCHEMES, "instead = [\"yekta\", \"fida\"]", "instead = [\"iban\"]", "iban"),
    (SCHEMES, "services = [\"sim\"]", "services = \"sim\"", "invalid type"),
    (SCHEMES, "services = [\"sim\"]", "services = [\"sims\"]", "no such service `sims`"),
    (SCHEMES, "services = [\"sim\"]", "services = []", "`services` is empty"),
    (SCHEMES, "\"0910\", ", "\"910\", ", "910"),
    // The words of reasons.
    (REASONS, "[reason.document-lost]", "[reason.document-losst]", "document-losst"),
    (REASONS, "fa = \"مدرک دارنده معتبر است.\"", "fa = \"\"", "no Persian words"),
    (REASONS, "next = { who = \"agency\", action = \"serve\"", "next = { who = \"clerk\", action = \"serve\"", "use `agency`"),
    (REASONS, "class = \"lapse\"", "clas = \"lapse\"", "unknown field `clas`"),
    (REASONS, "[outage.proceed]", "[outage.go-on]", "go-on"),
    // Rules.
    (PERMITS, "@id(\"clinics-treat-patients\")", "@id(\"clinics-treat-patients\")\n@untill(\"1405/01/01\")", "means nothing here"),
    (PERMITS, "@id(\"clinics-treat-patients\")", "@id(\"clinics-treat-patients\")\n@until(\"1405/01/32\")", "no Jalali day"),
    (PERMITS, "Purpose::\"treatment\"", "Purpose::\"treatement\"", "treatement"),
    (PERMITS, "when { context.purpose ==", "wen { context.purpose ==", "wen"),
    (PERMITS, "resource == Service::\"education-school\"", "resource == Service::\"schooling\"", "schooling"),
    (GUARDS, "unless { principal in Kind::\"bank\" };", "unless { principal.kind == \"bank\" };", "kind"),
    (SCHEMA, "\"school\", \"clinic\", \"insurer\"", "\"school\", \"clinic\" \"insurer\"", "unexpected"),
    (SCHEMA, "context: { purpose: Purpose }", "context: { purpose: Purpos }", "Purpos"),
    // Cases and the decrees that they know.
    (ANSWERS, "expect = \"entitled\"", "expect = \"yes\"", "no such outcome `yes`"),
    (ANSWERS, "at = \"1402/04/03", "at = \"1402/13/03", "no instant"),
    (ANSWERS, "kind = \"amayesh\"", "kind = \"amaiesh\"", "use `smart-card`"),
    (ANSWERS, "expires = \"1402/03/31\"", "expires = \"1402/03/32\"", "no such day"),
    (ANSWERS, "birth = ", "born = ", "unknown field `born`"),
    (CASES, "expect = \"permit\"", "expect = \"maybe\"", "maybe"),
    (DECREES, "effect = \"extend\"", "effect = \"prolong\"", "use `extend`"),
    (DECREES, "effective_from = \"1402/04/01\"", "effective_from = \"1402/04/32\"", "no such day"),
    (DECREES, "services = \"all\"", "services = \"none\"", "\"all\" or a list"),
    (DECREES, "series = 17", "serie = 17", "unknown field `serie`"),
    (DECREES, "services = \"all\"", "services = [\"bank-crad\"]", "`bank-crad`, which is no service code"),
    (DECREES, "services = \"all\"", "services = []", "`services` is empty"),
    (DECREES, "effect = \"extend\"", "effect = \"extend\"\nsupersedes = [\"nothing\"]", "`nothing`, which is no other decree"),
    (DECREES, "effect = \"extend\"", "effect = \"extend\"\nsupersedes = [\"d1-1402-04-07\"]", "no other decree"),
    (DECREES, "select = [{ kind = \"census-slip\" }]", "select = []", "`select` is empty"),
    (DECREES, "select = [{ kind = \"census-slip\" }]", "select = [{}]", "would select everything"),
    (DECREES, "{ kind = \"census-slip\" }", "{ nationality = \"Pakistan\" }", "ISO 3166 alpha-2"),
    (DECREES, "{ kind = \"census-slip\" }", "{ province = \"Tehran\" }", "ISO 3166-2"),
    (DECREES, "{ kind = \"census-slip\" }", "{ province = \"IR-99\" }", "`IR-00` to `IR-32`"),
    (DECREES, "{ kind = \"census-slip\" }", "{ kind = \"census-slip\", series = 17 }", "`series` beside `census-slip` would reach nobody"),
    (DECREES, "{ kind = \"census-slip\" }", "{ kind = \"amayesh\", legal_status = \"amayesh\" }", "`legal_status` beside `amayesh`"),
    (DECREES, "{ kind = \"census-slip\" }", "{ legal_status = \"amayesh\", series = 17 }", "`series` beside `smart-card`"),
    (DECREES, "{ kind = \"census-slip\" }", "{ household_role = \"wife\" }", "`head` or `member`"),
    (DECREES, "id = \"d2-1404-01-01\"", "id = \"d1-1402-04-07\"", "written twice"),
];

/// Everything that a running gateway would find wrong.
fn faults(files: &std::collections::BTreeMap<String, String>) -> Vec<LoadError> {
    Snapshot::load(files).and_then(|snapshot| cases::read(files, &snapshot.services)).err().unwrap_or_default()
}

/// What is not as it should be with the refusal of one slip.
fn amiss((path, from, to, said): &Slip) -> Option<String> {
    let before = files()[*path].clone();
    let offset = before.find(from)?;
    let files = changed(path, from, to);
    let common = from.bytes().zip(to.bytes()).take_while(|(one, other)| one == other).count();
    let line = |upto: usize| 1 + files[*path].as_bytes()[..upto].iter().filter(|byte| **byte == b'\n').count();
    let (first, last) = (line(offset + common.min(to.len())), line(offset + to.len()));
    let faults = faults(&files);
    let fits = |fault: &LoadError| {
        fault.file == *path && fault.line.is_some_and(|line| (first..=last).contains(&line)) && fault.message.contains(said)
    };
    let listed: Vec<String> = faults.iter().map(ToString::to_string).collect();
    (!faults.iter().any(fits)).then(|| format!("{path}:{first}: `{}` gives {listed:#?}", to.replace('\n', " ")))
}

#[test]
fn every_slip_is_refused_on_its_own_line() {
    for (path, from, ..) in SLIPS {
        assert!(files()[*path].contains(from), "{path} has no `{from}`");
    }
    let amiss: Vec<String> = SLIPS.iter().filter_map(amiss).collect();
    assert!(amiss.is_empty(), "{} of {}:\n{}", amiss.len(), SLIPS.len(), amiss.join("\n"));
}
