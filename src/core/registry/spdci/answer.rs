//! What an answer says (`MsgCallbackHeader_V1.0.0`, `SearchResponse`), read from the bytes that the registry signed.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::wire::WireIdentities;
use super::super::{NoAnswer, RegistryUnavailable, timely};
use super::{Asked, MOST_RECORDS, VERSION, record, unavailable};
use crate::core::domain::jws::members_are_unique;
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::domain::person::Person;

const NOT_UNDERSTOOD: RegistryUnavailable = RegistryUnavailable("its answer is not what the description says");

const NOT_WHOLE: NoAnswer = NoAnswer::Number(RegistryUnavailable("its answer is not whole"));

/// The body of an answer. Nothing in it counts yet.
pub struct Envelope {
    signature: String,
    header: Value,
    message: Value,
}

impl Envelope {
    /// Reads a body.
    ///
    /// # Errors
    /// No JSON object, a member that occurs twice, or no signature: a transport's own errors and acknowledgements have none.
    pub fn parse(body: &[u8]) -> Result<Self, RegistryUnavailable> {
        let mut members = unique(body)?;
        let Some(Value::String(signature)) = members.remove("signature") else {
            return unavailable("its answer is not signed");
        };
        let mut part = |name| members.remove(name).ok_or(NOT_UNDERSTOOD);
        Ok(Self { signature, header: part("header")?, message: part("message")? })
    }

    /// The signature (`MsgSignature`).
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The answer, once its signature is verified: `payload` is what was signed. Header and message beside it must say the same.
    ///
    /// # Errors
    /// They do not.
    pub fn signed_over(self, payload: &[u8]) -> Result<Answer, RegistryUnavailable> {
        let signed = unique(payload)?;
        if signed.get("header") != Some(&self.header) || signed.get("message") != Some(&self.message) {
            return unavailable("its answer is not what it signed");
        }
        Ok(Answer { header: self.header, message: self.message })
    }
}

/// Refuses a signature that says it is of a kind of JWT. The descriptions give signatures no kind of their own, so they may have none or any other:
/// what ties one to its answer is the registry's key and what was signed.
///
/// # Errors
/// `typ` is that of a kind that is read elsewhere here.
pub fn check_signature_kind(typ: Option<&str>) -> Result<(), RegistryUnavailable> {
    let typ = typ.map(|typ| typ.strip_prefix("application/").unwrap_or(typ).to_ascii_lowercase());
    match typ.as_deref().and_then(JwtKind::of) {
        Some(_) => unavailable("its answer's signature is a token of another kind"),
        None => Ok(()),
    }
}

fn unique(json: &[u8]) -> Result<Map<String, Value>, RegistryUnavailable> {
    let object = members_are_unique(json).then(|| serde_json::from_slice(json).ok()).flatten();
    object.ok_or(NOT_UNDERSTOOD)
}

/// An answer that the registry signed.
pub struct Answer {
    header: Value,
    message: Value,
}

#[derive(Deserialize)]
struct Header {
    version: Option<String>,
    message_id: String,
    message_ts: Timestamp,
    action: String,
    status: String,
    status_reason_code: Option<String>,
    sender_id: String,
    receiver_id: String,
    is_msg_encrypted: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    transaction_id: String,
    correlation_id: String,
    search_response: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    reference_id: String,
    timestamp: Timestamp,
    status: String,
    status_reason_code: Option<String>,
    data: Option<Data>,
    pagination: Option<Page>,
}

#[derive(Deserialize)]
struct Data {
    reg_type: Option<Value>,
    reg_record_type: Option<Value>,
    reg_records: Value,
}

#[derive(Deserialize)]
struct Page {
    page_number: u64,
    total_count: u64,
}

/// The records of an answer, and whether they are all that there are.
struct Records {
    listed: Vec<Value>,
    whole: bool,
}

impl Answer {
    /// The people behind the identifier, and when the registry said so.
    ///
    /// # Errors
    /// It is no answer to this search, or not understood.
    pub fn persons(self, asked: &Asked<'_>, now: Timestamp) -> Result<(Timestamp, Vec<Person>), NoAnswer> {
        let (as_of, Records { listed, whole }) = self.records(asked, now)?;
        let persons = listed.iter().map(|record| record::person(record, asked)).collect::<Result<Vec<Person>, _>>();
        let persons = persons.map_err(NoAnswer::Number)?;
        // Two show that there are several, however many more there are.
        if !whole && persons.iter().filter(|person| !person.blocked).count() < 2 {
            return Err(NOT_WHOLE);
        }
        Ok((as_of, persons))
    }

    /// All numbers of the people behind the identifier, as far as their types belong to schemes of ours.
    ///
    /// # Errors
    /// As [`Self::persons`].
    pub fn identities(self, asked: &Asked<'_>, now: Timestamp) -> Result<Vec<WireIdentities>, RegistryUnavailable> {
        let (_, Records { listed, whole }) = self.records(asked, now).map_err(NoAnswer::why)?;
        if !whole {
            return Err(NOT_WHOLE.why());
        }
        listed.iter().map(|record| record::identities(record, asked)).collect()
    }

