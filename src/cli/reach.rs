//! Whether a running service has taken a policy change up: its health says under which version it answers.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::place::Place;
use super::{CliError, Failure, block_on};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys;
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::tls::config::anonymous_client_config;
use crate::app::authority::AuthorityFolder;
use crate::app::key_place;
use crate::config::Config;
use crate::core::domain::clock::Clock as _;

/// A change is taken up in tenths of a second; a service that takes longer refuses it or does not look.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks.
const AGAIN: Duration = Duration::from_millis(20);

/// How far a change has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The running service answers under it.
    InForce,
    /// No service of this installation runs on this machine.
    NoService,
    /// It waits for the signatures of officials.
    Unsigned,
}

#[derive(Deserialize)]
struct Health {
    policy_version: String,
    cut_off_version: String,
    /// None of a gateway of an earlier version, which records no certificates.
    certificates_version: Option<String>,
    /// None of a gateway of an earlier version.
    keys_version: Option<String>,
    registry_cursor: Option<u64>,
}

/// Waits until the running service of an installation answers under the policy that lies in `folder`. Outside a demo nobody waits: whatever
/// is not in force there waits for officials.
///
/// # Errors
/// It runs and does not take the policy up.
pub(super) fn in_force(place: &Place, folder: &Path) -> Result<Reached, CliError> {
    let Ok(store) = PolicyStore::open(folder) else { return Ok(Reached::NoService) };
    let wanted = store.current().version.clone();
    match place.config() {
        Ok(config) if !config.demo => signed(&config, &wanted),
        _ => until(place, |health| *health.policy_version == *wanted),
    }
}

/// Whether the policy is in force; where no service runs to tell, whether it would be at a start.
fn signed(config: &Config, wanted: &str) -> Result<Reached, CliError> {
    let health = block_on(async { Ok(look(&client(config)?, config).await) })?;
    Ok(match health {
        Some(health) if health.as_ref().is_ok_and(|health| health.policy_version == wanted) => Reached::InForce,
        None if approved(config, wanted).is_ok() => Reached::NoService,
        _ => Reached::Unsigned,
    })
}

/// That officials in office let this policy follow the one in force.
fn approved(config: &Config, wanted: &str) -> Result<(), String> {
    let (folder, now) = (AuthorityFolder::of(config), SystemClock.now());
    let (present, last) = (folder.officials(now)?, folder.in_force()?);
    folder.judge_policies(&folder.approval_of_policies(wanted)?, wanted, &present, last.as_ref(), now).map(drop)
}

/// Waits until the running service acts by this version of the list of what is cut off.
///
/// # Errors
/// It runs and does not take the list up.
pub(super) fn cut_off(place: &Place, wanted: &str) -> Result<Reached, CliError> {
    until(place, |health| health.cut_off_version == wanted)
}

/// Waits until the running service has recorded what the registers of certificates say.
///
/// # Errors
/// It runs and does not record it.
pub(super) fn certificates_recorded(place: &Place, wanted: &str) -> Result<Reached, CliError> {
    until(place, |health| health.certificates_version.as_ref().is_none_or(|version| version == wanted))
}

/// Waits until the running service acts by the signing keys that are listed now. Of two changes at once the later one is waited for.
///
/// # Errors
/// It runs and does not take the keys up: perhaps it cannot read them.
pub(super) fn keys_in_force(place: &Place) -> Result<Reached, CliError> {
    let Ok(config) = place.config() else { return Ok(Reached::NoService) };
    let dir = key_place(&config).dir;
    until(place, |health| health.keys_version.is_none() || health.keys_version == keys::listed_version(&dir))
}

/// Waits until the running gateway of an installation has heard of the registry's change with this cursor, so that its next answer counts
/// it. A gateway that does not hear of it in time keeps nobody from going on: it counts what it remembers as stale meanwhile.
pub(super) fn heard_of(place: &Place, cursor: u64) {
    let heard = until(place, |health| health.registry_cursor.is_none_or(|known| known >= cursor));
    if heard.is_err() {
        eprintln!("estelam: the running gateway has not heard of the change yet; see `estelam_registry_feed_errors_total` in its metrics");
    }
}

/// What `GET /status` of a running service says.
///
/// # Errors
/// No service of this installation runs here, or it does not answer.
pub(super) fn status(place: &Place) -> Result<serde_json::Value, CliError> {
    let config = place.config()?;
    block_on(async {
        let url = format!("http://{}/status", config.listen.ops);
        let response = client(&config)?.get(&url).send().await;
        let response = response.map_err(|_| {
            let ops = config.listen.ops;
            CliError::failed(format_args!("no service answers on {ops}; start `estelam serve` (or `demo`) for this installation first"))
        })?;
        response.json().await.doing("the running service does not tell its status")
    })
}

/// The listener speaks no TLS, but the client wants to know how it would.
fn client(config: &Config) -> Result<reqwest::Client, CliError> {
    let tls = anonymous_client_config(&config.tls.client_ca, Arc::new(SystemClock)).doing("the root certificate")?;
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(PATIENCE).build();
    http.doing("cannot build the HTTP client")
}

fn until(place: &Place, reached: impl Fn(&Health) -> bool) -> Result<Reached, CliError> {
    // Without a configuration there is no service that could run on it.
    let Ok(config) = place.config() else { return Ok(Reached::NoService) };
    block_on(async {
        let http = client(&config)?;
        let begun = Instant::now();
        loop {
            let Some(health) = look(&http, &config).await else { return Ok(Reached::NoService) };
            if health.is_ok_and(|health| reached(&health)) {
                return Ok(Reached::InForce);
            }
            if begun.elapsed() > PATIENCE {
                return Err(CliError::failed("the change is written, but the running service does not take it up; its log says why"));
            }
            tokio::time::sleep(AGAIN).await;
        }
    })
}

/// What the service says of itself; none where none answers.
async fn look(http: &reqwest::Client, config: &Config) -> Option<reqwest::Result<Health>> {
    let response = http.get(format!("http://{}/health/ready", config.listen.ops)).send().await.ok()?;
    Some(response.json().await)
}
