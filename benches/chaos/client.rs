//! An agency's client, and what every reply is held against, whatever is broken.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde_json::{Value, json};

use crate::registry::Scripted;
use crate::site::Site;

/// Facts from the cache may be so old in seconds by the policies of those who ask here, and stale ones so old.
const AGES_S: [(&str, i64, i64); 2] = [("clinic", 900, 7 * 86_400), ("bank", 60, 3600)];
/// For so long the change feed may be silent while what is remembered counts as current, and what a slow machine may add.
const SILENCE: Duration = Duration::from_secs(10 + 1);
/// An answer is live that the registry gave for somebody who asked at most so much earlier: who asks for the same is answered together.
const TOGETHER: Duration = Duration::from_secs(1);
/// A clock is read more than once, and to the millisecond here and there.
const JITTER: SignedDuration = SignedDuration::from_millis(50);

/// People who are entitled to what is asked: a "no" about them is a wrong one.
const PEOPLE: [(&str, &str); 3] = [("amayesh-no", "A170000001"), ("yekta", "9990000034"), ("yekta", "9990000018")];
/// One of them; and the only one who can prove to be who is asked about, where that is wanted.
pub const SOMEBODY: (&str, &str) = PEOPLE[0];

/// What one ask came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Decision and freshness of an answer, the code of a refusal, or `nothing` where no reply came.
    pub said: String,
    /// How long it took.
    pub took_ms: u64,
    pub begun: Instant,
    pub ended: Instant,
}

impl Outcome {
    pub fn new(said: impl Into<String>, begun: Instant) -> Self {
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
        Self { said: said.into(), took_ms, begun, ended: Instant::now() }
    }

    /// Whether it is an answer with this decision.
    pub fn decides(&self, decision: &str) -> bool {
        self.said.strip_prefix(decision).is_some_and(|rest| rest.starts_with(' '))
    }
}

/// One agency that asks about those people, and remembers what it was told.
pub struct Asker {
    http: Client,
    url: String,
    agency: &'static str,
    registry: Scripted,
    token: Mutex<String>,
    asked: AtomicU64,
    /// The index of every entry that a reply named.
    records: Mutex<HashSet<u64>>,
    highest: AtomicU64,
    last_answer: Mutex<String>,
    /// Broken promises.
    pub broken: Mutex<Vec<String>>,
}

impl Asker {
    /// A client with connections and a token of its own.
    pub async fn new(site: &Site, agency: &'static str) -> Self {
        let asker = Self {
            http: site.installation.http(agency),
            url: site.installation.gateway(),
            agency,
            registry: site.registry.clone(),
            token: Mutex::default(),
            asked: AtomicU64::new(0),
            records: Mutex::default(),
            highest: AtomicU64::new(0),
            last_answer: Mutex::default(),
            broken: Mutex::default(),
        };
        asker.renew().await;
        asker
    }

    /// A fresh token; those of before expire after five minutes.
    pub async fn renew(&self) {
        assert!(self.has_token().await, "no token for {}", self.agency);
    }

    /// Whether a token was given.
    pub async fn has_token(&self) -> bool {
        let form = format!("grant_type=client_credentials&client_id={}", self.agency);
        let sent =
            self.http.post(format!("{}/oauth2/token", self.url)).header("content-type", "application/x-www-form-urlencoded").body(form);
        let Ok(reply) = sent.send().await else { return false };
        let issued: Value = reply.json().await.unwrap_or_default();
        let Some(token) = issued["access_token"].as_str() else { return false };
        *self.token.lock().unwrap() = token.to_owned();
        true
    }

    /// Asks about one of the people, taking turns; `max_age` of 0 forces a look-up.
    pub async fn ask(&self, max_age: Option<u32>) -> Outcome {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let (scheme, value) = PEOPLE[usize::try_from(turn).unwrap() % PEOPLE.len()];
        self.ask_about(scheme, value, max_age, "counter").await
    }

    /// Asks about anybody.
    pub async fn ask_about(&self, scheme: &str, value: &str, max_age: Option<u32>, priority: &str) -> Outcome {
        let (begun, before) = (Instant::now(), now());
        let reply = self.http.post(format!("{}/v1/verify", self.url)).bearer_auth(self.token());
        let reply = reply.header("content-type", "application/json").body(self.body(scheme, value, max_age, priority)).send().await;
        let Ok(reply) = reply else { return Outcome::new("nothing", begun) };
        let status = reply.status().as_u16();
        let Ok(body) = reply.json::<Value>().await else { return Outcome::new("nothing", begun) };
        self.judge(status, &body, &Asked { value, max_age, begun, before });
        match body["decision"].as_str() {
            Some(decision) => Outcome::new(format!("{decision} {}", body["freshness"].as_str().unwrap_or_default()), begun),
            None => Outcome::new(body["code"].as_str().unwrap_or("no code"), begun),
        }
    }

    /// A query as bytes, for clients that behave badly.
    pub fn body(&self, scheme: &str, value: &str, max_age: Option<u32>, priority: &str) -> String {
        let mut body = json!({"identifier": {"scheme": scheme, "value": value}, "priority": priority});
        let (service, purpose) = match self.agency {
            "bank" => ("bank-card", "account-maintenance"),
            _ => ("insurance-health", "treatment"),
        };
        (body["service"], body["purpose"]) = (json!(service), json!(purpose));
        if self.agency == "bank" {
            body["actor"] = json!("teller-17");
            body["check"] = json!({"birth_year": 1370, "calendar": "jalali"});
        }
        if let Some(max_age) = max_age {
            body["max_age"] = json!(max_age);
        }
        body.to_string()
    }

