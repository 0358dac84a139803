//! `estelam log`: checking the access log.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

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
use crate::adapters::store::{SealedReport, VerifyOptions, verify_all};
use crate::app;
use crate::core::domain::clock::Clock;

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
            Self::Verify { place, checkpoint, json } => Self::verify(&place, checkpoint, json),
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

    fn verify(place: &Place, checkpoint: Option<PathBuf>, json: bool) -> Result<ExitCode, CliError> {
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
            now: SystemClock.now(),
        };
        let origins = app::origins::origins_of(&config).doing("the ledger")?;
        let begun = std::time::Instant::now();
        let report = verify_all(&origins, &options, &mut progress).doing("the log does not hold")?;
        bar.finish_and_clear();
        if json {
            println!("{}", serde_json::to_string(&report).doing("cannot print the report")?);
        } else {
            for SealedReport { origin, report } in &report.sealed {
                println!("sealed log `{origin}`: {} entries and {} checkpoints hold", report.entries, report.checkpoints);
            }
            let walked = report.sealed.iter().map(|log| log.report.entries).sum::<u64>() + report.present.entries;
            let report = report.present;
            println!("{} entries and {} checkpoints hold; {} contents opened", report.entries, report.checkpoints, report.contents_checked);
            println!("the last checkpoint covers {} entries; `--checkpoint FILE` compares with one that you kept", report.covered);
            println!("{:.0} entries/s", walked as f64 / begun.elapsed().as_secs_f64().max(1e-6));
        }
        Ok(ExitCode::SUCCESS)
    }
}
