//! What a new agency gets: certificate, roots, its policy in plain words, a script that works, the settings of an OAuth client.
//!
//! Its private key is not in it: it never left the agency.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::home::Home;
use super::words;
use crate::cli::place::{AgencyFiles, CLIENT_FILE, DemoFile, write_atomically};
use crate::cli::{CliError, Failure};
use crate::core::policy::{AgencyPolicy, Snapshot};

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
    let ca = std::fs::read_to_string(&home.client_ca).doing("the roots")?;
    put("ca.pem", &ca)?;
    put("policy.en.txt", &words::english(snapshot, policy))?;
    put("policy.fa.txt", &words::persian(snapshot, policy))?;
    put("oauth.json", &oauth(home, policy)?)?;
    put(CLIENT_FILE, &client(home, policy)?)?;
    put("ask.sh", &script(home, policy))?;
    put("sign.py", &signing_script(home, policy))?;
    Ok(folder.to_owned())
}

/// The settings of an OAuth client.
fn oauth(home: &Home, policy: &AgencyPolicy) -> Result<String, CliError> {
    let issuer = issuer(home);
    let scopes: Vec<_> = policy.scopes.iter().map(|scope| scope.code()).collect();
    let settings = json!({
        "issuer": issuer,
        "discovery": format!("{issuer}/.well-known/oauth-authorization-server"),
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "client_id": policy.id.as_str(),
        "grant_type": "client_credentials",
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_certificate_bound_access_tokens": true,
        "scope": scopes.join(" "),
    });
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
REPLY=$(printf '%s\n' "$TLS" | curl -sS --fail-with-body --config - -d grant_type=client_credentials {issuer}/oauth2/token) || {{
  echo "no token: $REPLY" >&2
  exit 1
}}
TOKEN=$(printf '%s' "$REPLY" | sed -E 's/.*"access_token":"([^"]+)".*/\1/')
{ask}"#
    )
}

/// Signing in the script, where the policy wants it: the field goes through a file that only its owner reads, not through the process list.
const SIGNED: (&str, &str) = (
    r#"signature=$(mktemp)
trap 'rm -f "$signature"' EXIT
printf '%s' "$body" | python3 sign.py POST /v1/verify > "$signature"
"#,
    r#" -H @"$signature""#,
);

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
