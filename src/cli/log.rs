//! `estelam log`: checking the access log.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::audit::{CaseCommand, Export, Holder, Person, Prove, QueryEntries, SampleCommand, Summary};
use super::backup::{Backup, Restore, Succeed};
use super::defer::DeferCommand;
use super::hold::HoldCommand;
use super::place::Place;
use super::purge::Purge;
use super::purge_order::PurgeOrderCommand;
use super::witness::Witness;
use super::{CliError, Failure};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::KeyRing;
use crate::adapters::store::{PurgeGrounds, SealedReport, VerifyOptions, VerifyReport, verify_all};
use crate::app;
use crate::app::purge_orders::OrderBook;
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::cosignature::WitnessKey;
use crate::core::ledger::purge_order::SignedOrders;

/// Check the access log.
#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Walk the whole log: every leaf, the tree, every checkpoint; names the first entry that does not hold. Works while the service runs
    Verify {
        #[command(flatten)]
        place: Place,
        /// A checkpoint that you kept from before; the log must be consistent with it
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        #[command(flatten)]
        grounds: Grounds,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Find entries by agency, service, purpose, outcome, time …
    Query(Box<QueryEntries>),
    /// Show a holder who asked, by the code from the holder's SIM
    Holder(Box<Holder>),
    /// Deferrals: entries that are shown to their holder later, by two officials
    #[command(subcommand)]
    Defer(DeferCommand),
    /// Open one person's trail, in an open case
    Person(Box<Person>),
    /// The register of cases
    #[command(subcommand)]
    Case(CaseCommand),
    /// Export entries into a file that can be checked, or check one
    Export(Box<Export>),
    /// Counts per day and agency
    Summary(Summary),
    /// Random work-lists
    #[command(subcommand)]
    Sample(SampleCommand),
    /// Prove that an entry is in the log
    Prove(Prove),
    /// Delete the contents that are due; header and leaf stay
    Purge(Purge),
    /// Orders of two officials, without which nothing is deleted outside a demo
    #[command(subcommand)]
    PurgeOrder(PurgeOrderCommand),
    /// Legal holds by two people
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Copy the log into a folder, or bring an earlier copy up to date; the service goes on meanwhile
    Backup(Backup),
    /// Put a copy back where no log is, if it has all that was seen outside
    Restore(Restore),
    /// Seal the log as it is and go on under a new origin
    Succeed(Succeed),
    /// Watch a log from outside: cosign its checkpoint if it continues the last one seen, refuse and report a fork
    Witness(Witness),
}

impl Log {
    /// Whether it writes what the service reads, whoever's user that is.
    pub(super) const fn is_for_the_service(&self) -> bool {
        matches!(self, Self::Defer(_) | Self::Case(_) | Self::Hold(_) | Self::PurgeOrder(_))
    }

    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Verify { place, checkpoint, grounds, json } => verify(&place, checkpoint, &grounds, json),
            Self::Query(query) => query.run(),
            Self::Defer(defer) => defer.run(),
            Self::Holder(holder) => holder.run(),
            Self::Person(person) => person.run(),
            Self::Case(case) => case.run(),
            Self::Export(export) => export.run(),
            Self::Summary(summary) => summary.run(),
            Self::Sample(sample) => sample.run(),
            Self::Prove(prove) => prove.run(),
            Self::Purge(purge) => purge.run(),
            Self::PurgeOrder(order) => order.run(),
            Self::Hold(hold) => hold.run(),
            Self::Backup(backup) => backup.run(),
            Self::Restore(restore) => restore.run(),
            Self::Succeed(succeed) => succeed.run(),
            Self::Witness(witness) => witness.run(),
        }
    }
}

/// What purges must rest on, as the auditor knows it.
#[derive(Debug, Args)]
pub(super) struct Grounds {
    /// A witness's verifier key, as it was got from the witness: every purge must rest on a checkpoint that it cosigned. Once for each key
    #[arg(long, value_name = "FILE")]
    witness_key: Vec<PathBuf>,
    /// A list of officials (`officials.toml`), as it was got from them: every purge must rest on an order that two of them signed. Once for each
    /// version
    #[arg(long, value_name = "FILE")]
    officials: Vec<PathBuf>,
}

