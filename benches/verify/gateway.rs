//! The gateway under test: the real executable with its demo installation, asked by two agencies over mutual TLS.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use regex::Regex;
use serde::Deserialize;

use crate::cpu::Places;
use crate::fault::{Doing, Fault};
use crate::load::Caller;
use crate::pki;
use crate::process::{self, Guarded};
use crate::target::Target;
use crate::wire::{self, Answer};

/// Different bodies per agency (each has a nonce of its own), sent in turn.
const BODIES: u128 = 64;
/// How long checkpoints must stay the same to hold everything; the demo publishes one a second.
const SETTLED: Duration = Duration::from_millis(2200);

/// Who asks in the bench, and what: fixture people whose answer is `entitled`.
const QUESTIONS: [(&str, &str); 2] = [
    (
        "bank",
        r#""identifier":{"scheme":"amayesh-no","value":"A170000001"},"service":"bank-card","purpose":"account-maintenance","actor":"probe-1","check":{"birth_year":1370,"calendar":"jalali"}"#,
    ),
    (
        "clinic",
        r#""identifier":{"scheme":"yekta","value":"9990000034"},"service":"insurance-health","purpose":"treatment","actor":"probe-1""#,
    ),
];

/// What `demo.json` says, as far as the bench needs it.
#[derive(Deserialize)]
struct Demo {
    gateway: String,
    public: String,
    ca: PathBuf,
    agencies: HashMap<String, Identity>,
}

#[derive(Deserialize)]
struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

/// A running gateway.
pub struct Gateway {
    demo: Demo,
    dir: PathBuf,
    server: Guarded,
}

