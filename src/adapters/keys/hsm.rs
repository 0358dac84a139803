//! Signing keys that never leave a PKCS#11 token (an HSM): the module is loaded at run time, a lost session is opened anew.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::context::{CInitializeArgs, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::public::PublicKey;
use super::{KeyError, files};
use crate::core::signing::{Algorithm, Signer, SignerFailed};

/// DER of the curves' names: OID 1.2.840.10045.3.1.7, and the string `edwards25519`.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const EDWARDS25519: &[u8] = b"\x13\x0cedwards25519";

/// Where the token is and how to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HsmPlace {
    /// The vendor's PKCS#11 library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// File with the user's PIN, readable by its owner only.
    pub pin: PathBuf,
}

/// A key in the token and its public half.
pub struct HsmSigner {
    place: HsmPlace,
    label: String,
    public: PublicKey,
    open: Mutex<Option<Opened>>,
}

struct Opened {
    session: Session,
    key: ObjectHandle,
    /// The module must outlive its sessions.
    _module: Arc<Pkcs11>,
}

impl HsmSigner {
    /// Finds the key with this label and checks that it is the one that was published.
    ///
    /// # Errors
    /// [`KeyError::Hsm`]: no module, no token, wrong PIN, no such key, another key.
    pub fn open(place: &HsmPlace, label: &str, public: PublicKey) -> Result<Self, KeyError> {
        let opened = Opened::new(place, label)?;
        let signer = Self { place: place.clone(), label: label.to_owned(), public, open: Mutex::new(Some(opened)) };
        let probe = signer.sign(b"estelam key check").map_err(|_| fault(place, "the key does not sign"))?;
        if !signer.public.verifies(b"estelam key check", &probe) {
            return Err(fault(place, "the key is not the one that was published under its label"));
        }
        Ok(signer)
    }

    /// Makes a key pair in the token: sensitive and not extractable.
    ///
    /// # Errors
    /// [`KeyError::Hsm`].
    pub fn generate(place: &HsmPlace, label: &str, algorithm: Algorithm) -> Result<PublicKey, KeyError> {
        let (session, _module) = log_in(place, true)?;
        let (mechanism, curve) = match algorithm {
            Algorithm::EdDsa => (Mechanism::EccEdwardsKeyPairGen, EDWARDS25519),
            Algorithm::Es256 => (Mechanism::EccKeyPairGen, P256),
        };
        let name = || Attribute::Label(label.as_bytes().to_vec());
        let public = [Attribute::Token(true), Attribute::Verify(true), Attribute::EcParams(curve.to_vec()), name()];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            name(),
        ];
        let (handle, _) = session.generate_key_pair(&mechanism, &public, &private).map_err(|error| refused(place, &error))?;
        let attributes = session.get_attributes(handle, &[AttributeType::EcPoint]).map_err(|error| refused(place, &error))?;
        let point = attributes.into_iter().find_map(|attribute| match attribute {
            Attribute::EcPoint(point) => Some(point),
            _ => None,
        });
        point.and_then(|point| from_point(algorithm, &point)).ok_or_else(|| fault(place, "the new key's public half has an unknown form"))
    }

    /// Destroys the private half of the key with this label.
    ///
    /// # Errors
    /// [`KeyError::Hsm`].
    pub fn destroy(place: &HsmPlace, label: &str) -> Result<(), KeyError> {
        let (session, _module) = log_in(place, true)?;
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_bytes().to_vec())];
        for key in session.find_objects(&template).map_err(|error| refused(place, &error))? {
            session.destroy_object(key).map_err(|error| refused(place, &error))?;
        }
        Ok(())
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Whether the token answers; opens a new session if the old one is gone.
    pub fn ready(&self) -> bool {
        self.with_session(|opened| opened.session.get_session_info().map(drop)).is_ok()
    }

    fn with_session<T>(&self, act: impl Fn(&Opened) -> cryptoki::error::Result<T>) -> Result<T, SignerFailed> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = open.as_ref().and_then(|opened| act(opened).ok()) {
            return Ok(done);
        }
        // The session, the token or the whole HSM went away: once more from the start, else nothing is signed.
        *open = None;
        let opened = Opened::new(&self.place, &self.label).inspect_err(|error| tracing::error!("{error}")).map_err(|_| SignerFailed)?;
        let done = act(&opened).map_err(|_| SignerFailed)?;
        *open = Some(opened);
        Ok(done)
    }
}

