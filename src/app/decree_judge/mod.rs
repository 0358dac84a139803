//! Whether decrees are signed: outside a demo by two officials of this gateway, whatever the registry says of them; in a demo, which has no officials,
//! by two of the registry's own.
//!
//! Each approval and each rescission is judged when it first comes. Both who signed it were in office at its instant, and are still: whoever has left
//! office dates nothing back. The first list that is judged brings the decrees of years; there the office at the instant is enough. What has taken
//! effect here stays, as long as its signatures hold.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::StartError;
use super::acts::Acts;
use super::authority::{AuthorityFolder, Official, OfficialsFile, take_up_officials, version_of};
use crate::adapters::registry::{ActivateDecrees, DecreeSigners, JudgeDecrees, SignedDecrees, Unsigned};
use crate::config::Config;
use crate::core::domain::clock::Clock;
use crate::core::registry::signing::{Step, WireSignature, WireSignatures, hash_of};
use crate::core::registry::wire::{DecreesAnswer, WireDecree};

const UNREADABLE: &str = "the officials of this gateway cannot be read";
const NOTHING_SENT: &str = "the registry sends no signatures with it";
const NO_INSTANT: &str = "it has no instant";
const UNWRITABLE: &str = "it has no canonical form";
const DOES_NOT_HOLD: &str = "a signature does not hold over its text and instant";
const ONE_ALONE: &str = "one official alone signed it";
const STRANGER: &str = "somebody signed it who is no official of this gateway";
const NOT_IN_OFFICE: &str = "somebody signed it who was not in office then";
const LEFT: &str = "somebody signed it who has left office, and it was not here before";

/// Judges lists of decrees.
pub(super) struct DecreeJudge {
    /// None in a demo.
    officials: Option<AuthorityFolder>,
    acts: Arc<Acts>,
    clock: Arc<dyn Clock>,
    /// Signatures of the last list that held, by their digests: an unchanged decree costs no check of a signature again.
    held: Mutex<HashSet<[u8; 32]>>,
}

/// Whose signatures count.
enum Bench {
    /// Whoever the registry names: in a demo.
    OfTheRegistry,
    /// Nobody's, since the officials cannot be read.
    Closed,
    /// The officials'.
    Officials {
        /// Those of the version in force.
        present: OfficialsFile,
        /// Everybody who ever was one.
        ever: Vec<Official>,
        /// What took effect here; nothing before the first list.
        on_record: Option<BTreeSet<String>>,
        now: Timestamp,
    },
}

/// One approval or rescission: its name, its instant.
struct Deed {
    name: String,
    at: Timestamp,
}

impl DecreeJudge {
    pub(super) fn of(config: &Config, acts: Arc<Acts>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let officials = (!config.demo).then(|| AuthorityFolder::of(config));
        Arc::new(Self { officials, acts, clock, held: Mutex::default() })
    }

    /// As the registry's client asks it.
    pub(super) fn judging(self: &Arc<Self>) -> JudgeDecrees {
        let judge = self.clone();
        Arc::new(move |answer| judge.judge(answer))
    }

    /// Judges every approval and rescission of a list.
    pub(super) fn judge(&self, answer: &DecreesAnswer) -> SignedDecrees {
        let (bench, mut held, mut all) = (self.bench(), Held::of(&self.held), SignedDecrees::default());
        for decree in &answer.decrees {
            let signatures = answer.signatures.get(&decree.id);
            let mut step = |step| match judge_step(&bench, &mut held, step, decree, signatures) {
                Ok((deed, signers)) => {
                    all.steps.insert(deed.name);
                    Some(signers)
                }
                Err(why) => {
                    all.unsigned.push(Unsigned { id: decree.id.clone(), step, why });
                    None
                }
            };
            let approval = step(Step::Approval);
            let rescission = decree.rescinded_at.and_then(|_| step(Step::Rescission));
            if let (Some(approval), Ok(hash)) = (approval, hash_of(decree)) {
                all.by.insert(decree.id.clone(), DecreeSigners { hash, approval, rescission });
            }
        }
        held.keep();
        all
    }

