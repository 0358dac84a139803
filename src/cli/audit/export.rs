//! `estelam log export`: all that fits a filter into a file, and the check of such a file against a checkpoint.

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::filter::{FilterArgs, query_string};
use super::log_keys;
use super::receiver::Receiver;
use crate::cli::client::Client;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure, block_on};
use crate::core::ledger::ProofBundle;
use crate::core::ledger::audit::Fold;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::{Header, header_commitment, leaf};
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::tree::{Hash, leaf_hash};

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
    /// Where to write; standard output if left out
    #[arg(long)]
    out: Option<PathBuf>,
    /// Check this file instead: every row's leaf, and that all of them fold up to the checkpoint in its first line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "format"])]
    check: Option<PathBuf>,
    /// With `--check`: fetch the proofs of the first and the last line, which say that this very file left the gateway. Without them whoever edited it could hide
    /// a row that the filter fits behind the hashes of a gap
    #[arg(long, requires = "check")]
    prove: bool,
    /// The log's verifier key (`GET /checkpoint.key`), for `--check`; the keys of all logs are asked of the running gateway if left out
    #[arg(long, value_name = "FILE", requires = "check")]
    log_key: Option<PathBuf>,
    /// A checkpoint that you have from elsewhere, of the same size, which must have the same root
    #[arg(long, value_name = "FILE", requires = "check")]
    checkpoint: Option<PathBuf>,
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
        let keys = match &self.log_key {
            Some(path) => {
                let key = std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?;
                vec![NoteKey::parse(key.trim()).doing("the log's verifier key")?]
            }
            None => block_on(log_keys(&Client::open(&self.place, &self.agency)?))?,
        };
        let checked = check(file, &keys).map_err(|what| CliError::failed(format_args!("`{}` does not hold: {what}", file.display())))?;
        if let Some(path) = &self.checkpoint {
            let text = std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?;
            let other = Checkpoint::open(&text, &keys).doing(format_args!("`{}`", path.display()))?;
            if (other.size, other.root) != (checked.checkpoint.size, checked.checkpoint.root) {
                return Err(CliError::failed(format_args!(
                    "`{}` is of another tree: it has {} entries, the export's checkpoint {}",
                    path.display(),
                    other.size,
                    checked.checkpoint.size
                )));
            }
        }
        if self.prove {
            block_on(self.proven(&checked, &keys))?;
        }
        println!("{} rows hold under the checkpoint of {} entries", checked.rows, checked.checkpoint.size);
        match self.prove {
            true => println!("the log has the statements of its first and last line: it is the file that the gateway gave out"),
            false => println!("`--prove` shows besides that it is the file that the gateway gave out, and no row was hidden in a gap"),
        }
        Ok(ExitCode::SUCCESS)
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

struct Checked {
    rows: u64,
    checkpoint: Checkpoint,
    first: Line,
    last: Line,
}

/// A line that is the statement of an entry.
struct Line {
    /// The entry's id.
    id: String,
    json: String,
    what: &'static str,
}

impl Line {
    fn new(part: &Value, (name, json, what): (&str, &str, &'static str)) -> Result<Self, String> {
        let id = part.get(name).and_then(Value::as_str).filter(|id| id.parse::<uuid::Uuid>().is_ok());
        Ok(Self { id: id.ok_or(format!("`{name}` is missing"))?.to_owned(), json: json.to_owned(), what })
    }
}

/// Checks a whole file, line by line.
fn check(file: &Path, keys: &[NoteKey]) -> Result<Checked, String> {
    let reader = BufReader::new(std::fs::File::open(file).map_err(|error| error.to_string())?);
    let (mut fold, mut digest, mut rows) = (Fold::default(), Digest::new(&SHA256), 0_u64);
    let (mut manifest, mut columns, mut last) = (None::<(Checkpoint, Line, Option<u64>)>, None::<Vec<String>>, None::<Line>);
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(|error| error.to_string())?;
        let at = |what: String| format!("line {number}: {what}");
        if last.is_some() {
            return Err(at("there is more after the last line".to_owned()));
        }
        let remark = line.strip_prefix("# ").unwrap_or(&line);
        let json: Option<Value> = serde_json::from_str(remark).ok();
        if let Some(said) = json.as_ref().and_then(|json| json.get("manifest")).filter(|_| number == 1) {
            let note = said.get("checkpoint").and_then(Value::as_str).unwrap_or_default();
            let checkpoint = Checkpoint::open(note, keys).map_err(|error| at(error.to_string()))?;
            let first = Line::new(said, ("export_id", remark, "first")).map_err(at)?;
            manifest = Some((checkpoint, first, said.get("count").and_then(Value::as_u64)));
        } else if let Some(end) = json.as_ref().and_then(|json| json.get("end")) {
            let (size, count) = manifest.as_ref().map_or((0, None), |(checkpoint, _, count)| (checkpoint.size, *count));
            fold.gap(size, &hashes(end.get("gap")).ok_or_else(|| at("a hash is malformed".to_owned()))?)
                .map_err(|error| at(error.to_string()))?;
            let hex = digest.clone().finish().as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            if end.get("sha256").and_then(Value::as_str) != Some(&hex)
                || end.get("rows").and_then(Value::as_u64) != Some(rows)
                || count != Some(rows)
            {
                return Err(at("its rows are not those that the first and the last line count".to_owned()));
            }
            last = Some(Line::new(end, ("recorded_as", remark, "last")).map_err(at)?);
        } else if line.starts_with("index,") && columns.is_none() {
            columns = Some(line.split(',').map(str::to_owned).collect());
        } else {
            let row = json.or_else(|| from_csv(columns.as_deref()?, &line)).ok_or_else(|| at("it is no row".to_owned()))?;
            take(&mut fold, &row).map_err(at)?;
            rows += 1;
        }
        digest.update(line.as_bytes());
        digest.update(b"\n");
    }
    let (checkpoint, first, _) = manifest.ok_or("it does not begin with a manifest")?;
    let last = last.ok_or("it breaks off: the last line is missing")?;
    if fold.root() != checkpoint.root {
        return Err("its rows do not fold up to the checkpoint's root: one was altered, left out or put in".to_owned());
    }
    Ok(Checked { rows, checkpoint, first, last })
}

