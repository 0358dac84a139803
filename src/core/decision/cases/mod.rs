//! Cases of whole answers (`[[answer]]` in `cases/*.toml`): what is asked, what the registry would say, which decrees are known, and
//! the answer that must come. An official writes them; `estelam policy test` runs them.

mod coverage;
mod expect;
mod file;
mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::core::domain::context::Asked;
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::request::{Check, RequestIdentifier};
use crate::core::policy::{Caller, LoadError, Snapshot};
use crate::core::registry::RegistryAnswer;

pub use expect::Answered;
pub use file::read;
pub use judge::{answer, explained};

/// One case.
pub struct AnswerCase {
    /// File and line.
    pub place: (String, usize),
    /// What it shows.
    pub name: String,
    /// Who asks; `None` leaves the permit out, for a service whatever agency asks.
    pub agency: Option<String>,
    /// From which branch.
    pub branch: Option<String>,
    /// For which service.
    pub service: String,
    /// Why.
    pub purpose: String,
    /// When it is asked.
    pub at: Timestamp,
    /// What is known: everything recorded by then.
    pub known_at: Timestamp,
    /// What is given beside the query; `None` is what the grant asks for.
    pub gives: Option<u8>,
    /// `max_age`, if given.
    pub max_age: Option<u32>,
    /// Whether the query says that it is an emergency.
    pub emergency: bool,
    /// The province that the query names.
    pub province: Option<String>,
    /// The second factor; `None` is one that matches wherever one is wanted.
    pub check: Option<Check>,
    /// The identifier, where the case is about it.
    pub identifier: Option<RequestIdentifier>,
    /// The series that the query names beside a number which the case leaves out.
    pub series: Option<u16>,
    /// The issuing country, likewise; two letters where there are two.
    pub country: Option<String>,
    /// What the registry says; `None` is an outage.
    pub answer: Option<RegistryAnswer>,
    /// The decrees.
    pub decrees: DecreeSet,
    /// For how long nobody has confirmed them, in seconds.
    pub decrees_age_s: u32,
    /// What must come.
    pub expect: Answered,
}

impl AnswerCase {
    /// Who asks, and for what; `None` where the case is about the service alone.
    pub fn caller(&self) -> Option<Caller<'_>> {
        let agency = self.agency.as_deref()?;
        Some(Caller { agency, branch: self.branch.as_deref(), service: &self.service, purpose: &self.purpose })
    }

    /// What the query gives, for a grant that asks for `wanted`.
    pub(super) fn asked(&self, wanted: u8) -> Asked {
        let emergency = if self.emergency { Asked::EMERGENCY } else { 0 };
        let given = self.gives.unwrap_or(wanted | Asked::IDENTIFIER) | emergency;
        Asked { at: self.at.as_second(), given, max_age: self.max_age }
    }

    fn fail(&self, message: impl std::fmt::Display) -> LoadError {
        LoadError { file: self.place.0.clone(), line: Some(self.place.1), message: format!("`{}`: {message}", self.name) }
    }
}

/// How many cases hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The folder's version.
    pub version: Arc<str>,
    /// Cases of permits.
    pub permits: usize,
    /// Cases of whole answers.
    pub answers: usize,
}

/// Runs every case of a policy folder, of permits and of answers, and finds rules without a case each way.
///
/// # Errors
/// The folder does not load, a case does not hold, or a rule has no case; each as one line with its place.
pub fn run(files: &BTreeMap<String, String>) -> Result<Tally, Vec<LoadError>> {
    let snapshot = Snapshot::load(files)?;
    let cases = read(files, &snapshot.services)?;
    let mut errors = Vec::new();
    let permits = crate::core::policy::cases::run(files).unwrap_or_else(|found| {
        errors.extend(found);
        0
    });
    let mut applied = coverage::Applied::default();
    for case in &cases {
        let answered = answer(case, &snapshot);
        applied.note(&answered);
        errors.extend(expect::compare(case, &answered).err().map(|message| case.fail(message)));
    }
    errors.extend(applied.missing(&snapshot, files));
    if errors.is_empty() { Ok(Tally { version: snapshot.version.clone(), permits, answers: cases.len() }) } else { Err(errors) }
}

#[cfg(test)]
mod tests;
