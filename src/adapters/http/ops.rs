//! The operator's listener: liveness, readiness, metrics.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;

/// Whether the node can really answer, part by part.
pub trait Readiness: Send + Sync + 'static {
    /// The parts and whether each is ready.
    fn parts(&self) -> Vec<(&'static str, bool)>;

    /// Those that are not in order and do not keep the node from answering.
    fn degraded(&self) -> Vec<&'static str>;

    /// Whether queries can be answered and recorded: every part is ready, or may be missing for now.
    fn is_ready(&self) -> bool {
        let degraded = self.degraded();
        self.parts().iter().all(|(part, ready)| *ready || degraded.contains(part))
    }

    /// The parts that are not in order for a reason that their name does not tell: why, and what to do.
    fn advice(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The version of the policy in force.
    fn policy_version(&self) -> Arc<str>;

    /// Names the list of what is cut off by which the node acts now.
    fn cut_off_version(&self) -> String;

    /// Names the registers of certificates whose every issue and end is in the log.
    fn certificates_version(&self) -> String;

    /// Names the list of signing keys by which the node acts now.
    fn keys_version(&self) -> String;

    /// How far the node has followed the registry's changes; none before it heard of any.
    fn registry_cursor(&self) -> Option<u64>;
}

/// What an operator looks at first, as JSON.
pub trait NodeStatus: Send + Sync + 'static {
    /// Everything, as one object.
    fn status(&self) -> serde_json::Value;

    /// Sets the gauges to what is so now, before the metrics are read.
    fn measure(&self);
}

/// What the handlers of `ops` need.
pub struct OpsState {
    /// What an operator looks at first.
    pub status: Arc<dyn NodeStatus>,
    /// Readiness of the node.
    pub readiness: Arc<dyn Readiness>,
    /// Renders the metrics in Prometheus' text format.
    pub render: Box<dyn Fn() -> String + Send + Sync>,
}

#[derive(Serialize)]
struct Health {
    ready: bool,
    parts: std::collections::BTreeMap<&'static str, bool>,
    degraded: Vec<&'static str>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    advice: std::collections::BTreeMap<&'static str, String>,
    policy_version: Arc<str>,
    cut_off_version: String,
    certificates_version: String,
    keys_version: String,
    registry_cursor: Option<u64>,
}

/// `GET /health/live`: the process serves requests.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "live": true }))
}

/// `GET /health/ready`: 200 only when a query could be answered and recorded now. In an outage of the registry that is so: the answer is signed,
/// recorded, and says what to do.
pub(super) async fn ready(state: Data<OpsState>) -> HttpResponse {
    let parts: std::collections::BTreeMap<_, _> = state.readiness.parts().into_iter().collect();
    let degraded = state.readiness.degraded();
    let ready = parts.iter().all(|(part, ready)| *ready || degraded.contains(part));
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Health {
        ready,
        parts,
        degraded,
        advice: state.readiness.advice().into_iter().collect(),
        policy_version: state.readiness.policy_version(),
        cut_off_version: state.readiness.cut_off_version(),
        certificates_version: state.readiness.certificates_version(),
        keys_version: state.readiness.keys_version(),
        registry_cursor: state.readiness.registry_cursor(),
    })
}

/// `GET /status`: what `estelam status` shows.
pub(super) async fn status(state: Data<OpsState>) -> HttpResponse {
    HttpResponse::Ok().json(state.status.status())
}

/// `GET /metrics`.
pub(super) async fn metrics(state: Data<OpsState>) -> HttpResponse {
    state.status.measure();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((state.render)())
}
