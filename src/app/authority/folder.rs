//! The folder of officials and approvals, and the memory of what was in force last.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::officials::{Official, OfficialsFile};
use super::proposal::{Approval, Kind};
use super::{judge, not_before};
use crate::config::Config;
use crate::core::ledger::tree::sha256;
use crate::files;

/// What was in force last. It lies beside the log, because like it it must never go back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// Hash of the officials' version.
    pub officials: String,
    /// Its number, from 1.
    pub officials_version: usize,
    /// Policy version; none before the first.
    pub policies: Option<String>,
    /// When those officials came to be in force; unknown where an earlier version wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officials_since: Option<Timestamp>,
    /// The same of the policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies_since: Option<Timestamp>,
}

/// The officials in force.
#[derive(Clone, Debug)]
pub struct Present {
    /// Who.
    pub file: OfficialsFile,
    /// `sha256:HEX` of the file's bytes.
    pub hash: String,
    /// Number of the version, from 1.
    pub version: usize,
    /// When it came to be in force, as far as that is known: nothing that follows it was proposed before.
    pub since: Option<Timestamp>,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct AuthorityFolder {
    issuer: String,
    dir: PathBuf,
    memory: PathBuf,
}

impl AuthorityFolder {
    /// That of an installation.
    pub fn of(config: &Config) -> Self {
        let memory = config.ledger.dir.join(crate::app::memories::AUTHORITY);
        Self { issuer: config.issuer.clone(), dir: config.authority.clone(), memory }
    }

    /// Walks the whole chain of officials' versions, each signed by a quorum of those before, and returns the last. A version that is on record
    /// was judged when it came; one that is not must hold at `now`: who has left office cannot date a change back.
    ///
    /// # Errors
    /// There are none, a link does not hold, or a version that was in force is missing.
    pub fn officials(&self, now: Timestamp) -> Result<Present, String> {
        let mut present = self.version(1)?.ok_or_else(|| {
            format!("there are no officials in `{}`; write officials.toml and run `estelam officials init`", self.dir.display())
        })?;
        let last = self.in_force()?;
        let known = |present: &Present| last.as_ref().is_none_or(|last| last.officials == present.hash);
        let recorded = last.as_ref().map_or(0, |last| last.officials_version);
        let since = |version| last.as_ref().filter(|last| last.officials_version == version).and_then(|last| last.officials_since);
        let mut continues = known(&present);
        present.since = since(present.version);
        while let Some(mut next) = self.version(present.version + 1)? {
            let approval: Approval = read_json(&self.officials_file(next.version, "json"))?;
            let (at, is_new) = (approval.proposal.at, next.version > recorded);
            self.check_link(&present, &next, &approval, if is_new { now } else { at })?;
            if is_new {
                approval.proposal.is_for(&self.issuer).map_err(|what| format!("officials {}: {what}", next.version))?;
            }
            next.since = since(next.version).or(Some(at));
            present = next;
            continues |= known(&present);
        }
        if continues {
            Ok(present)
        } else {
            Err("the officials who were in force last are missing; nobody goes back to earlier ones".into())
        }
    }

    /// Everybody who ever was an official, under each key that they had.
    ///
    /// # Errors
    /// As [`Self::officials`].
    pub fn ever(&self, now: Timestamp) -> Result<Vec<Official>, String> {
        let last = self.officials(now)?.version;
        let versions = (1..=last).map(|version| self.version(version)).collect::<Result<Vec<_>, _>>()?;
        Ok(versions.into_iter().flatten().flat_map(|present| present.file.officials).collect())
    }

    /// Checks that a version follows another lawfully.
    fn check_link(&self, from: &Present, to: &Present, approval: &Approval, now: Timestamp) -> Result<(), String> {
        if to.file.previous.as_ref() != Some(&from.hash) {
            return Err(format!("officials {}: `previous` must be \"{}\"", to.version, from.hash));
        }
        not_before(&approval.proposal, from.since).map_err(|what| format!("officials {}: {what}", to.version))?;
        let before = InForce { officials: from.hash.clone(), officials_version: from.version, ..InForce::default() };
        judge(approval, Kind::Officials, &to.hash, from, Some(&before), now)
            .map(drop)
            .map_err(|what| format!("officials {}: {what}", to.version))
    }

    /// Puts the first officials in place.
    ///
    /// # Errors
    /// There are officials already, or the file is wrong.
    pub fn init(&self, name: &str, text: &str) -> Result<Present, String> {
        if self.version(1)?.is_some() {
            return Err("there are officials already; `propose officials FILE` changes them".to_owned());
        }
        let file = OfficialsFile::parse(name, text)?;
        if file.previous.is_some() {
            return Err(format!("{name}: the first officials follow nobody; remove `previous`"));
        }
        write(&self.officials_file(1, "toml"), text.as_bytes())?;
        self.officials(Timestamp::UNIX_EPOCH)
    }

