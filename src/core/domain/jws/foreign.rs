//! Compact JWS that somebody else made: as strict as our own, but its header may have members that say nothing.

use serde_json::{Map, Value};

use super::super::jwk::{JwsAlgorithm, is_kid};
use super::{JwsRejected, decode, members_are_unique, take_apart};

/// The longest signature, in bytes: RSA of 4096 bits.
const MAX_SIGNATURE: usize = 512;

/// The longest header, in bytes of JSON.
const MAX_HEADER: usize = 1024;

/// Header members that change what is verified, or let the sender choose the key. None is ever followed.
const REFUSED: [(&str, &str); 8] = [
    ("crit", "the token's header has `crit`: no extension is understood here"),
    ("b64", "the token's header has `b64`: payloads are always encoded here"),
    ("zip", "the token's header has `zip`: nothing is inflated here"),
    ("enc", "the token is encrypted; only signed ones are read"),
    ("jku", "the token's header has `jku`: keys are registered, never fetched from where a token says"),
    ("jwk", "the token's header has `jwk`: keys are registered, never taken out of a token"),
    ("x5u", "the token's header has `x5u`: keys are registered, never fetched from where a token says"),
    ("x5c", "the token's header has `x5c`: keys are registered, never taken out of a token"),
];

/// A compact JWS of somebody else, taken apart. Nothing in it is verified yet.
pub struct ForeignJws<'a> {
    /// The algorithm that the sender names; it must be the key's.
    pub algorithm: JwsAlgorithm,
    /// The kind of token, if it says one.
    pub typ: Option<String>,
    /// Which key signed, if it says so; well-formed.
    pub kid: Option<String>,
    /// The payload, decoded.
    pub payload: Vec<u8>,
    /// Header and payload as they were signed.
    pub signing_input: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
}

impl<'a> ForeignJws<'a> {
    /// Takes apart a compact JWS of at most `max_len` bytes.
    ///
    /// # Errors
    /// Too long; not three parts of canonical base64url; an algorithm that is not accepted; a header member that is refused, malformed or
    /// there twice; a payload that is not JSON or has a member twice.
    pub fn parse(compact: &'a str, max_len: usize) -> Result<Self, JwsRejected> {
        let jws = Self::parse_any(compact, max_len)?;
        let unique = members_are_unique(&jws.payload);
        unique.then_some(jws).ok_or(JwsRejected("the token's payload is not JSON, or a member of it occurs twice"))
    }

    /// The same for a payload of any kind.
    ///
    /// # Errors
    /// As [`Self::parse`], but for the payload.
    pub fn parse_any(compact: &'a str, max_len: usize) -> Result<Self, JwsRejected> {
        let parts = take_apart(compact, max_len, MAX_HEADER, MAX_SIGNATURE)?;
        let header = header(&parts.header).ok_or(JwsRejected("the token's header is not an object whose members occur once"))?;
        if let Some((_, why)) = REFUSED.iter().find(|(member, _)| header.contains_key(*member)) {
            return Err(JwsRejected(why));
        }
        let algorithm = text(&header, "alg")?.as_deref().and_then(JwsAlgorithm::parse);
        let kid = text(&header, "kid")?;
        if kid.as_deref().is_some_and(|kid| !is_kid(kid)) {
            return Err(JwsRejected("the token's `kid` is too long or has characters that no key id has"));
        }
        Ok(Self {
            algorithm: algorithm.ok_or(JwsRejected("the token's `alg` is none of PS256, ES256 and EdDSA"))?,
            typ: text(&header, "typ")?,
            kid,
            payload: parts.payload,
            signing_input: parts.signing_input,
            signature: parts.signature,
        })
    }
}

/// The header member for which a token was or would be refused, to be counted and logged by its name alone.
pub fn refused_member(compact: &str) -> Option<&'static str> {
    let header = compact.split('.').next().filter(|part| part.len() <= MAX_HEADER * 2)?;
    let members: Map<String, Value> = serde_json::from_slice(&decode(header).ok()?).ok()?;
    REFUSED.iter().map(|(member, _)| *member).find(|member| members.contains_key(*member))
}

fn header(json: &[u8]) -> Option<Map<String, Value>> {
    members_are_unique(json).then(|| serde_json::from_slice(json).ok()).flatten()
}

/// A member that is there must be text; `null` does not count as absent.
fn text(header: &Map<String, Value>, member: &str) -> Result<Option<String>, JwsRejected> {
    match header.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(JwsRejected("`alg`, `typ` or `kid` in the token's header is not text")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn compact(header: &str, payload: &str) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode([7; 256]))
    }

    fn refused(header: &str, payload: &str) -> bool {
        ForeignJws::parse(&compact(header, payload), 4096).is_err()
    }

    #[test]
    fn header_may_lack_typ_and_kid_and_have_harmless_members() {
        let text = compact(r#"{"alg":"PS256","cty":"x","x5t":"AA"}"#, "{}");
        let jws = ForeignJws::parse(&text, 4096).unwrap();
        assert_eq!((jws.algorithm, jws.typ, jws.kid, jws.signature.len()), (JwsAlgorithm::Ps256, None, None, 256));
    }

    #[test]
    fn each_dangerous_member_is_refused_and_told_by_name() {
        for (member, _) in REFUSED {
            let header = format!(r#"{{"alg":"ES256","{member}":"https://evil.test/keys"}}"#);
            assert!(refused(&header, "{}"), "{member}");
            assert_eq!(refused_member(&compact(&header, "{}")), Some(member));
        }
        assert_eq!(refused_member(&compact(r#"{"alg":"ES256"}"#, "{}")), None);
        assert_eq!((refused_member(""), refused_member("...."), refused_member(&"A".repeat(1 << 20))), (None, None, None));
    }

    #[test]
    fn algorithms_that_are_not_accepted_are_refused() {
        for alg in ["none", "None", "HS256", "RS256", "PS384", "PS512", "ES384", "ES512", "es256", "Ed448", ""] {
            assert!(refused(&format!(r#"{{"alg":"{alg}"}}"#), "{}"), "{alg}");
        }
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["ES256"]}"#, "[]", "null", r#"{"alg":"ES256","alg":"ES256"}"#] {
            assert!(refused(header, "{}"), "{header}");
        }
    }

    #[test]
    fn key_ids_are_input() {
        for kid in ["", " ", "a b", "../../etc/passwd\\u0000", "a\\\"b", "\\u06a9", &"k".repeat(129)] {
            assert!(refused(&format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), "{}"), "{kid}");
        }
        assert!(refused(r#"{"alg":"ES256","kid":7}"#, "{}"));
        assert!(!refused(&format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(128)), "{}"));
    }

    #[test]
    fn members_that_occur_twice_are_refused_anywhere() {
        assert!(refused(r#"{"alg":"ES256"}"#, r#"{"a":1,"a":1}"#));
        assert!(refused(r#"{"alg":"ES256"}"#, r#"{"cnf":{"a":1,"a":1}}"#));
        assert!(refused(r#"{"alg":"ES256","x":{"a":1,"a":1}}"#, "{}"));
        assert!(refused(r#"{"alg":"ES256"}"#, "not json"));
    }
}
