//! Clients that speak bytes, for those who do not behave.

use std::sync::Arc;

use estelam::adapters::clock::SystemClock;
use estelam::adapters::tls::config::client_config;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::Asker;
use crate::site::Site;

/// A connection of an agency, its handshake done.
pub async fn connect(site: &Site, agency: &str) -> TlsStream<TcpStream> {
    let pki = site.installation.dir().join("pki");
    let folder = pki.join(agency);
    let tls = client_config(&pki.join("ca.pem"), &folder.join("cert.pem"), &folder.join("key.pem"), Arc::new(SystemClock)).unwrap();
    let tcp = TcpStream::connect(site.installation.gateway_address()).await.unwrap();
    TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap()
}

/// A whole request.
pub fn query(asker: &Asker, body: &str) -> String {
    let (token, length) = (asker.token(), body.len());
    format!(
        "POST /v1/verify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
