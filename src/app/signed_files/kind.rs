//! What is said of a kind of thing that people sign; all else is the same for every kind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::StartError;
use crate::app::acts::{Known, KnownSigned};
use crate::config::Config;
use crate::core::ledger::retention::Step;

/// What people sign.
pub trait Subject: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// Its name, and its file's.
    fn id(&self) -> &str;

    /// Its last day (UTC).
    fn until(&self) -> Date;

    /// The one agency that it is about, if it is about one.
    fn agency(&self) -> Option<&str>;

    /// What its entry says of it besides hash and signers: never people's words.
    fn details(&self) -> serde_json::Map<String, Value>;

    /// What a list says of it.
    fn line(&self) -> String;
}

/// A kind of thing that people sign.
pub trait Kind: 'static {
    /// What they sign.
    type Subject: Subject;

    /// Its words.
    const WORDS: Words;

    /// What becomes of one that is not on record yet, when somebody who signed it has left office.
    const OUT_OF_OFFICE: OutOfOffice;

    /// Its folder.
    ///
    /// # Errors
    /// The installation has none.
    fn folder(config: &Config) -> Result<PathBuf, StartError>;

    /// The bytes that are signed.
    fn signed_bytes(subject: &Self::Subject, step: Step) -> Vec<u8>;

    /// What holds for it whoever signed it where.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(subject: &Self::Subject) -> Result<(), String>;

    /// What the log knows of those that began.
    fn known(known: &mut Known) -> &mut BTreeMap<String, KnownSigned>;
}

/// The words of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// One of it.
    pub one: &'static str,
    /// What its signers do: `hold or release`.
    pub may: &'static str,
    /// Its verb of the command line.
    pub verb: &'static str,
    /// What one does until its last day.
    pub lasts: &'static str,
    /// What is not done while one cannot be trusted.
    pub closed: &'static str,
    /// Kind of thing in the log.
    pub route: &'static str,
    /// Code of the entry that it begins.
    pub begun: &'static str,
    /// Code of the entry that it ended before its last day.
    pub ended: &'static str,
}

/// What is done about signatures of people who are not in office when they would first have effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfOffice {
    /// It is an error: what a hold would keep must not be deleted because somebody left.
    Fails,
    /// It does not begin: entries are shown, and nothing is deleted.
    DoesNotBegin,
}
