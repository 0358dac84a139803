//! `estelam agency suspend` and `resume`: the local list of what is cut off.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::home::{self, Home};
use crate::adapters::cutoff::Thumbprint;
use crate::adapters::enrolment::{self, Register};
use crate::cli::place::{Place, read_given};
use crate::cli::{CliError, Failure};
use crate::core::domain::agency::AgencyId;

/// Pause between two looks at the clock; there is at most a second to wait.
const AGAIN: Duration = Duration::from_millis(20);

/// Refuse an agency, a branch or a certificate at once.
#[derive(Debug, Args)]
pub(in crate::cli) struct Suspend {
    /// The agency's name
    agency: String,
    /// Only this branch or system
    #[arg(long)]
    branch: Option<String>,
    /// Only this certificate, for ever: its file, or the 64 hexadecimal digits of its SHA-256
    #[arg(long, value_name = "FILE|SHA256", conflicts_with = "branch")]
    certificate: Option<String>,
    /// Only its access tokens; it may get new ones
    #[arg(long, conflicts_with_all = ["branch", "certificate"])]
    tokens: bool,
    #[command(flatten)]
    place: Place,
}

/// Let a suspended agency or branch ask again.
#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    /// The agency's name
    agency: String,
    /// Only this branch or system
    #[arg(long)]
    branch: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Suspend {
    pub(super) fn run(self) -> Result<(), CliError> {
        let home = Home::of(&self.place)?;
        let agency = home::agency(&self.agency)?;
        let branch = home::unit(self.branch.as_deref())?;
        // A folder of policies that is broken at the moment must not keep anybody from being cut off; only a slip of the pen should. Whose file
        // is there is no slip, and nobody waits until every policy is read.
        let has_file = home.policies.join(format!("agencies/{agency}.toml")).is_file();
        if !has_file && home.snapshot().is_ok_and(|snapshot| !snapshot.agencies.contains_key(&agency)) {
            return Err(CliError::usage(format_args!("no agency `{agency}` here; see `estelam agency list`")));
        }
        let now = home::now();
        if let Some(certificate) = &self.certificate {
            let thumbprint = thumbprint(&home, &agency, certificate)?;
            home.cut(|list| list.cut_certificate(thumbprint, now))?;
            let when = home.cut_in_force()?;
            println!("this certificate of {agency} is cut off for ever{when}; have its issuer revoke it too");
        } else if self.tokens {
            home.cut(|list| list.revoke_tokens(agency.as_str(), now))?;
            println!("every token that {agency} has is dead{}; it may get new ones", home.cut_in_force()?);
        } else {
            branch.map_or(Ok(()), |branch| some_branch(&home, &agency, branch))?;
            home.cut(|list| list.suspend(agency.as_str(), branch, now))?;
            println!("{agency}{} is suspended{}", home::of(branch), home.cut_in_force()?);
        }
        Ok(())
    }
}

impl Resume {
    pub(super) fn run(self) -> Result<(), CliError> {
        let home = Home::of(&self.place)?;
        let agency = home::agency(&self.agency)?;
        let branch = home::unit(self.branch.as_deref())?;
        if let Some(retired) = home.register(&agency)?.retired {
            return Err(CliError::failed(format_args!(
                "`{agency}` left on {retired:.0} and does not come back; enrol an agency of another name"
            )));
        }
        // Judged first, so that whoever reads that it was refused may rely on it that the suspension still stands.
        match home.snapshot() {
            Ok(snapshot) if snapshot.agencies.get(&agency).is_some_and(|policy| policy.is_suspended(branch)) => {
                return Err(CliError::failed(format_args!(
                    "the file of `{agency}` says `suspended = true`: that is for those to change who answer for the policies; nothing was changed"
                )));
            }
            Ok(_) => {}
            // Somebody's broken file keeps nobody cut off, as it keeps nobody from being cut off.
            Err(unread) => {
                eprintln!("estelam: {unread}; so it was not looked at whether a file there says `suspended = true` of `{agency}`")
            }
        }
        let was_cut = home.cut(|list| list.resume(agency.as_str(), branch))?;
        let when = home.cut_in_force()?;
        until_new_tokens_count(&home, &agency, branch)?;
        println!("{agency}{} {}{when}", home::of(branch), if was_cut { "may ask again" } else { "was not suspended" });
        Ok(())
    }
}