    /// Puts the next officials in place, approved by those present.
    ///
    /// # Errors
    /// The approval does not hold.
    pub fn put_officials(&self, text: &str, approval: &Approval, now: Timestamp) -> Result<Present, String> {
        let present = self.officials(now)?;
        let version = present.version + 1;
        let file = OfficialsFile::parse("the proposed officials", text)?;
        approval.proposal.is_for(&self.issuer)?;
        self.check_link(&present, &Present { file, hash: version_of(text.as_bytes()), version, since: None }, approval, now)?;
        // The approval first: a version without one would stop everything.
        write_json(&self.officials_file(version, "json"), approval)?;
        write(&self.officials_file(version, "toml"), text.as_bytes())?;
        self.officials(now)
    }

    /// What the log keeps of a version of the officials: its hash, and for all but the first the approval with its signatures.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn statement_of_officials(&self, version: usize) -> Result<serde_json::Value, String> {
        let present = self.version(version)?.ok_or_else(|| format!("officials {version} are missing"))?;
        let path = self.officials_file(version, "json");
        let approval: Option<Approval> = if version > 1 { Some(read_json(&path)?) } else { None };
        Ok(serde_json::json!({ "officials": present.hash, "version": version, "approval": approval }))
    }

    /// The approval of a policy version.
    ///
    /// # Errors
    /// There is none.
    pub fn approval_of_policies(&self, version: &str) -> Result<Approval, String> {
        let path = self.policies_file(version)?;
        if path.exists() { read_json(&path) } else { Err(format!("nobody signed the version `{version}`")) }
    }

    /// Whether an approval lets a policy version take effect after what is in force: signed for this gateway, unless it is in force here already.
    /// Returns who signed.
    ///
    /// # Errors
    /// Why not, as one line.
    pub fn judge_policies(
        &self,
        approval: &Approval,
        version: &str,
        present: &Present,
        last: Option<&InForce>,
        now: Timestamp,
    ) -> Result<BTreeSet<String>, String> {
        let signers = judge(approval, Kind::Policies, version, present, last, now)?;
        let in_force = last.is_some_and(|last| last.policies.as_deref() == Some(version));
        if in_force { Ok(signers) } else { approval.proposal.is_for(&self.issuer).map(|()| signers) }
    }

    /// Keeps the approval of a policy version, where the gateway finds it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn put_policies(&self, approval: &Approval) -> Result<(), String> {
        write_json(&self.policies_file(&approval.proposal.hash)?, approval)
    }

    /// What was in force last.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn in_force(&self) -> Result<Option<InForce>, String> {
        if self.memory.exists() { read_json(&self.memory).map(Some) } else { Ok(None) }
    }

    /// Remembers what is in force.
    ///
    /// # Errors
    /// The file cannot be written; then it must not take effect.
    pub fn remember(&self, in_force: &InForce) -> Result<(), String> {
        write_json(&self.memory, in_force)
    }

    /// The proposal that is being signed, and for officials the file.
    pub fn proposed(&self, kind: Kind, end: &str) -> PathBuf {
        let name = match kind {
            Kind::Policies => "policies",
            Kind::Officials => "officials",
        };
        self.dir.join("proposed").join(format!("{name}.{end}"))
    }

    fn version(&self, version: usize) -> Result<Option<Present>, String> {
        let path = self.officials_file(version, "toml");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let file = OfficialsFile::parse(&path.display().to_string(), &text)?;
                Ok(Some(Present { file, hash: version_of(text.as_bytes()), version, since: None }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("`{}`: {error}", path.display())),
        }
    }

    fn officials_file(&self, version: usize, end: &str) -> PathBuf {
        self.dir.join("officials").join(format!("{version:04}.{end}"))
    }

    fn policies_file(&self, version: &str) -> Result<PathBuf, String> {
        let hex = version.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let hex = hex.ok_or("a version is `sha256:` and 64 hex digits")?;
        Ok(self.dir.join("policies").join(format!("{hex}.json")))
    }
}

/// `sha256:HEX` of a file's bytes.
pub fn version_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    sha256(bytes).iter().fold(String::from("sha256:"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads a JSON file of the folder.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("`{}`: {error}", path.display()))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), String> {
    write(path, &serde_json::to_vec_pretty(value).map_err(|error| error.to_string())?)
}

/// Writes a file so that a reader sees the old one or the new one, never a half, also after the power was lost.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let written = fs::create_dir_all(path.parent().unwrap_or(path)).and_then(|()| files::write_durably(path, bytes));
    written.map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
}

impl AuthorityFolder {
    /// Keeps a proposal with its signatures so far.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn put_proposed(&self, approval: &Approval, officials: Option<&str>) -> Result<(), String> {
        let kind = approval.proposal.kind;
        officials.map_or(Ok(()), |text| write(&self.proposed(kind, "toml"), text.as_bytes()))?;
        write_json(&self.proposed(kind, "json"), approval)
    }

    /// The proposal that is being signed.
    ///
    /// # Errors
    /// There is none.
    pub fn get_proposed(&self, kind: Kind) -> Result<Approval, String> {
        read_json(&self.proposed(kind, "json")).map_err(|what| format!("nothing is proposed: {what}"))
    }
}
