//! What the registry has said, as answers are held against it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use jiff::Timestamp;

/// Words that are kept of one number.
const KEPT: usize = 256;

/// One answer about a number.
#[derive(Clone, Copy)]
pub struct Word {
    /// When it was sent.
    pub at: Instant,
    /// The instant that it bore.
    pub as_of: Timestamp,
}

/// By number, and the last word of the change feed.
#[derive(Default)]
pub struct Said {
    words: Mutex<HashMap<String, Vec<Word>>>,
    told: Mutex<Option<Instant>>,
}

impl Said {
    /// An answer about a number is about to be sent.
    pub fn answer(&self, value: &str, as_of: Timestamp) {
        let mut words = self.words.lock().unwrap();
        let of_this = words.entry(value.to_owned()).or_default();
        if of_this.len() == KEPT {
            of_this.remove(0);
        }
        of_this.push(Word { at: Instant::now(), as_of });
    }

    /// The feed is about to say something that can be read.
    pub fn told(&self) {
        *self.told.lock().unwrap() = Some(Instant::now());
    }

    /// When the feed said something last.
    pub fn last_told(&self) -> Option<Instant> {
        *self.told.lock().unwrap()
    }

    /// What was said of a number, the last of it last.
    pub fn of(&self, value: &str) -> Vec<Word> {
        self.words.lock().unwrap().get(value).cloned().unwrap_or_default()
    }
}
