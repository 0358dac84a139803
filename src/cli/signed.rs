//! What `estelam log hold`, `defer` and `purge-order` have in common: things that two people begin and end by signing them.

use std::path::PathBuf;

use clap::Args;

use super::place::Place;
use super::{CliError, Failure};
use crate::adapters::clock::SystemClock;
use crate::app::signed_files::{Kind, SignedFiles, Subject};
use crate::core::domain::clock::Clock as _;
use crate::core::ledger::retention::Step;
use crate::registry::decrees::OfficialKey;

/// Somebody who may sign in a demo.
#[derive(Debug, Args)]
pub(super) struct Enrol {
    /// The person's name
    name: String,
    #[command(flatten)]
    signer: Signer,
}

/// Who signs, and where.
#[derive(Debug, Args)]
pub(super) struct Signer {
    /// The person's private key (PKCS#8 PEM)
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    pub(super) place: Place,
}

/// A further signature.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// Its name
    id: String,
    #[command(flatten)]
    signer: Signer,
}

/// A list.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Enrol {
    pub(super) fn run<K: Kind>(self) -> Result<(), CliError> {
        SignedFiles::<K>::enrol(&self.signer.place.config()?, &self.name, &self.signer.key()?).map_err(CliError::failed)?;
        println!("`{}` may sign every {}", self.name, K::WORDS.one);
        Ok(())
    }
}

impl Signer {
    /// Begins something with the first of two signatures.
    pub(super) fn add<K: Kind>(&self, subject: K::Subject) -> Result<(), CliError> {
        open::<K>(&self.place)?.add(subject, &self.key()?, SystemClock.now()).map_err(CliError::failed)?;
        println!("signed once; it has no effect until another person approves it");
        Ok(())
    }

    fn key(&self) -> Result<OfficialKey, CliError> {
        OfficialKey::read(&self.key).map_err(CliError::failed)
    }
}

impl Sign {
    pub(super) fn run<K: Kind>(self, step: Step) -> Result<(), CliError> {
        let files = open::<K>(&self.signer.place)?;
        files.approve(&self.id, step, &self.signer.key()?, SystemClock.now()).map_err(CliError::failed)?;
        println!("signed");
        Ok(())
    }
}

impl List {
    pub(super) fn run<K: Kind>(self) -> Result<(), CliError> {
        let listed = open::<K>(&self.place)?.list(SystemClock.now()).map_err(CliError::failed)?;
        if self.json {
            println!("{}", serde_json::to_string(&listed).doing("cannot print")?);
            return Ok(());
        }
        for one in listed {
            let standing = serde_json::to_value(one.standing).doing("cannot print")?;
            println!("{:<20} {:<8} {}", one.subject.id(), standing.as_str().unwrap_or_default(), one.subject.line());
        }
        Ok(())
    }
}

/// Refuses words that may be a person's number: names of things go into the log, and reasons are shown to others.
///
/// # Errors
/// One of them may be; or the policies, which know what such numbers look like, do not load.
pub(super) fn screened(place: &Place, names: &[&str], reason: &str) -> Result<(), CliError> {
    let schemes = super::audit::schemes(place)?;
    if names.iter().any(|name| schemes.looks_like_identifier(name)) || schemes.may_hold_identifier(reason) {
        let why =
            "a name goes into the log and a reason is shown to others: neither may hold a person's number; leave days and long numbers out";
        return Err(CliError::usage(why));
    }
    Ok(())
}

fn open<K: Kind>(place: &Place) -> Result<SignedFiles<K>, CliError> {
    SignedFiles::of(&place.config()?, SystemClock.now()).map_err(CliError::failed)
}
