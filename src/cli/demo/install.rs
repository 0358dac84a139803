//! What a demo folder needs before anything starts: certificates, keys, policies, a filled registry. What is there stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::cases::{Case, CaseRegister};
use crate::adapters::clock::SystemClock;
use crate::adapters::enrolment::{self, Enrolled, Register};
use crate::adapters::keys::KeyRing;
use crate::adapters::pki::DevPki;
use crate::adapters::policy_files;
use crate::app::pushing::make_event_key;
use crate::cli::place::{AgencyFiles, write_atomically, write_private};
use crate::cli::{CliError, Failure, registry, request_key, trail_key};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use crate::core::ledger::retention;
use crate::registry::holder::KEY_FILE;

/// The agencies of the demo (contract §1).
pub(super) const AGENCIES: [&str; 9] = ["school", "clinic", "insurer", "bank", "telecom", "kefalat", "security-auditor", "dpo", "operator"];

/// Our own parts: each has a certificate as a listener and one as the other's client.
const PARTS: [&str; 2] = ["gateway", "registry"];

/// Examples to try by hand, beside the registry's store.
pub(super) const NUMBER: &str = "example-number.txt";
pub(super) const QUERY: &str = "example-query.json";

/// How often the demo looks whether a revocation list is due.
const LISTS_EVERY: Duration = Duration::from_secs(3600);

/// How long the demo's cases are open: a year.
const CASE_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(365 * 24);

/// Generated people besides the fixtures.
const PEOPLE: u64 = 10_000;
const SEED: u64 = 1402;

/// Where an agency's certificate lies, relative to the demo's folder.
pub(super) fn agency_files(name: &str) -> AgencyFiles {
    let folder = PathBuf::from("pki").join(name);
    AgencyFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem"), request_key: Some(folder.join("request-key.pem")) }
}

/// Makes what is missing.
pub(super) fn everything(dir: &Path) -> Result<(), CliError> {
    certificates(&dir.join("pki"), Arc::new(SystemClock)).map(drop)?;
    make_event_key(dir).doing("the key of the registry's events")?;
    registers(dir)?;
    KeyRing::create_or_open(&dir.join("keys")).doing("the signing keys")?;
    officer_keys(&dir.join("pki").join("dpo"), &dir.join("pki/dpo/trail.key"))?;
    officer_keys(&dir.join("pki").join("holder"), &dir.join("registry").join(KEY_FILE))?;
    policy_files::install(&dir.join("policies")).doing("cannot write the policy files")?;
    cases(&dir.join("cases"))?;
    request_keys(dir)?;
    registry::fill_demo(dir, PEOPLE, SEED)?;
    registry::register_demo_sim(dir)?;
    examples(&dir.join("registry"))
}

/// A fixture number and a whole query, to try by hand. They lie with the registry, where alone numbers may lie, so that nothing
/// that the demo prints holds one.
fn examples(dir: &Path) -> Result<(), CliError> {
    write_atomically(&dir.join(NUMBER), b"A170000001\n")?;
    let query = serde_json::json!({
        "identifier": { "scheme": "amayesh-no", "value": "A170000001" },
        "service": "bank-card",
        "purpose": "account-maintenance",
        "actor": "teller-17",
        "check": { "birth_year": 1370, "calendar": "jalali" },
    });
    write_atomically(&dir.join(QUERY), format!("{query:#}\n").as_bytes())
}

/// A key pair to which trail keys are sealed: the data-protection officer's, or that of the registry's desk for holders. In an installation the
/// private half is never on this machine.
fn officer_keys(dir: &Path, private_file: &Path) -> Result<(), CliError> {
    let public_file = dir.join("trail.pub");
    if public_file.exists() {
        return Ok(());
    }
    // While the public half is missing nothing is sealed to it: both are made anew, also where a crash left the private one.
    if private_file.exists() {
        std::fs::remove_file(private_file).doing(format_args!("cannot replace `{}`", private_file.display()))?;
    }
    for folder in [Some(dir), private_file.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).doing(format_args!("cannot make `{}`", folder.display()))?;
    }
    trail_key::make(private_file, &public_file)
}

/// A key for the requests of every agency, and its public half beside the agency's file. In an installation the agency makes it.
fn request_keys(dir: &Path) -> Result<(), CliError> {
    for name in AGENCIES {
        let Some(file) = agency_files(name).request_key.map(|file| dir.join(file)).filter(|file| !file.exists()) else { continue };
        let (private, public) = request_key::generate()?;
        // The private half last: while it is missing, both are made anew.
        write_atomically(&dir.join(format!("policies/agencies/{name}.request-jwks.json")), public.as_bytes())?;
        write_private(&file, private.as_bytes())?;
    }
    Ok(())
}

