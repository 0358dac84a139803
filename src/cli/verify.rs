//! `estelam verify`: one query, its answer in words, its signature checked. (`estelam log prove` checks its place in the log.)

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, ValueEnum};

use super::client::{Answered, Ask, AskCheck, AskIdentifier, Client};
use super::place::Place;
use super::request_key::RequestKey;
use super::{CliError, Failure, block_on, proof, words};
use crate::core::domain::text;

/// Language of the printed answer.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum Lang {
    /// فارسی
    Fa,
    /// English
    #[default]
    En,
}

/// What the shell is told.
const EXIT_CODES: &str = "Exit codes: 0 entitled or no document needed, 1 failed or refused, 2 usage, 3 not entitled, 4 indeterminate";

/// Ask one verification query.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Verify {
    #[command(flatten)]
    place: Place,
    /// The agency that asks
    #[arg(long = "as", value_name = "AGENCY", default_value = "bank")]
    agency: String,
    /// Scheme of the identifier, for example `yekta`; its value is read from standard input unless `--value` is given
    #[arg(long)]
    scheme: Option<String>,
    /// Value of the identifier (other users of this machine can see it while the command runs)
    #[arg(long, requires = "scheme")]
    value: Option<String>,
    /// Issuing country of a passport, two or three letters
    #[arg(long, requires = "scheme")]
    country: Option<String>,
    /// Series of the document
    #[arg(long, requires = "scheme", value_parser = number::<u16>)]
    series: Option<u16>,
    /// Machine-readable line 2 of a passport
    #[arg(long, requires = "scheme")]
    mrz: Option<String>,
    /// Service code, for example `bank-card`
    #[arg(long)]
    service: String,
    /// Purpose code, for example `account-maintenance`
    #[arg(long)]
    purpose: String,
    /// The named clerk or system account
    #[arg(long)]
    actor: Option<String>,
    /// The agency's own reference
    #[arg(long)]
    reference: Option<String>,
    /// Second factor: year of birth, in any digits
    #[arg(long, value_parser = number::<u16>)]
    birth_year: Option<u16>,
    /// Second factor: date of birth, `YYYY/M/D`
    #[arg(long)]
    birth_date: Option<String>,
    /// Second factor: the printed expiry date, `YYYY/M/D`
    #[arg(long)]
    document_expires: Option<String>,
    /// The holder's name in any script: a hint for the access log, never part of the answer
    #[arg(long)]
    name: Option<String>,
    /// Calendar of the dates given
    #[arg(long, default_value = "jalali", value_parser = ["jalali", "gregorian"])]
    calendar: String,
    /// Oldest acceptable age of the facts in seconds; 0 asks the registry now
    #[arg(long, value_parser = number::<u32>)]
    max_age: Option<u32>,
    /// Province that the question is about, as ISO 3166-2 code
    #[arg(long)]
    province: Option<String>,
    /// Emergency treatment
    #[arg(long)]
    emergency: bool,
    /// The holder wishes a printed receipt: have one signed, for `estelam receipt print` on the answer that `--json` gives
    #[arg(long)]
    receipt: bool,
    /// Sign the request with this private key (PKCS#8 PEM), whose public half is registered for the agency's requests
    #[arg(long, value_name = "KEY")]
    sign_with: Option<PathBuf>,
    /// Language of the answer
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
    /// Print the gateway's JSON as it came
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let (lang, json) = (self.lang, self.json);
        let client = Client::open(&self.place, &self.agency)?;
        let key = self.sign_with.as_deref().map(RequestKey::read).transpose()?;
        let ask = self.ask()?;
        let answered = block_on(async {
            let token = client.token(None).await?;
            let answered = client.ask(&token, &ask, key.as_ref()).await?;
            if answered.status == 200 {
                proof::check_statement(&client, &answered).await?;
            }
            Ok(answered)
        })?;
        print(&answered, lang, json);
        Ok(exit_code(&answered))
    }

    fn ask(self) -> Result<Ask, CliError> {
        let value = match (&self.scheme, self.value) {
            (Some(scheme), None) => read_value(scheme)?,
            (_, given) => given.unwrap_or_default(),
        };
        let (country, series, mrz) = (self.country, self.series, self.mrz);
        let identifier = self.scheme.map(|scheme| AskIdentifier { scheme, value, country, series, mrz });
        let given = self.birth_year.is_some() || self.birth_date.is_some() || self.document_expires.is_some() || self.name.is_some();
        let check = given.then_some(AskCheck {
            birth_year: self.birth_year,
            birth_date: self.birth_date,
            document_expires: self.document_expires,
            name: self.name,
            calendar: self.calendar,
        });
        Ok(Ask {
            identifier,
            service: self.service,
            purpose: self.purpose,
            actor: self.actor,
            reference: self.reference,
            check,
            max_age: self.max_age,
            province: self.province,
            nonce: nonce()?,
            emergency: self.emergency,
            receipt: self.receipt,
        })
    }
}

/// A number in whatever digits the keyboard writes (domain §9).
fn number<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text::digits(text).parse().map_err(|_| "write a whole number, in any digits")
}

/// 128 random bits, so that the statement can commit to the query without making it guessable.
pub(super) fn nonce() -> Result<String, CliError> {
    let mut bits = [0; 16];
    SystemRandom::new().fill(&mut bits).map_err(|_| CliError::failed("the system's random source failed"))?;
    Ok(URL_SAFE_NO_PAD.encode(bits))
}

pub(super) fn read_value(scheme: &str) -> Result<String, CliError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprint!("{scheme}: ");
        std::io::stderr().flush().doing("cannot ask for the value")?;
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).doing("cannot read the value from standard input")?;
    let value = line.trim_end_matches(['\r', '\n']).to_owned();
    if value.is_empty() {
        return Err(CliError::usage("no value on standard input; type the number or give `--value`"));
    }
    Ok(value)
}

fn print(answered: &Answered, lang: Lang, json: bool) {
    if json {
        println!("{}", answered.body);
    } else {
        println!("{}", words::answer(answered, lang));
    }
}

fn exit_code(answered: &Answered) -> ExitCode {
    match answered.body.get("decision").and_then(|decision| decision.as_str()) {
        Some("entitled" | "no-document-required") => ExitCode::SUCCESS,
        Some("not-entitled") => ExitCode::from(3),
        Some("indeterminate") => ExitCode::from(4),
        _ => ExitCode::from(1),
    }
}