    fn bench(&self) -> Bench {
        let Some(folder) = &self.officials else { return Bench::OfTheRegistry };
        let now = self.clock.now();
        match folder.officials(now).and_then(|present| Ok((present.file, folder.ever(now)?))) {
            Ok((present, ever)) => Bench::Officials { present, ever, on_record: self.acts.known().decree_steps, now },
            Err(error) => {
                tracing::error!(error, "{UNREADABLE}, so that nobody can have signed a decree");
                Bench::Closed
            }
        }
    }
}

/// Records a list that is signed before it takes effect, and before it the officials who came since: what they sign has effect after that alone.
pub(super) fn activation(config: &Config, acts: Arc<Acts>, clock: Arc<dyn Clock>) -> ActivateDecrees {
    let record = acts.activate_decrees(config.demo);
    if config.demo {
        return record;
    }
    let config = Arc::new(config.clone());
    Arc::new(move |new| {
        let (config, acts, clock, record) = (config.clone(), acts.clone(), clock.clone(), record.clone());
        Box::pin(async move {
            take_up_officials(&config, acts, clock).await.map_err(|StartError(error)| {
                tracing::error!(error, "decrees do not take effect, since the officials who signed them cannot be taken up");
                "the officials who signed its decrees cannot be taken up"
            })?;
            record(new).await
        })
    })
}

fn judge_step(
    bench: &Bench,
    held: &mut Held<'_>,
    step: Step,
    decree: &WireDecree,
    signatures: Option<&WireSignatures>,
) -> Result<(Deed, [String; 2]), &'static str> {
    let [first, second] = signatures.and_then(|signatures| signatures.of(step)).ok_or(NOTHING_SENT)?;
    let at = step.at(decree).ok_or(NO_INSTANT)?;
    let begun = step.begun(decree).map_err(|_| UNWRITABLE)?;
    let completed = step.completed(decree, at).map_err(|_| UNWRITABLE)?;
    if !held.holds(first, &begun) || !held.holds(second, &completed) {
        return Err(DOES_NOT_HOLD);
    }
    // It is over the decree, the instant and which of the two it is.
    let deed = Deed { name: version_of(&completed), at };
    let signers = [bench.signer(first, &deed)?, bench.signer(second, &deed)?];
    let [one, other] = &signers;
    if one == other || first.public_key() == second.public_key() {
        return Err(ONE_ALONE);
    }
    Ok((deed, signers))
}

impl Bench {
    /// The official whose key made a signature, if that counts under a deed.
    fn signer(&self, signature: &WireSignature, deed: &Deed) -> Result<String, &'static str> {
        let (present, ever, on_record, now) = match self {
            Self::OfTheRegistry => return Ok(signature.by.clone()),
            Self::Closed => return Err(UNREADABLE),
            Self::Officials { present, ever, on_record, now } => (present, ever, on_record.as_ref(), *now),
        };
        let key = signature.public_key().ok_or(DOES_NOT_HOLD)?;
        let holder = |all: &[Official]| all.iter().find(|official| official.holds(&key)).cloned().ok_or(STRANGER);
        if on_record.is_some_and(|known| known.contains(&deed.name)) {
            return holder(ever).map(|official| official.id);
        }
        let official = holder(&present.officials)?;
        if !official.in_office(deed.at) {
            return Err(NOT_IN_OFFICE);
        }
        if on_record.is_some() && !official.in_office(now) {
            return Err(LEFT);
        }
        Ok(official.id)
    }
}

/// The signatures that held in the list before, and those that hold in this one.
struct Held<'a> {
    kept: &'a Mutex<HashSet<[u8; 32]>>,
    before: HashSet<[u8; 32]>,
    now: HashSet<[u8; 32]>,
}

impl<'a> Held<'a> {
    fn of(kept: &'a Mutex<HashSet<[u8; 32]>>) -> Self {
        let before = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        Self { kept, before, now: HashSet::new() }
    }

    fn holds(&mut self, signature: &WireSignature, message: &[u8]) -> bool {
        let digest = signature.digest(message);
        let holds = self.before.contains(&digest) || signature.holds(message);
        if holds {
            self.now.insert(digest);
        }
        holds
    }

    fn keep(self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = self.now;
    }
}