impl Grounds {
    fn read(&self, config: &Config) -> Result<PurgeGrounds, CliError> {
        let witness = |path: &PathBuf| {
            let named = format!("`{}`", path.display());
            WitnessKey::parse(&std::fs::read_to_string(path).doing(&named)?).doing(&named)
        };
        let orders = OrderBook::open(config, &self.officials).doing("the officials")?;
        Ok(PurgeGrounds {
            witnesses: self.witness_key.iter().map(witness).collect::<Result<_, _>>()?,
            orders: orders.map(|book| Arc::new(book) as Arc<dyn SignedOrders>),
        })
    }

    /// What of the purges was checked, and what was not.
    fn told(&self, reports: &[&VerifyReport]) -> Vec<String> {
        let sum = |of: fn(&VerifyReport) -> u64| reports.iter().map(|report| of(report)).sum::<u64>();
        let purges = sum(|report| report.purges);
        if purges == 0 {
            return Vec::new();
        }
        let witnessed = if self.witness_key.is_empty() {
            "NOT checked: whether a witness vouches for the time; give its key with `--witness-key FILE`".to_owned()
        } else {
            format!("a witness vouches for the time of {}", sum(|report| report.purges_witnessed))
        };
        let ordered = if self.officials.is_empty() {
            "NOT checked: whether two officials ordered them; give their list with `--officials FILE`".to_owned()
        } else {
            format!("two officials ordered {}", sum(|report| report.purges_ordered))
        };
        vec![format!("{purges} purges, each recorded before its deletions, which were due by the time that it says"), witnessed, ordered]
    }
}

fn verify(place: &Place, checkpoint: Option<PathBuf>, grounds: &Grounds, json: bool) -> Result<ExitCode, CliError> {
    let config = place.config()?;
    let keys = KeyRing::open_at(&app::key_place(&config)).doing("the keys")?;
    let ledger = app::ledger_config(&config, &keys).doing("the ledger")?;
    let seen = match &checkpoint {
        Some(path) => Some(std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?),
        None => None,
    };
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} entries, {per_sec}, {eta} left");
    bar.set_style(style.doing("the progress bar")?);
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let options = VerifyOptions {
        checkpoint_keys: ledger.checkpoint_keys().doing("the checkpoint key")?,
        content_kek: Some(ledger.content_kek),
        dir: ledger.dir,
        seen_checkpoint: seen,
        purges: grounds.read(&config)?,
        now: SystemClock.now(),
    };
    let origins = app::origins::origins_of(&config).doing("the ledger")?;
    let begun = std::time::Instant::now();
    let report = verify_all(&origins, &options, &mut progress);
    bar.finish_and_clear();
    if let (Err(fault), true) = (&report, json) {
        // A program that reads the report must not have to tell a log that does not hold from a command that was not run.
        println!("{}", json!({ "fault": fault.to_string() }));
    }
    let report = report.doing("the log does not hold")?;
    if json {
        println!("{}", serde_json::to_string(&report).doing("cannot print the report")?);
    } else {
        for SealedReport { origin, report } in &report.sealed {
            println!("sealed log `{origin}`: {} entries and {} checkpoints hold", report.entries, report.checkpoints);
        }
        let reports: Vec<&VerifyReport> = report.sealed.iter().map(|log| &log.report).chain([&report.present]).collect();
        grounds.told(&reports).iter().for_each(|line| println!("{line}"));
        let walked = report.sealed.iter().map(|log| log.report.entries).sum::<u64>() + report.present.entries;
        let report = report.present;
        println!("{} entries and {} checkpoints hold; {} contents opened", report.entries, report.checkpoints, report.contents_checked);
        println!("the last checkpoint covers {} entries; `--checkpoint FILE` compares with one that you kept", report.covered);
        println!("{:.0} entries/s", walked as f64 / begun.elapsed().as_secs_f64().max(1e-6));
    }
    Ok(ExitCode::SUCCESS)
}