impl Signer for HsmSigner {
    fn key_id(&self) -> &str {
        self.public.kid()
    }

    fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        let signature = match self.algorithm() {
            Algorithm::EdDsa => {
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                self.with_session(|opened| opened.session.sign(&mechanism, opened.key, message))?
            }
            // The token is given the digest: not all know the mechanism that hashes too.
            Algorithm::Es256 => {
                let hash = digest(&SHA256, message);
                self.with_session(|opened| opened.session.sign(&Mechanism::Ecdsa, opened.key, hash.as_ref()))?
            }
        };
        if signature.len() == 64 { Ok(signature) } else { Err(SignerFailed) }
    }
}

impl Opened {
    fn new(place: &HsmPlace, label: &str) -> Result<Self, KeyError> {
        let (session, module) = log_in(place, false)?;
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_bytes().to_vec())];
        let found = session.find_objects(&template).map_err(|error| refused(place, &error))?;
        let [key] = found.as_slice() else { return Err(fault(place, "the token does not hold exactly one private key of this label")) };
        Ok(Self { key: *key, session, _module: module })
    }
}

fn log_in(place: &HsmPlace, write: bool) -> Result<(Session, Arc<Pkcs11>), KeyError> {
    let module = Arc::new(Pkcs11::new(&place.module).map_err(|_| fault(place, "the module cannot be loaded"))?);
    match module.initialize(CInitializeArgs::OsThreads) {
        Ok(()) | Err(Error::AlreadyInitialized | Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(refused(place, &error)),
    }
    let slots = module.get_slots_with_token().map_err(|error| refused(place, &error))?;
    let labelled = |slot: &cryptoki::slot::Slot| module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == place.token);
    let slot = slots.into_iter().find(labelled).ok_or_else(|| fault(place, "no token of this label is there"))?;
    let session = if write { module.open_rw_session(slot) } else { module.open_ro_session(slot) };
    let session = session.map_err(|error| refused(place, &error))?;
    match session.login(UserType::User, Some(&pin(&place.pin)?)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok((session, module)),
        Err(error) => Err(refused(place, &error)),
    }
}

fn pin(path: &Path) -> Result<AuthPin, KeyError> {
    let text = files::read_private(path)?;
    let text = std::str::from_utf8(&text).map_err(|_| KeyError::NotAPin { path: path.to_owned() })?;
    Ok(AuthPin::new(text.trim_end().to_owned()))
}

/// The point comes as a DER octet string; some tokens give it bare.
fn from_point(algorithm: Algorithm, der: &[u8]) -> Option<PublicKey> {
    let bare = match der {
        [0x04, length, rest @ ..] if usize::from(*length) == rest.len() => rest,
        other => other,
    };
    match algorithm {
        Algorithm::EdDsa => PublicKey::ed25519(bare),
        Algorithm::Es256 => PublicKey::p256(bare),
    }
}

fn refused(place: &HsmPlace, error: &Error) -> KeyError {
    let why = match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => "the PIN is wrong",
        Error::Pkcs11(RvError::PinLocked, _) => "the PIN is locked",
        Error::Pkcs11(RvError::TokenNotPresent | RvError::DeviceRemoved | RvError::SlotIdInvalid, _) => "the token is gone",
        _ => "the module refused",
    };
    fault(place, why)
}

fn fault(place: &HsmPlace, why: &'static str) -> KeyError {
    KeyError::Hsm { token: place.token.clone(), why }
}

impl fmt::Debug for HsmSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HsmSigner").field("kid", &self.public.kid()).field("label", &self.label).finish_non_exhaustive()
    }
}
