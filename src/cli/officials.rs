//! `estelam officials`: rules take effect by the signatures of officials. Whoever proposes needs no key; whoever signs is told what changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::line_diff::changes;
use super::place::Place;
use super::{CliError, Failure};
use crate::adapters::clock::SystemClock;
use crate::adapters::policy_files::{Archive, PolicyStore, read};
use crate::app::authority::{Approval, AuthorityFolder, Kind, OfficialsFile, Proposal, version_of};
use crate::config::Config;
use crate::core::domain::clock::Clock as _;
use crate::core::policy::Snapshot;

/// Officials.
#[derive(Debug, Subcommand)]
pub(super) enum OfficialsVerb {
    /// Put the first officials in place, from a file that you wrote
    Init {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Show who the officials are
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show in words what is proposed, and who signed it
    Show(Of),
    /// Propose the policy folder as it is now, or new officials
    Propose {
        /// The new officials' file, for `officials`
        #[arg(long)]
        file: Option<PathBuf>,
        #[command(flatten)]
        of: Of,
    },
    /// Sign what is proposed
    Sign {
        /// Your private key, PKCS#8 PEM
        #[arg(long)]
        key: PathBuf,
        #[command(flatten)]
        of: Of,
    },
    /// Let it take effect, if enough officials signed
    Apply(Of),
}

/// What it is about.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// What it is about
    #[arg(default_value = "policies")]
    what: What,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Policies,
    Officials,
}

impl Of {
    const fn kind(&self) -> Kind {
        match self.what {
            What::Policies => Kind::Policies,
            What::Officials => Kind::Officials,
        }
    }
}

