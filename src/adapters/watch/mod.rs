//! From the request path to the watch behind it: what was recorded waits here as keyed hashes until it is counted, and the alerts of a day
//! until the day is over.
//!
//! The key is drawn when the process starts and never leaves it. On the path a call costs a few hashes and a push.

mod tally;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::tally::{Tally, WatchAlert};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::refusal::RefusalCode;
use crate::core::ledger::{EntryContent, Observer, Recorded};
use crate::core::signing::Conclusion;
use crate::core::watch::{Place, Sighting, run_of};

/// Sightings that may wait. They are taken twice a second; if they are not, the day is read again from the log.
const WAITING: usize = 200_000;

/// Takes sightings from the request path.
#[derive(Default)]
pub struct Feed {
    keys: RandomState,
    waiting: Mutex<Waiting>,
}

/// What was seen since the last time, in no particular order.
#[derive(Default)]
pub struct Waiting {
    /// Index in the log, and the sighting.
    pub seen: Vec<(u64, Sighting)>,
    /// Whether some found no room.
    pub lost: bool,
}

/// What a hash is of, so that equal texts of different sorts have different keys.
#[derive(Hash)]
enum Of<'a> {
    Branch(&'a str, &'a str),
    Certificate(&'a str, u64),
    Actor(u64, &'a str),
    Value(&'a str, &'a str),
    Run(&'a str, &'a str),
    Trail(&'a str),
    Person(u64),
}

impl Observer for Feed {
    fn recorded(&self, recorded: &Recorded) {
        if let Some(sighting) = self.sighting(recorded.signed().conclusion()) {
            let mut waiting = self.lock();
            if waiting.seen.len() < WAITING {
                waiting.seen.push((recorded.receipt().index, sighting));
            } else {
                waiting.lost = true;
            }
        }
    }
}

impl Feed {
    /// Takes what waits.
    pub fn take(&self) -> Waiting {
        let mut waiting = self.lock();
        let room = Vec::with_capacity(waiting.seen.len());
        std::mem::replace(&mut *waiting, Waiting { seen: room, lost: false })
    }

    /// The key of an agency's branch.
    pub fn branch(&self, agency: &AgencyId, branch: &str) -> u64 {
        self.keys.hash_one(Of::Branch(agency.as_str(), branch))
    }

    /// A sighting from an entry's content, as the log has it; `None` for what is not about a service or a holder.
    pub fn read_back(&self, content: &EntryContent, at: jiff::Timestamp) -> Option<Sighting> {
        let agency = content.agency.as_deref().and_then(AgencyId::parse)?;
        if content.service.is_none() && content.trail_tag.is_none() {
            return None;
        }
        let certificate = content.certificate.as_deref().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let branch = self.place_of(&agency, content.branch.as_deref(), certificate);
        Some(Sighting {
            at,
            branch,
            actor: content.actor.as_deref().map(|actor| self.keys.hash_one(Of::Actor(branch, actor))),
            holder: content.trail_tag.as_deref().map(|tag| self.keys.hash_one(Of::Trail(tag))),
            person: None,
            place: None,
            honeypot: false,
            batch: false,
            code: code(content)?,
            agency,
        })
    }

    fn sighting(&self, conclusion: &Conclusion) -> Option<Sighting> {
        let (code, honeypot, subject, person) = match conclusion {
            Conclusion::Answer(decision) => {
                let reason = decision.verdict().reason;
                let nobody = reason == ReasonCode::NotEstablished;
                (
                    reason.code(),
                    nobody && decision.seen().is_some_and(|seen| seen.blocked),
                    decision.permit().identifier(),
                    decision.person_key(),
                )
            }
            Conclusion::Refusal(refusal) => (refusal.code.code(), false, refusal.context.subject.as_ref(), None),
            Conclusion::Delivery(_) | Conclusion::Flood(_) => return None,
        };
        let context = conclusion.context();
        let agency = context.agency.clone().filter(|_| context.service.is_some() || subject.is_some())?;
        let certificate = context.certificate.as_ref().and_then(|hash| hash.first_chunk()).map(|bytes| u64::from_be_bytes(*bytes));
        let branch = self.place_of(&agency, context.branch.as_deref(), certificate);
        let whom = subject.map(|identifier| (identifier.scheme(), identifier.expose_value()));
        Some(Sighting {
            at: context.received,
            agency,
            branch,
            actor: context.actor.as_deref().map(|actor| self.keys.hash_one(Of::Actor(branch, actor))),
            holder: whom.map(|(scheme, value)| self.keys.hash_one(Of::Value(scheme, value))),
            person: person.map(|key| self.keys.hash_one(Of::Person(key))),
            place: whom
                .and_then(|(scheme, value)| run_of(value).map(|(run, at)| Place { run: self.keys.hash_one(Of::Run(scheme, run)), at })),
            honeypot,
            batch: false,
            code,
        })
    }

    fn place_of(&self, agency: &AgencyId, branch: Option<&str>, certificate: Option<u64>) -> u64 {
        branch.map_or_else(
            || self.keys.hash_one(Of::Certificate(agency.as_str(), certificate.unwrap_or(0))),
            |branch| self.branch(agency, branch),
        )
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn code(content: &EntryContent) -> Option<&'static str> {
    let reason = content.reason.as_deref().and_then(ReasonCode::parse).map(ReasonCode::code);
    reason.or_else(|| content.code.as_deref().and_then(RefusalCode::parse).map(RefusalCode::code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn content() -> EntryContent {
        EntryContent {
            agency: Some("bank".into()),
            certificate: Some("00112233aabbccdd".into()),
            actor: Some("teller-17".into()),
            service: Some("bank-card".into()),
            reason: Some("valid".into()),
            trail_tag: Some("tag".into()),
            ..EntryContent::default()
        }
    }

    #[test]
    fn what_was_read_back_counts_with_what_comes_now() {
        let (feed, at) = (Feed::default(), jiff::Timestamp::UNIX_EPOCH);
        let read = |content: &EntryContent| feed.read_back(content, at).unwrap();
        let bank = AgencyId::parse("bank").unwrap();
        let certificate = u64::from_be_bytes([0, 0x11, 0x22, 0x33, 0xaa, 0xbb, 0xcc, 0xdd]);
        assert_eq!(read(&content()).branch, feed.place_of(&bank, None, Some(certificate)));
        let with_branch = EntryContent { branch: Some("b-1".into()), ..content() };
        assert_eq!(read(&with_branch).branch, feed.branch(&bank, "b-1"));
        assert_ne!(read(&with_branch).actor, read(&content()).actor, "a name is a clerk's within a branch");
        assert_eq!(read(&content()).code, "valid");
    }

    #[test]
    fn reads_of_the_log_and_acts_are_not_watched() {
        let act = EntryContent { service: None, trail_tag: None, code: Some("proof".into()), reason: None, ..content() };
        assert_eq!(Feed::default().read_back(&act, jiff::Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn two_processes_know_nobody_by_the_same_key() {
        let key = || Feed::default().read_back(&content(), jiff::Timestamp::UNIX_EPOCH).unwrap().holder;
        assert_ne!(key(), key());
    }
}
