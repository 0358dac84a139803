//! The body of a verification query (استعلام), as typed JSON (contract §4).

use serde::Deserialize;

use super::date::Calendar;

/// `POST /v1/verify`. Unknown and repeated fields are errors.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// Whom the query is about; absent for a service that needs no document.
    pub identifier: Option<RequestIdentifier>,
    /// Service code.
    pub service: String,
    /// Purpose code, bound to the agency's contract.
    pub purpose: String,
    /// The named clerk or system account.
    pub actor: Option<String>,
    /// The agency's own reference.
    pub reference: Option<String>,
    /// The second factor.
    pub check: Option<Check>,
    /// Oldest acceptable age of the facts in seconds; 0 forces a live look-up.
    pub max_age: Option<u32>,
    /// 128 random bits in base64url; makes the statement commit to the request.
    pub nonce: Option<String>,
    /// Emergency treatment.
    #[serde(default)]
    pub emergency: bool,
    /// Lane of the query.
    #[serde(default)]
    pub priority: Priority,
}

/// `identifier` of a query.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestIdentifier {
    /// Scheme code, or the agency's own number for it where its policy maps numbers.
    pub scheme: String,
    /// The value as written on the paper.
    pub value: String,
    /// Issuing country of a passport.
    pub country: Option<String>,
    /// Series of the document.
    pub series: Option<u16>,
    /// Machine-readable line 2 of a passport.
    pub mrz: Option<String>,
}

/// `check` of a query: facts that the asker reads from the paper or hears from the holder.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Year of birth.
    pub birth_year: Option<u16>,
    /// Full or partial date of birth.
    pub birth_date: Option<String>,
    /// The printed expiry date of the document.
    pub document_expires: Option<String>,
    /// Name as a hint; alone it is no second factor.
    pub name: Option<String>,
    /// The calendar of the dates given; required with any of them.
    pub calendar: Option<Calendar>,
}

/// Lane of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Somebody stands at a counter.
    #[default]
    Counter,
    /// A batch that can wait.
    Background,
}
