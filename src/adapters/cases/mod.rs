//! The register of cases (`cases/NUMBER.json`): without an open case no trail is opened. One small file each, replaced whole.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::core::ledger::retention::day_of;
use crate::files;

/// Longest case number.
const LONGEST: usize = 64;

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its number.
    pub number: String,
    /// Why it was opened. No number and no name of a person.
    pub reason: String,
    /// The office that may open trails in it, by its agency's name.
    pub office: String,
    /// When it was opened.
    pub opened: Timestamp,
    /// Its last day (UTC): no case is for ever.
    pub until: Date,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}

impl Case {
    /// Whether trails may be opened in it.
    pub fn is_open(&self, office: &str, now: Timestamp) -> bool {
        self.office == office && self.closed.is_none() && self.opened <= now && day_of(now) <= self.until
    }
}

/// Why the register cannot do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Not a case number.
    #[error("a case number has up to 64 letters, digits, `.`, `_` and `-`, and begins with a letter or digit")]
    BadNumber,
    /// Numbers are used once.
    #[error("there is a case `{0}` already; take another number")]
    Exists(String),
    /// No such case.
    #[error("there is no case `{0}`")]
    Unknown(String),
    /// A file cannot be used.
    #[error("cannot use `{path}`: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// The register in its folder.
#[derive(Clone, Debug)]
pub struct CaseRegister {
    dir: PathBuf,
}

impl CaseRegister {
    /// The register in a folder; nothing is read yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Opens a case; when this returns, it is durable.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn open(&self, case: &Case) -> Result<(), CaseError> {
        let path = self.path(&case.number)?;
        if path.exists() {
            return Err(CaseError::Exists(case.number.clone()));
        }
        self.write(&path, case)
    }

    /// Closes a case; closing it again changes nothing.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn close(&self, number: &str, now: Timestamp) -> Result<Case, CaseError> {
        let mut case = self.find(number)?.ok_or_else(|| CaseError::Unknown(number.to_owned()))?;
        case.closed = case.closed.or(Some(now));
        self.write(&self.path(number)?, &case)?;
        Ok(case)
    }

    /// A case by its number.
    ///
    /// # Errors
    /// [`CaseError`]: no case number, or its file cannot be read.
    pub fn find(&self, number: &str) -> Result<Option<Case>, CaseError> {
        let path = self.path(number)?;
        let fault = |why: String| CaseError::File { path: path.clone(), why };
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| fault(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(error.to_string())),
        }
    }

    /// Every case, by number.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn list(&self) -> Result<Vec<Case>, CaseError> {
        let fault = |error: std::io::Error| CaseError::File { path: self.dir.clone(), why: error.to_string() };
        let files = match std::fs::read_dir(&self.dir) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(error)),
        };
        let mut cases = Vec::new();
        for file in files {
            let path = file.map_err(fault)?.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(number) = path.file_stem().and_then(|stem| stem.to_str())
            {
                cases.extend(self.find(number)?);
            }
        }
        cases.sort_by(|one, other| one.number.cmp(&other.number));
        Ok(cases)
    }

    fn path(&self, number: &str) -> Result<PathBuf, CaseError> {
        let first = number.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let all = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if first && all && number.len() <= LONGEST { Ok(self.dir.join(format!("{number}.json"))) } else { Err(CaseError::BadNumber) }
    }

    fn write(&self, path: &Path, case: &Case) -> Result<(), CaseError> {
        let fault = |error: std::io::Error| CaseError::File { path: path.to_owned(), why: error.to_string() };
        std::fs::create_dir_all(&self.dir).map_err(fault)?;
        let text = serde_json::to_vec_pretty(case).map_err(|error| fault(error.into()))?;
        files::write_durably(path, &text).map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn case(number: &str) -> Case {
        Case {
            number: number.into(),
            reason: "complaint".into(),
            office: "dpo".into(),
            opened: "2026-11-23T10:00:00Z".parse().unwrap(),
            until: "2026-11-30".parse().unwrap(),
            closed: None,
        }
    }

    #[test]
    fn case_is_open_for_its_office_from_its_opening_to_its_end() {
        let case = case("case-1");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(case.is_open("dpo", at("2026-11-30T23:59:59Z")));
        assert!(!case.is_open("dpo", at("2026-12-01T00:00:00Z")));
        assert!(!case.is_open("dpo", at("2026-11-23T09:59:59Z")));
        assert!(!case.is_open("bank", at("2026-11-23T12:00:00Z")));
    }

    #[test]
    fn number_is_used_once_and_never_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let register = CaseRegister::new(&folder.path().join("cases"));
        assert_eq!(register.list().unwrap(), []);
        register.open(&case("case-1")).unwrap();
        assert!(matches!(register.open(&case("case-1")), Err(CaseError::Exists(_))));
        for number in ["", "../x", ".hidden", "a/b", "-x"] {
            assert!(matches!(register.open(&case(number)), Err(CaseError::BadNumber)), "{number}");
        }
        let closed = register.close("case-1", "2026-11-24T00:00:00Z".parse().unwrap()).unwrap();
        assert!(!closed.is_open("dpo", "2026-11-25T00:00:00Z".parse().unwrap()));
        assert_eq!(register.list().unwrap(), [closed]);
        assert!(matches!(register.close("case-2", Timestamp::UNIX_EPOCH), Err(CaseError::Unknown(_))));
    }
}
