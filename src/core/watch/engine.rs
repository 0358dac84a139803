//! Counts sightings by the rules and says what breaks one. A table is bounded; what finds no room is counted as passed over.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::count::Count;
use super::rule::{Counts, Hours, Rule, WatchRules, Who, Window};
use super::{Sighting, mixed};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::date::{end_of_tehran_day, start_of_tehran_day, tehran_day};

/// Keys of one rule that are counted apart; some 50 bytes each.
pub const KEYS: usize = 1_000_000;
/// Others of an agency without whom nobody stands out.
const PEERS: usize = 8;
const HOUR_S: u32 = 3_600;

/// The kind of every agency.
pub type Kinds = HashMap<AgencyId, Arc<str>>;

/// A rule was broken. `who` stays with whoever measures the rules; an alert does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The Tehran day.
    pub day: Date,
    /// Which rule.
    pub rule: Arc<str>,
    /// At which agency; where a holder is followed by several, the one whose call was too many.
    pub agency: AgencyId,
    /// The key of the agency, branch, actor or holder.
    pub who: u64,
}

/// Counts one Tehran day at a time.
pub struct Watcher {
    rules: Arc<WatchRules>,
    kinds: Arc<Kinds>,
    tables: Vec<HashMap<u64, Count>>,
    agencies: Agencies,
    today: Option<Today>,
    /// Numbers of which the registry said today whose they are.
    persons: HashMap<u64, u64>,
    passed_over: u64,
}

#[derive(Clone, Copy)]
struct Today {
    day: Date,
    begins: Timestamp,
    ends: Timestamp,
}

/// Agencies by small numbers, for as long as the watcher lives.
#[derive(Clone, Default)]
struct Agencies {
    places: HashMap<AgencyId, u16>,
    known: Vec<AgencyId>,
}

impl Agencies {
    fn place(&mut self, agency: &AgencyId) -> u16 {
        if let Some(place) = self.places.get(agency) {
            return *place;
        }
        let place = u16::try_from(self.known.len()).unwrap_or(u16::MAX);
        self.places.insert(agency.clone(), place);
        self.known.push(agency.clone());
        place
    }
}

impl Watcher {
    /// A watcher that has seen nothing.
    pub fn new(rules: Arc<WatchRules>, kinds: Arc<Kinds>) -> Self {
        let tables = rules.rules.iter().map(|_| HashMap::new()).collect();
        Self { rules, kinds, tables, agencies: Agencies::default(), today: None, persons: HashMap::new(), passed_over: 0 }
    }

    /// Goes on under other rules: one that stays as it was keeps what it counted.
    pub fn apply(&mut self, rules: Arc<WatchRules>, kinds: Arc<Kinds>) {
        let mut before: Vec<_> = self.rules.rules.iter().cloned().zip(std::mem::take(&mut self.tables)).collect();
        self.tables = rules.rules.iter().map(|rule| taken(&mut before, rule)).collect();
        (self.rules, self.kinds) = (rules, kinds);
    }

    /// Sightings that a full table had no room for, since the start.
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Counts a sighting; what it breaks is added to `raised`. The first of a new day ends the day before.
    pub fn see(&mut self, sighting: &Sighting, raised: &mut Vec<Raised>) {
        self.until(sighting.at, raised);
        let today = *self.today.get_or_insert_with(|| Today::of(sighting.at));
        let second = u32::try_from(sighting.at.duration_since(today.begins).as_secs()).unwrap_or(0);
        let agency = self.agencies.place(&sighting.agency);
        let holder = self.holder(sighting);
        let kind = self.kinds.get(&sighting.agency).map_or("", |kind| &**kind);
        for (rule, table) in self.rules.rules.iter().zip(&mut self.tables) {
            if !rule.is_about(sighting, kind) || !self.rules.in_hours(rule, kind, today.day, second) {
                continue;
            }
            let Some((who, key, thing)) = rule.keys(sighting, (agency, holder), second / HOUR_S) else { continue };
            if table.len() >= KEYS && !table.contains_key(&key) {
                self.passed_over += 1;
                continue;
            }
            let count = table.entry(key).or_insert_with(|| Count::new(agency, rule.counts));
            count.add(thing, agency);
            if rule.times_peers.is_none() && !count.raised && count.value() > rule.more_than {
                count.raised = true;
                raised.push(Raised { day: today.day, rule: rule.id.clone(), agency: sighting.agency.clone(), who });
            }
        }
    }

    /// Ends the day if it is over at `now`: compares those who are judged by their peers, and forgets all that was counted.
    pub fn until(&mut self, now: Timestamp, raised: &mut Vec<Raised>) {
        let Some(today) = self.today.filter(|today| now >= today.ends) else { return };
        for (rule, table) in self.rules.rules.iter().zip(&mut self.tables) {
            if let Some(times) = rule.times_peers {
                self.agencies.above_peers(rule, times, table, today.day, raised);
            }
            *table = HashMap::new();
        }
        self.persons = HashMap::new();
        self.today = None;
    }

    /// One that has counted nothing, and knows agencies by the same numbers: for reading the day again.
    pub fn anew(&self, rules: Arc<WatchRules>, kinds: Arc<Kinds>) -> Self {
        Self { agencies: self.agencies.clone(), ..Self::new(rules, kinds) }
    }

