//! `estelam keys`: the signing keys over their whole life. A running service takes a change up by itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::place::Place;
use super::{CliError, Failure, reach, trail_key};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::{Compromise, KeyHome, KeyKeeper, KeyRecord, KeyRing, KeyState, KeyUse};
use crate::adapters::store::{ContentKek, rewrap};
use crate::app;
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::NoteKey;

/// Signing keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// List every key that ever signed, and where it stands
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Encrypt key files that lie there in the clear, and make what is missing of a new installation
    Seal(Where),
    /// Make a key in advance and publish it
    Standby {
        #[command(flatten)]
        of: OfUse,
        /// In the configured PKCS#11 token instead of a file
        #[arg(long)]
        hsm: bool,
    },
    /// Put the standby key to work; the former one stays published, its private half is destroyed (in a token within minutes)
    Rotate {
        #[command(flatten)]
        of: OfUse,
        /// Do not wait until verifiers have had time to read the new key
        #[arg(long)]
        now: bool,
    },
    /// The private half of the signing key is gone and nobody has it: go on with the standby key; old answers stay genuine
    Lost(OfUse),
    /// Others may have a key: publish it no more; what it signed stays genuine only under the checkpoint given
    Compromised {
        /// Id of the key, as `estelam keys list` shows it; its beginning is enough
        // Ids are base64url: one in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// The last checkpoint from before it happened (`GET /checkpoint`, kept by you or by others)
        #[arg(long)]
        checkpoint: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Publish a retired or standby key no more
    Retire {
        /// Id of the key; its beginning is enough
        // Ids are base64url: one in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        place: Place,
    },
    /// Make a key pair to which trail keys are sealed: the data-protection officer's, or that of the registry's desk for holders
    Trail {
        /// File of the private half, which must not be there yet; the public half goes beside it and ends in `.pub`
        file: PathBuf,
    },
}

/// Which installation.
#[derive(Debug, Args)]
pub(super) struct Where {
    #[command(flatten)]
    place: Place,
}

