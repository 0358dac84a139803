//! The register of cases (`cases/NUMBER.json`): without an open case no trail is opened. One small file each, replaced whole.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::ledger::retention::day_of;
use crate::core::ledger::tree::sha256;
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

/// How the reason of a case begins that a holder opened, what stands before the ids of the entries in it, and what before its mark.
const CONTESTS: &str = "the holder contests: ";
const ENTRIES: &str = "; entries ";
const MARK: &str = "; mark ";

/// The reason of a case that a holder opens about some entries. The mark is random.
pub fn contested(why: &str, entries: &[Uuid], mark: &str) -> String {
    let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
    format!("{CONTESTS}{why}{ENTRIES}{}{MARK}{mark}", entries.join(", "))
}

impl Case {
    /// Whether another case has the same reason, apart from the mark of one that a holder opened.
    pub fn has_reason_of(&self, other: &Self) -> bool {
        let unmarked = |case: &Self| case.reason.rsplit_once(MARK).map_or_else(|| case.reason.clone(), |(reason, _)| reason.to_owned());
        unmarked(self) == unmarked(other)
    }

    /// The case as the access log has it. Who audits patterns reads that, and must not learn which entries are about one person: of a holder's reason
    /// it has how many they are, and a hash, which the mark that stands in the register alone keeps from being guessed.
    #[must_use]
    pub fn for_the_log(&self) -> Self {
        let Some((why, rest)) = self.reason.strip_prefix(CONTESTS).and_then(|reason| reason.split_once(ENTRIES)) else {
            return self.clone();
        };
        let entries = rest.split(", ").count();
        let hash = rest.contains(MARK).then(|| URL_SAFE_NO_PAD.encode(sha256(self.reason.as_bytes())));
        let hash = hash.map_or_else(String::new, |hash| format!("; reason sha256 {hash}"));
        Self { reason: format!("{CONTESTS}{why}; number of entries {entries}{hash}"), ..self.clone() }
    }

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
    fn log_has_no_entry_of_a_holder_s_case_and_a_hash_that_nobody_guesses() {
        let entries = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let of = |mark: &str| Case { reason: contested("not-me", &entries, mark), ..case("holder-1") };
        let (one, other) = (of("AAAA"), of("BBBB"));
        assert!(one.reason.contains(&entries[1].to_string()) && one.has_reason_of(&other));
        let logged = one.for_the_log();
        assert!(logged.reason.starts_with("the holder contests: not-me; number of entries 2; reason sha256 "), "{}", logged.reason);
        assert!(!logged.reason.contains("0000-0000") && !logged.reason.contains("AAAA"), "{}", logged.reason);
        assert_ne!(logged.reason, other.for_the_log().reason, "the mark is in it");
        // A case of an earlier build has no mark, and what could be guessed is left out.
        let old = Case { reason: one.reason.replace("; mark AAAA", ""), ..one };
        assert_eq!(old.for_the_log().reason, "the holder contests: not-me; number of entries 2");
        assert_eq!(case("case-1").for_the_log(), case("case-1"), "an officer's own words stay");
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
