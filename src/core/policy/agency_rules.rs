//! What an agency's file must satisfy beyond its form, and the policy that comes of it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;
use toml::Spanned;

use super::agency_file::{AgencyFile, FreshnessFile, GrantFile, LimitsFile, RateFile};
use super::load_error::LoadError;
use super::permit_rules::PermitRules;
use super::{AgencyPolicy, Disclosure, Grant, Outage};
use crate::core::domain::agency::{AgencyId, Scope};
use crate::core::domain::scheme::{RawIdentifier, SchemeCatalogue, SchemeError};
use crate::core::domain::service::ServiceCatalogue;
use crate::core::limit::Tier;

/// What agency files are checked against.
pub(super) struct Known<'a> {
    pub services: &'a ServiceCatalogue,
    pub schemes: &'a SchemeCatalogue,
    pub rules: &'a PermitRules,
}

/// An agency's policy before Cedar has spoken about its grants.
pub(super) struct Draft {
    pub policy: AgencyPolicy,
    pub kind: String,
    /// Identities with their byte offsets, for checks across files.
    pub identities: Vec<(String, usize)>,
    /// What the file wants to be granted.
    pub wishes: Vec<Wish>,
}

/// One service × purpose that a file grants.
pub(super) struct Wish {
    pub service: String,
    pub purpose: String,
    pub offset: usize,
    pub grant: Arc<Grant>,
}

/// Reads one agency's file. `None` where it cannot be used; then `errors` says why.
pub(super) fn draft(path: &str, text: &str, known: &Known<'_>, errors: &mut Vec<LoadError>) -> Option<Draft> {
    let file: AgencyFile = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            errors.push(LoadError::toml(path, text, &error));
            return None;
        }
    };
    let mut reader = Reader { path, text, known, errors, failed: false };
    let id = reader.id(&file.id)?;
    reader.names(&file);
    let scopes = reader.scopes(&file);
    let wishes = file.grants.iter().flat_map(|grant| reader.wishes(&file, grant)).collect::<Vec<_>>();
    let rates = reader.rates(&file.limits, scopes.contains(&Scope::Verify));
    let identities = reader.identities(&file, &id);
    let scheme_numbers = reader.scheme_numbers(&file);
    let policy = AgencyPolicy {
        identities: identities.iter().map(|(identity, _)| identity.clone()).collect(),
        id,
        suspended: file.suspended,
        scopes,
        grants: HashMap::new(),
        scheme_numbers,
        rates,
        daily_quota: file.limits.get_ref().daily_quota.as_ref().map(|quota| *quota.get_ref()),
        max_connections: *file.limits.get_ref().max_connections.get_ref(),
    };
    let failed = reader.failed;
    (!failed).then(|| Draft { policy, kind: file.kind.into_inner(), identities, wishes })
}

struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    known: &'a Known<'a>,
    errors: &'a mut Vec<LoadError>,
    failed: bool,
}

