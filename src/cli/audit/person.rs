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
use crate::core::ledger::audit::{EntryView, OpenedKey, Trace, TrailFound, TrailSearch, instant_of};

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
    /// The officer's private key: opens the trail keys of the period, here. Of a period in which it was replaced, give each
    #[arg(long, value_name = "FILE")]
    officer_key: Vec<PathBuf>,
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
        let officer = self.officer_key.iter().map(|path| officer_key(path)).collect::<Result<Vec<_>, _>>()?;
        let keys = if officer.is_empty() { Vec::new() } else { self.trail_keys(&client, &token, &officer).await? };
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

    /// The trail keys of the period that a key of the officer's opens. The others are sealed to another one: the answer names their epochs.
    async fn trail_keys(&self, client: &Client, token: &str, officer: &[Zeroizing<Vec<u8>>]) -> Result<Vec<OpenedKey>, CliError> {
        let mut parameters = Vec::new();
        parameters.extend(self.from.clone().map(|from| ("from", from)));
        parameters.extend(self.to.clone().map(|to| ("to", to)));
        let answer = client.read(token, &format!("/v1/log/epochs{}", query_string(&parameters))).await?;
        let Epochs { origin, epochs } = serde_json::from_value(answer).doing("the epochs are malformed")?;
        let (mut opened, mut closed) = (Vec::new(), 0_usize);
        for epoch in epochs.into_iter().filter(|epoch| !epoch.current) {
            let sealed = STANDARD.decode(&epoch.sealed_key).doing("a sealed key is malformed")?;
            let of = epoch.origin.as_deref().unwrap_or(&origin);
            match officer.iter().find_map(|private| open_trail_key(private, of, &epoch.epoch, &sealed).ok()) {
                Some(key) => opened.push(OpenedKey { epoch: epoch.epoch, origin: epoch.origin, key }),
                None => closed += 1,
            }
        }
        if opened.is_empty() && closed > 0 {
            let what = "no key of `--officer-key` opens the trail key of any epoch of the period; nothing was asked";
            return Err(CliError::failed(what));
        }
        Ok(opened)
    }

    fn here(&self, value: &str) -> Result<Value, CliError> {
        if self.officer_key.is_empty() {
            return Err(CliError::usage("give `--as dpo --case NUMBER` to ask the gateway, or `--officer-key FILE` to search this folder"));
        }
        let officer = self.officer_key.iter().map(|path| officer(path)).collect::<Result<Vec<_>, _>>()?;
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
        let found = offline(&self.place)?.trail(&search, &officer).doing("the log cannot be searched")?;
        Ok(shown(&found))
    }
}

/// What a search of a folder found, as the gateway would say it; but only the registry knows whose the number is.
fn shown(found: &TrailFound) -> Value {
    let part = |ambiguous: bool| {
        let of = found.rows.iter().rev().filter(|(_, row)| row.is_ambiguous() == ambiguous);
        of.filter_map(|(_, row)| serde_json::to_value(EntryView::from(row)).ok()).collect::<Vec<Value>>()
    };
    let (entries, ambiguous) = (part(false), part(true));
    json!({ "entries": entries, "ambiguous": ambiguous, "count": entries.len(), "persons": null, "identifiers": 1, "complete": found.is_whole(),
        "damaged": found.damaged, "missing_logs": found.missing, "epochs_searched": found.searched, "epochs_unopened": found.unopened,
        "tree_size": found.size })
}

fn print(answer: &Value) {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |name: &str| answer.get(name).map(Value::to_string).unwrap_or_default();
    let (entries, ambiguous, unopened) = (list("entries"), list("ambiguous"), list("epochs_unopened"));
    println!("{}", table::entries(&entries));
    println!("{} entries; {} numbers searched in {} epochs", entries.len(), number("identifiers"), number("epochs_searched"));
    if answer.get("persons") == Some(&Value::Null) {
        println!("whose number this is, and whether several people bear it, is not known here: the registry was not asked");
    }
    table::damaged(&list("damaged"));
    table::missing(&list("missing_logs"));
    if !ambiguous.is_empty() {
        println!(
            "\nOn numbers that several people share, or did then, so that nobody knows whose they are:\n{}",
            table::entries(&ambiguous)
        );
    }
    if answer.get("complete") != Some(&Value::Bool(true))
        && [&unopened, &list("damaged"), &list("missing_logs")].into_iter().all(Vec::is_empty)
    {
        println!("\nThere are more entries than are shown: ask again for a shorter period (`--from`, `--to`)");
    }
    if !unopened.is_empty() {
        let names: Vec<&str> = unopened.iter().filter_map(Value::as_str).collect();
        println!("\nThese epochs of the period were not searched: {}", names.join(", "));
        println!(
            "Give `--officer-key FILE`, once for each key that the officer had then; `estelam log verify` names those that the log lost"
        );
    }
}
