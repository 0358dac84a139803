//! The offices of the made-up week: agencies, branches, clerks, and where their visitors come from.

use std::sync::Arc;

use super::{Kinds, PEOPLE, Person};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::seeded::Seeded;
use crate::core::watch::mixed;

/// What an agency's offices are like.
#[derive(Clone, Copy)]
pub(super) struct Trade {
    /// Name and kind of the agency.
    pub name: &'static str,
    branches: u64,
    /// Queries of a usual clerk on a usual day.
    pub calls: u64,
    pub opens: u64,
    pub closes: u64,
    pub round_the_clock: bool,
}

const fn trade(name: &'static str, branches: u64, calls: u64, opens: u64, closes: u64) -> Trade {
    Trade { name, branches, calls, opens, closes, round_the_clock: closes - opens == 24 }
}

const TRADES: [Trade; 6] = [
    trade("school", 160, 22, 8, 14),
    trade("bank", 120, 40, 8, 15),
    trade("clinic", 80, 55, 0, 24),
    trade("telecom", 80, 32, 9, 17),
    trade("insurer", 60, 28, 8, 15),
    trade("kefalat", 40, 30, 8, 16),
];

/// One branch.
pub(super) struct Office {
    pub trade: Trade,
    pub key: u64,
    pub clerks: Vec<Clerk>,
    /// Sends the agency's batches.
    pub batch: bool,
    /// The people of the neighbourhood: the first, and how many. Their cards were made together.
    area: (u64, u64),
}

/// One clerk.
pub(super) struct Clerk {
    pub key: u64,
    /// Percent of the usual pace.
    pub pace: u64,
    pub works_late: bool,
}

impl Trade {
    pub(super) fn agency(&self) -> AgencyId {
        // Cheap: an agency's name is shared, and all of these are well formed.
        AGENCIES.with(|known| known.iter().find(|id| id.as_str() == self.name).cloned()).unwrap_or_else(|| unreachable(self.name))
    }
}

thread_local! {
    static AGENCIES: Vec<AgencyId> = TRADES.iter().filter_map(|trade| AgencyId::parse(trade.name)).collect();
}

#[expect(clippy::expect_used, reason = "names of the table above")]
fn unreachable(name: &str) -> AgencyId {
    AgencyId::parse(name).expect("a well-formed name")
}

impl Office {
    /// Nine of ten live near by.
    pub(super) fn visitor(&self, dice: &mut Seeded) -> Person {
        if dice.percent(90) { Person(self.area.0 + dice.below(self.area.1)) } else { Person(dice.below(PEOPLE)) }
    }
}

/// The kind of each agency is its name.
pub(super) fn kinds() -> Kinds {
    TRADES.iter().filter_map(|trade| Some((AgencyId::parse(trade.name)?, Arc::from(trade.name)))).collect()
}

pub(super) fn offices(seed: u64, percent: u64) -> Vec<Office> {
    let mut offices = Vec::new();
    for trade in TRADES {
        for branch in 0..(trade.branches * percent / 100).max(4) {
            offices.push(office(seed, trade, branch));
        }
    }
    let bank = offices.iter().find(|office| office.trade.name == "bank").map(|office| office.trade);
    offices.extend(bank.map(|trade| Office { batch: true, clerks: vec![clerk(mixed(9, seed), 100, false)], ..office(seed, trade, 9_999) }));
    offices
}

fn office(seed: u64, trade: Trade, branch: u64) -> Office {
    let key = mixed(mixed(seed, trade.name.len() as u64 + trade.calls), branch);
    let mut dice = Seeded::at(seed, key);
    // A settlement is small; whoever lives there has a number close to the neighbours'.
    let size = if dice.percent(10) { dice.between(1_200, 2_500) } else { dice.between(4_000, 20_000) };
    let area = (dice.below(PEOPLE - size), size);
    let clerks = (0..dice.between(2, 8)).map(|place| {
        let pace = if dice.percent(4) { dice.between(180, 260) } else { dice.between(50, 150) };
        clerk(mixed(key, place + 1), pace, dice.percent(4))
    });
    Office { trade, key, clerks: clerks.collect(), batch: false, area }
}

const fn clerk(key: u64, pace: u64, works_late: bool) -> Clerk {
    Clerk { key, pace, works_late }
}

/// The offices of each agency.
pub(super) fn by_trade(all: &[Office]) -> Vec<Vec<&Office>> {
    let of = |trade: &Trade| all.iter().filter(|office| office.trade.name == trade.name && !office.batch).collect();
    TRADES.iter().map(of).collect()
}

/// One of several.
pub(super) fn one<'a, T>(choices: &'a [T], dice: &mut Seeded) -> Option<&'a T> {
    choices.get(usize::try_from(dice.below(choices.len() as u64)).unwrap_or(0))
}
