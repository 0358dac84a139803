//! `estelam log query`: entries by filter, with their exact number.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::filter::{FilterArgs, parsed, query_string};
use super::{offline, schemes, table};
use crate::cli::client::Client;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure, block_on};
use crate::core::ledger::audit::{EntryView, Search};

/// Rows asked for at once.
const PAGE: usize = 1000;

/// Find entries of the access log; newest first. On the installation itself, or with `--as` through the gateway, where the look is recorded
#[derive(Debug, Args)]
pub(in crate::cli) struct QueryEntries {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filter: FilterArgs,
    /// Ask the gateway in the name of this auditor, for example `security-auditor`
    #[arg(id = "as", long = "as", value_name = "AGENCY")]
    agency: Option<String>,
    /// Most entries shown
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Oldest first
    #[arg(long)]
    oldest: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Answer {
    entries: Vec<Value>,
    count: u64,
    tree_size: u64,
    damaged: Vec<Value>,
    missing_logs: Vec<Value>,
}

impl QueryEntries {
    pub(in crate::cli) fn run(self) -> Result<ExitCode, CliError> {
        let answer = match &self.agency {
            Some(agency) => block_on(self.online(agency))?,
            None => self.here()?,
        };
        let Answer { entries, count, tree_size, damaged, missing_logs } = answer;
        if self.json {
            let complete = damaged.is_empty() && missing_logs.is_empty();
            let answer = json!({ "entries": entries, "count": count, "tree_size": tree_size, "damaged": damaged, "missing_logs": missing_logs,
                "complete": complete });
            println!("{answer}");
        } else {
            println!("{}", table::entries(&entries));
            println!("{} of {count} entries, as of a log of {tree_size}", entries.len());
            table::damaged(&damaged);
            table::missing(&missing_logs);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn online(&self, agency: &str) -> Result<Answer, CliError> {
        let client = Client::open(&self.place, agency)?;
        let token = client.token(Some("log:patterns")).await?;
        let mut answer = Answer { entries: Vec::new(), count: 0, tree_size: 0, damaged: Vec::new(), missing_logs: Vec::new() };
        let mut cursor: Option<String> = None;
        loop {
            let mut parameters = self.filter.parameters();
            parameters.push(("limit", PAGE.min(self.limit - answer.entries.len()).max(1).to_string()));
            parameters.extend(self.oldest.then(|| ("order", "oldest".to_owned())));
            parameters.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page = client.read(&token, &format!("/v1/log/entries{}", query_string(&parameters))).await?;
            let number = |name: &str| page.get(name).and_then(Value::as_u64).unwrap_or(0);
            (answer.count, answer.tree_size) = (number("count"), number("tree_size"));
            let list = |name: &str| page.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            (answer.damaged, answer.missing_logs) = (list("damaged"), list("missing_logs"));
            answer.entries.extend(list("entries"));
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || answer.entries.len() >= self.limit {
                answer.entries.truncate(self.limit);
                return Ok(answer);
            }
        }
    }

    fn here(&self) -> Result<Answer, CliError> {
        let query = parsed(&self.filter.parameters(), &schemes(&self.place)?)?;
        let mut audit = offline(&self.place)?;
        let search = Search { filter: query.filter, limit: self.limit, oldest_first: self.oldest, counted: true, ..Search::default() };
        let found = audit.search(&search).doing("the log cannot be searched")?;
        let entries: Result<Vec<Value>, _> = found.rows.iter().map(|row| serde_json::to_value(EntryView::from(row))).collect();
        let damaged = found.damaged.iter().filter_map(|damaged| serde_json::to_value(damaged).ok()).collect();
        let missing_logs = found.missing.into_iter().map(Value::from).collect();
        let (count, tree_size) = (found.count.unwrap_or(0), found.size);
        Ok(Answer { entries: entries.doing("cannot print")?, count, tree_size, damaged, missing_logs })
    }
}
