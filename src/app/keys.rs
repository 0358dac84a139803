//! The signing keys of a running gateway: where they are, taking up changes, replacing those that are due.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::StartError;
use super::acts::Acts;
use super::issuing::Issuing;
use super::parts::{Parts, checkpoint_keys};
use crate::adapters::keys::{HsmPlace, KeyError, KeyKeeper, KeyPlace, KeyRing, KeyState, KeyStore, KeyUse, Rules};
use crate::adapters::store::{CheckpointSigner, SqliteLedger};
use crate::adapters::tokens::{CachingVerifier, PinnedKey};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::Ledger as _;
use crate::core::signing::Algorithm;
use crate::flow::Gate;

/// The name of the service's credential that unlocks the keys.
const CREDENTIAL: &str = "estelam-keys";
/// How often it is looked whether a key is due.
const KEEP_EVERY: Duration = Duration::from_secs(600);

/// Where the keys of this configuration are.
pub fn key_place(config: &Config) -> KeyPlace {
    let mut place = KeyPlace::of(&config.keys);
    if let Some(unlock) = config.signing.unlock.clone().or_else(credential) {
        place.unlock = unlock;
    }
    if config.signing.algorithm == Algorithm::Es256.jose() {
        place.algorithm = Algorithm::Es256;
    }
    let token = config.signing.pkcs11.clone();
    place.hsm = token.map(|token| HsmPlace { module: token.module, token: token.token, pin: token.pin });
    place
}

/// How the keys of this configuration change.
pub fn key_rules(config: &Config) -> Rules {
    let days = |days: u32| SignedDuration::from_hours(i64::from(days) * 24);
    Rules {
        rotate_after: (config.signing.rotate_days > 0).then(|| days(config.signing.rotate_days)),
        overlap: SignedDuration::from_secs(i64::from(config.signing.overlap_s)),
        checkable: days(config.signing.checkable_days),
    }
}

fn credential() -> Option<std::path::PathBuf> {
    let file = std::path::PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    file.exists().then_some(file)
}

/// The keys of the installation and the ring in force.
///
/// # Errors
/// A key that is not there or does not open.
pub(super) fn open_keys(config: &Config) -> Result<(Arc<KeyStore>, Arc<KeyRing>), StartError> {
    let keys = KeyStore::open(key_place(config)).map_err(|error| StartError(error.to_string()))?;
    let ring = keys.current();
    Ok((Arc::new(keys), ring))
}

/// The keys that may verify access tokens: also the one that another node may sign with already, and the one before.
pub(super) fn token_keys(ring: &KeyRing) -> Vec<PinnedKey> {
    let believed = |state| matches!(state, KeyState::Active | KeyState::Standby | KeyState::Retired);
    let records = ring.records().iter().filter(|record| record.usage == KeyUse::Tokens && believed(record.state));
    let keys = records.filter_map(crate::adapters::keys::KeyRecord::key);
    keys.map(|key| PinnedKey::new(key.kid(), key.algorithm(), key.bytes())).collect()
}

/// What signs and verifies with the keys; each takes a change up without a restart.
pub(super) struct KeyUsers {
    pub(super) gate: Arc<Gate>,
    pub(super) tokens: Arc<CachingVerifier>,
    pub(super) issuer: Arc<Issuing>,
    pub(super) acts: Arc<Acts>,
    pub(super) ledger: Arc<SqliteLedger>,
}

impl KeyUsers {
    /// Those of a gateway.
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            gate: parts.gate.clone(),
            tokens: parts.tokens.clone(),
            issuer: parts.issuer.clone(),
            acts: parts.acts.clone(),
            ledger: parts.ledger.clone(),
        }
    }

    /// Reads the key folder again; what is not whole, or not in the log, leaves the keys as they are. It waits for the log: not for a task of
    /// the runtime, but for a thread that may block.
    pub(super) fn take_up(&self, keys: &KeyStore, actor: &'static str) {
        let recorded = |ring: &KeyRing| self.acts.wait(self.acts.keys_changed(ring.records(), actor)).unwrap_or(false);
        // Whoever hears that the keys are in force hears it of checkpoints too.
        let may = |ring: &KeyRing| recorded(ring) && self.sign_checkpoints_with(ring);
        match keys.reload(may) {
            Ok(None) => {}
            Ok(Some(ring)) => {
                self.gate.notary.replace(ring.statements().clone());
                self.tokens.replace_keys(token_keys(&ring));
                if self.issuer.replace(ring.tokens().clone()).is_err() {
                    tracing::error!("the new token key is not usable; the old one goes on");
                }
                tracing::info!("signing keys taken up");
            }
            Err(error) => tracing::error!("changed keys refused, the old ones stay in force: {error}"),
        }
    }
}

impl KeyUsers {
    /// Whether the log takes the signer up; only a key that is none for checkpoints keeps it from that.
    fn sign_checkpoints_with(&self, ring: &KeyRing) -> bool {
        match checkpoint_signer(ring, self.ledger.origin()) {
            Ok(signer) => {
                self.ledger.sign_with(signer);
                true
            }
            Err(error) => {
                tracing::error!("the new checkpoint key is not usable; the old one goes on: {error}");
                false
            }
        }
    }
}

/// Who signs the checkpoints of a log of this origin.
fn checkpoint_signer(ring: &KeyRing, origin: &str) -> Result<CheckpointSigner, StartError> {
    let keys = checkpoint_keys(ring, origin)?;
    CheckpointSigner::new(keys, ring.checkpoints().clone()).map_err(|error| StartError(error.to_string()))
}

/// Replaces keys that are due, for as long as the gateway runs. All of a round, with taking up what came of it, is on a thread that may block:
/// the record that a new key waits for may itself wait for a task of this runtime.
pub(super) async fn keep(take_up: impl Fn() + Send + Sync + 'static, place: KeyPlace, rules: Rules, clock: Arc<dyn Clock>) {
    let take_up = Arc::new(take_up);
    loop {
        let (take_up, place, now) = (take_up.clone(), place.clone(), clock.now());
        let kept = tokio::task::spawn_blocking(move || {
            let changed = replace_due(place, rules, now)?;
            if changed {
                take_up();
            }
            Ok::<_, KeyError>(())
        })
        .await;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("keys that are due are not replaced: {error}"),
            Err(_) => tracing::error!("keys that are due are not replaced"),
        }
        tokio::time::sleep(KEEP_EVERY).await;
    }
}

/// Replaces what is due; says whether anything changed. Nobody else changes the folder meanwhile, and no longer.
fn replace_due(place: KeyPlace, rules: Rules, now: jiff::Timestamp) -> Result<bool, KeyError> {
    let mut keeper = KeyKeeper::open(place)?;
    Ok(keeper.keep(rules, now)? | keeper.clear_token(now)?)
}
