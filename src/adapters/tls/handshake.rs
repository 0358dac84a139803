//! From an accepted socket to an admitted connection: caps, the TLS handshake under its deadline, and whose it is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::{AlertDescription, CertificateError, Error, ServerConfig, ServerConnection};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::Holder;
use super::handshake_pool::HandshakePool;
use super::stream::{GuardedStream, Transport};
use super::table::{Admission, ConnectionLimits, ConnectionTable, Full};
use super::trust::CertificateTrust;
use super::unreadable::{self, RefuseUnreadable};
use crate::core::identity::PeerChain;

/// What TLS a listener speaks.
#[derive(Clone)]
pub enum TlsMode {
    /// Every client shows a certificate that the trust accepts.
    Mutual(Arc<CertificateTrust>),
    /// Only the server shows one.
    ServerOnly(Arc<ArcSwap<ServerConfig>>),
    /// None: loopback only.
    Plain,
}

/// Why a connection did not get past the handshake. The labels are a closed set and name nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRefusal {
    /// The handshake took too long.
    Slow,
    /// The client showed no certificate.
    NoCertificate,
    /// The certificate comes from an authority that we do not know.
    UnknownIssuer,
    /// Not within its dates.
    Dates,
    /// Revoked.
    Revoked,
    /// No current revocation list covers it.
    RevocationUnknown,
    /// Not for clients.
    Purpose,
    /// Outside our profile otherwise.
    Profile,
    /// A certificate or signature that does not verify or cannot be read.
    Invalid,
    /// No common protocol version, cipher or key exchange; or not TLS at all.
    Protocol,
    /// The client broke it off, with an alert or without.
    Client,
    /// The listener is full.
    FullTotal,
    /// The address has all its connections.
    FullAddress,
    /// The agency has all its connections.
    FullAgency,
}

impl TlsRefusal {
    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::NoCertificate => "no-certificate",
            Self::UnknownIssuer => "unknown-issuer",
            Self::Dates => "dates",
            Self::Revoked => "revoked",
            Self::RevocationUnknown => "revocation-unknown",
            Self::Purpose => "purpose",
            Self::Profile => "profile",
            Self::Invalid => "invalid",
            Self::Protocol => "protocol",
            Self::Client => "client",
            Self::FullTotal => "full-total",
            Self::FullAddress => "full-address",
            Self::FullAgency => "full-agency",
        }
    }
}

impl From<Full> for TlsRefusal {
    fn from(full: Full) -> Self {
        match full {
            Full::Total => Self::FullTotal,
            Full::Address => Self::FullAddress,
            Full::Agency => Self::FullAgency,
        }
    }
}

/// Takes a socket through caps and handshake.
///
/// # Errors
/// Why it was refused; the socket is closed then.
pub(super) async fn establish(
    listener: &'static str,
    socket: TcpStream,
    mode: &TlsMode,
    table: &Arc<ConnectionTable>,
    limits: &ConnectionLimits,
    (pool, refuse): (Option<&HandshakePool>, Option<RefuseUnreadable>),
) -> Result<GuardedStream, TlsRefusal> {
    let address = socket.peer_addr().map_err(|_| TlsRefusal::Client)?;
    // Without it, replies of two writes wait for the client's delayed acknowledgement.
    socket.set_nodelay(true).map_err(|_| TlsRefusal::Client)?;
    let admission = table.admit(listener, address.ip(), limits)?;
    let from = (socket, address.ip());
    let transport = match (mode, pool) {
        (TlsMode::Mutual(trust), Some(pool)) => {
            let judge = trust.clone();
            let (tls, peer) = pool.shake(from, trust.server_config(), limits, move |session| identify(session, &judge)).await?;
            hold(peer, trust, &admission, limits)?;
            Transport::Tls(Box::new(tls))
        }
        (TlsMode::ServerOnly(config), Some(pool)) => {
            let (tls, ()) = pool.shake(from, config.load_full(), limits, |_| Ok(())).await?;
            Transport::Tls(Box::new(tls))
        }
        (TlsMode::Plain, _) => Transport::Plain(from.0),
        (TlsMode::Mutual(_) | TlsMode::ServerOnly(_), None) => return Err(TlsRefusal::Client),
    };
    admission.handle.established();
    Ok(GuardedStream::new(transport, address, admission, refuse))
}

