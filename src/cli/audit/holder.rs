//! `estelam log holder`: what a holder sees of the log, at an office's counter.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::client::Client;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure, block_on};

/// Show a holder who asked. The number and then the code are read from standard input, one a line
#[derive(Debug, Args)]
pub(in crate::cli) struct Holder {
    #[command(flatten)]
    place: Place,
    /// The office that asks
    #[arg(long = "as", value_name = "AGENCY", default_value = "kefalat")]
    agency: String,
    /// The clerk at the counter
    #[arg(long, default_value = "clerk-1")]
    actor: String,
    /// Scheme of the number
    #[arg(long)]
    scheme: String,
    /// Language of the lines
    #[arg(long, default_value = "fa", value_parser = ["fa", "prs", "en"])]
    lang: String,
    /// Contest a line of the view: its number and why
    #[arg(long, value_name = "LINE:WHY")]
    contest: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The resource.
const PATH: &str = "/v1/log/holder";

impl Holder {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, CliError> {
        let contest = self.contest.as_deref().map(contest).transpose()?;
        let client = Client::open(&self.place, &self.agency)?;
        let value = line("the number")?;
        block_on(async {
            let token = client.token(Some("log:holder")).await?;
            let ask = json!({ "identifier": { "scheme": self.scheme, "value": *value }, "actor": self.actor });
            let sent = client.send(&token, PATH, &ask).await?;
            self.say(&sent);
            let code = line("the code that the holder got")?;
            let handle = sent.get("handle").cloned().unwrap_or_default();
            let opened = client.send(&token, PATH, &json!({ "handle": handle, "code": *code, "actor": self.actor })).await?;
            self.show(&opened);
            if let Some(contest) = &contest {
                self.say(&client.send(&token, PATH, &json!({ "handle": handle, "contest": contest, "actor": self.actor })).await?);
            }
            Ok(())
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn say(&self, answer: &Value) {
        if self.json {
            println!("{answer}");
        } else {
            eprintln!("{}", text(answer, &self.lang));
        }
    }

    fn show(&self, view: &Value) {
        if self.json {
            return println!("{view}");
        }
        let entries = view.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        for entry in &entries {
            println!("{:>3}  {}", entry.get("line").unwrap_or(&Value::Null), text(entry, &self.lang));
        }
        if entries.is_empty() {
            println!("nobody asked in the last 90 days");
        }
    }
}

fn text<'a>(answer: &'a Value, lang: &str) -> &'a str {
    answer.get(lang).and_then(Value::as_str).unwrap_or_default()
}

fn contest(text: &str) -> Result<Value, CliError> {
    let read = text.split_once(':').and_then(|(line, why)| Some(json!({ "line": line.parse::<usize>().ok()?, "why": why })));
    read.ok_or_else(|| CliError::usage("write `--contest LINE:WHY`, with not-me, other-purpose, too-often or other"))
}

fn line(what: &str) -> Result<Zeroizing<String>, CliError> {
    if std::io::stdin().is_terminal() {
        eprintln!("{what}:");
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut text).doing(format_args!("cannot read {what}"))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}
