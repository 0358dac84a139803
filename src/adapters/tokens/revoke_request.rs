//! The form of the revocation endpoint (RFC 7009, section 2.1).

use super::oauth::{OAuthCode, OAuthError};

/// Reads the token that is to be revoked out of the form; `token_type_hint` is not needed, since there is one type.
///
/// # Errors
/// Not a form, `token` missing or repeated, or another way of authenticating the client than its certificate.
pub fn parse_revocation_request(content_type: Option<&str>, body: &[u8]) -> Result<String, OAuthError> {
    let invalid = |description| OAuthError::new(OAuthCode::InvalidRequest, description);
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("send the request as `application/x-www-form-urlencoded`"));
    }
    let mut token = None;
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "client_secret" | "client_assertion" | "client_assertion_type" => {
                return Err(OAuthError::new(OAuthCode::InvalidClient, "clients authenticate here by their certificate alone"));
            }
            "token" if token.is_some() => return Err(invalid("`token` is repeated")),
            "token" => token = Some(value.into_owned()),
            _ => {}
        }
    }
    token.filter(|token| !token.is_empty()).ok_or_else(|| invalid("`token` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(content_type: Option<&str>, body: &str) -> Result<String, OAuthCode> {
        parse_revocation_request(content_type, body.as_bytes()).map_err(|error| error.code)
    }

    #[test]
    fn one_token_in_a_form_is_read() {
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(code(form, "token=a.b.c&token_type_hint=refresh_token"), Ok("a.b.c".to_owned()));
        assert_eq!(code(form, "token=a&token=b"), Err(OAuthCode::InvalidRequest));
        assert_eq!(code(form, "token="), Err(OAuthCode::InvalidRequest));
        assert_eq!(code(form, "token=a&client_assertion=x"), Err(OAuthCode::InvalidClient));
        assert_eq!(code(Some("application/json"), "token=a"), Err(OAuthCode::InvalidRequest));
        assert_eq!(code(None, "token=a"), Err(OAuthCode::InvalidRequest));
    }
}
