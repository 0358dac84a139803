//! What the list says, and how it is asked on the request path: a few look-ups in small maps, mostly empty ones.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::core::identity::PeerChain;

/// Everything that is cut off here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutOffList {
    /// By agency.
    pub agencies: BTreeMap<String, AgencyCut>,
    /// Certificates by the SHA-256 of their DER (hexadecimal), and since when.
    pub certificates: BTreeMap<Thumbprint, Timestamp>,
}

/// What of one agency is cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgencyCut {
    /// All of it.
    #[serde(default)]
    pub suspended: bool,
    /// These branches.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub branches: BTreeSet<String>,
    /// Tokens issued before this instant: what was handed out before a suspension stays dead after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_before: Option<Timestamp>,
    /// The same of a branch's tokens alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub branch_tokens_before: BTreeMap<String, Timestamp>,
}

/// SHA-256 of a certificate, hexadecimal in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint(pub [u8; 32]);

impl CutOffList {
    /// Cuts an agency off and every token that it has, or one of its branches and that one's tokens.
    pub fn suspend(&mut self, agency: &str, branch: Option<&str>, now: Timestamp) {
        let cut = self.agencies.entry(agency.to_owned()).or_default();
        if let Some(branch) = branch {
            cut.branches.insert(branch.to_owned());
            cut.branch_tokens_before.insert(branch.to_owned(), after(now));
        } else {
            cut.suspended = true;
            cut.tokens_before = Some(after(now));
        }
    }

    /// Lets an agency ask again, or one of its branches; says whether anything was cut off. Tokens from before stay dead.
    pub fn resume(&mut self, agency: &str, branch: Option<&str>) -> bool {
        let Some(cut) = self.agencies.get_mut(agency) else { return false };
        match branch {
            Some(branch) => cut.branches.remove(branch),
            None => std::mem::take(&mut cut.suspended),
        }
    }

    /// Kills every token that an agency has.
    pub fn revoke_tokens(&mut self, agency: &str, now: Timestamp) {
        self.agencies.entry(agency.to_owned()).or_default().tokens_before = Some(after(now));
    }

    /// Cuts one certificate off for ever.
    pub fn cut_certificate(&mut self, thumbprint: [u8; 32], now: Timestamp) {
        self.certificates.entry(Thumbprint(thumbprint)).or_insert(now);
    }

    /// What either list cuts off.
    pub fn joined(&self, other: Self) -> Self {
        let mut joined = other;
        for (agency, cut) in &self.agencies {
            let into = joined.agencies.entry(agency.clone()).or_default();
            into.suspended |= cut.suspended;
            into.branches.extend(cut.branches.iter().cloned());
            into.tokens_before = into.tokens_before.max(cut.tokens_before);
            for (branch, before) in &cut.branch_tokens_before {
                let later = into.branch_tokens_before.entry(branch.clone()).or_insert(*before);
                *later = (*later).max(*before);
            }
        }
        joined.certificates.extend(&self.certificates);
        joined
    }

    /// Names what the list says: `sha256:` and hex.
    pub fn version(&self) -> String {
        // Plain maps and strings: writing them into memory cannot fail.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
        format!("sha256:{}", digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// Whether the agency, or the branch that the certificate names, is cut off.
    pub fn bars(&self, peer: &PeerChain) -> bool {
        self.agencies
            .get(peer.agency.as_str())
            .is_some_and(|cut| cut.suspended || peer.branch.as_deref().is_some_and(|branch| cut.branches.contains(branch)))
    }

    /// Whether this certificate is cut off.
    pub fn bars_certificate(&self, thumbprint: &[u8; 32]) -> bool {
        !self.certificates.is_empty() && self.certificates.contains_key(&Thumbprint(*thumbprint))
    }

    /// The same of one that is named as registers name it: by hexadecimal digits.
    pub fn bars_named(&self, sha256: &str) -> bool {
        Thumbprint::try_from(sha256.to_owned()).is_ok_and(|thumbprint| self.bars_certificate(&thumbprint.0))
    }

    /// Whether a token of an agency, or of the branch that its certificate names, is dead if it was issued at an instant.
    pub fn bars_token(&self, agency: &str, branch: Option<&str>, issued_at: Timestamp) -> bool {
        let Some(cut) = self.agencies.get(agency) else { return false };
        let of_branch = branch.and_then(|branch| cut.branch_tokens_before.get(branch)).copied();
        cut.tokens_before.max(of_branch).is_some_and(|before| issued_at < before)
    }
}

/// Tokens tell their instant in whole seconds: one of this very second counts as older.
fn after(now: Timestamp) -> Timestamp {
    let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
    whole.checked_add(SignedDuration::from_secs(1)).unwrap_or(whole)
}

impl TryFrom<String> for Thumbprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a certificate is named by 64 hexadecimal digits: the SHA-256 of its DER";
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(WRONG);
        }
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(WRONG)?;
        }
        Ok(Self(bytes))
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn tokens_from_before_a_suspension_stay_dead_after_it() {
        let mut list = CutOffList::default();
        list.suspend("bank", None, at(100));
        assert!(list.resume("bank", None) && !list.resume("bank", None));
        assert!(list.bars_token("bank", None, at(99)) && list.bars_token("bank", Some("north"), at(100)));
        assert!(!list.bars_token("bank", None, at(101)) && !list.bars_token("school", None, at(1)));
    }

    #[test]
    fn a_branch_loses_its_own_tokens_and_no_others() {
        let mut list = CutOffList::default();
        list.suspend("bank", Some("north"), at(100));
        assert!(list.resume("bank", Some("north")));
        assert!(list.bars_token("bank", Some("north"), at(100)) && !list.bars_token("bank", Some("north"), at(101)));
        assert!(!list.bars_token("bank", Some("south"), at(1)) && !list.bars_token("bank", None, at(1)));
        // Whatever an older list says, what was dead stays so.
        let mut older = CutOffList::default();
        older.suspend("bank", Some("north"), at(50));
        for joined in [list.joined(older.clone()), older.joined(list)] {
            assert!(joined.bars_token("bank", Some("north"), at(100)));
        }
    }

    #[test]
    fn the_file_says_the_same_when_read_again() {
        let mut list = CutOffList::default();
        list.suspend("bank", Some("north"), at(100));
        list.cut_certificate([0xab; 32], at(7));
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(serde_json::from_str::<CutOffList>(&text).unwrap(), list);
        for broken in ["", "{", "{}", "[]", r#"{"agency":{}}"#, r#"{"certificates":{"AB":"1970-01-01T00:00:00Z"}}"#] {
            assert!(serde_json::from_str::<CutOffList>(broken).is_err(), "{broken}");
        }
    }
}
