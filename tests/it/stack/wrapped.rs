//! The running gateway's request path with one port wrapped, to see what goes through it or to hold it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use estelam::adapters::keys::KeyRing;
use estelam::adapters::tls::material;
use estelam::core::domain::clock::Clock;
use estelam::core::domain::context::CallContext;
use estelam::core::domain::decree::DecreeSet;
use estelam::core::domain::identifier::Identifier;
use estelam::core::ledger::{Entry, Ledger, LedgerUnavailable, Receipt, content};
use estelam::core::policy::Permit;
use estelam::core::registry::{Need, Registry, RegistryAnswer, RegistryUnavailable};
use estelam::core::reply::Format;
use estelam::core::signing::Notary;
use estelam::flow::{Gate, Incoming, Outbox};
use serde_json::Value;
use tokio::sync::Notify;

use super::harness::System;

/// The gate of a running system with another registry or ledger.
pub fn gate(system: &System, registry: Option<Arc<dyn Registry>>, ledger: Option<Arc<dyn Ledger>>) -> Arc<Gate> {
    gate_with(system, registry, ledger, system.running.parts().gate.outbox.clone())
}

/// The same with another memory of retries.
pub fn gate_with(
    system: &System,
    registry: Option<Arc<dyn Registry>>,
    ledger: Option<Arc<dyn Ledger>>,
    outbox: Arc<dyn Outbox>,
) -> Arc<Gate> {
    let parts = system.running.parts();
    let (gate, policies) = (&parts.gate, parts.policies.clone());
    let signer = KeyRing::open(&system.config.keys).unwrap().statements().clone();
    Arc::new(Gate {
        batches: gate.batches.clone(),
        patience: gate.patience,
        clock: gate.clock.clone(),
        trust: gate.trust.clone(),
        tokens: gate.tokens.clone(),
        signatures: gate.signatures.clone(),
        policy: Box::new(move || policies.current()),
        limiter: gate.limiter.clone(),
        floods: gate.floods.clone(),
        shield: gate.shield.clone(),
        registry: registry.unwrap_or_else(|| gate.registry.clone()),
        notary: Notary::new(system.config.issuer.as_str().into(), signer),
        ledger: ledger.unwrap_or_else(|| gate.ledger.clone()),
        observer: gate.observer.clone(),
        outbox,
        stopping: AtomicBool::new(false),
    })
}

/// A query as the HTTP layer hands it over.
pub async fn incoming(system: &System, agency: &str, body: &Value) -> Incoming {
    let chain = material::certificates(&system.credential(agency).cert).unwrap();
    let peer = system.running.parts().trust.identify(&chain[0]).unwrap();
    Incoming {
        peer: Arc::new(peer),
        context: CallContext::new("verify", system.clock.now()),
        authorization: Some(format!("Bearer {}", system.token(agency).await)),
        content_type: Some("application/json".to_owned()),
        idempotency_key: None,
        signature: None,
        format: Format::Json,
        body: Ok(Bytes::from(body.to_string())),
        oddity: None,
    }
}

/// An entry's content as it is going to be recorded, but for the tags.
pub fn written(entry: &Entry) -> Value {
    let mut bytes = Vec::new();
    content::encode(&mut bytes, entry.id, &entry.content, None);
    serde_json::from_slice(&bytes).unwrap()
}

/// A ledger that notes what it is handed before it hands it on.
pub struct Noting {
    pub inner: Arc<dyn Ledger>,
    /// Whether the entry is about somebody, and its content.
    pub noted: Mutex<Vec<(bool, Value)>>,
}

#[async_trait]
impl Ledger for Noting {
    async fn append(&self, entry: Entry) -> Result<Receipt, LedgerUnavailable> {
        self.noted.lock().unwrap().push((entry.subject.is_some(), written(&entry)));
        self.inner.append(entry).await
    }

    fn origin(&self) -> &str {
        self.inner.origin()
    }
}

/// A registry that says when a look-up has come, and lets it on when it is told to.
pub struct Held {
    pub inner: Arc<dyn Registry>,
    pub came: Notify,
    pub go_on: Notify,
}

#[async_trait]
impl Registry for Held {
    async fn look_up(&self, permit: &Permit, identifier: &Identifier, need: Need) -> Result<RegistryAnswer, RegistryUnavailable> {
        self.came.notify_one();
        self.go_on.notified().await;
        self.inner.look_up(permit, identifier, need).await
    }

    fn decrees(&self) -> Option<Arc<DecreeSet>> {
        self.inner.decrees()
    }

    fn decrees_age_s(&self) -> u32 {
        self.inner.decrees_age_s()
    }
}
