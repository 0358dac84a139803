//! Where the things of an installation lie that an agency's life touches, and what every verb needs of them.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::clock::SystemClock;
use crate::adapters::enrolment::{self, Register};
use crate::adapters::policy_files::PolicyStore;
use crate::adapters::{cutoff, pki};
use crate::cli::place::{DemoFile, Place, public_url};
use crate::cli::reach::{self, Reached};
use crate::cli::{CliError, Failure};
use crate::core::domain::agency::{AgencyId, RESERVED};
use crate::core::domain::clock::Clock;
use crate::core::policy::{LoadError, Snapshot};

/// The places of one installation.
pub(super) struct Home {
    pub(super) dir: PathBuf,
    pub(super) policies: PathBuf,
    pub(super) enrolment: PathBuf,
    pub(super) cutoff: PathBuf,
    pub(super) trust_domain: String,
    pub(super) issuer: Option<String>,
    /// URL of the public listener.
    pub(super) public: Option<String>,
    pub(super) client_ca: PathBuf,
    pub(super) client_intermediates: PathBuf,
    pub(super) server_ca: PathBuf,
    pub(super) crls: PathBuf,
    place: Place,
}

impl Home {
    /// The places as `estelam.toml` names them; the usual ones where there is no such file yet.
    pub(super) fn of(place: &Place) -> Result<Self, CliError> {
        let (dir, policies) = (place.dir().to_owned(), place.policies()?);
        let Ok(config) = place.config() else {
            let demo = DemoFile::read(&dir).ok();
            return Ok(Self {
                policies,
                enrolment: dir.join("enrolment"),
                cutoff: dir.join("cutoff/list.json"),
                trust_domain: pki::TRUST_DOMAIN.to_owned(),
                issuer: demo.as_ref().map(|demo| demo.gateway.clone()),
                public: demo.map(|demo| demo.public),
                client_ca: dir.join("pki/ca.pem"),
                client_intermediates: dir.join("pki/intermediate.pem"),
                server_ca: dir.join("pki/ca.pem"),
                crls: dir.join("pki/crl"),
                place: place.clone(),
                dir,
            });
        };
        let public = Some(public_url(&config));
        Ok(Self {
            policies,
            enrolment: config.enrolment,
            cutoff: config.cutoff,
            trust_domain: config.trust_domain,
            public,
            issuer: Some(config.issuer),
            server_ca: config.tls.server_ca().to_owned(),
            client_ca: config.tls.client_ca,
            client_intermediates: config.tls.client_intermediates,
            crls: config.tls.crls,
            place: place.clone(),
            dir,
        })
    }

