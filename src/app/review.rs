//! Deciding the recorded queries of an installation again, offline and beside the running service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::StartError;
use super::keys::key_place;
use super::origins::origins_of;
use crate::adapters::keys::KeyRing;
use crate::adapters::policy_files::Archive;
use crate::adapters::store::{ContentKek, LogEntries, StoredContent, StoredEntry};
use crate::config::Config;
use crate::core::decision::replay::{Recorded, Said, replay};
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::refusal::RefusalCode;
use crate::core::ledger::{EntryContent, EntryKind};
use crate::core::policy::{LoadError, Snapshot, untried};
use crate::core::registry::Freshness;

/// The route whose entries are verification queries.
const ROUTE: &str = "verify";

/// Under what the queries are decided again.
pub enum Against<'a> {
    /// The policy and the decrees that were in force for each: nothing may differ.
    Recorded,
    /// This policy, with the decrees that were in force for each.
    Draft(&'a Policy),
}

/// A policy folder, loaded.
pub struct Policy {
    snapshot: Snapshot,
    files: BTreeMap<String, String>,
}

impl Policy {
    /// Loads a folder.
    ///
    /// # Errors
    /// Every fault found, each as one line with file and line.
    pub fn load(files: BTreeMap<String, String>) -> Result<Self, Vec<LoadError>> {
        Ok(Self { snapshot: Snapshot::load(&files)?, files })
    }
}

/// What came of it. Nothing here is about a person.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Review {
    /// Verification queries in the log between the two instants.
    pub queries: u64,
    /// Those decided again with the same outcome.
    pub same: u64,
    /// Those answered differently, by agency, service, and what was said and would be said.
    pub different: Vec<Difference>,
    /// Of those with the same outcome, refusals for a rate, a quota or the protection of holders. They stand where policy still lets the
    /// query come so far: what else was asked in that minute is no part of an entry, so another file's rates cannot be tried on it.
    pub limits_not_tried: u64,
    /// What of the draft differs from a policy under which one of them was asked and cannot be tried on any of them: file, and table in it.
    pub changed_not_tried: BTreeSet<String>,
    /// Those that cannot be decided again, by why.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl Review {
    /// How many would be answered differently.
    pub fn changed(&self) -> u64 {
        self.different.iter().map(|difference| difference.queries).sum()
    }
}

/// One line of the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Who asked.
    pub agency: String,
    /// For what.
    pub service: String,
    /// What was said.
    pub old: Said,
    /// What would be said.
    pub new: Said,
    /// How often.
    pub queries: u64,
}

/// Why a query is not decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its content was deleted when due.
    Deleted,
    /// Its content does not open, or was written by another version.
    Unreadable,
    /// It was refused for its token, its certificate, its form, or by the node: not by policy.
    NotPolicy,
    /// The policy or the decrees of its day are not in the archive.
    NotInArchive,
}

impl Skip {
    /// Its name in reports.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Deleted => "content-deleted",
            Self::Unreadable => "content-unreadable",
            Self::NotPolicy => "not-refused-by-policy",
            Self::NotInArchive => "version-not-in-archive",
        }
    }
}

