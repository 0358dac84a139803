//! The registry over mutual TLS (contract §5). Whatever is odd about an answer makes it no answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Url};
use serde::de::DeserializeOwned;

use super::channel::{Channel, of_look_up};
use super::config::{KeepDecrees, RegistryClientConfig, RegistryClientError};
use super::signed::{JudgeDecrees, SignedDecrees};
use super::upstream::{Changes, Fetched, FetchedDecrees, Key, Position, Upstream};
use crate::core::domain::clock::Clock;
use crate::core::domain::decree::DecreeSet;
use crate::core::registry::convert::persons_from;
use crate::core::registry::event::MAX_SUBJECT;
use crate::core::registry::holder::{CodeAnswer, CodeRequest, OpenAnswer, OpenRequest};
use crate::core::registry::version::version_of;
use crate::core::registry::wire::{ChangesAnswer, DecreesAnswer, IdentifiersAnswer, LookupAnswer, LookupFrame, LookupRequest};
use crate::core::registry::{KnownPerson, NoAnswer, RegistryUnavailable, timely};

/// Largest answer to a look-up, in bytes.
pub(super) const LOOKUP_CAP: usize = 256 << 10;
const NOT_THE_CONTRACT: RegistryUnavailable = RegistryUnavailable("its answer is not what the contract says");
const NOT_UNDERSTOOD: RegistryUnavailable = RegistryUnavailable("a record in its answer is not understood");
const CUT_SHORT: RegistryUnavailable = RegistryUnavailable("its answer ends before it shows that there are several people");
/// Largest list of decrees or changes, in bytes.
const LIST_CAP: usize = 4 << 20;
/// Longest name of a register's past, in bytes.
const MAX_HISTORY: usize = 128;
/// Largest answer that names a handle, in bytes.
const SMALL_CAP: usize = 1 << 10;

/// The client. It remembers nothing but its connections.
pub struct HttpRegistry {
    channel: Channel,
    lookup: Url,
    identifiers: Url,
    holder_code: Url,
    holder_open: Url,
    decrees: Url,
    changes: Url,
    timeout: Duration,
    judge_decrees: Option<JudgeDecrees>,
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
        let at = |path: &str| base.join(path).map_err(|_| RegistryClientError::Address(address.to_owned()));
        Ok(Self {
            channel: Channel::new(config, Arc::clone(&clock))?,
            lookup: at("registry/v1/lookup")?,
            identifiers: at("registry/v1/identifiers")?,
            holder_code: at("registry/v1/holder-code")?,
            holder_open: at("registry/v1/holder-open")?,
            decrees: at("registry/v1/decrees")?,
            changes: at("registry/v1/changes")?,
            timeout: config.timeout,
            judge_decrees: config.judge_decrees.clone(),
            keep_decrees: config.keep_decrees.clone(),
            clock,
        })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: impl FnOnce(&Client) -> RequestBuilder,
        limit: Duration,
        cap: usize,
    ) -> Result<T, RegistryUnavailable> {
        let body = self.channel.send_marked(request, limit, cap).await?;
        serde_json::from_slice(&body).map_err(|_| NOT_THE_CONTRACT)
    }

    /// What the signatures under a list come to.
    async fn judged(&self, answer: DecreesAnswer) -> Result<(DecreesAnswer, SignedDecrees), RegistryUnavailable> {
        let Some(judge) = self.judge_decrees.clone() else { return Ok((answer, SignedDecrees::default())) };
        let judging = tokio::task::spawn_blocking(move || {
            let signed = judge(&answer);
            (answer, signed)
        });
        judging.await.map_err(|_| RegistryUnavailable("who signed its decrees cannot be told"))
    }

    fn timely(&self, as_of: Timestamp, asked: Timestamp) -> Result<Timestamp, RegistryUnavailable> {
        timely(as_of, asked, self.clock.now())
    }
}

#[async_trait]
impl Upstream for HttpRegistry {
    async fn look_up(&self, key: &Key) -> Result<Fetched, NoAnswer> {
        let asked = self.clock.now();
        let body = LookupRequest { scheme: key.scheme().into(), value: key.value().into() };
        let request = |client: &Client| client.post(self.lookup.clone()).json(&body);
        let answer = lookup_answer(&self.channel.send_marked(request, self.timeout, LOOKUP_CAP).await.map_err(of_look_up)?)?;
        let as_of = self.timely(answer.as_of, asked)?;
        let persons = persons_from(&answer).map_err(|_| NoAnswer::Number(NOT_UNDERSTOOD))?;
        if answer.subject.is_empty() || answer.subject.len() > MAX_SUBJECT {
            return Err(RegistryUnavailable("its answer names no usable subject").into());
        }
        if answer.more && persons.iter().filter(|person| !person.blocked).count() < 2 {
            return Err(NoAnswer::Number(CUT_SHORT));
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
        Ok(answer.persons.into_iter().map(|person| KnownPerson { identifiers: person.identifiers, minor: person.minor }).collect())
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

    fn connect_anew(&self) {
        self.channel.connect_anew();
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
        let (answer, signed) = self.judged(answer).await?;
        let keep = self.keep_decrees.as_ref().filter(|_| signed.unsigned.is_empty());
        if let Some(Err(error)) = keep.map(|keep| keep(&answer)) {
            tracing::error!(%error, "the decrees cannot be kept for later, so they are not used");
            return Err(RegistryUnavailable("its decrees cannot be kept"));
        }
        set.as_of = as_of;
        let position = Position { cursor: answer.cursor, history: history(answer.history)?.map(String::into_boxed_str) };
        Ok(FetchedDecrees { position, set, signed })
    }

    async fn changes(&self, after: &Position, hold: Duration) -> Result<Changes, RegistryUnavailable> {
        let mut url = self.changes.clone();
        url.query_pairs_mut().append_pair("after", &after.cursor.to_string()).append_pair("wait", &hold.as_secs().to_string());
        // A registry that tells none is not asked with one.
        if let Some(history) = &after.history {
            url.query_pairs_mut().append_pair("history", history);
        }
        let answer: ChangesAnswer = self.ask(|client| client.get(url), hold + self.timeout * 2, LIST_CAP).await?;
        let ChangesAnswer { cursor, subjects, decrees, everything, history: told, rewritten } = answer;
        Ok(Changes { cursor, subjects, decrees, everything, history: history(told)?, rewritten })
    }
}

/// It is said again in the URL of each poll.
fn history(told: Option<String>) -> Result<Option<String>, RegistryUnavailable> {
    let formed = |history: &String| (1..=MAX_HISTORY).contains(&history.len());
    if told.as_ref().is_none_or(formed) { Ok(told) } else { Err(NOT_THE_CONTRACT) }
}

/// Reads the answer to a look-up. One of which all but the people can be read says nothing against the registry.
fn lookup_answer(body: &[u8]) -> Result<LookupAnswer, NoAnswer> {
    serde_json::from_slice(body).map_err(|_| match serde_json::from_slice::<LookupFrame>(body) {
        Ok(_) => NoAnswer::Number(NOT_UNDERSTOOD),
        Err(_) => NoAnswer::Registry(NOT_THE_CONTRACT),
    })
}

fn base_url(text: &str) -> Result<Url, RegistryClientError> {
    let bad = || RegistryClientError::Address(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let plain = url.scheme() == "https" && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if plain && anonymous { Ok(url) } else { Err(bad()) }
}