impl OfficialsVerb {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Init { file, place } => init(&file, &place)?,
            Self::List { place, json } => list(&place, json)?,
            Self::Show(of) => show(&of)?,
            Self::Propose { file, of } => propose(file.as_deref(), &of)?,
            Self::Sign { key, of } => sign(&key, &of)?,
            Self::Apply(of) => apply(&of)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn init(file: &std::path::Path, place: &Place) -> Result<(), CliError> {
    let text = std::fs::read_to_string(file).doing(format_args!("cannot read `{}`", file.display()))?;
    let present = AuthorityFolder::of(&place.config()?).init(&file.display().to_string(), &text).doing("no officials")?;
    println!("officials {} ({}) are in force; propose the policies next", present.version, present.hash);
    Ok(())
}

fn list(place: &Place, as_json: bool) -> Result<(), CliError> {
    let now = SystemClock.now();
    let present = AuthorityFolder::of(&place.config()?).officials(now).doing("the officials")?;
    if as_json {
        let officials = present
            .file
            .officials
            .iter()
            .map(|one| json!({ "id": one.id, "role": one.role, "from": one.from, "to": one.to, "in_office": one.in_office(now) }));
        let officials: Vec<_> = officials.collect();
        let (version, hash, quorum) = (present.version, &present.hash, present.file.quorum);
        println!("{}", json!({ "version": version, "hash": hash, "quorum": quorum, "officials": officials }));
        return Ok(());
    }
    println!("version {}, {}; {} must sign", present.version, present.hash, present.file.quorum);
    for official in &present.file.officials {
        let note = if official.in_office(now) { "" } else { "  NOT IN OFFICE" };
        println!("{:<20} {} to {}  {}{note}", official.id, official.from, official.to, official.role);
    }
    Ok(())
}

fn propose(file: Option<&std::path::Path>, of: &Of) -> Result<(), CliError> {
    let config = of.place.config()?;
    let folder = AuthorityFolder::of(&config);
    let present = folder.officials(SystemClock.now()).doing("the officials")?;
    let text = match (of.what, file) {
        (What::Policies, None) => None,
        (What::Officials, Some(file)) => Some(std::fs::read_to_string(file).doing(format_args!("cannot read `{}`", file.display()))?),
        (What::Policies, Some(_)) => return Err(CliError::usage("`--file` is for `propose officials`; policies are proposed as they are")),
        (What::Officials, None) => return Err(CliError::usage("name the new officials: `--file officials.toml`")),
    };
    let (hash, previous) = match &text {
        None => (policy_version(&config)?, folder.in_force().doing("what is in force")?.and_then(|last| last.policies)),
        Some(text) => {
            let new = OfficialsFile::parse("the new officials", text).doing("nothing is proposed")?;
            if new.previous.as_ref() != Some(&present.hash) {
                return Err(CliError::failed(format_args!("the new officials must say `previous = \"{}\"`", present.hash)));
            }
            (version_of(text.as_bytes()), Some(present.hash.clone()))
        }
    };
    let (kind, issuer) = (of.kind(), Some(config.issuer.clone()));
    let proposal = Proposal { kind, issuer, hash, previous, officials: present.hash, at: SystemClock.now() };
    folder.put_proposed(&Approval { proposal, signatures: Vec::new() }, text.as_deref()).doing("nothing is proposed")?;
    show(of)
}

fn show(of: &Of) -> Result<(), CliError> {
    let config = of.place.config()?;
    let folder = AuthorityFolder::of(&config);
    let approval = folder.get_proposed(of.kind()).doing("nothing to show")?;
    describe(&config, &folder, &approval)
}

fn sign(key: &std::path::Path, of: &Of) -> Result<(), CliError> {
    let config = of.place.config()?;
    let folder = AuthorityFolder::of(&config);
    let key = crate::registry::decrees::OfficialKey::read(key).doing("the official's key")?;
    let present = folder.officials(SystemClock.now()).doing("the officials")?;
    let mut approval = folder.get_proposed(of.kind()).doing("not signed")?;
    unchanged(&config, &folder, &approval)?;
    describe(&config, &folder, &approval)?;
    let by = approval.sign(&present.file, &key, SystemClock.now()).doing("not signed")?;
    folder.put_proposed(&approval, None).doing("not signed")?;
    println!("signed by {by}: {} of {}", approval.signatures.len(), present.file.quorum);
    Ok(())
}

fn apply(of: &Of) -> Result<(), CliError> {
    let config = of.place.config()?;
    let folder = AuthorityFolder::of(&config);
    let approval = folder.get_proposed(of.kind()).doing("nothing changes")?;
    unchanged(&config, &folder, &approval)?;
    let now = SystemClock.now();
    if matches!(of.what, What::Officials) {
        let text = std::fs::read_to_string(folder.proposed(Kind::Officials, "toml")).doing("the proposed officials")?;
        let present = folder.put_officials(&text, &approval, now).doing("nothing changes")?;
        println!("officials {} are in force; sign the policies anew before the next start of the gateway", present.version);
        return Ok(());
    }
    let (present, last) = (folder.officials(SystemClock.now()).doing("the officials")?, folder.in_force().doing("what is in force")?);
    folder.judge_policies(&approval, &approval.proposal.hash, &present, last.as_ref(), now).doing("nothing changes")?;
    folder.put_policies(&approval).doing("nothing changes")?;
    println!("approved; a running gateway records it and takes it up within a moment, one that starts does so then");
    Ok(())
}

/// What was proposed must be what lies there, and for this gateway: nobody signs, and nothing applies, what was changed meanwhile.
fn unchanged(config: &Config, folder: &AuthorityFolder, approval: &Approval) -> Result<(), CliError> {
    approval.proposal.is_for(&config.issuer).doing("nothing is signed or applied")?;
    let now = match approval.proposal.kind {
        Kind::Policies => policy_version(config)?,
        Kind::Officials => version_of(&std::fs::read(folder.proposed(Kind::Officials, "toml")).doing("the proposed officials")?),
    };
    if now == approval.proposal.hash { Ok(()) } else { Err(CliError::failed("it was changed after it was proposed; propose it anew")) }
}

/// The version of the policy folder, which must be one that the gateway would load.
fn policy_version(config: &Config) -> Result<String, CliError> {
    let store = PolicyStore::open(&config.policies)
        .map_err(|faults| CliError::failed(faults.first().map_or_else(|| "the policies are not usable".to_owned(), ToString::to_string)))?;
    let current = store.current();
    if let Some(fault) = current.demo_only.first().filter(|_| !config.demo) {
        return Err(CliError::failed(fault));
    }
    let right = current.may_follow(in_force(config).as_ref()).and_then(|()| current.is_of(&config.trust_domain));
    let faults = right.err().unwrap_or_default();
    faults.first().map_or(Ok(current.version.to_string()), |fault| Err(CliError::failed(fault)))
}

/// The policies in force, as the archive keeps them; `None` where there are none yet.
fn in_force(config: &Config) -> Option<Snapshot> {
    let version = AuthorityFolder::of(config).in_force().ok().flatten()?.policies?;
    Archive::new(config.archive.clone()).policy(&version).ok()
}

fn describe(config: &Config, folder: &AuthorityFolder, approval: &Approval) -> Result<(), CliError> {
    let proposal = &approval.proposal;
    println!("proposed at {} for {}: {}", proposal.at, proposal.issuer.as_deref().unwrap_or("no gateway"), proposal.hash);
    match proposal.kind {
        Kind::Officials => {
            let text = std::fs::read_to_string(folder.proposed(Kind::Officials, "toml")).doing("the proposed officials")?;
            let new = OfficialsFile::parse("the proposed officials", &text).doing("the proposed officials")?;
            println!("new officials, {} of whom must sign:", new.quorum);
            new.officials.iter().for_each(|one| println!("  {} ({}), {} to {}", one.id, one.role, one.from, one.to));
        }
        Kind::Policies => {
            let new = read(&config.policies).map_err(|_| CliError::failed("the policy folder cannot be read"))?;
            let archive = Archive::new(config.archive.clone());
            let old = match &proposal.previous {
                Some(previous) => archive.policy_files(previous).doing("the policies in force")?,
                None => BTreeMap::new(),
            };
            changes(&old, &new).iter().for_each(|line| println!("  {line}"));
        }
    }
    approval.signatures.iter().for_each(|signature| println!("signed by {}", signature.by));
    Ok(())
}
