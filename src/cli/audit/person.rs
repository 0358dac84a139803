//! `estelam log person`: one person's trail, with the officer's key, which opens the trail keys of earlier epochs here and nowhere else.

use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::filter::query_string;
use super::{officer, officer_key, offline, schemes, table};
use crate::adapters::store::open_trail_key;
use crate::cli::client::Client;
use crate::cli::place::Place;
use crate::cli::verify::read_value;
use crate::cli::{CliError, Failure, block_on};
use crate::core::domain::scheme::RawIdentifier;
use crate::core::ledger::audit::{EntryView, OpenedKey, Trace, TrailSearch, instant_of};

/// Open one person's trail. The number is read from standard input
#[derive(Debug, Args)]
pub(in crate::cli) struct Person {
    #[command(flatten)]
    place: Place,
    /// Ask the gateway in the name of this officer; without it the log of an installation or a copy is searched for this very number
    #[arg(id = "as", long = "as", value_name = "AGENCY", requires = "case")]
    agency: Option<String>,
    /// Scheme of the number
    #[arg(long)]
    scheme: String,
    /// The number; left out, it is read from standard input, where no list of processes shows it
    #[arg(long)]
    value: Option<String>,
    /// An open case
    #[arg(long)]
    case: Option<String>,
    /// From this instant or day (UTC) on
    #[arg(long)]
    from: Option<String>,
    /// To the end of this day, or before this instant
    #[arg(long)]
    to: Option<String>,
    /// The officer's private key: opens the trail keys of the period, here
    #[arg(long, value_name = "FILE")]
    officer_key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Epochs {
    origin: String,
    epochs: Vec<Epoch>,
}

#[derive(Deserialize)]
struct Epoch {
    epoch: String,
    /// The log's, where it is one that was sealed.
    origin: Option<String>,
    sealed_key: String,
    current: bool,
}

impl Person {
    pub(in crate::cli) fn run(mut self) -> Result<ExitCode, CliError> {
        let value = match self.value.take() {
            Some(value) => Zeroizing::new(value),
            None => Zeroizing::new(read_value(&self.scheme)?),
        };
        let answer = match &self.agency {
            Some(agency) => block_on(self.online(agency, &value))?,
            None => self.here(&value)?,
        };
        if self.json {
            println!("{answer}");
        } else {
            print(&answer);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn online(&self, agency: &str, value: &str) -> Result<Value, CliError> {
        let client = Client::open(&self.place, agency)?;
        let token = client.token(Some("log:person")).await?;
        let keys = match &self.officer_key {
            None => Vec::new(),
            Some(path) => self.trail_keys(&client, &token, &officer_key(path)?).await?,
        };
        let key = |opened: &OpenedKey| match &opened.origin {
            None => json!({ "epoch": opened.epoch, "key": STANDARD.encode(*opened.key) }),
            Some(origin) => json!({ "epoch": opened.epoch, "origin": origin, "key": STANDARD.encode(*opened.key) }),
        };
        let given: Vec<Value> = keys.iter().map(key).collect();
        let mut body = json!({ "identifier": { "scheme": self.scheme, "value": value }, "case": self.case, "trail_keys": given });
        for (name, text) in [("from", &self.from), ("to", &self.to)] {
            if let (Some(text), Some(members)) = (text, body.as_object_mut()) {
                members.insert(name.to_owned(), json!(text));
            }
        }
        client.send(&token, "/v1/log/person", &body).await
    }

    /// The trail keys of the period, opened.
    async fn trail_keys(&self, client: &Client, token: &str, private: &[u8]) -> Result<Vec<OpenedKey>, CliError> {
        let mut parameters = Vec::new();
        parameters.extend(self.from.clone().map(|from| ("from", from)));
        parameters.extend(self.to.clone().map(|to| ("to", to)));
        let answer = client.read(token, &format!("/v1/log/epochs{}", query_string(&parameters))).await?;
        let Epochs { origin, epochs } = serde_json::from_value(answer).doing("the epochs are malformed")?;
        let open = |epoch: Epoch| {
            let sealed = STANDARD.decode(&epoch.sealed_key).doing("a sealed key is malformed")?;
            let of = epoch.origin.as_deref().unwrap_or(&origin);
            let key = open_trail_key(private, of, &epoch.epoch, &sealed).map_err(CliError::failed)?;
            Ok(OpenedKey { epoch: epoch.epoch, origin: epoch.origin, key })
        };
        epochs.into_iter().filter(|epoch| !epoch.current).map(open).collect()
    }

    fn here(&self, value: &str) -> Result<Value, CliError> {
        let Some(path) = &self.officer_key else {
            return Err(CliError::usage("give `--as dpo --case NUMBER` to ask the gateway, or `--officer-key FILE` to search this folder"));
        };
        let raw = RawIdentifier { scheme: &self.scheme, value, ..RawIdentifier::default() };
        let accepted = schemes(&self.place)?.accept(raw, None).map_err(|_| CliError::usage("the number does not fit its scheme"))?;
        let instant = |text: &Option<String>, end| match text {
            None => Ok(None),
            Some(text) => {
                instant_of(text, end).map(Some).ok_or_else(|| CliError::usage("`--from` or `--to` is neither an instant nor a day"))
            }
        };
        let trace =
            Trace { scheme: accepted.identifier.scheme().to_owned(), value: Zeroizing::new(accepted.identifier.expose_value().to_owned()) };
        let search = TrailSearch { traces: vec![trace], keys: Vec::new(), from: instant(&self.from, false)?, to: instant(&self.to, true)? };
        let found = offline(&self.place)?.trail(&search, &officer(path)?).doing("the log cannot be searched")?;
        let entries: Vec<Value> = found.rows.iter().rev().filter_map(|(_, row)| serde_json::to_value(EntryView::of_trail(row)).ok()).collect();
        Ok(
            json!({ "entries": entries, "ambiguous": [], "count": entries.len(), "identifiers": 1, "complete": found.unopened.is_empty() && found.damaged.is_empty(), "damaged": found.damaged,
            "epochs_searched": found.searched, "epochs_unopened": found.unopened, "tree_size": found.size }),
        )
    }
}

fn print(answer: &Value) {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |name: &str| answer.get(name).map(Value::to_string).unwrap_or_default();
    let (entries, ambiguous, unopened) = (list("entries"), list("ambiguous"), list("epochs_unopened"));
    println!("{}", table::entries(&entries));
    println!("{} entries; {} numbers searched in {} epochs", entries.len(), number("identifiers"), number("epochs_searched"));
    table::damaged(&list("damaged"));
    if !ambiguous.is_empty() {
        println!("\nOn numbers that several people share, so that nobody knows whose they are:\n{}", table::entries(&ambiguous));
    }
    if answer.get("complete") != Some(&Value::Bool(true)) && unopened.is_empty() && list("damaged").is_empty() {
        println!("\nThere are more entries than are shown: ask again for a shorter period (`--from`, `--to`)");
    }
    if !unopened.is_empty() {
        println!("\n{} epochs of the period were not searched: give `--officer-key FILE` to open their keys", unopened.len());
    }
}
