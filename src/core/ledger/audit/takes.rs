//! Which parameters a resource takes, and what is said of any other.

use super::{BadQuery, Field};

/// What a resource takes beside instants. What it does not take is refused, never ignored.
#[derive(Clone, Copy, Debug)]
pub struct Takes {
    /// Fields of entries.
    pub fields: bool,
    /// The name of the parameter for one id.
    pub id: Option<&'static str>,
    /// The usual and the largest number of rows of a page; then it takes `limit` and `cursor`.
    pub pages: Option<(usize, usize)>,
    /// `order`.
    pub order: bool,
    /// `format`.
    pub format: bool,
    /// `origin`: one log alone.
    pub origin: bool,
}

impl Takes {
    /// Instants alone.
    pub const SPAN: Self = Self { fields: false, id: None, pages: None, order: false, format: false, origin: false };
    /// A filter alone.
    pub const FILTER: Self = Self { fields: true, id: Some("answer_id"), ..Self::SPAN };
}

/// A parameter that the resource does not take. One that others take is named; any other may be anything.
pub(super) fn unknown(name: &str) -> BadQuery {
    let elsewhere = ["limit", "cursor", "order", "format", "origin", "answer_id", "signed", "min_latency_ms", "max_latency_ms"]
        .into_iter()
        .find(|known| *known == name);
    match elsewhere.or(Field::parse(name).map(Field::code)) {
        Some(known) => BadQuery(format!("this resource does not take `{known}`; the API description lists what it takes")),
        None => BadQuery("there is a parameter that this resource does not have; the API description lists them".to_owned()),
    }
}
