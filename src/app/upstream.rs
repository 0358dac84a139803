//! The registries behind the gateway: who they must prove to be, and the clients made of the configuration.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::StartError;
use super::acts::Acts;
use super::decree_judge::{self, DecreeJudge};
use super::memories::{PEOPLE_LISTS, REGISTRY_LISTS};
use super::own_pair::OwnPair;
use super::standing::grace;
use crate::adapters::keys::FileSigner;
use crate::adapters::policy_files::Archive;
use crate::adapters::registry::{self, CachedRegistry, PeopleConfig, RegistryClientConfig, ServerCheck};
use crate::adapters::tls::material::{MaterialError, own_key, private_key};
use crate::adapters::tls::server_trust::{ServerTrust, ServerTrustSettings};
use crate::adapters::tokens::verify_foreign;
use crate::config::{Config, People, Registry};
use crate::core::domain::assurance::Assurance;
use crate::core::domain::clock::Clock;
use crate::core::domain::file_mode::exposes_a_secret;
use crate::core::domain::jwk;
use crate::core::policy::Snapshot;

/// Certificates of ours by a name, leaf first.
pub(super) type Shown = (&'static str, Vec<CertificateDer<'static>>);

/// What the registries' certificates are judged by, and what we show them.
#[derive(Clone)]
pub(super) struct ServerTrusts {
    /// That of the decrees.
    pub(super) decrees: Arc<ServerTrust>,
    /// That of the people, if it is another.
    people: Option<Arc<ServerTrust>>,
    /// Towards that of the decrees, and of the people where it is another pair there.
    own: Vec<OwnPair>,
}

impl ServerTrusts {
    pub(super) fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        let part = &config.registry;
        let opened = |settings| ServerTrust::open(settings, clock.clone()).map_err(|error| StartError(error.to_string()));
        let decrees = opened(ServerTrustSettings {
            roots: part.ca.clone(),
            intermediates: part.intermediates.clone(),
            crl_dir: part.crls.clone(),
            crl_memory: config.ledger.dir.join(REGISTRY_LISTS),
            crl_grace: grace(config),
            identity: part.identity.clone(),
        })?;
        let people = part.people.as_ref().map(|people| ServerTrustSettings {
            roots: own_or(people.ca.as_ref(), &part.ca),
            intermediates: own_or(people.intermediates.as_ref(), &part.intermediates),
            crl_dir: own_or(people.crls.as_ref(), &part.crls),
            crl_memory: config.ledger.dir.join(PEOPLE_LISTS),
            crl_grace: grace(config),
            identity: people.identity.clone(),
        });
        Ok(Self { decrees, people: people.map(opened).transpose()?, own: OwnPair::all(config) })
    }

    /// Each of them with the name under which acts tell it.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &Arc<ServerTrust>)> {
        ["registry", "people"].into_iter().zip(self.each())
    }

    /// Each of them.
    pub(super) fn each(&self) -> impl Iterator<Item = &Arc<ServerTrust>> {
        std::iter::once(&self.decrees).chain(&self.people)
    }

    /// How current the oldest list of any is.
    pub(super) fn assurance(&self) -> Assurance {
        self.each().map(|trust| trust.assurance()).fold(Assurance::Current, Assurance::max)
    }

    /// The same at an instant that was read already.
    pub(super) fn assurance_at(&self, now: jiff::Timestamp) -> Assurance {
        self.each().map(|trust| trust.assurance_at(now)).fold(Assurance::Current, Assurance::max)
    }

    /// Reads all lists again; each registry's take force whole or not at all.
    ///
    /// # Errors
    /// The first fault.
    pub(super) fn reload(&self) -> Result<(), MaterialError> {
        self.each().map(|trust| trust.reload()).fold(Ok(()), Result::and)
    }

    /// Shows the certificates that have taken the place of ours.
    pub(super) fn renew_own(&self) {
        self.own.iter().for_each(OwnPair::renew);
    }

    /// Our certificates that are shown now, leaf first, by the names under which the metric tells them.
    pub(super) fn shown(&self) -> impl Iterator<Item = Shown> {
        self.own.iter().map(|pair| (pair.name, pair.shown.chain()))
    }

    /// Whether a list that came from `source` is of use to any.
    pub(super) fn offer(&self, source: &str, bytes: &[u8]) -> bool {
        // All of them, also after one took it.
        self.each().map(|trust| trust.offer(source, bytes).is_ok()).fold(false, |any, took| any | took)
    }
}

