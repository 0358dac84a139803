//! What officials sign: which rules, in which gateway, after which others, under which officials, when. No signature fits another file or another kind.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::officials::OfficialsFile;
use crate::registry::decrees::OfficialKey;

/// A proposal made on a machine whose clock is this far ahead is still taken.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_secs(10);

/// What is put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The policy folder as a whole, agency files included.
    Policies,
    /// A version of the officials.
    Officials,
}

/// The signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// What it is.
    pub kind: Kind,
    /// The gateway in which it shall take effect, by its `issuer`; none in what an earlier version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// `sha256:HEX` of what shall take effect.
    pub hash: String,
    /// The same of what it replaces; none for the first.
    pub previous: Option<String>,
    /// The version of the officials who sign.
    pub officials: String,
    /// When it was proposed.
    pub at: Timestamp,
}

/// A proposal and who signed it so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What is signed.
    pub proposal: Proposal,
    /// By whom.
    pub signatures: Vec<Signature>,
}

/// A detached Ed25519 signature of one official.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Id of the official.
    pub by: String,
    /// Base64.
    pub signature: String,
}

impl Proposal {
    /// The bytes that officials sign: canonical JSON (RFC 8785) under a name of its own.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn signed_bytes(&self) -> Result<Vec<u8>, String> {
        let json = serde_json_canonicalizer::to_vec(self).map_err(|error| error.to_string())?;
        Ok([b"estelam approval v1\n".as_slice(), &json].concat())
    }

    /// Whether it was signed for this gateway. Two may have the same officials under the same rules, one for trials and one for good: what was
    /// signed in one must have no effect in the other.
    ///
    /// # Errors
    /// It names another gateway or none. What is on record here already took effect here, and need not be asked.
    pub fn is_for(&self, issuer: &str) -> Result<(), String> {
        match self.issuer.as_deref() {
            Some(named) if named == issuer => Ok(()),
            Some(named) => Err(format!("it was signed for the gateway `{named}`, not for `{issuer}`; propose and sign it here")),
            None => Err("it names no gateway; propose and sign it anew".to_owned()),
        }
    }
}

impl Approval {
    /// Adds an official's signature.
    ///
    /// # Errors
    /// The key is no official's, the official is out of office or signed already.
    pub fn sign(&mut self, officials: &OfficialsFile, key: &OfficialKey, now: Timestamp) -> Result<String, String> {
        let official = officials.officials.iter().find(|official| official.holds(key.public()));
        let official = official.ok_or("this key belongs to no official; `estelam officials list` shows them")?;
        if !official.in_office(now) {
            return Err(format!(
                "`{}` is in office from {} to {}, not today; another official must sign",
                official.id, official.from, official.to
            ));
        }
        if self.signatures.iter().any(|signature| signature.by == official.id) {
            return Err(format!("`{}` signed this already; another official must", official.id));
        }
        let signature = STANDARD.encode(key.sign(&self.proposal.signed_bytes()?));
        self.signatures.push(Signature { by: official.id.clone(), signature });
        Ok(official.id.clone())
    }

    /// Checks that a quorum signed, each in office when it was proposed and at `now`. Returns who.
    ///
    /// # Errors
    /// What is missing; one signature that does not hold makes the whole bad.
    pub fn signers(&self, officials: &OfficialsFile, now: Timestamp) -> Result<BTreeSet<String>, String> {
        let message = self.proposal.signed_bytes()?;
        if self.proposal.at.duration_since(now) > AHEAD {
            return Err(format!("it was proposed at {}, which is still to come; look at the clock", self.proposal.at));
        }
        let mut signers = BTreeSet::new();
        for Signature { by, signature } in &self.signatures {
            let official = officials.get(by).ok_or_else(|| format!("`{by}` is no official"))?;
            if !official.signed(&message, &STANDARD.decode(signature).unwrap_or_default()) {
                return Err(format!("the signature of `{by}` does not hold"));
            }
            if !official.in_office(self.proposal.at) || !official.in_office(now) {
                return Err(format!("`{by}` is not in office; propose and sign it anew with those who are"));
            }
            if !signers.insert(by.clone()) {
                return Err(format!("`{by}` is in it twice"));
            }
        }
        if signers.len() < officials.quorum {
            return Err(format!("{} of {} officials signed; the others run `estelam officials sign`", signers.len(), officials.quorum));
        }
        Ok(signers)
    }
}
