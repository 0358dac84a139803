//! The abusers of the made-up week. Each kind comes from bold to cautious, so that a rule that only finds the bold is seen to.

use super::offices::{Office, by_trade, one};
use super::{HOUR, MINUTE, PEOPLE, Person, Today};
use crate::core::domain::seeded::Seeded;
use crate::core::watch::mixed;
use crate::core::watch::rule::Planted;

/// Abusers of each kind in a week of the usual size.
const EACH: u64 = 16;
const FEWEST: u64 = 8;

/// What one abuser did on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plant {
    /// What sort it is.
    pub kind: Planted,
    /// The keys by which an alert may be about it: clerk, branch, holder.
    pub whos: Vec<u64>,
}

/// One abuser's plan.
pub(super) struct Plot {
    kind: Planted,
    /// Place of the office and of the clerk.
    office: usize,
    clerk: usize,
    /// Days of the week on which it happens.
    days: Vec<u64>,
    /// From 0 (cautious) to 100 (bold).
    boldness: u64,
    seed: u64,
}

pub(super) fn plots(seed: u64, percent: u64, offices: &[Office]) -> Vec<Plot> {
    let mut dice = Seeded::at(seed ^ 0x000B_AD0C, 0);
    let mut plots = Vec::new();
    for kind in Planted::ALL {
        let suited: Vec<usize> = offices
            .iter()
            .enumerate()
            .filter(|(_, office)| {
                !(office.batch || office.trade.round_the_clock && matches!(kind, Planted::NightWorker | Planted::Outlier))
            })
            .map(|(place, _)| place)
            .collect();
        for _ in 0..(EACH * percent / 100).max(FEWEST) {
            let office = one(&suited, &mut dice).copied().unwrap_or(0);
            let clerks = offices.get(office).map_or(1, |office| office.clerks.len()) as u64;
            let first = dice.below(5);
            plots.push(Plot {
                kind: *kind,
                office,
                clerk: usize::try_from(dice.below(clerks)).unwrap_or(0),
                days: (first..=first + dice.below(3)).collect(),
                boldness: dice.below(101),
                seed: dice.below(u64::MAX),
            });
        }
    }
    plots
}

impl Plot {
    /// From `low` for the cautious to `high` for the bold.
    const fn between(&self, low: u64, high: u64) -> u64 {
        low + (high - low) * self.boldness / 100
    }
}

impl Today {
    pub(super) fn plot(&mut self, plot: &Plot, offices: &[Office]) {
        let Some(office) = offices.get(plot.office).filter(|_| plot.days.contains(&self.number)) else { return };
        let (Some(clerk), Some((from, until))) = (office.clerks.get(plot.clerk), self.open(&office.trade)) else { return };
        let mut dice = Seeded::at(plot.seed, self.number);
        let mut whos = vec![clerk.key, office.key];
        match plot.kind {
            Planted::Harvester => {
                for _ in 0..plot.between(260, 1_600) {
                    let (second, person) = (dice.between(from, until - 1), Person(dice.below(PEOPLE)));
                    self.ask(office, clerk.key, second, person);
                }
            }
            Planted::SequenceWalker => whos.extend(self.walk(plot, office, clerk.key, (from, until), &mut dice)),
            Planted::NightWorker => {
                let hour = dice.between(office.trade.closes + 3, 23) * HOUR;
                for _ in 0..plot.between(18, 90) {
                    let (second, person) = (hour + dice.below(50 * MINUTE), office.visitor(&mut dice));
                    self.ask(office, clerk.key, second, person);
                }
            }
            Planted::Tracker => whos = self.follow(plot, offices, &mut dice),
            Planted::Outlier => {
                let calls = office.trade.calls * plot.between(450, 800) / 100;
                for _ in 0..calls {
                    let (second, person) = (dice.between(from, until - 1), office.visitor(&mut dice));
                    self.ask(office, clerk.key, second, person);
                }
            }
            Planted::HoneypotToucher => {
                for _ in 0..plot.between(1, 6) {
                    let (second, number) = (dice.between(from, until - 1), PEOPLE + dice.below(PEOPLE));
                    let sighting = self.ask(office, clerk.key, second, Person(number));
                    (sighting.honeypot, sighting.code) = (true, "not-established");
                }
            }
            Planted::WrongPurpose => {
                for _ in 0..plot.between(4, 40) {
                    let (second, person) = (dice.between(from, until - 1), office.visitor(&mut dice));
                    let code = if dice.percent(50) { "purpose-not-allowed" } else { "service-not-allowed" };
                    self.ask(office, clerk.key, second, person).code = code;
                }
            }
        }
        self.day.plants.push(Plant { kind: plot.kind, whos });
    }

    /// Numbers side by side, slowly and out of order, so that no bound of the moment is met; the bold share them out among made-up clerks.
    fn walk(&mut self, plot: &Plot, office: &Office, clerk: u64, (from, until): (u64, u64), dice: &mut Seeded) -> Vec<u64> {
        let (first, steps) = (dice.below(PEOPLE - 200), plot.between(35, 140));
        let names: Vec<u64> = if plot.boldness > 60 { (0..4).map(|name| mixed(clerk, name)).collect() } else { vec![clerk] };
        for (step, name) in (0..steps).zip(names.iter().copied().cycle()) {
            let second = dice.between(from, until - 1);
            let sighting = self.ask(office, name, second, Person(first + step));
            if dice.percent(20) {
                sighting.code = "not-established";
            }
        }
        names
    }

    /// Accomplices at several agencies ask about one person, again and again; the cautious by two numbers, each at fewer agencies than a rule bears.
    fn follow(&mut self, plot: &Plot, offices: &[Office], dice: &mut Seeded) -> Vec<u64> {
        let person = Person(dice.below(PEOPLE));
        for (place, trade) in by_trade(offices).iter().enumerate().take(usize::try_from(plot.between(5, 6)).unwrap_or(6)) {
            let Some(office) = one(trade, dice) else { continue };
            let (Some((from, until)), Some(clerk)) = (self.open(&office.trade), one(&office.clerks, dice)) else { continue };
            for _ in 0..dice.between(1, 3) {
                let second = dice.between(from, until - 1);
                let older = plot.boldness < 50 && place % 2 == 1;
                self.ask(office, clerk.key, second, person).holder = Some(person.number(older));
            }
        }
        vec![person.key()]
    }
}
