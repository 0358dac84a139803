//! All live connections: caps on admission, the watchdog over their deadlines, and cutting the ones to be refused.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::connection::{CoarseTime, ConnectionHandle, Cut, Deadlines, Holder, Phase};
use crate::core::domain::agency::AgencyId;
use crate::core::identity::PeerChain;

/// Connections at once of a branch or system with a cap of its own.
pub type UnitCap = Arc<dyn Fn(&PeerChain) -> Option<usize> + Send + Sync>;

/// How many connections a listener accepts, and how long each may dawdle.
#[derive(Clone)]
pub struct ConnectionLimits {
    /// Deadlines of the phases of a request.
    pub deadlines: Deadlines,
    /// On this listener altogether.
    pub total: usize,
    /// From one address; IPv6 counts by /64.
    pub per_address: usize,
    /// TLS handshakes that are begun a second from one address, and [`Self::per_address`] at once after a quiet time; further ones wait.
    pub handshakes_per_second: u32,
    /// By one agency, on all listeners of the table.
    pub per_agency: Arc<dyn Fn(&AgencyId) -> usize + Send + Sync>,
    /// By one branch or system, where it has a cap of its own.
    pub per_unit: UnitCap,
    /// Bytes of a request's line and header fields together.
    pub head_bytes: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            deadlines: Deadlines::default(),
            total: 4096,
            per_address: 512,
            handshakes_per_second: 100,
            per_agency: Arc::new(|_| 256),
            per_unit: Arc::new(|_| None),
            head_bytes: 16 * 1024,
        }
    }
}

/// Why a connection was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The listener is full.
    Total,
    /// The address has all its connections.
    Address,
    /// The agency has all its connections.
    Agency,
}

/// Every live connection of one process. Dropping the last reference ends the watchdog.
pub struct ConnectionTable {
    tick: Duration,
    time: Arc<CoarseTime>,
    members: Mutex<Members>,
    watched: AtomicBool,
}

#[derive(Default)]
struct Members {
    next: u64,
    live: HashMap<u64, Arc<ConnectionHandle>>,
    totals: HashMap<&'static str, usize>,
    addresses: HashMap<(&'static str, IpAddr), usize>,
    agencies: HashMap<AgencyId, usize>,
    units: HashMap<(AgencyId, Arc<str>), usize>,
}

/// How many rounds of the watchdog pass between two looks at every certificate.
const ROUNDS_PER_RECHECK: u64 = 10;
/// How often a drain looks again.
const DRAIN_STEP: Duration = Duration::from_millis(2);

impl ConnectionTable {
    /// A table whose watchdog looks every 100 ms.
    pub fn new() -> Arc<Self> {
        Self::with_tick(Duration::from_millis(100))
    }

    /// A table whose watchdog looks every `tick`.
    pub fn with_tick(tick: Duration) -> Arc<Self> {
        let table = Arc::new(Self { tick, time: Arc::default(), members: Mutex::default(), watched: AtomicBool::new(false) });
        let watched = Arc::downgrade(&table);
        let watchdog = std::thread::Builder::new().name("connections".into()).spawn(move || watch(&watched, tick));
        match watchdog {
            Ok(_) => table.watched.store(true, Ordering::Relaxed),
            // Without the watchdog nothing would ever be cut, so nothing is admitted either.
            Err(_) => tracing::error!("the thread that watches connections could not be started; no connection will be accepted"),
        }
        table
    }

    /// Takes a place on `listener` for a connection from `address`.
    ///
    /// # Errors
    /// The listener or the address has no place left.
    pub(super) fn admit(self: &Arc<Self>, listener: &'static str, address: IpAddr, limits: &ConnectionLimits) -> Result<Admission, Full> {
        let origin = (listener, origin(address));
        let mut members = self.members();
        if !self.watched.load(Ordering::Relaxed) || count(&members.totals, &listener) >= limits.total {
            return Err(Full::Total);
        }
        if count(&members.addresses, &origin) >= limits.per_address {
            return Err(Full::Address);
        }
        let handle = Arc::new(ConnectionHandle::new(limits.deadlines, self.tick, self.time.clone()));
        let id = members.next;
        members.next += 1;
        members.live.insert(id, handle.clone());
        *members.totals.entry(listener).or_default() += 1;
        *members.addresses.entry(origin).or_default() += 1;
        drop(members);
        metrics::gauge!("estelam_connections_open", "listener" => listener).increment(1.0);
        Ok(Admission { table: self.clone(), id, origin, handle })
    }

    /// Cuts every connection whose holder meets `condition`; says how many.
    pub fn cut_where(&self, condition: impl Fn(&PeerChain) -> bool) -> usize {
        self.cut_holders(|holder| condition(&holder.peer))
    }

    /// Cuts every connection whose certificate is no longer accepted; says how many.
    pub fn recheck(&self) -> usize {
        self.cut_holders(|holder| !holder.trust.accepts_now(&holder.peer))
    }

    /// How many connections have a request that was not answered yet.
    pub fn under_way(&self) -> usize {
        self.members().live.values().filter(|handle| is_under_way(handle)).count()
    }

