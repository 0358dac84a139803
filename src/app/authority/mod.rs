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
use serde::Serialize;
use uuid::Uuid;

pub use self::folder::{AuthorityFolder, InForce, Present, version_of};
pub use self::officials::{Official, OfficialsFile};
pub use self::proposal::{Approval, Kind, Proposal, Signature};

use super::StartError;
use crate::adapters::policy_files::PolicyStore;
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::tree::sha256;
use crate::core::ledger::{Entry, EntryContent, EntryKind, Ledger, RetentionClass};
use crate::core::policy::LoadError;

/// Watches over what takes effect.
pub struct Authority {
    folder: AuthorityFolder,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

/// What the entry of an activation says of it, in `basis`. No number and no name of a holder is anywhere near.
#[derive(Serialize)]
struct Activation<'a> {
    approval: &'a Approval,
    signers: Vec<String>,
}

/// Lets the policies that were loaded take effect, and guards every later change. A demo says so and is let alone.
///
/// # Errors
/// They are not signed, or the log does not take the entry; the line says which command to run.
pub(super) async fn guard(
    config: &Config,
    policies: &PolicyStore,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
) -> Result<(), StartError> {
    metrics::gauge!("estelam_demo").set(if config.demo { 1.0 } else { 0.0 });
    if config.demo {
        tracing::warn!("`demo = true`: policies take effect without the signatures of officials");
        return Ok(());
    }
    let authority = Authority { folder: AuthorityFolder::of(config), ledger, clock };
    let version = policies.current().version.clone();
    authority.activate(&version).await.map_err(|what| StartError(unsigned(&what)))?;
    let runtime = tokio::runtime::Handle::current();
    policies.guarded_by(move |next| {
        runtime.block_on(authority.activate(next)).map_err(|what| {
            metrics::counter!("estelam_alarms_total", "alarm" => "rules-not-signed").increment(1);
            vec![LoadError::of_file("policies", unsigned(&what))]
        })
    });
    Ok(())
}

fn unsigned(what: &str) -> String {
    format!("these policies may not take effect: {what}; see `estelam officials show`, then `propose policies`, `sign` and `apply`")
}

impl Authority {
    /// Checks the approval of a policy version and records it; when this returns, the entry is durable.
    async fn activate(&self, version: &str) -> Result<(), String> {
        let now = self.clock.now();
        let present = self.folder.officials()?;
        let last = self.folder.in_force()?;
        let approval = self.folder.approval_of_policies(version)?;
        let signers = judge(&approval, Kind::Policies, version, &present, last.as_ref(), now)?;
        self.record_officials(&present, last.as_ref(), now).await?;
        let statement = serde_json::to_string(&Activation { approval: &approval, signers: signers.into_iter().collect() })
            .map_err(|error| error.to_string())?;
        self.ledger.append(entry("policies-activated", Some(version), statement, now)).await.map_err(|error| error.to_string())?;
        self.folder.remember(&InForce { officials: present.hash, officials_version: present.version, policies: Some(version.to_owned()) })
    }
}

impl Authority {
    /// Records each version of the officials that came since, before anything that they signed takes effect.
    async fn record_officials(&self, present: &Present, last: Option<&InForce>, now: Timestamp) -> Result<(), String> {
        for version in last.map_or(0, |last| last.officials_version) + 1..=present.version {
            let statement = self.folder.statement_of_officials(version)?;
            self.ledger.append(entry("officials-activated", None, statement, now)).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Whether an approval lets something take effect after what is in force. Returns who signed.
///
/// # Errors
/// Why not, as one line.
pub fn judge(
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
    if proposal.officials != present.hash {
        return Err("they were signed by the officials of another version; propose them anew".to_owned());
    }
    approval.signers(&present.file, now)
}

/// The administrative act: what is activated, and the approval with its signatures, to which the header commits.
fn entry(code: &'static str, version: Option<&str>, statement: String, now: Timestamp) -> Entry {
    Entry {
        kind: EntryKind::Admin,
        class: RetentionClass::Admin,
        time: now,
        id: Uuid::now_v7(),
        statement_digest: sha256(statement.as_bytes()),
        subject: None,
        content: Box::new(EntryContent {
            route: "officials".into(),
            code: Some(code.into()),
            policy_version: version.map(str::to_owned),
            basis: Some(statement),
            ..EntryContent::default()
        }),
    }
}