/// Decides every verification query with `from <= time < to` again; `progress` is told (done, in all).
///
/// # Errors
/// The log or its key cannot be read.
pub fn review(
    config: &Config,
    from: Timestamp,
    to: Timestamp,
    against: &Against<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Review, StartError> {
    let logs = open_logs(config)?;
    let mut versions = Versions::new(config);
    let mut outcome = Review::default();
    let mut counts: BTreeMap<(String, String, Said, Said), u64> = BTreeMap::new();
    let mut each = |entry: StoredEntry| {
        let Some(query) = query_of(entry) else { return };
        outcome.queries += 1;
        match query.and_then(|query| again(&query, &mut versions, against).map(|said| (query.recorded, said))) {
            Ok((_, (old, new))) if new == old => {
                outcome.same += 1;
                outcome.limits_not_tried += u64::from(is_for_its_rate(&new));
            }
            Ok((recorded, (old, new))) => {
                let (old, new) = old.apart(new);
                *counts.entry((recorded.agency, recorded.service, old, new)).or_default() += 1;
            }
            Err(skip) => *outcome.skipped.entry(skip.code()).or_default() += 1,
        }
    };
    for mut log in logs {
        log.between(from, to, progress, &mut each).map_err(|error| StartError(error.to_string()))?;
    }
    if let Against::Draft(draft) = against {
        outcome.changed_not_tried = versions.not_tried(draft);
    }
    outcome.different =
        counts.into_iter().map(|((agency, service, old, new), queries)| Difference { agency, service, old, new, queries }).collect();
    Ok(outcome)
}

const fn is_for_its_rate(said: &Said) -> bool {
    matches!(said, Said::Refusal { code: RefusalCode::RateLimited | RefusalCode::QuotaExhausted })
}

/// One recorded query with the versions under which it was decided.
pub struct Query {
    /// The query.
    pub recorded: Recorded,
    /// The policy's version.
    pub policy_version: String,
    /// The decrees' version; none where there were none.
    pub decrees_version: Option<String>,
}

/// What was in force when a query was asked.
pub struct InForce {
    /// The policy.
    pub snapshot: Snapshot,
    /// Its files.
    pub files: BTreeMap<String, String>,
    /// The decrees.
    pub decrees: DecreeSet,
}

/// The recorded query of an answer's or a refusal's id, and what was in force.
///
/// # Errors
/// There is no such query in the log, or why it cannot be decided again.
pub fn find(config: &Config, id: Uuid) -> Result<(Query, InForce), StartError> {
    let mut entry = None;
    for mut log in open_logs(config)? {
        entry = log.find(id).map_err(|error| StartError(error.to_string()))?.or(entry);
    }
    let query = entry.and_then(query_of).ok_or_else(|| StartError("no verification query with this id is in the log".to_owned()))?;
    let query = query.map_err(|skip| StartError(format!("this query cannot be explained: {}", skip.code())))?;
    let archive = Archive::new(config.archive.clone());
    let missing = |why: String| StartError(format!("the policy or the decrees of this query are not in the archive: {why}"));
    let files = archive.policy_files(&query.policy_version).map_err(missing)?;
    let snapshot = archive.policy(&query.policy_version).map_err(missing)?;
    let decrees = match &query.decrees_version {
        Some(version) => archive.decrees(version).map_err(missing)?,
        None => DecreeSet { version: String::new(), decrees: Vec::new(), as_of: Timestamp::MIN },
    };
    Ok((query, InForce { snapshot, files, decrees }))
}

/// The newest list of decrees that continues `earlier`: what became known after it. `own` is the registry's, where it is at hand; it
/// counts if it goes on from the archive's newest, and is no older copy.
///
/// # Errors
/// A list of the archive cannot be read: it may be the newest.
pub fn decrees_since(config: &Config, earlier: DecreeSet, own: Option<DecreeSet>) -> Result<DecreeSet, StartError> {
    let kept = Archive::new(config.archive.clone()).every_decree_set();
    let kept = kept.map_err(|why| StartError(format!("a list of decrees in the archive cannot be read: {why}")))?;
    let newest = kept.into_iter().rev().find(|later| earlier.is_continued_by(later).is_ok()).unwrap_or(earlier);
    Ok(own.filter(|own| newest.is_continued_by(own).is_ok()).unwrap_or(newest))
}

/// Every log of the installation, the sealed ones first.
fn open_logs(config: &Config) -> Result<Vec<LogEntries>, StartError> {
    let keys = KeyRing::open_at(&key_place(config)).map_err(|error| StartError(error.to_string()))?;
    let (kek, origins) = (ContentKek::new(*keys.content().expose()), origins_of(config)?);
    let open = |(origin, dir): (String, std::path::PathBuf)| match origin == origins.present() {
        true => LogEntries::open(&dir, &kek).map(Some),
        false => LogEntries::open_if_there(&dir, &kek),
    };
    let logs: Result<Vec<_>, _> = origins.all().into_iter().map(open).collect();
    Ok(logs.map_err(|error| StartError(error.to_string()))?.into_iter().flatten().collect())
}

/// What was said to a query and what is said to it now. Against a draft both are what the asker is told: of what was said, under the policy of
/// its day.
fn again(query: &Query, versions: &mut Versions, against: &Against<'_>) -> Result<(Said, Said), Skip> {
    let decrees = query.decrees_version.as_deref().map(|version| versions.decrees(version)).transpose()?;
    let policy = versions.policy(&query.policy_version)?;
    let said = |policy: &Policy| replay(&query.recorded, &policy.snapshot, decrees.as_deref()).map_err(|_| Skip::NotPolicy);
    let recorded = query.recorded.said.clone();
    let under_its_own = said(&policy)?;
    match against {
        Against::Recorded => Ok((recorded, under_its_own.exact())),
        // What the log has counts, should it ever say something else.
        Against::Draft(draft) if under_its_own.clone().exact() != recorded => Ok((recorded, said(draft)?)),
        Against::Draft(draft) => Ok((under_its_own, said(draft)?)),
    }
}

/// The verification query that an entry is about; `None` for every other entry.
fn query_of(entry: StoredEntry) -> Option<Result<Query, Skip>> {
    if !matches!(entry.kind, EntryKind::Answer | EntryKind::Refusal) {
        return None;
    }
    match entry.content {
        StoredContent::Deleted => Some(Err(Skip::Deleted)),
        StoredContent::Unreadable => Some(Err(Skip::Unreadable)),
        StoredContent::Kept(content) if content.route == ROUTE => Some(read(*content)),
        StoredContent::Kept(_) => None,
    }
}

fn read(content: EntryContent) -> Result<Query, Skip> {
    let said = said(&content)?;
    // Refused before policy knew what was asked.
    let (Some(inputs), Some(service), Some(policy_version)) = (content.basis, content.service, content.policy_version) else {
        return Err(Skip::NotPolicy);
    };
    let recorded = Recorded {
        agency: content.agency.ok_or(Skip::NotPolicy)?,
        branch: content.branch,
        service,
        purpose: content.purpose.unwrap_or_default(),
        inputs: serde_json::from_str(&inputs).map_err(|_| Skip::Unreadable)?,
        said,
        as_of: content.as_of.unwrap_or(Timestamp::MIN),
        freshness: content.freshness.as_deref().and_then(Freshness::parse).unwrap_or(Freshness::Live),
    };
    Ok(Query { recorded, policy_version, decrees_version: content.decrees_version.filter(|version| !version.is_empty()) })
}

fn said(content: &EntryContent) -> Result<Said, Skip> {
    match (&content.reason, &content.code) {
        (Some(reason), _) => {
            let reason = ReasonCode::parse(reason).ok_or(Skip::Unreadable)?;
            Ok(Said::Answer { reason, decree: content.decree.clone(), told: None })
        }
        (None, Some(code)) => RefusalCode::parse(code).map(|code| Said::Refusal { code }).ok_or(Skip::Unreadable),
        (None, None) => Err(Skip::Unreadable),
    }
}

/// Versions from the archive, each read once.
struct Versions {
    archive: Archive,
    policies: BTreeMap<String, Option<Arc<Policy>>>,
    decrees: BTreeMap<String, Option<Arc<DecreeSet>>>,
}

impl Versions {
    fn new(config: &Config) -> Self {
        Self { archive: Archive::new(config.archive.clone()), policies: BTreeMap::new(), decrees: BTreeMap::new() }
    }

    fn policy(&mut self, version: &str) -> Result<Arc<Policy>, Skip> {
        let archive = &self.archive;
        let read = || archive.policy_files(version).ok().and_then(|files| Policy::load(files).ok()).map(Arc::new);
        let known = self.policies.entry(version.to_owned()).or_insert_with(read);
        known.clone().ok_or(Skip::NotInArchive)
    }

    /// What differs between a draft and any of the policies read, and cannot be tried.
    fn not_tried(&self, draft: &Policy) -> BTreeSet<String> {
        let recorded = self.policies.values().flatten();
        recorded.flat_map(|policy| untried((&policy.files, &policy.snapshot), (&draft.files, &draft.snapshot))).collect()
    }

    fn decrees(&mut self, version: &str) -> Result<Arc<DecreeSet>, Skip> {
        let archive = &self.archive;
        let known = self.decrees.entry(version.to_owned()).or_insert_with(|| archive.decrees(version).ok().map(Arc::new));
        known.clone().ok_or(Skip::NotInArchive)
    }
}
