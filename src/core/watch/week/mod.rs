//! A made-up week of traffic (Saturday to Friday, Azar 1405) with abusers of every kind planted in it: deterministic by its seed, realistic
//! enough that rules can be wrong on it. Honest clerks differ in pace, work late, mistype, serve families one number after another and
//! neighbourhoods whose numbers lie close together; people who move are asked about by several agencies in a day.

mod offices;
mod planted;

use jiff::civil::{Date, Weekday, date};
use jiff::{SignedDuration, Timestamp};

pub use self::planted::Plant;

use self::offices::{Clerk, Office, Trade, offices};
use super::engine::Kinds;
use super::{Place, Sighting, mixed};
use crate::core::domain::date::start_of_tehran_day;
use crate::core::domain::seeded::Seeded;

/// Its first day, a Saturday.
pub const FIRST_DAY: Date = date(2026, 11, 21);
/// Days of it.
pub const DAYS: u64 = 7;
/// People with a card; each tenth number is somebody's, as with a check digit.
pub(super) const PEOPLE: u64 = 1_200_000;
const NUMBERS_EACH: u64 = 10;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
/// What an honest query mostly comes to.
const USUAL: &str = "valid";

/// A week by its seed and size.
pub struct Week {
    seed: u64,
    offices: Vec<Office>,
    plots: Vec<planted::Plot>,
}

/// One day of it.
#[derive(Debug, Default)]
pub struct WeekDay {
    /// What was recorded, in order of time.
    pub sightings: Vec<Sighting>,
    /// Who abused it, and how.
    pub plants: Vec<Plant>,
}

impl Week {
    /// The week of a seed; `percent` of the usual number of offices (540, some 2,700 clerks).
    pub fn new(seed: u64, percent: u64) -> Self {
        let offices = offices(seed, percent);
        let plots = planted::plots(seed, percent, &offices);
        Self { seed, offices, plots }
    }

    /// Clerks that work in it.
    pub fn clerks(&self) -> usize {
        self.offices.iter().map(|office| office.clerks.len()).sum()
    }

    /// Branches.
    pub fn branches(&self) -> usize {
        self.offices.len()
    }

    /// The kind of each agency in it.
    pub fn kinds() -> Kinds {
        offices::kinds()
    }

    /// A day of it, from 0 to 6.
    pub fn day(&self, number: u64) -> WeekDay {
        let civil = FIRST_DAY.checked_add(SignedDuration::from_hours(24 * i64::try_from(number).unwrap_or(0))).unwrap_or(FIRST_DAY);
        let mut today = Today::new(self.seed, number, civil);
        for (place, office) in self.offices.iter().enumerate() {
            let mut dice = Seeded::at(self.seed ^ 0x0FF1CE, number << 32 | place as u64);
            today.office(office, &mut dice);
        }
        today.movers(&self.offices);
        for plot in &self.plots {
            today.plot(plot, &self.offices);
        }
        // Of a refusal, and of what comes to nothing, the registry said of nobody whose number it is.
        let untold = |sighting: &&mut Sighting| sighting.code.starts_with("not-") || sighting.code.ends_with("-not-allowed");
        today.day.sightings.iter_mut().filter(untold).for_each(|sighting| sighting.person = None);
        today.day.sightings.sort_by_key(|sighting| sighting.at);
        today.day
    }
}

/// A day while it is made.
struct Today {
    civil: Date,
    number: u64,
    begins: Timestamp,
    seed: u64,
    day: WeekDay,
}

/// Somebody's number.
#[derive(Clone, Copy)]
struct Person(u64);

impl Person {
    const fn key(self) -> u64 {
        mixed(0xB0D1, self.0)
    }

    /// The key of one of the person's two numbers: of the card, or of an older paper.
    const fn number(self, older: bool) -> u64 {
        mixed(if older { 0x01DE } else { 0xCA2D }, self.0)
    }

    /// Where the number stands; its last digit is a check digit.
    fn place(self) -> Place {
        let number = self.0 * NUMBERS_EACH + mixed(7, self.0) % NUMBERS_EACH;
        Place { run: mixed(0x12F2, number / 1_000), at: u16::try_from(number % 1_000).unwrap_or(0) }
    }
}

impl Today {
    fn new(seed: u64, number: u64, civil: Date) -> Self {
        Self { civil, number, begins: start_of_tehran_day(civil), seed, day: WeekDay::default() }
    }

    fn instant(&self, second: u64) -> Timestamp {
        let offset = SignedDuration::from_secs(i64::try_from(second).unwrap_or(0));
        self.begins.checked_add(offset).unwrap_or(self.begins)
    }

