//! `estelam agency enrol`: an agency joins, or one more of its branches or systems does.

use std::path::{Path, PathBuf};

use clap::Args;

use super::home::{self, Home, refused};
use super::list::is_cut;
use super::{ca, kit};
use crate::adapters::enrolment::{self, CheckedRequest, Enrolled, OVERLAP, Register};
use crate::adapters::policy_files;
use crate::cli::place::{Place, read_given, read_given_text, write_atomically};
use crate::cli::{CliError, Failure, request_key};
use crate::core::domain::agency::AgencyId;

/// Enrol an agency, or one more branch or system of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Enrol {
    /// The agency's name
    agency: String,
    /// Its certificate signing request (PEM), for exactly one name: `URI:spiffe://TRUST-DOMAIN/agency/NAME[/branch/BRANCH]`
    #[arg(long, value_name = "FILE", required_unless_present_any = ["certificate", "request_key"])]
    csr: Option<PathBuf>,
    /// The branch or system that the certificate is for; left out: the whole agency
    #[arg(long)]
    branch: Option<String>,
    /// A certificate that an outside authority has signed for an earlier `--csr`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csr", "outside_ca"])]
    certificate: Option<PathBuf>,
    /// Issue nothing; print what an outside authority must sign
    #[arg(long)]
    outside_ca: bool,
    /// The policy file of a new agency (TOML, as in policies/agencies/)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Take the policy of this agency for a new one, with its kind, grants and limits
    #[arg(long, value_name = "AGENCY", conflicts_with = "policy", requires_all = ["fa", "en"])]
    like: Option<String>,
    /// Name of a new agency in Persian
    #[arg(long, requires = "like")]
    fa: Option<String>,
    /// Name of a new agency in English
    #[arg(long, requires = "like")]
    en: Option<String>,
    /// Public half (PEM) of the key that signs the agency's requests, another than the certificate's; also for an agency that is enrolled
    #[arg(long, value_name = "FILE")]
    request_key: Option<PathBuf>,
    /// Where to write the kit; left out: in the folder of enrolments
    #[arg(long, value_name = "FOLDER")]
    kit: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Enrol {
    pub(super) fn run(self) -> Result<(), CliError> {
        let home = Home::of(&self.place)?;
        let agency = home::agency(&self.agency)?;
        let unit = home::unit(self.branch.as_deref())?;
        if let (Some(key), None, None) = (&self.request_key, &self.csr, &self.certificate) {
            let keys = signing_key(key, None)?;
            policy_files::put_request_keys(&home.policies, &agency, &keys).map_err(|faults| refused(&faults))?;
            let (when, left) = home.policies_in_force()?;
            print!("the key signs the requests of {agency}{when}; earlier ones do no more\n{left}");
            return Ok(());
        }
        let _alone = home.alone()?;
        let mut register = home.register(&agency)?;
        if register.retired.is_some() {
            return Err(CliError::failed(format_args!("`{agency}` has left; a name is never given twice")));
        }
        if !register.good(unit, home::now()).is_empty() {
            let rotate = home.command("rotate", &agency, unit, " --csr FILE");
            return Err(CliError::failed(format_args!("`{agency}` has a certificate for this already; to renew it, use `{rotate}`")));
        }
        // The request is judged before anything is written.
        let uri = home.uri(&agency, unit);
        let request = self.csr.as_deref().map(|file| request(&home, file, &uri)).transpose()?;
        let signing = self.request_key.as_deref().map(|file| signing_key(file, request.as_ref())).transpose()?;
        // An enrolment is not said twice: a kit that has no place must be found out before it.
        let made = self.kit.as_deref().map(kit::Made::prepare).transpose()?;
        self.policy_of(&home, &agency, signing.as_deref())?;
        // Before anything is issued: a certificate that nobody may come in with would be in the log and in the register for nothing.
        let snapshot = home.snapshot()?;
        let policy = snapshot.agencies.get(&agency).ok_or_else(|| CliError::failed(format_args!("`{agency}` has no policy")))?;
        if !policy.admits_branch(unit) {
            return Err(CliError::failed(format_args!(
                "the file of `{agency}` does not list `{uri}` in `identities`; add it, then ask again"
            )));
        }
        let certificate = take_up(&home, &agency, unit, request.as_ref(), self.certificate.as_deref(), self.outside_ca, &mut register)?;
        let folder = self.kit.clone().unwrap_or_else(|| place(&home, &agency, unit).join("kit"));
        let folder = kit::write(&home, &folder, certificate.as_deref(), &snapshot, policy)
            .map_err(|error| without_kit(&home, &agency, unit, &error))?;
        made.into_iter().for_each(kit::Made::keep);
        let (when, left) = home.policies_in_force()?;
        println!("{agency}{} is enrolled{when}; its kit lies in {}", home::of(unit), folder.display());
        print!("\n{}", super::words::english(&snapshot, policy));
        if certificate.is_some() {
            println!("\nTo try it, put the private key beside the certificate as key.pem and run: sh {}/ask.sh", folder.display());
        }
        print!("{left}");
        Ok(())
    }

    /// Writes the policy file of a new agency; one that is there stays.
    fn policy_of(&self, home: &Home, agency: &AgencyId, signing: Option<&str>) -> Result<(), CliError> {
        let known = home.policies.join(format!("agencies/{agency}.toml")).exists();
        let text = match (&self.policy, &self.like) {
            (None, None) if known => {
                let put = signing.map_or(Ok(()), |keys| policy_files::put_request_keys(&home.policies, agency, keys));
                return put.map_err(|faults| refused(&faults));
            }
            (None, None) => {
                return Err(CliError::usage(format_args!(
                    "`{agency}` is new: give its policy with `--policy FILE`, or `--like AGENCY --fa NAME --en NAME`"
                )));
            }
            _ if known => return Err(CliError::usage(format_args!("`{agency}` has a policy already; change its file instead"))),
            (Some(file), _) => read_given_text(file)?,
            (None, Some(other)) => self.like(home, agency, &home::agency(other)?)?,
        };
        policy_files::put_agency(&home.policies, agency, &text, signing).map_err(|faults| refused(&faults))
    }

    /// The other agency's file with this one's names.
    fn like(&self, home: &Home, agency: &AgencyId, other: &AgencyId) -> Result<String, CliError> {
        let file = home.policies.join(format!("agencies/{other}.toml"));
        let text = std::fs::read_to_string(&file).doing(format_args!("cannot read `{}`", file.display()))?;
        let quoted = |name: &Option<String>| toml_string(name.as_deref().unwrap_or_default());
        let lines = [
            ("id", toml_string(agency.as_str())),
            ("fa", quoted(&self.fa)),
            ("en", quoted(&self.en)),
            ("identities", format!("[{}]", toml_string(&home.uri(agency, None)))),
            ("suspended", "false".to_owned()),
        ];
        let mut at_top = true;
        let changed = text.lines().map(|line| {
            at_top &= !line.starts_with('[');
            let own = lines.iter().find(|(key, _)| at_top && line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')));
            own.map_or_else(|| line.to_owned(), |(key, value)| format!("{key} = {value}"))
        });
        // The heading is the other agency's.
        let kept: Vec<String> = changed.skip_while(|line| line.starts_with('#') || line.is_empty()).collect();
        Ok(format!("{HEADING}\n\n{}\n", kept.join("\n")))
    }
}

/// The kit failed after the enrolment: whoever reads this must not believe that nothing happened, nor ask for the enrolment again.
fn without_kit(home: &Home, agency: &AgencyId, unit: Option<&str>, error: &CliError) -> CliError {
    let lies = place(home, agency, unit).join("cert.pem");
    CliError::failed(format_args!(
        "`{agency}` is enrolled, but its kit is not whole: {error}; its certificate, if one was issued, is `{}`",
        lies.display()
    ))
}

/// What stands at the top of every agency's file: who owns it and how it is checked.
const HEADING: &str = "\
# صاحب پرونده: واحد قرارداد با دستگاه‌ها. وارسی: estelam policy check (هر خطا با نام پرونده و شمارهٔ سطر) و سپس estelam policy test
# Owner: the unit that keeps the contracts with agencies. Check: `estelam policy check` (file and line of every fault), then `estelam policy test`.
# One file per agency; the file is named after `id`. Every change is checked as a whole before it takes effect.";

/// The key set of a new key for requests, which must not be the certificate's.
fn signing_key(file: &Path, request: Option<&CheckedRequest>) -> Result<String, CliError> {
    let key = request_key::read_public(file)?;
    if request.is_some_and(|request| request.public_key.windows(key.bytes().len()).any(|part| part == key.bytes())) {
        return Err(CliError::failed(
            "the key for requests is the certificate's; whoever has one must not have the other, so make another",
        ));
    }
    request_key::set(&[&key])
}

/// A TOML basic string.
fn toml_string(text: &str) -> String {
    // JSON's escapes are TOML's too.
    serde_json::Value::from(text).to_string()
}

/// Where the things of an agency's certificate are kept.
pub(super) fn place(home: &Home, agency: &AgencyId, unit: Option<&str>) -> PathBuf {
    home.enrolment.join(agency.as_str()).join(unit.map_or_else(|| "agency".to_owned(), |unit| format!("branch-{unit}")))
}

/// Reads a request and checks it against the whitelist, and its key against all that are known.
pub(super) fn request(home: &Home, file: &Path, uri: &str) -> Result<CheckedRequest, CliError> {
    let pem = read_given(file)?;
    let request = enrolment::check(&pem, uri).doing(format_args!("`{}`", file.display()))?;
    ca::unused(home, &request.public_key).map(|()| request)
}

/// Issues a certificate, or takes one up, or prints what an outside authority must sign; says the certificate, if there is one now.
pub(super) fn take_up(
    home: &Home,
    agency: &AgencyId,
    unit: Option<&str>,
    request: Option<&CheckedRequest>,
    certificate: Option<&Path>,
    outside: bool,
    register: &mut Register,
) -> Result<Option<String>, CliError> {
    let uri = home.uri(agency, unit);
    let folder = place(home, agency, unit);
    std::fs::create_dir_all(&folder).doing(format_args!("cannot make `{}`", folder.display()))?;
    let wanted_key = folder.join("requested-key.hex");
    let (pem, key) = match (request, certificate) {
        (Some(request), None) => {
            let development = if outside { None } else { ca::development(home)? };
            let Some(authority) = development else {
                write_atomically(&wanted_key, enrolment::hex(&request.public_key).as_bytes())?;
                println!("{}", ca::instructions(request));
                return Ok(None);
            };
            (authority.sign(&request.public_key, &uri).doing("the certificate")?, Some(enrolment::hex(&request.public_key)))
        }
        (_, Some(file)) => {
            let pem = read_given_text(file)?;
            let key = std::fs::read_to_string(&wanted_key).doing("there is no request for this; begin with `--csr FILE --outside-ca`")?;
            (pem, Some(key))
        }
        (None, None) => return Err(CliError::usage("give `--csr FILE` or `--certificate FILE`")),
    };
    let facts = ca::accepted(home, pem.as_bytes(), &uri, None)?;
    if key.is_some_and(|key| key != enrolment::hex(&facts.public_key)) {
        return Err(CliError::failed("the certificate is for another key than the one in the request"));
    }
    // What came from outside may have taken days; somebody else may have come with the same key meanwhile.
    ca::unused(home, &facts.public_key)?;
    let now = home::now();
    // One that is cut off is not counted: it must not keep the agency from getting one that works.
    let cut = home.cut_off()?;
    if register.good(unit, now).iter().filter(|one| !is_cut(&cut, one)).count() >= OVERLAP {
        let finish = home.command("rotate", agency, unit, " --finish");
        return Err(CliError::failed(format_args!("two certificates are good already; end the older one with `{finish}`")));
    }
    if !register.add(Enrolled::new(&facts, unit, now)) {
        return Err(CliError::failed("this certificate is in the register already"));
    }
    home.save(agency, register)?;
    // Whoever has a certificate can be found in the log: it is handed out after its entry.
    if let Err(error) = home.certificates_recorded() {
        register.certificates.pop();
        home.save(agency, register)?;
        return Err(CliError::failed(format_args!("no certificate was handed out, since it is not in the access log: {error}")));
    }
    write_atomically(&folder.join("cert.pem"), pem.as_bytes())?;
    Ok(Some(pem))
}
