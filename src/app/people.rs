//! Who signs, two at a time, what keeps entries, hides them or lets them be deleted: outside a demo the officials, as their chain names them; in a demo whoever is
//! enrolled beside the files.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::StartError;
use super::authority::{AuthorityFolder, Official, OfficialsFile};
use crate::config::Config;
use crate::registry::decrees::{OfficialKey, Officials};

/// People whose signatures it needs.
pub(super) const FOUR_EYES: usize = 2;

/// A signature of one person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub(super) by: String,
    signature: String,
}

/// Who may sign.
pub(super) enum People {
    /// Whoever is enrolled for it: in a demo.
    Enrolled(Officials),
    /// The officials.
    Officials {
        /// Those of the version in force.
        present: OfficialsFile,
        /// Everybody who ever was one: what they began stays.
        ever: Vec<Official>,
    },
}

impl People {
    /// Those of an installation, for the files of a folder.
    ///
    /// # Errors
    /// A public key is not usable, or the officials' chain does not hold.
    pub(super) fn of(config: &Config, dir: &Path, now: Timestamp) -> Result<Self, StartError> {
        if config.demo {
            return Self::enrolled(dir);
        }
        let folder = AuthorityFolder::of(config);
        let both = folder.officials(now).and_then(|present| Ok((present.file, folder.ever(now)?)));
        let (present, ever) = both.map_err(|what| StartError(format!("the officials, who sign in `{}`: {what}", dir.display())))?;
        Ok(Self::Officials { present, ever })
    }

    /// Officials whom somebody knows from elsewhere, by every version of their list; none without a version.
    pub(super) fn of_lists(lists: Vec<OfficialsFile>) -> Option<Self> {
        let ever = lists.iter().flat_map(|list| list.officials.clone()).collect();
        Some(Self::Officials { present: lists.into_iter().next_back()?, ever })
    }

    /// Whether two of these were in office together on one of these days.
    pub(super) fn were_in_office(&self, names: &[&str], days: RangeInclusive<Date>) -> bool {
        let Self::Officials { ever, .. } = self else { return true };
        let signed: Vec<&Official> = ever.iter().filter(|official| names.contains(&&*official.id)).collect();
        let (first, last) = days.into_inner();
        let from = |one: &Official, other: &Official| one.from.max(other.from).max(first);
        let together = |one: &Official, other: &Official| one.id != other.id && from(one, other) <= one.to.min(other.to).min(last);
        signed.iter().any(|one| signed.iter().any(|other| together(one, other)))
    }

    /// Those of a demo; no folder is nobody.
    ///
    /// # Errors
    /// A public key is not usable.
    pub(super) fn enrolled(dir: &Path) -> Result<Self, StartError> {
        Officials::load(dir).map(Self::Enrolled).map_err(|error| StartError(error.to_string()))
    }

    /// The signature of whoever holds a key and may sign at an instant.
    ///
    /// # Errors
    /// It is nobody's, or its official is not in office; `what` they would do, `verb` enrols in a demo.
    pub(super) fn sign(
        &self,
        key: &OfficialKey,
        message: &[u8],
        now: Timestamp,
        (what, verb): (&str, &str),
    ) -> Result<Signature, StartError> {
        let by = match self {
            Self::Enrolled(people) => people.name_of(key).ok(),
            Self::Officials { present, .. } => {
                let official = present.officials.iter().find(|official| official.holds(key.public()) && official.in_office(now));
                official.map(|official| official.id.as_str())
            }
        };
        let by = by.ok_or_else(|| {
            let how = match self {
                Self::Enrolled(_) => format!("enrol it first with `{verb}`"),
                Self::Officials { .. } => "officials who are in office sign that (`estelam officials show`)".to_owned(),
            };
            StartError(format!("this key belongs to nobody who may {what}; {how}"))
        })?;
        Ok(Signature { by: by.to_owned(), signature: STANDARD.encode(key.sign(message)) })
    }

    /// How many different people signed; one bad signature makes the file bad.
    ///
    /// # Errors
    /// Whose does not hold.
    pub(super) fn signers(&self, list: &[Signature], message: &[u8]) -> Result<usize, String> {
        let mut names = BTreeSet::new();
        for Signature { by, signature } in list {
            if !self.signed(by, message, &STANDARD.decode(signature).unwrap_or_default()) {
                return Err(format!("the signature of `{by}` does not hold"));
            }
            names.insert(by);
        }
        Ok(names.len())
    }

    fn signed(&self, name: &str, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Enrolled(people) => people.signed(name, message, signature),
            Self::Officials { ever, .. } => ever.iter().any(|official| official.id == name && official.signed(message, signature)),
        }
    }

    /// Whether what these people signed may take effect now. Whoever left office begins and ends nothing.
    pub(super) fn may_act(&self, signatures: &[Signature], now: Timestamp) -> bool {
        match self {
            Self::Enrolled(_) => true,
            Self::Officials { present, .. } => {
                signatures.iter().all(|Signature { by, .. }| present.get(by).is_some_and(|official| official.in_office(now)))
            }
        }
    }
}
