//! What the bench can be told, and the hidden parts it plays when it starts itself again.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::baseline::Baseline;
use crate::fault::Fault;

/// Measures the verify path of a real gateway against a bare TLS server.
#[derive(Parser)]
#[command(name = "verify", args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    pub plan: Plan,
    #[command(subcommand)]
    pub part: Option<Part>,
}

/// How to measure.
#[derive(Args)]
pub struct Plan {
    /// The gateway's executable.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_estelam"))]
    pub estelam: PathBuf,
    /// Measure the floor alone.
    #[arg(long)]
    pub floor_only: bool,
    /// Instead of all that: the counter's latency alone, beside a batch of another agency, and beside another agency's flood.
    #[arg(long)]
    pub lanes: bool,
    /// Instead of all that: the floor, this gateway and another build of it in turn, in short windows.
    #[arg(long, value_name = "PATH", conflicts_with = "lanes")]
    pub against: Option<PathBuf>,
    /// One short round of everything, to see that it works; the figures mean nothing.
    /// `ESTELAM_BENCH_SMOKE=1` in the environment means the same.
    #[arg(long)]
    smoke: bool,
    /// Alternating rounds; figures are medians over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Measured seconds of a round.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Bytes of the floor's reply body with `--floor-only`; otherwise the gateway's own answer sets them.
    #[arg(long, default_value_t = 600)]
    pub reply_bytes: usize,
    /// What an earlier sitting printed: if the ratio is lower by more than the tolerance, the bench fails.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Share by which the ratio may be lower than the baseline's: sittings differ.
    #[arg(long, default_value_t = 0.1, requires = "baseline")]
    tolerance: f64,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Plan {
    /// Whether only to see that it works.
    pub const fn is_smoke(&self) -> bool {
        self.smoke
    }

    /// With the environment's wish taken in.
    pub fn with_environment(mut self) -> Self {
        self.smoke |= std::env::var_os("ESTELAM_BENCH_SMOKE").is_some_and(|value| value == "1");
        self
    }

    /// The sitting to compare with, if one was named.
    ///
    /// # Errors
    /// Its file cannot be used, or the tolerance is no share.
    pub fn baseline(&self) -> Result<Option<Baseline>, Fault> {
        if !(0.0..1.0).contains(&self.tolerance) {
            return Err(Fault::new("`--tolerance` is a share: 0 or more and less than 1"));
        }
        self.baseline.as_ref().map(|file| Baseline::read(file, self.tolerance)).transpose()
    }

    /// Alternating rounds.
    pub const fn rounds(&self) -> u32 {
        if self.smoke { 1 } else { self.rounds }
    }

    /// Length of one measured window.
    pub const fn window(&self) -> Duration {
        if self.smoke { Duration::from_millis(1500) } else { Duration::from_secs(self.seconds) }
    }

    /// Load before the window opens: connections, caches and token cache get warm.
    pub const fn warm_up(&self) -> Duration {
        if self.smoke { Duration::from_millis(300) } else { Duration::from_secs(1) }
    }

    /// How long a gateway may take until it is ready; the first start of a demo makes keys and people.
    pub const fn start_limit(&self) -> Duration {
        if self.smoke { Duration::from_secs(30) } else { Duration::from_secs(120) }
    }

    /// After this the bench gives up, whatever hangs.
    pub const fn time_limit(&self) -> Duration {
        if self.smoke { Duration::from_secs(60) } else { Duration::from_secs(300 + (self.rounds as u64 + 5) * (self.seconds + 6) * 2) }
    }
}

/// A part that the bench plays in a process of its own.
#[derive(Subcommand)]
pub enum Part {
    /// The bare server; prints its port.
    #[command(hide = true)]
    FloorServer(FloorOptions),
    /// The load generator; reads an order from stdin, prints the outcome.
    #[command(hide = true)]
    Load,
    /// Binds itself to one processor, then becomes the command.
    #[command(hide = true)]
    Pinned {
        #[arg(long)]
        cpu: usize,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

/// What the bare server needs.
#[derive(Args)]
pub struct FloorOptions {
    /// Folder with `ca.pem`, `server-cert.pem` and `server-key.pem`.
    #[arg(long)]
    pub pki: PathBuf,
    /// Bytes of the reply's body.
    #[arg(long)]
    pub reply_bytes: usize,
}
