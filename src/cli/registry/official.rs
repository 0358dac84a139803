//! `estelam registry official`: who enters, approves and rescinds decrees. The registry has the public half of each one's key and no other.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{existing_store, store_dir};
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};
use crate::registry::decrees::{OfficialKey, Officials};

/// Officials of the registry.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Official {
    /// Make an official known by the public half of a key, Ed25519
    Add {
        /// Name in the signatures of decrees: letters, digits and hyphens
        name: String,
        /// The public half: `openssl pkey -in KEY.pem -pubout`
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        /// Keys of two officials who are known already, once there are two
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// List who is known
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Official {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Add { name, public, key, place } => {
                let dir = existing_dir(&place)?;
                Officials::enrol_public(&dir, &name, &public, &keys(&key)?).doing("nobody was made known")?;
                println!("{name} may enter decrees and approve those of others, where {name} is an official of the gateway too");
            }
            Self::List { place, json } => {
                let dir = existing_dir(&place)?;
                let known = Officials::load(&dir).doing("the officials")?;
                let names: Vec<&str> = known.names().collect();
                if json {
                    println!("{}", json!(names));
                } else {
                    names.iter().for_each(|name| println!("{name}"));
                }
                tell_passed_over(&place);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The private keys in files.
pub(super) fn keys(files: &[PathBuf]) -> Result<Vec<OfficialKey>, CliError> {
    files.iter().map(|file| OfficialKey::read(file).doing("the official's key")).collect()
}

/// The folder of a registry that is there: a slip must not make one.
fn existing_dir(place: &Place) -> Result<PathBuf, CliError> {
    existing_store(place).map(|_| store_dir(place.dir()))
}

/// Says which files look like officials' keys and are nobody's, since their names are not as they must be.
pub(super) fn tell_passed_over(place: &Place) {
    for file in Officials::passed_over(&store_dir(place.dir())) {
        eprintln!(
            "estelam: `{}` is passed over, since it is not named NAME.pub.pem; make an official known by `estelam registry official add NAME --public FILE`",
            file.display()
        );
    }
}
