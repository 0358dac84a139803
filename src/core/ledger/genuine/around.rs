//! The JSON in which a statement came: only the statement is signed, so whatever both say must be the same.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Doubt, MAX_DOCUMENT};
use crate::core::domain::jws::CompactJws;
use crate::core::ledger::tree::sha256;

/// What an answer or a problem says that its statement says too: how it is called, where it is in the JSON, and where in the statement.
const BOTH: [(&str, &str, &str); 20] = [
    ("answer_id", "/answer_id", "/jti"),
    ("answer_id", "/answer_id", "/answer_id"),
    ("decision", "/decision", "/decision"),
    ("document", "/document", "/document"),
    ("terms", "/terms", "/terms"),
    ("as_of", "/as_of", "/as_of"),
    ("freshness", "/freshness", "/freshness"),
    ("valid_until", "/valid_until", "/valid_until"),
    ("policy_version", "/policy_version", "/policy_version"),
    ("decrees_version", "/decrees_version", "/decrees_version"),
    ("may_deny", "/may_deny", "/may_deny"),
    ("reason.code", "/reason/code", "/reason"),
    ("reason.next.window", "/reason/next/window/from", "/renewal_window/from"),
    ("reason.next.window", "/reason/next/window/to", "/renewal_window/to"),
    ("reason.next.window", "/reason/next/window/decree", "/renewal_window/decree"),
    ("request_id", "/request_id", "/jti"),
    ("status", "/status", "/status"),
    ("code", "/code", "/code"),
    // Not of an answer, but whoever reads one believes them.
    ("service", "/service", "/service"),
    ("purpose", "/purpose", "/purpose"),
];

/// Compares the JSON with the statement in it, whose signature was found to hold.
///
/// # Errors
/// [`Doubt::AroundDiffers`] names the first member in which they differ. A member that was left out says nothing false.
pub fn check_around(around: &Value, statement: &str) -> Result<(), Doubt> {
    let jws = CompactJws::parse(statement, MAX_DOCUMENT).map_err(|rejected| Doubt::Unreadable(rejected.0))?;
    let claims: Value = serde_json::from_slice(&jws.payload).map_err(|_| Doubt::Claims)?;
    if around.get("reason").is_some_and(|reason| !reason.is_object()) {
        return Err(Doubt::AroundDiffers("reason.code"));
    }
    let differs = |(_, said, signed): &&(&str, &str, &str)| around.pointer(said).is_some_and(|said| claims.pointer(signed) != Some(said));
    if let Some((member, ..)) = BOTH.iter().find(differs) {
        return Err(Doubt::AroundDiffers(member));
    }
    let digest = |receipt: &Value| receipt.as_str().map(|text| Value::from(URL_SAFE_NO_PAD.encode(sha256(text.as_bytes()))));
    match around.pointer("/receipt/jwt") {
        Some(receipt) if digest(receipt).as_ref() != claims.get("receipt") => Err(Doubt::AroundDiffers("receipt")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::core::domain::jws::{encoded_header, finish, signing_input};

    fn statement(claims: &Value) -> String {
        let header = encoded_header("EdDSA", "estelam-answer+jwt", "one").unwrap();
        finish(signing_input(&header, claims.to_string().as_bytes()), b"not looked at here")
    }

    #[test]
    fn every_member_that_the_statement_has_too_is_compared_and_named() {
        let facts = json!({"answer_id": "a", "decision": "entitled", "document": {"kind": "card"}, "terms": {"at_most": 1}, "as_of": "2026-12-01T00:00:00Z",
            "freshness": "live", "valid_until": "2026-12-02T00:00:00Z", "policy_version": "p", "decrees_version": "d", "may_deny": true});
        let mut claims = facts.clone();
        let window = json!({"from": "2026-12-01", "to": "2026-12-31", "decree": "d-1"});
        for (name, value) in [("jti", json!("a")), ("reason", json!("valid")), ("renewal_window", window.clone()), ("status", json!(403))] {
            claims.as_object_mut().unwrap().insert(name.to_owned(), value);
        }
        let statement = statement(&claims);
        let mut answer = facts.clone();
        let next = json!({"who": "holder", "window": window});
        answer.as_object_mut().unwrap().insert("reason".to_owned(), json!({"code": "valid", "message": {"en": "words"}, "next": next}));
        assert_eq!(check_around(&answer, &statement), Ok(()));
        for name in facts.as_object().unwrap().keys() {
            let (mut edited, mut less) = (answer.clone(), answer.clone());
            *edited.get_mut(name).unwrap() = json!("edited");
            assert_eq!(check_around(&edited, &statement).unwrap_err().member(), Some(&**name));
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(check_around(&less, &statement), Ok(()), "{name} was left out");
        }
        for (pointer, member) in
            [("/reason/code", "reason.code"), ("/reason", "reason.code"), ("/reason/next/window/to", "reason.next.window")]
        {
            let mut edited = answer.clone();
            *edited.pointer_mut(pointer).unwrap() = json!("edited");
            assert_eq!(check_around(&edited, &statement), Err(Doubt::AroundDiffers(member)), "{pointer}");
        }
        for (name, value) in [("status", json!(200)), ("code", json!("x")), ("request_id", json!("b")), ("receipt", json!({"jwt": "x"}))] {
            let mut more = answer.clone();
            more.as_object_mut().unwrap().insert(name.to_owned(), value);
            assert_eq!(check_around(&more, &statement), Err(Doubt::AroundDiffers(name)));
        }
    }
}
