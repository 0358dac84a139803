//! The holder's own view: the registry's desk, the log, the offices' quota, and the cases that come of what is contested.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use super::StartError;
use super::acts::Acts;
use super::deferrals::Deferrals;
use super::parts::Parts;
use crate::adapters::cases::{self, Case, CaseError, CaseRegister};
use crate::adapters::http::{Contested, HolderState, NotToday, Sessions};
use crate::adapters::quota::{NoCode, OfficeQuota};
use crate::adapters::store::open_trail_key;
use crate::config::Config;
use crate::core::domain::random::random;
use crate::core::ledger::retention::{Hold, day_of};
use crate::core::policy::Snapshot;
use crate::registry::holder::{FileSender, HolderDesk};

/// Remembers, beside the log, how many codes each office had sent today.
const CODES: &str = "holder-codes.json";
/// How long a case of a holder stays open unless it is closed before.
const CASE_LASTS: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The kind of agency that looks into such cases.
const OFFICER: &str = "data-protection-officer";

/// What the holder's view needs; none where it is not offered.
///
/// # Errors
/// The offices' counts cannot be read, or the system gives no random numbers.
pub(super) fn state(parts: &Parts, config: &Config) -> Result<Option<HolderState>, StartError> {
    let Some(holder) = &config.holder else { return Ok(None) };
    let path = config.ledger.dir.join(CODES);
    let quota = OfficeQuota::open(&path, holder.codes_per_office).map_err(|error| {
        StartError(format!("`{}` cannot be read: {error}; restore it, or remove it once its day is over", path.display()))
    })?;
    let sessions = Sessions::new().map_err(|_| StartError("the system gives no random numbers".to_owned()))?;
    let (acts, installation) = (parts.acts.clone(), config.clone());
    let (cases, policies) = (CaseRegister::new(&config.audit.cases), parts.policies.clone());
    Ok(Some(HolderState {
        desk: parts.registry.clone(),
        log: parts.log.clone(),
        sessions,
        spend: Box::new(move |office, now| {
            quota.spend(office, now).map_err(|why| match why {
                NoCode::Spent(notice) => NotToday::Spent(notice),
                NoCode::Disk => NotToday::Uncounted,
            })
        }),
        deferrals: Box::new(move |now| deferrals(&installation, &acts, now)),
        contest: Box::new(move |contested, now| open_case(&cases, &policies.current(), contested, now)),
    }))
}

/// Deferrals that two officials signed and have not taken back, each of them on record.
fn deferrals(config: &Config, acts: &Acts, now: Timestamp) -> Option<Vec<Hold>> {
    let read = Deferrals::of(config, now).and_then(|deferrals| {
        let broken_off = || Err(StartError("the record was broken off".to_owned()));
        acts.wait(deferrals.take_up(acts, now)).unwrap_or_else(broken_off)
    });
    read.inspect_err(|error| tracing::error!(%error, "deferrals cannot be read; no holder's view is shown")).ok()
}

/// A case about contested entries, or the same case from a try before. It names them by their ids, and nobody.
fn open_case(cases: &CaseRegister, snapshot: &Snapshot, contested: &Contested<'_>, now: Timestamp) -> bool {
    let Some(case) = case_of(snapshot, contested, now) else { return false };
    match cases.open(&case) {
        Ok(()) => {
            metrics::counter!("estelam_holder_cases_total").increment(1);
            true
        }
        Err(CaseError::Exists(_)) => cases.find(&case.number).is_ok_and(|known| known.is_some_and(|known| known.has_reason_of(&case))),
        Err(error) => {
            tracing::error!(%error, "a holder's case cannot be kept");
            false
        }
    }
}

fn case_of(snapshot: &Snapshot, contested: &Contested<'_>, now: Timestamp) -> Option<Case> {
    let mut officers: Vec<_> =
        snapshot.agencies.values().filter(|policy| &*policy.kind == OFFICER).map(|policy| policy.id.as_str()).collect();
    officers.sort_unstable();
    Some(Case {
        number: contested.number.to_owned(),
        reason: cases::contested(contested.why.code(), contested.entries, &URL_SAFE_NO_PAD.encode(random::<16>()?)),
        office: (*officers.first()?).to_owned(),
        opened: now,
        until: day_of(now.checked_add(CASE_LASTS).ok()?),
        closed: None,
    })
}

/// The registry's desk for holders in its folder, with messages as files: for a demo, or until a provider of messages is connected.
///
/// # Errors
/// Its private key is there and not usable.
pub(super) fn desk(registry_dir: &Path) -> std::io::Result<HolderDesk> {
    let open = |private: &[u8], origin: &str, epoch: &str, sealed: &[u8]| open_trail_key(private, origin, epoch, sealed).ok();
    HolderDesk::open(registry_dir, open, Arc::new(FileSender::new(registry_dir)))
}
