//! How the reference registry reaches the gateways that it tells what changed: its client certificate, the key of its events, and how the
//! gateways' certificates are judged.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use serde_json::json;
use zeroize::Zeroizing;

use super::StartError;
use super::memories::GATEWAY_LISTS;
use super::registry::CRL_GRACE;
use crate::adapters::keys::FileSigner;
use crate::adapters::tls::config::trusting_client_config;
use crate::adapters::tls::server_trust::{ServerTrust, ServerTrustSettings};
use crate::core::domain::clock::Clock;
use crate::core::domain::file_mode::exposes_a_secret;
use crate::core::signing::{Algorithm, registry_event};
use crate::files;
use crate::registry::push::{Connection, Receiver};

/// The folder of the registry's client certificate, which bears the name `spiffe://TRUST-DOMAIN/service/registry`.
pub const SENDER: &str = "registry-client";
/// Longest time for one event.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than a gateway keeps an idle connection, so that none is used that it is just closing.
const IDLE: Duration = Duration::from_secs(20);

/// Makes the key that signs a registry's events, and its public half as gateways want it (a JWK set), unless they are there.
///
/// # Errors
/// A file cannot be written, or there is no randomness.
pub fn make_event_key(dir: &Path) -> Result<(), StartError> {
    let (private, public) = event_key_files(dir);
    if private.exists() {
        return Ok(());
    }
    let pkcs8 = FileSigner::generate(Algorithm::EdDsa).ok_or_else(|| StartError("no randomness for a key".to_owned()))?;
    let signer = FileSigner::from_pkcs8(&pkcs8).ok_or_else(|| fault(&private, &"the key cannot be used"))?;
    let pem = Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8.to_vec())));
    let keys = format!("{:#}\n", json!({ "keys": [signer.public_key().as_jwk()] }));
    // The folder of the registry's certificate; it may come later than this key.
    let folder = private.parent().unwrap_or(dir);
    fs::create_dir_all(folder).map_err(|error| fault(folder, &error))?;
    // The private half last: while it is missing, both are made anew.
    files::write_durably(&public, keys.as_bytes()).map_err(|error| fault(&public, &error))?;
    files::write_new_secret(&private, pem.as_bytes()).map_err(|error| fault(&private, &error))
}

/// A receiver for each gateway; nothing is sent yet.
///
/// # Errors
/// The key of the events, a certificate or a revocation list cannot be used.
pub(super) fn receivers(
    dir: &Path,
    gateways: &[String],
    trust_domain: &Arc<str>,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Receiver>, StartError> {
    if gateways.is_empty() {
        return Ok(Vec::new());
    }
    let signer = Arc::new(event_key(dir)?);
    let issuer: Arc<str> = issuer(trust_domain).into();
    let receiver = |gateway: &String| {
        connection(dir, trust_domain, clock).map_err(StartError)?;
        let (signer, issuer, audience, now) = (signer.clone(), issuer.clone(), gateway.clone(), clock.clone());
        let sign = move |changes: &_| registry_event(changes, &issuer, &audience, &*signer, now.now()).ok();
        let (dir, trust_domain, clock) = (dir.to_owned(), trust_domain.clone(), clock.clone());
        let connect = Box::new(move || connection(&dir, &trust_domain, &clock));
        Ok(Receiver { gateway: gateway.clone(), sign: Box::new(sign), connect })
    };
    gateways.iter().map(receiver).collect()
}

/// `iss` of the events: the registry's name, wherever it listens.
fn issuer(trust_domain: &str) -> String {
    format!("spiffe://{trust_domain}/server/registry")
}

/// Files are read again each time.
fn connection(dir: &Path, trust_domain: &str, clock: &Arc<dyn Clock>) -> Result<Connection, String> {
    let pki = dir.join("pki");
    let settings = ServerTrustSettings {
        roots: pki.join("ca.pem"),
        intermediates: pki.join("intermediate.pem"),
        crl_dir: pki.join("crl"),
        crl_memory: dir.join("registry").join(GATEWAY_LISTS),
        crl_grace: CRL_GRACE,
        identity: Some(format!("spiffe://{trust_domain}/server/gateway")),
    };
    let trust = ServerTrust::open(settings, clock.clone()).map_err(|error| error.to_string())?;
    let own = pki.join(SENDER);
    let tls = trusting_client_config(trust.clone(), &own.join("cert.pem"), &own.join("key.pem"), clock.clone());
    let client = Client::builder()
        .tls_backend_preconfigured(tls.map_err(|error| error.to_string())?)
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .timeout(TIMEOUT)
        .pool_idle_timeout(IDLE)
        .build()
        .map_err(|error| error.to_string())?;
    Ok(Connection { client, good: Box::new(move || trust.reload().is_ok() && trust.still_good()) })
}

fn event_key(dir: &Path) -> Result<FileSigner, StartError> {
    let (path, _) = event_key_files(dir);
    let pem = Zeroizing::new(fs::read(&path).map_err(|error| fault(&path, &error))?);
    if fs::metadata(&path).is_ok_and(|metadata| exposes_a_secret(metadata.permissions().mode())) {
        let what = "can be reached by others; run `chmod go-rwx` on it, and take a new key if others may have read it";
        return Err(fault(&path, &what));
    }
    let pkcs8 = pem::parse(&*pem).map(|pem| Zeroizing::new(pem.into_contents())).ok();
    let signer = pkcs8.and_then(|pkcs8| FileSigner::from_pkcs8(&pkcs8));
    signer.ok_or_else(|| fault(&path, &"it is not one private key in PKCS#8 PEM, P-256 or Ed25519"))
}

/// The files of the key that signs a registry's events: the private half, and the public one beside it.
pub fn event_key_files(dir: &Path) -> (PathBuf, PathBuf) {
    let folder = dir.join("pki").join("registry");
    (folder.join("events-key.pem"), folder.join("events.jwks.json"))
}

fn fault(path: &Path, what: &dyn std::fmt::Display) -> StartError {
    StartError(format!("`{}`: {what}", path.display()))
}
