//! A PKCS#11 library and the sessions in it, shared by all keys of the process.
//!
//! A library is initialised once per process, and whoever finalises it ends everybody's sessions. So there is one [`Library`] for each file, all
//! work in it is done one after another, and it is finalised only when no session is left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::hsm::{HsmPlace, fault, refused};
use super::{KeyError, files};

static LIBRARIES: Mutex<BTreeMap<PathBuf, Arc<Library>>> = Mutex::new(BTreeMap::new());

/// A library sees tokens that came back only when it is initialised anew; that is done no more often than this.
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// One library file.
#[derive(Default)]
pub(super) struct Library(Mutex<State>);

#[derive(Default)]
struct State {
    context: Option<Pkcs11>,
    /// By the labels of token and key.
    open: BTreeMap<(String, String), Opened>,
    /// The last wrong PIN by token: one locks itself after some, so each is tried once.
    wrong_pins: BTreeMap<String, Zeroizing<String>>,
    renewed: Option<Instant>,
}

struct Opened {
    session: Session,
    key: ObjectHandle,
}

impl Library {
    /// The one of this file.
    pub(super) fn of(module: &Path) -> Arc<Self> {
        let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
        libraries.entry(module.to_owned()).or_default().clone()
    }

    /// Acts with a private key. A session, a token or a whole HSM that went away is looked for anew: a session first, then the library.
    pub(super) fn with_key<T>(
        &self,
        place: &HsmPlace,
        label: &str,
        act: impl Fn(&Session, ObjectHandle) -> cryptoki::error::Result<T>,
    ) -> Result<T, KeyError> {
        let mut state = self.state();
        if let Ok(done) = state.attempt(place, label, &act) {
            return Ok(done);
        }
        state.attempt(place, label, &act).or_else(|error| if state.renew() { state.attempt(place, label, &act) } else { Err(error) })
    }

    /// Acts in a session of its own that may change the token.
    pub(super) fn with_session<T>(
        &self,
        place: &HsmPlace,
        act: impl FnOnce(&Session) -> cryptoki::error::Result<T>,
    ) -> Result<T, KeyError> {
        let session = self.state().log_in(place, true)?;
        act(&session).map_err(|error| refused(place, &error))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn attempt<T>(
        &mut self,
        place: &HsmPlace,
        label: &str,
        act: &impl Fn(&Session, ObjectHandle) -> cryptoki::error::Result<T>,
    ) -> Result<T, KeyError> {
        let id = (place.token.clone(), label.to_owned());
        let opened = match self.open.remove(&id) {
            Some(opened) => opened,
            None => self.find(place, label)?,
        };
        let done = act(&opened.session, opened.key).map_err(|error| refused(place, &error))?;
        // Only a session that works is kept.
        self.open.insert(id, opened);
        Ok(done)
    }

    fn find(&mut self, place: &HsmPlace, label: &str) -> Result<Opened, KeyError> {
        let session = self.log_in(place, false)?;
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_bytes().to_vec())];
        let found = session.find_objects(&template).map_err(|error| refused(place, &error))?;
        let [key] = found.as_slice() else { return Err(fault(place, "the token does not hold exactly one private key of this label")) };
        Ok(Opened { key: *key, session })
    }

    fn log_in(&mut self, place: &HsmPlace, write: bool) -> Result<Session, KeyError> {
        let pin = pin(&place.pin)?;
        if self.wrong_pins.get(&place.token) == Some(&pin) {
            return Err(fault(place, "the PIN is wrong"));
        }
        let context = self.context(place)?;
        let slots = context.get_slots_with_token().map_err(|error| refused(place, &error))?;
        let labelled = |slot: &cryptoki::slot::Slot| context.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == place.token);
        let slot = slots.into_iter().find(labelled).ok_or_else(|| fault(place, "no token of this label is there"))?;
        let session = if write { context.open_rw_session(slot) } else { context.open_ro_session(slot) };
        let session = session.map_err(|error| refused(place, &error))?;
        match session.login(UserType::User, Some(&AuthPin::new(pin.as_str().into()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => {
                if matches!(error, Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) {
                    self.wrong_pins.insert(place.token.clone(), pin);
                }
                Err(refused(place, &error))
            }
        }
    }

    fn context(&mut self, place: &HsmPlace) -> Result<&Pkcs11, KeyError> {
        if self.context.is_none() {
            let context = Pkcs11::new(&place.module).map_err(|_| fault(place, "the module cannot be loaded"))?;
            match context.initialize(CInitializeArgs::OsThreads) {
                Ok(()) | Err(Error::AlreadyInitialized | Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
                Err(_) => return Err(fault(place, "the module does not start; is the token there, and the module's own configuration?")),
            }
            self.context = Some(context);
        }
        self.context.as_ref().ok_or_else(|| fault(place, "the module cannot be loaded"))
    }

    /// Ends all sessions and the library with them, unless that was done just now.
    fn renew(&mut self) -> bool {
        if self.renewed.is_some_and(|at| at.elapsed() < RENEW_EVERY) {
            return false;
        }
        self.open.clear();
        self.context = None;
        self.renewed = Some(Instant::now());
        true
    }
}

fn pin(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let text = files::read_private(path)?;
    let text = std::str::from_utf8(&text).map_err(|_| KeyError::NotAPin { path: path.to_owned() })?;
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}
