//! `estelam receipt check`: the keys, and what else is wanted, are given as files; nothing is fetched and nothing is sent.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::super::verify::Lang;
use super::super::{CliError, Failure};
use super::{files, words};
use crate::core::ledger::genuine::{Doubt, Genuine, Given, LogKey, check, check_around};

/// Check whether a statement or printed receipt is genuine.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// The statement or printed receipt, or the whole JSON answer; `-` reads standard input
    file: PathBuf,
    /// The gateway's keys: `/.well-known/estelam-keys.json` of its public listener, or a JWK set
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The gateway's URL, as `iss` has it; needed with a JWK set
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The proof that it is in the log (`GET /v1/log/proof/{answer_id}`)
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// A checkpoint that you or others kept: the proof must be of the very same tree
    #[arg(long, value_name = "FILE", requires = "proof")]
    checkpoint: Option<PathBuf>,
    /// The log's key (`GET /checkpoint.key`); needed with a JWK set and a proof, otherwise the list of keys has it
    #[arg(long, value_name = "FILE", requires = "proof")]
    checkpoint_key: Option<PathBuf>,
    /// The statement of the answer that a printed receipt belongs to, or that whole JSON answer
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,
    /// Language of the result
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The result as JSON.
#[derive(Serialize)]
struct Report<'a> {
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The member of the JSON answer that is not what was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'static str>,
    message: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    genuine: Option<&'a Genuine>,
    notice: Message,
}

#[derive(Serialize)]
struct Message {
    fa: String,
    en: String,
}

impl Check {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let outcome = self.check()?;
        if self.json {
            println!("{}", serde_json::to_string(&report(&outcome)).doing("cannot print the result")?);
        } else {
            println!("{}", words::result(&outcome, self.lang));
        }
        Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn check(&self) -> Result<Result<Genuine, Doubt>, CliError> {
        let mut keys = files::keys(&self.keys, self.issuer.as_deref())?;
        if let Some(path) = &self.checkpoint_key {
            keys.log = trusted_log_key(&keys.log, files::log_key(path)?);
        }
        let proof = self.proof.as_deref().map(files::proof).transpose()?;
        let checkpoint = self.checkpoint.as_deref().map(files::text).transpose()?;
        let statement = self.statement.as_deref().map(document).transpose()?;
        Ok(document(&self.file)?.and_then(|document| {
            let statement = statement.transpose()?;
            let given = Given {
                document: &document.compact,
                statement: statement.as_ref().map(|statement| &*statement.compact),
                proof: proof.as_ref(),
                checkpoint: checkpoint.as_deref(),
            };
            let genuine = check(&given, &keys)?;
            // Only then is it known that what the JSON is compared with is what the gateway said.
            [Some(&document), statement.as_ref()].into_iter().flatten().try_for_each(Brought::agrees).map(|()| genuine)
        }))
    }
}

/// The one key of the log to trust. What the list of keys knows of it still counts.
fn trusted_log_key(known: &[LogKey], given: LogKey) -> Vec<LogKey> {
    vec![known.iter().find(|log| log.key == given.key).cloned().unwrap_or(given)]
}

/// A document as somebody brings it.
struct Brought {
    compact: String,
    /// The whole JSON that it was in.
    around: Option<Value>,
}

impl Brought {
    fn agrees(&self) -> Result<(), Doubt> {
        self.around.as_ref().map_or(Ok(()), |around| check_around(around, &self.compact))
    }
}

/// The compact document in a file, or why there can be none: what is not even in the form of one is not called false.
fn document(path: &Path) -> Result<Result<Brought, Doubt>, CliError> {
    let Some(text) = files::paper(path)? else { return Ok(Err(Doubt::TooLarge)) };
    let Ok(text) = String::from_utf8(text) else { return Ok(Err(Doubt::Unreadable("it is not text"))) };
    Ok(match files::wrapped(text.trim()) {
        Ok(None) => Ok(Brought { compact: text.trim().to_owned(), around: None }),
        Ok(Some(wrapped)) => wrapped
            .statement
            .map(|compact| Brought { compact, around: serde_json::from_str(text.trim()).ok() })
            .ok_or(Doubt::Unreadable("the JSON holds no `statement`")),
        Err(_) => Err(Doubt::Unreadable("it is JSON, but not an answer or a problem in which no member occurs twice")),
    })
}

fn report(outcome: &Result<Genuine, Doubt>) -> Report<'_> {
    let doubt = outcome.as_ref().err();
    let [fa, en] = [Lang::Fa, Lang::En].map(|lang| words::verdict(outcome, lang));
    let [notice_fa, notice_en] = [Lang::Fa, Lang::En].map(|lang| words::notice(lang).to_owned());
    Report {
        verdict: match doubt {
            None => "genuine",
            Some(doubt) if doubt.is_false() => "not-genuine",
            Some(_) => "cannot-be-checked",
        },
        code: doubt.map(|doubt| doubt.code()),
        member: doubt.and_then(|doubt| doubt.member()),
        message: Message { fa, en },
        genuine: outcome.as_ref().ok(),
        notice: Message { fa: notice_fa, en: notice_en },
    }
}
