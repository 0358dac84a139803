//! `estelam log summary`, `sample`, `prove`: counts, random work-lists, and the proof of one entry.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::filter::{FilterArgs, query_string};
use super::{log_keys, table};
use crate::cli::client::Client;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure, block_on};
use crate::core::ledger::ProofBundle;
use crate::core::ledger::audit::Ground;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::leaf::{header_commitment, leaf};
use crate::core::ledger::tree::{check_inclusion, leaf_hash};

/// Counts per day and agency, in whole tens
#[derive(Debug, Args)]
pub(in crate::cli) struct Summary {
    #[command(flatten)]
    place: Place,
    /// First day (UTC)
    #[arg(long)]
    from: Option<String>,
    /// Last day (UTC)
    #[arg(long)]
    to: Option<String>,
    /// Only this agency's
    #[arg(long)]
    agency: Option<String>,
    /// The auditor in whose name the gateway is asked
    #[arg(id = "as", long = "as", value_name = "AGENCY", default_value = "security-auditor")]
    auditor: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Summary {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, CliError> {
        let given = [("from", &self.from), ("to", &self.to), ("agency", &self.agency)];
        let parameters: Vec<_> = given.into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))).collect();
        let answer = block_on(async {
            let client = Client::open(&self.place, &self.auditor)?;
            let token = client.token(Some("log:patterns")).await?;
            client.read(&token, &format!("/v1/log/summary{}", query_string(&parameters))).await
        })?;
        if self.json {
            println!("{answer}");
            return Ok(ExitCode::SUCCESS);
        }
        println!("{:<10}  {:<16}  {:<40}  count", "day", "agency", "service and outcome, or actor");
        for bucket in list(&answer, "buckets") {
            let lines =
                list(&bucket, "services").into_iter().map(|one| (format!("{} {}", text(&one, "service"), text(&one, "outcome")), one));
            let actors = list(&bucket, "actors").into_iter().map(|one| (format!("actor {}", text(&one, "actor")), one));
            for (what, one) in lines.chain(actors) {
                let count = one.get("count").map(Value::to_string).unwrap_or_default();
                println!("{:<10}  {:<16}  {what:<40}  {count}", text(&bucket, "day"), text(&bucket, "agency"));
            }
        }
        println!("in whole tens, rounded down; what is below ten is left out");
        for day in list(&answer, "damaged_days") {
            println!("counts of {day} may be too low: entries of it cannot be read; run `estelam log verify`");
        }
        table::missing(&list(&answer, "missing_logs"));
        Ok(ExitCode::SUCCESS)
    }
}

fn list(value: &Value, name: &str) -> Vec<Value> {
    value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()
}

