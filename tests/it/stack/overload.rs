//! More wait for the registry than it can answer: whoever has no second factor learns nothing of what is remembered, and what is ours to mend
//! spends nobody's allowance.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use estelam::core::domain::clock::Clock;
use estelam::core::domain::decree::DecreeSet;
use estelam::core::domain::identifier::Identifier;
use estelam::core::limit::Rule;
use estelam::core::policy::Permit;
use estelam::core::registry::{Freshness, Need, OVERLOADED, Registry, RegistryAnswer, RegistryUnavailable};
use estelam::core::reply::Reply;
use estelam::flow::{self, Gate};
use serde_json::Value;

use super::fixtures::query;
use super::harness::System;
use super::holder::{UNKNOWN, UNPROVABLE, system_with_a_blocked_record};
use super::workshop::edit_policy;
use super::wrapped::{gate, incoming};

/// A registry whose counter lane is full: what is remembered is answered, and nothing is asked.
struct Full {
    inner: Arc<dyn Registry>,
    remembered: HashSet<&'static str>,
    /// What is remembered is too old to count as current.
    stale: bool,
}

#[async_trait]
impl Registry for Full {
    async fn look_up(&self, permit: &Permit, identifier: &Identifier, need: Need) -> Result<RegistryAnswer, RegistryUnavailable> {
        if need.max_age_s == 0 || !self.remembered.contains(identifier.expose_value()) {
            return Err(OVERLOADED);
        }
        let answer = self.inner.look_up(permit, identifier, need).await?;
        let freshness = if self.stale { Freshness::Stale } else { Freshness::Cached };
        Ok(RegistryAnswer { freshness, shed: self.stale, ..answer })
    }

    fn decrees(&self) -> Option<Arc<DecreeSet>> {
        self.inner.decrees()
    }

    fn decrees_age_s(&self) -> u32 {
        self.inner.decrees_age_s()
    }
}

fn full(system: &System, stale: bool) -> Arc<Gate> {
    let inner = system.running.parts().gate.registry.clone();
    gate(system, Some(Arc::new(Full { inner, remembered: HashSet::from([UNPROVABLE]), stale })), None)
}

async fn bank(system: &System, gate: &Arc<Gate>, value: &str, year: u16) -> Reply {
    let mut question = query("bank", "amayesh-no", value, "bank-card");
    question["check"]["birth_year"] = year.into();
    flow::verify(gate.clone(), incoming(system, "bank", &question).await).await
}

/// What must be alike: status, members, what they say where it names no call, length, header fields, and when it leaves. When to come again is drawn
/// by the call's own id.
fn look(reply: &Reply) -> (u16, Value, usize, Vec<(&'static str, String)>, bool) {
    let mut body: Value = serde_json::from_slice(reply.body()).unwrap();
    for own in ["request_id", "instance", "statement", "ledger"] {
        body[own] = body.get(own).is_some().into();
    }
    let mut headers = reply.headers().to_vec();
    for (_, again) in headers.iter_mut().filter(|(name, _)| *name == "Retry-After") {
        assert_eq!(again.len(), 1, "of one length");
        "drawn".clone_into(again);
    }
    (reply.status(), body, reply.body().len(), headers, reply.leaves_on_grid())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overload_does_not_tell_a_remembered_number_from_another() {
    let system = system_with_a_blocked_record().await;
    for stale in [false, true] {
        let gate = full(&system, stale);
        let known = bank(&system, &gate, UNPROVABLE, 1370).await;
        assert_eq!((known.status(), known.leaves_on_grid()), (200, false), "who has the second factor is answered (stale: {stale})");
        let unknown = bank(&system, &gate, UNKNOWN, 1369).await;
        let remembered = bank(&system, &gate, UNPROVABLE, 1369).await;
        assert_eq!((unknown.status(), unknown.label(), unknown.leaves_on_grid()), (503, "overloaded", true));
        assert_eq!(look(&remembered), look(&unknown), "stale: {stale}");
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_during_an_overload_count_as_others_do() {
    let system = system_with_a_blocked_record().await;
    let gate = full(&system, false);
    for year in 1360..1365 {
        assert_eq!(bank(&system, &gate, UNPROVABLE, year).await.label(), "overloaded");
    }
    let alerts = system.running.parts().alerts.today(system.clock.now());
    assert_eq!(alerts.iter().map(|alert| (alert.rule, alert.count)).collect::<Vec<_>>(), [(Rule::FailedChecks, 1)]);
    assert_eq!(bank(&system, &gate, UNPROVABLE, 1370).await.label(), "overloaded", "closed, right or wrong");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_overload_turns_away_costs_nothing_of_the_days_quota() {
    let system = system_with_a_blocked_record().await;
    edit_policy(system.dir.path(), "bank", |text| text.replace("[limits]\n", "[limits]\ndaily_quota = 1\n"));
    system.running.parts().policies.reload().unwrap();
    for stale in [false, true] {
        let gate = full(&system, stale);
        for value in [UNKNOWN, UNPROVABLE] {
            assert_eq!(bank(&system, &gate, value, 1369).await.label(), "overloaded");
        }
    }
    let gate = full(&system, false);
    assert_eq!(bank(&system, &gate, UNPROVABLE, 1370).await.status(), 200, "the one of this day");
    assert_eq!(bank(&system, &gate, UNPROVABLE, 1370).await.label(), "quota-exhausted");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_turned_away_for_our_own_failing_is_told_each_time_with_advice() {
    let system = System::configured(|config| config.limits.refusals_per_second = 1).await;
    let gate = full(&system, false);
    let question = query("clinic", "amayesh-no", UNKNOWN, "insurance-health");
    for _ in 0..30 {
        let reply = flow::verify(gate.clone(), incoming(&system, "clinic", &question).await).await;
        let body: Value = serde_json::from_slice(reply.body()).unwrap();
        assert_eq!((reply.status(), reply.is_silent(), &body["advice"]), (503, false, &"proceed".into()), "{body}");
    }
    gate.stopping.store(true, Ordering::Relaxed);
    let reply = flow::verify(gate.clone(), incoming(&system, "clinic", &question).await).await;
    assert_eq!((reply.status(), reply.label()), (503, "shutting-down"));
    system.stop().await;
}
