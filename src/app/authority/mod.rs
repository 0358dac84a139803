//! Authority over the rules: outside a demo, policies take effect only when a quorum of officials signed them, and only after that is in
//! the access log.
//!
//! ```text
//! AUTHORITY/officials/0001.toml          the first officials, then 0002.toml with 0002.json, the approval of those before them
//! AUTHORITY/policies/HEX.json            the approval of one policy version
//! AUTHORITY/proposed/KIND.json           what is being signed
//! LEDGER/authority.json                  what was in force last: nothing goes back behind it
//! ```

mod folder;
mod officials;
mod proposal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

pub use self::folder::{AuthorityFolder, InForce, Present, version_of};
pub use self::officials::{Official, OfficialsFile};
pub use self::proposal::{Approval, Kind, Proposal, Signature};

use super::StartError;
use super::acts::{Act, Acts, OFFICIALS, OPERATOR};
use crate::adapters::policy_files::PolicyStore;
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::LedgerUnavailable;
use crate::core::policy::LoadError;

/// Watches over what takes effect.
pub struct Authority {
    folder: AuthorityFolder,
    acts: Arc<Acts>,
    clock: Arc<dyn Clock>,
}

/// Lets the policies that were loaded take effect, and guards every later change: each is recorded before, each refusal after. A demo says
/// so and needs no signatures.
///
/// # Errors
/// They are not signed, or the log does not take the entry; the line says which command to run.
pub(super) async fn guard(config: &Config, policies: &PolicyStore, acts: Arc<Acts>, clock: Arc<dyn Clock>) -> Result<(), StartError> {
    metrics::gauge!("estelam_demo").set(if config.demo { 1.0 } else { 0.0 });
    let version = policies.current().version.clone();
    record_refusals(policies, &acts);
    if config.demo {
        tracing::warn!("`demo = true`: policies take effect without the signatures of officials");
        return guard_demo(policies, &version, acts).await;
    }
    let authority = Authority { folder: AuthorityFolder::of(config), acts: acts.clone(), clock };
    authority.activate(&version).await.map_err(|what| StartError(unsigned(&what)))?;
    policies.guarded_by(move |next| {
        let activated = acts.wait(authority.activate(next)).unwrap_or_else(|| Err("the record was broken off".to_owned()));
        activated.map_err(|what| {
            metrics::counter!("estelam_alarms_total", "alarm" => "rules-not-signed").increment(1);
            vec![LoadError::of_file("policies", unsigned(&what))]
        })
    });
    Ok(())
}

/// In a demo the operator's word is enough, but it is an entry all the same, before it counts.
async fn guard_demo(policies: &PolicyStore, version: &str, acts: Arc<Acts>) -> Result<(), StartError> {
    const UNRECORDED: &str = "the policies do not take effect, since the log does not take the entry";
    let act = |version: &str| Act::new("policies", "policies-activated", OPERATOR).policies(version).details(&json!({ "demo": true }));
    let mark = |version: &str| {
        let version = version.to_owned();
        move |known: &mut super::acts::Known| known.policies = Some(version.clone())
    };
    if acts.known().policies.as_deref() != Some(version) {
        acts.record(act(version), mark(version)).await.map_err(|error| StartError(format!("{UNRECORDED}: {error}")))?;
    }
    policies.guarded_by(move |next| {
        let recorded = acts.wait(acts.record(act(next), mark(next)));
        recorded
            .unwrap_or(Err(LedgerUnavailable("the record was broken off")))
            .map_err(|error| vec![LoadError::of_file("policies", format!("{UNRECORDED}: {error}"))])
    });
    Ok(())
}

/// What somebody tried is on record too: which version, how many faults, where the first one is; not its words.
fn record_refusals(policies: &PolicyStore, acts: &Arc<Acts>) {
    let acts = acts.clone();
    policies.on_refusal(move |version, faults| {
        let first = faults.first().map(|fault| fault.line.map_or_else(|| fault.file.clone(), |line| format!("{}:{line}", fault.file)));
        let details = json!({ "refused": version, "faults": faults.len(), "first": first });
        acts.record_soon(vec![Act::new("policies", "policies-refused", OPERATOR).details(&details)], |_| ());
    });
}