/// Which key of which installation.
#[derive(Debug, Args)]
pub(super) struct OfUse {
    /// What the key is for
    #[arg(value_enum)]
    usage: Use,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Use {
    Tokens,
    Statements,
    Checkpoints,
    /// The contents of the access log; `rotate` only, while no service runs
    Content,
}

impl Use {
    /// What it signs.
    fn signing(self) -> Result<KeyUse, CliError> {
        match self {
            Self::Tokens => Ok(KeyUse::Tokens),
            Self::Statements => Ok(KeyUse::Statements),
            Self::Checkpoints => Ok(KeyUse::Checkpoints),
            Self::Content => Err(CliError::usage(
                "the content key signs nothing and has no standby: `estelam keys rotate content` replaces one that others may have; \
                 for one that is lost, put `content.key` back from its backup, since nothing else opens the contents",
            )),
        }
    }
}

impl Keys {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let now = SystemClock.now();
        match self {
            Self::List { place, json } => list(&place, json)?,
            Self::Seal(Where { place }) => {
                KeyRing::create_or_open_at(&app::key_place(&config(&place)?)).doing("nothing was changed")?;
                println!("every key file is encrypted");
            }
            Self::Standby { of, hsm } => {
                let kid = keeper(&of.place)?.standby(of.usage.signing()?, hsm, now).doing("no key was made")?;
                reach::keys_in_force(&of.place)?;
                println!("{kid} is published and signs nothing yet");
            }
            Self::Rotate { of: OfUse { usage: Use::Content, place }, .. } => rotate_content(&place)?,
            Self::Rotate { of, now: at_once } => {
                let (usage, rules) = (of.usage.signing()?, app::key_rules(&config(&of.place)?));
                let kid = keeper(&of.place)?.rotate(usage, rules, at_once, now).doing("nothing was changed")?;
                reach::keys_in_force(&of.place)?;
                signs(&kid, usage);
                tell_doomed(&of.place)?;
            }
            Self::Lost(of) => {
                let (usage, rules) = (of.usage.signing()?, app::key_rules(&config(&of.place)?));
                let kid = keeper(&of.place)?.lost(usage, rules, now).doing("nothing was changed")?;
                reach::keys_in_force(&of.place)?;
                signs(&kid, usage);
                tell_doomed(&of.place)?;
            }
            Self::Compromised { kid, checkpoint, place } => {
                compromised(&kid, &checkpoint, &place, now)?;
                tell_doomed(&place)?;
            }
            Self::Retire { kid, place } => {
                let mut keeper = keeper(&place)?;
                let kid = whole(&kid, keeper.records())?.kid.clone();
                keeper.retire(&kid).doing("nothing was changed")?;
                drop(keeper);
                reach::keys_in_force(&place)?;
                println!("{kid} is published no more");
                tell_doomed(&place)?;
            }
            Self::Trail { file } => trail_key::run(&file)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn config(place: &Place) -> Result<Config, CliError> {
    place.config()
}

fn keeper(place: &Place) -> Result<KeyKeeper, CliError> {
    KeyKeeper::open(app::key_place(&config(place)?)).doing("the keys")
}

fn signs(kid: &str, usage: KeyUse) {
    println!("{kid} signs {} from now on", usage.code());
}

/// Says which private halves are still there.
fn tell_doomed(place: &Place) -> Result<(), CliError> {
    for record in keeper(place)?.records().iter().filter(|record| record.doomed.is_some()) {
        println!(
            "the private half of {} could not be destroyed yet; a running gateway tries again, and so does the next change",
            record.kid
        );
    }
    Ok(())
}

fn rotate_content(place: &Place) -> Result<(), CliError> {
    let (config, keeper) = (config(place)?, keeper(place)?);
    let (present, next) = keeper.next_content().doing("nothing was changed")?;
    let [present, next] = [present, next].map(|key| ContentKek::new(*key.expose()));
    let mut wrapped = 0;
    // The present log first: where a service has it open, nothing is changed.
    for (_, dir) in app::origins::origins_of(&config).doing("the ledger")?.all().into_iter().rev() {
        wrapped += rewrap(&dir, &present, &next).doing("the content key stays as it is; run this again")?;
    }
    let handed_on = app::hand_retries_on(&config.ledger.dir, &present, &next, SystemClock.now());
    handed_on.doing("retries would not be known again; the content key stays as it is; run this again")?;
    keeper.promote_content().doing("the new key is not in its place yet; run this again")?;
    println!("{wrapped} keys of contents are under the new content key");
    println!("copies of the log from before open with the former one alone: take a new copy; if others have the key, destroy the old ones");
    Ok(())
}

/// The one key whose id begins like this.
fn whole<'a>(kid: &str, records: &'a [KeyRecord]) -> Result<&'a KeyRecord, CliError> {
    let mut found = records.iter().filter(|record| kid.len() >= 6 && record.kid.starts_with(kid));
    match (found.next(), found.next()) {
        (Some(record), None) => Ok(record),
        _ => Err(CliError::usage(format_args!(
            "`{kid}` is not the beginning (6 characters or more) of one key's id; see `estelam keys list`"
        ))),
    }
}

fn compromised(kid: &str, file: &std::path::Path, place: &Place, now: jiff::Timestamp) -> Result<(), CliError> {
    let config = config(place)?;
    let note = std::fs::read_to_string(file).doing(format_args!("cannot read `{}`", file.display()))?;
    let mut keeper = keeper(place)?;
    let record = whole(kid, keeper.records())?.clone();
    let keys = checkpoint_keys(app::origins::origins_of(&config).doing("the ledger")?.present(), keeper.records())?;
    let checkpoint = Checkpoint::open(&note, &keys).doing("the checkpoint is not one of this log")?;
    let under = Compromise { declared: now, tree_size: checkpoint.size, checkpoint: note };
    keeper.compromised(&record.kid, under, app::key_rules(&config), now).doing("nothing was changed")?;
    // As long as a running gateway signs with it, nobody is told that it is out of use.
    drop(keeper);
    reach::keys_in_force(place)?;
    println!("{} is published no more; what it signed is genuine only as one of the first {} entries", record.kid, checkpoint.size);
    if record.usage == KeyUse::Checkpoints {
        println!("give the witness and the auditors the new key of the log, at `/checkpoint.key`");
    }
    Ok(())
}

fn checkpoint_keys(origin: &str, records: &[KeyRecord]) -> Result<Vec<NoteKey>, CliError> {
    let of_log = records.iter().filter(|record| record.usage == KeyUse::Checkpoints);
    let bytes = of_log.filter_map(|record| <[u8; 32]>::try_from(record.key()?.bytes()).ok());
    bytes.map(|bytes| NoteKey::new(origin, bytes).doing("`ledger.origin`")).collect()
}

fn list(place: &Place, json: bool) -> Result<(), CliError> {
    let keeper = keeper(place)?;
    for record in keeper.records() {
        if json {
            println!("{}", serde_json::to_string(record).doing("cannot print the keys")?);
            continue;
        }
        let place_of = |home: &KeyHome| match home {
            KeyHome::File(name) => name.clone(),
            KeyHome::Pkcs11(label) => format!("token: {label}"),
            KeyHome::Gone => "destroyed".to_owned(),
        };
        let home = record.doomed.as_ref().map_or_else(|| place_of(&record.home), |home| format!("to be destroyed: {}", place_of(home)));
        let until = match record.state {
            KeyState::Retired => record.checkable_until.map(|until| format!("published until {until:.0}")).unwrap_or_default(),
            KeyState::Compromised => {
                record.compromised.as_ref().map(|under| format!("genuine below entry {}", under.tree_size)).unwrap_or_default()
            }
            _ => record.signs_from.map(|from| format!("signs since {from:.0}")).unwrap_or_default(),
        };
        let state = format!("{:?}", record.state).to_lowercase();
        println!("{} {:<11} {:<5} {state:<11} {home:<32} {until}", record.kid, record.usage.code(), record.alg);
    }
    Ok(())
}
