//! Stage 4: from a permit to facts about a person, through the registry port.

pub mod convert;
pub mod decree_check;
pub mod event;
pub mod holder;
pub mod signing;
pub mod spdci;
pub mod version;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::domain::clock::{Clock, Deadline};
use super::domain::decree::DecreeSet;
use super::domain::document::coded_enum;
use super::domain::identifier::Identifier;
use super::domain::person::Person;
use super::policy::Permit;

coded_enum! {
    /// How old the facts are (contract §4).
    Freshness {
        /// Asked of the registry for this call, with decrees that its change feed vouches for.
        Live = "live",
        /// From the cache, with the change feed in order; or facts or decrees that no feed vouches for, within the policy's age alone.
        Cached = "cached",
        /// From the cache while the registry cannot be reached.
        Stale = "stale",
    }
}

/// What the registry said about one identifier.
#[derive(Clone, Debug)]
pub struct RegistryAnswer {
    /// None, one or several people.
    pub persons: Arc<[Person]>,
    /// When the registry said so.
    pub as_of: Timestamp,
    /// Where it came from.
    pub freshness: Freshness,
    /// Whether it is stale because more waited than could be asked in time. Then whoever it establishes nothing for is told what a number that
    /// is not remembered is told.
    pub shed: bool,
}

/// The registry did not give an answer within its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry did not answer: {0}")]
pub struct RegistryUnavailable(pub &'static str);

/// Why one look-up gave no answer, told apart by whether others would fare better: what one number brings about must not count
/// against the registry that everybody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The registry failed, or what came cannot be taken for an answer of its own.
    Registry(RegistryUnavailable),
    /// The registry is in order, but what it says of this number cannot be used. Asked again it would say the same.
    Number(RegistryUnavailable),
}

impl NoAnswer {
    /// Why, whichever it is.
    pub const fn why(self) -> RegistryUnavailable {
        match self {
            Self::Registry(why) | Self::Number(why) => why,
        }
    }
}

impl From<RegistryUnavailable> for NoAnswer {
    fn from(why: RegistryUnavailable) -> Self {
        Self::Registry(why)
    }
}

/// How far a registry's clock may be from ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// One of the two clocks is wrong.
pub const CLOCKS_APART: RegistryUnavailable = RegistryUnavailable("its clock and ours are more than a minute apart");

/// The instant of an answer to what was asked at `asked` and came by `now`; never later than that.
///
/// # Errors
/// An answer from the future or from long ago was not made for this call.
pub fn timely(as_of: Timestamp, asked: Timestamp, now: Timestamp) -> Result<Timestamp, RegistryUnavailable> {
    if as_of.duration_since(now) > CLOCK_SKEW || asked.duration_since(as_of) > CLOCK_SKEW {
        return Err(CLOCKS_APART);
    }
    Ok(as_of.min(now))
}

/// Age in seconds up to which decrees are current: for so long the change feed may be silent and still be in order, and while it is, another
/// decree would have been told.
pub const DECREES_CURRENT_S: u32 = 10;

/// Its time is over.
pub const TOO_LONG: RegistryUnavailable = RegistryUnavailable("it took too long");

/// Facts that nobody has decided on so long after their call should have ended lay here while the process stood still.
const LAY_HERE: Duration = Duration::from_secs(5);

/// More look-ups wait than could be answered in time: this one was not begun.
pub const OVERLOADED: RegistryUnavailable = RegistryUnavailable("too many wait for it");

/// How fresh an answer the caller needs, and how soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Oldest acceptable age in seconds; 0 is live.
    pub max_age_s: u32,
    /// When the whole call ends: look-ups that were made for it before, and what else it waited for, are in it.
    pub by: Deadline,
}

/// The national registry (سامانه مرجع), or a cache in front of it: the same port.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Looks one identifier up. The permit's existence is the caller's right to ask.
    ///
    /// # Errors
    /// [`RegistryUnavailable`] when no answer fresh enough could be had in time.
    async fn look_up(&self, permit: &Permit, identifier: &Identifier, need: Need) -> Result<RegistryAnswer, RegistryUnavailable>;

    /// The decrees in force and their version; `None` before they were ever loaded.
    fn decrees(&self) -> Option<Arc<DecreeSet>>;

    /// Seconds since the registry last confirmed that these decrees are all there are; `u32::MAX` when it never did.
    fn decrees_age_s(&self) -> u32;

    /// Asks the registry for the decrees now, for an answer that they are too old for. Bounded in time and in number; whether it has
    /// come to anything, their age tells.
    async fn renew_decrees(&self, _by: Deadline) {}
}

/// One person's numbers, present and past.
#[derive(Debug)]
pub struct KnownPerson {
    /// The numbers.
    pub identifiers: Vec<KnownIdentifier>,
    /// Whether this person may be a minor today.
    pub minor: bool,
}

/// One number of a person.
pub type KnownIdentifier = wire::WireIdentifier;

/// Tells a person's other numbers, for a trail in the access log and for nothing else.
#[async_trait]
pub trait Identities: Send + Sync + 'static {
    /// The people behind a number with all their numbers, asked live.
    ///
    /// # Errors
    /// [`RegistryUnavailable`].
    async fn identifiers(&self, identifier: &Identifier) -> Result<Vec<KnownPerson>, RegistryUnavailable>;
}

