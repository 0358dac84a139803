//! How many entries a second the access log makes durable, and the CPU time of one, with 1, 32 and 256 callers at once.
//!
//! Prints a table, and as its last line one JSON object. The callers run on one runtime thread, as the handlers of one core do.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measuring program")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use estelam::adapters::clock::SystemClock;
use estelam::adapters::store::{ContentKek, JOURNAL_BYTES, LedgerConfig, SqliteLedger, generate_officer_key};
use estelam::core::domain::clock::Clock as _;
use estelam::core::domain::identifier::Identifier;
use estelam::core::domain::nested::Nested;
use estelam::core::domain::scheme::{RawIdentifier, SHIPPED_SCHEMES, SchemeCatalogue};
use estelam::core::ledger::{Entry, EntryContent, EntryKind, Ledger as _, RetentionClass};
use estelam::core::signing::{Algorithm, Signer, SignerFailed};

/// How long each row of the table is measured.
const ROW: Duration = Duration::from_secs(3);

pub struct BenchSigner(Ed25519KeyPair);

impl BenchSigner {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }
}

impl Signer for BenchSigner {
    fn key_id(&self) -> &str {
        "bench"
    }
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let catalogue = SchemeCatalogue::parse(SHIPPED_SCHEMES).unwrap();
    let raw = RawIdentifier { scheme: "yekta", value: "9990000018", ..RawIdentifier::default() };
    let subject = catalogue.accept(raw, None).unwrap().identifier;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("callers   entries/s   CPU µs/entry");
    let mut points = Vec::new();
    for callers in [1, 32, 256] {
        let (rate, cpu) = runtime.block_on(measure(&ledger, &subject, callers));
        println!("{callers:>7}   {rate:>9.0}   {cpu:>12.2}");
        points.push(format!("{{\"callers\":{callers},\"entries_per_s\":{rate:.0},\"cpu_us\":{cpu:.2}}}"));
    }
    println!("{{\"bench\":\"ledger\",\"points\":[{}]}}", points.join(","));
}

fn open(folder: &std::path::Path) -> Arc<SqliteLedger> {
    let signer = BenchSigner::new();
    let config = LedgerConfig {
        dir: folder.join("ledger"),
        origin: "bench.example/log".into(),
        checkpoint_every: Duration::from_secs(1),
        queue: 4096,
        journal_bytes: JOURNAL_BYTES,
        checkpoint_public_key: signer.public(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key: generate_officer_key().unwrap().0,
        holder_public_key: None,
        content_kek: ContentKek::generate().unwrap(),
    };
    SqliteLedger::open(config, Arc::new(signer), Arc::new(SystemClock)).unwrap()
}

/// Entries per second and CPU microseconds of the whole process per entry.
async fn measure(ledger: &Arc<SqliteLedger>, subject: &Identifier, callers: usize) -> (f64, f64) {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (ledger, subject) = (ledger.clone(), subject.clone());
        tasks.push(tokio::spawn(async move {
            let mut count = 0_u64;
            while begun.elapsed() < ROW {
                ledger.append(entry(&subject)).await.unwrap();
                count += 1;
            }
            count
        }));
    }
    let mut entries = 0;
    for task in tasks {
        entries += task.await.unwrap();
    }
    let entries = entries as f64;
    (entries / begun.elapsed().as_secs_f64(), (cpu_seconds() - cpu) * 1e6 / entries)
}

fn entry(subject: &Identifier) -> Entry {
    let text = |value: &str| Some(value.to_owned());
    Entry {
        kind: EntryKind::Answer,
        class: RetentionClass::Detail,
        time: SystemClock.now(),
        id: uuid::Uuid::now_v7(),
        statement_digest: [7; 32],
        subject: Some(subject.clone()),
        content: Box::new(EntryContent {
            route: "verify".into(),
            agency: text("bank"),
            certificate: text("00112233aabbccdd"),
            actor: text("teller-17"),
            service: text("bank-card"),
            purpose: text("account-maintenance"),
            decision: Some("entitled".into()),
            reason: Some("valid-by-decree".into()),
            policy_version: text("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            decrees_version: text("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            decree: text("d1-1402-04-07"),
            freshness: Some("cached".into()),
            as_of: Some(SystemClock.now()),
            inputs: Nested::of(&serde_json::json!({"kind": "amayesh", "series": 17, "state": "active", "until": "2023-06-21"}), 256),
            latency_us: 120,
            ..EntryContent::default()
        }),
    }
}

/// User and system time of this process (proc(5): fields 14 and 15 of `stat`, in hundredths of a second).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1;
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
