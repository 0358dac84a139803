//! `estelam policy explain`: why a case, a recorded answer or an identifier is answered as it is, for any two instants.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use uuid::Uuid;

use super::explain_later::{as_if_live, decrees_since, own_decrees};
use super::explain_words::{self, Beside, Language, Records, Refused};
use super::folder::{Fault, Folder, read, report};
use crate::adapters::clock::SystemClock;
use crate::app::review::{self, InForce};
use crate::cli::{CliError, Failure};
use crate::config::Config;
use crate::core::decision::cases::{self, AnswerCase, Answered, explained};
use crate::core::decision::replay::Said;
use crate::core::domain::clock::Clock;
use crate::core::domain::context::Asked;
use crate::core::domain::decree::DecreeSet;
use crate::core::domain::instant;
use crate::core::domain::person::Person;
use crate::core::domain::refusal::RefusalCode;
use crate::core::policy::{LoadError, Snapshot, grounds, permit_grounds};
use crate::core::registry::{Freshness, RegistryAnswer};
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
    /// The instant decided for: 1402/04/03, "1402/04/03 10:00" (Tehran) or RFC 3339. The facts of an answer or a case count as if the
    /// register had given them at that instant
    #[arg(long, value_parser = instant::parse)]
    at: Option<Timestamp>,
    /// The instant of knowledge, `--at` if not given: only decrees recorded by then count, and the register's records as they were known
    /// then, where it knew any
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
                Err(fault) => return report(&self.folder.path()?, fault, self.json),
            },
            (None, Some(id), _) => self.of_answer(id)?,
            (None, None, Some(scheme)) => self.of_identifier(scheme)?,
            (None, None, None) => return Err(CliError::usage("say what to explain: --case, --answer or --scheme")),
        };
        let Found { case, snapshot, files, refused, beside } = self.moved(found)?;
        let said = refused.map_or_else(|| explained(&case, &snapshot), |code| Err((code, None)));
        let permitted = case.caller().map_or_else(Vec::new, |caller| permit_grounds(&files, caller, case.at));
        let beside = Beside { permitted, ..beside };
        let languages = self.lang.map_or(vec![Language::Fa, Language::En], |lang| vec![lang]);
        match said {
            Ok((explanation, step)) if self.json => println!("{}", explain_words::json(&explanation, &snapshot, step, &beside)),
            Ok((explanation, step)) => {
                let texts: Vec<String> =
                    languages.into_iter().map(|lang| explain_words::text(&explanation, &snapshot, step, &beside, lang)).collect();
                println!("{}", texts.join("\n"));
            }
            Err((code, hint)) => {
                let scheme = case.identifier.as_ref().map(|identifier| identifier.scheme.as_str());
                let grounds = case.caller().map_or_else(Vec::new, |caller| grounds(&files, caller, scheme, case.at, code));
                let refusal = Refused { code, hint, grounds };
                if self.json {
                    println!("{}", refusal.json(&snapshot));
                } else {
                    let texts: Vec<String> = languages.into_iter().map(|lang| refusal.text(lang)).collect();
                    println!("{}", texts.join("\n"));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Moves what was found to the instants asked for.
    fn moved(&self, found: Found) -> Result<Found, CliError> {
        let Found { mut case, mut beside, .. } = found;
        let recorded_at = case.known_at;
        case.at = self.at.unwrap_or(case.at);
        // What was known is what was known at the instant decided for, unless it is said otherwise.
        case.known_at = self.known_at.or(self.at).unwrap_or(case.known_at);
        if self.answer.is_some() && found.refused.is_none() && case.known_at > recorded_at {
            let registry = self.folder.place.existing_dir()?.join("registry");
            case.decrees = decrees_since(&self.config()?, &registry, case.decrees, SystemClock.now())?;
            (case.decrees_age_s, beside.newest_decrees) = (0, true);
        }
        if let (Some(at), None) = (self.at, &self.scheme) {
            (case.answer, case.decrees_age_s) = (case.answer.map(|answer| as_if_live(answer, at)), 0);
            beside.as_if_live = case.answer.is_some();
        }
        Ok(Found { case, beside, ..found })
    }

    fn of_case(&self, wanted: &str) -> Result<Found, Fault> {
        let files = read(&self.folder.path().map_err(Fault::Command)?)?;
        let snapshot = Snapshot::load(&files).map_err(Fault::Files)?;
        let cases = cases::read(&files, &snapshot.services).map_err(Fault::Files)?;
        let place = |case: &AnswerCase| format!("{}:{}", case.place.0, case.place.1);
        let exact = |case: &AnswerCase| case.name == wanted || place(case) == wanted;
        let only = cases.iter().filter(|case| exact(case)).count() == 1;
        let mut fitting: Vec<AnswerCase> =
            cases.into_iter().filter(|case| if only { exact(case) } else { case.name.contains(wanted) }).collect();
        match (fitting.pop(), fitting.len()) {
            (Some(case), 0) => Ok(Found { case, snapshot, files, refused: None, beside: Beside::default() }),
            (None, _) => Err(Fault::Command(CliError::failed(format_args!("no case `{wanted}`; give a part of its name, or FILE:LINE")))),
            (Some(last), _) => {
                fitting.push(last);
                let names: Vec<String> = fitting.iter().map(|case| format!("{} `{}`", place(case), case.name)).collect();
                Err(Fault::Command(CliError::failed(format_args!("several cases fit `{wanted}`: {}", names.join("; ")))))
            }
        }
    }

    fn config(&self) -> Result<Config, CliError> {
        self.folder.place.config()
    }

    /// From the derived inputs of the answer's entry, under the versions that were in force.
    fn of_answer(&self, id: Uuid) -> Result<Found, CliError> {
        let (query, InForce { snapshot, files, decrees }) = review::find(&self.config()?, id).doing("cannot explain this answer")?;
        let recorded = query.recorded;
        let refused = match recorded.said {
            Said::Refusal { code } => Some(code),
            Said::Answer { .. } | Said::LookUp => None,
        };
        let basis = recorded.inputs.basis.unwrap_or_default();
        let asked = recorded.inputs.asked;
        // A refusal rests on no facts; policy judged it at the instant that it notes.
        let at = refused.map_or_else(|| basis.decided_at(recorded.as_of), |_| Timestamp::from_second(asked.at).unwrap_or(Timestamp::MAX));
        let case = AnswerCase {
            agency: Some(recorded.agency),
            branch: recorded.branch,
            purpose: recorded.purpose,
            gives: Some(asked.given & !Asked::EMERGENCY),
            max_age: asked.max_age,
            emergency: asked.has(Asked::EMERGENCY),
            province: basis.area.clone(),
            answer: basis.registry_answer(recorded.as_of, recorded.freshness),
            decrees_age_s: basis.decrees_age_s,
            ..case(recorded.service, at, decrees)
        };
        Ok(Found { case, snapshot, files, refused, beside: Beside { name_hint: basis.name_hint, ..Beside::default() } })
    }

    /// From the installation's own registry and policies, as they are now. The identifier is never printed.
    fn of_identifier(&self, scheme: &str) -> Result<Found, CliError> {
        let files = crate::adapters::policy_files::read(&self.folder.path()?).map_err(not_in_order)?;
        let snapshot = Snapshot::load(&files).map_err(not_in_order)?;
        let dir = self.folder.place.existing_dir()?.join("registry");
        if !Store::exists(&dir) {
            let dir = self.folder.place.dir().display();
            return Err(CliError::failed(format_args!("there is no registry in `{dir}`; name an installation with `--dir`")));
        }
        let store = Store::open(&dir).doing("the registry's store")?;
        let value = self.value.clone().map_or_else(first_line, Ok)?;
        let look_up = |known_at| lookup(&store, &snapshot.schemes, scheme, &value, known_at).doing("cannot look this up");
        // The records are of the same instant of knowledge as the decrees.
        let known_at = self.known_at.or(self.at);
        let then = known_at.map(|at| look_up(Some(at))).transpose()?.filter(|found| !found.persons.is_empty());
        let records = match (&then, known_at) {
            (Some(_), _) => Some(Records::AsKnownThen),
            (None, Some(_)) => Some(Records::OfToday),
            (None, None) => None,
        };
        let found = then.map_or_else(|| look_up(None), Ok)?;
        let persons: Result<Vec<Person>, _> =
            found.persons.iter().map(|person| Person::try_from_wire(&person.to_wire(scheme, &value, None))).collect();
        let persons = persons.doing("a record of the registry is not understood")?;
        let now = SystemClock.now();
        let decrees = own_decrees(&store, &dir, now)?;
        let at = self.at.unwrap_or(now);
        let case = AnswerCase {
            agency: self.agency.clone(),
            purpose: self.purpose.clone().unwrap_or_default(),
            answer: Some(RegistryAnswer { persons: persons.into(), as_of: at, freshness: Freshness::Live, shed: false }),
            ..case(self.service.clone().unwrap_or_default(), now, decrees)
        };
        Ok(Found { case, snapshot, files, refused: None, beside: Beside { records, ..Beside::default() } })
    }
}

/// What is explained: a query, under a policy and its files, and the refusal where one was recorded.
struct Found {
    case: AnswerCase,
    snapshot: Snapshot,
    files: BTreeMap<String, String>,
    refused: Option<RefusalCode>,
    beside: Beside,
}

#[expect(clippy::needless_pass_by_value, reason = "it takes what `map_err` hands over")]
fn not_in_order(faults: Vec<LoadError>) -> CliError {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    CliError::failed(format_args!("the policies are not in order: {}", lines.join("; ")))
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
        series: None,
        country: None,
        answer: None,
        decrees,
        decrees_age_s: 0,
        expect: Answered::default(),
    }
}

fn first_line() -> Result<String, CliError> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).doing("cannot read the value from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
