//! The form of the revocation endpoint (RFC 7009, section 2.1).

use super::oauth::{self, OAuthCode, OAuthError, TokenRequest};

/// A well-formed request for a revocation.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationRequest {
    /// The token that is to be revoked; nothing shows it.
    pub token: String,
    /// How the client authenticates beside its certificate, as at the token endpoint.
    pub client: TokenRequest,
}

/// Reads the form; `token_type_hint` is not needed, since there is one type.
///
/// # Errors
/// Not a form, `token` missing, a repeated parameter, or a way of authenticating that no client has.
pub fn parse_revocation_request(content_type: Option<&str>, body: &[u8]) -> Result<RevocationRequest, OAuthError> {
    let mut parameters = oauth::parameters(content_type, body)?;
    let client = oauth::client(&mut parameters)?;
    let token = parameters.remove("token").ok_or_else(|| OAuthError::new(OAuthCode::InvalidRequest, "`token` is missing"))?;
    Ok(RevocationRequest { token: token.into_owned(), client })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(content_type: Option<&str>, body: &str) -> Result<(String, bool), OAuthCode> {
        let read = parse_revocation_request(content_type, body.as_bytes()).map_err(|error| error.code);
        read.map(|request| (request.token, request.client.assertion.is_some()))
    }

    #[test]
    fn one_token_in_a_form_is_read() {
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(code(form, "token=a.b.c&token_type_hint=refresh_token"), Ok(("a.b.c".to_owned(), false)));
        let kind = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        assert_eq!(code(form, &format!("token=a&client_assertion=x.y.z&{kind}")), Ok(("a".to_owned(), true)));
        assert_eq!(code(form, "token=a&token=b"), Err(OAuthCode::InvalidRequest));
        assert_eq!(code(form, "token="), Err(OAuthCode::InvalidRequest));
        assert_eq!(code(form, "token=a&client_assertion=x"), Err(OAuthCode::InvalidRequest));
        assert_eq!(code(form, "token=a&client_secret=x"), Err(OAuthCode::InvalidClient));
        assert_eq!(code(Some("application/json"), "token=a"), Err(OAuthCode::InvalidRequest));
        assert_eq!(code(None, "token=a"), Err(OAuthCode::InvalidRequest));
    }
}
