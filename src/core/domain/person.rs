//! The holder (دارنده) as the gateway knows one: documents and what eligibility rules read, never a name.

use super::date::PartialDate;
use super::document::Document;

/// One person behind an identifier. It holds no number and no name, so that nothing downstream can leak one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Date of birth with its own precision and calendar.
    pub birth: Option<PartialDate>,
    /// ISO 3166 alpha-2 code.
    pub nationality: Option<String>,
    /// ISO 3166-2:IR code of the registered province.
    pub province: Option<String>,
    /// `head` or `member`, where the registry knows.
    pub household_role: Option<String>,
    /// A protected record or a honeypot: looks exactly like nobody.
    pub blocked: bool,
    /// Every document of the person.
    pub documents: Vec<Document>,
}
