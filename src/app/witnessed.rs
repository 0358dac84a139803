//! The configured witness, and what it cosigned.

use jiff::Timestamp;

use super::StartError;
use super::parts::checkpoint_keys;
use crate::adapters::keys::KeyRing;
use crate::adapters::store::Origins;
use crate::config::Config;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::cosignature::WitnessKey;
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::succession::is_successor;

/// What a witness has seen.
pub(super) struct Seen {
    /// The cosigned note.
    pub(super) note: String,
    /// What it says.
    pub(super) checkpoint: Checkpoint,
    /// When, by the witness's clock.
    pub(super) cosigned: Timestamp,
}

/// The last checkpoint of any log of this installation that the configured witness cosigned; none without a witness.
pub(super) fn last_seen(config: &Config, ring: &KeyRing, origins: &Origins) -> Result<Option<Seen>, StartError> {
    let Some(path) = &config.ledger.witness_checkpoint else { return Ok(None) };
    let note = std::fs::read_to_string(path).map_err(|error| {
        StartError(format!(
            "cannot read `{}`: {error}; fetch the last checkpoint from the witness, nothing is signed without it",
            path.display()
        ))
    })?;
    let origin = Checkpoint::claimed_origin(&note).unwrap_or_default();
    if origin != origins.first() && !is_successor(origin, origins.first()) {
        return Err(StartError(format!("`{}` is about the log `{origin}`, not about `{}`", path.display(), origins.first())));
    }
    let (cosigned, checkpoint) = witnessed(&note, config, &checkpoint_keys(ring, origin)?)?;
    Ok(Some(Seen { note, checkpoint, cosigned }))
}

/// Checks that a note is a checkpoint of this log which the configured witness cosigned, and says when.
pub(super) fn witnessed(note: &str, config: &Config, keys: &[NoteKey]) -> Result<(Timestamp, Checkpoint), StartError> {
    let Some(path) = &config.ledger.witness_key else {
        return Err(StartError("no witness is known: set `ledger.witness_key` to the file with its verifier key".to_owned()));
    };
    let text = std::fs::read_to_string(path).map_err(|error| StartError(format!("cannot read `{}`: {error}", path.display())))?;
    let witness = WitnessKey::parse(&text).map_err(|error| StartError(format!("`{}`: {error}", path.display())))?;
    let refused = |error| StartError(format!("the witness's checkpoint does not hold: {error}"));
    let checkpoint = Checkpoint::open(note, keys).map_err(refused)?;
    Ok((witness.cosigned_at(note).map_err(refused)?, checkpoint))
}
