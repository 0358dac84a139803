//! The form of `agencies/NAME.toml`, as the official who owns it writes it. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::agency_clients::ClientAuthFile;
use super::agency_signing::RequestSigningFile;
use super::agency_units::UnitFile;
use crate::core::domain::second_factor::SecondFactor;
use crate::core::limit::Rate;

/// One agency's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgencyFile {
    pub id: Spanned<String>,
    pub kind: Spanned<String>,
    pub fa: Spanned<String>,
    pub en: Spanned<String>,
    #[serde(default)]
    pub suspended: bool,
    pub identities: Spanned<Vec<Spanned<String>>>,
    pub scopes: Spanned<Vec<Spanned<String>>>,
    pub client_auth: Option<ClientAuthFile>,
    pub request_signing: Option<Spanned<RequestSigningFile>>,
    pub outage: Option<Spanned<String>>,
    pub freshness: Option<FreshnessFile>,
    #[serde(default)]
    pub disclosure: DisclosureFile,
    #[serde(default, rename = "grant")]
    pub grants: Vec<GrantFile>,
    pub limits: Spanned<LimitsFile>,
    /// Branches and systems with limits of their own.
    #[serde(default, rename = "unit")]
    pub units: Vec<UnitFile>,
    #[serde(default)]
    pub protection: ProtectionFile,
    #[serde(default)]
    pub scheme_numbers: BTreeMap<String, Spanned<String>>,
}

/// Services × purposes, and what must be given with each query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantFile {
    pub services: Spanned<Vec<Spanned<String>>>,
    pub purposes: Spanned<Vec<Spanned<String>>>,
    pub must_give: Vec<Spanned<String>>,
    /// Holders may be given a printed receipt; left out: no.
    #[serde(default)]
    pub receipt: bool,
    /// First day, Jalali, included; left out: since ever.
    pub from: Option<Spanned<String>>,
    /// Last day, Jalali, included; left out: until further notice.
    pub until: Option<Spanned<String>>,
    /// Instead of the agency's.
    pub freshness: Option<FreshnessFile>,
    /// Instead of the agency's.
    pub outage: Option<Spanned<String>>,
}

/// Ages of facts, written as "5 minutes".
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FreshnessFile {
    pub max_age: Spanned<String>,
    pub min_age: Spanned<String>,
    pub max_stale: Spanned<String>,
    /// A "no" rests on a look-up of its own.
    #[serde(default)]
    pub must_be_live_for_denial: bool,
    pub valid_for: Spanned<String>,
}

/// What the agency sees; what is not listed stays hidden.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DisclosureFile {
    pub kind: bool,
    pub series: bool,
    pub decree: bool,
    /// The last day of the document, where a service ends with it.
    pub end: bool,
    /// Disclosure classes of reasons.
    pub reasons: Vec<Spanned<String>>,
}

/// Rates by tier.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsFile {
    pub max_connections: Spanned<usize>,
    pub daily_quota: Option<Spanned<u64>>,
    pub counter: Option<Spanned<RateFile>>,
    pub background: Option<Spanned<RateFile>>,
    pub token: Spanned<RateFile>,
    pub token_miss: Spanned<RateFile>,
    pub other: Spanned<RateFile>,
}

/// What keeps holders from being searched for; what is left out has its default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProtectionFile {
    /// What is taken as a second factor; left out: all that a query can give.
    pub second_factors: Option<Spanned<Vec<Spanned<SecondFactor>>>>,
    pub failed_checks: Option<Spanned<u32>>,
    pub failed_values: Option<Spanned<u32>>,
    pub sequential_values: Option<Spanned<u32>>,
    pub run_values: Option<Spanned<u32>>,
    pub distinct_values: Option<Spanned<u32>>,
    pub actor_values: Option<Spanned<u32>>,
    pub unknown_values: Option<Spanned<u32>>,
    pub honeypots: Option<Spanned<u32>>,
    pub actor_per_minute: Option<Spanned<u32>>,
    pub branch_per_minute: Option<Spanned<u32>>,
    pub pause: Option<Spanned<String>>,
    pub batches: Option<BatchesFile>,
}

/// What batches may do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchesFile {
    pub values: Spanned<u32>,
    pub branch: Option<Spanned<String>>,
}

/// One tier's rate.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateFile {
    pub per_second: u32,
    pub burst: u32,
}

impl From<RateFile> for Rate {
    fn from(file: RateFile) -> Self {
        Self { per_second: file.per_second, burst: file.burst }
    }
}