/// Two open cases for the data-protection officer, to try a trail with.
fn cases(dir: &Path) -> Result<(), CliError> {
    let register = CaseRegister::new(dir);
    let now = SystemClock.now();
    for number in ["case-1", "case-4711"] {
        if register.find(number).doing("the register of cases")?.is_none() {
            let until = retention::day_of(now + CASE_FOR);
            let reason = "to try the demo with".to_owned();
            let case = Case { number: number.to_owned(), reason, office: "dpo".to_owned(), opened: now, until, closed: None };
            register.open(&case).doing("the register of cases")?;
        }
    }
    Ok(())
}

/// Issues new revocation lists before the old ones end; the gateway takes them up by itself.
pub(super) async fn keep_lists_fresh(dir: PathBuf) {
    loop {
        tokio::time::sleep(LISTS_EVERY).await;
        if let Err(error) = certificates(&dir, Arc::new(SystemClock)) {
            tracing::error!("the revocation lists are not renewed: {error}");
        }
    }
}

/// Takes the agencies' certificates up in their registers, so that everybody sees when they end.
fn registers(dir: &Path) -> Result<(), CliError> {
    let folder = dir.join("enrolment");
    for name in AGENCIES {
        let pem = std::fs::read(dir.join(agency_files(name).cert)).doing(format_args!("the certificate of `{name}`"))?;
        let Some(facts) = enrolment::of_pem(&pem) else { continue };
        let mut register = Register::open(&folder, name).doing("the register of certificates")?;
        if register.add(Enrolled::new(&facts, None, SystemClock.now())) {
            register.save(&folder, name).doing("the register of certificates")?;
        }
    }
    Ok(())
}

fn certificates(dir: &Path, clock: Arc<dyn Clock>) -> Result<DevPki, CliError> {
    let pki = DevPki::create_or_open(dir, clock).doing("the development certificates")?;
    for name in PARTS {
        pki.issue_server(name).doing(format_args!("the certificate of `{name}`"))?;
        pki.issue_service(name).doing(format_args!("the certificate of `{name}` as a client"))?;
    }
    for name in AGENCIES {
        let agency = AgencyId::parse(name).ok_or_else(|| CliError::failed(format_args!("`{name}` is not an agency's name")))?;
        pki.issue_agency(&agency, None).doing(format_args!("the certificate of `{name}`"))?;
    }
    pki.refresh_crls().doing("the revocation lists")?;
    Ok(pki)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::adapters::clock::ManualClock;
    use crate::adapters::tls::crl::CrlSet;

    /// What a demo that goes on and on does once an hour, hour by hour.
    #[test]
    fn a_running_demo_renews_its_lists_at_half_of_their_life_and_is_never_without_a_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-24T10:00:00Z".parse().unwrap()));
        let dir = folder.path();
        let lists = || ["root", "intermediate"].map(|name| std::fs::read(dir.join(format!("crl/{name}.crl.pem"))).unwrap());
        certificates(dir, clock.clone()).unwrap();
        let mut renewals = 0;
        let mut before = lists();
        for hour in 1..=24 * 15 {
            clock.set(clock.now() + LISTS_EVERY);
            certificates(dir, clock.clone()).unwrap();
            let files = [dir.join("ca.pem"), dir.join("intermediate.pem")];
            let files = [files[0].as_path(), files[1].as_path()];
            let set = CrlSet::of(&dir.join("crl"), Vec::new(), &files, jiff::SignedDuration::ZERO, clock.now()).unwrap();
            assert_eq!(set.assurance(clock.now()), crate::core::domain::assurance::Assurance::Current, "hour {hour}");
            let now = lists();
            renewals += u32::from(now != before);
            before = now;
        }
        assert_eq!(renewals, 4, "every three and a half days");
    }

    #[test]
    fn crash_between_the_two_halves_of_an_officers_key_is_mended_by_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let (public, private) = (dir.path().join("trail.pub"), dir.path().join("trail.key"));
        officer_keys(dir.path(), &private).unwrap();
        let first = std::fs::read(&private).unwrap();
        officer_keys(dir.path(), &private).unwrap();
        assert_eq!(std::fs::read(&private).unwrap(), first, "what is there stays");
        std::fs::remove_file(&public).unwrap();
        officer_keys(dir.path(), &private).unwrap();
        assert!(public.exists() && std::fs::read(&private).unwrap() != first);
    }
}
