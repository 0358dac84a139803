//! A social-protection registry over mutual TLS (SPDCI, [`crate::core::registry::spdci`]): the second protocol behind the port. It knows
//! people and nothing else: no decrees, no changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Url};

use super::channel::{Channel, of_look_up};
use super::config::{RegistryClientConfig, RegistryClientError};
use super::http::LOOKUP_CAP;
use super::upstream::{Fetched, Key, Upstream};
use crate::core::domain::clock::Clock;
use crate::core::domain::jws::{self, ForeignJws};
use crate::core::registry::spdci::{Answer, Asked, Envelope, Ids, Terms, check_signature_kind, envelope, payload};
use crate::core::registry::{KnownPerson, NoAnswer, RegistryUnavailable};
use crate::core::signing::Signer;

/// `typ` of our signatures: a compact JWS and no more (RFC 7515 §4.1.9). Only an answer that was asked for is read, and
/// no token of a kind of ours.
const TYP: &str = "JOSE";
/// Largest access token, in bytes.
const TOKEN_CAP: usize = 8 << 10;
const NO_TOKEN: RegistryUnavailable = RegistryUnavailable("the access token for it cannot be read");
const NOT_MADE: RegistryUnavailable = RegistryUnavailable("a search for it could not be made");

/// Whether one of the registry's keys made a signature.
pub type VerifySignature = Arc<dyn Fn(&ForeignJws<'_>) -> bool + Send + Sync>;

/// Where people are looked up, where that is not the registry of the decrees.
pub struct PeopleConfig {
    /// How it is reached; what is said there of changes and decrees is not used.
    pub client: RegistryClientConfig,
    /// What was agreed on.
    pub terms: Terms,
    /// Signs what is asked.
    pub signer: Arc<dyn Signer>,
    /// Checks what is answered.
    pub verify: VerifySignature,
    /// File with the access token, if it wants one; read for each look-up, so that whoever renews it need tell nobody.
    pub token: Option<PathBuf>,
}

/// The client of one address. It remembers nothing but its connections.
pub(super) struct SpdciRegistry {
    channel: Channel,
    search: Url,
    config: Arc<PeopleConfig>,
    /// The protected header of our signatures.
    header: String,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl SpdciRegistry {
    /// A client for one address, to which `/registry/sync/search` is added; nothing is sent yet.
    ///
    /// # Errors
    /// [`RegistryClientError`] when the address, the certificates or the key cannot be used.
    pub(super) fn new(config: &Arc<PeopleConfig>, address: &str, clock: Arc<dyn Clock>) -> Result<Self, RegistryClientError> {
        let bad = || RegistryClientError::Address(address.to_owned());
        let search = Url::parse(&format!("{}/registry/sync/search", address.trim_end_matches('/'))).map_err(|_| bad())?;
        let plain = search.scheme() == "https" && search.query().is_none() && search.fragment().is_none();
        if !plain || !search.username().is_empty() || search.password().is_some() {
            return Err(bad());
        }
        let header = jws::encoded_header(config.signer.algorithm().jose(), TYP, config.signer.key_id());
        let header = header.map_err(|error| RegistryClientError::Client(error.to_string()))?;
        let channel = Channel::new(&config.client, Arc::clone(&clock))?;
        Ok(Self { channel, search, config: Arc::clone(config), header, clock, timeout: config.client.timeout })
    }

    /// Asks, and verifies what comes.
    async fn answer(&self, asked: &Asked<'_>, limit: Duration) -> Result<Answer, NoAnswer> {
        let body = self.signed(asked)?;
        let token = self.token().await?;
        let request = |client: &reqwest::Client| {
            let request = client.post(self.search.clone()).header(CONTENT_TYPE, "application/json").body(body);
            token.into_iter().fold(request, |request: RequestBuilder, token| request.header("authorization", token))
        };
        let envelope = Envelope::parse(&self.channel.send(request, limit, LOOKUP_CAP).await.map_err(of_look_up)?)?;
        let jws = ForeignJws::parse_any(envelope.signature(), LOOKUP_CAP)
            .map_err(|_| RegistryUnavailable("its answer's signature is no compact JWS that is accepted"))?;
        check_signature_kind(jws.typ.as_deref())?;
        if !(self.config.verify)(&jws) {
            return Err(RegistryUnavailable("its answer is not signed with its key").into());
        }
        let payload = jws.payload;
        Ok(envelope.signed_over(&payload)?)
    }

    fn signed(&self, asked: &Asked<'_>) -> Result<Vec<u8>, RegistryUnavailable> {
        let payload = payload(asked)?;
        let input = jws::signing_input(&self.header, &payload);
        let signature = self.config.signer.sign(input.as_bytes()).map_err(|_| NOT_MADE)?;
        Ok(envelope(&payload, &jws::finish(input, &signature)))
    }

    /// `Authorization` of the description (`securitySchemes`), as a value that no log shows.
    async fn token(&self) -> Result<Option<HeaderValue>, RegistryUnavailable> {
        let Some(file) = &self.config.token else { return Ok(None) };
        let text = tokio::fs::read_to_string(file).await.map_err(|_| NO_TOKEN)?;
        let token = text.trim_ascii();
        if token.is_empty() || token.len() > TOKEN_CAP {
            return Err(NO_TOKEN);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| NO_TOKEN)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn asked<'a>(&'a self, key: &'a Key, ids: &'a Ids) -> Result<Asked<'a>, RegistryUnavailable> {
        let terms = &self.config.terms;
        let id_type = terms.identifiers.get(key.scheme()).ok_or(NOT_MADE)?;
        Ok(Asked { terms, ids, id_type, value: key.value(), at: self.clock.now() })
    }
}

#[async_trait]
impl Upstream for SpdciRegistry {
    fn takes(&self, scheme: &str) -> bool {
        self.config.terms.identifiers.contains_key(scheme)
    }

    async fn look_up(&self, key: &Key) -> Result<Fetched, NoAnswer> {
        let ids = Ids::draw().ok_or(NOT_MADE)?;
        let asked = self.asked(key, &ids)?;
        let (as_of, persons) = self.answer(&asked, self.timeout).await?.persons(&asked, self.clock.now())?;
        // No feed names the subject, and no change of the other registry's overtakes what this one says.
        Ok(Fetched { version: u64::MAX, as_of, subject: Box::default(), persons: persons.into() })
    }

    fn connect_anew(&self) {
        self.channel.connect_anew();
    }

    async fn identifiers(&self, key: &Key) -> Result<Vec<KnownPerson>, RegistryUnavailable> {
        // It has no word for such numbers, and so knows nobody by one: there are no others to follow.
        if !self.takes(key.scheme()) {
            return Ok(Vec::new());
        }
        let ids = Ids::draw().ok_or(NOT_MADE)?;
        let asked = self.asked(key, &ids)?;
        // An officer waits for it, nobody at a counter.
        let answer = self.answer(&asked, self.timeout * 4).await.map_err(NoAnswer::why)?;
        let people = answer.identities(&asked, self.clock.now())?;
        Ok(people.into_iter().map(|person| KnownPerson { identifiers: person.identifiers, minor: person.minor }).collect())
    }
}
