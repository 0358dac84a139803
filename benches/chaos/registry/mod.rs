//! A registry that does as the bench says, at two addresses: it stands between the gateway and the real one, over mutual TLS, and passes on,
//! delays, breaks or falsifies what the real one says.

mod answers;
mod doing;
mod door;
mod said;
mod speech;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::{Notify, watch};

pub use doing::{Doing, Feed, List, Script};
use door::Certificates;
pub use said::Said;

/// The registry in the middle.
#[derive(Clone)]
pub struct Scripted {
    shared: Arc<Shared>,
}

pub struct Shared {
    places: [Place; 2],
    certificates: Certificates,
    real: reqwest::Client,
    real_url: Mutex<String>,
    said: Said,
    /// The next look-up is to wait; it waits; it may go on.
    hold_next: AtomicBool,
    held: Notify,
    go: Notify,
    lists: AtomicU64,
    polls: AtomicU64,
}

/// One address.
pub struct Place {
    port: u16,
    script: watch::Sender<Script>,
    look_ups: AtomicU64,
}

impl Place {
    fn free() -> Self {
        // Below what the system hands out by itself: nobody takes it while nobody listens here.
        let first = 10_000 + u16::try_from(std::process::id() % 9_000).unwrap();
        static TAKEN: AtomicU64 = AtomicU64::new(0);
        let skip = usize::try_from(TAKEN.fetch_add(1, Ordering::SeqCst)).unwrap();
        let mut free = (first..20_000).chain(10_000..first).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        Self { port: free.nth(skip).expect("a free port"), script: watch::Sender::default(), look_ups: AtomicU64::new(0) }
    }

    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn closed_now(&self) -> bool {
        let tenths = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() / 100;
        self.script.borrow().doing == Doing::Flapping && tenths.is_multiple_of(2)
    }
}

impl Scripted {
    /// Starts with the certificates of the installation in `dir`, in front of the registry at `real_url`.
    pub fn start(dir: &Path, real: reqwest::Client, real_url: String) -> Self {
        let shared = Arc::new(Shared {
            places: [Place::free(), Place::free()],
            certificates: Certificates::of(dir),
            real,
            real_url: Mutex::new(real_url),
            said: Said::default(),
            hold_next: AtomicBool::new(false),
            held: Notify::new(),
            go: Notify::new(),
            lists: AtomicU64::new(0),
            polls: AtomicU64::new(0),
        });
        for place in 0..shared.places.len() {
            tokio::spawn(door::keep(Arc::clone(&shared), place));
        }
        Self { shared }
    }

    /// The URL of an address.
    pub fn url(&self, place: usize) -> String {
        format!("https://localhost:{}", self.shared.places[place].port)
    }

    /// What it has said.
    pub fn said(&self) -> &Said {
        &self.shared.said
    }

    /// Look-ups so far, at both addresses.
    pub fn look_ups(&self) -> u64 {
        (0..self.shared.places.len()).map(|place| self.look_ups_at(place)).sum()
    }

    /// Look-ups so far at one address.
    pub fn look_ups_at(&self, place: usize) -> u64 {
        self.shared.places[place].look_ups.load(Ordering::SeqCst)
    }

    /// Polls of the feed so far.
    pub fn polls(&self) -> u64 {
        self.shared.polls.load(Ordering::SeqCst)
    }

    /// Lists of decrees so far.
    pub fn lists(&self) -> u64 {
        self.shared.lists.load(Ordering::SeqCst)
    }

    /// The cursor of the real registry's last change.
    pub async fn cursor(&self) -> u64 {
        let url = format!("{}/registry/v1/changes?after=0", self.real_url());
        let said: Value = self.shared.real.get(url).send().await.unwrap().json().await.unwrap();
        said["cursor"].as_u64().unwrap()
    }

    /// The real registry from now on.
    pub fn stand_before(&self, real_url: String) -> String {
        std::mem::replace(&mut *self.shared.real_url.lock().unwrap(), real_url)
    }

    /// From now on, at both addresses; connections from before end.
    pub fn set(&self, doing: Doing) {
        self.script(|script| script.doing = doing);
    }

    /// From now on, at one address.
    pub fn set_at(&self, place: usize, doing: Doing) {
        self.shared.places[place].script.send_modify(|script| script.doing = doing);
    }

    /// From now on, with feed and decrees.
    pub fn tell(&self, feed: Feed, list: List) {
        self.script(|script| (script.feed, script.list) = (feed, list));
    }

    /// The next look-up waits until it is let go on.
    pub fn hold_next(&self) {
        self.shared.hold_next.store(true, Ordering::SeqCst);
    }

    /// It waits.
    pub async fn holds(&self) {
        self.shared.held.notified().await;
    }

    /// Lets it go on.
    pub fn let_go(&self) {
        self.shared.go.notify_one();
    }

    /// Every connection ends.
    pub fn hang_up(&self) {
        self.script(|_| ());
    }

    fn script(&self, change: impl Fn(&mut Script)) {
        self.shared.places.iter().for_each(|place| place.script.send_modify(&change));
    }

    fn real_url(&self) -> String {
        self.shared.real_url.lock().unwrap().clone()
    }
}
