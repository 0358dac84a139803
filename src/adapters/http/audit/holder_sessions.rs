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
use crate::core::domain::date::tehran_day;
use crate::core::domain::identifier::Identifier;
use crate::core::domain::random::random;
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
    /// Whether the holder turned out to be a minor.
    minor: bool,
    /// Its lines, once the view was opened.
    lines: Option<Vec<Line>>,
}

struct Line {
    entries: Vec<Uuid>,
    /// The number that its case has, from the first try on.
    case: Option<String>,
    /// Somebody contests it now, or has.
    taken: bool,
}

/// A line that is contested now.
pub(super) struct ContestedLine {
    pub(super) identifier: Identifier,
    pub(super) minor: bool,
    pub(super) entries: Vec<Uuid>,
    pub(super) case: String,
}

/// Why a line cannot be contested.
pub(super) enum NoLine {
    /// There is no such view, or not for this office.
    NotOpen,
    /// The view has no such line.
    Unknown,
    /// It is contested already, under this case.
    Contested(String),
    /// The system gives no random numbers.
    NoNumber,
}

impl Session {
    pub(super) fn new(office: String, identifier: Identifier, now: Timestamp) -> Self {
        let until = now.checked_add(SignedDuration::from_secs(CODE_LASTS_S)).unwrap_or(now);
        Self { office, identifier, until, minor: false, lines: None }
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

    pub(super) fn opened(&self, handle: &str, (lines, minor): (Vec<Vec<Uuid>>, bool), now: Timestamp) {
        if let Some(session) = self.lock().get_mut(handle) {
            session.lines = Some(lines.into_iter().map(|entries| Line { entries, case: None, taken: false }).collect());
            session.minor = minor;
            session.until = now.checked_add(CONTESTABLE).unwrap_or(now);
        }
    }

    /// Takes a line that this office's holder saw, to contest it; nobody else can until [`Self::settle`] says what became of it.
    pub(super) fn line(&self, handle: &str, office: &str, line: usize, now: Timestamp) -> Result<ContestedLine, NoLine> {
        let mut out = self.lock();
        let session = out.get_mut(handle).filter(|session| session.office == office && now < session.until).ok_or(NoLine::NotOpen)?;
        let lines = session.lines.as_mut().ok_or(NoLine::NotOpen)?;
        let line = line.checked_sub(1).and_then(|at| lines.get_mut(at)).ok_or(NoLine::Unknown)?;
        let case = line.case.take().or_else(|| case_number(now)).ok_or(NoLine::NoNumber)?;
        line.case = Some(case.clone());
        if std::mem::replace(&mut line.taken, true) {
            return Err(NoLine::Contested(case));
        }
        Ok(ContestedLine { identifier: session.identifier.clone(), minor: session.minor, entries: line.entries.clone(), case })
    }

    /// Whether contesting a line is on record; else it can be contested again.
    pub(super) fn settle(&self, handle: &str, line: usize, contested: bool) {
        let mut out = self.lock();
        let lines = out.get_mut(handle).and_then(|session| session.lines.as_mut());
        if let Some(line) = lines.and_then(|lines| lines.get_mut(line.checked_sub(1)?)) {
            line.taken = contested;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number for a case that a holder opens.
fn case_number(now: Timestamp) -> Option<String> {
    Some(format!("holder-{}-{}", tehran_day(now), URL_SAFE_NO_PAD.encode(random::<6>()?)))
}
