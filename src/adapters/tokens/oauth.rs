//! The token endpoint's request and its errors (RFC 6749 §4.4 and §5.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

/// The longest token request, in bytes.
const MAX_FORM: usize = 8 * 1024;

/// The only kind of assertion (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A well-formed request for a token by client credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// `client_id`, if it was sent. It proves nothing; it only must not contradict the certificate.
    pub client_id: Option<String>,
    /// `scope`, if it was sent.
    pub scope: Option<String>,
    /// `client_assertion`, if it was sent.
    pub assertion: Option<ClientAssertion>,
}

/// A client assertion as it was sent; nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientAssertion(String);

impl ClientAssertion {
    /// The compact JWS, to be verified.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ClientAssertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientAssertion(hidden)")
    }
}

/// The error codes of RFC 6749 §5.2, and one for our own faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuthCode {
    /// A parameter is missing, repeated or malformed.
    InvalidRequest,
    /// The client is not who it says, or does not authenticate as its policy wants.
    InvalidClient,
    /// The agency may not have tokens at present.
    UnauthorizedClient,
    /// Not `client_credentials`.
    UnsupportedGrantType,
    /// None of the requested scopes may be granted.
    InvalidScope,
    /// The token cannot be made at present.
    TemporarilyUnavailable,
}

/// An error of the token endpoint, free of anything the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// The code.
    pub code: OAuthCode,
    /// What is wrong and what to do.
    pub description: &'static str,
}

impl OAuthError {
    /// An error with this code. The description is for developers.
    pub const fn new(code: OAuthCode, description: &'static str) -> Self {
        Self { code, description }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self.code {
            OAuthCode::InvalidClient => 401,
            OAuthCode::TemporarilyUnavailable => 503,
            OAuthCode::InvalidRequest | OAuthCode::UnauthorizedClient | OAuthCode::UnsupportedGrantType | OAuthCode::InvalidScope => 400,
        }
    }

    /// The body, `application/json`; send it with `Cache-Control: no-store`.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: &'static str,
        }
        let body = Body { error: self.code.as_str(), error_description: self.description };
        serde_json::to_string(&body).unwrap_or_else(|_| r#"{"error":"temporarily_unavailable"}"#.to_owned())
    }
}

impl OAuthCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// Reads the form of a token request.
///
/// # Errors
/// Not a form, too long, a repeated parameter, another grant type, or another way of authenticating the client.
pub fn parse_token_request(content_type: Option<&str>, body: &[u8]) -> Result<TokenRequest, OAuthError> {
    let mut parameters = parameters(content_type, body)?;
    match parameters.get("grant_type").map(AsRef::as_ref) {
        Some("client_credentials") => {}
        None => return Err(invalid_request("`grant_type` is missing")),
        Some(_) => return Err(OAuthError::new(OAuthCode::UnsupportedGrantType, "only `client_credentials` is supported")),
    }
    client(&mut parameters)
}

type Parameters<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// The parameters of a form of either endpoint, none of them a secret.
pub(super) fn parameters<'a>(content_type: Option<&str>, body: &'a [u8]) -> Result<Parameters<'a>, OAuthError> {
    if !content_type.is_some_and(is_form) {
        return Err(invalid_request("send the request as `application/x-www-form-urlencoded`"));
    }
    let parameters = unique_parameters(body)?;
    if parameters.contains_key("client_secret") {
        return Err(OAuthError::new(OAuthCode::InvalidClient, "no client has a secret here; its certificate authenticates it"));
    }
    Ok(parameters)
}

/// Who asks, and for what.
pub(super) fn client(parameters: &mut Parameters<'_>) -> Result<TokenRequest, OAuthError> {
    let mut take = |name: &str| parameters.remove(name).map(Cow::into_owned);
    let assertion = assertion(take("client_assertion_type").as_deref(), take("client_assertion"))?;
    Ok(TokenRequest { client_id: take("client_id"), scope: take("scope"), assertion })
}

/// Both parameters or neither (RFC 7521 §4.2).
fn assertion(kind: Option<&str>, assertion: Option<String>) -> Result<Option<ClientAssertion>, OAuthError> {
    match (kind, assertion) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(ClientAssertion(assertion))),
        (Some(JWT_BEARER), None) | (None, Some(_)) => {
            Err(invalid_request("`client_assertion` and `client_assertion_type` belong together; one is missing"))
        }
        (Some(_), _) => Err(OAuthError::new(OAuthCode::InvalidClient, "the only `client_assertion_type` is that of RFC 7523: jwt-bearer")),
    }
}

