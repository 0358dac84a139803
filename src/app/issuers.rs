//! Outside issuers from the configuration: what is accepted of them, and the task that keeps their keys.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::adapters::issuers::{JwksSource, OutwardSettings};
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::tokens::{CachingVerifier, OutsideIssuer, OutsideIssuers};
use crate::config::{self, Config};
use crate::core::domain::agency::{AgencyId, Scope};
use crate::core::domain::clock::Clock;
use crate::core::domain::jwk::{JwsAlgorithm, PublicJwk};
use crate::core::token::{OutsideProfile, keys_end};

/// One issuer and how its keys are kept.
pub(super) struct Kept {
    issuer: Arc<OutsideIssuer>,
    source: JwksSource,
    terms: Terms,
}

/// How often keys are fetched, and how long they count.
#[derive(Clone, Copy)]
struct Terms {
    refresh: Duration,
    cooldown: Duration,
    good_for_s: i64,
}

/// The issuers of a configuration.
///
/// # Errors
/// Which entry cannot be used, and why.
pub(super) fn open(
    config: &Config,
    policies: &Arc<PolicyStore>,
    clock: &Arc<dyn Clock>,
) -> Result<(OutsideIssuers, Vec<Kept>), StartError> {
    let kept: Vec<Kept> = config.issuers.iter().map(|issuer| one(issuer, config, clock)).collect::<Result<_, _>>()?;
    let policies = policies.clone();
    let allowed = move |agency: &AgencyId| policies.current().agencies.get(agency).map_or_else(Vec::new, |policy| policy.scopes.clone());
    let issuers = kept.iter().map(|kept| kept.issuer.clone()).collect();
    Ok((OutsideIssuers::new(issuers, Box::new(allowed)), kept))
}

fn one(issuer: &config::OutsideIssuer, config: &Config, clock: &Arc<dyn Clock>) -> Result<Kept, StartError> {
    let fault = |what: String| StartError(format!("`issuers` entry of `{}`: {what}", issuer.issuer));
    let algorithm = |name: &String| {
        let known = JwsAlgorithm::parse(name).filter(|algorithm| algorithm.jose() == name);
        known.ok_or_else(|| fault(format!("no algorithm `{name}`; use `PS256`, `ES256` or `EdDSA`")))
    };
    let scope = |code: &String| Scope::parse(code).ok_or_else(|| fault(format!("no such scope `{code}`")));
    let agency = |name: &String| AgencyId::parse(name).ok_or_else(|| fault(format!("`{name}` is not an agency's name")));
    let profile = OutsideProfile {
        issuer: issuer.issuer.as_str().into(),
        audience: issuer.audience.as_ref().unwrap_or(&config.issuer).as_str().into(),
        agency_claim: issuer.agency_claim.as_str().into(),
        agencies: issuer.agencies.iter().map(agency).collect::<Result<_, _>>()?,
        scopes: issuer.scopes.iter().map(scope).collect::<Result<_, _>>()?,
    };
    let algorithms = issuer.algorithms.iter().map(algorithm).collect::<Result<_, _>>()?;
    let settings = OutwardSettings {
        url: issuer.jwks_url.clone(),
        ca: issuer.ca.clone(),
        crls: issuer.crls.clone(),
        private_addresses: issuer.private_addresses,
    };
    Ok(Kept {
        issuer: Arc::new(OutsideIssuer::new(profile, algorithms)),
        source: JwksSource::new(settings, clock.clone()).map_err(|error| fault(error.to_string()))?,
        terms: Terms {
            refresh: Duration::from_secs(issuer.refresh_s),
            cooldown: Duration::from_secs(issuer.cooldown_s),
            good_for_s: issuer.good_for_s.into(),
        },
    })
}

/// Keeps one issuer's keys until the task is aborted.
pub(super) async fn keep(kept: Kept, tokens: Arc<CachingVerifier>, clock: Arc<dyn Clock>) {
    let source = &kept.source;
    renew(&kept.issuer, kept.terms, move || source.fetch(), &tokens, &*clock).await;
}

/// Fetches keys at intervals, and when somebody comes with a key that is not known, but never sooner than the cooldown.
async fn renew<F, E>(issuer: &OutsideIssuer, terms: Terms, fetch: impl Fn() -> F, tokens: &CachingVerifier, clock: &dyn Clock)
where
    F: Future<Output = Result<Vec<PublicJwk>, E>>,
    E: Display,
{
    let name = issuer.name().to_string();
    loop {
        let fetched = fetch().await;
        let result = if fetched.is_ok() { "ok" } else { "failed" };
        metrics::counter!("estelam_issuer_keys_fetched_total", "issuer" => name.clone(), "result" => result).increment(1);
        let patience = match fetched {
            Ok(keys) => {
                tokens.renew(issuer, keys, keys_end(clock.now(), terms.good_for_s));
                terms.refresh.saturating_sub(terms.cooldown)
            }
            Err(error) => {
                tracing::warn!(issuer = %name, %error, "the keys of an outside issuer cannot be fetched");
                if issuer.good_until() <= clock.now() {
                    tokens.renew(issuer, Vec::new(), issuer.good_until());
                }
                Duration::ZERO
            }
        };
        tokio::time::sleep(terms.cooldown).await;
        let _ = tokio::time::timeout(patience, issuer.unknown_key()).await;
    }
}

#[cfg(test)]
#[path = "issuers_tests.rs"]
mod tests;
