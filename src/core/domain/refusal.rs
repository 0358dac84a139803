//! Refusals: the closed list of codes (contract §4), each with its status and title.

use super::context::CallContext;
use super::document::coded_enum;
use super::reason::OutageStep;

coded_enum! {
    /// Why a call was refused before any decision about a person.
    RefusalCode {
        /// The body is not the JSON that the contract describes.
        MalformedRequest = "malformed-request",
        /// The agency's policy wants the actor named.
        ActorRequired = "actor-required",
        /// The agency's policy wants a second factor.
        CheckRequired = "check-required",
        /// The agency's policy wants its own reference.
        ReferenceRequired = "reference-required",
        /// The agency's policy wants a nonce.
        NonceRequired = "nonce-required",
        /// What is asked for wants a signature over the request.
        SignatureRequired = "signature-required",
        /// The signature over the request is not accepted.
        SignatureInvalid = "signature-invalid",
        /// No such service in the catalogue.
        UnknownService = "unknown-service",
        /// No such identifier scheme.
        UnknownScheme = "unknown-scheme",
        /// The value fits no scheme.
        MalformedIdentifier = "malformed-identifier",
        /// The value fits another scheme, or the scheme is never a key.
        WrongScheme = "wrong-scheme",
        /// An Iranian national code.
        WrongPopulation = "wrong-population",
        /// No bearer token.
        TokenMissing = "token-missing",
        /// The token does not verify.
        TokenInvalid = "token-invalid",
        /// The token belongs to another certificate.
        TokenNotBound = "token-not-bound",
        /// The certificate is no longer accepted: revoked, expired or not judgeable since the connection opened.
        CertificateNotAccepted = "certificate-not-accepted",
        /// The agency is suspended or not enrolled.
        AgencySuspended = "agency-suspended",
        /// The agency's policy does not grant this service.
        ServiceNotAllowed = "service-not-allowed",
        /// The agency's policy does not grant this service for this purpose.
        PurposeNotAllowed = "purpose-not-allowed",
        /// The agency's policy does not allow printed receipts here.
        ReceiptNotAllowed = "receipt-not-allowed",
        /// The token lacks the scope.
        ScopeMissing = "scope-missing",
        /// The case is not in the register, closed, over, or another office's.
        CaseUnknown = "case-unknown",
        /// A holder's code is wrong, used, too old, or another office's.
        CodeNotAccepted = "code-not-accepted",
        /// No such resource on this listener, or not for this agency.
        NotFound = "not-found",
        /// The resource has no such method.
        MethodNotAllowed = "method-not-allowed",
        /// An idempotency key was used with another body.
        KeyReused = "key-reused",
        /// The body is larger than the limit.
        BodyTooLarge = "body-too-large",
        /// The request line and header fields are too long or too many.
        HeadTooLarge = "head-too-large",
        /// The body is not `application/json`.
        UnsupportedMediaType = "unsupported-media-type",
        /// Too many requests in a short time.
        RateLimited = "rate-limited",
        /// The period's quota is used up.
        QuotaExhausted = "quota-exhausted",
        /// The registry does not answer a read of the log that cannot do without it.
        RegistryUnavailable = "registry-unavailable",
        /// The record cannot be made durable.
        LedgerUnavailable = "ledger-unavailable",
        /// More wait for the registry than could be answered in time.
        Overloaded = "overloaded",
        /// The node is stopping.
        ShuttingDown = "shutting-down",
    }
}

impl RefusalCode {
    /// The HTTP status of the refusal.
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedRequest
            | Self::ActorRequired
            | Self::CheckRequired
            | Self::ReferenceRequired
            | Self::NonceRequired
            | Self::SignatureRequired
            | Self::UnknownService
            | Self::UnknownScheme
            | Self::MalformedIdentifier
            | Self::WrongScheme
            | Self::WrongPopulation => 400,
            Self::TokenMissing | Self::TokenInvalid | Self::TokenNotBound | Self::SignatureInvalid => 401,
            Self::CertificateNotAccepted
            | Self::AgencySuspended
            | Self::ServiceNotAllowed
            | Self::PurposeNotAllowed
            | Self::ReceiptNotAllowed
            | Self::ScopeMissing
            | Self::CaseUnknown
            | Self::CodeNotAccepted => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::KeyReused => 409,
            Self::BodyTooLarge => 413,
            Self::HeadTooLarge => 431,
            Self::UnsupportedMediaType => 415,
            Self::RateLimited | Self::QuotaExhausted => 429,
            Self::RegistryUnavailable | Self::LedgerUnavailable | Self::Overloaded | Self::ShuttingDown => 503,
        }
    }
}

/// What a limiter says about a call that it turned away (`Retry-After`, `RateLimit`, `RateLimit-Policy`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitNotice {
    /// Name of the limit, for example `counter` or `quota`.
    pub policy: &'static str,
    /// Calls allowed per window.
    pub quota: u64,
    /// Window in seconds.
    pub window_s: u64,
    /// Seconds until the next call can pass; at least 1.
    pub retry_after_s: u64,
}

/// A refusal with everything its record and its reply need.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What is known of the call.
    pub context: CallContext,
    /// Why it was refused.
    pub code: RefusalCode,
    /// What to do about it, free of identifiers.
    pub detail: String,
    /// A better scheme, for `wrong-scheme`.
    pub hint: Option<String>,
    /// What the limiter said, for 429.
    pub limit: Option<LimitNotice>,
    /// The methods that the resource has, for 405.
    pub allow: &'static str,
    /// What the agency's policy says to do in an outage, for 503.
    pub advice: Option<OutageStep>,
}

impl Refusal {
    /// A refusal of the call with this context. `detail` must be free of identifiers.
    pub fn new(context: CallContext, code: RefusalCode, detail: impl Into<String>) -> Box<Self> {
        Box::new(Self { context, code, detail: detail.into(), hint: None, limit: None, allow: "", advice: None })
    }
}
