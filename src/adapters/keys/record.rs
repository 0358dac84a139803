//! The list of an installation's signing keys over their whole life: `keys/keys.json`.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::public::PublicKey;
use super::{KeyError, files};

pub(super) const LIST: &str = "keys.json";

/// What a signing key is for. Content has a key too, which signs nothing and is published nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUse {
    /// Access tokens.
    Tokens,
    /// Statements and receipts.
    Statements,
    /// Checkpoints of the access log.
    Checkpoints,
}

impl KeyUse {
    /// Every use.
    pub const ALL: [Self; 3] = [Self::Tokens, Self::Statements, Self::Checkpoints];

    /// Its word in files and commands.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Statements => "statements",
            Self::Checkpoints => "checkpoints",
        }
    }

    /// The use of this word.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|usage| usage.code() == code)
    }
}

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Published in advance; signs nothing yet.
    Standby,
    /// Signs.
    Active,
    /// Signs no more; published for as long as what it signed must be checkable.
    Retired,
    /// Signs no more and is published no more.
    Withdrawn,
    /// Others may have it: what it signed is genuine only under an earlier checkpoint.
    Compromised,
}

/// Where the private half is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHome {
    /// A sealed file in the key folder.
    File(String),
    /// A key of the configured PKCS#11 token, by its label.
    Pkcs11(String),
    /// Destroyed, or lost.
    Gone,
}

/// From when on a key is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compromise {
    /// When it was declared.
    pub declared: Timestamp,
    /// Entries of the last checkpoint before it: what has a smaller index stays genuine.
    pub tree_size: u64,
    /// That checkpoint.
    pub checkpoint: String,
}

/// One key: public, so it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: KeyUse,
    /// `EdDSA` or `ES256`.
    pub alg: String,
    /// 32 bytes of Ed25519 or the uncompressed P-256 point, base64url.
    pub public: String,
    /// Where it stands.
    pub state: KeyState,
    /// Where its private half is.
    pub home: KeyHome,
    /// When it was made.
    pub created: Timestamp,
    /// When it began to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_from: Option<Timestamp>,
    /// When it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_until: Option<Timestamp>,
    /// How long it stays published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkable_until: Option<Timestamp>,
    /// Its private half was lost while it signed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Set once others may have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised: Option<Compromise>,
    /// Where a private half lies that is to be destroyed; set until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doomed: Option<KeyHome>,
}

impl KeyRecord {
    pub(super) fn new(usage: KeyUse, key: &PublicKey, state: KeyState, home: KeyHome, now: Timestamp) -> Self {
        Self {
            kid: key.kid().to_owned(),
            usage,
            alg: key.algorithm().jose().to_owned(),
            public: URL_SAFE_NO_PAD.encode(key.bytes()),
            state,
            home,
            created: now,
            signs_from: (state == KeyState::Active).then_some(now),
            signs_until: None,
            checkable_until: None,
            lost: false,
            compromised: None,
            doomed: None,
        }
    }

    /// Signs no more, and its private half is to be destroyed.
    pub(super) fn doom(&mut self) {
        match std::mem::replace(&mut self.home, KeyHome::Gone) {
            KeyHome::Gone => {}
            home => self.doomed = Some(home),
        }
    }

    /// The public key; `None` if the record contradicts itself.
    pub fn key(&self) -> Option<PublicKey> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.public).ok()?;
        let key = PublicKey::from_bytes(&bytes)?;
        (key.kid() == self.kid && key.algorithm().jose() == self.alg).then_some(key)
    }

    /// Whether a verifier may find it in the JWK set.
    pub const fn is_published(&self) -> bool {
        matches!(self.state, KeyState::Standby | KeyState::Active | KeyState::Retired)
    }
}

/// Names what some records say as a whole: `sha256:` and hex.
pub fn version_of(records: &[KeyRecord]) -> String {
    // Plain records: writing them into memory cannot fail.
    let text = serde_json::to_vec(records).unwrap_or_default();
    format!("sha256:{}", digest(&SHA256, &text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Names the records that lie in a key folder now; none where there is no list, or none that can be read.
pub fn listed_version(dir: &Path) -> Option<String> {
    let list = KeyList::read(dir).ok().flatten()?;
    Some(version_of(&list.keys))
}

/// All records of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyList {
    pub(super) keys: Vec<KeyRecord>,
}

impl KeyList {
    /// Reads the list; `None` where there is none yet.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, KeyError> {
        let path = dir.join(LIST);
        if !path.exists() {
            return Ok(None);
        }
        let broken = || KeyError::BrokenList { path: path.clone() };
        let list: Self = serde_json::from_slice(&files::read_private(&path)?).map_err(|_| broken())?;
        if list.keys.iter().any(|record| record.key().is_none()) {
            return Err(broken());
        }
        Ok(Some(list))
    }

    /// Puts the list in place of the old one, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), KeyError> {
        let path = dir.join(LIST);
        let text = serde_json::to_vec_pretty(self).map_err(|_| KeyError::BrokenList { path: path.clone() })?;
        files::at(&path, crate::files::write_privately(&path, &text))
    }

    /// The key that signs for a use.
    pub(super) fn active(&self, usage: KeyUse) -> Option<&KeyRecord> {
        self.of(usage, KeyState::Active).next()
    }

    /// Records of a use in a state.
    pub(super) fn of(&self, usage: KeyUse, state: KeyState) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().filter(move |record| record.usage == usage && record.state == state)
    }
}
