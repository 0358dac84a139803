//! Puts what agency files want to be granted to Cedar, once at load, and makes the tables that the request path reads.

use std::collections::HashMap;
use std::sync::Arc;

use super::agency_rules::{Draft, Wish};
use super::load_error::LoadError;
use super::permit_rules::{PermitRules, RuleFault, Verdict};
use super::term::{Term, overlap, within};
use super::{AgencyPolicy, Grant};

/// Puts grants to Cedar. Rules that speak of kinds alone give every agency of a kind the same verdict, so thousands of
/// agencies cost no more than their kinds.
pub(super) struct Judge<'a> {
    rules: &'a PermitRules,
    by_agency: bool,
    given: HashMap<[String; 4], Vec<Part>>,
}

/// What Cedar says in one part of time.
type Part = (Term, Result<Verdict, RuleFault>);

impl<'a> Judge<'a> {
    pub(super) fn new(rules: &'a PermitRules) -> Self {
        Self { rules, by_agency: rules.name_agencies(), given: HashMap::new() }
    }

    /// Cedar's word in every part of time in which no rule begins or ends.
    fn parts(&mut self, agency: &str, kind: &str, wish: &Wish) -> &[Part] {
        let who = if self.by_agency { agency } else { "" };
        let key = [who, kind, &wish.service, &wish.purpose].map(str::to_owned);
        let rules = self.rules;
        self.given.entry(key).or_insert_with(|| {
            let verdict = |part: usize| rules.judge_part(part, agency, kind, &wish.service, &wish.purpose);
            rules.parts().iter().enumerate().map(|(part, term)| (*term, verdict(part))).collect()
        })
    }

    /// Resolves the permitted grants of a file into tables; the others are faults. A grant holds only while the rules permit it:
    /// where a rule ends, it ends with the rule.
    pub(super) fn resolve(&mut self, path: &str, text: &str, draft: Draft, errors: &mut Vec<LoadError>) -> AgencyPolicy {
        let Draft { mut policy, kind, wishes, .. } = draft;
        for wish in wishes {
            let wanted = (wish.grant.from, wish.grant.until);
            let rules = self.rules;
            let parts: Vec<&Part> =
                self.parts(policy.id.as_str(), &kind, &wish).iter().filter(|(term, _)| overlap(*term, wanted)).collect();
            let fault = |message: String| LoadError::at(path, text, wish.offset, message);
            let terms = permitted(&parts, wanted);
            let who = || format!("`{}` (of kind `{kind}`) may not ask `{}` for `{}`", policy.id, wish.service, wish.purpose);
            if let Some(failed) = parts.iter().find_map(|(_, verdict)| verdict.as_ref().err()) {
                let failed = failed_rule(failed, rules).unwrap_or_else(|| fault(format!("{}: {failed}", who())));
                // One rule fails for many agencies.
                if !errors.contains(&failed) {
                    errors.push(failed);
                }
                continue;
            }
            if terms.is_empty() {
                let who = who();
                errors.push(fault(format!("{who}: {}; remove the grant or change the rule", refusal(&parts, rules))));
                continue;
            }
            let grants = policy.grants.entry(wish.service.as_str().into()).or_default().entry(wish.purpose.as_str().into()).or_default();
            if grants.iter().any(|other| overlap((other.from, other.until), wanted)) {
                errors.push(fault(format!("`{}` for `{}` is granted twice; remove one", wish.service, wish.purpose)));
                continue;
            }
            grants.extend(terms.into_iter().map(|term| dated(&wish.grant, term)));
        }
        policy
    }
}

/// The wanted term as far as it is permitted; parts that touch are one.
fn permitted(parts: &[&Part], wanted: Term) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    let permitted = parts.iter().filter(|(_, verdict)| verdict.as_ref().is_ok_and(|verdict| verdict.permitted));
    for term in permitted.filter_map(|(term, _)| within(*term, wanted)) {
        match terms.last_mut() {
            Some(last) if last.1.is_some() && last.1 == term.0 => last.1 = term.1,
            _ => terms.push(term),
        }
    }
    terms
}

fn dated(grant: &Arc<Grant>, (from, until): Term) -> Arc<Grant> {
    if (grant.from, grant.until) == (from, until) {
        return Arc::clone(grant);
    }
    Arc::new(Grant { from, until, ..Grant::clone(grant) })
}

/// The fault of a rule that cannot be evaluated, where it stands. It is nobody's rule until it is mended: passed over, a `forbid` would
/// be gone without a word.
fn failed_rule(failed: &RuleFault, rules: &PermitRules) -> Option<LoadError> {
    let place = failed.rule.as_ref().and_then(|rule| rules.places().get(rule))?;
    let (file, line) = place.rsplit_once(':').map_or((place.as_str(), None), |(file, line)| (file, line.parse().ok()));
    Some(LoadError { line, ..LoadError::of_file(file, format!("{}; mend the rule", failed.message)) })
}

/// Why no part permits: the first verdict.
fn refusal(parts: &[&Part], rules: &PermitRules) -> String {
    let deciding = parts.iter().find_map(|(_, verdict)| verdict.as_ref().ok().filter(|verdict| !verdict.rules.is_empty()));
    let Some(verdict) = deciding else { return "no rule in *.cedar permits it".to_owned() };
    let named: Vec<String> =
        verdict.rules.iter().map(|id| format!("`{id}` ({})", rules.places().get(id).map_or("*.cedar", String::as_str))).collect();
    format!("forbidden by {}", named.join(", "))
}
