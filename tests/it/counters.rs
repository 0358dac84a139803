//! The counters of this process: one recorder for all tests, whichever comes first.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// What was counted so far, by every test of the process.
pub fn counters() -> &'static PrometheusHandle {
    static COUNTERS: OnceLock<PrometheusHandle> = OnceLock::new();
    COUNTERS.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}
