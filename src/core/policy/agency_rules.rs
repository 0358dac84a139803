//! What an agency's file must satisfy beyond its form, and the policy that comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;

use super::agency_file::AgencyFile;
use super::load_error::LoadError;
use super::permit_rules::PermitRules;
use super::{AgencyPolicy, Branches, Grant};
use crate::core::domain::agency::{AgencyId, RESERVED, Scope};
use crate::core::domain::jwk::{JwkRejected, PublicJwk, registered_keys};
use crate::core::domain::reason::ReasonCatalogue;
use crate::core::domain::scheme::{RawIdentifier, SchemeCatalogue, SchemeError};
use crate::core::domain::service::ServiceCatalogue;
use crate::core::domain::table::Table;

/// What the name of an agency's key set has after the agency's.
pub(super) const KEYS_SUFFIX: &str = ".jwks.json";

/// The same for the keys that sign its requests.
pub(super) const REQUEST_KEYS_SUFFIX: &str = ".request-jwks.json";

/// What agency files are checked against.
pub(super) struct Known<'a> {
    pub services: &'a ServiceCatalogue,
    pub schemes: &'a SchemeCatalogue,
    pub reasons: &'a ReasonCatalogue,
    pub rules: &'a PermitRules,
    pub files: &'a BTreeMap<String, String>,
}

/// An agency's policy before Cedar has spoken about its grants.
pub(super) struct Draft {
    pub policy: AgencyPolicy,
    pub kind: String,
    /// Identities with their byte offsets, for checks across files.
    pub identities: Vec<(String, usize)>,
    /// What the file wants to be granted.
    pub wishes: Vec<Wish>,
    /// What only a demo overlooks.
    pub demo_only: Vec<LoadError>,
}

/// One service × purpose that a file grants.
pub(super) struct Wish {
    pub service: String,
    pub purpose: String,
    pub offset: usize,
    pub grant: Arc<Grant>,
}

/// An agency's file in its form, which can be judged without the catalogues.
pub(super) fn form(path: &str, text: &str) -> Result<AgencyFile, LoadError> {
    toml::from_str(text).map_err(|error| LoadError::toml(path, text, &error))
}

/// Reads one agency's file. `None` where it cannot be used; then `errors` says why.
pub(super) fn draft(path: &str, text: &str, known: &Known<'_>, errors: &mut Vec<LoadError>) -> Option<Draft> {
    let file = form(path, text).map_err(|error| errors.push(error)).ok()?;
    let mut reader = Reader { path, text, known, errors, demo_only: Vec::new(), failed: false };
    let id = reader.id(&file.id)?;
    reader.names(&file);
    let scopes = reader.scopes(&file);
    reader.one_role(&file);
    let client_auth = reader.client_auth(&file);
    let request_signing = reader.request_signing(&file, &client_auth);
    let wishes = file.grants.iter().flat_map(|grant| reader.wishes(&file, grant)).collect::<Vec<_>>();
    let rates = reader.rates(&file.limits, scopes.contains(&Scope::Verify));
    let identities = reader.identities(&file, &id);
    let scheme_numbers = reader.scheme_numbers(&file);
    let protection = reader.protection(&file.protection);
    let units = reader.units(&file.units);
    let policy = AgencyPolicy {
        identities: identities.iter().map(|(identity, _)| identity.clone()).collect(),
        branches: Branches::of(identities.iter().map(|(identity, _)| identity.as_str())),
        id,
        kind: file.kind.get_ref().as_str().into(),
        suspended: file.suspended,
        scopes,
        client_auth,
        request_signing,
        grants: Table::default(),
        scheme_numbers,
        rates,
        daily_quota: file.limits.get_ref().daily_quota.as_ref().map(|quota| *quota.get_ref()),
        max_connections: *file.limits.get_ref().max_connections.get_ref(),
        protection,
        units,
    };
    let Reader { failed, demo_only, .. } = reader;
    (!failed).then(|| Draft { policy, kind: file.kind.into_inner(), identities, wishes, demo_only })
}

/// Collects the faults of one file while it is read.
pub(super) struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    pub known: &'a Known<'a>,
    errors: &'a mut Vec<LoadError>,
    demo_only: Vec<LoadError>,
    failed: bool,
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, offset: usize, message: impl Into<String>) {
        self.failed = true;
        self.errors.push(LoadError::at(self.path, self.text, offset, message));
    }

    /// Notes a fault that a demo overlooks.
    pub(super) fn demo_only(&mut self, offset: usize, message: impl Into<String>) {
        self.demo_only.push(LoadError::at(self.path, self.text, offset, message));
    }

    /// The key set beside the file, `agencies/NAME` and the suffix, if there is one.
    pub(super) fn keys_beside(&self, suffix: &str) -> Option<Result<Vec<PublicJwk>, JwkRejected>> {
        let path = format!("{}{suffix}", self.path.trim_end_matches(".toml"));
        self.known.files.get(&path).map(|text| registered_keys(text.as_bytes()))
    }

    fn id(&mut self, id: &Spanned<String>) -> Option<AgencyId> {
        let stem = self.path.trim_start_matches("agencies/").trim_end_matches(".toml");
        if id.get_ref() != stem {
            self.fault(id.span().start, format!("the id is `{}` but the file is named `{stem}.toml`; make them equal", id.get_ref()));
            return None;
        }
        let parsed = AgencyId::parse(id.get_ref());
        if RESERVED.contains(&id.get_ref().as_str()) {
            self.fault(id.span().start, format!("`{}` is a name of the system's own parts, which no agency may bear", id.get_ref()));
        } else if parsed.is_none() {
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

    fn scheme_numbers(&mut self, file: &AgencyFile) -> Table<String, String> {
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

/// Whether a name can stand after `/branch/`.
pub(super) fn is_branch_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Words in backticks, for messages that say what may be written.
pub(super) fn listed<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", ")
}
