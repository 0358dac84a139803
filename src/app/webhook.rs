//! The webhook from the configuration: its outbox, and the courier that empties it.

use std::sync::Arc;

use super::StartError;
use crate::adapters::issuers::{Outward, OutwardSettings};
use crate::adapters::keys::KeyStore;
use crate::adapters::webhook::{Courier, Outbox};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::signing::security_event;

/// The outbox and its courier; none where no webhook is configured.
///
/// # Errors
/// What of `[alerts]` cannot be used.
pub(super) fn open(config: &Config, keys: &Arc<KeyStore>, clock: &Arc<dyn Clock>) -> Result<Option<(Arc<Outbox>, Courier)>, StartError> {
    let Some(alerts) = &config.alerts else { return Ok(None) };
    let settings = OutwardSettings {
        url: alerts.url.clone(),
        ca: alerts.ca.clone(),
        crls: alerts.crls.clone(),
        private_addresses: alerts.private_addresses,
    };
    let way = Outward::new("alerts.url", settings, clock.clone()).map_err(|error| StartError(error.to_string()))?;
    let opened = Outbox::open(alerts.outbox.clone());
    let outbox = Arc::new(opened.map_err(|error| StartError(format!("`{}` cannot be an outbox: {error}", alerts.outbox.display())))?);
    let (keys, clock, issuer) = (keys.clone(), clock.clone(), config.issuer.clone());
    let audience = alerts.audience.clone().unwrap_or_else(|| alerts.url.clone());
    let sign = move |event: &_| security_event(event, &issuer, &audience, &**keys.current().statements(), clock.now()).ok();
    let url = way.url().clone();
    let courier = Courier::new(outbox.clone(), url, Box::new(sign), Box::new(move || way.client().map_err(|error| error.to_string())));
    Ok(Some((outbox, courier)))
}
