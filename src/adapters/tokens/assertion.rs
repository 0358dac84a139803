//! Authenticates a client by its assertion: `private_key_jwt`, beside the certificate of the connection.

use std::sync::Arc;

use jiff::Timestamp;

use super::key::{ForeignRejected, notice_refused_member, verify_foreign};
use super::oauth::{OAuthCode, OAuthError, TokenRequest};
use crate::core::domain::agency::AgencyId;
use crate::core::domain::jws::{ForeignJws, JwsRejected, refused_member};
use crate::core::token::{AssertionRejected, ClientAuth, Replays, check_assertion, check_assertion_kind};

/// The longest assertion that is looked at, in bytes.
const MAX_ASSERTION: usize = 4096;

/// Tells whether a client is who its certificate says, by all that its file wants.
pub struct ClientAuthenticator {
    issuer: Arc<str>,
    replays: Arc<dyn Replays>,
}

impl ClientAuthenticator {
    /// An authenticator for assertions made for `issuer`, each of which counts once.
    pub fn new(issuer: Arc<str>, replays: Arc<dyn Replays>) -> Self {
        Self { issuer, replays }
    }

    /// Checks everything that the agency's file wants beside its certificate.
    ///
    /// # Errors
    /// `invalid_client` where an assertion is missing, not wanted, not good or was used before; `temporarily_unavailable` where its use
    /// cannot be recorded.
    pub async fn authenticate(
        &self,
        request: &TokenRequest,
        client: &AgencyId,
        auth: &ClientAuth,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        if request.client_id.as_deref().is_some_and(|id| id != client.as_str()) {
            return Err(invalid("`client_id` is not the agency that the certificate names"));
        }
        match (&request.assertion, auth.keys.is_empty()) {
            (None, _) if auth.certificate => Ok(()),
            (None, _) => Err(invalid("this client authenticates by `private_key_jwt` beside its certificate; send `client_assertion`")),
            (Some(_), true) => Err(invalid("this client has no key registered for `private_key_jwt`; its certificate alone authenticates")),
            (Some(assertion), false) => self.spend(assertion.expose(), client, auth, now).await,
        }
    }

    async fn spend(&self, compact: &str, client: &AgencyId, auth: &ClientAuth, now: Timestamp) -> Result<(), OAuthError> {
        const UNAVAILABLE: OAuthError = OAuthError::new(
            OAuthCode::TemporarilyUnavailable,
            "the use of an assertion cannot be recorded at present; try again with a new one",
        );
        let jws = ForeignJws::parse(compact, MAX_ASSERTION).map_err(|JwsRejected(why)| {
            notice_refused_member(compact, refused_member);
            invalid(why)
        })?;
        check_assertion_kind(jws.typ.as_deref()).map_err(|AssertionRejected(why)| invalid(why))?;
        verify_foreign(&jws, &auth.keys).map_err(|rejected| invalid(words(rejected)))?;
        let assertion = check_assertion(&jws.payload, client, &self.issuer, now).map_err(|AssertionRejected(why)| invalid(why))?;
        match self.replays.spend(client, &assertion, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(invalid("this assertion was used before; make a new one for each request")),
            Err(_) => Err(UNAVAILABLE),
        }
    }
}

const fn words(rejected: ForeignRejected) -> &'static str {
    match rejected {
        ForeignRejected::UnknownKey => "the assertion names no key that is registered for this client",
        ForeignRejected::Algorithm => "the assertion's `alg` is not that of its key",
        ForeignRejected::Signature => "the assertion's signature is not good",
    }
}

const fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidClient, description)
}
