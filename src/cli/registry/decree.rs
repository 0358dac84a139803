//! `estelam registry decree`: four eyes put a decree in force, and four eyes rescind it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::official::{keys, tell_passed_over};
use super::{existing_store, reaches_answers, services, store_dir};
use crate::adapters::clock::SystemClock;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};
use crate::registry::decrees::{self, OfficialKey, Officials, Standing};

/// Decrees.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Decree {
    /// Enter the decrees of a TOML file as pending
    Add {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        with: With,
    },
    /// Put a pending decree in force with another official's key
    Approve {
        /// Its id
        id: String,
        #[command(flatten)]
        with: With,
    },
    /// Rescind a decree in force: one official asks, another carries it out
    Rescind {
        /// Its id
        id: String,
        /// The official's private key, PKCS#8 PEM; a demo, which holds the keys of both, acts for both without it
        #[arg(long)]
        key: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Take out a decree that no gateway takes, since its signers are no officials there; one that was in force must be rescinded instead
    Discard {
        /// Its id
        id: String,
        /// The keys of two officials
        #[arg(long, value_name = "FILE", required = true)]
        key: Vec<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// List every decree and where it stands
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Whose act it is.
#[derive(Debug, Args)]
pub(in crate::cli) struct With {
    /// The official's private key, PKCS#8 PEM
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl With {
    fn officials(&self) -> Result<Officials, CliError> {
        tell_passed_over(&self.place);
        Officials::load(&store_dir(self.place.dir())).doing("the officials")
    }

    fn key(&self) -> Result<OfficialKey, CliError> {
        OfficialKey::read(&self.key).doing("the official's key")
    }
}

impl Decree {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Add { file, with } => {
                let store = existing_store(&with.place)?;
                let ids =
                    decrees::add(&store, &with.officials()?, &services(&with.place)?, &file, &with.key()?).doing("nothing was entered")?;
                ids.iter().for_each(|id| println!("{id} is pending; another official approves it"));
            }
            Self::Approve { id, with } => {
                let store = existing_store(&with.place)?;
                let at = decrees::approve(&store, &with.officials()?, &id, &with.key()?, &SystemClock).doing("not approved")?;
                reaches_answers(&with.place, &store)?;
                println!("{id} is in force, known since {at}");
            }
            Self::Rescind { id, key, place } => rescind(&id, key, &place)?,
            Self::Discard { id, key, place } => {
                let (store, known) = (existing_store(&place)?, Officials::load(&store_dir(place.dir())).doing("the officials")?);
                decrees::discard(&store, &known, &id, &keys(&key)?).doing("not discarded")?;
                reaches_answers(&place, &store)?;
                println!("{id} is not in this registry any more");
            }
            Self::List { place, json } => list(&place, json)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn rescind(id: &str, key: Option<PathBuf>, place: &Place) -> Result<(), CliError> {
    let by = |key: PathBuf| {
        let with = With { key, place: place.clone() };
        decrees::rescind(&existing_store(place)?, &with.officials()?, id, &with.key()?, &SystemClock).doing("not rescinded")
    };
    let standing = match key {
        Some(key) => by(key)?,
        // Whichever of the two asked before, the other carries it out.
        None => {
            let mut reached = Err(no_key());
            for key in keys_of_a_demo(place)? {
                if !matches!(reached, Ok(Standing::Rescinded)) {
                    reached = by(key);
                }
            }
            reached?
        }
    };
    reaches_answers(place, &existing_store(place)?)?;
    match standing {
        Standing::RescissionPending => println!("{id}: {}; another official carries it out", say(standing)),
        _ => println!("{id}: {}", say(standing)),
    }
    Ok(())
}

fn no_key() -> CliError {
    CliError::usage("name the official's key with `--key`; what is typed on a command line proves nothing")
}

/// The keys of a demo's officials.
fn keys_of_a_demo(place: &Place) -> Result<Vec<PathBuf>, CliError> {
    if !place.config().is_ok_and(|config| config.demo) {
        return Err(no_key());
    }
    let folder = place.dir().join("pki").join("officials");
    let files = std::fs::read_dir(&folder).doing(format_args!("cannot read `{}`", folder.display()))?;
    let mut keys: Vec<_> =
        files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|ending| ending == "pem")).collect();
    keys.sort();
    Ok(keys)
}

fn list(place: &Place, json: bool) -> Result<(), CliError> {
    let officials = Officials::load(&store_dir(place.dir())).doing("the officials")?;
    let listed = decrees::list(&existing_store(place)?, &officials).doing("the decrees")?;
    if json {
        println!("{}", serde_json::to_string(&listed).doing("cannot print the decrees")?);
        return Ok(());
    }
    for entry in &listed {
        let signed = if entry.signatures_verify { "" } else { "  SIGNATURES DO NOT VERIFY" };
        println!("{:<28} {:<20} {}{signed}", entry.decree.id, say(entry.standing), entry.decree.text.en);
    }
    Ok(())
}

const fn say(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::InForce => "in force",
        Standing::RescissionPending => "rescission pending",
        Standing::Rescinded => "rescinded",
    }
}
