//! `estelam agency rotate`: a new certificate beside the old one, then the end of the old one.

use std::path::PathBuf;

use clap::Args;

use super::home::{self, Home};
use super::list::is_cut;
use super::{ca, enrol, kit, leave};
use crate::adapters::enrolment::Enrolled;
use crate::cli::CliError;
use crate::cli::place::Place;
use crate::core::domain::agency::AgencyId;

/// Renew a certificate.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// The agency's name
    agency: String,
    /// The branch or system whose certificate it is; left out: the whole agency's
    #[arg(long)]
    branch: Option<String>,
    /// The request (PEM) with the new key
    #[arg(long, value_name = "FILE", required_unless_present_any = ["certificate", "finish"])]
    csr: Option<PathBuf>,
    /// A certificate that an outside authority has signed for an earlier `--csr`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csr", "outside_ca"])]
    certificate: Option<PathBuf>,
    /// Issue nothing; print what an outside authority must sign
    #[arg(long)]
    outside_ca: bool,
    /// Revoke every certificate but the newest that is not cut off: the agency works with that one
    #[arg(long, conflicts_with_all = ["csr", "certificate", "outside_ca"])]
    finish: bool,
    #[command(flatten)]
    place: Place,
}

impl Rotate {
    pub(super) fn run(self) -> Result<(), CliError> {
        let home = Home::of(&self.place)?;
        let agency = home::agency(&self.agency)?;
        let unit = home::unit(self.branch.as_deref())?;
        let _alone = home.alone()?;
        if self.finish { finish(&home, &agency, unit) } else { self.begin(&home, &agency, unit) }
    }

    fn begin(&self, home: &Home, agency: &AgencyId, unit: Option<&str>) -> Result<(), CliError> {
        let mut register = home.register(agency)?;
        if register.retired.is_some() || !register.certificates.iter().any(|one| one.unit.as_deref() == unit) {
            let enrol = home.command("enrol", agency, unit, " --csr FILE");
            return Err(CliError::failed(format_args!("`{agency}` has no certificate for this to renew; use `{enrol}`")));
        }
        let request = self.csr.as_deref().map(|file| enrol::request(home, file, &home.uri(agency, unit))).transpose()?;
        // Before anything is issued: without the policies there is no kit, and the certificate would lie in the register for nothing.
        let snapshot = home.snapshot()?;
        let taken = enrol::take_up(home, agency, unit, request.as_ref(), self.certificate.as_deref(), self.outside_ca, &mut register)?;
        let Some(pem) = taken else { return Ok(()) };
        if let Some(policy) = snapshot.agencies.get(agency) {
            let folder = kit::write(home, &enrol::place(home, agency, unit).join("kit"), Some(&pem), &snapshot, policy)?;
            println!("the new certificate lies in {}", folder.display());
        }
        let finish = home.command("rotate", agency, unit, " --finish");
        println!("both certificates are good; once {agency}{} works with the new one: {finish}", home::of(unit));
        Ok(())
    }
}

fn finish(home: &Home, agency: &AgencyId, unit: Option<&str>) -> Result<(), CliError> {
    let mut register = home.register(agency)?;
    let (cut, good) = (home.cut_off()?, register.good(unit, home::now()));
    if good.len() < 2 {
        println!("{agency}{} has one certificate for this; there is nothing to end", home::of(unit));
        return Ok(());
    }
    // One that is cut off works no more, however new it is.
    let Some(stays) = good.iter().rev().find(|one| !is_cut(&cut, one)).map(|one| one.sha256.clone()) else {
        let renew = home.command("rotate", agency, unit, " --csr FILE");
        return Err(CliError::failed(format_args!(
            "every certificate of `{agency}` for this is cut off, so none would be left to work with; renew it first: `{renew}`"
        )));
    };
    let older = |one: &&Enrolled| one.sha256 != stays;
    let older: Vec<String> = good.into_iter().filter(older).map(|one| one.sha256.clone()).collect();
    let authority = ca::development(home)?;
    leave::end_certificates(home, &mut register, &older, authority.as_ref())?;
    home.save(agency, &mut register)?;
    home.cut_in_force()?;
    println!("{} other certificate{} of {agency}{} ended", older.len(), if older.len() == 1 { "" } else { "s" }, home::of(unit));
    Ok(())
}
