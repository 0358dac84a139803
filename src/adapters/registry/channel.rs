//! Mutual TLS to one address of a registry: nothing is said over a connection whose certificate has lost our trust, and no more is read
//! than fits.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustls::ClientConfig;

use super::config::{RegistryClientConfig, RegistryClientError, ServerCheck, tls};
use super::names::{Names, Resolver};
use super::own_key::OwnKey;
use super::refusal::certificate_fault;
use crate::core::domain::clock::Clock;
use crate::core::domain::random::random;
use crate::core::registry::wire::QUESTION;
use crate::core::registry::{NoAnswer, RegistryUnavailable};

pub(super) const TOO_LARGE: RegistryUnavailable = RegistryUnavailable("its answer is too large");
const TO_ANOTHER: RegistryUnavailable = RegistryUnavailable("its answer is to another question");
const NOT_ACCEPTED: &str = "its certificate is no longer accepted";

/// The connections to one address.
pub(super) struct Channel {
    current: ArcSwap<Current>,
    server: ServerCheck,
    own: Arc<OwnKey>,
    tls: ClientConfig,
    names: Arc<Names>,
    connect_timeout: Duration,
}

/// The client in use, and in which generations of accepted certificates and of our own its connections were made.
struct Current {
    generation: u64,
    own: u64,
    client: Client,
}

impl Channel {
    /// Makes the client; nothing is sent yet.
    pub(super) fn new(config: &RegistryClientConfig, clock: Arc<dyn Clock>) -> Result<Self, RegistryClientError> {
        let tls = tls(config, clock)?;
        let names = Names::of_system();
        let client =
            client(&tls, &names, config.connect_timeout).map_err(|error| RegistryClientError::Client(error.without_url().to_string()))?;
        let (server, own) = (config.server.clone(), config.own.clone());
        let current = Current { generation: (server.generation)(), own: own.generation(), client };
        Ok(Self { current: ArcSwap::from_pointee(current), server, own, tls, names, connect_timeout: config.connect_timeout })
    }

    /// Sends one request and reads its answer: 200, JSON, at most `cap` bytes, within `limit`.
    pub(super) async fn send(
        &self,
        request: impl FnOnce(&Client) -> RequestBuilder,
        limit: Duration,
        cap: usize,
    ) -> Result<Vec<u8>, RegistryUnavailable> {
        let asked = self.current()?;
        let response = request(&asked.client).timeout(limit).send().await.map_err(|error| fault(&error))?;
        self.received(&asked, response, cap).await
    }

    /// The same, where the registry says again to which question the answer is ([`QUESTION`]).
    pub(super) async fn send_marked(
        &self,
        request: impl FnOnce(&Client) -> RequestBuilder,
        limit: Duration,
        cap: usize,
    ) -> Result<Vec<u8>, RegistryUnavailable> {
        let mark = random().map(u128::from_be_bytes).ok_or(RegistryUnavailable("no question can be made for it"))?;
        let mark = format!("{mark:032x}");
        let asked = self.current()?;
        let request = request(&asked.client).header(QUESTION, &mark).timeout(limit);
        let response = request.send().await.map_err(|error| fault(&error))?;
        if response.headers().get_all(QUESTION).iter().any(|said| said.as_bytes() != mark.as_bytes()) {
            // Whatever comes next over that connection may be to the question before it.
            self.give_up(&asked);
            return Err(TO_ANOTHER);
        }
        self.received(&asked, response, cap).await
    }

    async fn received(&self, asked: &Current, response: Response, cap: usize) -> Result<Vec<u8>, RegistryUnavailable> {
        let body = read(checked(response)?, cap).await?;
        // What was said over a connection that has lost our trust meanwhile does not count.
        if asked.generation != (self.server.generation)() {
            return Err(RegistryUnavailable(NOT_ACCEPTED));
        }
        Ok(body)
    }

    /// Uses no connection again that is there now: one that leads to where nobody is any more looks like any other.
    pub(super) fn connect_anew(&self) {
        self.give_up(&self.current.load_full());
    }

    /// Uses none of these connections again.
    fn give_up(&self, asked: &Current) {
        if let Ok(client) = client(&self.tls, &self.names, self.connect_timeout) {
            self.current.store(Arc::new(Current { generation: asked.generation, own: asked.own, client }));
        }
    }

    /// The client in use, if every certificate that its connections may have is still good, and ours is the one that they were made with; else a
    /// new one without any.
    fn current(&self) -> Result<Arc<Current>, RegistryUnavailable> {
        let (generation, own) = ((self.server.generation)(), self.own.generation());
        let current = self.current.load_full();
        if (current.generation, current.own) == (generation, own) {
            return Ok(current);
        }
        let client = client(&self.tls, &self.names, self.connect_timeout).map_err(|_| RegistryUnavailable(NOT_ACCEPTED))?;
        let anew = Arc::new(Current { generation, own, client });
        self.current.store(Arc::clone(&anew));
        metrics::counter!("estelam_registry_connections_dropped_total").increment(1);
        Ok(anew)
    }
}

/// What a failed exchange means for a look-up: how much there is to say of a number is that number's, the rest is the registry's.
pub(super) fn of_look_up(why: RegistryUnavailable) -> NoAnswer {
    if why == TOO_LARGE { NoAnswer::Number(why) } else { NoAnswer::Registry(why) }
}

fn client(tls: &ClientConfig, names: &Arc<Names>, connect_timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .https_only(true)
        .no_proxy()
        .dns_resolver(Arc::new(Resolver(Arc::clone(names))))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(20))
        .build()
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
