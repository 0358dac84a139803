//! `estelam log export`: all that fits a filter into a file, and the check of such a file against a checkpoint.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;

use super::check::{Checked, Line, Trusted, check};
use super::compared::compared;
use super::filter::{FilterArgs, query_string};
use super::receiver::Receiver;
use super::{log_keys, table};
use crate::adapters::clock::SystemClock;
use crate::cli::client::Client;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure, block_on};
use crate::core::domain::clock::Clock;
use crate::core::ledger::ProofBundle;
use crate::core::ledger::note::NoteKey;

/// Export entries into a file, or check one that you were given
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filter: FilterArgs,
    /// The auditor in whose name the gateway is asked
    #[arg(id = "as", long = "as", value_name = "AGENCY", default_value = "security-auditor")]
    agency: String,
    /// `ndjson` or `csv`
    #[arg(long, default_value = "ndjson", value_parser = ["ndjson", "csv"])]
    format: String,
    /// Only the log of this origin, for example one that was sealed; all logs if left out
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Where to write; standard output if left out
    #[arg(long)]
    out: Option<PathBuf>,
    /// Check this file instead: every row's leaf, and that all of them fold up to the checkpoints in its first line; then says what the file lacks, and until when it may be kept
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "format", "origin"])]
    check: Option<PathBuf>,
    /// With `--check`: fetch the proofs of the first and the last line, which say that this very file left the gateway. Without them whoever edited it could hide
    /// a row that the filter fits behind the hashes of a gap
    #[arg(long, requires = "check")]
    prove: bool,
    /// The log's verifier key (`GET /checkpoint.key`), for `--check`; where keys were rotated once for each. The keys of all logs are asked of the running gateway if left out
    #[arg(long, value_name = "FILE", requires = "check")]
    log_key: Vec<PathBuf>,
    /// A checkpoint that you have from elsewhere, of a log that the file has too: one tree must continue the other. Where their sizes differ the public listener's tiles show it. Once for each that you have
    #[arg(long, value_name = "FILE", requires = "check")]
    checkpoint: Vec<PathBuf>,
}

impl Export {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, CliError> {
        match &self.check {
            Some(file) => self.check(file),
            None => block_on(self.write()),
        }
    }

    async fn write(&self) -> Result<ExitCode, CliError> {
        let client = Client::open(&self.place, &self.agency)?;
        let token = client.token(Some("log:patterns")).await?;
        let mut parameters = self.filter.parameters();
        parameters.push(("format", self.format.clone()));
        parameters.extend(self.origin.clone().map(|origin| ("origin", origin)));
        let mut response = client.stream(&token, &format!("/v1/log/export{}", query_string(&parameters))).await?;
        let mut receiver = Receiver::open(self.out.as_deref())?;
        let bar = if self.out.is_some() && std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        while let Some(chunk) = response.chunk().await.doing("the export broke off and is not whole")? {
            receiver.take(&chunk)?;
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        receiver.finish()?;
        Ok(ExitCode::SUCCESS)
    }

    fn check(&self, file: &Path) -> Result<ExitCode, CliError> {
        let trusted = self.trusted()?;
        let checked = check(file, &trusted).map_err(|what| CliError::failed(format_args!("`{}` does not hold: {what}", file.display())))?;
        for path in &self.checkpoint {
            let open = || Client::open(&self.place, &self.agency);
            println!("{}", block_on(compared(path, (&checked, &trusted), open))?);
        }
        if self.prove {
            block_on(self.proven(&checked, &trusted.keys))?;
        } else if !checked.is_proved() {
            return Err(CliError::failed(format_args!(
                "`{}`: {} rows, or the end of a log, lead to no checkpoint, since entries beside them are lost: `--prove` shows whether the gateway gave it out so",
                file.display(),
                checked.unproved()
            )));
        }
        told(&checked);
        match self.prove {
            true => println!("the log has the statements of its first and last line: it is the file that the gateway gave out"),
            false => println!("`--prove` shows besides that it is the file that the gateway gave out, and no row was hidden in a gap"),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn trusted(&self) -> Result<Trusted, CliError> {
        if self.log_key.is_empty() {
            let keyless =
                |error| CliError::failed(format_args!("{error}; or give the log's key, got by another way, with `--log-key FILE`"));
            let client = Client::open(&self.place, &self.agency).map_err(keyless)?;
            let (keys, origins) = block_on(log_keys(&client))?;
            return Ok(Trusted { keys, origins });
        }
        let read = |path: &PathBuf| {
            let key = std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?;
            NoteKey::parse(key.trim()).doing("the log's verifier key")
        };
        Ok(Trusted { keys: self.log_key.iter().map(read).collect::<Result<_, _>>()?, origins: Vec::new() })
    }

    /// That first and last line are statements of entries of the log.
    async fn proven(&self, checked: &Checked, keys: &[NoteKey]) -> Result<(), CliError> {
        let client = Client::open(&self.place, &self.agency)?;
        let token = client.token(Some("log:patterns")).await?;
        for Line { id, json, what } in [&checked.first, &checked.last] {
            let proof = client.read(&token, &format!("/v1/log/proof/{id}")).await?;
            let bundle: ProofBundle = serde_json::from_value(proof).doing("the proof is malformed")?;
            bundle.check(json, keys).doing(format_args!("the {what} line is not what the gateway gave out"))?;
        }
        Ok(())
    }
}

/// Says what holds, what the file lacks, and until when it may be kept.
fn told(checked: &Checked) {
    for stretch in &checked.stretches {
        println!("{} rows hold under the checkpoint of {} entries of `{}`", stretch.rows, stretch.checkpoint.size, stretch.origin);
    }
    if checked.unproved() > 0 {
        println!(
            "{} of them lead to no checkpoint, since entries beside them are lost: for these you have the gateway's word",
            checked.unproved()
        );
    }
    if checked.gone > 0 {
        println!(
            "{} rows less than were counted at its beginning: their contents were deleted meanwhile, or cannot be read any more",
            checked.gone
        );
    }
    table::damaged(&checked.damaged);
    table::missing(&checked.missing_logs);
    for origin in &checked.not_covered {
        println!("it was asked of one log; {origin} is not in it");
    }
    if let Some((first, last)) = checked.due.filter(|_| checked.rows > 0) {
        println!("its rows are to be destroyed by {first} at the earliest and {last} at the latest: see `destroy_by` of each");
        if first <= SystemClock.now() {
            println!("some of them should have been destroyed by now, unless a legal hold keeps them");
        }
    }
}