    pub fn token(&self) -> String {
        self.token.lock().unwrap().clone()
    }

    /// The highest index of an entry that a reply named.
    pub fn highest(&self) -> u64 {
        self.highest.load(Ordering::SeqCst)
    }

    /// The status with which the log proves the last answer.
    pub async fn proof(&self) -> u16 {
        let url = format!("{}/v1/log/proof/{}", self.url, self.last_answer.lock().unwrap());
        self.http.get(url).bearer_auth(self.token()).send().await.map_or(0, |reply| reply.status().as_u16())
    }

    fn judge(&self, status: u16, body: &Value, asked: &Asked<'_>) {
        let mut broken = Vec::new();
        let known = match status {
            200 => body["decision"].is_string(),
            429 | 503 => body["code"].is_string(),
            _ => false,
        };
        if !known {
            broken.push(format!("an unexpected reply: {status} {}", body["code"]));
        }
        if status == 200 {
            broken.extend(self.recorded(body));
            broken.extend(self.known(body, asked));
            broken.extend(self.dated(body, asked));
        }
        if status == 503 && body["advice"].as_str().is_none() {
            broken.push("a 503 without advice".to_owned());
        }
        self.broken.lock().unwrap().extend(broken);
    }

    /// No answer without a record of its own.
    fn recorded(&self, body: &Value) -> Option<String> {
        let Some(index) = body["ledger"]["index"].as_u64() else { return Some("an answer without a record".to_owned()) };
        self.highest.fetch_max(index, Ordering::SeqCst);
        *self.last_answer.lock().unwrap() = body["answer_id"].as_str().unwrap_or_default().to_owned();
        (!self.records.lock().unwrap().insert(index)).then(|| format!("two answers with the record {index}"))
    }

    /// No "no" from ignorance.
    fn known(&self, body: &Value, asked: &Asked<'_>) -> Option<String> {
        match body["decision"].as_str() {
            Some("not-entitled") if PEOPLE.iter().any(|(_, value)| *value == asked.value) => {
                Some(format!("a wrong no: {}", body["reason"]["code"]))
            }
            Some("indeterminate") if body["may_deny"] != false => Some("an indeterminate answer that may deny".to_owned()),
            _ => None,
        }
    }

    /// Nothing older than it may be by the policy, no facts older than the question allows, nothing that the registry has not said by then,
    /// nothing remembered that no feed vouches for. (An answer is as old as the last word on its decrees, too: the question bounds the facts.)
    fn dated(&self, body: &Value, asked: &Asked<'_>) -> Option<String> {
        let (freshness, replied) = (body["freshness"].as_str().unwrap_or_default(), now());
        let Some(as_of) = body["as_of"].as_str().and_then(|at| at.parse::<Timestamp>().ok()) else {
            return Some("an answer without an instant".to_owned());
        };
        if as_of > replied + JITTER {
            return Some("an answer from the future".to_owned());
        }
        let (_, max_age, max_stale) = AGES_S.iter().find(|(agency, ..)| *agency == self.agency).copied().unwrap();
        let bound = match freshness {
            "stale" => max_stale,
            // A look-up of before the question, for somebody else who asked the same.
            "live" => 60,
            _ => max_age,
        };
        let age = asked.before.duration_since(as_of);
        if age > SignedDuration::from_secs(bound) + JITTER {
            return Some(format!("{freshness} and {} s old, where {bound} s are allowed", age.as_secs()));
        }
        if !matches!(body["decision"].as_str(), Some("entitled" | "not-entitled")) {
            return None;
        }
        let words = self.registry.said().of(asked.value);
        if words.iter().all(|word| word.as_of + JITTER < as_of) {
            return Some("an answer that is newer than anything that the registry said".to_owned());
        }
        let silent = self.registry.said().last_told().is_none_or(|told| asked.begun.duration_since(told) > SILENCE);
        let live = words.iter().any(|word| asked.begun.duration_since(word.at) < TOGETHER);
        let allowed = asked.max_age.map(|seconds| Duration::from_secs(seconds.into()) + TOGETHER);
        let recent = allowed.is_none_or(|allowed| words.iter().any(|word| asked.begun.duration_since(word.at) < allowed));
        match freshness {
            "cached" if !recent => Some("facts older than the question allows".to_owned()),
            "live" if !live => Some("a live answer for which the registry was not asked".to_owned()),
            "cached" if silent => Some("a remembered answer for which no feed vouches".to_owned()),
            _ => None,
        }
    }
}

/// A question, and when it was asked.
struct Asked<'a> {
    value: &'a str,
    max_age: Option<u32>,
    begun: Instant,
    before: Timestamp,
}

/// How often each thing was said.
pub fn tally(outcomes: &[Outcome]) -> String {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome.said.as_str()).or_insert(0) += 1;
    }
    counts.into_iter().map(|(said, count)| format!("{count} × {said}")).collect::<Vec<_>>().join(", ")
}

fn now() -> Timestamp {
    let us = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
    Timestamp::from_microsecond(i64::try_from(us).unwrap()).unwrap()
}
