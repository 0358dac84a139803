//! What a new agency gets: certificate, roots, its policy in plain words, a script that works, the settings of an OAuth client.
//!
//! Its private key is not in it: it never left the agency.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::home::Home;
use super::words;
use crate::cli::place::{AgencyFiles, CLIENT_FILE, DemoFile, write_atomically};
use crate::cli::{CliError, Failure};
use crate::core::domain::jwk::{JwsAlgorithm, PublicJwk};
use crate::core::policy::{AgencyPolicy, Snapshot};
use crate::core::token::{PRIVATE_KEY_JWT, TLS_CLIENT_AUTH};
use crate::files;

/// A folder that a kit can be written into. One that was made for it goes again, unless it is kept.
pub(super) struct Made<'p> {
    made: Option<&'p Path>,
}

impl<'p> Made<'p> {
    /// Makes the folder and tries it.
    pub(super) fn prepare(folder: &'p Path) -> Result<Self, CliError> {
        let made = Self { made: (!folder.exists()).then_some(folder) };
        std::fs::create_dir_all(folder)
            .doing(format_args!("the kit has no place, so nobody was enrolled; cannot make `{}`", folder.display()))?;
        let trial = folder.join(TRIAL);
        let tried = files::write_durably(&trial, b"").and_then(|()| std::fs::remove_file(&trial));
        tried.doing(format_args!("the kit has no place, so nobody was enrolled; cannot write into `{}`", folder.display())).map(|()| made)
    }

    /// Lets the folder stay.
    pub(super) fn keep(mut self) {
        self.made = None;
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        // Only an empty folder can be removed, so nothing that lies in it is lost.
        self.made.map(std::fs::remove_dir);
    }
}

/// Name of the file that is written to try a folder.
const TRIAL: &str = ".estelam-kit";

/// Writes the kit of an agency's certificate; says where it lies.
pub(super) fn write(
    home: &Home,
    folder: &Path,
    certificate: Option<&str>,
    snapshot: &Snapshot,
    policy: &AgencyPolicy,
) -> Result<PathBuf, CliError> {
    std::fs::create_dir_all(folder).doing(format_args!("cannot make `{}`", folder.display()))?;
    let put = |name: &str, text: &str| write_atomically(&folder.join(name), text.as_bytes());
    if let Some(certificate) = certificate {
        put("cert.pem", certificate)?;
    }
    let ca = std::fs::read_to_string(&home.server_ca).doing("the root of the gateway's certificate")?;
    put("ca.pem", &ca)?;
    put("policy.en.txt", &words::english(snapshot, policy))?;
    put("policy.fa.txt", &words::persian(snapshot, policy))?;
    put("oauth.json", &oauth(home, policy)?)?;
    put(CLIENT_FILE, &client(home, policy)?)?;
    put("ask.sh", &script(home, policy))?;
    put("sign.py", &signing_script(home, policy))?;
    if let Some(key) = asserted_by(policy) {
        put("assertion.py", &assertion_script(home, policy, key))?;
    }
    Ok(folder.to_owned())
}

/// The key of the client's assertions, where the certificate alone is not enough: the first that is registered.
fn asserted_by(policy: &AgencyPolicy) -> Option<&PublicJwk> {
    let auth = &policy.client_auth;
    if auth.certificate { None } else { auth.keys.first() }
}

/// The settings of an OAuth client.
fn oauth(home: &Home, policy: &AgencyPolicy) -> Result<String, CliError> {
    let (issuer, asserted) = (issuer(home), asserted_by(policy));
    let scopes: Vec<_> = policy.scopes.iter().map(|scope| scope.code()).collect();
    let mut settings = json!({
        "issuer": issuer,
        "discovery": format!("{issuer}/.well-known/oauth-authorization-server"),
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "client_id": policy.id.as_str(),
        "grant_type": "client_credentials",
        "token_endpoint_auth_method": asserted.map_or(TLS_CLIENT_AUTH, |_| PRIVATE_KEY_JWT),
        "tls_client_certificate_bound_access_tokens": true,
        "scope": scopes.join(" "),
    });
    if let (Some(key), Some(members)) = (asserted, settings.as_object_mut()) {
        members.insert("token_endpoint_auth_signing_alg".to_owned(), json!(key.algorithm().jose()));
    }
    serde_json::to_string_pretty(&settings).doing("the settings of the OAuth client")
}

/// Where the gateway is and which files are the agency's, for `estelam verify`, `token` and `log` with the kit as their folder.
fn client(home: &Home, policy: &AgencyPolicy) -> Result<String, CliError> {
    let files = AgencyFiles { cert: "cert.pem".into(), key: "key.pem".into(), request_key: Some("request-key.pem".into()) };
    let (gateway, agencies) = (issuer(home), [(policy.id.to_string(), files)].into());
    let public = home.public.clone().unwrap_or_else(|| gateway.clone());
    let places = DemoFile { gateway, public, ops: String::new(), registry: String::new(), ca: "ca.pem".into(), agencies };
    serde_json::to_string_pretty(&places).doing("the places of the kit")
}

