//! Syntax of a verification query: media type, size, JSON. What is said about a fault never repeats what was sent.

use serde_json::error::Category;

use crate::core::domain::refusal::RefusalCode;
use crate::core::domain::request::{VerifyRequest, object};

/// The body was larger than the listener takes; it was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTooLarge;

/// What the HTTP layer hands over of a verification query.
#[derive(Clone, Copy)]
pub struct RequestInput<'a> {
    /// The `Content-Type` header, if there is one and it is ASCII.
    pub content_type: Option<&'a str>,
    /// The body's bytes.
    pub body: Result<&'a [u8], BodyTooLarge>,
    /// The caller takes the signed statement alone, without the JSON around it.
    pub statement_alone: bool,
}

pub(super) type Fault = (RefusalCode, String);

/// Reads the body of a verification query.
///
/// # Errors
/// 415, 413 or `malformed-request`, in this order.
pub(super) fn read<'a>(input: &RequestInput<'a>) -> Result<(VerifyRequest, &'a [u8]), Fault> {
    if !input.content_type.is_some_and(is_json) {
        return Err((RefusalCode::UnsupportedMediaType, "send the body as `application/json`, without a content coding".to_owned()));
    }
    let Ok(body) = input.body else {
        return Err((RefusalCode::BodyTooLarge, "the body is larger than a verification query can be".to_owned()));
    };
    parse(body).map(|request| (request, body)).map_err(|detail| (RefusalCode::MalformedRequest, detail))
}

/// `application/json`, alone or with `charset=utf-8` (RFC 8259 has no other).
pub fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    media_type && parts.all(|part| matches!(part.to_ascii_lowercase().as_str(), "charset=utf-8" | "charset=\"utf-8\"" | ""))
}

fn parse(body: &[u8]) -> Result<VerifyRequest, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let request = object(&mut reader).and_then(|request| reader.end().map(|()| request));
    match request {
        Ok(Some(request)) => Ok(request),
        Ok(None) => Err(NO_OBJECT.to_owned()),
        // Of another kind of value the reader would name a place that says nothing.
        Err(error) if error.is_data() && !begins_object(body) => Err(NO_OBJECT.to_owned()),
        Err(error) => Err(describe(&error)),
    }
}

const NO_OBJECT: &str = "the body is not a JSON object";

fn begins_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

/// Says where the fault is and of which sort. The reader's own words can hold what was sent, so only the names of our
/// own fields are taken from them.
fn describe(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => "the body ends before the JSON does".to_owned(),
        Category::Syntax | Category::Io => format!("the body is not JSON: see {place}"),
        Category::Data => format!("{}: see {place}", data_fault(&error.to_string())),
    }
}

fn data_fault(message: &str) -> String {
    let named = |prefix: &str| {
        let field = message.strip_prefix(prefix)?.split('`').next()?;
        FIELDS.iter().find(|known| **known == field)
    };
    if let Some(field) = named("missing field `") {
        format!("the field `{field}` is missing")
    } else if let Some(field) = named("duplicate field `") {
        format!("the field `{field}` is given twice")
    } else if message.starts_with("unknown field `") {
        "there is a field that the contract does not have".to_owned()
    } else {
        "a field has a value of another type or range than the contract says".to_owned()
    }
}

/// Every field of the contract, the only words of a reader's message that may leave.
const FIELDS: [&str; 22] = [
    "identifier",
    "scheme",
    "value",
    "country",
    "series",
    "mrz",
    "service",
    "purpose",
    "actor",
    "reference",
    "check",
    "birth_year",
    "birth_date",
    "document_expires",
    "name",
    "calendar",
    "max_age",
    "nonce",
    "province",
    "receipt",
    "emergency",
    "priority",
];
