//! `estelam agency retire`: everything of an agency ends, and nothing of it is forgotten.

use clap::Args;

use super::ca;
use super::home::{self, Home};
use crate::adapters::cutoff::Thumbprint;
use crate::adapters::enrolment::Register;
use crate::adapters::pki::DevPki;
use crate::adapters::policy_files;
use crate::cli::place::Place;
use crate::cli::{CliError, Failure};
use crate::core::domain::agency::AgencyId;
use crate::core::policy::LoadError;

/// Let an agency leave.
#[derive(Debug, Args)]
pub(in crate::cli) struct Retire {
    /// The agency's name
    agency: String,
    #[command(flatten)]
    place: Place,
}

impl Retire {
    pub(super) fn run(self) -> Result<(), CliError> {
        let home = Home::of(&self.place)?;
        let agency = home::agency(&self.agency)?;
        if !home.policies.join(format!("agencies/{agency}.toml")).exists() {
            return Err(CliError::usage(format_args!("no agency `{agency}` here; see `estelam agency list`")));
        }
        let now = home::now();
        // Refused first, then tidied up: whatever fails after this, the agency is out.
        home.cut(|list| list.suspend(agency.as_str(), None, now))?;
        let _alone = home.alone()?;
        let mut register = home.register(&agency)?;
        let good: Vec<String> = register.certificates.iter().filter(|one| one.is_good(now)).map(|one| one.sha256.clone()).collect();
        let authority = ca::development(&home)?;
        end_certificates(&home, &mut register, &good, authority.as_ref())?;
        register.retired.get_or_insert(now);
        home.save(&agency, &mut register)?;
        let when = home.cut_in_force()?;
        let again = home.command("retire", &agency, None, "");
        policy_files::retire_agency(&home.policies, &agency).map_err(|faults| only_its_file_stays(&agency, &faults, &again))?;
        // It is refused from now on; that the policies no longer name it may wait for signatures.
        let (_, left) = home.policies_in_force()?;
        let kept = "its file is kept in policies/retired/, its certificates in its register; its name is not given again";
        print!("{agency} has left{when}; {kept}\n{left}");
        Ok(())
    }
}

/// The agency is out whatever became of its file; whoever reads this must not believe that nothing happened.
fn only_its_file_stays(agency: &AgencyId, faults: &[LoadError], again: &str) -> CliError {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    CliError::failed(format_args!(
        "`{agency}` is cut off and its certificates are ended, for good; only its file stays in the policies: {}; \
         mend that, then say `{again}` again",
        lines.join("; ")
    ))
}

/// Ends certificates: cut off here at once, revoked by the development authority, or named for the authority that must revoke them.
pub(super) fn end_certificates(home: &Home, register: &mut Register, which: &[String], authority: Option<&DevPki>) -> Result<(), CliError> {
    let now = home::now();
    for one in register.certificates.iter_mut().filter(|one| which.contains(&one.sha256)) {
        let thumbprint = Thumbprint::try_from(one.sha256.clone()).doing("the register of certificates")?;
        home.cut(|list| list.cut_certificate(thumbprint.0, now))?;
        match authority {
            Some(authority) => authority.revoke(&serial(&one.serial)?).doing("the revocation list")?,
            None => println!("have its authority revoke the certificate with the serial number {}", one.serial),
        }
        one.ended_at = Some(now);
    }
    Ok(())
}

fn serial(hex: &str) -> Result<Vec<u8>, CliError> {
    let pairs = (0..hex.len()).step_by(2).map(|at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    pairs.collect::<Option<_>>().ok_or_else(|| CliError::failed("a serial number in the register is not hexadecimal"))
}
