//! The registry's desk for holders: sends a code to the registered SIM, and tells the trail roots of a person's own numbers to whoever
//! brings it back (see [`crate::core::registry::holder`]).
//!
//! Codes are in memory alone: a restart makes them void. Nobody and somebody without a SIM get a handle as well, and take the same reads.

mod messages;
mod sims;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use self::messages::FileSender;
pub use self::sims::register;
use self::sims::{Holder, Number};
use super::store::{Store, StoreError};
use crate::core::domain::date::tehran_day;
use crate::core::ledger::subject::TrailRoot;
use crate::core::registry::holder::{CODE_DIGITS, CODE_LASTS_S, CODE_TRIES, CodeRequest, CodeSender, OpenAnswer, OpenRequest, OpenedTrail};
use crate::files;

/// Codes that may be out at once.
const MOST: usize = 10_000;
/// Messages that one person gets a day: an office's clicks are no way to pester somebody.
const MESSAGES_A_DAY: u8 = 3;
/// Epochs in one request: those of 92 days, and restarts.
const EPOCHS: usize = 1_000;
/// File of the private key to which trail keys are sealed, in the registry's folder.
pub const KEY_FILE: &str = "holder.key";

/// Opens a sealed trail key: private key, origin, epoch, sealed.
pub type OpenTrailKey = fn(&[u8], &str, &str, &[u8]) -> Option<Zeroizing<[u8; 32]>>;

/// The desk of one registry.
pub struct HolderDesk {
    key: Option<Zeroizing<Vec<u8>>>,
    open_key: OpenTrailKey,
    sender: Arc<dyn CodeSender>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    codes: HashMap<String, Code>,
    /// Messages of a day by person.
    sent: HashMap<i64, u8>,
    day: Option<Date>,
}

/// One code that is out.
struct Code {
    code: Zeroizing<String>,
    office: String,
    /// Row of the person; none where it opens nothing whatever is said.
    person: Option<i64>,
    until: Timestamp,
    tries: u8,
}

/// A message that is to go out after the reply.
pub struct Message {
    to: Zeroizing<String>,
    text: Zeroizing<String>,
}

impl HolderDesk {
    /// The desk with the private key in the registry's folder; where there is none it opens nothing.
    ///
    /// # Errors
    /// The key is there and cannot be read, others can reach it, or it is not base64.
    pub fn open(registry_dir: &Path, open_key: OpenTrailKey, sender: Arc<dyn CodeSender>) -> std::io::Result<Self> {
        let key = match files::read_base64_key(&registry_dir.join(KEY_FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            key => Some(key?),
        };
        Ok(Self { key, open_key, sender, state: Mutex::default() })
    }

    /// Makes a code: its handle, and the message that is to be sent once the reply is under way.
    ///
    /// # Errors
    /// The store cannot be read, or too many codes are out.
    pub fn begin(&self, store: &Store, asked: &CodeRequest<'_>, now: Timestamp) -> Result<(String, Option<Message>), StoreError> {
        let holder = store.read(|snapshot| sims::holder(snapshot, &asked.scheme, &asked.value))?;
        let (handle, code) = (random_text()?, random_code()?);
        let mut state = self.lock();
        state.begin_day(now);
        state.codes.retain(|_, code| now < code.until);
        if state.codes.len() >= MOST {
            return Err(StoreError::Refused("too many codes are out".to_owned()));
        }
        let reached = holder.filter(|holder| state.may_send(holder.person));
        let until = now.checked_add(SignedDuration::from_secs(CODE_LASTS_S)).unwrap_or(now);
        let person = reached.as_ref().map(|holder| holder.person);
        state.codes.insert(handle.clone(), Code { code: code.clone(), office: asked.office.to_string(), person, until, tries: 0 });
        let message = reached.map(|Holder { msisdn, .. }| Message { to: msisdn, text: Zeroizing::new(words(&code)) });
        Ok((handle, message))
    }

    /// Sends a message; what does not go out is counted and told to nobody at the counter.
    pub fn send(&self, message: &Message) {
        if self.sender.send(&message.to, &message.text).is_err() {
            tracing::error!("a code for a holder could not be sent");
        }
    }

    /// Takes a code. It counts once, for the office that asked for it, until its time is over or too many were wrong.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn hand_in(&self, store: &Store, asked: &OpenRequest<'_>, now: Timestamp) -> Result<OpenAnswer, StoreError> {
        let person = self.lock().accept(asked, now);
        // Alike in what is read, whether it opens or not.
        let (numbers, minor) = store.read(|snapshot| {
            let person = person.unwrap_or(sims::NOBODY);
            Ok::<_, StoreError>((sims::numbers(snapshot, person)?, sims::is_minor(snapshot, person, tehran_day(now))?))
        })?;
        match (person, &self.key) {
            (Some(_), Some(key)) => Ok(OpenAnswer { opened: true, trails: self.trails(key, &numbers, asked), minor }),
            _ => Ok(OpenAnswer::default()),
        }
    }

    fn trails(&self, key: &[u8], numbers: &[Number], asked: &OpenRequest<'_>) -> Vec<OpenedTrail> {
        let trail = |sealed: &crate::core::registry::holder::SealedTrail| {
            let bytes = STANDARD.decode(&sealed.sealed).ok()?;
            let trail = (self.open_key)(key, sealed.origin.as_deref().unwrap_or(&asked.origin), &sealed.epoch, &bytes)?;
            let root = |number: &Number| URL_SAFE_NO_PAD.encode(TrailRoot::under(&trail, &number.scheme, &number.value).expose());
            Some(OpenedTrail { epoch: sealed.epoch.clone(), origin: sealed.origin.clone(), roots: numbers.iter().map(root).collect() })
        };
        asked.epochs.iter().take(EPOCHS).filter_map(trail).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin_day(&mut self, now: Timestamp) {
        let today = Some(tehran_day(now));
        if self.day != today {
            self.day = today;
            self.sent.clear();
        }
    }

    fn may_send(&mut self, person: i64) -> bool {
        let sent = self.sent.entry(person).or_default();
        *sent = sent.saturating_add(1);
        *sent <= MESSAGES_A_DAY
    }

    fn accept(&mut self, asked: &OpenRequest<'_>, now: Timestamp) -> Option<i64> {
        let code = self.codes.get_mut(&*asked.handle).filter(|code| code.office == asked.office && now < code.until)?;
        code.tries += 1;
        let fits = bool::from(code.code.as_bytes().ct_eq(asked.code.as_bytes()));
        let person = code.person.filter(|_| fits);
        if person.is_some() || code.tries >= CODE_TRIES {
            self.codes.remove(&*asked.handle);
        }
        person
    }
}

fn words(code: &str) -> String {
    format!(
        "کد دیدن سابقهٔ استعلام‌های شما: {code}\nآن را فقط به دفتری بگویید که اکنون در آن هستید. ده دقیقه اعتبار دارد. اگر شما نخواسته‌اید، به کسی نگویید.\n\
         Your code to see who asked about you: {code}. Tell it only to the office you are in now. It counts for ten minutes."
    )
}

fn random_text() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| no_randomness())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Eight digits; the bias of the remainder is one in 10^11.
fn random_code() -> Result<Zeroizing<String>, StoreError> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| no_randomness())?;
    let number = u64::from_be_bytes(bytes) % 10_u64.pow(u32::try_from(CODE_DIGITS).unwrap_or(0));
    Ok(Zeroizing::new(format!("{number:0CODE_DIGITS$}")))
}

fn no_randomness() -> StoreError {
    StoreError::Refused("the system gives no random numbers".to_owned())
}

#[cfg(test)]
mod tests;
