//! `estelam log backup`, `restore` and `succeed`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::place::{Place, write_atomically};
use super::{CliError, Failure};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::KeyRing;
use crate::adapters::store::{self, Answered, NotWitnessed, Origins};
use crate::app;
use crate::app::memories::Memories;
use crate::app::origins::{end_log, end_restored, origins_of};
use crate::config::Config;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::succession::{Ending, SuccessionStatement, is_successor};

/// Copy the log into a folder; the service goes on meanwhile. An earlier copy there is brought up to date: new entries are added, deleted contents deleted
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The folder: a new one, or one with an earlier copy
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = self.place.config()?;
        let origins = origins_of(&config).doing("the ledger")?;
        store::check_room(&origins, &self.to, config.ledger.room_bounds()).doing("nothing was copied")?;
        let (entries, checkpoint) = store::backup_all(&origins, &self.to).doing("the log cannot be copied")?;
        if let Some(note) = checkpoint {
            write_atomically(&self.to.join("checkpoint"), note.as_bytes())?;
        }
        Memories::of(&config).and_then(|memories| memories.copy_to(&self.to)).doing("what is remembered beside the log")?;
        println!("{entries} entries in the copy; their contents open only with the installation's `content.key`, which is not in the copy");
        Ok(ExitCode::SUCCESS)
    }
}

/// Put a copy back where no log is. It is sealed as it is, and a new log goes on from it, unless this folder itself shows that nobody was answered beyond it
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The folder of the copy
    from: PathBuf,
    /// The last checkpoint that was seen outside: the witness's, or one that an auditor kept
    #[arg(long)]
    checkpoint: PathBuf,
    /// Put a copy back that lacks entries which anybody outside has seen, too; always goes on under a new origin
    #[arg(long)]
    succeed: bool,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = self.place.config()?;
        let from = Origins::open(&self.from, &config.ledger.origin).doing("the copy")?;
        if !store::has_log(&from.dir_of(from.present())).doing("the copy")? {
            return Err(CliError::failed(format_args!(
                "nothing was restored: there is no copy of a log in `{}`; name the folder into which `estelam log backup` copied it",
                self.from.display()
            )));
        }
        let keys = KeyRing::open_at(&app::key_place(&config)).doing("the keys")?;
        let note = std::fs::read_to_string(&self.checkpoint).doing(format_args!("cannot read `{}`", self.checkpoint.display()))?;
        let seen = seen(&config, &keys, &note)?;
        let standing = standing(&from, &config, &seen)?;
        if let Standing::Lacks(lack) = &standing
            && !self.succeed
        {
            return Err(CliError::failed(format_args!(
                "nothing was restored: {lack}. With `--succeed` it is put back and sealed as it is, and a new log goes on under a new origin"
            )));
        }
        let why = match standing {
            Standing::Lacks(_) => Some(Ending::Behind),
            Standing::Unproved => Some(Ending::Copy),
            Standing::Whole => self.succeed.then_some(Ending::ByHand),
        };
        store::restore_all(&from, &config.ledger.dir, why.is_none()).doing("nothing was restored")?;
        let memories = Memories::of(&config).doing("the ledger")?;
        for line in memories.put_back(&self.from).doing("restored, but not what is remembered beside the log")? {
            eprintln!("estelam: {line}");
        }
        println!("let six minutes pass since the old service stopped: tokens that it had revoked are not in a copy");
        match why {
            None => println!(
                "restored, with all {} entries that were answered for. Run `estelam log verify` before the service starts",
                seen.size
            ),
            Some(why) => {
                let ended = end_restored(&config, &keys, (why, note), &SystemClock);
                tell(&ended.doing("restored, but not sealed yet; the next start of the service seals it")?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is known of what lies beyond a copy.
enum Standing {
    /// The folder's last writer ended in order, with exactly the entries that the copy has.
    Whole,
    /// It has all that was seen outside, but more may have been answered: agencies hold signed answers that no witness has seen yet.
    Unproved,
    /// Entries that it lacks were published, or answered for.
    Lacks(String),
}

fn standing(from: &Origins, config: &Config, seen: &Checkpoint) -> Result<Standing, CliError> {
    if let Some(lack) = lacks(from, seen)? {
        return Ok(Standing::Lacks(lack));
    }
    let here = store::entries_in(&from.dir_of(from.present())).doing("the copy")?;
    let back = from.at(&config.ledger.dir);
    match store::answered_in(&back.dir_of(back.present())).doing("nothing was restored")? {
        Answered::Exactly(answered) | Answered::AtLeast(answered) if answered > here => {
            Ok(Standing::Lacks(format!("{answered} entries were answered for in this folder, the copy has {here}")))
        }
        Answered::Exactly(answered) if answered == here => Ok(Standing::Whole),
        _ => Ok(Standing::Unproved),
    }
}

/// Reads a checkpoint of any log of the installation.
fn seen(config: &Config, keys: &KeyRing, note: &str) -> Result<Checkpoint, CliError> {
    let (first, origin) = (config.ledger.origin.as_str(), Checkpoint::claimed_origin(note).unwrap_or_default());
    let origin = if is_successor(origin, first) { origin } else { first };
    let known = app::checkpoint_keys(keys, origin).doing("the checkpoint key")?;
    Checkpoint::open(note, &known).doing("the checkpoint does not hold")
}

/// Why a copy must not go on from where it is; none when it may.
fn lacks(from: &Origins, seen: &Checkpoint) -> Result<Option<String>, CliError> {
    if from.present() != seen.origin {
        return Ok(Some(format!("the copy's log is `{}`, the checkpoint is of `{}`", from.present(), seen.origin)));
    }
    match store::continues(&from.dir_of(&seen.origin), seen) {
        Ok(()) => Ok(None),
        Err(lack @ NotWitnessed::Behind { .. }) => Ok(Some(lack.to_string())),
        Err(error) => Err(CliError::failed(format_args!("nothing was restored: {error}"))),
    }
}

/// Seal the log as it is and go on under a new origin: after a fork, or where the folder came from somewhere else
#[derive(Debug, Args)]
pub(super) struct Succeed {
    #[command(flatten)]
    place: Place,
}

impl Succeed {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = self.place.config()?;
        let keys = KeyRing::open_at(&app::key_place(&config)).doing("the keys")?;
        tell(&end_log(&config, &keys, &SystemClock).doing("the log was not sealed")?);
        Ok(ExitCode::SUCCESS)
    }
}

fn tell(statement: &SuccessionStatement) {
    let SuccessionStatement { origin, from, why, .. } = statement;
    println!("`{}` is sealed with {} entries ({}); the log goes on as `{origin}`", from.origin, from.size, why.code());
    println!("tell its witness and the auditors; the sealed log stays readable below `/log/` on the public listener");
}
