//! How many codes each office had sent today: durable before a code is asked for, so that a restart gives none back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::core::domain::date::{end_of_tehran_day, tehran_day};
use crate::core::domain::refusal::LimitNotice;
use crate::core::limit::QUOTA_POLICY;

const DAY_S: u64 = 86_400;

/// The counts of a day by office (agency and branch, or certificate).
pub struct OfficeQuota {
    path: PathBuf,
    per_day: u64,
    spent: Mutex<Spent>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spent {
    day: Option<Date>,
    offices: BTreeMap<String, u64>,
}

/// Why an office gets no code.
#[derive(Debug)]
pub enum NoCode {
    /// It had its share of the day.
    Spent(LimitNotice),
    /// The count cannot be kept.
    Disk,
}

impl OfficeQuota {
    /// Opens the file of counts.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn open(path: &Path, per_day: u64) -> io::Result<Self> {
        let spent = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Spent::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.to_owned(), per_day, spent: Mutex::new(spent) })
    }

    /// Spends one code of an office; when this returns, that is durable.
    ///
    /// # Errors
    /// [`NoCode`].
    pub fn spend(&self, office: &str, now: Timestamp) -> Result<(), NoCode> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let (day, mut next) = (tehran_day(now), spent.clone());
        // A clock that went back gives nothing back.
        if next.day.is_none_or(|known| known < day) {
            next = Spent { day: Some(day), offices: BTreeMap::new() };
        }
        let count = next.offices.entry(office.to_owned()).or_default();
        if *count >= self.per_day {
            return Err(NoCode::Spent(self.notice(now)));
        }
        *count += 1;
        self.write(&next).map_err(|_| NoCode::Disk)?;
        *spent = next;
        Ok(())
    }

    fn notice(&self, now: Timestamp) -> LimitNotice {
        let left = end_of_tehran_day(tehran_day(now)).duration_since(now).as_secs();
        LimitNotice { policy: QUOTA_POLICY, quota: self.per_day, window_s: DAY_S, retry_after_s: u64::try_from(left).unwrap_or(0).max(1) }
    }

    fn write(&self, spent: &Spent) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(spent)?)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_restart_gives_no_code_back_and_the_next_day_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("holder-codes.json");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let quota = OfficeQuota::open(&path, 2).unwrap();
        quota.spend("kefalat/north", at("2026-11-23T10:00:00Z")).unwrap();
        quota.spend("kefalat/north", at("2026-11-23T10:00:00Z")).unwrap();
        quota.spend("kefalat/south", at("2026-11-23T10:00:00Z")).unwrap();
        let quota = OfficeQuota::open(&path, 2).unwrap();
        let refused = quota.spend("kefalat/north", at("2026-11-23T20:29:59Z"));
        assert!(matches!(refused, Err(NoCode::Spent(LimitNotice { retry_after_s: 1, quota: 2, .. }))));
        quota.spend("kefalat/north", at("2026-11-23T20:30:00Z")).unwrap();
        assert!(quota.spend("kefalat/south", at("2026-11-22T10:00:00Z")).is_ok(), "counted on the day that is known");
    }
}
