//! Connections to the gateway with no HTTP client in between: to hold one, and to see how one is refused.

use std::io;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::harness::System;
use crate::tls_support::{Connection, client, patiently, tls_error};

/// What everybody with a good certificate may see.
const KEYS: &str = "/.well-known/jwks.json";

/// A connection with the certificate in a folder of the PKI, over which one request was answered.
pub async fn connected(system: &System, folder: &str) -> io::Result<Connection> {
    let config = client(&system.pki.ca(), &system.credential(folder), &system.clock);
    let tcp = TcpStream::connect(("127.0.0.1", system.config.listen.gateway.port())).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = Connection(patiently(TlsConnector::from(config).connect(name, tcp)).await?);
    let reply = connection.get(KEYS).await?;
    assert!(reply.starts_with("200 "), "{reply}");
    Ok(connection)
}

/// The alert with which a certificate is refused.
pub async fn refused(system: &System, folder: &str) -> rustls::Error {
    tls_error(&connected(system, folder).await.err().expect("a connection"))
}