/// The handshake itself, on whatever thread it is awaited.
pub(super) async fn handshake(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    deadline: Duration,
) -> Result<TlsStream<TcpStream>, TlsRefusal> {
    let handshake = TlsAcceptor::from(config).accept(socket).into_fallible();
    match tokio::time::timeout(deadline, handshake).await {
        Ok(Ok(tls)) => Ok(tls),
        Ok(Err((error, socket))) => {
            // The alert is written. A client that sends certificate, signature and request one by one would be reset before it reads it.
            unreadable::end(Transport::Plain(socket)).await;
            Err(refusal(&error))
        }
        Err(_) => Err(TlsRefusal::Slow),
    }
}

fn identify(session: &ServerConnection, trust: &CertificateTrust) -> Result<Arc<PeerChain>, TlsRefusal> {
    // rustls puts the leaf first.
    let leaf = session.peer_certificates().and_then(|chain| chain.first()).ok_or(TlsRefusal::NoCertificate)?;
    Ok(Arc::new(trust.identify(leaf).map_err(|_| TlsRefusal::Profile)?))
}

fn hold(peer: Arc<PeerChain>, trust: &Arc<CertificateTrust>, admission: &Admission, limits: &ConnectionLimits) -> Result<(), TlsRefusal> {
    let cap = (limits.per_agency)(&peer.agency);
    admission.hold(Holder { peer: peer.clone(), trust: trust.clone() }, cap, (limits.per_unit)(&peer))?;
    // Judged again now that the table knows it: a reload during the handshake has either seen it or is seen here.
    if trust.accepts_now(&peer) { Ok(()) } else { Err(TlsRefusal::Revoked) }
}

fn refusal(error: &io::Error) -> TlsRefusal {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return TlsRefusal::Client;
    };
    match error {
        Error::NoCertificatesPresented => TlsRefusal::NoCertificate,
        Error::InvalidCertificate(why) => certificate_refusal(why),
        Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => TlsRefusal::Protocol,
        Error::AlertReceived(_) => TlsRefusal::Client,
        _ => TlsRefusal::Protocol,
    }
}

const fn certificate_refusal(why: &CertificateError) -> TlsRefusal {
    use CertificateError as E;
    match why {
        E::UnknownIssuer => TlsRefusal::UnknownIssuer,
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => TlsRefusal::Dates,
        E::Revoked => TlsRefusal::Revoked,
        E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => TlsRefusal::RevocationUnknown,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => TlsRefusal::Purpose,
        E::ApplicationVerificationFailure => TlsRefusal::Profile,
        _ => TlsRefusal::Invalid,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn accepted_sockets_send_without_delay() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        assert!(!socket.nodelay().unwrap(), "the system's default is the other one, or this test shows nothing");
        let table = ConnectionTable::new();
        let stream = establish("ops", socket, &TlsMode::Plain, &table, &ConnectionLimits::default(), (None, None)).await.unwrap();
        assert!(stream.socket().unwrap().nodelay().unwrap());
        assert_eq!(table.len(), 1);
        drop(stream);
        assert!(table.is_empty());
    }

    #[test]
    fn what_is_not_tls_counts_as_protocol() {
        let error = io::Error::new(io::ErrorKind::InvalidData, Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType));
        assert_eq!(refusal(&error), TlsRefusal::Protocol);
        assert_eq!(refusal(&io::ErrorKind::UnexpectedEof.into()), TlsRefusal::Client);
    }
}