/// Takes one row: header and leaf must fit what the row says.
fn take(fold: &mut Fold, row: &Value) -> Result<(), String> {
    let proof = row.get("proof").ok_or("it has no proof")?;
    let bytes = |name: &str| proof.get(name).and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
    let salt: Hash = bytes("salt").and_then(|bytes| bytes.try_into().ok()).ok_or("`salt` is malformed")?;
    let header: [u8; 43] = bytes("header").and_then(|bytes| bytes.try_into().ok()).ok_or("`header` is malformed")?;
    let content: Hash = bytes("content_commitment").and_then(|bytes| bytes.try_into().ok()).ok_or("`content_commitment` is malformed")?;
    let decoded = Header::decode(&header).map_err(|error| error.to_string())?;
    let index = row.get("index").and_then(Value::as_u64).ok_or("`index` is missing")?;
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let time = text("time").and_then(|time| time.parse::<jiff::Timestamp>().ok());
    if time != Some(decoded.time) || text("kind") != Some(decoded.kind.code()) {
        return Err("its time or kind is not that of its header".to_owned());
    }
    let gap = hashes(proof.get("gap")).ok_or("a hash is malformed")?;
    fold.gap(index, &gap).map_err(|error| error.to_string())?;
    fold.leaf(leaf_hash(&leaf(&header_commitment(&salt, &header), &content)));
    Ok(())
}

fn hashes(list: Option<&Value>) -> Option<Vec<Hash>> {
    let list = list?.as_array()?;
    list.iter().map(|hash| STANDARD.decode(hash.as_str()?).ok()?.try_into().ok()).collect()
}

/// A row of the CSV form as the NDJSON form has it.
fn from_csv(columns: &[String], line: &str) -> Option<Value> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    let cell = |name: &str| columns.iter().position(|column| column == name).and_then(|place| record.get(place)).map(bare);
    let gap: Vec<&str> = cell("gap")?.split_whitespace().collect();
    Some(serde_json::json!({
        "index": cell("index")?.parse::<u64>().ok()?, "time": cell("time")?, "kind": cell("kind")?,
        "proof": { "salt": cell("salt")?, "header": cell("header")?, "content_commitment": cell("content_commitment")?, "gap": gap },
    }))
}

/// A cell without the mark that keeps spreadsheets from taking it for a formula: base64 may begin with a plus sign.
fn bare(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| text.starts_with(['=', '+', '-', '@'])).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn cells_that_would_be_formulas_are_read_as_they_were() {
        let columns = ["index", "time", "kind", "salt", "header", "content_commitment", "gap"].map(str::to_owned);
        let row = from_csv(&columns, "7,2026-11-23T10:00:00Z,answer,\"'+uiw\",\"'/A\",U8U5,\"'+aa= bb=\"").unwrap();
        assert_eq!((&row["proof"]["salt"], &row["proof"]["header"]), (&Value::from("+uiw"), &Value::from("'/A")));
        assert_eq!(row["proof"]["gap"], serde_json::json!(["+aa=", "bb="]));
    }
}