    /// The policies as they lie in the folder.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, CliError> {
        // Reading changes nothing, and what was changed before it only the verb knows: neither is said here.
        let unread = |faults: Vec<LoadError>| CliError::failed(format_args!("the policies cannot be read: {}", lines(&faults)));
        PolicyStore::open(&self.policies).map(|store| store.current()).map_err(unread)
    }

    /// Has the registers, and the development authority behind them, to itself until what is returned is dropped: of two changes at once neither is
    /// lost.
    pub(super) fn alone(&self) -> Result<File, CliError> {
        enrolment::lock(&self.enrolment).doing("the registers of certificates")
    }

    pub(super) fn register(&self, agency: &AgencyId) -> Result<Register, CliError> {
        Register::open(&self.enrolment, agency.as_str()).doing("the register of certificates")
    }

    pub(super) fn save(&self, agency: &AgencyId, register: &mut Register) -> Result<(), CliError> {
        register.save(&self.enrolment, agency.as_str()).doing("the register of certificates")
    }

    /// Changes the list of what is cut off.
    pub(super) fn cut<T>(&self, edit: impl FnOnce(&mut cutoff::CutOffList) -> T) -> Result<T, CliError> {
        cutoff::change(&self.cutoff, edit).doing("the list of what is cut off")
    }

    /// The list of what is cut off.
    pub(super) fn cut_off(&self) -> Result<cutoff::CutOffList, CliError> {
        Ok(cutoff::read(&self.cutoff).doing("the list of what is cut off")?.unwrap_or_default())
    }

    /// Waits until a running service acts by that list; says what to add where none runs.
    pub(super) fn cut_in_force(&self) -> Result<&'static str, CliError> {
        reach::cut_off(&self.place, &self.cut_off()?.version()).map(said)
    }

    /// Waits until the log has an entry for every certificate that the registers name.
    pub(super) fn certificates_recorded(&self) -> Result<&'static str, CliError> {
        let (version, _) = enrolment::all(&self.enrolment).doing("the registers of certificates")?;
        reach::certificates_recorded(&self.place, &version).map(said)
    }

    /// The same for the policies. Outside a demo nobody waits: they count once officials have signed, and what they have to run comes back too.
    pub(super) fn policies_in_force(&self) -> Result<(&'static str, String), CliError> {
        let reached = reach::in_force(&self.place, &self.policies)?;
        let left = if reached == Reached::Unsigned { self.to_sign() } else { String::new() };
        Ok((said(reached), left))
    }

    /// What is left to do where the policies wait for signatures.
    fn to_sign(&self) -> String {
        let place = self.place.typed();
        format!(
            "\nThe policies that lie here now count once officials have signed them. Until then a running gateway goes on under those before, and one \
             that stopped does not start:\n\
             \x20 estelam officials propose policies{place}\n\
             \x20 estelam officials sign policies --key KEY{place}   (each official)\n\
             \x20 estelam officials apply policies{place}\n"
        )
    }

    /// A verb of `estelam agency` for an agency or one of its units, as it is typed here.
    pub(super) fn command(&self, verb: &str, agency: &AgencyId, unit: Option<&str>, options: &str) -> String {
        let branch = unit.map(|unit| format!(" --branch {unit}")).unwrap_or_default();
        format!("estelam agency {verb} {agency}{branch}{options}{}", self.place.typed())
    }

    /// The name that a certificate of an agency, or of one of its units, bears.
    pub(super) fn uri(&self, agency: &AgencyId, unit: Option<&str>) -> String {
        let unit = unit.map(|unit| format!("/branch/{unit}")).unwrap_or_default();
        format!("spiffe://{}/agency/{agency}{unit}", self.trust_domain)
    }
}

/// What to add to a message about something that has come so far.
const fn said(reached: Reached) -> &'static str {
    match reached {
        Reached::InForce => "",
        Reached::NoService => " (no service runs here now; it counts from its start)",
        Reached::Unsigned => " (its policy is not in force yet, see below)",
    }
}

/// An agency's name as typed.
pub(super) fn agency(name: &str) -> Result<AgencyId, CliError> {
    if RESERVED.contains(&name) {
        return Err(CliError::usage(format_args!(
            "`{name}` is a name of the system's own parts, which no agency may bear; choose another"
        )));
    }
    AgencyId::parse(name)
        .ok_or_else(|| CliError::usage(format_args!("`{name}` is not an agency's name: 2 to 40 lower-case letters, digits and hyphens")))
}

/// A unit's name as typed.
pub(super) fn unit(name: Option<&str>) -> Result<Option<&str>, CliError> {
    match name {
        Some(name) if !crate::adapters::tls::spiffe::is_branch(name) => {
            Err(CliError::usage(format_args!("`{name}` is not a branch's name: 1 to 64 letters, digits, `.`, `_` and `-`")))
        }
        name => Ok(name),
    }
}

/// Which unit is meant, behind an agency's name.
pub(super) fn of(unit: Option<&str>) -> String {
    unit.map(|unit| format!(" ({unit})")).unwrap_or_default()
}

pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// Faults for which the policy folder took no change, as one error.
pub(super) fn refused(faults: &[LoadError]) -> CliError {
    CliError::failed(format_args!("nothing was changed: {}", lines(faults)))
}

fn lines(faults: &[LoadError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