impl Gateway {
    /// Starts the demo in `dir`, with the shipped limits for these agencies and none for the others, and waits until it accepts connections.
    pub fn start(estelam: &Path, dir: &Path, limit: Duration, places: Places, as_shipped: &[&str]) -> Result<Self, Fault> {
        raise_limits(dir, as_shipped)?;
        let (log, ready) = (dir.join("bench.log"), dir.join("demo.json"));
        let folder = dir.to_str().doing("the gateway's folder, as text")?;
        let mut server = process::start_server(places.server, estelam, &["demo", "--dir", folder, "--port", "0"], &log)?;
        let since = Instant::now();
        while !ready.exists() {
            let ended = server.ended();
            if ended.is_some() || since.elapsed() > limit {
                let why = ended.unwrap_or_else(|| format!("not ready after {} s", limit.as_secs()));
                return Err(Fault::new(format!("the gateway did not start ({why}); it said:\n{}", last_lines(&log))));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let demo = serde_json::from_slice(&fs::read(&ready).doing("reading demo.json")?).doing("reading demo.json")?;
        Ok(Self { demo, dir: dir.to_owned(), server })
    }

    /// The verify path with fresh tokens (they live five minutes), and an answer to its first request.
    ///
    /// # Errors
    /// When a token is refused or a question is not answered `entitled`.
    pub fn verify(&self) -> Result<(Target, Answer), Fault> {
        let mut callers = Vec::new();
        let mut sample = None;
        for (agency, question) in QUESTIONS {
            let token = self.token(agency)?;
            let requests: Vec<String> = (0..BODIES).map(|number| verify_request(&token, question, number)).collect();
            let answer = self.ask(agency, requests.first().doing("preparing requests")?)?;
            let told: Told = serde_json::from_str(&answer.body).doing("reading an answer")?;
            if answer.status != 200 || told.decision != "entitled" {
                return Err(Fault::new(format!("{agency} must get `entitled`, but got {}: {}", answer.status, answer.body)));
            }
            sample.get_or_insert(answer);
            callers.push(self.caller(agency, requests)?);
        }
        Ok((self.target("verify", callers)?, sample.doing("an answer")?))
    }

    /// One agency's queries, each with some members more, with fresh tokens.
    pub fn queries(&self, name: &'static str, (agency, question): (&'static str, &str)) -> Result<Target, Fault> {
        let token = self.token(agency)?;
        let requests: Vec<String> = (0..BODIES).map(|number| verify_request(&token, question, number)).collect();
        self.target(name, vec![self.caller(agency, requests)?])
    }

    /// The token endpoint.
    pub fn tokens(&self) -> Result<Target, Fault> {
        let callers = QUESTIONS.iter().map(|(agency, _)| self.caller(agency, vec![token_request(agency)]));
        self.target("token", callers.collect::<Result<_, _>>()?)
    }

    /// Entries in the ledger by its public checkpoint, once that has settled.
    pub fn ledger_size(&self) -> Result<u64, Fault> {
        let mut size = self.checkpoint()?;
        let (mut since, begun) = (Instant::now(), Instant::now());
        while since.elapsed() < SETTLED {
            if begun.elapsed() > 10 * SETTLED {
                return Err(Fault::new("the ledger's checkpoint does not settle"));
            }
            std::thread::sleep(Duration::from_millis(100));
            let now = self.checkpoint()?;
            if now != size {
                (size, since) = (now, Instant::now());
            }
        }
        Ok(size)
    }

    /// C2SP tlog-checkpoint: origin, tree size, root hash.
    fn checkpoint(&self) -> Result<u64, Fault> {
        let tls = pki::client(&self.dir.join(&self.demo.ca), None)?;
        let answer = wire::ask(address(&self.demo.public)?, tls, &wire::request("GET", "/checkpoint", &[], ""))?;
        let size = answer.body.lines().nth(1).and_then(|size| size.parse().ok());
        size.filter(|_| answer.status == 200).doing("the tree size of the public checkpoint")
    }

    fn token(&self, agency: &str) -> Result<String, Fault> {
        let answer = self.ask(agency, &token_request(agency))?;
        if answer.status != 200 {
            return Err(Fault::new(format!("{agency} gets no token: {} {}", answer.status, answer.body)));
        }
        let issued: Issued = serde_json::from_str(&answer.body).doing("reading a token")?;
        Ok(issued.access_token)
    }

    fn ask(&self, agency: &str, request: &str) -> Result<Answer, Fault> {
        let Caller { cert, key, .. } = self.caller(agency, Vec::new())?;
        let tls = pki::client(&self.dir.join(&self.demo.ca), Some((&cert, &key)))?;
        wire::ask(address(&self.demo.gateway)?, tls, request)
    }

    fn caller(&self, agency: &str, requests: Vec<String>) -> Result<Caller, Fault> {
        let identity = self.demo.agencies.get(agency).doing(&format!("agency `{agency}` in demo.json"))?;
        Ok(Caller { cert: self.dir.join(&identity.cert), key: self.dir.join(&identity.key), requests })
    }

    fn target(&self, name: &'static str, callers: Vec<Caller>) -> Result<Target, Fault> {
        let (address, ca) = (address(&self.demo.gateway)?, self.dir.join(&self.demo.ca));
        Ok(Target { name, address, ca, callers, process: self.server.id() })
    }
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    decision: String,
}

fn token_request(agency: &str) -> String {
    let body = format!("grant_type=client_credentials&client_id={agency}");
    wire::request("POST", "/oauth2/token", &[("Content-Type", "application/x-www-form-urlencoded")], &body)
}

fn verify_request(token: &str, question: &str, number: u128) -> String {
    let bearer = format!("Bearer {token}");
    wire::request("POST", "/v1/verify", &[("Authorization", &bearer), ("Content-Type", "application/json")], &body(question, number))
}

fn body(question: &str, number: u128) -> String {
    format!(r#"{{{question},"nonce":"{}"}}"#, BASE64_URL_SAFE_NO_PAD.encode(number.to_be_bytes()))
}

/// The bodies' wording for a floor without a gateway beside it, under a made-up token of usual length.
pub fn stand_in_requests() -> Vec<String> {
    QUESTIONS.iter().flat_map(|(_, question)| (0..BODIES).map(|number| verify_request(&"x".repeat(600), question, number))).collect()
}

/// `https://localhost:PORT`, always on the loopback.
fn address(url: &str) -> Result<SocketAddr, Fault> {
    let port = url.rsplit_once(':').doing("the port in demo.json")?.1.trim_end_matches('/');
    Ok(SocketAddr::from(([127, 0, 0, 1], port.parse().doing("the port in demo.json")?)))
}

fn last_lines(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let skipped = text.lines().count().saturating_sub(12);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}

/// Gives the installation its own copy of the shipped policies before its first start (the demo keeps a folder that is there), with
/// rates that the bench cannot reach: it measures the path, and a refusal would fail it.
fn raise_limits(dir: &Path, as_shipped: &[&str]) -> Result<(), Fault> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    copy_folder(&shipped, &dir.join("policies")).doing("copying the policies")?;
    let agencies = dir.join("policies/agencies");
    let limit = Regex::new(r"\b(per_second|burst|daily_quota)\s*=\s*[0-9_]+").doing("preparing the limits")?;
    for agency in fs::read_dir(&agencies).into_iter().flatten() {
        let file = agency.doing("reading the policies")?.path();
        if file.file_stem().and_then(|name| name.to_str()).is_some_and(|name| as_shipped.contains(&name)) {
            continue;
        }
        let policy = fs::read_to_string(&file).doing("reading a policy")?;
        fs::write(&file, limit.replace_all(&policy, "$1 = 100000000").as_ref()).doing("writing a policy")?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
