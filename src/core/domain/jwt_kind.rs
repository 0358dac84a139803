//! Every kind of JWT that this product makes or reads, each with a `typ` of its own (RFC 8725 §3.11).

/// A kind of JWT. Whoever adds one adds it here: a test refuses a `typ` in the sources that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtKind {
    /// An access token (RFC 9068): ours, or an outside issuer's.
    AccessToken,
    /// An agency's proof of who it is at the token endpoint (RFC 7523bis).
    ClientAssertion,
    /// An agency's signature over one of its requests.
    Request,
    /// A signed answer.
    Answer,
    /// A signed refusal.
    Refusal,
    /// A receipt that a holder carries, printed.
    Receipt,
    /// A Security Event Token (RFC 8417): an alert for a webhook, or what changed in the register. Each has an issuer, a key, an audience and an
    /// event type of its own.
    SecurityEvent,
}

impl JwtKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::AccessToken, Self::ClientAssertion, Self::Request, Self::Answer, Self::Refusal, Self::Receipt, Self::SecurityEvent];

    /// Its `typ`.
    pub const fn typ(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::ClientAssertion => "client-authentication+jwt",
            Self::Request => "estelam-request+jwt",
            Self::Answer => "estelam-answer+jwt",
            Self::Refusal => "estelam-refusal+jwt",
            Self::Receipt => "estelam-receipt+jwt",
            Self::SecurityEvent => "secevent+jwt",
        }
    }

    /// The kind of this `typ`.
    pub fn of(typ: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.typ() == typ)
    }
}
