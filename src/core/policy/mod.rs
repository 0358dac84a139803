//! Stage 3: from a verified call and a request body to a permit, under one snapshot of the agencies' policies.

mod admit;
mod again;
mod agency_clients;
mod agency_file;
mod agency_rules;
mod agency_signing;
mod agency_terms;
mod agency_units;
mod body;
pub mod cases;
mod duties;
mod granted;
mod ground;
mod holder_words;
mod judge;
mod load;
mod load_error;
mod overdue;
mod permit;
mod permit_rules;
mod shipped;
mod subject;
mod term;
mod trust_domain;
mod untried;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::domain::agency::{AgencyId, Scope};
use super::domain::identifier::Identifier;
use super::domain::reason::{OutageStep, ReasonCatalogue, ReasonSet};
use super::domain::refusal::{Refusal, RefusalCode};
use super::domain::request::{Check, Priority};
use super::domain::scheme::SchemeCatalogue;
use super::domain::second_factor::SecondFactors;
use super::domain::service::{Service, ServiceCatalogue};
use super::domain::table::{Names, Table};
use super::limit::{Protection, Rate, Tier};
use super::token::{ClientAuth, RequestSigning, VerifiedCall};
use super::watch::WatchRules;

pub use admit::{admit, asked, give_back, screen};
pub use again::{Allowed, Caller, Subject, allow};
pub use agency_units::{UnitPolicy, Units};
pub use body::{BodyTooLarge, RequestInput, is_json};
pub use duties::{carries, is_label};
pub use granted::Granted;
pub use ground::{Ground, grounds, permit_grounds};
pub use holder_words::{HolderLine, HolderText, HolderWords};
pub use load::{Loaded, version};
pub use load_error::LoadError;
pub use overdue::tokens_while_overdue;
pub use permit::permit;
pub use permit_rules::{PermitRules, RuleFault, Verdict};
pub use shipped::shipped;
pub use subject::accept_identifier;
pub use untried::untried;

/// What an agency does while the registry cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Serve the holder and ask again later (treatment, school in term).
    Proceed,
    /// Ask again later before acting (banks).
    TryLater,
}

impl Outage {
    /// The step that its words in the reason catalogue are kept under.
    pub const fn step(self) -> OutageStep {
        match self {
            Self::Proceed => OutageStep::Proceed,
            Self::TryLater => OutageStep::TryLater,
        }
    }
}

/// What of the document an agency may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disclosure {
    /// Document kind.
    pub kind: bool,
    /// Document series.
    pub series: bool,
    /// Status and decree.
    pub decree: bool,
    /// The last day of the document, where a service ends with it.
    pub end: bool,
    /// The reasons that are told exactly; the others are told by their coarse one.
    pub reasons: ReasonSet,
}

/// What one agency may ask for one service and one purpose, and under which duties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The actor must be named.
    pub actor: bool,
    /// A second factor must be given and match.
    pub check: bool,
    /// What is taken as one.
    pub factors: SecondFactors,
    /// The agency's reference must be given.
    pub reference: bool,
    /// A nonce must be given.
    pub nonce: bool,
    /// The request must be signed.
    pub signature: bool,
    /// Holders may be given a printed receipt.
    pub receipt: bool,
    /// Age of facts in seconds that is good enough when the request does not say.
    pub max_age_s: u32,
    /// Smallest `max_age` that the agency may ask for; 0 allows forcing live look-ups.
    pub min_age_s: u32,
    /// Oldest facts in seconds that may still answer while the registry is unreachable.
    pub max_stale_s: u32,
    /// Whether a "no" must rest on a look-up made for this query, however young the remembered facts are.
    pub live_denial: bool,
    /// How long an answer may be relied on, in seconds.
    pub valid_for_s: u32,
    /// What to do in an outage.
    pub outage: Outage,
    /// What the agency may see.
    pub disclose: Disclosure,
    /// First instant of the grant; `None` is since ever.
    pub from: Option<Timestamp>,
    /// First instant after the grant; `None` is until further notice.
    pub until: Option<Timestamp>,
}

