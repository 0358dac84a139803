//! The rules in `*.cedar`: who may ask what and why. They are asked when the folder is loaded, never on the request path.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, SchemaFragment, ValidationMode, Validator,
};
use jiff::Timestamp;
use miette::Diagnostic;

use super::agency_rules::listed;
use super::load_error::LoadError;
use super::term::{Term, between, holds, overlap, parts};
use crate::core::domain::place::line_of;
use crate::core::domain::service::Confidence;

/// The schema's path in the policy folder.
pub(super) const SCHEMA_FILE: &str = "estelam.cedarschema";

/// Rules that passed strict validation against the schema.
pub struct PermitRules {
    schema: Schema,
    /// The rules of each part of time in which none begins or ends.
    dated: Vec<PolicySet>,
    parts: Vec<Term>,
    named_agencies: bool,
    places: BTreeMap<String, String>,
    unfounded: BTreeMap<String, LoadError>,
    guardrails: BTreeSet<String>,
    words: Words,
    types: Types,
}

/// What Cedar says about one agency, service and purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may ask.
    pub permitted: bool,
    /// The `@id`s of the rules that decided; none when no rule permits.
    pub rules: Vec<String>,
}

/// Cedar had no verdict: then nothing is permitted. Cedar itself would pass over a rule that fails, a `forbid` among them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleFault {
    /// The `@id` of the rule that failed; `None` where the request itself does not fit the schema.
    pub rule: Option<String>,
    /// What went wrong.
    pub message: String,
}

impl RuleFault {
    fn of_request(message: impl ToString) -> Self {
        Self { rule: None, message: message.to_string() }
    }
}

struct Words {
    kinds: BTreeSet<String>,
    services: BTreeSet<String>,
    purposes: BTreeSet<String>,
}

struct Types {
    agency: EntityTypeName,
    kind: EntityTypeName,
    service: EntityTypeName,
    purpose: EntityTypeName,
    verify: EntityUid,
}

