//! `officials.toml`: who may put rules in force. A version is final; the next one names the hash of the one before it.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use crate::core::domain::place::line_of;
use crate::core::ledger::retention::day_of;

/// DER of an Ed25519 SubjectPublicKeyInfo up to the key itself (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Fewer signatures than this never put anything in force.
const FOUR_EYES: usize = 2;

/// One version of the officials.
#[derive(Clone, Debug)]
pub struct OfficialsFile {
    /// Hash (`sha256:HEX`) of the version before it; none in the first.
    pub previous: Option<String>,
    /// How many different officials must sign; at least two.
    pub quorum: usize,
    /// Who they are.
    pub officials: Vec<Official>,
}

/// One official.
#[derive(Clone, Debug)]
pub struct Official {
    /// Name in signatures and in the log.
    pub id: String,
    /// Office, in words.
    pub role: String,
    /// First day (UTC) in office.
    pub from: Date,
    /// Last day.
    pub to: Date,
    key: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    previous: Option<String>,
    quorum: Spanned<usize>,
    official: Vec<Spanned<WrittenOfficial>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOfficial {
    id: String,
    role: String,
    key: String,
    from: Date,
    to: Date,
}

impl Official {
    /// Whether this is an official on the day of an instant.
    pub fn in_office(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&day_of(at))
    }

    /// Whether this official's key made a signature.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(message, signature).is_ok()
    }

    /// Whether a public key is this official's.
    pub fn holds(&self, public: &[u8]) -> bool {
        self.key == public
    }
}

impl OfficialsFile {
    /// Reads a version.
    ///
    /// # Errors
    /// `FILE:LINE: what is wrong`, as one line.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let at = |offset: usize, what: &str| format!("{name}:{}: {}", line_of(text, offset), what.replace('\n', " "));
        let written: Written = toml::from_str(text).map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut officials: Vec<Official> = Vec::with_capacity(written.official.len());
        for spanned in written.official {
            let start = spanned.span().start;
            let official = read(spanned.into_inner()).map_err(|what| at(start, what))?;
            if officials.iter().any(|known| known.id == official.id || known.key == official.key) {
                return Err(at(start, "repeats the id or the key of another official; each has one's own"));
            }
            officials.push(official);
        }
        let quorum = *written.quorum.get_ref();
        if quorum < FOUR_EYES || quorum > officials.len() {
            return Err(at(written.quorum.span().start, "`quorum` must be at least 2, and at most the number of officials"));
        }
        Ok(Self { previous: written.previous, quorum, officials })
    }

    /// The official of an id.
    pub fn get(&self, id: &str) -> Option<&Official> {
        self.officials.iter().find(|official| official.id == id)
    }
}

fn read(written: WrittenOfficial) -> Result<Official, &'static str> {
    let WrittenOfficial { id, role, key, from, to } = written;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err("`id` is made of letters, digits and hyphens");
    }
    if role.trim().is_empty() {
        return Err("`role` is empty; write the office out");
    }
    if from > to {
        return Err("`from` is after `to`");
    }
    let der = STANDARD.decode(key.trim()).unwrap_or_default();
    let key = der.strip_prefix(&SPKI_PREFIX).filter(|key| key.len() == 32);
    let key = key.ok_or("`key` is the base64 line of an Ed25519 public key in PEM form (`openssl pkey -pubout`)")?.to_vec();
    Ok(Official { id, role, from, to, key })
}
