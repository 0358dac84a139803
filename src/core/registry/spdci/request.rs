//! What is asked (`MsgHeader_V1.0.0`, `SearchRequest`, query type `idtype-value`). It names the gateway and nobody behind it.

use jiff::Timestamp;
use serde::Serialize;

use super::super::RegistryUnavailable;
use super::{Asked, MOST_RECORDS, Purpose, VERSION};

#[derive(Serialize)]
struct Payload<'a> {
    header: Header<'a>,
    message: Message<'a>,
}

#[derive(Serialize)]
struct Header<'a> {
    version: &'a str,
    message_id: &'a str,
    message_ts: Timestamp,
    action: &'a str,
    sender_id: &'a str,
    receiver_id: &'a str,
    total_count: u32,
    is_msg_encrypted: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    transaction_id: &'a str,
    search_request: [Search<'a>; 1],
}

#[derive(Serialize)]
struct Search<'a> {
    reference_id: &'a str,
    timestamp: Timestamp,
    search_criteria: Criteria<'a>,
}

#[derive(Serialize)]
struct Criteria<'a> {
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reg_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reg_event_type: Option<&'a str>,
    query_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_entity: Option<&'a str>,
    query: Query<'a>,
    pagination: Page,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorize: Option<Authorize<'a>>,
}

/// `IdentifierTypeValue`.
#[derive(Serialize)]
struct Query<'a> {
    r#type: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Page {
    page_size: usize,
    page_number: u32,
}

#[derive(Serialize)]
struct Authorize<'a> {
    ts: Timestamp,
    purpose: &'a Purpose,
}

/// `{"header":…,"message":…}`: the bytes that are signed.
///
/// # Errors
/// Never in practice: texts and times always have a JSON form.
pub fn payload(asked: &Asked<'_>) -> Result<Vec<u8>, RegistryUnavailable> {
    let Asked { terms, ids, id_type, value, at } = *asked;
    let criteria = Criteria {
        version: VERSION,
        reg_type: terms.reg_type.as_deref(),
        reg_event_type: terms.reg_event_type.as_deref(),
        query_type: "idtype-value",
        response_entity: terms.response_entity.as_deref(),
        query: Query { r#type: id_type, value },
        pagination: Page { page_size: MOST_RECORDS, page_number: 1 },
        authorize: terms.authorize.as_ref().map(|purpose| Authorize { ts: at, purpose }),
    };
    let search = Search { reference_id: &ids.reference, timestamp: at, search_criteria: criteria };
    let header = Header {
        version: VERSION,
        message_id: &ids.message,
        message_ts: at,
        action: "search",
        sender_id: &terms.sender_id,
        receiver_id: &terms.receiver_id,
        total_count: 1,
        is_msg_encrypted: false,
    };
    let payload = Payload { header, message: Message { transaction_id: &ids.transaction, search_request: [search] } };
    serde_json::to_vec(&payload).map_err(|_| RegistryUnavailable("a search for it has no JSON form"))
}

/// The body that is sent: the very bytes that were signed, with the signature put in front of `header`. A compact JWS needs no escapes.
pub fn envelope(payload: &[u8], signature: &str) -> Vec<u8> {
    let members = payload.strip_prefix(b"{").unwrap_or(payload);
    [b"{\"signature\":\"", signature.as_bytes(), b"\",", members].concat()
}
