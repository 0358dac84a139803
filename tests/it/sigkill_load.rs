//! The load of one round: clients that ask as fast as they can until the gateway is gone, and what they hold then.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use estelam::core::ledger::ProofBundle;
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::note::NoteKey;
use estelam::core::ledger::tree::{Hash, sha256};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::sigkill_support::{Disk, Installation, Process};

/// Clients of one agency at once, each with a connection of its own.
const CLIENTS_PER_AGENCY: usize = 4;
/// A client asks for the proof of an answer after so many replies.
const REPLIES_PER_PROOF: usize = 8;
/// How long database or disk stay unwritable before the kill: time enough for a reply that does not wait for its record to arrive.
const STALL: Duration = Duration::from_millis(60);
/// A bound on a round, so that a failure is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client holds of one reply that came in whole.
#[derive(Clone, Debug)]
pub struct Received {
    pub agency: &'static str,
    /// Of answers alone.
    pub answer_id: Option<String>,
    /// Where the reply says that its entry is; token and proof replies do not say.
    pub index: Option<u64>,
    pub statement: String,
}

impl Received {
    pub fn digest(&self) -> Hash {
        sha256(self.statement.as_bytes())
    }

    /// Reads an answer or a refusal; a reply without a record fails the test.
    fn read(agency: &'static str, status: u16, body: &str) -> Self {
        let body: Value = serde_json::from_str(body).unwrap();
        let answer_id = body["answer_id"].as_str().map(str::to_owned);
        let (index, statement) = (body["ledger"]["index"].as_u64(), body["statement"].as_str());
        assert!(index.is_some() && answer_id.is_some() == (status == 200), "{status}: {body}");
        Self { agency, answer_id, index, statement: statement.unwrap().to_owned() }
    }

    /// A reply that is its own statement.
    fn delivered(agency: &'static str, statement: &str) -> Self {
        Self { agency, answer_id: None, index: None, statement: statement.to_owned() }
    }
}

/// A checkpoint that somebody saw.
#[derive(Clone, Debug)]
pub struct Seen {
    pub size: u64,
    pub note: String,
}

/// What the process is doing when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The last reply of the round has just arrived.
    Reply,
    /// The same, and a checkpoint was published during the round.
    Publication,
    /// The database behind its journal cannot be written: every call under way is past its decision and short of its record.
    Stall,
    /// The sync of its journal is held up.
    Disk,
}

impl Moment {
    /// On which disk the journal lies in such a round.
    pub const fn disk(self) -> Disk {
        match self {
            // What was written and not synced is there after the kill: answered or not, it must fit the log.
            Self::Stall => Disk::Plain,
            Self::Reply | Self::Publication | Self::Disk => Disk::Late,
        }
    }
}

/// What the clients of a round have seen together, and when it is enough.
pub struct Load {
    process: Mutex<Option<Process>>,
    gateway: String,
    checkpoint: String,
    keys: [NoteKey; 1],
    goal: usize,
    moment: Moment,
    arrived: AtomicUsize,
    published_before: u64,
    published: AtomicU64,
    tally: Mutex<Outcome>,
    enough: Notify,
}

/// What is left of a round when its gateway was killed.
#[derive(Default)]
pub struct Outcome {
    pub received: Vec<Received>,
    /// The greatest checkpoint that anybody saw in this round or before.
    pub newest: Option<Seen>,
    /// Requests on which the kill fell.
    pub cut_while_waiting: usize,
}

impl Load {
    /// A load on a ready gateway, which is killed at this moment after `goal` replies.
    pub async fn new(process: Process, installation: &Installation, goal: usize, moment: Moment, newest: Option<Seen>) -> Self {
        let http = installation.http("operator");
        let fetch = async |path: &str| whole(http.get(installation.public(path))).await.expect("a ready gateway").1;
        let keys = [NoteKey::parse(&fetch("/checkpoint.key").await).unwrap()];
        let published = Checkpoint::open(&fetch("/checkpoint").await, &keys).unwrap().size;
        Self {
            process: Mutex::new(Some(process)),
            gateway: installation.gateway(),
            checkpoint: installation.public("/checkpoint"),
            keys,
            goal,
            moment,
            arrived: AtomicUsize::new(0),
            published_before: published,
            published: AtomicU64::new(published),
            tally: Mutex::new(Outcome { newest, ..Outcome::default() }),
            enough: Notify::new(),
        }
    }

    /// Asks until the gateway is killed, and waits until every client has noticed.
    pub async fn run(self: Arc<Self>, installation: &Installation) -> Outcome {
        let agencies = ["bank", "clinic"].into_iter().cycle().take(2 * CLIENTS_PER_AGENCY);
        let mut clients: Vec<_> =
            agencies.map(|agency| tokio::spawn(self.clone().ask_until_cut(installation.http(agency), agency))).collect();
        clients.push(tokio::spawn(self.clone().watch_checkpoints(installation.http("operator"))));
        tokio::time::timeout(PATIENCE, self.enough.notified()).await.expect("the clients get their replies");
        match self.moment {
            Moment::Stall => {
                let _stalled = installation.stall_log();
                tokio::time::sleep(STALL).await;
                self.kill();
            }
            Moment::Disk => {
                let held = installation.hold_disk();
                held.felt().await;
                tokio::time::sleep(STALL).await;
                self.kill();
                held.release();
            }
            Moment::Reply | Moment::Publication => {}
        }
        for client in clients {
            client.await.unwrap();
        }
        std::mem::take(&mut *self.tally.lock().unwrap())
    }