/// The client of the registries, following the decrees.
pub(super) async fn open_registry(
    config: &Config,
    trusts: &ServerTrusts,
    (acts, policies): (&Arc<Acts>, &Snapshot),
    clock: Arc<dyn Clock>,
) -> Result<Arc<CachedRegistry>, StartError> {
    let part = &config.registry;
    let urls = (part.url.as_str(), part.further_urls.as_slice());
    let (own, of_people) =
        trusts.own.first().zip(trusts.own.last()).ok_or_else(|| StartError("no certificate of ours is known".to_owned()))?;
    let mut client = client(part, urls, &trusts.decrees, own)?;
    let archive = Archive::new(config.archive.clone());
    client.keep_decrees = Some(Arc::new(move |answer| archive.keep_decrees(answer)));
    client.judge_decrees = Some(DecreeJudge::of(config, acts.clone(), clock.clone()).judging());
    client.activate_decrees = Some(decree_judge::activation(config, acts.clone(), clock.clone()));
    let people = match (&part.people, &trusts.people) {
        (Some(people), Some(trust)) => Some(people_config(part, people, (trust, of_people), policies)?),
        _ => None,
    };
    registry::connect(client, people, clock).await.map_err(|error| StartError(format!("the registry's client: {error}")))
}

fn client(
    part: &Registry,
    (url, further): (&str, &[String]),
    trust: &Arc<ServerTrust>,
    own: &OwnPair,
) -> Result<RegistryClientConfig, StartError> {
    let (certificate, key) = (own.certificate.as_path(), own.key.as_path());
    // Both go on as bytes; whether they are what they must be, and which file is not, reading them as a pair says.
    own_key(certificate, key).map_err(|error| StartError(error.to_string()))?;
    let judge = trust.clone();
    let server = ServerCheck { verifier: trust.clone(), generation: Arc::new(move || judge.generation()) };
    let mut client = RegistryClientConfig::new(url, server, read(certificate)?, read(key)?);
    client.own = own.shown.clone();
    client.base_urls.extend(further.iter().cloned());
    client.timeout = Duration::from_millis(part.timeout_ms);
    client.waiting = [part.waiting, (part.waiting / 4).max(1)];
    client.capacity = part.cache;
    client.capacity_bytes = part.cache_mib << 20;
    Ok(client)
}

fn people_config(
    part: &Registry,
    people: &People,
    (trust, own): (&Arc<ServerTrust>, &OwnPair),
    policies: &Snapshot,
) -> Result<PeopleConfig, StartError> {
    let unknown = |scheme: &&String| !policies.schemes.get(scheme).is_some_and(|scheme| scheme.is_key());
    if let Some(scheme) = people.identifiers.keys().find(unknown) {
        let what = "is no scheme of `schemes.toml` that a query may use";
        return Err(StartError(format!("`registry.people.identifiers`: `{scheme}` {what}")));
    }
    if let Some(token) = people.token.as_ref().filter(|token| std::fs::metadata(token).is_ok_and(|file| exposes_a_secret(file.mode()))) {
        return Err(StartError(format!("`{}`: the access token can be reached by others; run `chmod go-rwx` on it", token.display())));
    }
    let keys = jwk::published_keys(&read(&people.registry_keys)?)
        .map_err(|error| StartError(format!("`registry.people.registry_keys`, `{}`: {error}", people.registry_keys.display())))?;
    Ok(PeopleConfig {
        client: client(part, (people.url.as_str(), people.further_urls.as_slice()), trust, own)?,
        terms: people.terms(),
        signer: Arc::new(signer(&people.signing_key)?),
        verify: Arc::new(move |jws| verify_foreign(jws, &keys).is_ok()),
        token: people.token.clone(),
    })
}

fn signer(path: &Path) -> Result<FileSigner, StartError> {
    let key = private_key(path).map_err(|error| StartError(error.to_string()))?;
    let pkcs8 = Zeroizing::new(key.secret_der().to_vec());
    let unusable = || StartError(format!("`{}` is not one private key in PKCS#8 PEM, Ed25519 or P-256", path.display()));
    FileSigner::from_pkcs8(&pkcs8).ok_or_else(unusable)
}

pub(super) fn own_or(own: Option<&PathBuf>, shared: &Path) -> PathBuf {
    own.map_or_else(|| shared.to_owned(), Clone::clone)
}

fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|error| StartError(format!("cannot read `{}`: {error}", path.display())))
}
