//! Protection of the holder (domain §8): what is counted against being searched for or guessed at, and the port that counts.

use std::sync::Arc;

use jiff::Timestamp;

use crate::core::domain::agency::AgencyId;
use crate::core::domain::document::coded_enum;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::refusal::LimitNotice;

/// [`LimitNotice::policy`] of every rule of protection: which of them it was is for the alert, not for the caller.
pub const ENUMERATION_POLICY: &str = "enumeration";

coded_enum! {
    /// What an alert is about.
    Rule {
        /// One value was guessed at with second factors until it was closed.
        FailedChecks = "failed-checks",
        /// So many values failed that the agency's memory of them is full.
        FailedValues = "failed-values",
        /// Values one after another, or most of a run that are nobody's.
        SequentialValues = "sequential-values",
        /// More different values of one run of numbers than a branch may ask about in a day.
        CrowdedRun = "crowded-run",
        /// More different values than a branch, or one of its actors, may ask about in a day.
        DistinctValues = "distinct-values",
        /// Mostly values that are nobody's.
        UnknownValues = "unknown-values",
        /// More different values in a minute than an actor may ask about.
        ActorBurst = "actor-burst",
        /// More different values in a minute than a branch may ask about.
        BranchBurst = "branch-burst",
        /// A value that no honest caller can have read from a paper, or a protected record.
        Honeypot = "honeypot",
    }
}

/// The bounds of one agency (`[protection]` of its file). Windows are a day, counted from the first call in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Failed second factors on one value after which every answer to a checked query on it is `not-established`.
    pub failed_checks: u32,
    /// Different values with failed second factors that are remembered; beyond them every checked answer on another value is
    /// `not-established`.
    pub failed_values: u32,
    /// Values of one run of a thousand numbers asked one after another, or asked at all where most of them are nobody's, at which that
    /// run is held back from whoever asks.
    pub sequential_values: u32,
    /// Different values of one run of a thousand numbers, in whatever order, at which that run is held back from a branch.
    pub run_values: u32,
    /// Different values that a branch may ask about, whether a second factor is wanted or not.
    pub distinct_values: u32,
    /// Of these, different values that one named actor may ask about.
    pub actor_values: u32,
    /// Different values that were nobody's, where no second factor is wanted and they are more than half: then it has to wait.
    pub unknown_values: u32,
    /// Different honeypots after which a branch learns nothing more in its window.
    pub honeypots: u32,
    /// Different values that one actor may ask about in a minute.
    pub actor_per_minute: Option<u32>,
    /// Different values that one branch may ask about in a minute.
    pub branch_per_minute: Option<u32>,
    /// The first wait in seconds; each further one in the window is twice as long.
    pub pause_s: u32,
    /// What batches may do; `None` where the policy knows none, and `priority` changes nothing here.
    pub batches: Option<Batches>,
}

/// Batches (`priority: background`) may ask in order and without the bounds on runs and minutes. Nothing else is lifted for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Different values that the batches of one branch may ask about.
    pub values: u32,
    /// The one branch whose certificates may send batches; `None`: every one.
    pub branch: Option<Arc<str>>,
}

impl Protection {
    /// The budget of a query that is one of an allowed batch.
    pub fn batch_of(&self, asked: &Asked<'_>) -> Option<u32> {
        let batches = self.batches.as_ref().filter(|_| asked.background)?;
        let sent_by = batches.branch.as_deref().is_none_or(|branch| asked.branch == Some(branch));
        sent_by.then_some(batches.values)
    }
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            failed_checks: 5,
            failed_values: 50_000,
            sequential_values: 20,
            run_values: 100,
            distinct_values: 100_000,
            actor_values: 20_000,
            unknown_values: 200,
            honeypots: 3,
            actor_per_minute: None,
            branch_per_minute: None,
            pause_s: 600,
            batches: None,
        }
    }
}

/// Who asks about whom. It is read while the call lasts; nothing of it is kept but keyed hashes.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The agency.
    pub agency: &'a AgencyId,
    /// The branch of the certificate; without one the certificate stands for the branch.
    pub branch: Option<&'a str>,
    /// SHA-256 of the certificate.
    pub certificate: &'a [u8; 32],
    /// The named clerk or account.
    pub actor: Option<&'a str>,
    /// Whom the query is about.
    pub identifier: &'a Identifier,
    /// Whether the policy wants a second factor for this query.
    pub check_required: bool,
    /// Whether the query says that it is one of a batch (`priority: background`).
    pub background: bool,
}

/// What came of the look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Somebody was found and, where it counted, the second factor matched.
    pub established: bool,
    /// A second factor was wanted or given.
    pub checked: bool,
    /// Those found, at least one, must all look like nobody.
    pub blocked: bool,
}

/// Whether the caller may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// As it was decided.
    Told,
    /// `not-established`, whatever was decided.
    Withheld,
}

/// Counts what could add up to a search.
pub trait Shield: Send + Sync + 'static {
    /// Before the look-up; it knows nothing yet of whether anybody is there, so that its refusals tell nothing.
    ///
    /// # Errors
    /// How long the caller has to wait.
    fn screen(&self, asked: &Asked<'_>, now: Timestamp) -> Result<(), LimitNotice>;

    /// After the look-up: counts it, and says whether its outcome may be told.
    fn settle(&self, asked: &Asked<'_>, seen: Seen, now: Timestamp) -> Settled;
}

/// Where alerts go. They say what happened at which agency on which day, never to whom or at which instant.
pub trait Alerts: Send + Sync + 'static {
    /// Raises one.
    fn raise(&self, rule: Rule, agency: &AgencyId, now: Timestamp);
}
