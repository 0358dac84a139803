//! The client a person uses: mutual TLS, a bound token, a query, and the checks that make the answer worth something.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::place::{DemoFile, Place};
use super::request_key::{FIELD, RequestKey, Target};
use super::verify::Lang;
use super::{CliError, Failure, words};
use crate::adapters::clock::SystemClock;
use crate::adapters::tls::config::client_config;
use crate::core::domain::reason::OutageStep;

/// Longest export.
const STREAM: Duration = Duration::from_secs(24 * 3600);

/// A connection to a gateway in the name of one agency.
pub(super) struct Client {
    http: reqwest::Client,
    place: DemoFile,
    agency: String,
    dir: PathBuf,
}

/// The body of `POST /v1/verify`.
#[derive(Debug, Serialize)]
pub(super) struct Ask {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<AskIdentifier>,
    pub(super) service: String,
    pub(super) purpose: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) check: Option<AskCheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) province: Option<String>,
    pub(super) nonce: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) emergency: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) receipt: bool,
}

/// `identifier` of the body.
#[derive(Debug, Default, Serialize)]
pub(super) struct AskIdentifier {
    pub(super) scheme: String,
    pub(super) value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) series: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mrz: Option<String>,
}

/// `check` of the body.
#[derive(Debug, Default, Serialize)]
pub(super) struct AskCheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) birth_year: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) birth_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) document_expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) calendar: String,
}

/// What the gateway said: status, JSON, and the exact bytes that were sent.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) sent: Vec<u8>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
}

impl Client {
    /// Reads where the gateway is and which certificate to use.
    pub(super) fn open(place: &Place, agency: &str) -> Result<Self, CliError> {
        let (dir, place) = (place.dir(), place.endpoints()?);
        let files = place.agency(agency)?.clone();
        let file = |path: &Path| dir.join(path);
        let config = client_config(&file(&place.ca), &file(&files.cert), &file(&files.key), Arc::new(SystemClock))
            .doing(format_args!("the certificate files of `{agency}` do not make a TLS client"))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .no_proxy()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .doing("cannot build the HTTP client")?;
        Ok(Self { http, place, agency: agency.to_owned(), dir: dir.to_owned() })
    }

    /// The gateway's URL, which is also its issuer.
    pub(super) fn gateway(&self) -> &str {
        &self.place.gateway
    }

    /// The agency that asks.
    pub(super) fn agency(&self) -> &str {
        &self.agency
    }

    /// An access token bound to the agency's certificate.
    pub(super) async fn token(&self, scope: Option<&str>) -> Result<String, CliError> {
        let mut form = format!("grant_type=client_credentials&client_id={}", self.agency);
        if let Some(scope) = scope {
            form.push_str("&scope=");
            form.push_str(&scope.replace(':', "%3A").replace(' ', "+"));
        }
        let response = self
            .http
            .post(format!("{}/oauth2/token", self.place.gateway))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .map_err(|error| self.unreached(&error))?;
        let (status, body) = (response.status().as_u16(), response.bytes().await.doing("the gateway broke off")?);
        match serde_json::from_slice::<TokenAnswer>(&body) {
            Ok(answer) if status == 200 => Ok(answer.access_token),
            _ => {
                let who = scope.and_then(who_has).filter(|_| status == 400).unwrap_or_default();
                Err(CliError::failed(format_args!("no token for `{}` (HTTP {status}): {}{who}", self.agency, said(&body))))
            }
        }
    }

    /// Asks one query, signed if there is a key to sign with.
    pub(super) async fn ask(&self, token: &str, ask: &Ask, key: Option<&RequestKey>) -> Result<Answered, CliError> {
        const PATH: &str = "/v1/verify";
        let sent = serde_json::to_vec(ask).doing("cannot write the query")?;
        let mut request = self
            .http
            .post(format!("{}{PATH}", self.place.gateway))
            .bearer_auth(token)
            .header("Content-Type", "application/json")
            .body(sent.clone());
        if let Some(key) = key {
            let target = Target { agency: &self.agency, issuer: &self.place.gateway, method: "POST", path: PATH, body: &sent };
            request = request.header(FIELD, key.sign(&target)?);
        }
        let response = request.send().await.map_err(|error| self.unreached(&error))?;
        let status = response.status().as_u16();
        let body = response.json().await.doing("the gateway did not answer with JSON")?;
        Ok(Answered { status, body, sent })
    }

