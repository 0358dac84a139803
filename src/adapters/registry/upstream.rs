//! What the cache needs of a registry: look-ups with the registry's own version and subject, the decrees, the changes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use zeroize::Zeroize;

use super::signed::SignedDecrees;
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::person::Person;
use crate::core::registry::holder::{OpenAnswer, OpenRequest};
use crate::core::registry::{KnownPerson, NoAnswer, RegistryUnavailable};

/// An identifier on its way to the registry: wiped when dropped, never shown.
pub(super) struct Key {
    scheme: Arc<str>,
    value: String,
}

impl Drop for Key {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl Key {
    pub(super) fn new(scheme: &str, value: &str) -> Self {
        Self { scheme: scheme.into(), value: value.to_owned() }
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }
}

/// One answer of the registry about one identifier.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    /// The change cursor that the answer reflects.
    pub version: u64,
    /// When the registry read its store; never later than the receipt.
    pub as_of: Timestamp,
    /// The name under which the change feed would speak of this identifier.
    pub subject: Box<str>,
    /// None, one or several people.
    pub persons: Arc<[Person]>,
}

impl Fetched {
    /// Nobody, or only people who must look like nobody: such answers are never served stale.
    pub(super) fn is_negative(&self) -> bool {
        self.persons.iter().all(|person| person.blocked)
    }
}

/// How far the change feed was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub cursor: u64,
    /// By what the registry tells whether that is its own past; none where it told nothing.
    pub history: Option<Box<str>>,
}

/// The decrees and the cursor that they reflect.
#[derive(Debug)]
pub(super) struct FetchedDecrees {
    pub position: Position,
    pub set: DecreeSet,
    /// Who signed it.
    pub signed: SignedDecrees,
}

/// A batch of the change feed.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub cursor: u64,
    pub subjects: Vec<String>,
    pub decrees: bool,
    pub everything: bool,
    /// What to ask with after this cursor.
    pub history: Option<String>,
    /// The register's past is not the one that was followed: it was restored, or is another.
    pub rewritten: bool,
}

const NOT_OFFERED: RegistryUnavailable = RegistryUnavailable("it does not offer this");

/// A registry without a memory.
#[async_trait]
pub(super) trait Upstream: Send + Sync + 'static {
    /// Whether it can be asked about numbers of a scheme.
    fn takes(&self, _scheme: &str) -> bool {
        true
    }

    async fn look_up(&self, key: &Key) -> Result<Fetched, NoAnswer>;

    /// Asks over none of the connections again that it has.
    fn connect_anew(&self) {}

    /// Everybody behind a number, with all their numbers.
    async fn identifiers(&self, _: &Key) -> Result<Vec<KnownPerson>, RegistryUnavailable> {
        Err(NOT_OFFERED)
    }

    /// Has a holder's code sent; its handle.
    async fn holder_code(&self, _: &Key, _office: &str) -> Result<String, RegistryUnavailable> {
        Err(NOT_OFFERED)
    }

    /// Hands a holder's code in.
    async fn holder_open(&self, _: &OpenRequest<'_>) -> Result<OpenAnswer, RegistryUnavailable> {
        Err(NOT_OFFERED)
    }

    async fn decrees(&self) -> Result<FetchedDecrees, RegistryUnavailable> {
        Err(NOT_OFFERED)
    }

    /// What changed since then; the registry may wait up to `hold` for something to say.
    async fn changes(&self, _after: &Position, _hold: Duration) -> Result<Changes, RegistryUnavailable> {
        Err(NOT_OFFERED)
    }
}
