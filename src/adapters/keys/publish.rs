//! What the world may know of our keys: the JWK set for verifiers, and the life of every key for those who check old answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::public::{Jwk, PublicKey};
use super::record::{Compromise, KeyList, KeyState, KeyUse};
use crate::core::ledger::genuine::{Life, Limit, LogKey, SigningKey, TrustedKeys};
use crate::core::ledger::note::NoteKey;
use crate::core::ledger::succession::seal_origin;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Logs that a list may name: more than one installation ever had.
const MOST_LOGS: usize = 256;

/// `GET /.well-known/estelam-keys.json`: every key that ever signed, with its state. It is what an offline check needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKeys {
    /// `iss` of our statements.
    pub issuer: String,
    /// Origin line of our log.
    pub origin: String,
    /// Origin lines of all our logs, the oldest first: each but the last was sealed, and the next goes on from its end.
    #[serde(default)]
    pub origins: Vec<String>,
    /// The keys, oldest first.
    pub keys: Vec<PublishedKey>,
}

/// One key as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: KeyUse,
    /// `EdDSA` or `ES256`.
    pub alg: String,
    /// `standby`, `active`, `retired`, `withdrawn` or `compromised`.
    pub state: KeyState,
    /// 32 bytes of Ed25519 or the uncompressed P-256 point, base64url.
    pub public: String,
    /// First instant at which it signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_from: Option<Timestamp>,
    /// Last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_until: Option<Timestamp>,
    /// Until when it stays in the JWK set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkable_until: Option<Timestamp>,
    /// From which entry of the log on nothing of it is genuine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised: Option<Compromise>,
}

impl PublishedKey {
    /// The public key; `None` if the entry contradicts itself.
    pub fn key(&self) -> Option<PublicKey> {
        let key = PublicKey::from_bytes(&URL_SAFE_NO_PAD.decode(&self.public).ok()?)?;
        (key.kid() == self.kid && key.algorithm().jose() == self.alg).then_some(key)
    }
}

impl PublishedKeys {
    /// The keys as a check of statements and receipts takes them; `None` if one of them contradicts itself, or the log has no proper name.
    pub fn trusted(&self) -> Option<TrustedKeys> {
        let origins = self.logs()?;
        let seals = origins.iter().skip(1).map(|new| seal_origin(new));
        let names: Vec<String> = origins.iter().cloned().chain(seals).collect();
        let mut trusted = TrustedKeys { issuer: self.issuer.clone(), signing: Vec::new(), log: Vec::new(), origins };
        for published in &self.keys {
            let key = published.key()?;
            let limit = published.compromised.as_ref();
            let compromised = limit.map(|limit| Limit { tree_size: limit.tree_size, checkpoint: limit.checkpoint.clone() });
            if compromised.is_none() && published.state == KeyState::Compromised {
                return None;
            }
            let life = match published.usage {
                KeyUse::Checkpoints => {
                    let public: [u8; 32] = key.bytes().try_into().ok()?;
                    for name in &names {
                        trusted.log.push(LogKey { key: NoteKey::new(name, public).ok()?, compromised: compromised.clone() });
                    }
                    continue;
                }
                KeyUse::Tokens => Life::OtherUse,
                KeyUse::Statements => Life::Signs { from: published.signs_from, until: published.signs_until, compromised },
            };
            trusted.signing.push(SigningKey::new(published.kid.clone(), key.bytes(), life)?);
        }
        Some(trusted)
    }

    /// The logs; lists of earlier builds name the present one alone. `None` if the present one is not the last of them, or they are too many.
    fn logs(&self) -> Option<Vec<String>> {
        if self.origins.is_empty() {
            return Some(vec![self.origin.clone()]);
        }
        (self.origins.last() == Some(&self.origin) && self.origins.len() <= MOST_LOGS).then(|| self.origins.clone())
    }

    pub(super) fn of(list: &KeyList, issuer: &str, origins: &[String]) -> Self {
        let keys = list.keys.iter().cloned().map(|record| PublishedKey {
            kid: record.kid,
            usage: record.usage,
            alg: record.alg,
            state: record.state,
            public: record.public,
            signs_from: record.signs_from,
            signs_until: record.signs_until,
            checkable_until: record.checkable_until,
            compromised: record.compromised,
        });
        let origin = origins.last().cloned().unwrap_or_default();
        Self { issuer: issuer.to_owned(), origin, origins: origins.to_vec(), keys: keys.collect() }
    }

    /// The JWK set: statements first, the signing key before those in advance and the old ones.
    pub(super) fn jwks(list: &KeyList) -> String {
        #[derive(Serialize)]
        struct JwkSet {
            keys: Vec<Jwk>,
        }
        let published = |usage: KeyUse| {
            let states = [KeyState::Active, KeyState::Standby, KeyState::Retired];
            states.into_iter().flat_map(move |state| list.of(usage, state))
        };
        let records = published(KeyUse::Statements).chain(published(KeyUse::Tokens));
        let set = JwkSet { keys: records.filter_map(|record| Some(record.key()?.jwk())).collect() };
        serde_json::to_string(&set).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }
}
