//! An agency's client, and what every reply is held against, whatever is broken.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde_json::{Value, json};

use crate::site::Site;

/// Facts from the cache may be so old in seconds by the policies of those who ask here, and stale ones so old.
const MAX_AGE_S: i64 = 900;
const MAX_STALE_S: i64 = 7 * 86_400;

/// People who are entitled to what is asked: a "no" about them is a wrong one.
const PEOPLE: [(&str, &str); 3] = [("amayesh-no", "A170000001"), ("yekta", "9990000034"), ("yekta", "9990000018")];

/// What one ask came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Decision and freshness of an answer, the code of a refusal, or `nothing` where no reply came.
    pub said: String,
    /// How long it took.
    pub took_ms: u64,
}

/// One agency that asks about those people, and remembers what it was told.
pub struct Asker {
    http: Client,
    url: String,
    agency: &'static str,
    token: Mutex<String>,
    asked: AtomicU64,
    /// The highest index of an entry that a reply named.
    pub highest: AtomicU64,
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
            token: Mutex::default(),
            asked: AtomicU64::new(0),
            highest: AtomicU64::new(0),
            broken: Mutex::default(),
        };
        asker.renew().await;
        asker
    }

    /// A fresh token; those of before expire after five minutes.
    pub async fn renew(&self) {
        let form = format!("grant_type=client_credentials&client_id={}", self.agency);
        let sent =
            self.http.post(format!("{}/oauth2/token", self.url)).header("content-type", "application/x-www-form-urlencoded").body(form);
        let issued: Value = sent.send().await.unwrap().json().await.unwrap();
        *self.token.lock().unwrap() = issued["access_token"].as_str().expect("a token").to_owned();
    }

    /// Asks about one of the people, taking turns; `max_age` of 0 forces a look-up.
    pub async fn ask(&self, max_age: Option<u32>) -> Outcome {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let (scheme, value) = PEOPLE[usize::try_from(turn).unwrap() % PEOPLE.len()];
        self.ask_about(scheme, value, max_age, "counter").await
    }

    /// Asks about anybody.
    pub async fn ask_about(&self, scheme: &str, value: &str, max_age: Option<u32>, priority: &str) -> Outcome {
        let (begun, before) = (Instant::now(), Timestamp::from_microsecond(now_us()).unwrap());
        let reply = self.http.post(format!("{}/v1/verify", self.url)).bearer_auth(self.token.lock().unwrap().clone());
        let reply = reply.header("content-type", "application/json").body(self.body(scheme, value, max_age, priority)).send().await;
        let Ok(reply) = reply else { return self.outcome("nothing".to_owned(), begun) };
        let status = reply.status().as_u16();
        let Ok(body) = reply.json::<Value>().await else { return self.outcome("nothing".to_owned(), begun) };
        self.judge(status, &body, before);
        let said = match body["decision"].as_str() {
            Some(decision) => format!("{decision} {}", body["freshness"].as_str().unwrap_or_default()),
            None => body["code"].as_str().unwrap_or("no code").to_owned(),
        };
        self.outcome(said, begun)
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

    fn outcome(&self, said: String, begun: Instant) -> Outcome {
        Outcome { said, took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap() }
    }

    /// No answer without a record, no "no" from ignorance, nothing older than stated and allowed.
    fn judge(&self, status: u16, body: &Value, asked: Timestamp) {
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
            match body["ledger"]["index"].as_u64() {
                Some(index) => drop(self.highest.fetch_max(index, Ordering::SeqCst)),
                None => broken.push("an answer without a record".to_owned()),
            }
            if body["decision"] == "not-entitled" {
                broken.push(format!("a wrong no: {}", body["reason"]["code"]));
            }
            if body["decision"] == "indeterminate" && body["may_deny"] != false {
                broken.push("an indeterminate answer that may deny".to_owned());
            }
            let age = body["as_of"].as_str().and_then(|at| at.parse::<Timestamp>().ok()).map(|at| asked.duration_since(at));
            let bound = if body["freshness"] == "stale" { MAX_STALE_S } else { MAX_AGE_S };
            if age.is_none_or(|age| age > SignedDuration::from_secs(bound)) {
                broken.push("an answer older than allowed".to_owned());
            }
        }
        if status == 503 && body["advice"].as_str().is_none() {
            broken.push("a 503 without advice".to_owned());
        }
        self.broken.lock().unwrap().extend(broken);
    }
}

/// How often each thing was said.
pub fn tally(outcomes: &[Outcome]) -> String {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome.said.as_str()).or_insert(0) += 1;
    }
    counts.into_iter().map(|(said, count)| format!("{count} × {said}")).collect::<Vec<_>>().join(", ")
}

fn now_us() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros()).unwrap()
}
