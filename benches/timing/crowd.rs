//! More than the gateway takes: its lanes are narrowed, and a crowd of batches asks beside those who are measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use tokio::task::JoinHandle;

use super::harness::System;

/// Batches that ask at once, as fast as they are answered or refused.
const CALLERS: u64 = 8;

/// Narrows both lanes of the bank, so that most of the crowd and many of those who are measured are refused.
pub fn narrow(system: &System) {
    super::policy(system, |text| {
        let text = super::open(text);
        text.replace("counter = { per_second = 1000000, burst = 1000000 }", "counter = { per_second = 400, burst = 40 }")
            .replace("background = { per_second = 1000, burst = 2000 }", "background = { per_second = 20, burst = 20 }")
    });
}

/// The crowd.
pub struct Crowd {
    over: Arc<AtomicBool>,
    counts: Arc<[AtomicU64; 2]>,
    callers: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Lets it in.
    pub async fn start(system: &Arc<System>) -> Self {
        let (over, counts) = (Arc::new(AtomicBool::new(false)), Arc::new([AtomicU64::new(0), AtomicU64::new(0)]));
        let token = system.token("bank").await;
        let callers = (0..CALLERS)
            .map(|caller| tokio::spawn(ask(Arc::clone(system), token.clone(), caller, Arc::clone(&over), Arc::clone(&counts))))
            .collect();
        Self { over, counts, callers }
    }

    /// Sends it away; says how many it got through.
    pub async fn stop(self) -> String {
        self.over.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
        let [answered, refused] = [0, 1].map(|at: usize| self.counts[at].load(Ordering::Relaxed));
        format!("{answered} answered, {refused} refused")
    }
}

async fn ask(system: Arc<System>, token: String, caller: u64, over: Arc<AtomicBool>, counts: Arc<[AtomicU64; 2]>) {
    let (client, url) = (system.client("bank"), format!("{}/v1/verify", system.config.issuer));
    let mut place = caller;
    while !over.load(Ordering::Relaxed) {
        place += CALLERS;
        // Numbers of another scheme, so that they are nobody else's.
        let body = json!({
            "identifier": {"scheme": "hoviat-no", "value": format!("H{}", 20_000_000 + place * 1_000_003 % 78_000_000)},
            "service": "bank-card", "purpose": "account-maintenance", "actor": "night-batch", "priority": "background",
            "check": {"birth_year": 1369, "calendar": "jalali"}
        });
        let request = client.post(&url).bearer_auth(&token).header("content-type", "application/json").body(body.to_string());
        let status = request.send().await.unwrap().status().as_u16();
        counts[usize::from(status != 200)].fetch_add(1, Ordering::Relaxed);
    }
}