    /// Takes over what was counted of holders on the same day before it was read again: nobody can tell from the log which entries of several agencies
    /// are about one person.
    pub fn keep_holders(&mut self, before: Self) {
        let Some(today) = before.today.filter(|today| self.today.is_none_or(|own| own.day == today.day)) else { return };
        self.today = Some(today);
        self.persons = before.persons;
        let mut tables: Vec<_> = before.rules.rules.iter().cloned().zip(before.tables).collect();
        for (rule, table) in self.rules.rules.iter().zip(&mut self.tables).filter(|(rule, _)| rule.who == Who::Holder) {
            table.extend(taken(&mut tables, rule));
        }
    }

    /// The key of whom a call is about: the person's once the registry has said whose the number is. What was counted by the number goes along.
    fn holder(&mut self, sighting: &Sighting) -> Option<u64> {
        let number = sighting.holder?;
        let known = self.persons.get(&number).copied();
        let Some(person) = sighting.person.filter(|person| known != Some(*person)) else { return Some(known.unwrap_or(number)) };
        if self.persons.len() >= KEYS && known.is_none() {
            self.passed_over += 1;
            return Some(number);
        }
        self.persons.insert(number, person);
        if known.is_none() {
            for (rule, table) in self.rules.rules.iter().zip(&mut self.tables).filter(|(rule, _)| rule.who == Who::Holder) {
                rule.windows().for_each(|window| moved(table, window(number), window(person)));
            }
        }
        Some(person)
    }
}

/// Puts what was counted under one key to what was counted under another.
fn moved(table: &mut HashMap<u64, Count>, from: u64, to: u64) {
    let Some(count) = table.remove(&from) else { return };
    match table.entry(to) {
        Entry::Occupied(mut known) => known.get_mut().take(&count),
        Entry::Vacant(free) => _ = free.insert(count),
    }
}

fn taken(before: &mut [(Arc<Rule>, HashMap<u64, Count>)], rule: &Arc<Rule>) -> HashMap<u64, Count> {
    before.iter_mut().find(|(old, _)| old == rule).map(|(_, table)| std::mem::take(table)).unwrap_or_default()
}

impl Agencies {
    fn above_peers(&self, rule: &Rule, times: u32, table: &HashMap<u64, Count>, day: Date, raised: &mut Vec<Raised>) {
        let mut by_agency: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        table.values().for_each(|count| by_agency.entry(count.agency).or_default().push(count.value()));
        let bounds: BTreeMap<u16, u32> =
            by_agency.into_iter().filter_map(|(agency, values)| Some((agency, bound(values, times)?))).collect();
        let mut found: Vec<_> = table
            .iter()
            .filter(|(_, count)| bounds.get(&count.agency).is_some_and(|bound| count.value() > rule.more_than.max(*bound)))
            .filter_map(|(who, count)| {
                let agency = self.known.get(usize::from(count.agency))?.clone();
                Some(Raised { day, rule: rule.id.clone(), agency, who: *who })
            })
            .collect();
        found.sort_by_key(|raised| raised.who);
        raised.append(&mut found);
    }
}

/// So many times the median; `None` where there are too few to compare.
fn bound(mut values: Vec<u32>, times: u32) -> Option<u32> {
    if values.len() < PEERS {
        return None;
    }
    values.sort_unstable();
    values.get(values.len() / 2).map(|median| median.saturating_mul(times))
}

impl Today {
    fn of(at: Timestamp) -> Self {
        let day = tehran_day(at);
        Self { day, begins: start_of_tehran_day(day), ends: end_of_tehran_day(day) }
    }
}

impl WatchRules {
    fn in_hours(&self, rule: &Rule, kind: &str, day: Date, second: u32) -> bool {
        rule.hours.is_none_or(|hours| self.hours.is_closed(kind, day, second) == (hours == Hours::Off))
    }
}

impl Rule {
    fn is_about(&self, sighting: &Sighting, kind: &str) -> bool {
        (self.batches || !sighting.batch)
            && (!self.honeypots || sighting.honeypot)
            && (self.codes.is_empty() || self.codes.contains(&sighting.code))
            && (self.kinds.is_empty() || self.kinds.iter().any(|known| known == kind))
    }

    /// The keys that one who is counted under, window by window of a day.
    fn windows(&self) -> impl Iterator<Item = impl Fn(u64) -> u64> {
        let hours = if self.per == Window::Hour { 24 } else { 0 };
        let hourly = (0..hours).map(Some);
        hourly.chain((hours == 0).then_some(None)).map(|hour| move |who| hour.map_or(who, |hour| mixed(who, hour)))
    }

    /// Whose call it is, the key that it is counted under, and what is counted; `None` where the call has no such thing.
    fn keys(&self, sighting: &Sighting, (agency, holder): (u16, Option<u64>), hour: u32) -> Option<(u64, u64, u32)> {
        let who = match self.who {
            Who::Agency => u64::from(agency),
            Who::Branch => sighting.branch,
            Who::Actor => sighting.actor?,
            Who::Holder => holder?,
        };
        let key = match self.per {
            Window::Day => who,
            Window::Hour => mixed(who, u64::from(hour)),
        };
        match self.counts {
            Counts::Calls | Counts::Agencies => Some((who, key, 0)),
            // Half of a hash is enough to tell a few thousand apart.
            Counts::Holders => Some((who, key, u32::try_from(sighting.holder? >> 32).unwrap_or(0))),
            Counts::Run => sighting.place.map(|place| (who, mixed(key, place.run), u32::from(place.at))),
        }
    }
}

#[cfg(test)]
mod tests;
