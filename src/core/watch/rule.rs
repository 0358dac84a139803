//! What a rule says: whose calls are counted, which of them, over which time, and how many are too many.

use std::sync::Arc;

use super::hours::OfficeHours;
use crate::core::domain::document::coded_enum;

coded_enum! {
    /// Whose calls are counted together.
    Who {
        /// All of an agency.
        Agency = "agency",
        /// One branch.
        Branch = "branch",
        /// One clerk or account.
        Actor = "actor",
        /// All about one holder, whoever asks.
        Holder = "holder",
    }
}

coded_enum! {
    /// What of them is counted.
    Counts {
        /// Each call.
        Calls = "calls",
        /// Different holders.
        Holders = "holders",
        /// Different agencies.
        Agencies = "agencies",
        /// Different numbers of one run of a thousand.
        Run = "run",
    }
}

coded_enum! {
    /// Over which time.
    Window {
        /// A Tehran day.
        Day = "day",
        /// A full hour of it.
        Hour = "hour",
    }
}

coded_enum! {
    /// Which hours count.
    Hours {
        /// Those in which the agency's offices are open.
        Open = "open",
        /// All others; an agency of a kind without office hours has none.
        Off = "off",
    }
}

coded_enum! {
    /// The kinds of abuser that the generated week has, so that a rule can be measured.
    Planted {
        /// Asks about far more people than come to a counter.
        Harvester = "harvester",
        /// Goes through numbers that lie side by side.
        SequenceWalker = "sequence-walker",
        /// Asks in bursts while the office is closed.
        NightWorker = "night-worker",
        /// Has clerks of many agencies ask about one person.
        Tracker = "tracker",
        /// Asks far more than the colleagues, but less than a harvester.
        Outlier = "outlier",
        /// Tries numbers that nobody was ever given.
        HoneypotToucher = "honeypot-toucher",
        /// Tries purposes and services that the agency does not have.
        WrongPurpose = "wrong-purpose",
    }
}

/// One rule. What is left empty narrows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in alerts and metrics.
    pub id: Arc<str>,
    /// What it is about, in Persian.
    pub fa: String,
    /// The same in English.
    pub en: String,
    /// Whose calls are counted together.
    pub who: Who,
    /// What of them.
    pub counts: Counts,
    /// Over which time.
    pub per: Window,
    /// One more than this is too many.
    pub more_than: u32,
    /// Then only who is also above so many times the median of the agency's others that day; judged when the day is over.
    pub times_peers: Option<u32>,
    /// Only calls with one of these reasons or refusal codes.
    pub codes: Vec<&'static str>,
    /// Only calls about honeypots and protected records.
    pub honeypots: bool,
    /// Only calls in these hours.
    pub hours: Option<Hours>,
    /// Only agencies of these kinds.
    pub kinds: Vec<String>,
    /// Calls of the branch for batches too.
    pub batches: bool,
    /// How well it must do on the generated week.
    pub least: Least,
}

/// What a rule must at least reach on the generated week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least {
    /// The abusers that it is for.
    pub planted: Planted,
    /// Of a hundred alerts, so many are about an abuser.
    pub precision: u32,
    /// Of a hundred days of those abusers, so many are found.
    pub recall: u32,
}

/// Every rule of a policy, and when offices are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchRules {
    /// The rules, in the order of the file.
    pub rules: Vec<Arc<Rule>>,
    /// When which kind of agency is open.
    pub hours: OfficeHours,
}