    /// A reply has arrived whole. The last one of the round kills at once, before anything else is done with it.
    fn arrived(&self) {
        let replies = self.arrived.fetch_add(1, Ordering::Relaxed) + 1;
        let published = self.moment != Moment::Publication || self.published.load(Ordering::Relaxed) > self.published_before;
        if replies >= self.goal && published {
            if matches!(self.moment, Moment::Reply | Moment::Publication) {
                self.kill();
            }
            self.enough.notify_one();
        }
    }

    fn kill(&self) {
        if let Some(process) = self.process.lock().unwrap().take() {
            process.kill();
        }
    }

    async fn ask_until_cut(self: Arc<Self>, http: Client, agency: &'static str) {
        let Some(token) = self.token(&http, agency).await else { return };
        for turn in 0.. {
            let Some(answer) = self.ask(&http, agency, &token, turn).await else { break };
            if turn % REPLIES_PER_PROOF == 0 && answer.answer_id.is_some() && self.proof(&http, &token, &answer).await.is_none() {
                break;
            }
        }
    }

    async fn watch_checkpoints(self: Arc<Self>, http: Client) {
        while let Some((status, note)) = whole(http.get(&self.checkpoint)).await {
            assert_eq!(status, 200, "no checkpoint: {note}");
            let size = self.see(note);
            let before = self.published.swap(size, Ordering::Relaxed);
            assert!(before <= size, "the public checkpoint shrank");
        }
    }

    /// Sends a request on which the kill may fall.
    async fn send(&self, request: reqwest::RequestBuilder) -> Option<(u16, String)> {
        let reply = whole(request).await;
        match reply {
            Some(_) => self.arrived(),
            None => self.tally.lock().unwrap().cut_while_waiting += 1,
        }
        reply
    }

    async fn token(&self, http: &Client, agency: &'static str) -> Option<String> {
        let form = format!("grant_type=client_credentials&client_id={agency}");
        let request = http.post(format!("{}/oauth2/token", self.gateway)).header("Content-Type", "application/x-www-form-urlencoded");
        let (status, body) = self.send(request.body(form)).await?;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 200, "no token: {body}");
        let token = body["access_token"].as_str().unwrap().to_owned();
        self.keep(Received::delivered(agency, &token));
        Some(token)
    }

    async fn ask(&self, http: &Client, agency: &'static str, token: &str, turn: usize) -> Option<Received> {
        let mut request = http.post(format!("{}/v1/verify", self.gateway)).header("Content-Type", "application/json");
        // Refusals count as much as answers: now and then no token, now and then a service that the agency may not ask about.
        if turn % 7 != 6 {
            request = request.bearer_auth(token);
        }
        let (status, body) = self.send(request.body(question(agency, turn).to_string())).await?;
        let reply = Received::read(agency, status, &body);
        self.keep(reply.clone());
        Some(reply)
    }

    /// Fetches and checks the proof of an answer; its checkpoint covers the answer at once.
    async fn proof(&self, http: &Client, token: &str, answer: &Received) -> Option<()> {
        let url = format!("{}/v1/log/proof/{}", self.gateway, answer.answer_id.as_ref()?);
        let (status, body) = self.send(http.get(url).bearer_auth(token)).await?;
        assert_eq!(status, 200, "no proof: {body}");
        let bundle: ProofBundle = serde_json::from_str(&body).unwrap();
        bundle.check(&answer.statement, &self.keys).unwrap();
        assert_eq!(Some(bundle.index), answer.index);
        self.keep(Received::delivered(answer.agency, &body));
        self.see(bundle.checkpoint);
        Some(())
    }

    fn keep(&self, reply: Received) {
        self.tally.lock().unwrap().received.push(reply);
    }

    fn see(&self, note: String) -> u64 {
        let size = Checkpoint::open(&note, &self.keys).unwrap().size;
        let mut tally = self.tally.lock().unwrap();
        if tally.newest.as_ref().is_none_or(|newest| newest.size < size) {
            tally.newest = Some(Seen { size, note });
        }
        size
    }
}

fn question(agency: &str, turn: usize) -> Value {
    let scheme = |scheme: &str, value: &str| json!({ "scheme": scheme, "value": value });
    let service = if turn % 5 == 4 {
        "sim"
    } else if agency == "bank" {
        "bank-card"
    } else {
        "insurance-health"
    };
    if agency == "bank" {
        // Every other second factor does not match.
        let check = json!({ "birth_year": 1370 + turn % 2, "calendar": "jalali" });
        let identifier = scheme("amayesh-no", "A170000001");
        return json!({ "identifier": identifier, "service": service, "purpose": "account-maintenance", "actor": "teller-17", "check": check });
    }
    let identifiers = [scheme("amayesh-no", "A160000002"), scheme("yekta", "9990000034"), scheme("yekta", "9990000050")];
    json!({ "identifier": identifiers[turn % identifiers.len()], "service": service, "purpose": "treatment" })
}

/// Status and body of a reply that came in whole; none when the connection ended before.
async fn whole(request: reqwest::RequestBuilder) -> Option<(u16, String)> {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.text().await.ok()?))
}
