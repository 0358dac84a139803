//! Revocation lists from URLs: each source is asked on its own, so that one that is blocked, slow or full of rubbish is no loss.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, Response, StatusCode};

/// Largest list that is read, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// How long one fetch may take in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// A source that keeps failing is asked at least this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Tries a list that came from a source, by the source's name; the error is one line.
pub type Offer = Arc<dyn Fn(&str, &[u8]) -> Result<(), String> + Send + Sync>;

/// Is told by its name when a source has failed for long (true), and when it gives lists again (false).
pub type Told = Arc<dyn Fn(&str, bool) + Send + Sync>;

/// Failures in a row after which a source counts as lost.
const LOST_AFTER: u32 = 3;

/// One source.
pub struct CrlSource {
    client: Client,
    url: String,
    /// How it is called wherever somebody may read it.
    name: String,
    every: Duration,
    offer: Offer,
    told: Told,
    seen: Option<Validators>,
    failures: u32,
}

/// What a source said about the list that it gave last.
struct Validators {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl CrlSource {
    /// A source that is asked `every` so often. `tls` is used for `https://`; lists are signed, so `http://` is as good.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn new(url: &str, every: Duration, tls: rustls::ClientConfig, (offer, told): (Offer, Told)) -> Result<Self, String> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| format!("no client for revocation lists: {error}"))?;
        Ok(Self { client, url: url.to_owned(), name: name_of(url), every, offer, told, seen: None, failures: 0 })
    }

    /// Fetches for ever, until the task is dropped.
    pub async fn run(mut self) {
        loop {
            self.once().await;
            tokio::time::sleep(self.pause()).await;
        }
    }

    async fn once(&mut self) {
        match self.fetch().await {
            Ok(()) => {
                if std::mem::take(&mut self.failures) >= LOST_AFTER {
                    self.tell(false).await;
                }
            }
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                metrics::counter!("estelam_crl_fetch_errors_total", "source" => self.name.clone()).increment(1);
                if self.failures == LOST_AFTER {
                    self.tell(true).await;
                }
                // Once, and then now and again: a source that is down for a day must not fill the log.
                if self.failures.is_power_of_two() {
                    tracing::warn!(source = %self.name, failures = self.failures, "no revocation list from this source: {why}");
                }
            }
        }
    }

    async fn tell(&self, lost: bool) {
        let (told, name) = (self.told.clone(), self.name.clone());
        // What is told is recorded, which blocks.
        let _ = tokio::task::spawn_blocking(move || told(&name, lost)).await;
    }

    fn pause(&self) -> Duration {
        let doubled = self.every.saturating_mul(1 << self.failures.min(8));
        doubled.min(LONGEST_PAUSE.max(self.every))
    }

    async fn fetch(&mut self) -> Result<(), String> {
        let mut request = self.client.get(&self.url);
        if let Some(seen) = &self.seen {
            for (name, value) in [(IF_NONE_MATCH, &seen.etag), (IF_MODIFIED_SINCE, &seen.modified)] {
                request = value.iter().fold(request, |request, value| request.header(name.clone(), value.clone()));
            }
        }
        let response = request.send().await.map_err(|error| error.without_url().to_string())?;
        match response.status() {
            StatusCode::NOT_MODIFIED => Ok(()),
            StatusCode::OK => self.take(response).await,
            other => Err(format!("HTTP {}", other.as_u16())),
        }
    }

    async fn take(&mut self, mut response: Response) -> Result<(), String> {
        let header = |name| response.headers().get(name).cloned();
        let validators = Validators { etag: header(ETAG), modified: header(LAST_MODIFIED) };
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
            if bytes.len().saturating_add(chunk.len()) > LARGEST {
                return Err("larger than 16 MiB".to_owned());
            }
            bytes.extend_from_slice(&chunk);
        }
        let (offer, name) = (self.offer.clone(), self.name.clone());
        // Trying a large list takes time that other tasks need.
        let outcome = tokio::task::spawn_blocking(move || offer(&name, &bytes)).await;
        outcome.map_err(|_| "the list could not be tried".to_owned())??;
        self.seen = Some(validators);
        Ok(())
    }
}

/// A URL without what may be a secret in it: user, password, query.
fn name_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn no_secret_of_a_url_is_in_the_name_of_its_source() {
        assert_eq!(name_of("https://user:word@lists.example:8443/ca.crl?key=word#word"), "https://lists.example:8443/ca.crl");
        assert_eq!(name_of("http://lists.example"), "http://lists.example");
    }

    #[tokio::test]
    async fn whoever_hears_of_a_source_hears_no_secret_of_its_url() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        let told: Told = Arc::new(move |source, lost| hears.lock().unwrap().push((source.to_owned(), lost)));
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let tls = tls.with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let url = "http://user:word@127.0.0.1:1/list.crl?key=word";
        let offer: Offer = Arc::new(|_, _| Ok(()));
        let mut source = CrlSource::new(url, Duration::ZERO, tls, (offer, told)).unwrap();
        for _ in 0..LOST_AFTER {
            source.once().await;
        }
        assert_eq!(*heard.lock().unwrap(), [("http://127.0.0.1:1/list.crl".to_owned(), true)]);
        assert_eq!((&*source.name, &*source.url), ("http://127.0.0.1:1/list.crl", url), "it is still asked for what it wants");
    }
}
