//! `import`, `generate`, `lookup`: filling the registry and looking into it.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::{Filling, existing_store, schemes, store_dir};
use crate::adapters::clock::SystemClock;
use crate::cli::place::Place;
use crate::cli::when::instant;
use crate::cli::{CliError, Failure};
use crate::core::domain::clock::Clock;
use crate::registry::import::{self, ImportError, Summary};
use crate::registry::{generate, lookup};

/// Import a file.
#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// An export; its name ends in `.csv`, `.ndjson` or `.jsonl`
    file: PathBuf,
    /// Whose person keys these are; the file's stem if not given
    #[arg(long)]
    source: Option<String>,
    /// Where rejected rows go; if not given, beside the export under its whole name and `.rejects.csv` (`x.csv.rejects.csv` for `x.csv`), or
    /// under that name in the registry's folder where nothing can be written beside it
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let schemes = schemes(&self.place)?;
        let filling = Filling::of(&self.place)?;
        let now = SystemClock.now();
        let (source, rejects) = (self.source.as_deref(), self.rejects.as_deref());
        let aside = store_dir(self.place.dir());
        let options = import::ImportOptions { file: &self.file, source, rejects, aside: Some(&aside), schemes: &schemes, now };
        let bar = bar("{bar:40} {bytes}/{total_bytes} {eta}");
        let mut progress = |done, total| advance(&bar, done, total);
        let imported = import::run(filling.store()?, &options, &mut progress);
        bar.finish_and_clear();
        let summary = match imported {
            Err(error @ ImportError::RejectsNotPlaced { .. }) => {
                filling.done(&self.place)?;
                return Err(error).doing(self.file.display());
            }
            other => other.doing(format_args!("nothing of `{}` was imported", self.file.display()))?,
        };
        if self.json {
            println!("{}", serde_json::to_string(&summary).doing("cannot print the summary")?);
        } else {
            print!("{summary}");
        }
        self.finish(filling, &summary)
    }

    /// A registry never begins with nobody: it would look like one in which nobody is found. The file was judged all the same, and whoever
    /// sent it is told what to do.
    fn finish(&self, filling: Filling, summary: &Summary) -> Result<ExitCode, CliError> {
        let file = self.file.display();
        let why = if summary.rows == 0 {
            let people = summary
                .without_document
                .map_or_else(String::new, |(people, _)| format!(", and of its people none has a document ({people})"));
            format!("`{file}` has no row{people}")
        } else {
            format!("no row of `{file}` was accepted, {} says why", self.rejects_of(summary))
        };
        match &filling {
            Filling::New(_) if summary.documents == 0 => {
                eprintln!("estelam: {why}; there is still no registry in `{}`", self.place.dir().display());
                return Ok(ExitCode::SUCCESS);
            }
            Filling::There(_) if summary.documents == 0 => eprintln!("estelam: {why}; the registry is as it was"),
            _ => self.tell_what_is_left_out(summary),
        }
        filling.done(&self.place)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Import {
    /// Where the rejected rows are.
    fn rejects_of(&self, summary: &Summary) -> String {
        let beside = import::rejects_beside(&self.file);
        let place = summary.rejects.as_ref().unwrap_or(&beside);
        let is_aside = self.rejects.is_none() && *place != beside;
        format!("`{}`{}", place.display(), if is_aside { " (nothing can be written beside the file)" } else { "" })
    }

    fn tell_what_is_left_out(&self, summary: &Summary) {
        let file = self.file.display();
        let rejected: u64 = summary.rejected.values().sum();
        if rejected > 0 {
            let rejects = self.rejects_of(summary);
            eprintln!("estelam: rows of `{file}` that were not accepted: {rejected}; {rejects} has each, with its line and what to do");
        }
        if let Some((people, first)) = summary.without_document {
            eprintln!("estelam: people of `{file}` without a document, of whom nothing was imported: {people}, the first in line {first}");
        }
    }
}

/// Generate people.
#[derive(Debug, Args)]
pub(in crate::cli) struct Generate {
    /// How many, one or more
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    people: u64,
    /// The same seed gives the same people
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    place: Place,
}

impl Generate {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let filling = Filling::of(&self.place)?;
        let bar = bar("{bar:40} {human_pos}/{human_len} people {eta}");
        let mut progress = |done, total| advance(&bar, done, total);
        generate::run(filling.store()?, self.people, self.seed, &mut progress).doing("nothing was generated")?;
        bar.finish_and_clear();
        filling.done(&self.place)?;
        println!("{} people of seed {}", self.people, self.seed);
        Ok(ExitCode::SUCCESS)
    }
}

/// Look one identifier up.
#[derive(Debug, Args)]
pub(in crate::cli) struct Lookup {
    /// Scheme code
    scheme: String,
    /// Value; read from standard input if not given, so that other users of this machine do not see it
    value: Option<String>,
    /// What this registry knew at an instant (RFC 3339), before later imports, merges and splits
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    known_at: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Lookup {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let (store, schemes) = (existing_store(&self.place)?, schemes(&self.place)?);
        let value = match self.value {
            Some(value) => value,
            None => first_line()?,
        };
        let report = lookup(&store, &schemes, &self.scheme, &value, self.known_at).doing("cannot look this up")?;
        if self.json {
            println!("{}", serde_json::to_string(&report).doing("cannot print the people")?);
        } else if report.persons.is_empty() {
            println!("nobody");
        } else {
            println!("{}", serde_json::to_string_pretty(&report.persons).doing("cannot print the people")?);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn first_line() -> Result<String, CliError> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).doing("cannot read the value from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A bar on a terminal, nothing elsewhere.
fn bar(template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

fn advance(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}
