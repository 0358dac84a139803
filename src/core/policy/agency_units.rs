//! Units of an agency (branches and systems, as their certificates name them) with limits of their own, besides the agency's.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::agency_file::RateFile;
use super::agency_rules::{Reader, is_branch_name};
use crate::core::domain::table::Table;
use crate::core::limit::{Rate, Tier};

/// One `[[unit]]` of an agency's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnitFile {
    pub name: Spanned<String>,
    #[serde(default)]
    pub suspended: bool,
    pub max_connections: Option<Spanned<usize>>,
    pub daily_quota: Option<Spanned<u64>>,
    pub counter: Option<Spanned<RateFile>>,
    pub background: Option<Spanned<RateFile>>,
    pub token: Option<Spanned<RateFile>>,
    pub token_miss: Option<Spanned<RateFile>>,
}

/// What one branch or system may do at most; the agency's own limits hold as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitPolicy {
    /// Refused at the door.
    pub suspended: bool,
    /// Connections at once.
    pub max_connections: Option<usize>,
    /// Verification queries a day.
    pub daily_quota: Option<u64>,
    /// Rates by tier; a tier without one is bounded by the agency's alone.
    pub rates: Table<Tier, Rate>,
}

/// Units by the name after `/branch/` in their certificates.
pub type Units = Table<Arc<str>, UnitPolicy>;

impl Reader<'_> {
    pub(super) fn units(&mut self, files: &[UnitFile]) -> Units {
        let mut units = Units::default();
        for file in files {
            let name = file.name.get_ref();
            if !is_branch_name(name) {
                self.fault(file.name.span().start, "a unit's name is 1 to 64 letters, digits, `.`, `_` and `-`, as in its certificate");
            }
            if units.insert(name.as_str().into(), self.unit(file)).is_some() {
                self.fault(file.name.span().start, format!("the unit `{name}` is described twice; keep one"));
            }
        }
        units
    }

    fn unit(&mut self, file: &UnitFile) -> UnitPolicy {
        const NOUGHT: &str = "0 would answer nobody; to bar a unit, write `suspended = true`";
        let mut rates = Table::default();
        let tiers = [
            (Tier::Counter, &file.counter),
            (Tier::Background, &file.background),
            (Tier::Token, &file.token),
            (Tier::TokenMiss, &file.token_miss),
        ];
        for (tier, rate) in tiers {
            let Some(rate) = rate else { continue };
            if rate.get_ref().per_second == 0 || rate.get_ref().burst == 0 {
                self.fault(rate.span().start, NOUGHT);
            }
            rates.insert(tier, (*rate.get_ref()).into());
        }
        let max_connections = file.max_connections.as_ref().map(|most| (*most.get_ref(), most.span().start));
        let daily_quota = file.daily_quota.as_ref().map(|most| (*most.get_ref(), most.span().start));
        for at in [max_connections.filter(|most| most.0 == 0).map(|most| most.1), daily_quota.filter(|most| most.0 == 0).map(|most| most.1)]
        {
            at.into_iter().for_each(|at| self.fault(at, NOUGHT));
        }
        UnitPolicy {
            suspended: file.suspended,
            max_connections: max_connections.map(|most| most.0),
            daily_quota: daily_quota.map(|most| most.0),
            rates,
        }
    }
}
