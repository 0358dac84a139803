//! Which answers the log has under an `Idempotency-Key` from before this process began. Somebody reads them while calls are answered already;
//! whoever asks for a key that was not found yet waits until all are read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::outbox::{KEPT_FOR, Tag, read_tag};

/// How long a call waits for the log to be read.
const PATIENCE: Duration = Duration::from_secs(3);

/// An answer with a mark that was recorded before this process began.
pub struct Recorded {
    /// Its mark.
    pub key: String,
    /// That of its body; none in entries of earlier builds.
    pub of_body: Option<String>,
    /// Its `answer_id`, or that of the answer which it was a retry of.
    pub first: Uuid,
    /// When it was recorded.
    pub at: Timestamp,
}

/// What is known of a key.
#[derive(Clone, Copy)]
pub(super) struct Found {
    /// The tag of its body, if the entry has one.
    pub of_body: Option<Tag>,
    /// The first answer under it.
    pub first: Uuid,
    until: Timestamp,
}

/// The log has not been read as far as need be.
pub(super) struct Unread;

/// The answers with marks of the last ten minutes before a start.
pub struct Past {
    found: Mutex<HashMap<Tag, Found>>,
    /// When nothing of it counts any more.
    over: Timestamp,
    /// How often something was read, and whether that was all.
    read: watch::Sender<(u64, bool)>,
}

impl Past {
    /// One that has yet to be read, before this instant.
    pub fn before(begun: Timestamp) -> Self {
        let over = begun.checked_add(KEPT_FOR).unwrap_or(Timestamp::MAX);
        Self { found: Mutex::default(), over, read: watch::Sender::new((0, false)) }
    }

    /// Whether nothing of it counts any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.over
    }

    /// Adds what was read, the newest first. Of several answers under a key the first counts: what came after is a retry of it.
    pub fn add(&self, recorded: impl Iterator<Item = Recorded>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for Recorded { key, of_body, first, at } in recorded {
            if let Some(tag) = read_tag(&key) {
                let of_body = of_body.as_deref().map(|tag| read_tag(tag).unwrap_or_default());
                found.insert(tag, Found { of_body, first, until: at.checked_add(KEPT_FOR).unwrap_or(at) });
            }
        }
        drop(found);
        self.read.send_modify(|(times, _)| *times += 1);
    }

    /// Says that everything was added.
    pub fn end(&self) {
        self.read.send_modify(|(_, all)| *all = true);
    }

    /// Whether everything was added, or is needed no more.
    pub(super) fn is_read(&self, now: Timestamp) -> bool {
        self.read.borrow().1 || self.is_over(now)
    }

    /// What the log has of a key that is known by these tags, and the one of them under which it is there.
    ///
    /// # Errors
    /// [`Unread`]: it was not found in what was read within three seconds, and that is not all.
    pub(super) async fn find(&self, tags: &[Tag], now: Timestamp) -> Result<Option<(Tag, Found)>, Unread> {
        if self.is_over(now) {
            self.forget();
            return Ok(None);
        }
        let (mut read, deadline) = (self.read.subscribe(), Instant::now() + PATIENCE);
        loop {
            let (_, all) = *read.borrow_and_update();
            let found = self.first_of(tags);
            if found.is_some() || all {
                return Ok(found.filter(|(_, found)| now < found.until));
            }
            if timeout_at(deadline, read.changed()).await.is_err() {
                return Err(Unread);
            }
        }
    }

    fn first_of(&self, tags: &[Tag]) -> Option<(Tag, Found)> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        tags.iter().find_map(|tag| Some((*tag, *found.get(tag)?)))
    }

    fn forget(&self) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.is_empty() {
            *found = HashMap::new();
        }
    }
}
