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

/// Tries a list that came from a source; the error is one line.
pub type Offer = Arc<dyn Fn(&str, &[u8]) -> Result<(), String> + Send + Sync>;

/// Is told when a source has failed for long (true), and when it gives lists again (false).
pub type Told = Arc<dyn Fn(&str, bool) + Send + Sync>;

/// Failures in a row after which a source counts as lost.
const LOST_AFTER: u32 = 3;

/// One source.
pub struct CrlSource {
    client: Client,
    url: String,
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
        Ok(Self { client, url: url.to_owned(), every, offer, told, seen: None, failures: 0 })
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
                metrics::counter!("estelam_crl_fetch_errors_total", "source" => self.url.clone()).increment(1);
                if self.failures == LOST_AFTER {
                    self.tell(true).await;
                }
                // Once, and then now and again: a source that is down for a day must not fill the log.
                if self.failures.is_power_of_two() {
                    tracing::warn!(source = %self.url, failures = self.failures, "no revocation list from this source: {why}");
                }
            }
        }
    }

    async fn tell(&self, lost: bool) {
        let (told, url) = (self.told.clone(), self.url.clone());
        // What is told is recorded, which blocks.
        let _ = tokio::task::spawn_blocking(move || told(&url, lost)).await;
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
        let (offer, url) = (self.offer.clone(), self.url.clone());
        // Trying a large list takes time that other tasks need.
        let outcome = tokio::task::spawn_blocking(move || offer(&url, &bytes)).await;
        outcome.map_err(|_| "the list could not be tried".to_owned())??;
        self.seen = Some(validators);
        Ok(())
    }
}
