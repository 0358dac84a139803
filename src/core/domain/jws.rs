//! Strict compact JWS (RFC 7515 §3.1): taking one apart, and putting one together without waste.
//!
//! Signatures are made and checked elsewhere; this file only knows the shape.

mod foreign;
mod unique;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::foreign::{ForeignJws, refused_member};
pub use self::unique::members_are_unique;

/// The longest header that is parsed, in bytes of JSON.
pub const MAX_HEADER: usize = 512;

/// The longest signature of the accepted algorithms, in bytes, and its length in base64url.
const MAX_SIGNATURE: usize = 64;
const MAX_SIGNATURE_TEXT: usize = 86;

/// Why text is not an acceptable compact JWS. Free of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JwsRejected(pub &'static str);

/// The protected header. Any other member is refused, whether it would be understood (`crit`, `b64`, `zip`) or
/// would let the sender choose the key (`jku`, `jwk`, `x5u`, `x5c`); so is a member that occurs twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The algorithm, as the sender names it; compare it with the key's, never choose by it.
    pub alg: String,
    /// The kind of token (RFC 8725 §3.11).
    pub typ: String,
    /// Which of our keys signed.
    pub kid: String,
}

/// A compact JWS taken apart. Nothing in it is verified yet.
pub struct CompactJws<'a> {
    /// The parsed protected header.
    pub header: Header,
    /// The decoded payload.
    pub payload: Vec<u8>,
    /// Header and payload as they were signed.
    pub signing_input: &'a str,
    /// The signature as it was sent; it is canonical base64url.
    pub signature: &'a str,
}

impl<'a> CompactJws<'a> {
    /// Takes apart a compact JWS of at most `max_len` bytes.
    ///
    /// # Errors
    /// Too long; not three parts; a part that is empty, padded or not canonical base64url; a header that is not exactly ours.
    pub fn parse(compact: &'a str, max_len: usize) -> Result<Self, JwsRejected> {
        let parts = take_apart(compact, max_len, MAX_HEADER, MAX_SIGNATURE)?;
        let header = object(&parts.header).ok_or(JwsRejected("the token's header is not exactly `alg`, `typ` and `kid`"))?;
        Ok(Self { header, payload: parts.payload, signing_input: parts.signing_input, signature: parts.signature_text })
    }
}

/// It may be a token: nothing of it is shown.
impl std::fmt::Debug for CompactJws<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompactJws").finish_non_exhaustive()
    }
}

/// The three parts of a compact JWS, decoded.
struct Parts<'a> {
    header: Vec<u8>,
    payload: Vec<u8>,
    signing_input: &'a str,
    signature_text: &'a str,
    signature: Vec<u8>,
}

fn take_apart(compact: &str, max_len: usize, max_header: usize, max_signature: usize) -> Result<Parts<'_>, JwsRejected> {
    if compact.len() > max_len {
        return Err(JwsRejected("the token is too long"));
    }
    let (signing_input, signature_text) = compact.rsplit_once('.').ok_or(NOT_THREE_PARTS)?;
    let (header, payload) = signing_input.split_once('.').ok_or(NOT_THREE_PARTS)?;
    let header = decode(header)?;
    if header.len() > max_header {
        return Err(JwsRejected("the token's header is too long"));
    }
    let signature = decode(signature_text)?;
    if signature.len() > max_signature {
        return Err(JwsRejected("the token's signature is too long"));
    }
    Ok(Parts { header, payload: decode(payload)?, signing_input, signature_text, signature })
}

/// Reads a JSON object. (Left to itself serde also takes an array of the members' values.)
pub fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    if json.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(json).ok()
}

const NOT_THREE_PARTS: JwsRejected = JwsRejected("the token is not three parts joined by dots");

/// Decodes one part: no padding, no trailing bits, nothing outside the alphabet (a further dot included), not empty.
fn decode(part: &str) -> Result<Vec<u8>, JwsRejected> {
    match URL_SAFE_NO_PAD.decode(part) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(JwsRejected("a part of the token is not canonical base64url")),
    }
}

/// The base64url form of a protected header, made once per key and kind of token.
///
/// # Errors
/// Never in practice: three strings always have a JSON form.
pub fn encoded_header(alg: &str, typ: &str, kid: &str) -> Result<String, JwsRejected> {
    let header = Header { alg: alg.to_owned(), typ: typ.to_owned(), kid: kid.to_owned() };
    let json = serde_json::to_vec(&header).map_err(|_| JwsRejected("the header has no JSON form"))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// What is to be signed (RFC 7515 §5.1), in one allocation that also has room for the signature.
pub fn signing_input(encoded_header: &str, payload: &[u8]) -> String {
    let payload_text = payload.len().div_ceil(3) * 4;
    let mut input = String::with_capacity(encoded_header.len() + payload_text + MAX_SIGNATURE_TEXT + 2);
    input.push_str(encoded_header);
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut input);
    input
}

