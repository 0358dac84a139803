//! Alerts to somebody outside, as Security Event Tokens pushed over HTTPS (RFC 8417, RFC 8935): from a durable outbox, again and again until
//! the receiver took them. Nothing ever waits for it.

mod outbox;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, StatusCode, Url};

pub use self::outbox::{Outbox, Stored};
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::signing::AlertEvent;

/// The first wait after a failure, doubled each time up to the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Signs an alert; `None` when the signer fails.
pub type Sign = Box<dyn Fn(&AlertEvent) -> Option<String> + Send + Sync>;
/// Makes a client that goes to no address and trusts no root but those that are meant. Files are read again each time.
pub type MakeClient = Box<dyn Fn() -> Result<Client, String> + Send + Sync>;

/// Carries the outbox to its one receiver.
pub struct Courier {
    outbox: Arc<Outbox>,
    url: Url,
    sign: Sign,
    client: MakeClient,
}

/// How one push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// The receiver has it.
    Taken,
    /// The receiver says that it is wrong (RFC 8935 §2.3); sending it again would change nothing.
    Refused,
    /// Later, perhaps.
    Failed(&'static str),
}

impl Courier {
    /// A courier; nothing is sent yet.
    pub fn new(outbox: Arc<Outbox>, url: Url, sign: Sign, client: MakeClient) -> Self {
        Self { outbox, url, sign, client }
    }

    /// Sends what waits, oldest first, until the task is dropped.
    pub async fn keep(self) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.round().await {
                Ok(()) => {
                    wait = FIRST_WAIT;
                    self.outbox.filled().await;
                }
                Err(why) => {
                    metrics::counter!("estelam_webhook_failures_total").increment(1);
                    tracing::warn!(why, wait_s = wait.as_secs(), "alerts cannot be delivered to the webhook; they wait in its outbox");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Sends all that waits now.
    ///
    /// # Errors
    /// Why one could not be delivered; it and those after it still wait.
    pub async fn round(&self) -> Result<(), &'static str> {
        for stored in self.outbox.waiting() {
            match self.push(&stored.event).await {
                Push::Taken => self.outbox.taken(&stored),
                Push::Refused => {
                    metrics::counter!("estelam_alarms_total", "alarm" => "webhook-refused").increment(1);
                    tracing::error!("the webhook refused an alert; it is kept in `refused`, and stays in the access log");
                    self.outbox.refused(&stored);
                }
                Push::Failed(why) => return Err(why),
            }
        }
        Ok(())
    }

    async fn push(&self, event: &AlertEvent) -> Push {
        let Some(token) = (self.sign)(event) else { return Push::Failed("the signer failed") };
        let Ok(client) = (self.client)() else { return Push::Failed("the client cannot be made; look at `alerts.ca` and `alerts.crls`") };
        let request = client
            .post(self.url.clone())
            .header(CONTENT_TYPE, format!("application/{}", JwtKind::SecurityEvent.typ()))
            .header(ACCEPT, "application/json")
            .body(token);
        match request.send().await.map(|response| response.status()) {
            Ok(StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT) => Push::Taken,
            Ok(StatusCode::BAD_REQUEST) => Push::Refused,
            Ok(status) if status.is_redirection() => Push::Failed("it answered with a redirect, which is not followed"),
            Ok(_) => Push::Failed("it answered with an error"),
            Err(error) if error.is_timeout() => Push::Failed("it took too long"),
            Err(_) => Push::Failed("it cannot be reached, has an address that is not public, or its certificate is not accepted"),
        }
    }
}
