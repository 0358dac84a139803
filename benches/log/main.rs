//! The log as it grows: the cost of an append, of auditors' questions, of a person's trail, of `log verify`, of a back-up and putting it back, of a
//! purge, and bytes on the disk, at some numbers of entries. Prints a table, and as its last line one JSON object (contract §9).
//!
//! ```text
//! --points 1000000,10000000   at which numbers of entries; every point grows the log of the one before
//! --copies-to 1000000         back-up and restore up to this number of entries alone: they take three times the log's disk
//! --dir DIR                   where the log is made and left; a temporary folder by default
//! --busy 1200000              after so many answers under an `Idempotency-Key` in ten minutes a start is measured; 0: not
//! --agencies 1000             so many agencies ask, in place of five: each has tags of its own, and a person's trail looks for all of them
//! --smoke                     a few thousand entries, whatever the figures: it works
//! ```
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a measuring program")]

mod measure;
mod retries;
mod town;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use estelam::adapters::clock::SystemClock;
use estelam::adapters::store::{ContentKek, JOURNAL_BYTES, LedgerConfig, generate_officer_key};
use estelam::core::domain::clock::Clock as _;
use estelam::core::signing::{Algorithm, Signer, SignerFailed};
use town::{PER_DAY, Town};

/// Numbers of entries without `--points`.
const POINTS: [u64; 2] = [1_000_000, 10_000_000];
/// The same with `--smoke`.
const SMOKE: [u64; 2] = [2_000, 5_000];
/// Entries up to which copies are made, without `--copies-to`.
const COPIES_TO: u64 = 1_000_000;

pub struct BenchSigner(Ed25519KeyPair);

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

/// Answers before a start without `--busy`: two thousand a second for ten minutes.
const BUSY: u64 = 1_200_000;

/// What the command line asks for.
struct Wanted {
    points: Vec<u64>,
    copies_to: u64,
    busy: u64,
    dir: Option<PathBuf>,
    agencies: Option<u64>,
    smoke: bool,
}

impl Wanted {
    fn read() -> Self {
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        let after = |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
        let smoke = arguments.iter().any(|argument| argument == "--smoke");
        let points = after("--points").map(|list| list.split(',').map(|number| number.parse().unwrap()).collect());
        let usual = if smoke { SMOKE } else { POINTS };
        let copies_to = after("--copies-to").map_or(COPIES_TO, |number| number.parse().unwrap());
        let busy = after("--busy").map_or(if smoke { SMOKE[0] } else { BUSY }, |number| number.parse().unwrap());
        let agencies = after("--agencies").map(|number| number.parse().unwrap());
        Self { busy, points: points.unwrap_or(usual.to_vec()), copies_to, dir: after("--dir").map(PathBuf::from), agencies, smoke }
    }
}

fn main() {
    let wanted = Wanted::read();
    let folder = tempfile::tempdir().unwrap();
    let dir = wanted.dir.clone().unwrap_or_else(|| folder.path().to_owned());
    let signer = Arc::new(BenchSigner(Ed25519KeyPair::generate().unwrap()));
    let (public, officer) = generate_officer_key().unwrap();
    let config = config(&dir, &signer, public);
    // The log ends now, whatever its size, so that what is appended to it follows.
    let most = *wanted.points.iter().max().unwrap();
    let days = i64::try_from(most / PER_DAY + 1).unwrap();
    let first = SystemClock.now() - jiff::SignedDuration::from_hours(24 * days);
    let town = Town::new(first, wanted.agencies);
    println!("{}", measure::HEAD);
    let points: Vec<_> = wanted.points.iter().map(|point| measure::point(*point, (&config, &officer), &signer, &town, &wanted)).collect();
    let (purged, each) = measure::purge(&config, &signer, &town);
    println!("purge of one day's contents about minors: {purged} entries, {each:.1} µs each");
    let start = if wanted.busy == 0 { "null".to_owned() } else { retries::start(wanted.busy, &config, &dir, &signer, &town) };
    println!("{{\"bench\":\"log\",\"points\":[{}],\"start\":{start}}}", points.join(","));
}

fn config(dir: &Path, signer: &BenchSigner, dpo_public_key: [u8; 32]) -> LedgerConfig {
    LedgerConfig {
        dir: dir.join("ledger"),
        origin: "bench.example/log".into(),
        checkpoint_every: Duration::from_secs(1),
        queue: 4096,
        journal_bytes: JOURNAL_BYTES,
        checkpoint_public_key: signer.0.public_key().as_ref().try_into().unwrap(),
        former_checkpoint_keys: Vec::new(),
        dpo_public_key,
        holder_public_key: None,
        content_kek: ContentKek::generate().unwrap(),
    }
}