    /// Reads JSON from the gateway with a token; the request is signed where the agency has a key for that. `path` may have a query string.
    pub(super) async fn read(&self, token: &str, path: &str) -> Result<Value, CliError> {
        let request = self.signed(self.http.get(format!("{}{path}", self.place.gateway)), ("GET", path), &[])?;
        self.told(request.bearer_auth(token)).await
    }

    /// Sends JSON to a resource, signed where the agency has a key for that, and reads JSON.
    pub(super) async fn send(&self, token: &str, path: &str, body: &Value) -> Result<Value, CliError> {
        let sent = body.to_string().into_bytes();
        let request = self.signed(self.http.post(format!("{}{path}", self.place.gateway)), ("POST", path), &sent)?;
        self.told(request.bearer_auth(token).header("Content-Type", "application/json").body(sent)).await
    }

    /// Begins to read something long; the time limit of short replies does not hold for it.
    pub(super) async fn stream(&self, token: &str, path: &str) -> Result<reqwest::Response, CliError> {
        let request = self.signed(self.http.get(format!("{}{path}", self.place.gateway)), ("GET", path), &[])?;
        let response = request.bearer_auth(token).timeout(STREAM).send().await.map_err(|error| self.unreached(&error))?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(response);
        }
        let body = response.bytes().await.doing("the gateway broke off")?;
        Err(CliError::failed(format_args!("HTTP {status}: {}", said(&body))))
    }

    fn signed(&self, request: RequestBuilder, (method, path): (&str, &str), body: &[u8]) -> Result<RequestBuilder, CliError> {
        let Some(file) = self.place.agency(&self.agency)?.request_key.as_ref().map(|file| self.dir.join(file)).filter(|file| file.exists())
        else {
            return Ok(request);
        };
        let target = Target { agency: &self.agency, issuer: &self.place.gateway, method, path, body };
        Ok(request.header(FIELD, RequestKey::read(&file)?.sign(&target)?))
    }

    async fn told(&self, request: RequestBuilder) -> Result<Value, CliError> {
        let response = request.send().await.map_err(|error| self.unreached(&error))?;
        let status = response.status().as_u16();
        let body: Value = response.json().await.doing("the gateway did not answer with JSON")?;
        match status {
            200 | 202 => Ok(body),
            _ => Err(CliError::failed(format_args!("HTTP {status}: {}", said(body.to_string().as_bytes())))),
        }
    }

    /// Says why there was no reply: what the connection met is the last of the causes.
    fn unreached(&self, error: &reqwest::Error) -> CliError {
        let mut cause: &(dyn Error + 'static) = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let gateway = &self.place.gateway;
        if let Some(rustls::Error::InvalidCertificate(why)) = tls_error(cause) {
            return CliError::failed(not_vouched_for(gateway, &self.dir.join(&self.place.ca), why));
        }
        CliError::failed(format_args!("the gateway at {gateway} does not answer: {cause}; {}", what_to_see_to(cause)))
    }

    /// Reads a public resource as text.
    pub(super) async fn public(&self, path: &str) -> Result<String, CliError> {
        String::from_utf8(self.public_bytes(path).await?).doing("the public listener did not answer with text")
    }

    /// Reads a public resource.
    pub(super) async fn public_bytes(&self, path: &str) -> Result<Vec<u8>, CliError> {
        let url = format!("{}{path}", self.place.public);
        let response = self.http.get(&url).send().await.doing(format_args!("`{url}` cannot be reached"))?;
        let status = response.status();
        let bytes = response.bytes().await.doing("the public listener broke off")?;
        if status.is_success() { Ok(bytes.to_vec()) } else { Err(CliError::failed(format_args!("`{url}` answered {status}"))) }
    }
}

/// Who may do what an auditor asked for, when another asks.
fn who_has(scope: &str) -> Option<&'static str> {
    match scope {
        "log:patterns" => Some("; patterns are for who audits them, in a demo `--as security-auditor`"),
        "log:person" => Some("; trails are for the data-protection officer, in a demo `--as dpo`"),
        "log:holder" => Some("; holders' views are for offices, in a demo `--as kefalat`"),
        _ => None,
    }
}