impl Grant {
    /// Whether the grant is in force at an instant: it begins and ends by itself, without a reload.
    pub fn in_force(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Oldest acceptable age of facts in seconds, for a query that asked for one or for none.
    pub fn age_bound(&self, asked: Option<u32>) -> u32 {
        asked.unwrap_or(self.max_age_s).clamp(self.min_age_s, self.max_age_s.max(self.min_age_s))
    }
}

/// The grants of one service by purpose.
pub type ByPurpose = Table<Arc<str>, Vec<Arc<Grant>>>;

/// One agency's policy, resolved for the request path.
#[derive(Clone, Debug)]
pub struct AgencyPolicy {
    /// The agency.
    pub id: AgencyId,
    /// What it is by law.
    pub kind: Arc<str>,
    /// The `spiffe://` identities of its certificates.
    pub identities: Vec<String>,
    /// Which branches these admit.
    pub branches: Branches,
    /// Suspended agencies are refused at the door.
    pub suspended: bool,
    /// Scopes that its tokens may carry.
    pub scopes: Vec<Scope>,
    /// How it proves at the token endpoint who it is.
    pub client_auth: ClientAuth,
    /// How it signs its requests.
    pub request_signing: RequestSigning,
    /// Grants by service, then purpose; those of one purpose follow each other in time and never overlap.
    pub grants: Table<Arc<str>, ByPurpose>,
    /// The agency's own numbers for schemes.
    pub scheme_numbers: Table<String, String>,
    /// Rates by tier.
    pub rates: Table<Tier, Rate>,
    /// Verification queries a day; `None` is no quota.
    pub daily_quota: Option<u64>,
    /// Connections at once.
    pub max_connections: usize,
    /// What keeps holders from being searched for.
    pub protection: Protection,
    /// Branches and systems with limits of their own.
    pub units: Units,
}

/// What a call is told whose token still has a scope that its agency's policy has no more.
pub const SCOPE_WITHDRAWN: &str = "the agency's policy does not allow this scope any more";

/// Everything one call is judged by; immutable, named by its hash.
#[derive(Debug)]
pub struct Snapshot {
    /// `sha256:` and hex over every file of the policy folder.
    pub version: Arc<str>,
    /// Policies by agency.
    pub agencies: Table<AgencyId, Arc<AgencyPolicy>>,
    /// Services.
    pub services: ServiceCatalogue,
    /// Identifier schemes.
    pub schemes: SchemeCatalogue,
    /// Words of reasons.
    pub reasons: ReasonCatalogue,
    /// The purposes that rules and agencies may name.
    pub purposes: Names<Arc<str>>,
    /// The words of the holder's own view.
    pub holder: Arc<HolderWords>,
    /// What is watched for behind the path.
    pub watch: Arc<WatchRules>,
    /// What only a demo overlooks: anywhere else the snapshot does not take effect while there is any.
    pub demo_only: Vec<LoadError>,
    /// Rules, by `@id`, that do not say where they come from and how sure that is: no change may bring another.
    pub unfounded: BTreeMap<String, LoadError>,
    /// The catalogue's services by code, so that a permit can own one without a copy.
    pub resolved_services: Table<Arc<str>, Arc<Service>>,
}

impl Snapshot {
    /// What keeps this version from following another: rules without a ground that the other did not have.
    ///
    /// # Errors
    /// Each of these, with its place.
    pub fn may_follow(&self, before: Option<&Self>) -> Result<(), Vec<LoadError>> {
        let stood = |id: &String| before.is_some_and(|before| before.unfounded.contains_key(id));
        let new: Vec<LoadError> = self.unfounded.iter().filter(|(id, _)| !stood(id)).map(|(_, fault)| fault.clone()).collect();
        if new.is_empty() { Ok(()) } else { Err(new) }
    }

    /// Whether an agency's tokens may carry a scope. A token that was issued under an earlier policy carries no more than this one allows.
    pub fn grants_scope(&self, agency: &AgencyId, scope: Scope) -> bool {
        self.agencies.get(agency).is_some_and(|policy| policy.scopes.contains(&scope))
    }
}

impl AgencyPolicy {
    /// Whether the agency, or the unit that a certificate of it names, is suspended.
    pub fn is_suspended(&self, branch: Option<&str>) -> bool {
        self.suspended || branch.and_then(|branch| self.units.get(branch)).is_some_and(|unit| unit.suspended)
    }

    /// What to do while nothing can be answered: `proceed` only where every grant of the service (or of the agency, where the service
    /// is not known) says so.
    pub fn outage_advice(&self, service: Option<&str>) -> Option<OutageStep> {
        let asked = self.grants.iter().filter(|(code, _)| service.is_none_or(|service| &***code == service));
        let steps = asked.flat_map(|(_, purposes)| purposes.values().flatten()).map(|grant| grant.outage.step());
        steps.reduce(|all, one| if one == OutageStep::Proceed { all } else { one })
    }

