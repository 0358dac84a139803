//! A log that ended and goes on under a new origin: the witness follows only if the new log says what the witness has seen of the old one.

use serde::Deserialize;

use super::keys::LogKeys;
use super::{Trouble, Witness};
use crate::cli::{CliError, Failure};
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::succession::{Succession, SuccessionStatement};

/// The longest list of logs, in bytes.
const LIST_BYTES: usize = 1 << 20;

/// `GET /log/origins`.
#[derive(Deserialize)]
struct List {
    origins: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    origin: String,
    prefix: String,
    succession: Option<Succession>,
}

impl Witness {
    /// Goes from the log that was seen to the present one, step by step, and says what was found.
    pub(super) async fn followed(
        &self,
        http: &reqwest::Client,
        log: &LogKeys,
        seen: &Checkpoint,
        new: &Checkpoint,
    ) -> Result<String, Trouble> {
        let list = self.get(http, "log/origins", LIST_BYTES).await?;
        let list: List = serde_json::from_slice(&list).doing("the list of logs cannot be read")?;
        let steps = way(&seen.origin, &new.origin, list.origins.len(), |at| {
            let keys = log.of_log(at);
            let mut steps = list.origins.iter().filter_map(|listed| listed.succession.as_ref());
            let step = steps.find_map(|step| Some((step, step.check(&keys).ok()?)));
            let Some((step, statement)) = step else {
                return Err(CliError::failed(format_args!(
                    "the log is `{}` now, and nothing shows that it goes on from `{at}`",
                    new.origin
                )));
            };
            let begun =
                Checkpoint::open(&step.proof.checkpoint, &log.of_log(&statement.origin)).doing("the first checkpoint of the new log")?;
            Ok((statement.origin.clone(), (statement, begun)))
        });
        let steps = steps.map_err(Trouble::Refusal)?;
        let (Some((first, _)), Some((_, begun))) = (steps.first(), steps.last()) else {
            return Err(Trouble::Refusal(CliError::failed("the log did not go on")));
        };
        let prefix = list.origins.iter().find(|listed| listed.origin == seen.origin).map(|listed| listed.prefix.as_str());
        let lost = self.acknowledged(http, log, seen, first, prefix).await?;
        self.judged(http, "", begun, new).await?;
        let SuccessionStatement { from, why, .. } = first;
        Ok(format!(
            "`{}` ended with {} entries ({}), {lost} of those that were seen are LOST; it goes on as `{}`",
            from.origin,
            from.size,
            why.code(),
            new.origin
        ))
    }

    /// How many entries are lost that were seen; an error when the new log does not own up to all of them.
    async fn acknowledged(
        &self,
        http: &reqwest::Client,
        log: &LogKeys,
        seen: &Checkpoint,
        statement: &SuccessionStatement,
        prefix: Option<&str>,
    ) -> Result<u64, Trouble> {
        let end = Checkpoint { origin: seen.origin.clone(), size: statement.from.size, root: statement.from.root };
        let keys = log.of_log(&seen.origin);
        let named = statement.witnessed.as_deref().and_then(|note| Checkpoint::open(note, &keys).ok());
        if named.as_ref() == Some(seen) {
            return Ok(seen.size.saturating_sub(end.size));
        }
        if let Some(prefix) = prefix.filter(|_| end.size >= seen.size) {
            // It ended beyond what was seen: then all of that must still be in it.
            let prefix = prefix.trim_start_matches('/');
            self.judged(http, &format!("{prefix}/"), seen, &end).await?;
            return Ok(0);
        }
        Err(Trouble::Refusal(CliError::failed(format_args!(
            "`{}` ended with {} entries, and its successor does not say that {} had been seen: give the node the witness's last checkpoint, \
             then `estelam log succeed`",
            seen.origin, end.size, seen.size
        ))))
    }
}

/// Goes from one origin to another step by step, in no more steps than the list has logs: whoever signs a circle keeps nobody in it.
fn way<T>(from: &str, to: &str, logs: usize, mut next: impl FnMut(&str) -> Result<(String, T), CliError>) -> Result<Vec<T>, CliError> {
    let (mut at, mut steps) = (from.to_owned(), Vec::new());
    while at != to {
        if steps.len() >= logs {
            return Err(CliError::failed(format_args!("the list of logs goes round in a circle and never comes from `{from}` to `{to}`")));
        }
        let (origin, step) = next(&at)?;
        steps.push(step);
        at = origin;
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn successions_in_a_circle_hold_no_witness() {
        let mut asked = 0;
        let circle = |at: &str| {
            asked += 1;
            Ok((if at == "a" { "b" } else { "a" }.to_owned(), ()))
        };
        let refused = way("a", "c", 3, circle).unwrap_err();
        assert!(refused.to_string().contains("in a circle"), "{refused}");
        assert_eq!(asked, 3);
        let line = |at: &str| Ok((if at == "a" { "b" } else { "c" }.to_owned(), at.to_owned()));
        assert_eq!(way("a", "c", 3, line).unwrap(), ["a", "b"]);
    }
}
