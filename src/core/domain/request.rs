//! The body of a verification query (استعلام), as typed JSON (contract §4).

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use zeroize::Zeroize;

use super::date::Calendar;
use super::document::coded_enum;

/// `POST /v1/verify`. Unknown and repeated fields are errors.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// Whom the query is about; absent for a service that needs no document.
    #[serde(default, deserialize_with = "object")]
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
    #[serde(default, deserialize_with = "object")]
    pub check: Option<Check>,
    /// Oldest acceptable age of the facts in seconds; 0 forces a live look-up.
    pub max_age: Option<u32>,
    /// 128 random bits in base64url; makes the statement commit to the request.
    pub nonce: Option<String>,
    /// The province that the question is about (ISO 3166-2:IR), where the service's rule asks for one.
    pub province: Option<String>,
    /// The holder wishes a printed receipt.
    #[serde(default, deserialize_with = "or_default")]
    pub receipt: bool,
    /// Emergency treatment.
    #[serde(default, deserialize_with = "or_default")]
    pub emergency: bool,
    /// Lane of the query.
    #[serde(default, deserialize_with = "or_default")]
    pub priority: Priority,
}

/// `identifier` of a query. Its texts are wiped when it is dropped.
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

impl zeroize::ZeroizeOnDrop for RequestIdentifier {}

impl Drop for RequestIdentifier {
    fn drop(&mut self) {
        self.value.zeroize();
        self.mrz.zeroize();
    }
}

impl Check {
    /// Whether anything is given that can be a second factor; a name is only a hint.
    pub const fn has_factor(&self) -> bool {
        self.birth_year.is_some() || self.birth_date.is_some() || self.document_expires.is_some()
    }
}

coded_enum! {
    /// Lane of a query.
    #[derive(Default)]
    Priority {
        /// Somebody stands at a counter.
        #[default]
        Counter = "counter",
        /// A batch that can wait.
        Background = "background",
    }
}

/// `null` is a field that is not given, here as in every optional field.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a JSON object and nothing else. A derived reader would take an array of the fields' values as well, and then
/// two bodies that look different would mean the same.
pub fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_option(ObjectOnly(PhantomData))
}

struct ObjectOnly<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectOnly<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