/// Appends the signature: the finished compact JWS.
pub fn finish(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut signing_input);
    signing_input
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const HEADER: &str = r#"{"alg":"EdDSA","typ":"t","kid":"k"}"#;

    fn compact(header: &str) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode([7; 64]))
    }

    fn refuses(text: &str) {
        assert!(CompactJws::parse(text, 4096).is_err(), "{text}");
    }

    #[test]
    fn what_is_put_together_comes_apart_again() {
        let input = signing_input(&encoded_header("EdDSA", "t", "k").unwrap(), b"{\"a\":1}");
        let capacity = input.capacity();
        let signed = input.clone();
        let whole = finish(input, &[7; 64]);
        assert_eq!(whole.capacity(), capacity, "the signature fits without another allocation");
        let parsed = CompactJws::parse(&whole, 4096).unwrap();
        assert_eq!((parsed.payload.as_slice(), parsed.signing_input), (b"{\"a\":1}".as_slice(), signed.as_str()));
        assert_eq!(parsed.header, Header { alg: "EdDSA".into(), typ: "t".into(), kid: "k".into() });
    }

    #[test]
    fn good_header_is_accepted_in_any_order() {
        assert!(CompactJws::parse(&compact(HEADER), 4096).is_ok());
        assert!(CompactJws::parse(&compact(r#"{"kid":"k","typ":"t","alg":"EdDSA"}"#), 4096).is_ok());
    }

    #[test]
    fn members_that_could_change_the_meaning_are_refused() {
        for member in [
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""b64":false"#,
            r#""jku":"https://x.test/""#,
            r#""x5u":"https://x.test/""#,
            r#""jwk":{}"#,
            r#""x5c":[]"#,
            r#""zip":"DEF""#,
            r#""enc":"A256GCM""#,
            r#""cty":"JWT""#,
            r#""alg":"EdDSA""#,
            r#""alg":"none""#,
            r#""typ":"t""#,
            r#""kid":"k""#,
        ] {
            refuses(&compact(&HEADER.replace('}', &format!(",{member}}}"))));
        }
    }

    #[test]
    fn every_header_member_is_required_and_a_string() {
        for header in [
            r#"{"typ":"t","kid":"k"}"#,
            r#"{"alg":"EdDSA","kid":"k"}"#,
            r#"{"alg":"EdDSA","typ":"t"}"#,
            r#"{"alg":null,"typ":"t","kid":"k"}"#,
            r#"{"alg":"EdDSA","typ":["t"],"kid":"k"}"#,
            r#"["EdDSA","t","k"]"#,
            r#"{"alg":"EdDSA","typ":"t","kid":"k"} {}"#,
            "null",
        ] {
            refuses(&compact(header));
        }
    }

    #[test]
    fn loose_encodings_are_refused() {
        let good = compact(HEADER);
        let (head, tail) = good.split_once('.').unwrap();
        for text in [
            "",
            ".",
            "..",
            "...",
            "a.b",
            &format!("{good}."),
            &format!(".{good}"),
            &format!("{good}.AAAA"),
            &format!("{good}="),
            &format!("{good}=="),
            &format!("{head}=.{tail}"),
            &format!("{good}\n"),
            &format!(" {good}"),
            &format!("{head}+/.{tail}"),
            &format!("{head}. {tail}"),
            &format!("{head}..{}", URL_SAFE_NO_PAD.encode([7; 64])),
            &good.replace(&URL_SAFE_NO_PAD.encode([7; 64]), ""),
        ] {
            refuses(text);
        }
    }

    #[test]
    fn trailing_bits_are_refused() {
        let good = compact(HEADER);
        assert!(good.ends_with("Bw"), "64 bytes of 7 end in two characters with four spare bits");
        refuses(&good.replace("e30.", "e31."));
        refuses(&format!("{}Bx", good.strip_suffix("Bw").unwrap()));
    }

    #[test]
    fn sizes_are_capped() {
        refuses(&format!("{}{}", compact(HEADER), "A".repeat(4096)));
        refuses(&compact(&HEADER.replace('k', &"k".repeat(MAX_HEADER))));
        let good = compact(HEADER);
        assert!(CompactJws::parse(&good, good.len()).is_ok());
        assert!(CompactJws::parse(&good, good.len() - 1).is_err());
    }
}