impl PermitRules {
    /// Reads the schema and every `.cedar` file of a policy folder and validates the rules strictly.
    ///
    /// # Errors
    /// Every fault with its place. A warning (a rule that can never apply, say) is a fault too.
    pub fn load(files: &BTreeMap<String, String>) -> Result<Self, Vec<LoadError>> {
        let text = files.get(SCHEMA_FILE).ok_or_else(|| vec![LoadError::of_file(SCHEMA_FILE, "the file is missing; restore it")])?;
        let schema = read_schema(text)?;
        let words = read_words(text).map_err(|message| vec![LoadError::of_file(SCHEMA_FILE, message)])?;
        let types = Types::new().map_err(|error| vec![LoadError::of_file(SCHEMA_FILE, error)])?;
        let mut errors = Vec::new();
        let mut read = Read::default();
        for (path, text) in files.iter().filter(|(path, _)| is_rule_file(path)) {
            read_rules(path, text, &schema, &mut read).unwrap_or_else(|found| errors.extend(found));
        }
        let Read { rules, places, terms, unfounded } = read;
        if rules.is_empty() && errors.is_empty() {
            errors.push(LoadError::of_file("permits.cedar", "there is no rule at all; without one nobody may ask anything"));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let guardrails = rules.policies().filter(|rule| rule.effect() == Effect::Forbid).map(|rule| rule.id().to_string()).collect();
        let named_agencies = rules.policies().flat_map(Policy::entity_literals).any(|named| *named.type_name() == types.agency);
        let parts = parts(terms.values().copied());
        let dated = parts.iter().map(|part| in_force(&rules, &terms, *part)).collect::<Result<_, _>>();
        let dated = dated.map_err(|message| vec![LoadError::of_file("permits.cedar", message)])?;
        Ok(Self { schema, dated, parts, named_agencies, places, unfounded, guardrails, words, types })
    }

    /// The kinds of agency that rules may name.
    pub const fn kinds(&self) -> &BTreeSet<String> {
        &self.words.kinds
    }

    /// The services that rules may name.
    pub const fn services(&self) -> &BTreeSet<String> {
        &self.words.services
    }

    /// The purposes that rules and agency files may name.
    pub const fn purposes(&self) -> &BTreeSet<String> {
        &self.words.purposes
    }

    /// Every rule's `@id`, with its file and line.
    pub const fn places(&self) -> &BTreeMap<String, String> {
        &self.places
    }

    /// The rules, by `@id`, that do not say where they come from and how sure that is. They are in force all the same: policies of earlier
    /// builds have none of it, and what was decided by them must be decided again alike.
    pub const fn unfounded(&self) -> &BTreeMap<String, LoadError> {
        &self.unfounded
    }

    /// Whether a rule is a `forbid`, which no agency's file can override.
    pub fn is_guardrail(&self, rule: &str) -> bool {
        self.guardrails.contains(rule)
    }

    /// The parts of time in which no rule begins or ends, in order.
    pub(super) fn parts(&self) -> &[Term] {
        &self.parts
    }

    /// Every instant at which a rule begins or has ended.
    pub fn boundaries(&self) -> impl Iterator<Item = Timestamp> {
        self.parts.iter().filter_map(|(from, _)| *from)
    }

    /// Puts one query to Cedar, under the rules in force at an instant.
    ///
    /// # Errors
    /// The request does not fit the schema, or a rule failed while it was evaluated: then nothing is permitted.
    pub fn judge(&self, agency: &str, kind: &str, service: &str, purpose: &str, at: Timestamp) -> Result<Verdict, RuleFault> {
        let part = self.parts.iter().position(|part| holds(*part, at));
        let part = part.ok_or_else(|| RuleFault::of_request("no rules for this instant"))?;
        self.judge_part(part, agency, kind, service, purpose)
    }

    /// [`Self::judge`] in one part of time.
    pub(super) fn judge_part(&self, part: usize, agency: &str, kind: &str, service: &str, purpose: &str) -> Result<Verdict, RuleFault> {
        let rules = self.dated.get(part).ok_or_else(|| RuleFault::of_request("no rules for this part of time"))?;
        let request = self.request(agency, service, purpose).map_err(RuleFault::of_request)?;
        let entities = self.entities(agency, kind).map_err(RuleFault::of_request)?;
        let response = Authorizer::new().is_authorized(&request, rules, &entities);
        if let Some(error) = response.diagnostics().errors().next() {
            let AuthorizationError::PolicyEvaluationError(failed) = error;
            return Err(RuleFault { rule: Some(failed.policy_id().to_string()), message: error.to_string() });
        }
        let mut rules: Vec<String> = response.diagnostics().reason().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect();
        rules.sort();
        Ok(Verdict { permitted: response.decision() == Decision::Allow, rules })
    }

    /// Whether some rule names an agency by its id, so that two agencies of one kind could get different verdicts.
    pub(super) const fn name_agencies(&self) -> bool {
        self.named_agencies
    }

    fn request(&self, agency: &str, service: &str, purpose: &str) -> Result<Request, String> {
        let purpose = RestrictedExpression::new_entity_uid(uid(&self.types.purpose, purpose));
        let context = Context::from_pairs([("purpose".to_owned(), purpose)]).map_err(|error| error.to_string())?;
        let (principal, resource) = (uid(&self.types.agency, agency), uid(&self.types.service, service));
        Request::new(principal, self.types.verify.clone(), resource, context, Some(&self.schema)).map_err(|error| error.to_string())
    }

    fn entities(&self, agency: &str, kind: &str) -> Result<Entities, String> {
        let parents = HashSet::from([uid(&self.types.kind, kind)]);
        let agency = Entity::new(uid(&self.types.agency, agency), HashMap::new(), parents).map_err(|error| error.to_string())?;
        Entities::from_entities([agency], Some(&self.schema)).map_err(|error| error.to_string())
    }
}

impl Types {
    fn new() -> Result<Self, String> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|error| error.to_string());
        Ok(Self {
            agency: name("Agency")?,
            kind: name("Kind")?,
            service: name("Service")?,
            purpose: name("Purpose")?,
            verify: uid(&name("Action")?, "verify"),
        })
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn is_rule_file(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "cedar")
}

fn read_schema(text: &str) -> Result<Schema, Vec<LoadError>> {
    let (schema, warnings) =
        Schema::from_cedarschema_str(text).map_err(|error| vec![fault(SCHEMA_FILE, text, &error, &error.to_string())])?;
    let warnings: Vec<_> = warnings.map(|warning| fault(SCHEMA_FILE, text, &warning, &warning.to_string())).collect();
    if warnings.is_empty() { Ok(schema) } else { Err(warnings) }
}

/// The enumerated words of the schema, read from its JSON form, since the schema itself does not list them.
fn read_words(text: &str) -> Result<Words, String> {
    let (fragment, _) = SchemaFragment::from_cedarschema_str(text).map_err(|error| error.to_string())?;
    let json = fragment.to_json_value().map_err(|error| error.to_string())?;
    let words = |name: &str| {
        let list = json.pointer(&format!("//entityTypes/{name}/enum")).and_then(serde_json::Value::as_array);
        let words: Option<BTreeSet<String>> = list.map(|list| list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect());
        words.ok_or_else(|| format!("the schema must list `entity {name} enum [...]`"))
    };
    Ok(Words { kinds: words("Kind")?, services: words("Service")?, purposes: words("Purpose")? })
}