/// Random work-lists that ask agencies to justify what they asked
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SampleCommand {
    /// Draw one; the same seed on a log of the same size draws the same entries, also later by `--tree-size`
    Draw {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: Box<FilterArgs>,
        /// How many entries, 1 to 100
        #[arg(long, default_value_t = 20)]
        size: usize,
        /// What decides which entries come; drawn at random, and told, if left out
        #[arg(long)]
        seed: Option<String>,
        /// Until when agencies are asked to answer
        #[arg(long)]
        due: Option<String>,
        /// The log to draw from, for example one that was sealed; the present one if left out
        #[arg(long)]
        origin: Option<String>,
        /// Draw from so many entries of it: with seed, size and filter of an earlier sample, that one comes again
        #[arg(long)]
        tree_size: Option<u64>,
        /// The auditor in whose name the gateway is asked
        #[arg(id = "as", long = "as", value_name = "AGENCY", default_value = "security-auditor")]
        agency: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show samples: an auditor sees all of them with what was said, an agency its own entries
    List {
        #[command(flatten)]
        place: Place,
        /// In whose name the gateway is asked: an auditor, or an agency that has entries in a sample
        #[arg(id = "as", long = "as", value_name = "AGENCY", default_value = "security-auditor")]
        agency: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// As an agency, say why one entry was asked
    Justify {
        /// The sample
        sample_id: String,
        /// The entry
        index: u64,
        /// Why it was asked
        #[arg(value_parser = grounds())]
        ground: String,
        /// Your own file, where the papers are; no number and no name of the person
        #[arg(long)]
        reference: Option<String>,
        #[command(flatten)]
        place: Place,
        /// The agency that asked
        #[arg(id = "as", long = "as", value_name = "AGENCY")]
        agency: String,
    },
}

impl SampleCommand {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Draw { place, filter, size, seed, due, origin, tree_size, agency, json } => {
                let filter: serde_json::Map<String, Value> =
                    filter.parameters().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
                let mut body = json!({ "size": size, "filter": filter });
                let given = |value: Option<String>| value.map(Value::from);
                for (name, value) in
                    [("seed", given(seed)), ("due", given(due)), ("origin", given(origin)), ("tree_size", tree_size.map(Value::from))]
                {
                    if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
                        members.insert(name.to_owned(), value);
                    }
                }
                let answer = block_on(sent(&place, (&agency, "log:patterns"), "/v1/log/samples", &body))?;
                if json {
                    println!("{answer}");
                } else {
                    let from = answer.get("drawn_from").map(Value::to_string).unwrap_or_default();
                    let size = answer.get("tree_size").map(Value::to_string).unwrap_or_default();
                    let (id, seed) = (text(&answer, "sample_id"), text(&answer, "seed"));
                    println!("sample {id} of {from} entries, seed {seed}, of the first {size} of `{}`", text(&answer, "origin"));
                    println!("{}", table::entries(&list(&answer, "entries")));
                    lacks(&answer);
                }
            }
            Self::List { place, agency, json } => {
                let answer = block_on(every(&place, &agency))?;
                if json { println!("{answer}") } else { shown(&answer) }
            }
            Self::Justify { sample_id, index, ground, reference, place, agency } => {
                let path = format!("/v1/log/samples/{sample_id}/justification");
                let body = json!({ "index": index, "ground": ground, "reference": reference });
                block_on(sent(&place, (&agency, "verify"), &path, &body))?;
                println!("entry {index} is justified");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn grounds() -> Vec<&'static str> {
    Ground::ALL.iter().map(|ground| ground.code()).collect()
}

fn shown(answer: &Value) {
    if answer.get("complete") == Some(&Value::Bool(false)) {
        println!("samples may be missing: not all of the log can be read; run `estelam log verify`");
    }
    for sample in list(answer, "samples") {
        println!("sample {}, {} open", text(&sample, "sample_id"), sample.get("open").map(Value::to_string).unwrap_or_default());
        let entries = list(&sample, "entries");
        println!("{}", table::entries(&entries));
        lacks(&sample);
        for entry in entries {
            if let Some(said) = entry.get("justification").filter(|said| !said.is_null()) {
                let index = entry.get("index").map(Value::to_string).unwrap_or_default();
                println!("  {index}: {}, file {}", text(said, "ground"), text(said, "reference"));
            }
        }
    }
}

/// Says what of a sample is not shown.
fn lacks(sample: &Value) {
    for index in list(sample, "gone") {
        println!("entry {index} of it was deleted when it was due");
    }
    for damaged in list(sample, "damaged") {
        let index = damaged.get("index").map(Value::to_string).unwrap_or_default();
        println!("entry {index} of it cannot be read: run `estelam log verify`");
    }
    for range in list(sample, "left_out") {
        let [first, last] = ["index", "last"].map(|name| range.get(name).map(Value::to_string));
        let (first, last) = (first.unwrap_or_default(), last.map(|last| format!(" to {last}")).unwrap_or_default());
        println!("it is drawn from the others: entries {first}{last} could not be read; run `estelam log verify`");
    }
    table::missing(&list(sample, "missing_logs"));
    match sample.get("agrees") {
        Some(Value::Bool(true)) => println!("drawn anew it is the same"),
        Some(Value::Bool(false)) => println!("drawn anew it is another one: run `estelam log verify`"),
        Some(_) => println!("it cannot be drawn anew: run `estelam log verify`"),
        None => {}
    }
    for origin in list(sample, "not_covered") {
        println!("it is of one log; {origin} has none of it: draw another with `--origin`");
    }
}

/// Every page of the list.
async fn every(place: &Place, agency: &str) -> Result<Value, CliError> {
    let client = Client::open(place, agency)?;
    let token = client.token(None).await?;
    let (mut samples, mut cursor, mut complete) = (Vec::new(), None, true);
    loop {
        let parameters: Vec<_> = cursor.take().map(|cursor: String| ("cursor", cursor)).into_iter().collect();
        let page = client.read(&token, &format!("/v1/log/samples{}", query_string(&parameters))).await?;
        samples.extend(list(&page, "samples"));
        complete &= page.get("complete") != Some(&Value::Bool(false));
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(json!({ "samples": samples, "complete": complete }));
        }
    }
}

async fn sent(place: &Place, (agency, scope): (&str, &str), path: &str, body: &Value) -> Result<Value, CliError> {
    let client = Client::open(place, agency)?;
    let token = client.token(Some(scope)).await?;
    client.send(&token, path, body).await
}

/// Fetch the proof that an entry is in the log, and check it against the log's key
#[derive(Debug, Args)]
pub(in crate::cli) struct Prove {
    /// `answer_id` of an answer, `request_id` of another call
    id: String,
    #[command(flatten)]
    place: Place,
    /// In whose name the gateway is asked: an auditor, or the agency that got the answer
    #[arg(id = "as", long = "as", value_name = "AGENCY", default_value = "security-auditor")]
    agency: String,
    /// The signed statement that the entry is about, in a file: then the proof says that this very one was recorded
    #[arg(long, value_name = "FILE")]
    statement: Option<std::path::PathBuf>,
    /// Print the proof as JSON
    #[arg(long)]
    json: bool,
}

impl Prove {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, CliError> {
        let (answer, keys) = block_on(async {
            let client = Client::open(&self.place, &self.agency)?;
            let token = client.token(None).await?;
            let answer = client.read(&token, &format!("/v1/log/proof/{}", self.id)).await?;
            Ok((answer, log_keys(&client).await?.0))
        })?;
        let bundle: ProofBundle = serde_json::from_value(answer.clone()).doing("the proof is malformed")?;
        let checkpoint = Checkpoint::open(&bundle.checkpoint, &keys).doing("the proof's checkpoint")?;
        let leaf = leaf(&header_commitment(&bundle.salt, &bundle.header), &bundle.content_commitment);
        check_inclusion(&leaf_hash(&leaf), bundle.index, checkpoint.size, &bundle.inclusion_path, &checkpoint.root)
            .map_err(|_| CliError::failed("the proof does not hold: its path does not lead from the entry to the checkpoint"))?;
        if let Some(path) = &self.statement {
            let statement = std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?;
            bundle.check(statement.trim(), &keys).doing("the proof does not hold")?;
        }
        if self.json {
            println!("{answer}");
        } else {
            println!("entry {} is in the log of {} entries, `{}`", bundle.index, checkpoint.size, checkpoint.origin);
        }
        Ok(ExitCode::SUCCESS)
    }
}
