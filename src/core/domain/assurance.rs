//! How well it is known that a certificate is not revoked.

/// The state of the revocation lists behind a certificate, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// Every list is within its dates.
    #[default]
    Current,
    /// A list is past its `nextUpdate`, but not longer than the configured grace: everything goes on, an alarm is raised.
    Grace,
    /// A list is past the grace too: only life-critical services go on, under the local list of what is cut off.
    Overdue,
}

impl Assurance {
    /// The mark in the access log; none while everything is current.
    pub const fn mark(self) -> Option<&'static str> {
        match self {
            Self::Current => None,
            Self::Grace => Some("revocation-grace"),
            Self::Overdue => Some("revocation-overdue"),
        }
    }
}