    fn records(self, asked: &Asked<'_>, now: Timestamp) -> Result<(Timestamp, Records), NoAnswer> {
        let header: Header = serde_json::from_value(self.header).map_err(|_| NOT_UNDERSTOOD)?;
        addressed(&header, asked)?;
        succeeded(&header.status, header.status_reason_code.as_deref())?;
        if header.is_msg_encrypted == Some(true) || self.message.get("ciphertext").is_some() {
            return Err(RegistryUnavailable("its answer is encrypted, and no key for that is agreed on").into());
        }
        let message: Message = serde_json::from_value(self.message).map_err(|_| NOT_UNDERSTOOD)?;
        let Ok([found]) = <[Found; 1]>::try_from(message.search_response) else {
            return Err(RegistryUnavailable("its answer is not about one search").into());
        };
        if message.transaction_id != asked.ids.transaction || found.reference_id != asked.ids.reference || message.correlation_id.is_empty()
        {
            return Err(RegistryUnavailable("its answer is to another search").into());
        }
        succeeded(&found.status, found.status_reason_code.as_deref()).map_err(|why| of_search(why, found.status_reason_code.as_deref()))?;
        // The older of the two instants: what the registry knew then it says now.
        let as_of = timely(header.message_ts, asked.at, now)?.min(timely(found.timestamp, asked.at, now)?);
        Ok((as_of, records_of(found, asked)?))
    }
}

/// Whether it is the registry's message to us.
fn addressed(header: &Header, asked: &Asked<'_>) -> Result<(), RegistryUnavailable> {
    if header.version.as_deref().is_some_and(|version| version != VERSION) || header.action != "on-search" || header.message_id.is_empty() {
        return unavailable("its answer is of another version or kind");
    }
    if header.sender_id != asked.terms.receiver_id || header.receiver_id != asked.terms.sender_id {
        return unavailable("its answer is from somebody else or for somebody else");
    }
    Ok(())
}

/// `RequestStatus`, with the words of `MsgHeaderStatusReasonCode` and `SearchStatusReasonCode`. No code says that there is nobody.
fn succeeded(status: &str, code: Option<&str>) -> Result<(), RegistryUnavailable> {
    match (status, code) {
        ("succ", None | Some("")) => Ok(()),
        ("pdng" | "rcvd", _) => unavailable("it has not finished the search"),
        ("rjct", Some(code)) => unavailable(rejected(code)),
        ("rjct", None) => unavailable("it refused the search"),
        ("succ", Some(_)) => unavailable("its answer is both a success and a refusal"),
        _ => unavailable("its answer has a status that is not known"),
    }
}

/// What the registry found out about the number asked for says nothing of how others fare.
fn of_search(why: RegistryUnavailable, code: Option<&str>) -> NoAnswer {
    match code {
        Some("rjct.search.too_many_records_found" | "rjct.search_criteria.invalid" | "rjct.total_count.limit_exceeded") => {
            NoAnswer::Number(why)
        }
        _ => NoAnswer::Registry(why),
    }
}

fn rejected(code: &str) -> &'static str {
    match code {
        "rjct.version.invalid" | "rjct.action.invalid" | "rjct.action.not_supported" => "it refused the search: version or action",
        "rjct.search_criteria.invalid" | "rjct.filter.invalid" | "rjct.sort.invalid" | "rjct.pagination.invalid" => {
            "it refused the search: its criteria"
        }
        "rjct.message_id.duplicate" | "rjct.reference_id.invalid" | "rjct.reference_id.duplicate" => "it refused the search: its names",
        "rjct.message_ts.invalid" | "rjct.timestamp.invalid" => "it refused the search: its time",
        "rjct.total_count.invalid" | "rjct.total_count.limit_exceeded" | "rjct.errors.too_many" => "it refused the search: its number",
        "rjct.search.too_many_records_found" => "it found too many people",
        _ => "it refused the search for a reason that is not known",
    }
}

/// `reg_records`: a list (`spdci-social.yaml`, `spdci-ibr.yaml`) or one object (`spdci-registry.yaml`), on the first page.
fn records_of(found: Found, asked: &Asked<'_>) -> Result<Records, NoAnswer> {
    let Some(data) = found.data else { return Err(RegistryUnavailable("its answer has no data").into()) };
    let agreed = |wanted: &Option<String>, said: Option<&Value>, required: bool| match (wanted, said) {
        (Some(wanted), Some(said)) => said.as_str() == Some(wanted),
        (Some(_), None) => !required,
        (None, _) => true,
    };
    if !agreed(&asked.terms.reg_type, data.reg_type.as_ref(), false)
        || !agreed(&asked.terms.reg_record_type, data.reg_record_type.as_ref(), true)
    {
        return Err(RegistryUnavailable("its answer is of another register or kind of record").into());
    }
    let records = match data.reg_records {
        Value::Array(records) => records,
        record @ Value::Object(_) => vec![record],
        _ => return Err(NOT_UNDERSTOOD.into()),
    };
    if records.len() > MOST_RECORDS {
        return Err(NoAnswer::Number(RegistryUnavailable("its answer has too many records")));
    }
    let listed = records.len() as u64;
    match found.pagination {
        Some(page) if page.page_number > 1 || page.total_count < listed => Err(NOT_WHOLE),
        page => Ok(Records { whole: page.is_none_or(|page| page.total_count == listed), listed: records }),
    }
}