/// The parameters that have a value; one without counts as absent (RFC 6749 §3.2) but still must not be repeated.
fn unique_parameters(body: &[u8]) -> Result<Parameters<'_>, OAuthError> {
    if body.len() > MAX_FORM {
        return Err(invalid_request("the request is too long"));
    }
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if parameters.insert(name, value).is_some() {
            return Err(invalid_request("a parameter is repeated"));
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Ok(parameters)
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

const fn invalid_request(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidRequest, description)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

    fn code(body: &str) -> Option<OAuthCode> {
        parse_token_request(FORM, body.as_bytes()).err().map(|error| error.code)
    }

    #[test]
    fn form_is_read_and_unknown_parameters_are_ignored() {
        let parsed =
            parse_token_request(FORM, b"grant_type=client_credentials&client_id=school&scope=verify+log%3Apatterns&extra=1").unwrap();
        assert_eq!(parsed, TokenRequest { client_id: Some("school".into()), scope: Some("verify log:patterns".into()), assertion: None });
        assert_eq!(parse_token_request(FORM, b"grant_type=client_credentials&scope=").unwrap(), TokenRequest::default());
    }

    #[test]
    fn only_a_form_is_accepted() {
        let accepted = |content_type| parse_token_request(content_type, b"grant_type=client_credentials").is_ok();
        assert!(accepted(Some("Application/X-WWW-Form-Urlencoded; charset=UTF-8")));
        for other in
            [None, Some(""), Some("application/json"), Some("multipart/form-data"), Some("text/plain; application/x-www-form-urlencoded")]
        {
            assert!(!accepted(other), "{other:?}");
        }
    }

    #[test]
    fn each_fault_has_its_code() {
        for (body, expected) in [
            ("", OAuthCode::InvalidRequest),
            ("scope=verify", OAuthCode::InvalidRequest),
            ("grant_type=", OAuthCode::InvalidRequest),
            ("grant_type=client_credentials&grant_type=client_credentials", OAuthCode::InvalidRequest),
            ("grant_type=client_credentials&scope=verify&scope=ops", OAuthCode::InvalidRequest),
            ("grant_type=client_credentials&scope=&scope=ops", OAuthCode::InvalidRequest),
            ("grant_type=client_credentials&x=1&x=2", OAuthCode::InvalidRequest),
            ("grant_type=password", OAuthCode::UnsupportedGrantType),
            ("grant_type=Client_Credentials", OAuthCode::UnsupportedGrantType),
            ("grant_type=client_credentials&client_secret=x", OAuthCode::InvalidClient),
            ("grant_type=client_credentials&client_assertion=x", OAuthCode::InvalidRequest),
            ("grant_type=client_credentials&client_assertion_type=x", OAuthCode::InvalidClient),
            ("grant_type=client_credentials&client_assertion_type=x&client_assertion=x", OAuthCode::InvalidClient),
            (
                "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
                OAuthCode::InvalidRequest,
            ),
            ("client_secret=x", OAuthCode::InvalidClient),
        ] {
            assert_eq!(code(body), Some(expected), "{body}");
        }
        assert_eq!(code(&format!("grant_type=client_credentials&x={}", "y".repeat(MAX_FORM))), Some(OAuthCode::InvalidRequest));
    }

    #[test]
    fn assertion_is_read_and_never_shown() {
        let body = "grant_type=client_credentials&client_assertion=a.b.c\
            &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let request = parse_token_request(FORM, body.as_bytes()).unwrap();
        assert_eq!(request.assertion.as_ref().map(ClientAssertion::expose), Some("a.b.c"));
        assert!(!format!("{request:?}").contains("a.b.c"));
    }

    #[test]
    fn errors_are_the_json_of_rfc_6749() {
        let error = parse_token_request(FORM, b"grant_type=password").unwrap_err();
        assert_eq!(
            (error.status(), error.json().as_str()),
            (400, r#"{"error":"unsupported_grant_type","error_description":"only `client_credentials` is supported"}"#)
        );
        assert_eq!(OAuthError::new(OAuthCode::InvalidClient, "x").status(), 401);
    }
}
