//! TLS settings of our listeners and of our own clients. The provider, the clock and the roots are always given explicitly.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ConfigBuilder, ConfigSide, RootCertStore, ServerConfig, SupportedProtocolVersion, WantsVerifier, WantsVersions, version,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::material::{self, MaterialError};
use crate::core::domain::clock::Clock;

/// The server's own certificate chain and key, as they were read: that is what its listeners show for good, whatever becomes of the files.
#[derive(Clone)]
pub struct ServerIdentity {
    chain: Vec<CertificateDer<'static>>,
    own: Arc<SingleCertAndKey>,
    key: PathBuf,
}

impl ServerIdentity {
    /// Reads them from files in PEM: the leaf first, then intermediates; the private key.
    ///
    /// # Errors
    /// The server's certificate or key cannot be used.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, MaterialError> {
        let chain = material::certificates(certificate)?;
        Ok(Self { own: material::key_of(chain.clone(), key)?, chain, key: key.to_owned() })
    }

    /// The chain, the leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The cryptography of every connection: aws-lc with the hybrid post-quantum key exchange first.
pub fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// Settings of a listener that asks every client for a certificate.
///
/// # Errors
/// The cryptographic provider lacks something.
pub fn gateway(
    identity: &ServerIdentity,
    verifier: Arc<dyn ClientCertVerifier>,
    clock: Arc<dyn Clock>,
    allow_tls12: bool,
) -> Result<ServerConfig, MaterialError> {
    let builder = versions(ServerConfig::builder_with_details(provider(), ClockTime::new(clock)), allow_tls12, &identity.key)?;
    Ok(server(builder.with_client_cert_verifier(verifier), identity))
}

/// Settings of a listener for anyone: server authentication only.
///
/// # Errors
/// The cryptographic provider lacks something.
pub fn public(identity: &ServerIdentity, clock: Arc<dyn Clock>, allow_tls12: bool) -> Result<ServerConfig, MaterialError> {
    let builder = versions(ServerConfig::builder_with_details(provider(), ClockTime::new(clock)), allow_tls12, &identity.key)?;
    Ok(server(builder.with_no_client_auth(), identity))
}

/// Settings of our own clients: only the roots in `ca`, our certificate, TLS 1.3.
///
/// # Errors
/// A file cannot be read or used.
pub fn client_config(ca: &Path, cert: &Path, key: &Path, clock: Arc<dyn Clock>) -> Result<ClientConfig, MaterialError> {
    let roots = roots(ca)?;
    let builder = versions(ClientConfig::builder_with_details(provider(), ClockTime::new(clock)), false, key)?;
    let mut config = builder.with_root_certificates(roots).with_client_cert_resolver(material::own_key(cert, key)?);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Settings of our own clients whose server somebody else judges.
///
/// # Errors
/// A file cannot be read or is not what it should be.
pub fn trusting_client_config(
    judge: Arc<dyn ServerCertVerifier>,
    cert: &Path,
    key: &Path,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, MaterialError> {
    let builder = versions(ClientConfig::builder_with_details(provider(), ClockTime::new(clock)), false, key)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(judge);
    let mut config = builder.with_client_cert_resolver(material::own_key(cert, key)?);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Settings of our own clients that need no certificate, for the `public` listener.
///
/// # Errors
/// The roots cannot be read.
pub fn anonymous_client_config(ca: &Path, clock: Arc<dyn Clock>) -> Result<ClientConfig, MaterialError> {
    let builder = versions(ClientConfig::builder_with_details(provider(), ClockTime::new(clock)), false, ca)?;
    let mut config = builder.with_root_certificates(roots(ca)?).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The trust anchors of a PEM file.
///
/// # Errors
/// The file cannot be read or a certificate in it cannot be an anchor.
pub fn roots(ca: &Path) -> Result<RootCertStore, MaterialError> {
    let mut roots = RootCertStore::empty();
    for certificate in material::certificates(ca)? {
        roots.add(certificate).map_err(|_| MaterialError::new(ca, "a certificate cannot be a trust anchor"))?;
    }
    Ok(roots)
}

fn versions<Side: ConfigSide>(
    builder: ConfigBuilder<Side, WantsVersions>,
    allow_tls12: bool,
    file: &Path,
) -> Result<ConfigBuilder<Side, WantsVerifier>, MaterialError> {
    const MODERN: &[&SupportedProtocolVersion] = &[&version::TLS13];
    const WITH_TLS12: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
    let versions = if allow_tls12 { WITH_TLS12 } else { MODERN };
    builder.with_protocol_versions(versions).map_err(|_| MaterialError::new(file, "the cryptographic provider lacks the protocol version"))
}

fn server(builder: ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>, identity: &ServerIdentity) -> ServerConfig {
    let mut config = builder.with_cert_resolver(identity.own.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would skip the check of the client's certificate, so nothing is ever resumable.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    config
}

/// Lets rustls read the injected clock.
struct ClockTime(Arc<dyn Clock>);

impl ClockTime {
    fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self(clock))
    }
}

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockTime")
    }
}
