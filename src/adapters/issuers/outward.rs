//! A way to one configured place outside: own roots, no redirects, no address of our own network unless that is meant, quickly or not at all.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Url};

use super::address::{Resolver, is_public};
use super::{FetchFailed, tls};
use crate::core::domain::clock::Clock;

/// Longest time for a whole request, and for connecting.
const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the place is, and who may vouch for it.
#[derive(Clone, Debug)]
pub struct OutwardSettings {
    /// Its `https://` URL.
    pub url: String,
    /// PEM: the roots that may vouch for the server, and no others.
    pub ca: PathBuf,
    /// Folder of revocation lists for its chain; without it revocation is not checked.
    pub crls: Option<PathBuf>,
    /// Whether the server may have an address that is not public.
    pub private_addresses: bool,
}

/// The way there. Files are read again for every client, so that a new root or list takes effect by itself.
pub struct Outward {
    settings: OutwardSettings,
    url: Url,
    clock: Arc<dyn Clock>,
}

impl Outward {
    /// A way; nothing is sent yet. `setting` is the name of the URL in the configuration.
    ///
    /// # Errors
    /// The URL is not a plain `https://` one, its host is an address that is not public, or the roots cannot be used.
    pub fn new(setting: &str, settings: OutwardSettings, clock: Arc<dyn Clock>) -> Result<Self, FetchFailed> {
        let url = plain_url(&settings.url)
            .ok_or_else(|| FetchFailed::new(format!("`{setting}` must be `https://host[:port]/path` without user, query or fragment")))?;
        let literal = url.host_str().map(|host| host.trim_matches(['[', ']'])).and_then(|host| host.parse::<IpAddr>().ok());
        if literal.is_some_and(|address| !settings.private_addresses && !is_public(address)) {
            return Err(FetchFailed::new(format!(
                "`{setting}` names an address that is not public; set `private_addresses = true` if that is meant"
            )));
        }
        let way = Self { settings, url, clock };
        way.client().map(|_| way)
    }

    /// The URL.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// A client for it.
    ///
    /// # Errors
    /// Roots or lists cannot be used.
    pub fn client(&self) -> Result<Client, FetchFailed> {
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
