//! The registry over mutual TLS (contract §5). Whatever is odd about an answer makes it no answer.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use rustls::ClientConfig;
use serde::de::DeserializeOwned;

use super::config::{KeepDecrees, RegistryClientConfig, RegistryClientError, ServerCheck, tls};
use super::refusal::certificate_fault;
use super::upstream::{Changes, Fetched, FetchedDecrees, Key, Upstream};
use crate::core::domain::clock::Clock;
use crate::core::domain::decree::DecreeSet;
use crate::core::registry::convert::persons_from;
use crate::core::registry::event::MAX_SUBJECT;
use crate::core::registry::holder::{CodeAnswer, CodeRequest, OpenAnswer, OpenRequest};
use crate::core::registry::version::version_of;
use crate::core::registry::wire::{ChangesAnswer, DecreesAnswer, IdentifiersAnswer, LookupAnswer, LookupRequest};
use crate::core::registry::{KnownPerson, RegistryUnavailable};

/// Largest answer to a look-up, in bytes.
const LOOKUP_CAP: usize = 256 << 10;
/// Largest list of decrees or changes, in bytes.
const LIST_CAP: usize = 4 << 20;
/// How far the registry's clock may be from ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// Largest answer that names a handle, in bytes.
const SMALL_CAP: usize = 1 << 10;
const NOT_ACCEPTED: &str = "its certificate is no longer accepted";

/// The client. It remembers nothing but its connections.
pub struct HttpRegistry {
    client: ArcSwap<Client>,
    server: ServerCheck,
    tls: ClientConfig,
    connect_timeout: Duration,
    lookup: Url,
    identifiers: Url,
    holder_code: Url,
    holder_open: Url,
    decrees: Url,
    changes: Url,
    timeout: Duration,
    keep_decrees: Option<KeepDecrees>,
    clock: Arc<dyn Clock>,
}

impl HttpRegistry {
    /// A client for one address of the configured registry; nothing is sent yet.
    ///
    /// # Errors
    /// [`RegistryClientError`] when the address, the certificates or the key cannot be used.
    pub fn new(config: &RegistryClientConfig, address: &str, clock: Arc<dyn Clock>) -> Result<Self, RegistryClientError> {
        let base = base_url(address)?;
        let tls = tls(config, Arc::clone(&clock))?;
        let client = client(&tls, config.connect_timeout).map_err(|error| RegistryClientError::Client(error.without_url().to_string()))?;
        let at = |path: &str| base.join(path).map_err(|_| RegistryClientError::Address(address.to_owned()));
        Ok(Self {
            client: ArcSwap::from_pointee(client),
            server: config.server.clone(),
            tls,
            connect_timeout: config.connect_timeout,
            lookup: at("registry/v1/lookup")?,
            identifiers: at("registry/v1/identifiers")?,
            holder_code: at("registry/v1/holder-code")?,
            holder_open: at("registry/v1/holder-open")?,
            decrees: at("registry/v1/decrees")?,
            changes: at("registry/v1/changes")?,
            timeout: config.try_timeout(),
            keep_decrees: config.keep_decrees.clone(),
            clock,
        })
    }

    /// The client in use, with connections to a registry whose certificate is still good; else a new one without any.
    fn client(&self) -> Result<Arc<Client>, RegistryUnavailable> {
        if !(self.server.still_good)() {
            let anew = client(&self.tls, self.connect_timeout).map_err(|_| RegistryUnavailable(NOT_ACCEPTED))?;
            self.client.store(Arc::new(anew));
            metrics::counter!("estelam_registry_connections_dropped_total").increment(1);
        }
        Ok(self.client.load_full())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: impl FnOnce(&Client) -> RequestBuilder,
        limit: Duration,
        cap: usize,
    ) -> Result<T, RegistryUnavailable> {
        let client = self.client()?;
        let response = request(&client).timeout(limit).send().await.map_err(|error| fault(&error))?;
        let body = read(checked(response)?, cap).await?;
        // What was said over a connection that has lost our trust meanwhile does not count.
        if !Arc::ptr_eq(&client, &self.client()?) {
            return Err(RegistryUnavailable(NOT_ACCEPTED));
        }
        serde_json::from_slice(&body).map_err(|_| RegistryUnavailable("its answer is not what the contract says"))
    }

    /// An answer from the future or from long ago was not made for this call.
    fn timely(&self, as_of: Timestamp, asked: Timestamp) -> Result<Timestamp, RegistryUnavailable> {
        let now = self.clock.now();
        if as_of.duration_since(now) > CLOCK_SKEW || asked.duration_since(as_of) > CLOCK_SKEW {
            return Err(RegistryUnavailable("its clock and ours are more than a minute apart"));
        }
        Ok(as_of.min(now))
    }
}

#[async_trait]
impl Upstream for HttpRegistry {
    async fn look_up(&self, key: &Key) -> Result<Fetched, RegistryUnavailable> {
        let asked = self.clock.now();
        let body = LookupRequest { scheme: key.scheme().into(), value: key.value().into() };
        let request = |client: &Client| client.post(self.lookup.clone()).json(&body);
        let answer: LookupAnswer = self.ask(request, self.timeout, LOOKUP_CAP).await?;
        let as_of = self.timely(answer.as_of, asked)?;
        let persons = persons_from(&answer).map_err(|_| RegistryUnavailable("a record in its answer is not understood"))?;
        if answer.subject.is_empty() || answer.subject.len() > MAX_SUBJECT {
            return Err(RegistryUnavailable("its answer names no usable subject"));
        }
        Ok(Fetched { version: answer.version, as_of, subject: answer.subject.into(), persons: persons.into() })
    }

