//! Identifiers (شناسه): a (scheme, value) pair; a bare number is not an identifier.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize;

/// A normalised identifier that fits its scheme's pattern. Its value is wiped when dropped and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identifier {
    scheme: Arc<str>,
    value: String,
    country: Option<String>,
    series: Option<u16>,
}

impl Identifier {
    /// Only the scheme catalogue makes identifiers, after its checks.
    pub(in crate::core::domain) fn new(scheme: Arc<str>, value: String, country: Option<String>, series: Option<u16>) -> Self {
        Self { scheme, value, country, series }
    }

    /// The scheme's code.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The normalised value. Callers may hash it, store it in the registry or send it there; nothing else.
    pub fn expose_value(&self) -> &str {
        &self.value
    }

    /// Issuing country, where the asker gave one.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// Series of the document, where the asker gave one.
    pub const fn series(&self) -> Option<u16> {
        self.series
    }
}

impl zeroize::ZeroizeOnDrop for Identifier {}

impl Drop for Identifier {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({}, …)", self.scheme)
    }
}