/// Tokens tell their instant in whole seconds, and those of the second of the suspension are dead: waits until one asked for now is alive.
fn until_new_tokens_count(home: &Home, agency: &AgencyId, branch: Option<&str>) -> Result<(), CliError> {
    while home.cut_off()?.bars_token(agency.as_str(), branch, home::now()) {
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

/// Refuses a slip of the pen: a branch that cannot come in here, so that the one that was meant goes on. Whoever could, as certificates of outside
/// authorities need no entry in the register, is cut off, with a word that nothing here names it.
fn some_branch(home: &Home, agency: &AgencyId, branch: &str) -> Result<(), CliError> {
    let enrolled = |register: Register| register.certificates.iter().any(|one| one.unit.as_deref() == Some(branch));
    if home.register(agency).is_ok_and(enrolled) {
        return Ok(());
    }
    let snapshot = home.snapshot().ok();
    let policy = snapshot.as_ref().and_then(|snapshot| snapshot.agencies.get(agency));
    let uri = home.uri(agency, Some(branch));
    if policy.is_some_and(|policy| policy.units.contains_key(branch) || policy.identities.contains(&uri)) {
        return Ok(());
    }
    if policy.is_some_and(|policy| !policy.admits_branch(Some(branch))) {
        let show = home.command("show", agency, None, "");
        return Err(CliError::usage(format_args!(
            "`{agency}` has no branch `{branch}`: no unit, identity or certificate of it bears that name; see `{show}`"
        )));
    }
    eprintln!("estelam: nothing here names a branch `{branch}` of `{agency}`; if that was a slip, resume it and suspend the right one");
    Ok(())
}

/// The SHA-256 of a certificate of this agency. It is cut off for ever, so another agency's is refused.
fn thumbprint(home: &Home, agency: &AgencyId, given: &str) -> Result<[u8; 32], CliError> {
    if let Ok(Thumbprint(bytes)) = Thumbprint::try_from(given.to_ascii_lowercase()) {
        return match other_holder(home, agency, &enrolment::hex(&bytes)) {
            None => Ok(bytes),
            Some(other) => Err(CliError::usage(format_args!("this certificate is of `{other}`, not of `{agency}`; nothing was cut off"))),
        };
    }
    let pem = read_given(Path::new(given)).doing(format_args!("`{given}` is neither a SHA-256 nor a file that can be read"))?;
    let facts = enrolment::of_pem(&pem).ok_or_else(|| CliError::usage(format_args!("`{given}` holds no certificate in PEM")))?;
    let own = home.uri(agency, None);
    let is_its = |uri: &String| uri.strip_prefix(&*own).is_some_and(|rest| rest.is_empty() || rest.starts_with("/branch/"));
    if facts.uris.iter().any(is_its) {
        return Ok(facts.sha256);
    }
    let name = facts.uris.first().map_or("no agency", String::as_str);
    Err(CliError::usage(format_args!("the certificate in `{given}` is for {name}, not for `{agency}`; nothing was cut off")))
}

/// Another agency in whose register a certificate is. A register that cannot be read keeps nobody from being cut off.
fn other_holder(home: &Home, agency: &AgencyId, sha256: &str) -> Option<String> {
    let mut others = enrolment::agencies(&home.enrolment).into_iter().filter(|other| other != agency.as_str());
    let holds = |other: &String| {
        let register = Register::open(&home.enrolment, other);
        register.is_ok_and(|register| register.certificates.iter().any(|one| one.sha256 == sha256))
    };
    others.find(holds)
}
