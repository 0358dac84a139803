//! `estelam policy replay`: who would be answered differently under a draft; counts alone, never a person.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::folder::{Fault, read, report};
use crate::app::review::{Against, Policy, Review, review};
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};
use crate::core::decision::replay::{Said, Telling};
use crate::core::domain::instant;

/// Decide the recorded queries again.
#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    place: Place,
    /// First day or instant: 1405/09/01, "1405/09/01 08:00" (Tehran) or RFC 3339
    #[arg(long, value_parser = instant::parse)]
    from: Timestamp,
    /// Last day (included) or first instant after
    #[arg(long, value_parser = instant::parse_end)]
    to: Timestamp,
    /// The draft's policy folder; without it the recorded versions are used, and nothing may differ
    #[arg(long)]
    against: Option<PathBuf>,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        if self.to <= self.from {
            return Err(CliError::usage("`--to` is before `--from`; swap them"));
        }
        let draft = match &self.against {
            None => None,
            Some(folder) => match read(folder).and_then(|files| Policy::load(files).map_err(Fault::Files)) {
                Ok(draft) => Some(draft),
                Err(fault) => return report(folder, fault, self.json),
            },
        };
        let config = self.place.config()?;
        let against = draft.as_ref().map_or(Against::Recorded, Against::Draft);
        let bar = bar();
        let mut progress = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let outcome = review(&config, self.from, self.to, &against, &mut progress).doing("the queries cannot be decided again")?;
        bar.finish_and_clear();
        if self.json {
            println!("{}", serde_json::to_string(&outcome).doing("cannot print the counts")?);
        } else {
            print(&outcome);
        }
        let broken = draft.is_none() && outcome.changed() > 0;
        Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn print(outcome: &Review) {
    if !outcome.different.is_empty() {
        println!("{:>8}  {:<18} {:<20} {:<28} would be", "queries", "agency", "service", "was");
    }
    for line in &outcome.different {
        let (old, new) = words(&line.old, &line.new);
        println!("{:>8}  {:<18} {:<20} {old:<28} {new}", line.queries, line.agency, line.service);
    }
    println!("{} queries: {} the same, {} different", outcome.queries, outcome.same, outcome.changed());
    if outcome.limits_not_tried > 0 {
        println!("{} of the same were refused for a rate or a bound, which a replay does not try anew", outcome.limits_not_tried);
    }
    if !outcome.changed_not_tried.is_empty() {
        let parts: Vec<&str> = outcome.changed_not_tried.iter().map(String::as_str).collect();
        println!("changed in the draft, and not to be tried on recorded queries: {}", parts.join(", "));
    }
    for (why, count) in &outcome.skipped {
        println!("{count} not decided again: {why}");
    }
}

/// What was said and what would be said; of what is told only what differs.
fn words(old: &Said, new: &Said) -> (String, String) {
    let exact = |said: &Said| match said {
        Said::Answer { decree: Some(decree), .. } => format!("{} ({decree})", said.code()),
        _ => said.code().to_owned(),
    };
    let (mut was, mut would_be) = (exact(old), exact(new));
    if let (Some(told), Some(tells)) = (old.told(), new.told()) {
        was.push_str(&differs(told, tells));
        would_be.push_str(&differs(tells, told));
    }
    (was, would_be)
}

/// What one tells otherwise than the other.
fn differs(told: &Telling, other: &Telling) -> String {
    let shows = told.shows.iter().map(|part| part.code()).collect::<Vec<_>>().join(" ");
    let document = [told.kind.map(|kind| kind.code().to_owned()), told.series.map(|series| series.to_string())];
    let parts = [
        (told.reason != other.reason, "told", told.reason.code().to_owned()),
        (told.next != other.next, "next", told.next.clone()),
        (told.shows != other.shows, "shows", if shows.is_empty() { "nothing".to_owned() } else { shows }),
        ((told.kind, told.series) != (other.kind, other.series), "of", document.into_iter().flatten().collect::<Vec<_>>().join(" ")),
    ];
    parts.into_iter().filter_map(|(differs, what, which)| differs.then(|| format!(", {what} {which}"))).collect()
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} entries {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
