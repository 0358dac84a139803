//! Policy cases (`cases/*.toml`): what the rules promise, as questions with the answer that they must give.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::load::Loaded;
use super::load_error::LoadError;
use super::permit_rules::PermitRules;
use super::term::whole_day;
use crate::core::domain::agency::AgencyId;
use crate::core::domain::date::start_of_tehran_day;
use crate::core::domain::refusal::RefusalCode;

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCase {
    /// File and line of the case.
    pub place: (String, usize),
    /// The `@id` of the rule under test.
    pub rule: String,
    /// Who asks.
    pub agency: String,
    /// What for.
    pub service: String,
    /// Why.
    pub purpose: String,
    /// The refusal that must come; `None` is a permit.
    pub expect: Option<RefusalCode>,
    /// When.
    pub at: Timestamp,
}

impl PolicyCase {
    /// What is wrong where the rule under test is not there: a rule that forbids may have been lost with its file, and nothing else
    /// would miss it.
    pub(super) fn without_rule(&self, rules: &PermitRules) -> Option<LoadError> {
        let message = || format!("no such rule `{}`; name one by its @id, or remove the case if the rule is meant to be gone", self.rule);
        (!rules.places().contains_key(&self.rule)).then(|| fail(self, message()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    #[serde(default, rename = "case")]
    cases: Vec<CaseFile>,
    /// Cases of whole answers and the decrees for them, which a later stage reads.
    #[serde(rename = "answer")]
    _answers: Option<IgnoredAny>,
    #[serde(rename = "decree")]
    _decrees: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    policy: Spanned<String>,
    agency: String,
    service: String,
    purpose: String,
    expect: Spanned<String>,
    /// The Jalali day on which it is asked; needed only where a rule or the grant begins or ends.
    on: Option<Spanned<String>>,
}

/// Reads every case of a policy folder.
///
/// # Errors
/// Every fault with its place.
pub fn read(files: &BTreeMap<String, String>) -> Result<Vec<PolicyCase>, Vec<LoadError>> {
    let (mut cases, mut errors) = (Vec::new(), Vec::new());
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("cases/")) {
        match toml::from_str::<CasesFile>(text) {
            Ok(file) => {
                for case in file.cases {
                    read_case(path, text, case).map_or_else(|error| errors.push(error), |case| cases.push(case));
                }
            }
            Err(error) => errors.push(LoadError::toml(path, text, &error)),
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

fn read_case(path: &str, text: &str, case: CaseFile) -> Result<PolicyCase, LoadError> {
    let expect = match case.expect.get_ref().as_str() {
        "permit" => None,
        code => Some(RefusalCode::parse(code).ok_or_else(|| {
            let message = format!("no such outcome `{code}`; write `permit` or the code of a refusal");
            LoadError::at(path, text, case.expect.span().start, message)
        })?),
    };
    let line = LoadError::at(path, text, case.policy.span().start, "").line.unwrap_or(1);
    let place = (path.to_owned(), line);
    let at = match &case.on {
        None => Timestamp::MAX,
        Some(day) => start_of_tehran_day(whole_day(day.get_ref()).map_err(|message| LoadError::at(path, text, day.span().start, message))?),
    };
    Ok(PolicyCase { at, place, rule: case.policy.into_inner(), agency: case.agency, service: case.service, purpose: case.purpose, expect })
}

/// Runs every case, and finds rules without a case each way.
///
/// # Errors
/// The folder does not load, or a case or a rule without cases failed; each as one line.
pub fn run(files: &BTreeMap<String, String>) -> Result<usize, Vec<LoadError>> {
    let loaded = Loaded::from_files(files)?;
    let cases = read(files)?;
    let mut errors: Vec<LoadError> =
        cases.iter().filter_map(|case| judge(case, &loaded).err().map(|message| fail(case, message))).collect();
    for (rule, place) in loaded.rules.places() {
        let has = |permit: bool| cases.iter().any(|case| case.rule == *rule && case.expect.is_none() == permit);
        if !(has(true) && has(false)) {
            let message = format!("the rule `{rule}` ({place}) needs a case that permits and one that refuses");
            errors.push(LoadError::of_file("cases", message));
        }
    }
    if errors.is_empty() { Ok(cases.len()) } else { Err(errors) }
}

fn fail(case: &PolicyCase, message: String) -> LoadError {
    LoadError { file: case.place.0.clone(), line: Some(case.place.1), message }
}

fn judge(case: &PolicyCase, loaded: &Loaded) -> Result<(), String> {
    let agency = AgencyId::parse(&case.agency).and_then(|id| loaded.snapshot.agencies.get(&id));
    let (Some(agency), Some(kind)) = (agency, loaded.kinds.get(&case.agency)) else {
        return Err(format!("no such agency `{}`", case.agency));
    };
    let got = loaded.snapshot.grant(agency, &case.service, &case.purpose, case.at).err().map(|(code, _)| code);
    if got != case.expect {
        let word = |code: Option<RefusalCode>| code.map_or("permit", RefusalCode::code);
        return Err(format!("expected `{}`, got `{}`", word(case.expect), word(got)));
    }
    let verdict = loaded.rules.judge(&case.agency, kind, &case.service, &case.purpose, case.at).map_err(|failed| failed.to_string())?;
    if verdict.permitted != case.expect.is_none() {
        return Err("the table and the rules disagree".to_owned());
    }
    // A case that another rule decides proves nothing about this one.
    let must_decide = loaded.rules.is_guardrail(&case.rule) != verdict.permitted;
    if must_decide && !verdict.rules.contains(&case.rule) {
        return Err(format!("the rule `{}` did not decide this case; ask something that it decides", case.rule));
    }
    Ok(())
}
