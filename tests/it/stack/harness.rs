//! One whole system on loopback at a chosen instant: registry, gateway, and clients that all read the same clock.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use estelam::adapters::clock::ManualClock;
use estelam::adapters::pki::{Credential, DevPki, TRUST_DOMAIN};
use estelam::adapters::tls::config::client_config;
use estelam::app::registry::RunningRegistry;
use estelam::app::review::{Against, review};
use estelam::app::{self, Listeners, Observability, Running};
use estelam::config::{Config, template};
use estelam::core::domain::clock::Clock;
use estelam::core::ledger::LogReader;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::workshop::{self, agency};

/// An ordinary working day long after every shipped decree: Azar 1405.
pub const TODAY: &str = "2026-11-23T12:00:00Z";
/// Seconds for which the harness uses a token again.
const TOKEN_USED_FOR_S: i64 = 240;
/// A bound on what should be soon, so that a failure is a failure and not a hang.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A reply, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body as JSON; null where it is something else.
    pub json: Value,
}

impl Reply {
    /// The problem's code or the reason's.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().or(self.json["reason"]["code"].as_str()).unwrap_or("none")
    }

    /// Decision and reason in one line.
    pub fn outcome(&self) -> String {
        format!("{} {}", self.json["decision"].as_str().unwrap_or("refused"), self.code())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Everything, running.
pub struct System {
    pub clock: Arc<ManualClock>,
    pub pki: DevPki,
    pub dir: tempfile::TempDir,
    pub config: Config,
    pub running: Running,
    /// The registry's process, as far as it is one here.
    registry: Mutex<Option<RunningRegistry>>,
    clients: Mutex<HashMap<String, Client>>,
    tokens: Mutex<HashMap<String, (String, Timestamp)>>,
}

impl System {
    /// The system on [`TODAY`], its registry holding the fixtures.
    pub async fn today() -> Self {
        Self::at(TODAY, "").await
    }

    /// The system on [`TODAY`] with another configuration.
    pub async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        Self::build(TODAY, "", change).await
    }

    /// The system at an instant, with more people (NDJSON) than the fixtures.
    pub async fn at(now: &str, people: &str) -> Self {
        Self::with(now, people, |_| ()).await
    }

    /// The same with a configuration that is changed before the start.
    pub async fn with(now: &str, people: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::build(now, people, change).await
    }

    async fn build(now: &str, people: &str, change: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(ManualClock::new(instant(now)));
        let dir = tempfile::tempdir().unwrap();
        let pki = workshop::install(dir.path(), &clock, people);
        let (registry, port) = start_registry(dir.path(), TcpListener::bind("127.0.0.1:0").unwrap(), &clock);
        let (config, running) = start_gateway(dir.path(), port, &clock, change).await;
        let registry = Mutex::new(Some(registry));
        Self { clock, pki, dir, config, running, registry, clients: Mutex::default(), tokens: Mutex::default() }
    }

    /// Stops the gateway and starts it again, on other ports; the registry stays up. `meanwhile` gets the log's folder.
    pub async fn restarted(self, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        let port = self.registry_address().rsplit(':').next().unwrap().parse().unwrap();
        let Self { clock, pki, dir, config, running, registry, .. } = self;
        running.stop().await;
        meanwhile(&config.ledger.dir);
        let (config, running) = start_gateway(dir.path(), port, &clock, |_| ()).await;
        Self { clock, pki, dir, config, running, registry, clients: Mutex::default(), tokens: Mutex::default() }
    }

    /// Stops the gateway and starts it again with another configuration.
    pub async fn restarted_with(self, change: impl FnOnce(&mut Config)) -> Self {
        let system = self.restarted_unready(change).await;
        system.running.until_ready().await.unwrap();
        system
    }

    /// The same without waiting until it can answer: perhaps it never will.
    pub async fn restarted_unready(self, change: impl FnOnce(&mut Config)) -> Self {
        let port = self.registry_address().rsplit(':').next().unwrap().parse().unwrap();
        let Self { clock, pki, dir, running, registry, .. } = self;
        running.stop().await;
        let (config, running) = launch(dir.path(), port, &clock, change).await;
        Self { clock, pki, dir, config, running, registry, clients: Mutex::default(), tokens: Mutex::default() }
    }

    /// Stops the gateway and starts it again under a name that it had before: what was made for that is still for it.
    pub async fn restarted_as(self, issuer: String) -> Self {
        let port = self.registry_address().rsplit(':').next().unwrap().parse().unwrap();
        let Self { clock, pki, dir, running, registry, .. } = self;
        running.stop().await;
        let (config, running) = start_gateway(dir.path(), port, &clock, |config| config.issuer = issuer).await;
        let address = config.listen.gateway.port();
        let mut system = Self { clock, pki, dir, config, running, registry, clients: Mutex::default(), tokens: Mutex::default() };
        // Where it listens now; its name is for tokens and signatures.
        system.config.issuer = format!("https://localhost:{address}");
        system
    }

    /// Stops everything; what is left over would be a failure.
    ///
    /// Before that every query that the system recorded is decided again under its own versions: it must be answered the same.
    pub async fn stop(self) {
        let review = review(&self.config, Timestamp::MIN, Timestamp::MAX, &Against::Recorded, &mut |_, _| ()).unwrap();
        assert_eq!(review.different, [], "replay disagrees with what was answered");
        self.stop_registry().await;
        self.running.stop().await;
    }

    /// Stops the registry, its listener and its connections.
    pub async fn stop_registry(&self) {
        let registry = self.registry.lock().unwrap().take();
        if let Some(registry) = registry {
            registry.break_off().await;
        }
    }

    /// Has the registry push what changes to the gateway, from now on.
    pub fn push(&self) {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let gateway = self.config.issuer.clone();
        self.registry.lock().unwrap().as_mut().unwrap().push_to(self.dir.path(), &[gateway], &clock).unwrap();
    }

    /// The registry, to be stopped as its own process stops.
    pub fn take_registry(&self) -> RunningRegistry {
        self.registry.lock().unwrap().take().unwrap()
    }

    /// Tells whenever the registry has read its revocation lists again.
    pub fn registry_list_reads(&self) -> tokio::sync::watch::Receiver<u64> {
        self.registry.lock().unwrap().as_ref().unwrap().list_reads()
    }

    /// Where the gateway looks for the registry.
    pub fn registry_address(&self) -> String {
        self.config.registry.url.strip_prefix("https://").unwrap().replace("localhost", "127.0.0.1")
    }

    /// Starts the registry again where it was.
    pub fn start_registry(&self) {
        let listener = TcpListener::bind(self.registry_address()).unwrap();
        *self.registry.lock().unwrap() = Some(start_registry(self.dir.path(), listener, &self.clock).0);
    }

    /// The same with a clock of its own.
    pub fn start_registry_by(&self, clock: &Arc<ManualClock>) {
        let listener = TcpListener::bind(self.registry_address()).unwrap();
        *self.registry.lock().unwrap() = Some(start_registry(self.dir.path(), listener, clock).0);
    }

    /// Moves the clock.
    pub fn set(&self, now: &str) {
        self.clock.set(instant(now));
    }

    /// Moves the clock on.
    pub fn advance(&self, seconds: i64) {
        self.clock.set(self.clock.now() + jiff::SignedDuration::from_secs(seconds));
    }

    /// Look-ups that the registry was asked for.
    pub fn look_ups(&self) -> u64 {
        self.registry.lock().unwrap().as_ref().map_or(0, |registry| registry.state().look_ups())
    }

    /// Durable entries of the access log.
    pub fn entries(&self) -> u64 {
        self.running.parts().ledger.size()
    }

    /// Changes the registry's store as its own tools would.
    pub fn registry_store<T>(&self, work: impl FnOnce(&estelam::registry::store::Store) -> T) -> T {
        let state = self.registry.lock().unwrap().as_ref().unwrap().state().clone();
        work(state.store())
    }

    /// A request of a certificate's folder to a path of the gateway, without a token.
    pub fn request(&self, folder: &str, method: &str, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.config.issuer);
        self.client(folder).request(Method::from_bytes(method.as_bytes()).unwrap(), url)
    }

    /// A verification query as it leaves an agency, with its own token.
    pub async fn query(&self, agency: &str, body: &Value) -> RequestBuilder {
        let token = self.token(agency).await;
        self.request(agency, "POST", "/v1/verify").bearer_auth(token).header(CONTENT_TYPE, "application/json").body(body.to_string())
    }

    /// Asks, and reads the reply.
    pub async fn ask(&self, agency: &str, body: &Value) -> Reply {
        send(self.query(agency, body).await).await
    }

    /// A token of an agency (or of `AGENCY.BRANCH`), used again for as long as it is good.
    pub async fn token(&self, folder: &str) -> String {
        let now = self.clock.now();
        let known = self.tokens.lock().unwrap().get(folder).cloned();
        let fresh = |at: Timestamp| (0..TOKEN_USED_FOR_S).contains(&now.duration_since(at).as_secs());
        if let Some((token, _)) = known.filter(|(_, at)| fresh(*at)) {
            return token;
        }
        let token = self.new_token(folder).await;
        self.tokens.lock().unwrap().insert(folder.to_owned(), (token.clone(), now));
        token
    }

    /// Has agencies ask for new tokens.
    pub fn forget_tokens(&self) {
        self.tokens.lock().unwrap().clear();
    }

    /// A new token.
    pub async fn new_token(&self, folder: &str) -> String {
        let reply =
            send(self.request(folder, "POST", "/oauth2/token").header(CONTENT_TYPE, FORM).body("grant_type=client_credentials")).await;
        assert_eq!(reply.status, 200, "{}", reply.json);
        reply.json["access_token"].as_str().unwrap().to_owned()
    }

    /// The client with the certificate in a folder of the PKI; issued if it is an agency's, a branch's or one of our own parts' and not there yet.
    pub fn client(&self, folder: &str) -> Client {
        self.clients.lock().unwrap().entry(folder.to_owned()).or_insert_with(|| self.client_of(&self.credential(folder))).clone()
    }

    /// A client with a credential from elsewhere.
    pub fn client_of(&self, credential: &Credential) -> Client {
        let tls = client_config(&self.pki.ca(), &credential.cert, &credential.key, self.clock.clone()).unwrap();
        client_with(tls)
    }

    /// The credential of an agency (or of `AGENCY.BRANCH`).
    pub fn credential(&self, folder: &str) -> Credential {
        if let Some(part) = folder.strip_suffix("-client") {
            return self.pki.issue_service(part).unwrap();
        }
        let (name, branch) = folder.split_once('.').map_or((folder, None), |(name, branch)| (name, Some(branch)));
        self.pki.issue_agency(&agency(name), branch).unwrap()
    }

    /// The challenge of a refusal: RFC 6750 §3, and where the metadata is (RFC 9728 §5.1).
    pub fn challenge(&self, error: &str) -> String {
        let error = if error.is_empty() { String::new() } else { format!(r#", error="{error}""#) };
        let metadata = format!("{}/.well-known/oauth-protected-resource", self.config.issuer);
        format!(r#"Bearer realm="estelam"{error}, resource_metadata="{metadata}""#)
    }

    /// Waits for something that the system does by itself.
    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(tokio::time::Instant::now() < deadline, "never came: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The media type of a token request.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A client with TLS settings of its own and no proxy.
pub fn client_with(tls: rustls::ClientConfig) -> Client {
    Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Sends a request and reads the reply whole.
pub async fn send(request: RequestBuilder) -> Reply {
    try_send(request).await.unwrap()
}

/// The same, for requests that may find no connection.
pub async fn try_send(request: RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await?.to_vec();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Reply { status, headers, body, json })
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start_registry(dir: &std::path::Path, listener: TcpListener, clock: &Arc<ManualClock>) -> (RunningRegistry, u16) {
    let port = listener.local_addr().unwrap().port();
    (app::registry::serve(dir, TRUST_DOMAIN, listener, clock.clone()).unwrap(), port)
}

async fn start_gateway(
    dir: &std::path::Path,
    registry_port: u16,
    clock: &Arc<ManualClock>,
    change: impl FnOnce(&mut Config),
) -> (Config, Running) {
    let (config, running) = launch(dir, registry_port, clock, change).await;
    running.until_ready().await.unwrap();
    (config, running)
}

/// Starts the gateway, ready or not.
async fn launch(
    dir: &std::path::Path,
    registry_port: u16,
    clock: &Arc<ManualClock>,
    change: impl FnOnce(&mut Config),
) -> (Config, Running) {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners = Listeners { gateway: bind(), public: bind(), ops: bind() };
    let mut config = configure(dir, &listeners, registry_port);
    change(&mut config);
    let running = app::start(config.clone(), listeners, clock.clone(), Observability::detached().unwrap()).await.unwrap();
    (config, running)
}

fn configure(dir: &std::path::Path, listeners: &Listeners, registry_port: u16) -> Config {
    let [gateway, public, ops] = [&listeners.gateway, &listeners.public, &listeners.ops].map(|listener| listener.local_addr().unwrap());
    let mut config = Config::parse(&template(gateway, public, ops, registry_port, 1), &dir.join("estelam.toml")).unwrap();
    config.limits.workers = 1;
    config.limits.flood_hold_ms = 5;
    config
}
