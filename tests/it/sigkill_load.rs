//! The load of one round: clients that ask as fast as they can until the gateway is gone, and what they hold then.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use estelam::core::ledger::ProofBundle;
use estelam::core::ledger::checkpoint::Checkpoint;
use estelam::core::ledger::note::NoteKey;
use estelam::core::ledger::tree::{Hash, sha256};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::sigkill_support::Installation;

/// Clients of one agency at once, each with a connection of its own.
const CLIENTS_PER_AGENCY: usize = 4;
/// A client asks for the proof of an answer after so many replies.
const REPLIES_PER_PROOF: usize = 8;
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

/// What the clients of a round have seen together, and when it is enough.
pub struct Load {
    gateway: String,
    checkpoint: String,
    keys: [NoteKey; 1],
    goal: usize,
    /// The public checkpoint must also have grown beyond this size.
    published_beyond: Option<u64>,
    tally: Mutex<Tally>,
    enough: Notify,
}

#[derive(Default)]
struct Tally {
    received: Vec<Received>,
    newest: Option<Seen>,
    published: u64,
    cut_while_waiting: usize,
}

/// What is left of a round when its gateway was killed.
pub struct Outcome {
    pub received: Vec<Received>,
    /// The greatest checkpoint that anybody saw in this round or before.
    pub newest: Option<Seen>,
    /// Requests on which the kill fell.
    pub cut_while_waiting: usize,
}

impl Load {
    /// A load that is enough after `goal` replies, with `grown` only when a checkpoint was published meanwhile, too.
    pub async fn new(installation: &Installation, ops: &Client, goal: usize, grown: bool, newest: Option<Seen>) -> Self {
        let fetch = async |path: &str| fetch(ops, &installation.public(path)).await.expect("a ready gateway");
        let keys = [NoteKey::parse(&fetch("/checkpoint.key").await).unwrap()];
        let published = Checkpoint::open(&fetch("/checkpoint").await, &keys).unwrap().size;
        Self {
            gateway: installation.gateway(),
            checkpoint: installation.public("/checkpoint"),
            keys,
            goal,
            published_beyond: grown.then_some(published),
            tally: Mutex::new(Tally { newest, ..Tally::default() }),
            enough: Notify::new(),
        }
    }

    /// Asks until there is enough, calls `kill` with requests under way, and waits until every client has noticed.
    pub async fn run(self: Arc<Self>, installation: &Installation, kill: impl FnOnce()) -> Outcome {
        let agencies = ["bank", "clinic"].into_iter().cycle().take(2 * CLIENTS_PER_AGENCY);
        let mut clients: Vec<_> =
            agencies.map(|agency| tokio::spawn(self.clone().ask_until_cut(installation.http(agency), agency))).collect();
        clients.push(tokio::spawn(self.clone().watch_checkpoints(installation.http("operator"))));
        tokio::time::timeout(PATIENCE, self.enough.notified()).await.expect("the clients get their replies");
        kill();
        for client in clients {
            client.await.unwrap();
        }
        let tally = std::mem::take(&mut *self.tally.lock().unwrap());
        Outcome { received: tally.received, newest: tally.newest, cut_while_waiting: tally.cut_while_waiting }
    }

    async fn ask_until_cut(self: Arc<Self>, http: Client, agency: &'static str) {
        let Some(token) = self.token(&http, agency).await else { return };
        for turn in 0.. {
            let Some(answer) = self.ask(&http, agency, &token, turn).await else { break };
            if turn % REPLIES_PER_PROOF == 0 && answer.answer_id.is_some() && self.proof(&http, &token, &answer).await.is_none() {
                break;
            }
        }
        self.tally.lock().unwrap().cut_while_waiting += 1;
    }

    async fn watch_checkpoints(self: Arc<Self>, http: Client) {
        while let Some(note) = fetch(&http, &self.checkpoint).await {
            let size = self.see(note);
            let mut tally = self.tally.lock().unwrap();
            assert!(tally.published <= size, "the public checkpoint shrank");
            tally.published = size;
            self.judge(&tally);
        }
    }

    async fn token(&self, http: &Client, agency: &'static str) -> Option<String> {
        let form = format!("grant_type=client_credentials&client_id={agency}");
        let request = http.post(format!("{}/oauth2/token", self.gateway)).header("Content-Type", "application/x-www-form-urlencoded");
        let (status, body) = whole(request.body(form)).await?;
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
        let (status, body) = whole(request.body(question(agency, turn).to_string())).await?;
        let reply = Received::read(agency, status, &body);
        self.keep(reply.clone());
        Some(reply)
    }

    /// Fetches and checks the proof of an answer; its checkpoint covers the answer at once.
    async fn proof(&self, http: &Client, token: &str, answer: &Received) -> Option<()> {
        let url = format!("{}/v1/log/proof/{}", self.gateway, answer.answer_id.as_ref()?);
        let (status, body) = whole(http.get(url).bearer_auth(token)).await?;
        assert_eq!(status, 200, "no proof: {body}");
        let bundle: ProofBundle = serde_json::from_str(&body).unwrap();
        bundle.check(&answer.statement, &self.keys).unwrap();
        assert_eq!(Some(bundle.index), answer.index);
        self.keep(Received::delivered(answer.agency, &body));
        self.see(bundle.checkpoint);
        Some(())
    }

    fn keep(&self, reply: Received) {
        let mut tally = self.tally.lock().unwrap();
        tally.received.push(reply);
        self.judge(&tally);
    }

    fn see(&self, note: String) -> u64 {
        let size = Checkpoint::open(&note, &self.keys).unwrap().size;
        let mut tally = self.tally.lock().unwrap();
        if tally.newest.as_ref().is_none_or(|newest| newest.size < size) {
            tally.newest = Some(Seen { size, note });
        }
        size
    }

    fn judge(&self, tally: &Tally) {
        if tally.received.len() >= self.goal && self.published_beyond.is_none_or(|size| size < tally.published) {
            self.enough.notify_one();
        }
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
pub async fn whole(request: reqwest::RequestBuilder) -> Option<(u16, String)> {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.text().await.ok()?))
}

async fn fetch(http: &Client, url: &str) -> Option<String> {
    let (status, body) = whole(http.get(url)).await?;
    assert_eq!(status, 200, "{url}: {body}");
    Some(body)
}
