//! The rules in `*.cedar`: who may ask what and why. They are asked when the folder is loaded, never on the request path.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Request,
    RestrictedExpression, Schema, SchemaFragment, ValidationMode, Validator,
};
use miette::Diagnostic;

use super::load_error::LoadError;
use crate::core::domain::place::line_of;

/// The schema's path in the policy folder.
pub(super) const SCHEMA_FILE: &str = "estelam.cedarschema";

/// Rules that passed strict validation against the schema.
pub struct PermitRules {
    schema: Schema,
    rules: PolicySet,
    places: BTreeMap<String, String>,
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
        let (mut rules, mut places) = (PolicySet::new(), BTreeMap::new());
        for (path, text) in files.iter().filter(|(path, _)| is_rule_file(path)) {
            read_rules(path, text, &schema, &mut rules, &mut places).unwrap_or_else(|found| errors.extend(found));
        }
        if rules.is_empty() && errors.is_empty() {
            errors.push(LoadError::of_file("permits.cedar", "there is no rule at all; without one nobody may ask anything"));
        }
        let guardrails = rules.policies().filter(|rule| rule.effect() == Effect::Forbid).map(|rule| rule.id().to_string()).collect();
        if errors.is_empty() { Ok(Self { schema, rules, places, guardrails, words, types }) } else { Err(errors) }
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

    /// Whether a rule is a `forbid`, which no agency's file can override.
    pub fn is_guardrail(&self, rule: &str) -> bool {
        self.guardrails.contains(rule)
    }

    /// Puts one query to Cedar.
    ///
    /// # Errors
    /// The request does not fit the schema, or a rule failed while it was evaluated: then nothing is permitted.
    pub fn judge(&self, agency: &str, kind: &str, service: &str, purpose: &str) -> Result<Verdict, String> {
        let request = self.request(agency, service, purpose)?;
        let entities = self.entities(agency, kind)?;
        let response = Authorizer::new().is_authorized(&request, &self.rules, &entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(format!("a rule failed: {error}"));
        }
        let mut rules: Vec<String> = response.diagnostics().reason().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect();
        rules.sort();
        Ok(Verdict { permitted: response.decision() == Decision::Allow, rules })
    }

    /// Whether some rule names an agency by its id, so that two agencies of one kind could get different verdicts.
    pub(super) fn name_agencies(&self) -> bool {
        self.rules.policies().flat_map(|rule| rule.entity_literals()).any(|named| *named.type_name() == self.types.agency)
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

fn read_rules(
    path: &str,
    text: &str,
    schema: &Schema,
    all: &mut PolicySet,
    places: &mut BTreeMap<String, String>,
) -> Result<(), Vec<LoadError>> {
    let read: PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| vec![fault(path, text, &error, &error.to_string())])?;
    if read.templates().next().is_some() {
        return Err(vec![LoadError::of_file(path, "templates are not used here; write the rule for a `Kind`")]);
    }
    let (mut errors, mut named) = (Vec::new(), PolicySet::new());
    for rule in read.policies() {
        let line = text.find(&rule.to_string()).map(|offset| line_of(text, offset));
        let mut fault = |message: String| errors.push(LoadError { file: path.to_owned(), line, message });
        let Some(id) = rule.annotation("id").filter(|id| !id.is_empty()) else {
            fault("a rule has no @id; name every rule".to_owned());
            continue;
        };
        let place = line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"));
        if let Some(earlier) = places.insert(id.to_owned(), place) {
            fault(format!("the rule `{id}` is also at {earlier}; give each its own @id"));
            continue;
        }
        let rule = rule.new_id(PolicyId::new(id));
        for set in [&mut named, &mut *all] {
            if let Err(error) = set.add(rule.clone()) {
                fault(error.to_string());
            }
        }
    }
    let verdict = Validator::new(schema.clone()).validate(&named, ValidationMode::Strict);
    errors.extend(verdict.validation_errors().map(|error| fault(path, text, error, &error.to_string())));
    errors.extend(verdict.validation_warnings().map(|warning| fault(path, text, warning, &warning.to_string())));
    if errors.is_empty() { Ok(()) } else { Err(errors) }
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