/// A script that gets a token and asks. The number comes from standard input, so that no file and no process list holds one.
fn script(home: &Home, policy: &AgencyPolicy) -> String {
    let issuer = issuer(home);
    let (assert, assertion) = if asserted_by(policy).is_some() { ASSERTED } else { ("", "") };
    let ask = words::lines(policy).first().map_or_else(String::new, |line| {
        let mut members = vec![
            r#""identifier":{"scheme":"'"${SCHEME:-yekta}"'","value":"'"$number"'"}"#.to_owned(),
            format!(r#""service":"{}""#, line.service),
            format!(r#""purpose":"{}""#, line.purpose),
        ];
        for (wanted, member) in [
            (line.grant.actor, r#""actor":"'"${ACTOR:-clerk-1}"'""#),
            (line.grant.reference, r#""reference":"'"${REFERENCE:-case-1}"'""#),
            (line.grant.check, r#""check":{"birth_year":'"${BIRTH_YEAR:?the holder\'s Jalali year of birth}"',"calendar":"jalali"}"#),
            // Always: only with it does the statement say which query it answers.
            (true, r#""nonce":"'"$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')"'""#),
        ] {
            if wanted {
                members.push(member.replace("\\'", "’"));
            }
        }
        let (sign, signature) = if line.grant.signature { SIGNED } else { ("", "") };
        format!(
            r#"
# The holder's number on standard input: printf '%s\n' NUMBER | BIRTH_YEAR=… sh ask.sh
IFS= read -r number
case $number in *[\"\\]*) echo 'this is no number' >&2; exit 2 ;; esac
body='{{{}}}'
{sign}# The token goes in by a configuration that curl reads: every user of this machine sees the arguments of a command.
printf '%s' "$body" |
  curl -sS --config /dev/fd/3{signature} -H 'Content-Type: application/json' --data-binary @- {issuer}/v1/verify 3<<END
$TLS
header = "Authorization: Bearer $TOKEN"
END
echo
"#,
            members.join(",")
        )
    });
    format!(
        r#"#!/bin/sh
# Put your private key beside this file as key.pem, or name it: KEY=/path/to/key.pem sh ask.sh
set -eu
cd "$(dirname "$0")"
TLS="cacert = ca.pem
cert = cert.pem
key = \"${{KEY:-key.pem}}\""
{assert}REPLY=$(printf '%s\n' "$TLS"{assertion} | curl -sS --fail-with-body --config - -d grant_type=client_credentials {issuer}/oauth2/token) || {{
  echo "no token: $REPLY" >&2
  exit 1
}}
TOKEN=$(printf '%s' "$REPLY" | sed -E 's/.*"access_token":"([^"]+)".*/\1/')
{ask}"#
    )
}

/// The client assertion in the script, where the certificate alone is not enough: it goes in by the configuration that curl reads.
const ASSERTED: (&str, &str) = (
    r#"# The key of your client assertions lies here too, as client-key.pem, or is named: CLIENT_KEY=/path/to/client-key.pem
ASSERTION=$(python3 assertion.py)
"#,
    r#" "data = \"client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\"" \
  "data = \"client_assertion=$ASSERTION\"""#,
);

/// Signing in the script, where the policy wants it: the field goes through a file that only its owner reads, not through the process list.
const SIGNED: (&str, &str) = (
    r#"signature=$(mktemp)
trap 'rm -f "$signature"' EXIT
printf '%s' "$body" | python3 sign.py POST /v1/verify > "$signature"
"#,
    r#" -H @"$signature""#,
);

/// A script that makes a client assertion with a public JOSE library.
fn assertion_script(home: &Home, policy: &AgencyPolicy, key: &PublicJwk) -> String {
    let (algorithm, kind) = match key.algorithm() {
        JwsAlgorithm::Ps256 => ("PS256", "RSAKey"),
        JwsAlgorithm::Es256 => ("ES256", "ECKey"),
        JwsAlgorithm::EdDsa => ("EdDSA", "OKPKey"),
    };
    let kid = key.kid().map(|kid| format!(r#", "kid": "{kid}""#)).unwrap_or_default();
    format!(
        r#"# The client assertion of one token request (RFC 7523): python3 assertion.py   (pip install joserfc)
# Its key is neither the certificate's nor that of your requests; the operator has its public half. Another key of yours: change it here.
import os, secrets, time
from joserfc import jwt
from joserfc.jwk import {kind}

key = {kind}.import_key(open(os.environ.get("CLIENT_KEY", "client-key.pem")).read())
now = int(time.time())
claims = {{"iss": "{agency}", "sub": "{agency}", "aud": "{issuer}", "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(16)}}
header = {{"alg": "{algorithm}", "typ": "client-authentication+jwt"{kid}}}
print(jwt.encode(header, claims, key, algorithms=["{algorithm}"]))
"#,
        agency = policy.id,
        issuer = issuer(home),
    )
}

/// A script that signs a request with a public JOSE library: the field for the body on standard input.
fn signing_script(home: &Home, policy: &AgencyPolicy) -> String {
    format!(
        r#"# The `Estelam-Signature` of a request: python3 sign.py METHOD PATH < body   (pip install joserfc)
# PATH is what you ask for on our host, with its query string: '/v1/log/samples?limit=5'
# Its key is another than the certificate's: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out request-key.pem
# Register the public half with the operator: openssl pkey -in request-key.pem -pubout
import hashlib, os, secrets, sys, time
from base64 import urlsafe_b64encode
from joserfc import jwt
from joserfc.jwk import ECKey

key = ECKey.import_key(open(os.environ.get("REQUEST_KEY", "request-key.pem")).read())
digest = urlsafe_b64encode(hashlib.sha256(sys.stdin.buffer.read()).digest()).rstrip(b"=").decode()
claims = {{"iss": "{agency}", "aud": "{issuer}", "iat": int(time.time()), "jti": secrets.token_urlsafe(16),
          "htm": sys.argv[1], "path": sys.argv[2], "body_sha256": digest}}
header = {{"alg": "ES256", "typ": "estelam-request+jwt", "kid": key.thumbprint()}}
print("Estelam-Signature: " + jwt.encode(header, claims, key))
"#,
        agency = policy.id,
        issuer = issuer(home),
    )
}

fn issuer(home: &Home) -> String {
    home.issuer.clone().unwrap_or_else(|| "https://GATEWAY".to_owned())
}
