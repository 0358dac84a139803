//! The configured witness: what it cosigned, and whether the log here continues it.

use jiff::Timestamp;

use super::StartError;
use crate::adapters::store::continues;
use crate::config::Config;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::cosignature::WitnessKey;
use crate::core::ledger::note::NoteKey;

/// Refuses a log that does not continue the witness's last checkpoint, before anything is signed. Without a witness there is nothing to compare.
pub(super) fn check(config: &Config, keys: &[NoteKey]) -> Result<(), StartError> {
    let Some(path) = &config.ledger.witness_checkpoint else { return Ok(()) };
    let note = std::fs::read_to_string(path).map_err(|error| {
        StartError(format!(
            "cannot read `{}`: {error}; fetch the last checkpoint from the witness, nothing is signed without it",
            path.display()
        ))
    })?;
    let (_, seen) = witnessed(&note, config, keys)?;
    continues(&config.ledger.dir, &seen).map_err(|error| StartError(error.to_string()))
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