/// Something answers, under a certificate that is not taken for the gateway's.
fn not_vouched_for(gateway: &str, root: &Path, why: &rustls::CertificateError) -> String {
    let root = root.display();
    match why {
        // A root of another installation may bear the same name; then it is the signature that does not fit.
        rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature => format!(
            "what answers at {gateway} has a certificate for which `{root}` does not vouch: is it the gateway that listens there, and is that file its \
             root (`ca.pem` of the newest kit)?"
        ),
        why => format!(
            "what answers at {gateway} has a certificate that does not count ({why}): is it the gateway that listens there, under the name in its \
             URL, and is the clock here right?"
        ),
    }
}

/// What to see to where no reply came.
fn what_to_see_to(cause: &(dyn Error + 'static)) -> &'static str {
    match tls_error(cause) {
        Some(rustls::Error::AlertReceived(_)) => "it refuses this certificate: has it ended, or was it cut off? ask the operator",
        Some(_) => "what listens there does not speak TLS as the gateway does: is it the right address?",
        None => "is it running?",
    }
}

/// What TLS met. It comes inside an error of reading or writing: on a connection that stands within one, on one that is just made within two.
fn tls_error<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let inside = || tls_error(cause.downcast_ref::<std::io::Error>()?.get_ref()?);
    cause.downcast_ref().or_else(inside)
}

/// Code and words of a problem (RFC 9457) or of an error of the token endpoint (RFC 6749 §5.2), on one line; what the policy says to do in an
/// outage in both languages, for nobody said which.
fn said(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |one: &str, other: &str| body.get(one).or(body.get(other)).and_then(Value::as_str).map(str::to_owned);
    let code = text("code", "error").unwrap_or_else(|| "no reason given".to_owned());
    let why = text("detail", "error_description").or_else(|| text("title", "title"));
    let said = why.map_or(code.clone(), |words| format!("`{code}`, {words}"));
    match body.get("advice").and_then(Value::as_str).and_then(OutageStep::parse) {
        Some(step) => {
            format!("{said}; meanwhile: {} (در این میان: {})", words::meanwhile(step, Lang::En), words::meanwhile(step, Lang::Fa))
        }
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{not_vouched_for, said, what_to_see_to};

    #[test]
    fn connection_that_fails_says_what_to_see_to() {
        let tls = |error: rustls::Error| what_to_see_to(&error);
        let not_vouched_for = |why| not_vouched_for("https://gate.example", Path::new("kit/ca.pem"), &why);
        let said = not_vouched_for(rustls::CertificateError::UnknownIssuer);
        assert!(said.starts_with("what answers at https://gate.example") && said.contains("`kit/ca.pem` does not vouch"), "{said}");
        assert!(not_vouched_for(rustls::CertificateError::Expired).contains("is the clock here right?"));
        assert!(tls(rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRevoked)).contains("cut off"));
        assert!(tls(rustls::InvalidMessage::InvalidContentType.into()).contains("right address"));
        let wrapped = std::io::Error::other(rustls::Error::AlertReceived(rustls::AlertDescription::AccessDenied));
        assert!(what_to_see_to(&wrapped).contains("cut off"), "as the connection wraps it");
        assert!(what_to_see_to(&std::io::Error::other(wrapped)).contains("cut off"), "as it wraps it while it is made");
        assert_eq!(what_to_see_to(&std::io::Error::other("refused")), "is it running?");
    }

    #[test]
    fn refusals_of_both_kinds_are_one_line() {
        assert_eq!(
            said(br#"{"code":"agency-suspended","detail":"ask the operator","statement":"x.y.z"}"#),
            "`agency-suspended`, ask the operator"
        );
        assert_eq!(said(br#"{"error":"invalid_scope","error_description":"too much"}"#), "`invalid_scope`, too much");
        assert_eq!((said(br#"{"error":"invalid_client"}"#), said(b"<html>")), ("invalid_client".to_owned(), "no reason given".to_owned()));
    }

    #[test]
    fn outage_is_told_with_what_the_policy_says_to_do() {
        assert_eq!(
            said(br#"{"title":"The answer could not be recorded","code":"ledger-unavailable","advice":"proceed"}"#),
            "`ledger-unavailable`, The answer could not be recorded; meanwhile: serve the holder and ask again later \
             (در این میان: خدمت را بدهید و بعداً دوباره بپرسید)"
        );
    }
}
