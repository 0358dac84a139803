//! What the signatures under a list of decrees come to, and what is left of the list without those that are not signed as they must be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::domain::decree::{Decree, DecreeSet};
use crate::core::registry::signing::Step;
use crate::core::registry::wire::DecreesAnswer;

/// Says of a list who signed it, decree by decree. It may take its time, and is asked on a thread that may block.
pub type JudgeDecrees = Arc<dyn Fn(&DecreesAnswer) -> SignedDecrees + Send + Sync>;

/// What the signatures under a list came to.
#[derive(Clone, Debug, Default)]
pub struct SignedDecrees {
    /// Who signed each decree of which every step is signed, by its id.
    pub by: BTreeMap<String, DecreeSigners>,
    /// Names the approvals and rescissions that are signed: what is in it once needs no new judgement.
    pub steps: BTreeSet<String>,
    /// The approvals and rescissions that are not. One is enough for the whole list to be refused.
    pub unsigned: Vec<Unsigned>,
}

/// Who signed a decree, as far as that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecreeSigners {
    /// `sha256:HEX` of what all of them signed.
    pub hash: String,
    /// Who entered and who approved it.
    pub approval: [String; 2],
    /// Who rescinded it.
    pub rescission: Option<[String; 2]>,
}

/// An approval or a rescission that is not signed as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// Of which decree.
    pub id: String,
    /// Which of the two.
    pub step: Step,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Unsigned {
    /// The decree's name as it may be told: one that nobody signed may be anything.
    pub(super) fn tellable_id(&self) -> &str {
        let formed = self.id.len() <= 64 && self.id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if formed { &self.id } else { "(no good id)" }
    }
}

impl SignedDecrees {
    /// The decrees of a set that are signed, and rescinded only where that is.
    pub(super) fn lawful(&self, set: &DecreeSet) -> Vec<Decree> {
        let unsigned = |id: &str, step| self.unsigned.iter().any(|one| one.id == id && one.step == step);
        let approved = set.decrees.iter().filter(|decree| !unsigned(&decree.id, Step::Approval));
        let standing = |decree: &Decree| Decree {
            rescinded_at: decree.rescinded_at.filter(|_| !unsigned(&decree.id, Step::Rescission)),
            ..decree.clone()
        };
        approved.map(standing).collect()
    }
}