/// A permit and what the registry said under it. Only a look-up makes one, and a look-up needs the permit.
#[derive(Debug)]
pub struct Facts {
    permit: Permit,
    answer: Result<RegistryAnswer, RegistryUnavailable>,
    decrees: Option<Arc<DecreeSet>>,
    decrees_age_s: u32,
    withheld: bool,
    /// When the call ends.
    by: Deadline,
    /// Who was remembered, where that established nothing and could not be asked again.
    unconfirmed: Option<Arc<[Person]>>,
}

impl Facts {
    /// The permit under which the facts were obtained.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What the registry said.
    pub const fn answer(&self) -> &Result<RegistryAnswer, RegistryUnavailable> {
        &self.answer
    }

    /// The decrees of this call's snapshot.
    pub const fn decrees(&self) -> Option<&Arc<DecreeSet>> {
        self.decrees.as_ref()
    }

    /// Seconds since the registry last confirmed the decrees.
    pub const fn decrees_age_s(&self) -> u32 {
        self.decrees_age_s
    }

    /// Whether the look-up was turned away because too many wait; nothing was asked of the registry.
    pub fn are_shed(&self) -> bool {
        matches!(&self.answer, Err(why) if *why == OVERLOADED)
    }

    /// Whether they are what they are because too many wait: nothing was asked, or only what is remembered was had.
    pub fn come_of_overload(&self) -> bool {
        self.are_shed() || self.answer.as_ref().is_ok_and(|answer| answer.shed)
    }

    /// Who was remembered by facts that established nothing and could not be confirmed.
    pub fn unconfirmed(&self) -> Option<&Arc<[Person]>> {
        self.unconfirmed.as_ref()
    }

    /// Whether what the registry said lay here for so long after its call should have ended that it is worth nothing any more: see [`in_time`].
    pub fn lay_here(&self, clock: &dyn Clock) -> bool {
        self.answer.is_ok() && self.by.overdue(clock) > LAY_HERE
    }

    /// Takes the facts apart for the decision.
    pub fn into_permit(self) -> Permit {
        self.permit
    }
}

/// The same facts with nobody in them, now and after a further look-up: what a caller learns who may learn nothing. From here on
/// they take the very path of a number that is nobody's.
pub fn withhold(facts: Facts) -> Facts {
    let answer = facts.answer.map(emptied);
    Facts { answer, withheld: true, ..facts }
}

fn emptied(answer: RegistryAnswer) -> RegistryAnswer {
    RegistryAnswer { persons: Arc::default(), ..answer }
}

/// The facts as they are worth deciding on now: those that lay here while the process stood still (a suspended machine, a debugger) are none,
/// whomever they are about. What changed meanwhile nobody has told.
pub fn in_time(facts: Facts, clock: &dyn Clock) -> Facts {
    if facts.lay_here(clock) { Facts { answer: Err(TOO_LONG), ..facts } } else { facts }
}

/// Looks the permit's identifier up. A service that needs no document looks nothing up.
/// Whatever it waits for then ends by the deadline of the call, and so does every further look-up for the same facts.
pub async fn look_up(permit: Permit, registry: &dyn Registry, by: Deadline) -> Facts {
    let need = Need { max_age_s: permit.max_age_s(), by };
    look_up_as(permit, registry, need).await
}

/// The same facts asked again, live: what an answer `not-established` must rest on. Where that fails, who was remembered is kept for those who
/// protect holders: a second factor that did not match was tried all the same.
pub async fn confirm_live(facts: Facts, registry: &dyn Registry) -> Facts {
    let doubted = facts.answer.as_ref().ok().map(|answer| Arc::clone(&answer.persons));
    let facts = ask_again(facts, registry).await;
    let unconfirmed = doubted.filter(|_| facts.answer.is_err());
    Facts { unconfirmed, ..facts }
}

/// The same facts asked again, live, for a decision that needs fresher ones.
pub async fn ask_again(facts: Facts, registry: &dyn Registry) -> Facts {
    let withheld = facts.withheld;
    let facts = look_up_as(facts.permit, registry, Need { max_age_s: 0, by: facts.by }).await;
    if withheld { withhold(facts) } else { facts }
}

async fn look_up_as(permit: Permit, registry: &dyn Registry, need: Need) -> Facts {
    let answer = match permit.identifier() {
        Some(identifier) => registry.look_up(&permit, identifier, need).await,
        None => Err(RegistryUnavailable("no identifier was given")),
    };
    let mut decrees_age_s = registry.decrees_age_s();
    if answer.as_ref().is_ok_and(|answer| wants_newer_decrees(answer, decrees_age_s, need)) {
        registry.renew_decrees(need.by).await;
        decrees_age_s = registry.decrees_age_s();
    }
    // After their age, so that they are no older than it says.
    let decrees = registry.decrees();
    Facts { permit, answer, decrees, decrees_age_s, withheld: false, by: need.by, unconfirmed: None }
}

/// Whether decrees of this age would make an answer older than it could be, or than it may be. Where the registry has just failed it is not
/// asked for decrees either.
fn wants_newer_decrees(answer: &RegistryAnswer, age_s: u32, need: Need) -> bool {
    age_s > DECREES_CURRENT_S
        && match answer.freshness {
            Freshness::Live => true,
            Freshness::Cached => age_s > need.max_age_s,
            Freshness::Stale => false,
        }
}
