//! Logs as JSON on standard error, metrics for Prometheus. Neither ever holds an identifier: no call site has one to give.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::StartError;
use crate::adapters::http::{NodeStatus, OpsState, Readiness};
use crate::adapters::shield::ALERT_TARGET;

/// The environment variable that sets what is logged.
const LEVEL: &str = "ESTELAM_LOG";
/// What is logged without it.
const USUALLY: &str = "info,actix_server=warn,cryptoki=off";
/// Seconds: from a cache hit to a registry that is slow.
const LATENCY_BUCKETS: [f64; 13] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0];
/// How often the recorder folds what was recorded since.
const UPKEEP: Duration = Duration::from_secs(2);

/// The process's recorder of metrics.
#[derive(Clone, Debug)]
pub struct Observability {
    metrics: PrometheusHandle,
}

impl Observability {
    /// Installs logging and metrics for the whole process; once.
    ///
    /// # Errors
    /// `ESTELAM_LOG` is not understood, or something else installed a recorder before.
    pub fn install() -> Result<Self, StartError> {
        let filter = filter(&std::env::var_os(LEVEL).unwrap_or_default())?;
        let is_alert = |metadata: &tracing::Metadata<'_>| metadata.target() == ALERT_TARGET;
        let usual = fmt::layer().json().with_writer(std::io::stderr).with_filter(filter_fn(move |metadata| !is_alert(metadata)));
        // Alerts say the day; the instant would lead to the call, and so to the person.
        let alerts = fmt::layer().json().with_writer(std::io::stderr).without_time().with_filter(filter_fn(is_alert));
        let _ = tracing_subscriber::registry().with(filter).with(usual).with(alerts).try_init();
        let handle = builder()?.install_recorder().map_err(|error| StartError(format!("cannot set up metrics: {error}")))?;
        Ok(Self { metrics: handle })
    }

    /// A recorder of its own that nothing writes to, for tests that start several gateways in one process.
    ///
    /// # Errors
    /// The buckets are not usable.
    pub fn detached() -> Result<Self, StartError> {
        Ok(Self { metrics: builder()?.build_recorder().handle() })
    }

    pub(super) fn ops_state(&self, readiness: Arc<dyn Readiness>, status: Arc<dyn NodeStatus>) -> Data<OpsState> {
        let handle = self.metrics.clone();
        Data::new(OpsState { readiness, status, render: Box::new(move || handle.render()) })
    }

    /// Folds recorded values at intervals until the task is dropped.
    pub(super) async fn upkeep(self) {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            self.metrics.run_upkeep();
        }
    }
}

/// What is logged; a level that cannot be read is said, so that nobody waits for lines that never come.
fn filter(wanted: &OsStr) -> Result<EnvFilter, StartError> {
    if wanted.is_empty() {
        return Ok(EnvFilter::new(USUALLY));
    }
    let read = wanted.to_str().and_then(|wanted| EnvFilter::try_new(wanted).ok());
    read.ok_or_else(|| StartError(format!("`{LEVEL}` is not understood; write `error`, `warn`, `info` or `debug`, or leave it out")))
}

fn builder() -> Result<PrometheusBuilder, StartError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full("estelam_ledger_batch_size".to_owned()), &BATCH_BUCKETS))
        .map_err(|error| StartError(format!("cannot set up metrics: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_that_is_not_understood_is_refused_and_none_is_the_usual_one() {
        assert!(filter(OsStr::new("")).is_ok_and(|filter| filter.to_string().contains("cryptoki=off")));
        assert!(filter(OsStr::new("debug")).is_ok_and(|filter| filter.to_string() == "debug"));
        for wrong in ["inf=o=", "estelam=loud", "[", "\u{6f1}=x"] {
            let said = filter(OsStr::new(wrong)).err().map(|error| error.to_string());
            assert!(said.is_some_and(|said| said.contains("`ESTELAM_LOG`")), "{wrong}");
        }
    }
}