    async fn identifiers(&self, key: &Key) -> Result<Vec<KnownPerson>, RegistryUnavailable> {
        let asked = self.clock.now();
        let body = LookupRequest { scheme: key.scheme().into(), value: key.value().into() };
        // An officer waits for it, nobody at a counter.
        let limit = self.timeout * 4;
        let answer: IdentifiersAnswer = self.ask(|client| client.post(self.identifiers.clone()).json(&body), limit, LOOKUP_CAP).await?;
        self.timely(answer.as_of, asked)?;
        Ok(answer.persons.into_iter().map(|person| KnownPerson { identifiers: person.identifiers }).collect())
    }

    async fn holder_code(&self, key: &Key, office: &str) -> Result<String, RegistryUnavailable> {
        let body = CodeRequest { scheme: key.scheme().into(), value: key.value().into(), office: office.into() };
        let request = |client: &Client| client.post(self.holder_code.clone()).json(&body);
        let answer: CodeAnswer = self.ask(request, self.timeout * 4, SMALL_CAP).await?;
        let formed = answer.handle.len() <= MAX_SUBJECT && !answer.handle.is_empty();
        if formed { Ok(answer.handle) } else { Err(RegistryUnavailable("its answer names no usable handle")) }
    }

    async fn holder_open(&self, asked: &OpenRequest<'_>) -> Result<OpenAnswer, RegistryUnavailable> {
        self.ask(|client| client.post(self.holder_open.clone()).json(asked), self.timeout * 4, LIST_CAP).await
    }

    async fn decrees(&self) -> Result<FetchedDecrees, RegistryUnavailable> {
        let asked = self.clock.now();
        // A list may take longer than one person, and nobody waits for it at a counter.
        let limit = self.timeout * 4;
        let answer: DecreesAnswer = self.ask(|client| client.get(self.decrees.clone()), limit, LIST_CAP).await?;
        let as_of = self.timely(answer.as_of, asked)?;
        if version_of(&answer.decrees).ok().as_ref() != Some(&answer.version) {
            metrics::counter!("estelam_alarms_total", "alarm" => "decrees-not-of-their-version").increment(1);
            tracing::error!("the registry's decrees are not those that their version names; none of them is used");
            return Err(RegistryUnavailable("its decrees are not those that their version names"));
        }
        let mut set = DecreeSet::from_wire(&answer).map_err(|error| {
            tracing::error!(%error, "the registry sent a decree that is not understood; no decree of the list is used");
            RegistryUnavailable("a decree in its list is not understood")
        })?;
        if let Some(Err(error)) = self.keep_decrees.as_ref().map(|keep| keep(&answer)) {
            tracing::error!(%error, "the decrees cannot be kept for later, so they are not used");
            return Err(RegistryUnavailable("its decrees cannot be kept"));
        }
        set.as_of = as_of;
        Ok(FetchedDecrees { cursor: answer.cursor, set, signers: answer.signers })
    }

    async fn changes(&self, after: u64, hold: Duration) -> Result<Changes, RegistryUnavailable> {
        let mut url = self.changes.clone();
        url.query_pairs_mut().append_pair("after", &after.to_string()).append_pair("wait", &hold.as_secs().to_string());
        let answer: ChangesAnswer = self.ask(|client| client.get(url), hold + self.timeout * 2, LIST_CAP).await?;
        Ok(Changes { cursor: answer.cursor, subjects: answer.subjects, decrees: answer.decrees, everything: answer.everything })
    }
}

fn client(tls: &ClientConfig, connect_timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(20))
        .build()
}

fn base_url(text: &str) -> Result<Url, RegistryClientError> {
    let bad = || RegistryClientError::Address(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let plain = url.scheme() == "https" && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if plain && anonymous { Ok(url) } else { Err(bad()) }
}

fn checked(response: Response) -> Result<Response, RegistryUnavailable> {
    if response.status() != StatusCode::OK {
        return Err(RegistryUnavailable("it answered with another status than 200"));
    }
    let is_json = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| text.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")))
    };
    if response.headers().get(CONTENT_TYPE).is_some_and(is_json) {
        Ok(response)
    } else {
        Err(RegistryUnavailable("its answer is not JSON"))
    }
}

async fn read(mut response: Response, cap: usize) -> Result<Vec<u8>, RegistryUnavailable> {
    const TOO_LARGE: RegistryUnavailable = RegistryUnavailable("its answer is too large");
    if response.content_length().is_some_and(|length| length > cap as u64) {
        return Err(TOO_LARGE);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
        if body.len() + chunk.len() > cap {
            return Err(TOO_LARGE);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn fault(error: &reqwest::Error) -> RegistryUnavailable {
    if let Some(why) = certificate_fault(error) {
        return RegistryUnavailable(why);
    }
    RegistryUnavailable(match error {
        error if error.is_timeout() => "it took too long",
        error if error.is_connect() => "it cannot be reached",
        _ => "the connection to it broke",
    })
}
