//! Fetches the keys that an outside issuer publishes: over HTTPS to its one address, without redirects, small, and quickly or not at all.

mod address;
mod outward;
mod tls;

use std::sync::Arc;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};

pub use self::outward::{Outward, OutwardSettings};
use crate::core::domain::clock::Clock;
use crate::core::domain::jwk::{JwkRejected, PublicJwk, published_now};

/// Largest key set, in bytes.
const MAX_SET: usize = 64 << 10;

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
pub struct JwksSource(Outward);

impl JwksSource {
    /// A source; nothing is sent yet.
    ///
    /// # Errors
    /// The URL is not a plain `https://` one, its host is an address that is not public, or the roots cannot be used.
    pub fn new(settings: OutwardSettings, clock: Arc<dyn Clock>) -> Result<Self, FetchFailed> {
        Outward::new("jwks_url", settings, clock).map(Self)
    }

    /// Fetches the keys.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn fetch(&self) -> Result<Vec<PublicJwk>, FetchFailed> {
        let response = self.0.client()?.get(self.0.url().clone()).send().await.map_err(|error| fault(&error))?;
        let body = read(checked(response)?).await?;
        published_now(&body).map_err(|JwkRejected(why)| FetchFailed::new(why))
    }
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