    /// Whether a certificate of this agency that names this branch (or none) is enrolled. An identity without a branch
    /// admits every branch; `…/branch/NAME` admits that branch alone.
    pub fn admits_branch(&self, branch: Option<&str>) -> bool {
        self.branches.all || branch.is_some_and(|branch| self.branches.named.iter().any(|name| **name == *branch))
    }
}

/// The branches that an agency's identities admit, told once at load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branches {
    /// One identity names no branch, so that every certificate of the agency is admitted.
    all: bool,
    named: Vec<Box<str>>,
}

impl Branches {
    /// Those of these identities; one that is no identity admits nobody.
    pub(super) fn of<'i>(identities: impl IntoIterator<Item = &'i str>) -> Self {
        let mut branches = Self::default();
        for (_, path) in identities.into_iter().filter_map(identity_parts) {
            match path.split_once("/branch/") {
                None => branches.all = true,
                Some((_, name)) => branches.named.push(name.into()),
            }
        }
        branches
    }
}

/// The trust domain of an identity, and what follows `/agency/`.
pub(in crate::core) fn identity_parts(identity: &str) -> Option<(&str, &str)> {
    let (domain, path) = identity.strip_prefix("spiffe://")?.split_once("/agency/")?;
    let well_formed = !domain.is_empty() && domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b));
    well_formed.then_some((domain, path))
}

/// The right to look one person up for one service and purpose. Only [`permit()`] makes one.
///
/// ```compile_fail,E0451
/// use estelam::core::policy::Permit;
/// fn forged(call: estelam::core::token::VerifiedCall) -> Permit {
///     Permit { call, ..unreachable!() }
/// }
/// ```
pub struct Permit {
    call: VerifiedCall,
    snapshot: Arc<Snapshot>,
    grant: Arc<Grant>,
    service: Arc<Service>,
    identifier: Option<Identifier>,
    check_digit_warning: bool,
    check: Option<Check>,
    max_age: Option<u32>,
    area: Option<String>,
    emergency: bool,
    priority: Priority,
    receipt: bool,
    body_digest: Option<[u8; 32]>,
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("service", &self.service.code).finish_non_exhaustive()
    }
}

impl Permit {
    /// The verified call.
    pub const fn call(&self) -> &VerifiedCall {
        &self.call
    }

    /// The snapshot under which the call is judged.
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The grant that allows the call.
    pub const fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// The service asked for.
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Whom the query is about; `None` when the service needs no document (whatever was sent is dropped).
    pub const fn identifier(&self) -> Option<&Identifier> {
        self.identifier.as_ref()
    }

    /// The second factor given.
    pub const fn check(&self) -> Option<&Check> {
        self.check.as_ref()
    }

    /// Whether the identifier's check digit did not fit, where that is only odd (`yekta`, `passport` with an `mrz`).
    pub const fn check_digit_warning(&self) -> bool {
        self.check_digit_warning
    }

    /// The province that the request names (ISO 3166-2:IR).
    pub fn area(&self) -> Option<&str> {
        self.area.as_deref()
    }

    /// Whether the request says that it is an emergency.
    pub const fn emergency(&self) -> bool {
        self.emergency
    }

    /// Oldest acceptable age of facts in seconds, within what the policy allows.
    pub fn max_age_s(&self) -> u32 {
        self.grant.age_bound(self.max_age)
    }

    /// Whether the holder wishes a printed receipt, and the policy allows it.
    pub const fn receipt(&self) -> bool {
        self.receipt
    }

    /// The lane.
    pub const fn tier(&self) -> Tier {
        match self.priority {
            Priority::Counter => Tier::Counter,
            Priority::Background => Tier::Background,
        }
    }

    /// SHA-256 of the request body, only where the body carried a nonce (a bare body is guessable), and named nobody where nobody need be
    /// named.
    pub const fn body_digest(&self) -> Option<&[u8; 32]> {
        self.body_digest.as_ref()
    }

    /// Turns the call into a refusal.
    pub fn refuse(self, code: RefusalCode, detail: impl Into<String>) -> Box<Refusal> {
        self.call.refuse(code, detail)
    }

    /// Gives up the permit, keeping the call.
    pub fn into_call(self) -> VerifiedCall {
        self.call
    }
}
