//! Names of relying agencies, their branches and the scopes of their tokens.

use std::fmt;
use std::sync::Arc;

/// The name of a relying agency (دستگاه خدمت‌رسان): lower-case letters, digits and hyphens, 2 to 40 long.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgencyId(Arc<str>);

/// Names of our own parts: no agency ever bears one, in a certificate, a token or a file.
pub const RESERVED: [&str; 4] = ["gateway", "gateway-client", "registry", "registry-client"];

impl AgencyId {
    /// Accepts a well-formed agency name; `None` for anything else, [`RESERVED`] names included.
    pub fn parse(text: &str) -> Option<Self> {
        (well_formed(text) && !RESERVED.contains(&text)).then(|| Self(text.into()))
    }

    /// The name of one of our own parts as a client (`spiffe://…/service/NAME`). It is written `service/NAME`, which no agency's name can
    /// be, so that whatever looks an agency up finds none.
    pub fn service(name: &str) -> Option<Self> {
        well_formed(name).then(|| Self(format!("service/{name}").into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn well_formed(text: &str) -> bool {
    (2..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl fmt::Display for AgencyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AgencyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an access token allows (contract §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Ask verification queries.
    Verify,
    /// Read patterns in the access log, without persons.
    LogPatterns,
    /// Open one person's trail with a case number.
    LogPerson,
    /// Open a holder's own view.
    LogHolder,
    /// Operate the gateway.
    Ops,
}

impl Scope {
    /// Every scope, in the order in which they are advertised.
    pub const ALL: [Self; 5] = [Self::Verify, Self::LogPatterns, Self::LogPerson, Self::LogHolder, Self::Ops];

    /// The scope's code in tokens and metadata.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::LogPatterns => "log:patterns",
            Self::LogPerson => "log:person",
            Self::LogHolder => "log:holder",
            Self::Ops => "ops",
        }
    }

    /// Whether what this scope opens wants a signature over each request: one person's trail, and the gateway itself.
    pub const fn wants_signature(self) -> bool {
        matches!(self, Self::LogPerson | Self::LogHolder | Self::Ops)
    }

    /// The scope with this code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }
}
