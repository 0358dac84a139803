//! The command line (contract §8): one file per verb, one clear line per error.

mod agency;
mod audit;
mod backup;
mod client;
mod config;
mod defer;
mod demo;
mod error;
mod harden;
mod hold;
mod keys;
mod line_diff;
mod log;
mod officials;
mod place;
mod policy;
mod proof;
mod purge;
mod purge_order;
mod reach;
mod receipt;
mod registry;
mod request_key;
mod serve;
mod signed;
mod status;
mod token;
mod trail_key;
mod verify;
mod when;
mod witness;
mod words;
mod words_fa;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::error::{CliError, Failure};

/// استعلام: asks whether a foreign national's document is legally valid and entitles its holder to a service.
#[derive(Debug, Parser)]
#[command(name = "estelam", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the whole system on this machine, with everything it needs
    Demo(demo::Demo),
    /// Run the gateway of an installation
    Serve(serve::Serve),
    /// The configuration of a new installation
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Show what the running gateway can do now
    Status(status::Status),
    /// Ask one verification query
    Verify(Box<verify::Verify>),
    /// Get an access token for an agency
    Token(token::Token),
    /// The reference registry: serve, import, generate, look up, decrees
    #[command(subcommand)]
    Registry(registry::Registry),
    /// Check the policy files
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Agencies: enrol, list, show, suspend, resume, rotate, retire
    #[command(subcommand)]
    Agency(agency::Agency),
    /// Signing keys: list, standby, rotate, lost, compromised, retire; key pairs for trails
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Officials, and what takes effect only with their signatures
    #[command(subcommand)]
    Officials(officials::OfficialsVerb),
    /// The access log: verify, query, person, purge, purge-order, hold, back up, witness
    #[command(subcommand)]
    Log(log::Log),
    /// Receipts: check whether one is genuine, print a holder's
    #[command(subcommand)]
    Receipt(receipt::Receipt),
    /// Print the API description; it is the same in every installation
    Openapi {
        #[command(flatten)]
        place: place::Place,
    },
}

/// Runs the command line. Exit codes: 0 ok, 1 failed, 2 usage, 3 not entitled, 4 indeterminate.
pub fn run() -> ExitCode {
    harden::no_core_dumps();
    harden::open_files();
    end_quietly_when_nobody_reads();
    match dispatch(Cli::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("estelam: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// A reader that has seen enough (`… | head`) ends the verb without a word, as it ends other tools: `println!` panics then.
fn end_quietly_when_nobody_reads() {
    /// As a shell reports SIGPIPE.
    const NOBODY_READS: i32 = 141;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(NOBODY_READS);
        }
        usual(panic);
    }));
}

fn dispatch(verb: Verb) -> Result<ExitCode, CliError> {
    if is_private(&verb) {
        harden::private_files();
    }
    match verb {
        Verb::Demo(demo) => demo.run(),
        Verb::Serve(serve) => serve.run(),
        Verb::Config(config) => config.run(),
        Verb::Status(status) => status.run().map(|()| ExitCode::SUCCESS),
        Verb::Verify(verify) => verify.run(),
        Verb::Token(token) => token.run(),
        Verb::Registry(registry) => registry.run(),
        Verb::Policy(policy) => policy.run(),
        Verb::Agency(agency) => agency.run(),
        Verb::Keys(keys) => keys.run(),
        Verb::Officials(officials) => officials.run(),
        Verb::Log(log) => log.run(),
        Verb::Receipt(receipt) => receipt.run(),
        Verb::Openapi { place } => {
            place.existing_dir()?;
            println!("{}", crate::adapters::http::OPENAPI);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether what a verb writes is for its own user alone. Officials (the registry's too), policies, agencies, holds, deferrals, purge orders and cases are
/// also handled by other users than the service's, whose files it must be able to read.
const fn is_private(verb: &Verb) -> bool {
    match verb {
        Verb::Demo(_) | Verb::Serve(_) | Verb::Keys(_) => true,
        Verb::Registry(registry) => !registry.is_for_the_service(),
        Verb::Log(log) => !log.is_for_the_service(),
        _ => false,
    }
}

/// Runs async work on a runtime of its own.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    actix_web::rt::System::new().block_on(work)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use clap::CommandFactory as _;

    #[test]
    fn no_verb_has_two_arguments_of_one_name() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn what_officials_hand_to_the_service_is_no_file_of_their_own_alone() {
        use clap::Parser as _;
        let registry =
            |line: &str| super::is_private(&super::Cli::parse_from(["estelam", "registry"].into_iter().chain(line.split(' '))).verb);
        assert!(!registry("official add a --public a.pem") && registry("import a.csv") && registry("event-key"));
        let private = |line: &str| super::is_private(&super::Cli::parse_from(["estelam", "log"].into_iter().chain(line.split(' '))).verb);
        for line in ["hold list", "hold approve a --key k", "defer list", "purge-order end a --key k", "case list"] {
            assert!(!private(line), "{line}");
        }
        for line in ["purge", "backup to", "witness --name n --url u --ca c --log-key k --state s", "succeed"] {
            assert!(private(line), "{line}");
        }
    }

    #[test]
    fn key_ids_may_begin_with_a_hyphen() {
        for id in ["-i9XDL", "-hXDL1", "-V", "--dir-", "--xDL1", "-0-1-2"] {
            for line in [vec!["retire", id, "--dir", "d"], vec!["retire", "--dir", "d", id], vec!["compromised", "--checkpoint", "c", id]] {
                let read = super::Cli::command().try_get_matches_from([&["estelam", "keys"], &line[..]].concat());
                let read = read.unwrap_or_else(|error| panic!("{line:?}: {error}"));
                let verb = read.subcommand().and_then(|(_, keys)| keys.subcommand()).unwrap().1;
                assert_eq!(verb.get_one::<String>("kid").unwrap(), id);
            }
        }
    }
}
