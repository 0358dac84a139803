//! Handles that are out: which office asked for which code, and which entries stand behind the lines that a holder saw. In memory alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::core::domain::context::CallContext;
use crate::core::domain::identifier::Identifier;
use crate::core::registry::holder::CODE_LASTS_S;

/// Handles at once; the oldest makes room.
const MOST: usize = 10_000;
/// How long a view that is open can be contested.
const CONTESTABLE: SignedDuration = SignedDuration::from_mins(30);

/// All handles that are out.
pub struct Sessions {
    key: Key,
    out: Mutex<HashMap<String, Session>>,
}

/// One of them.
pub struct Session {
    office: String,
    identifier: Identifier,
    until: Timestamp,
    /// The entries of each line, once the view was opened.
    lines: Option<Vec<Vec<Uuid>>>,
}

impl Session {
    pub(super) fn new(office: String, identifier: Identifier, now: Timestamp) -> Self {
        let until = now.checked_add(SignedDuration::from_secs(CODE_LASTS_S)).unwrap_or(now);
        Self { office, identifier, until, lines: None }
    }
}

impl Sessions {
    /// None yet.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut secret = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(secret.as_mut_slice())?;
        Ok(Self { key: Key::new(HMAC_SHA256, secret.as_slice()), out: Mutex::default() })
    }

    /// The keyed name of the office behind a call: agency, branch and certificate.
    pub(super) fn office(&self, context: &CallContext) -> String {
        let mut mac = Context::with_key(&self.key);
        let agency = context.agency.as_ref().map(ToString::to_string).unwrap_or_default();
        for part in
            [agency.as_bytes(), context.branch.as_deref().unwrap_or("").as_bytes(), context.certificate.as_ref().map_or(&[], |c| &c[..])]
        {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        URL_SAFE_NO_PAD.encode(mac.sign())
    }

    pub(super) fn begin(&self, handle: &str, session: Session) {
        let mut out = self.lock();
        if out.len() >= MOST {
            let oldest = out.iter().min_by_key(|(_, session)| session.until).map(|(handle, _)| handle.clone());
            oldest.and_then(|handle| out.remove(&handle));
        }
        out.insert(handle.to_owned(), session);
    }

    /// Whom a code was asked for, by this office, not opened yet.
    pub(super) fn waiting(&self, handle: &str, office: &str, now: Timestamp) -> Option<Identifier> {
        let mut out = self.lock();
        out.retain(|_, session| now < session.until);
        out.get(handle).filter(|session| session.office == office && session.lines.is_none()).map(|session| session.identifier.clone())
    }

    pub(super) fn opened(&self, handle: &str, lines: Vec<Vec<Uuid>>, now: Timestamp) {
        if let Some(session) = self.lock().get_mut(handle) {
            session.lines = Some(lines);
            session.until = now.checked_add(CONTESTABLE).unwrap_or(now);
        }
    }

    /// The entries behind a line that this office's holder saw; each line can be contested once.
    pub(super) fn line(&self, handle: &str, office: &str, line: usize, now: Timestamp) -> Option<(Identifier, Vec<Uuid>)> {
        let mut out = self.lock();
        let session = out.get_mut(handle).filter(|session| session.office == office && now < session.until)?;
        let entries = session.lines.as_mut()?.get_mut(line.checked_sub(1)?)?;
        let entries = std::mem::take(entries);
        (!entries.is_empty()).then(|| (session.identifier.clone(), entries))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
