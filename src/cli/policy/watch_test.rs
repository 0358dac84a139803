//! `estelam policy watch-test`: how well the rules of `watch.toml` find the abusers of a made-up week, and whom they accuse wrongly.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use super::folder::{Fault, Folder, read, report};
use crate::cli::{CliError, Failure};
use crate::core::policy::Snapshot;
use crate::core::watch::measure::{Line, Measured, measure};
use crate::core::watch::week::DAYS;

/// Measure the rules of watch.toml.
#[derive(Debug, Args)]
pub(in crate::cli) struct WatchTest {
    #[command(flatten)]
    folder: Folder,
    /// Another week: same seed, same week
    #[arg(long, default_value_t = 1405)]
    seed: u64,
    /// Size of the week in percent of the usual 540 branches
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    size: u64,
    /// Print the measurement as JSON
    #[arg(long)]
    json: bool,
}

impl WatchTest {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let folder = self.folder.path()?;
        let snapshot = match read(&folder).and_then(|files| Snapshot::load(&files).map_err(Fault::Files)) {
            Ok(snapshot) => snapshot,
            Err(fault) => return report(&folder, fault, self.json),
        };
        if snapshot.watch.rules.is_empty() {
            return Err(CliError::failed(format_args!(
                "`{}` has no rules to measure; write a [[rule]]",
                folder.join("watch.toml").display()
            )));
        }
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(DAYS) } else { ProgressBar::hidden() };
        let measured = measure(&snapshot.watch, self.seed, self.size, &mut |day| bar.set_position(day));
        bar.finish_and_clear();
        if self.json {
            println!("{}", serde_json::to_string(&json!({ "ok": fell_short(&measured) == 0, "week": measured })).doing("cannot print")?);
        } else {
            print(&measured);
        }
        match fell_short(&measured) {
            0 => Ok(ExitCode::SUCCESS),
            _ if self.json => Ok(ExitCode::FAILURE),
            count => {
                Err(CliError::failed(format_args!("{count} of the rules do worse than their `least`; change them, or what you promise")))
            }
        }
    }
}

fn fell_short(measured: &Measured) -> usize {
    measured.rules.iter().filter(|line| !line.holds()).count()
}

fn print(measured: &Measured) {
    println!("{:<18} {:>7} {:>6} {:>7} {:>6} {:>10} {:>7}  least", "rule", "planted", "found", "alerts", "right", "precision", "recall");
    for line in &measured.rules {
        let Line { rule, planted, found, alerts, right, precision, recall, least_precision, least_recall } = line;
        let percent = |value: &Option<u32>| value.map_or_else(|| "-".to_owned(), |value| format!("{value} %"));
        let (precision, recall) = (percent(precision), percent(recall));
        let mark = if line.holds() { "" } else { "  falls short" };
        println!(
            "{rule:<18} {planted:>7} {found:>6} {alerts:>7} {right:>6} {precision:>10} {recall:>7}  {least_precision}/{least_recall}{mark}"
        );
    }
    let Measured { seed, clerks, branches, calls, .. } = measured;
    println!("week {seed}: {calls} calls by {clerks} clerks of {branches} branches; planted and alerts are counted by day and abuser");
}