    fn ask(&mut self, office: &Office, clerk: u64, second: u64, person: Person) -> &mut Sighting {
        let sighting = Sighting {
            at: self.instant(second.min(24 * HOUR - 1)),
            agency: office.trade.agency(),
            branch: office.key,
            actor: Some(clerk),
            holder: Some(person.number(false)),
            person: Some(person.key()),
            place: Some(person.place()),
            honeypot: false,
            batch: false,
            code: USUAL,
        };
        self.day.sightings.push(sighting);
        let last = self.day.sightings.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "it was pushed just now")]
        &mut self.day.sightings[last]
    }

    /// The seconds in which an office is open today; `None` when it is not.
    fn open(&self, trade: &Trade) -> Option<(u64, u64)> {
        let (from, until) = match (self.civil.weekday(), trade.round_the_clock) {
            (_, true) => (0, 24),
            (Weekday::Friday, false) => return None,
            (Weekday::Thursday, false) => (trade.opens, 13),
            _ => (trade.opens, trade.closes),
        };
        Some((from * HOUR, until * HOUR))
    }

    fn office(&mut self, office: &Office, dice: &mut Seeded) {
        if office.batch {
            return self.batch(office, dice);
        }
        let Some(open) = self.open(&office.trade) else { return };
        for clerk in &office.clerks {
            if !dice.percent(8) {
                self.clerk(office, clerk, open, dice);
            }
        }
    }

    /// An honest clerk's day.
    fn clerk(&mut self, office: &Office, clerk: &Clerk, (from, until): (u64, u64), dice: &mut Seeded) {
        let shorter = if until - from < 6 * HOUR { 60 } else { 100 };
        let calls = office.trade.calls * clerk.pace * dice.between(70, 130) * shorter / 1_000_000;
        for _ in 0..calls {
            let second = dice.between(from, until - 1);
            let person = office.visitor(dice);
            self.honest(office, clerk, second, person, dice);
            // A family comes together, and its numbers were given together.
            let family = if dice.percent(20) { dice.below(5) } else { 0 };
            for member in 1..=family {
                self.honest(office, clerk, second + member * MINUTE, Person(person.0 + member), dice);
            }
            if dice.percent(10) {
                self.honest(office, clerk, second + dice.between(1, 10) * MINUTE, person, dice);
            }
        }
        // What is left over when the office closes.
        if clerk.works_late && !office.trade.round_the_clock {
            for _ in 0..dice.below(14) {
                let person = office.visitor(dice);
                self.honest(office, clerk, until + dice.below(2 * HOUR), person, dice);
            }
        }
    }

    fn honest(&mut self, office: &Office, clerk: &Clerk, second: u64, person: Person, dice: &mut Seeded) {
        let code = match dice.below(1_000) {
            0..2 => "purpose-not-allowed",
            2..3 => "service-not-allowed",
            3..60 => "not-established",
            60..160 => "valid-by-decree",
            160..190 => "lapsed-renewable",
            _ => USUAL,
        };
        // One slip of the pen in a hundred thousand meets a honeypot.
        let honeypot = dice.below(100_000) == 0;
        let sighting = self.ask(office, clerk.key, second, person);
        (sighting.code, sighting.honeypot) = (code, honeypot);
    }

    /// The bank goes through its accounts at night, as agreed with the operator.
    fn batch(&mut self, office: &Office, dice: &mut Seeded) {
        let first = dice.below(PEOPLE / 2);
        for clerk in &office.clerks {
            for at in 0..3_000 {
                self.ask(office, clerk.key, 2 * HOUR + at, Person(first + at)).batch = true;
            }
        }
    }

    /// People who move, and see to everything on one day.
    fn movers(&mut self, all: &[Office]) {
        let mut dice = Seeded::at(self.seed ^ 0x0A0E5, self.number);
        let agencies = offices::by_trade(all);
        for _ in 0..all.len() / 8 {
            let person = Person(dice.below(PEOPLE));
            // Once in a while somebody needs everything.
            let errands = if dice.below(400) == 0 { 5 } else { dice.between(3, 4) };
            let first = dice.below(agencies.len() as u64);
            for errand in 0..errands {
                let trade = agencies.get(usize::try_from((first + errand) % agencies.len() as u64).unwrap_or(0));
                let Some(office) = trade.and_then(|offices| offices::one(offices, &mut dice)) else { continue };
                let (Some((from, until)), Some(clerk)) = (self.open(&office.trade), offices::one(&office.clerks, &mut dice)) else {
                    continue;
                };
                let second = dice.between(from, until - 1);
                self.ask(office, clerk.key, second, person);
            }
        }
    }
}
