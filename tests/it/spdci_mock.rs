//! A social-protection registry in a few lines: signs with `aws-lc-rs` alone, so that what the gateway's own code thinks of signatures is
//! not asked.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The names of gateway and registry.
pub const GATEWAY: &str = "gateway.example";
pub const REGISTER: &str = "register.example";

/// A key that signs answers.
pub struct AnswerKey(Ed25519KeyPair);

impl AnswerKey {
    pub fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    /// Its public half as a JWK set.
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "register-1", "x": x}]}).to_string()
    }

    /// A compact JWS over a text.
    pub fn sign(&self, header: &Value, payload: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload));
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(input.as_bytes())))
    }

    /// The body of an answer.
    pub fn body(&self, answer: &Value) -> String {
        with_signature(answer, &self.sign(&json!({"alg": "EdDSA", "kid": "register-1"}), &answer.to_string()))
    }
}

/// The body of an answer with whatever signature.
pub fn with_signature(answer: &Value, signature: &str) -> String {
    json!({"signature": signature, "header": answer["header"], "message": answer["message"]}).to_string()
}

/// What was asked, if its signature is that of an Ed25519 key and over what stands beside it.
pub fn asked(body: &[u8], public_key: &[u8]) -> Value {
    let said: Value = serde_json::from_slice(body).unwrap();
    let (input, signature) = said["signature"].as_str().unwrap().rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public_key).verify(input.as_bytes(), &signature).unwrap();
    let signed = URL_SAFE_NO_PAD.decode(input.split_once('.').unwrap().1).unwrap();
    let signed: Value = serde_json::from_slice(&signed).unwrap();
    assert_eq!((&signed["header"], &signed["message"]), (&said["header"], &said["message"]));
    assert_eq!(said.as_object().unwrap().len(), 3, "an envelope has three members");
    said
}

/// The identifier that was asked for: type and value.
pub fn number(asked: &Value) -> (&str, &str) {
    let query = &asked["message"]["search_request"][0]["search_criteria"]["query"];
    (query["type"].as_str().unwrap(), query["value"].as_str().unwrap())
}

/// The right answer to a search made at that very instant.
pub fn answer(asked: &Value, records: &[Value]) -> Value {
    let (header, search) = (&asked["header"], &asked["message"]["search_request"][0]);
    let found = json!({"reference_id": search["reference_id"], "timestamp": search["timestamp"], "status": "succ",
        "data": {"version": "1.0.0", "reg_records": records},
        "pagination": {"page_size": 10, "page_number": 1, "total_count": records.len()}});
    json!({"header": {"version": "1.0.0", "message_id": "of-the-register-itself", "message_ts": header["message_ts"], "action": "on-search",
            "status": "succ", "total_count": 1, "completed_count": 1, "sender_id": REGISTER, "receiver_id": GATEWAY},
        "message": {"transaction_id": asked["message"]["transaction_id"], "correlation_id": "c-1", "search_response": [found]}})
}

/// A record of a person with an Amayesh card of round 17, printed to end on a Jalali day.
pub fn record(kind: &str, value: &str, expires: &str) -> Value {
    let card = json!({"kind": "amayesh", "series": 17, "state": "active", "issued": {"date": "1400/01/01", "calendar": "jalali"},
        "expires": {"date": expires, "calendar": "jalali"}, "legal_status": null, "facets": {}, "recorded_at": null});
    let attribute = json!({"blocked": false, "birth": {"date": "1370", "calendar": "jalali"}, "nationality": "AF", "province": "IR-25",
        "household_role": null, "documents": [card], "papers": []});
    json!({"@type": "spdci:Member", "member_identifier": [{"identifier_type": kind, "identifier_value": value}],
        "demographic_info": {"birth_date": "1991-05-20T00:00:00Z", "name": {"given_name": "Ali", "surname": "Hosseini"}},
        "additional_attributes": [{"name": "estelam", "value": attribute}]})
}