/// What was read of all rule files.
#[derive(Default)]
struct Read {
    rules: PolicySet,
    places: BTreeMap<String, String>,
    terms: BTreeMap<String, Term>,
    unfounded: BTreeMap<String, LoadError>,
}

/// What may stand before a rule. A misspelt `@until` would else be a rule without an end.
const ANNOTATIONS: [&str; 5] = ["id", "from", "until", "source", "confidence"];

fn read_rules(path: &str, text: &str, schema: &Schema, all: &mut Read) -> Result<(), Vec<LoadError>> {
    let read: PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| vec![fault(path, text, &error, &error.to_string())])?;
    if read.templates().next().is_some() {
        let offset = ["?principal", "?resource"].iter().filter_map(|slot| text.find(slot)).min().unwrap_or(0);
        return Err(vec![LoadError::at(path, text, offset, "templates are not used here; write the rule for a `Kind`")]);
    }
    let (mut errors, mut named) = (Vec::new(), PolicySet::new());
    for rule in read.policies() {
        let line = text.find(&rule.to_string()).map(|offset| line_of(text, offset));
        let place = line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"));
        if let Some((id, message)) = unfounded(rule) {
            all.unfounded.insert(id, LoadError { file: path.to_owned(), line, message });
        }
        if let Err(message) = read_rule(rule, place, &mut named, all) {
            errors.push(LoadError { file: path.to_owned(), line, message });
        }
    }
    let verdict = Validator::new(schema.clone()).validate(&named, ValidationMode::Strict);
    errors.extend(verdict.validation_errors().map(|error| fault(path, text, error, &error.to_string())));
    errors.extend(verdict.validation_warnings().map(|warning| fault(path, text, warning, &warning.to_string())));
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// What a rule lacks of its ground, under its `@id`.
fn unfounded(rule: &Policy) -> Option<(String, String)> {
    let id = rule.annotation("id")?;
    let lacks = if rule.annotation("source").is_none_or(|source| source.trim().is_empty()) {
        "does not say where it comes from; add `@source(\"…\")` below its @id".to_owned()
    } else if rule.annotation("confidence").and_then(Confidence::parse).is_none() {
        format!("does not say how sure it is; add `@confidence(\"…\")`, one of {}", listed(Confidence::ALL.iter().map(|word| word.code())))
    } else {
        return None;
    };
    Some((id.to_owned(), format!("the rule `{id}` {lacks}")))
}

/// Takes one rule in under its own name, with its term.
fn read_rule(rule: &Policy, place: String, named: &mut PolicySet, all: &mut Read) -> Result<(), String> {
    let id = rule.annotation("id").filter(|id| !id.is_empty()).ok_or("a rule has no @id; name every rule")?;
    if let Some((other, _)) = rule.annotations().find(|(name, _)| !ANNOTATIONS.contains(name)) {
        return Err(format!("`@{other}` means nothing here; use @{}", ANNOTATIONS.join(", @")));
    }
    let term = between(rule.annotation("from"), rule.annotation("until")).map_err(|message| format!("the rule `{id}`: {message}"))?;
    if let Some(earlier) = all.places.insert(id.to_owned(), place) {
        return Err(format!("the rule `{id}` is also at {earlier}; give each its own @id"));
    }
    all.terms.insert(id.to_owned(), term);
    let rule = rule.new_id(PolicyId::new(id));
    for set in [named, &mut all.rules] {
        set.add(rule.clone()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The rules that are in force in a part of time.
fn in_force(rules: &PolicySet, terms: &BTreeMap<String, Term>, part: Term) -> Result<PolicySet, String> {
    let mut set = PolicySet::new();
    for rule in rules.policies() {
        let term = terms.get(AsRef::<str>::as_ref(rule.id())).copied().unwrap_or((None, None));
        if overlap(term, part) {
            set.add(rule.clone()).map_err(|error| error.to_string())?;
        }
    }
    Ok(set)
}

/// One Cedar fault as one line with its place.
fn fault(path: &str, text: &str, diagnostic: &dyn Diagnostic, message: &str) -> LoadError {
    let help = diagnostic.help().map(|help| format!("; {help}")).unwrap_or_default();
    let message = format!("{message}{help}");
    match diagnostic.labels().and_then(|mut labels| labels.next()) {
        Some(label) => LoadError::at(path, text, label.offset(), message),
        None => LoadError::of_file(path, message),
    }
}
