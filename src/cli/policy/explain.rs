//! `estelam policy explain`: why a case, a recorded answer or an identifier is answered as it is, for any two instants.

use std::io::BufRead;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use uuid::Uuid;

use super::explain_words::{self, Language};
use super::folder::{Fault, Folder, read, report};
use crate::adapters::clock::SystemClock;
use crate::app::review;
use crate::cli::{CliError, Failure};
use crate::config::Config;
use crate::core::decision::cases::{self, AnswerCase, Expected, explained};
use crate::core::domain::clock::Clock;
use crate::core::domain::context::Asked;
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::instant;
use crate::core::domain::person::Person;
use crate::core::policy::Snapshot;
use crate::core::registry::version::version_of;
use crate::core::registry::wire::DecreesAnswer;
use crate::core::registry::{Freshness, RegistryAnswer};
use crate::registry::decrees::{Officials, served};
use crate::registry::lookup;
use crate::registry::store::Store;

/// Explain an answer.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["case", "answer", "scheme"]))]
pub(in crate::cli) struct Explain {
    #[command(flatten)]
    folder: Folder,
    /// A case of the policy folder: its name, a part of it, or FILE:LINE
    #[arg(long)]
    case: Option<String>,
    /// The id of a recorded answer, while its content is kept
    #[arg(long)]
    answer: Option<Uuid>,
    /// Scheme of an identifier to look up in the installation's registry; the value is read from standard input
    #[arg(long, requires = "service")]
    scheme: Option<String>,
    /// The identifier's value, where other users of this machine may see it
    #[arg(long, requires = "scheme")]
    value: Option<String>,
    /// The service asked for
    #[arg(long)]
    service: Option<String>,
    /// The agency that asks; without it only the service's rule and the decrees count
    #[arg(long, requires = "purpose")]
    agency: Option<String>,
    /// The purpose stated
    #[arg(long)]
    purpose: Option<String>,
    /// The instant decided for: 1402/04/03, "1402/04/03 10:00" (Tehran) or RFC 3339
    #[arg(long, value_parser = instant::parse)]
    at: Option<Timestamp>,
    /// The instant of knowledge: only decrees recorded by then count
    #[arg(long, value_parser = instant::parse)]
    known_at: Option<Timestamp>,
    /// One language alone
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let found = match (&self.case, self.answer, &self.scheme) {
            (Some(name), _, _) => match self.of_case(name) {
                Ok(found) => found,
                Err(fault) => return report(&self.folder.path(), fault, self.json),
            },
            (None, Some(id), _) => self.of_answer(id)?,
            (None, None, Some(scheme)) => self.of_identifier(scheme)?,
            (None, None, None) => return Err(CliError::usage("say what to explain: --case, --answer or --scheme")),
        };
        let (mut case, snapshot) = found;
        // What was known is what was known at the instant decided for, unless it is said otherwise.
        let moved = self.at.unwrap_or(case.known_at);
        case.at = self.at.unwrap_or(case.at);
        case.known_at = self.known_at.unwrap_or(moved);
        match explained(&case, &snapshot) {
            Ok((explanation, step)) if self.json => println!("{}", explain_words::json(&explanation, &snapshot, step)),
            Ok((explanation, step)) => {
                let languages = self.lang.map_or(vec![Language::Fa, Language::En], |lang| vec![lang]);
                let texts: Vec<String> =
                    languages.into_iter().map(|lang| explain_words::text(&explanation, &snapshot, step, lang)).collect();
                println!("{}", texts.join("\n"));
            }
            Err(refused) if self.json => {
                println!("{}", serde_json::json!({ "decision": "refused", "code": refused.reason, "hint": refused.hint }));
            }
            Err(refused) => println!("{}", explain_words::refused(&refused)),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn of_case(&self, wanted: &str) -> Result<(AnswerCase, Snapshot), Fault> {
        let files = read(&self.folder.path())?;
        let snapshot = Snapshot::load(&files).map_err(Fault::Files)?;
        let cases = cases::read(&files).map_err(Fault::Files)?;
        let place = |case: &AnswerCase| format!("{}:{}", case.place.0, case.place.1);
        let exact = |case: &AnswerCase| case.name == wanted || place(case) == wanted;
        let only = cases.iter().filter(|case| exact(case)).count() == 1;
        let mut fitting: Vec<AnswerCase> =
            cases.into_iter().filter(|case| if only { exact(case) } else { case.name.contains(wanted) }).collect();
        match (fitting.pop(), fitting.len()) {
            (Some(case), 0) => Ok((case, snapshot)),
            (None, _) => Err(Fault::Command(CliError::failed(format_args!("no case `{wanted}`; give a part of its name, or FILE:LINE")))),
            (Some(last), _) => {
                fitting.push(last);
                let names: Vec<String> = fitting.iter().map(|case| format!("{} `{}`", place(case), case.name)).collect();
                Err(Fault::Command(CliError::failed(format_args!("several cases fit `{wanted}`: {}", names.join("; ")))))
            }
        }
    }

    fn config(&self) -> Result<Config, CliError> {
        Config::read(&self.folder.dir.join("estelam.toml")).doing("the configuration is not usable")
    }

    /// From the derived inputs of the answer's entry, under the versions that were in force.
    fn of_answer(&self, id: Uuid) -> Result<(AnswerCase, Snapshot), CliError> {
        let (query, snapshot, decrees) = review::find(&self.config()?, id).doing("cannot explain this answer")?;
        let recorded = query.recorded;
        let basis = recorded.inputs.basis.unwrap_or_default();
        let (asked, at) = (recorded.inputs.asked, basis.decided_at(recorded.as_of));
        let case = AnswerCase {
            agency: Some(recorded.agency),
            branch: recorded.branch,
            purpose: recorded.purpose,
            gives: Some(asked.given & !Asked::EMERGENCY),
            max_age: asked.max_age,
            emergency: asked.has(Asked::EMERGENCY),
            province: basis.area.clone(),
            answer: basis.registry_answer(recorded.as_of, recorded.freshness),
            ..case(recorded.service, at, decrees)
        };
        Ok((case, snapshot))
    }

    /// From the installation's own registry and policies, as they are now. The identifier is never printed.
    fn of_identifier(&self, scheme: &str) -> Result<(AnswerCase, Snapshot), CliError> {
        let files = crate::adapters::policy_files::read(&self.folder.path());
        let snapshot = files.and_then(|files| Snapshot::load(&files)).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            CliError::failed(format_args!("the policies are not in order: {}", lines.join("; ")))
        })?;
        let dir = self.folder.dir.join("registry");
        if !Store::exists(&dir) {
            let dir = self.folder.dir.display();
            return Err(CliError::failed(format_args!("there is no registry in `{dir}`; name an installation with `--dir`")));
        }
        let store = Store::open(&dir).doing("the registry's store")?;
        let value = self.value.clone().map_or_else(first_line, Ok)?;
        let found = lookup(&store, &snapshot.schemes, scheme, &value, None).doing("cannot look this up")?;
        let persons: Result<Vec<Person>, _> =
            found.persons.iter().map(|person| Person::try_from_wire(&person.to_wire(scheme, &value))).collect();
        let persons = persons.doing("a record of the registry is not understood")?;
        let now = SystemClock.now();
        let officials = Officials::load(&dir).doing("the officials' keys")?;
        let (cursor, decrees) = served(&store, &officials).doing("the registry's decrees")?;
        let version = version_of(&decrees).doing("the registry's decrees")?;
        let decrees = DecreeSet::from_wire(&DecreesAnswer { version, cursor, as_of: now, decrees }).doing("the registry's decrees")?;
        let at = self.at.unwrap_or(now);
        let case = AnswerCase {
            agency: self.agency.clone(),
            purpose: self.purpose.clone().unwrap_or_default(),
            answer: Some(RegistryAnswer { persons: persons.into(), as_of: at, freshness: Freshness::Live }),
            ..case(self.service.clone().unwrap_or_default(), now, decrees)
        };
        Ok((case, snapshot))
    }
}

/// A case of which only service, instant and decrees are known.
fn case(service: String, at: Timestamp, decrees: DecreeSet) -> AnswerCase {
    AnswerCase {
        place: (String::new(), 0),
        name: String::new(),
        agency: None,
        branch: None,
        service,
        purpose: String::new(),
        at,
        known_at: at,
        gives: None,
        max_age: None,
        emergency: false,
        province: None,
        check: None,
        identifier: None,
        answer: None,
        decrees,
        expect: Expected::default(),
    }
}

fn first_line() -> Result<String, CliError> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).doing("cannot read the value from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