    /// Before a stop: waits up to `within` for replies under way, then closes the connections that wait for a next request.
    ///
    /// A listener that stops looks at its connections only once a second, so idle ones would hold it up.
    pub async fn drain(&self, within: Duration) {
        let deadline = Instant::now() + within;
        while self.under_way() > 0 && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_STEP).await;
        }
        let handles: Vec<_> = self.members().live.values().cloned().collect();
        handles.iter().filter(|handle| !is_under_way(handle)).for_each(|handle| handle.cut(Cut::Idle));
        while self.len() > self.under_way() && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    /// How many connections are open.
    pub fn len(&self) -> usize {
        self.members().live.len()
    }

    /// Whether no connection is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn cut_holders(&self, condition: impl Fn(&Holder) -> bool) -> usize {
        // The condition may be slow or look things up: not under the lock.
        let handles: Vec<_> = self.members().live.values().cloned().collect();
        let refused = handles.iter().filter(|handle| handle.holder().is_some_and(&condition));
        refused.map(|handle| handle.cut(Cut::NotAccepted)).count()
    }

    fn sweep(&self, now: u64) {
        for handle in self.members().live.values() {
            handle.sweep(now);
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the table, given back when dropped.
pub(super) struct Admission {
    table: Arc<ConnectionTable>,
    id: u64,
    origin: (&'static str, IpAddr),
    pub(super) handle: Arc<ConnectionHandle>,
}

impl Admission {
    /// Writes down whose connection it is, if the agency has a place left.
    pub(super) fn hold(&self, holder: Holder, cap: usize, unit_cap: Option<usize>) -> Result<(), Full> {
        let unit = unit_of(&holder.peer);
        let mut members = self.table.members();
        let of_unit = unit.as_ref().map_or(0, |unit| count(&members.units, unit));
        if count(&members.agencies, &holder.peer.agency) >= cap || unit_cap.is_some_and(|cap| of_unit >= cap) {
            return Err(Full::Agency);
        }
        *members.agencies.entry(holder.peer.agency.clone()).or_default() += 1;
        if let Some(unit) = unit {
            *members.units.entry(unit).or_default() += 1;
        }
        self.handle.hold(holder);
        Ok(())
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        metrics::gauge!("estelam_connections_open", "listener" => self.origin.0).decrement(1.0);
        let mut members = self.table.members();
        members.live.remove(&self.id);
        release(&mut members.totals, &self.origin.0);
        release(&mut members.addresses, &self.origin);
        if let Some(peer) = self.handle.peer() {
            release(&mut members.agencies, &peer.agency);
            if let Some(unit) = unit_of(peer) {
                release(&mut members.units, &unit);
            }
        }
    }
}

fn unit_of(peer: &PeerChain) -> Option<(AgencyId, Arc<str>)> {
    peer.branch.clone().map(|branch| (peer.agency.clone(), branch))
}

fn is_under_way(handle: &ConnectionHandle) -> bool {
    matches!(handle.phase(), Phase::Body | Phase::Handling)
}

fn watch(table: &Weak<ConnectionTable>, tick: Duration) {
    let began = Instant::now();
    for round in 1_u64.. {
        std::thread::sleep(tick);
        let Some(table) = table.upgrade() else { return };
        let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        table.time.set(now);
        table.sweep(now);
        if round % ROUNDS_PER_RECHECK == 0 {
            table.recheck();
        }
    }
}

fn count<K: Eq + Hash>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or(0)
}

fn release<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(held) = counts.get_mut(key) {
        *held = held.saturating_sub(1);
        if *held == 0 {
            counts.remove(key);
        }
    }
}

/// Who counts as one address: IPv4 alone, IPv6 by the /64 that one subscriber gets.
pub(super) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_ipv6_subscriber_counts_as_one_address() {
        assert_eq!(origin(address("2001:db8::1")), origin(address("2001:db8::ffff:2")));
        assert_ne!(origin(address("2001:db8::1")), origin(address("2001:db8:0:1::1")));
        assert_eq!(origin(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn a_place_is_given_back_when_the_connection_ends() {
        let table = ConnectionTable::new();
        let limits = ConnectionLimits { per_address: 1, ..ConnectionLimits::default() };
        let first = table.admit("gateway", address("192.0.2.1"), &limits).unwrap();
        assert_eq!(table.admit("gateway", address("192.0.2.1"), &limits).err(), Some(Full::Address));
        assert!(table.admit("gateway", address("192.0.2.2"), &limits).is_ok());
        drop(first);
        assert!(table.admit("gateway", address("192.0.2.1"), &limits).is_ok());
        assert!(table.is_empty());
    }

    #[test]
    fn a_full_listener_leaves_the_others_alone() {
        let table = ConnectionTable::new();
        let limits = ConnectionLimits { total: 1, ..ConnectionLimits::default() };
        let _held = table.admit("gateway", address("192.0.2.1"), &limits).unwrap();
        assert_eq!(table.admit("gateway", address("192.0.2.2"), &limits).err(), Some(Full::Total));
        assert!(table.admit("public", address("192.0.2.2"), &limits).is_ok());
    }
}
