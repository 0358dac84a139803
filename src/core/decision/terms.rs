//! What an asker has to know of a service that is given, beside that it is (domain §6).

use jiff::civil;
use serde::Serialize;

use crate::core::domain::service::Terms;

/// The terms of the service's rule, and the day on which they end for this holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GivenTerms {
    /// The rule's own; the same for every holder.
    #[serde(flatten)]
    pub rule: Terms,
    /// The last day, in Tehran, of the document that carries the answer, where the service ends with it: by printed date and decrees,
    /// as far as they are known. None where that is until further notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_day: Option<civil::Date>,
}