impl Reader<'_> {
    fn fault(&mut self, offset: usize, message: impl Into<String>) {
        self.failed = true;
        self.errors.push(LoadError::at(self.path, self.text, offset, message));
    }

    fn id(&mut self, id: &Spanned<String>) -> Option<AgencyId> {
        let stem = self.path.trim_start_matches("agencies/").trim_end_matches(".toml");
        if id.get_ref() != stem {
            self.fault(id.span().start, format!("the id is `{}` but the file is named `{stem}.toml`; make them equal", id.get_ref()));
            return None;
        }
        let parsed = AgencyId::parse(id.get_ref());
        if parsed.is_none() {
            self.fault(id.span().start, "an id is 2 to 40 lower-case letters, digits and hyphens, and begins with a letter");
        }
        parsed
    }

    fn names(&mut self, file: &AgencyFile) {
        for name in [&file.fa, &file.en] {
            if name.get_ref().trim().is_empty() {
                self.fault(name.span().start, "the agency's name is empty; write it");
            }
        }
        let kinds = self.known.rules.kinds();
        if !kinds.contains(file.kind.get_ref()) {
            let message = format!("no such kind of agency `{}`; use one of {}", file.kind.get_ref(), listed(kinds));
            self.fault(file.kind.span().start, message);
        }
    }

    fn scopes(&mut self, file: &AgencyFile) -> Vec<Scope> {
        let mut scopes = Vec::new();
        for code in file.scopes.get_ref() {
            match Scope::parse(code.get_ref()) {
                Some(scope) if scopes.contains(&scope) => {
                    self.fault(code.span().start, format!("the scope `{}` is listed twice", code.get_ref()))
                }
                Some(scope) => scopes.push(scope),
                None => {
                    let message = format!("no such scope `{}`; use one of {}", code.get_ref(), listed(Scope::ALL.map(Scope::code)));
                    self.fault(code.span().start, message);
                }
            }
        }
        if file.scopes.get_ref().is_empty() {
            self.fault(file.scopes.span().start, "an agency needs at least one scope; to bar it, write `suspended = true`");
        }
        match (scopes.contains(&Scope::Verify), file.grants.first()) {
            (false, Some(grant)) => {
                self.fault(grant.services.span().start, "a grant needs the scope `verify`; add it to `scopes` or remove the grant");
            }
            (true, None) => {
                self.fault(file.scopes.span().start, "the scope `verify` needs at least one [[grant]]; add one or remove the scope")
            }
            _ => {}
        }
        scopes
    }

    fn wishes(&mut self, file: &AgencyFile, grant: &GrantFile) -> Vec<Wish> {
        for (list, what) in [(&grant.services, "service"), (&grant.purposes, "purpose")] {
            if list.get_ref().is_empty() {
                self.fault(list.span().start, format!("a grant needs at least one {what}"));
            }
        }
        let Some(terms) = self.terms(file, grant) else { return Vec::new() };
        let terms = Arc::new(terms);
        for purpose in grant.purposes.get_ref() {
            self.purpose(purpose);
        }
        let mut wishes = Vec::new();
        for service in grant.services.get_ref() {
            self.service(service, &terms);
            wishes.extend(grant.purposes.get_ref().iter().map(|purpose| Wish {
                service: service.get_ref().clone(),
                purpose: purpose.get_ref().clone(),
                offset: service.span().start,
                grant: Arc::clone(&terms),
            }));
        }
        wishes
    }

    fn purpose(&mut self, purpose: &Spanned<String>) {
        let purposes = self.known.rules.purposes();
        if !purposes.contains(purpose.get_ref()) {
            let message =
                format!("no such purpose `{}`; use one of {}, or add it to estelam.cedarschema", purpose.get_ref(), listed(purposes));
            self.fault(purpose.span().start, message);
        }
    }

    fn service(&mut self, service: &Spanned<String>, terms: &Grant) {
        match self.known.services.get(service.get_ref()) {
            None => self.fault(service.span().start, format!("no such service `{}`; services.toml lists them", service.get_ref())),
            Some(found) if found.no_document && terms.check => {
                let message =
                    format!("`check` cannot be wanted for `{}`, which needs no document; give it a [[grant]] of its own", found.code);
                self.fault(service.span().start, message);
            }
            Some(_) => {}
        }
    }

    fn terms(&mut self, file: &AgencyFile, grant: &GrantFile) -> Option<Grant> {
        let must = self.duties(grant);
        let at = grant.services.span().start;
        let Some(freshness) = grant.freshness.as_ref().or(file.freshness.as_ref()) else {
            self.fault(at, "a grant needs [freshness]; add it to the agency");
            return None;
        };
        let Some(outage) = grant.outage.as_ref().or(file.outage.as_ref()) else {
            self.fault(at, "a grant needs `outage`; write \"proceed\" or \"try-later\" for the agency");
            return None;
        };
        let outage = match outage.get_ref().as_str() {
            "proceed" => Outage::Proceed,
            "try-later" => Outage::TryLater,
            other => {
                self.fault(outage.span().start, format!("no such outage rule `{other}`; write \"proceed\" or \"try-later\""));
                return None;
            }
        };
        let [max_age_s, min_age_s, max_stale_s, valid_for_s] = self.freshness(freshness)?;
        let shown = &file.disclosure;
        Some(Grant {
            actor: must.contains(&"actor"),
            check: must.contains(&"check"),
            reference: must.contains(&"reference"),
            nonce: must.contains(&"nonce"),
            max_age_s,
            min_age_s,
            max_stale_s,
            valid_for_s,
            outage,
            disclose: Disclosure { kind: shown.kind, series: shown.series, decree: shown.decree, exact_reason: shown.exact_reason },
        })
    }

    fn duties<'g>(&mut self, grant: &'g GrantFile) -> Vec<&'g str> {
        const DUTIES: [&str; 4] = ["actor", "check", "reference", "nonce"];
        for duty in &grant.must_give {
            if !DUTIES.contains(&duty.get_ref().as_str()) {
                self.fault(duty.span().start, format!("`{}` cannot be asked for; use {}", duty.get_ref(), listed(DUTIES)));
            }
        }
        grant.must_give.iter().map(|duty| duty.get_ref().as_str()).collect()
    }

    /// `max_age`, `min_age`, `max_stale`, `valid_for` in seconds.
    fn freshness(&mut self, file: &FreshnessFile) -> Option<[u32; 4]> {
        let max_age = self.seconds(&file.max_age)?;
        let min_age = self.seconds(&file.min_age)?;
        let max_stale = self.seconds(&file.max_stale)?;
        let valid_for = self.seconds(&file.valid_for)?;
        if min_age > max_age {
            self.fault(file.min_age.span().start, "min_age is above max_age; lower it");
        }
        if max_stale < max_age {
            self.fault(file.max_stale.span().start, "max_stale is below max_age; raise it");
        }
        if valid_for == 0 {
            self.fault(file.valid_for.span().start, "valid_for is nothing; an answer must be good for at least a second");
        }
        Some([max_age, min_age, max_stale, valid_for])
    }

    fn seconds(&mut self, span: &Spanned<String>) -> Option<u32> {
        let whole = span.get_ref().parse::<SignedDuration>().ok().filter(|length| length.subsec_nanos() == 0);
        let seconds = whole.and_then(|length| u32::try_from(length.as_secs()).ok());
        if seconds.is_none() {
            self.fault(span.span().start, format!("`{}` is no length of time; write for example \"5 minutes\"", span.get_ref()));
        }
        seconds
    }

    fn rates(&mut self, limits: &Spanned<LimitsFile>, verifies: bool) -> HashMap<Tier, super::Rate> {
        let file = limits.get_ref();
        if *file.max_connections.get_ref() == 0 {
            self.fault(file.max_connections.span().start, "max_connections is 0; to bar an agency, write `suspended = true`");
        }
        if let Some(quota) = file.daily_quota.as_ref().filter(|quota| *quota.get_ref() == 0) {
            self.fault(quota.span().start, "daily_quota is 0; to bar an agency, write `suspended = true`; without a quota, leave it out");
        }
        let tiers: [(Tier, Option<&Spanned<RateFile>>); 5] = [
            (Tier::Counter, file.counter.as_ref()),
            (Tier::Background, file.background.as_ref()),
            (Tier::Token, Some(&file.token)),
            (Tier::TokenMiss, Some(&file.token_miss)),
            (Tier::Other, Some(&file.other)),
        ];
        let mut rates = HashMap::new();
        for (tier, rate) in tiers {
            match rate {
                Some(rate) if rate.get_ref().per_second == 0 || rate.get_ref().burst == 0 => {
                    let message = format!("a rate of 0 in `{}`; to bar an agency, write `suspended = true`", tier.name());
                    self.fault(rate.span().start, message);
                }
                Some(rate) => drop(rates.insert(tier, (*rate.get_ref()).into())),
                None if verifies => {
                    self.fault(limits.span().start, format!("an agency that verifies needs `{}` in [limits]", tier.name()));
                }
                None => {}
            }
        }
        rates
    }

    fn identities(&mut self, file: &AgencyFile, id: &AgencyId) -> Vec<(String, usize)> {
        if file.identities.get_ref().is_empty() {
            self.fault(file.identities.span().start, "an agency needs at least one identity; to bar it, write `suspended = true`");
        }
        let mut found = Vec::new();
        for identity in file.identities.get_ref() {
            match check_identity(identity.get_ref(), id) {
                Ok(()) => found.push((identity.get_ref().clone(), identity.span().start)),
                Err(message) => self.fault(identity.span().start, message),
            }
        }
        found
    }

    fn scheme_numbers(&mut self, file: &AgencyFile) -> HashMap<String, String> {
        for (number, scheme) in &file.scheme_numbers {
            let at = scheme.span().start;
            if !(1..=6).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                self.fault(at, format!("`{number}` is no scheme number; use 1 to 6 digits"));
            }
            let probe = RawIdentifier { scheme: scheme.get_ref(), ..RawIdentifier::default() };
            match self.known.schemes.accept(probe, None) {
                Err(SchemeError::UnknownScheme) => {
                    self.fault(at, format!("no such scheme `{}`; schemes.toml lists them", scheme.get_ref()))
                }
                Err(SchemeError::NotAKey { .. }) => {
                    self.fault(at, format!("`{}` is never a query key; use another scheme", scheme.get_ref()))
                }
                Ok(_) | Err(_) => {}
            }
        }
        file.scheme_numbers.iter().map(|(number, scheme)| (number.clone(), scheme.get_ref().clone())).collect()
    }
}

/// `spiffe://<trust-domain>/agency/<id>`, with `/branch/<name>` for one branch alone.
fn check_identity(identity: &str, id: &AgencyId) -> Result<(), String> {
    let wanted = format!("write `spiffe://TRUST-DOMAIN/agency/{id}`, with `/branch/NAME` after it for one branch alone");
    let (_, path) = super::identity_parts(identity).ok_or_else(|| format!("`{identity}` is no identity; {wanted}"))?;
    let mut parts = path.split('/');
    let (agency, word, branch, end) = (parts.next(), parts.next(), parts.next(), parts.next());
    if agency != Some(id.as_str()) {
        return Err(format!("`{identity}` is another agency's identity; {wanted}"));
    }
    match (word, branch, end) {
        (None, None, None) => Ok(()),
        (Some("branch"), Some(name), None) if is_branch_name(name) => Ok(()),
        _ => Err(format!("`{identity}` is no identity; {wanted}")),
    }
}

fn is_branch_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Words in backticks, for messages that say what may be written.
pub(super) fn listed<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", ")
}
