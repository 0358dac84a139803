//! Names as a confirmation hint (domain §9): match, close or different, across Persian, Dari, Pashto and Latin spellings.
//!
//! A name never decides anything: see `core::decision::factor`. What the gateway holds of a name is a [`NameKey`]: fingerprints and
//! consonants with classes of vowels, from which nobody reads a name off.

mod sound;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::document::coded_enum;
use super::person::ALLOCATION;
use super::text;
use sound::Sound;

coded_enum! {
    /// How a name given by the asker agrees with the registry's.
    NameMatch {
        /// The same letters, as far as writers tell them apart.
        Match = "match",
        /// Another spelling that sounds the same.
        Close = "close",
        /// Another name.
        Different = "different",
    }
}

/// What is kept of a name for comparing. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameKey(Vec<Run>);

/// One to three words that may also be written as one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// The first word's place.
    from: u8,
    /// The place after the last word.
    to: u8,
    /// First bytes of the SHA-256 of the letters.
    exact: u64,
    /// How it sounds; several where letters can be read in two ways.
    sounds: Vec<Sound>,
    /// A title or a first part that people add and leave out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    title: bool,
}

/// Most words of a name that are compared.
const MOST_WORDS: usize = 8;
/// Most words that are written as one: «عبد الرحمن», Najib Ullah Khan.
const LONGEST_RUN: usize = 3;

/// Titles and first parts that come and go, folded as [`text::match_words`] folds them.
const TITLES: &str = "سید سیده حاجی حاج حاجیه خان محمد میر شیخ ملا بیبی استاد داکتر دکتر sayed sayyid sayyed seyed seyyed syed sayid haji hajji khan \
                      mohammad muhammad mohammed muhammed mohamed mohamad muhamad mir sheikh shaikh mullah mulla bibi ustad dr";

impl NameKey {
    /// Bytes of memory behind this value, about.
    pub fn heap_bytes(&self) -> usize {
        let sounds = |run: &Run| run.sounds.iter().map(|sound| ALLOCATION + size_of::<Sound>() + sound.heap_bytes()).sum::<usize>();
        self.0.iter().map(|run| ALLOCATION + size_of::<Run>() + sounds(run)).sum()
    }

    /// The key of a name; `None` where the text holds no letter.
    pub fn of(name: &str) -> Option<Self> {
        let mut words = text::match_words(name);
        words.retain(|word| word.chars().any(char::is_alphabetic));
        words.truncate(MOST_WORDS);
        let starts = 0..words.len();
        let runs = starts.flat_map(|from| (from + 1..=words.len().min(from + LONGEST_RUN)).map(move |to| (from, to)));
        let runs: Vec<Run> = runs.filter_map(|(from, to)| run(from, to, words.get(from..to)?)).collect();
        (!runs.is_empty()).then_some(Self(runs))
    }

    /// How a hint agrees with this name. A hint may leave words out, add titles, and come in any order.
    pub fn compare(&self, hint: &Self) -> NameMatch {
        let exact = |one: &Run, other: &Run| one.exact == other.exact;
        let close = |one: &Run, other: &Run| one.exact == other.exact || sound::alike(&one.sounds, &other.sounds);
        if hint.covered_by(self, &exact) {
            NameMatch::Match
        } else if hint.covered_by(self, &close) || self.covered_by(hint, &close) {
            NameMatch::Close
        } else {
            NameMatch::Different
        }
    }

    /// Whether every word, titles aside, stands somewhere in the other name.
    fn covered_by(&self, other: &Self, same: &dyn Fn(&Run, &Run) -> bool) -> bool {
        let titles_alone = self.0.iter().all(|run| run.title || run.to > run.from + 1);
        // For each place: reachable not at all, by titles alone, or with at least one other word found.
        let mut reached = [None; MOST_WORDS + 1];
        reached.first_mut().into_iter().for_each(|start| *start = Some(titles_alone));
        for run in &self.0 {
            let Some(Some(before)) = reached.get(usize::from(run.from)).copied() else { continue };
            let may_be_missing = run.title && !titles_alone;
            let found = other.0.iter().any(|candidate| same(run, candidate));
            if let Some(place) = reached.get_mut(usize::from(run.to)).filter(|_| found || may_be_missing) {
                *place = Some(before || (found && !may_be_missing) || *place == Some(true));
            }
        }
        let end = self.0.iter().map(|run| run.to).max().unwrap_or(0);
        reached.get(usize::from(end)).copied().flatten() == Some(true)
    }
}

fn run(from: usize, to: usize, words: &[String]) -> Option<Run> {
    let letters = words.concat();
    let hash = digest(&SHA256, letters.as_bytes());
    let exact = hash.as_ref().first_chunk().copied().map(u64::from_be_bytes)?;
    let title = to == from + 1 && TITLES.split_ascii_whitespace().any(|title| title == letters);
    Some(Run { from: u8::try_from(from).ok()?, to: u8::try_from(to).ok()?, exact, sounds: sound::of(&letters), title })
}

impl std::fmt::Debug for NameKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameKey(…)")
    }
}

#[cfg(test)]
mod tests;