/// Records officials that came since, before anything that they signed has effect. A demo has none.
///
/// # Errors
/// Their chain does not hold, or the log does not take the entry.
pub(super) async fn take_up_officials(config: &Config, acts: Arc<Acts>, clock: Arc<dyn Clock>) -> Result<(), StartError> {
    let authority = Authority { folder: AuthorityFolder::of(config), acts, clock };
    authority.take_up_officials().await.map_err(StartError)
}

fn unsigned(what: &str) -> String {
    format!("these policies may not take effect: {what}; see `estelam officials show`, then `propose policies`, `sign` and `apply`")
}

impl Authority {
    /// Checks the approval of a policy version and records it; when this returns, the entry is durable.
    async fn activate(&self, version: &str) -> Result<(), String> {
        let now = self.clock.now();
        let present = self.folder.officials(now)?;
        let last = self.folder.in_force()?;
        let approval = self.folder.approval_of_policies(version)?;
        let signers = self.folder.judge_policies(&approval, version, &present, last.as_ref(), now)?;
        self.record_officials(&present, last.as_ref()).await?;
        let act = Act::new("policies", "policies-activated", OFFICIALS).policies(version);
        self.record(act.details(&json!({ "approval": &approval, "signers": signers }))).await?;
        let known = last.as_ref().filter(|last| last.policies.as_deref() == Some(version));
        let policies_since = known.map_or(Some(now), |last| last.policies_since);
        self.folder.remember(&InForce { policies: Some(version.to_owned()), policies_since, ..with(present, last.as_ref(), now) })
    }
}

impl Authority {
    /// Records each version of the officials that came since, before anything that they signed takes effect.
    async fn record_officials(&self, present: &Present, last: Option<&InForce>) -> Result<(), String> {
        for version in last.map_or(0, |last| last.officials_version) + 1..=present.version {
            let statement = self.folder.statement_of_officials(version)?;
            self.record(Act::new("officials", "officials-activated", OFFICIALS).details(&statement)).await?;
        }
        Ok(())
    }

    async fn take_up_officials(&self) -> Result<(), String> {
        let now = self.clock.now();
        let (present, last) = (self.folder.officials(now)?, self.folder.in_force()?);
        if last.as_ref().is_some_and(|last| last.officials_version == present.version) {
            return Ok(());
        }
        self.record_officials(&present, last.as_ref()).await?;
        self.folder.remember(&with(present, last.as_ref(), now))
    }

    async fn record(&self, act: Act) -> Result<(), String> {
        self.acts.record(act, |_| ()).await.map_err(|error| error.to_string())
    }
}

/// What is in force once these officials are, with all else as it was.
fn with(present: Present, last: Option<&InForce>, now: Timestamp) -> InForce {
    let known = last.filter(|last| last.officials_version == present.version);
    InForce {
        officials_since: known.map_or(Some(now), |last| last.officials_since),
        officials: present.hash,
        officials_version: present.version,
        ..last.cloned().unwrap_or_default()
    }
}

/// What replaces something was proposed after that came to be in force: what was signed in an earlier time does not come back.
fn not_before(proposal: &Proposal, since: Option<Timestamp>) -> Result<(), String> {
    match since {
        Some(since) if since.duration_since(proposal.at) > proposal::AHEAD => {
            Err(format!("it was proposed at {}, before what it replaces was in force ({since}); propose it anew", proposal.at))
        }
        _ => Ok(()),
    }
}

/// Whether an approval lets something take effect after what is in force, in whichever gateway. Returns who signed.
///
/// # Errors
/// Why not, as one line.
fn judge(
    approval: &Approval,
    kind: Kind,
    hash: &str,
    present: &Present,
    last: Option<&InForce>,
    now: Timestamp,
) -> Result<std::collections::BTreeSet<String>, String> {
    let proposal = &approval.proposal;
    if proposal.kind != kind || proposal.hash != hash {
        return Err("the signatures are over something else".to_owned());
    }
    let in_force = last.and_then(|last| match kind {
        Kind::Policies => last.policies.as_deref(),
        Kind::Officials => Some(last.officials.as_str()),
    });
    if in_force != Some(hash) && proposal.previous.as_deref() != in_force {
        return Err("they were signed to follow other rules than those in force; propose them anew".to_owned());
    }
    if kind == Kind::Policies && in_force != Some(hash) {
        not_before(proposal, last.and_then(|last| last.policies_since))?;
    }
    if proposal.officials != present.hash {
        return Err("they were signed by the officials of another version; propose them anew".to_owned());
    }
    approval.signers(&present.file, now)
}
