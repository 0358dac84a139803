//! Fetches the keys that an outside issuer publishes: over HTTPS to its one address, without redirects, small, and quickly or not at all.

mod address;
mod tls;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url};

use self::address::{Resolver, is_public};
use crate::core::domain::clock::Clock;
use crate::core::domain::jwk::{JwkRejected, PublicJwk, published_keys};

/// Largest key set, in bytes.
const MAX_SET: usize = 64 << 10;
/// Longest time for the whole fetch, and for connecting.
const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where an issuer publishes its keys, and who may vouch for that place.
#[derive(Clone, Debug)]
pub struct JwksSettings {
    /// `https://` URL of the key set.
    pub url: String,
    /// PEM: the roots that may vouch for the server, and no others.
    pub ca: PathBuf,
    /// Folder of revocation lists for its chain; without it revocation is not checked.
    pub crls: Option<PathBuf>,
    /// Whether the server may have an address that is not public.
    pub private_addresses: bool,
}

/// Why the keys cannot be fetched, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchFailed(String);

impl FetchFailed {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// Fetches one issuer's keys. Files are read again for every fetch, so that a new root or list takes effect by itself.
pub struct JwksSource {
    settings: JwksSettings,
    url: Url,
    clock: Arc<dyn Clock>,
}

impl JwksSource {
    /// A source; nothing is sent yet.
    ///
    /// # Errors
    /// The URL is not a plain `https://` one, its host is an address that is not public, or the roots cannot be used.
    pub fn new(settings: JwksSettings, clock: Arc<dyn Clock>) -> Result<Self, FetchFailed> {
        let url = plain_url(&settings.url)
            .ok_or_else(|| FetchFailed::new("`jwks_url` must be `https://host[:port]/path` without user, query or fragment"))?;
        let literal = url.host_str().map(|host| host.trim_matches(['[', ']'])).and_then(|host| host.parse::<IpAddr>().ok());
        if literal.is_some_and(|address| !settings.private_addresses && !is_public(address)) {
            return Err(FetchFailed::new(
                "`jwks_url` names an address that is not public; set `private_addresses = true` if that is meant",
            ));
        }
        let source = Self { settings, url, clock };
        source.client().map(|_| source)
    }

    /// Fetches the keys.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn fetch(&self) -> Result<Vec<PublicJwk>, FetchFailed> {
        let response = self.client()?.get(self.url.clone()).send().await.map_err(|error| fault(&error))?;
        let body = read(checked(response)?).await?;
        published_keys(&body).map_err(|JwkRejected(why)| FetchFailed::new(why))
    }

    fn client(&self) -> Result<Client, FetchFailed> {
        let tls = tls::config(&self.settings, self.clock.clone())?;
        Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(Resolver { private: self.settings.private_addresses }))
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|_| FetchFailed::new("the client cannot be made"))
    }
}

fn plain_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.scheme() == "https" && url.host_str().is_some() && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    (plain && anonymous).then_some(url)
}

fn checked(response: Response) -> Result<Response, FetchFailed> {
    if response.status() != StatusCode::OK {
        return Err(FetchFailed::new(format!(
            "the server answered {} instead of 200; redirects are not followed",
            response.status().as_u16()
        )));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(|text| text.split(';').next());
    match kind.map(str::trim) {
        Some("application/json" | "application/jwk-set+json") => Ok(response),
        _ => Err(FetchFailed::new("the answer is not JSON by its `Content-Type`")),
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, FetchFailed> {
    let too_large = || FetchFailed::new("the key set is larger than 64 KiB");
    if response.content_length().is_some_and(|length| length > MAX_SET as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
        if body.len() + chunk.len() > MAX_SET {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn fault(error: &reqwest::Error) -> FetchFailed {
    FetchFailed::new(match error {
        error if error.is_timeout() => "the server took too long",
        error if error.is_connect() => {
            "the server cannot be reached, has an address that is not public, or its certificate is not accepted"
        }
        _ => "the connection to the server broke",
    })
}

#[cfg(test)]
mod tests;
