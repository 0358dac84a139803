"""Signed requests, made by a JOSE library that nobody here wrote, with the keys that the demo lists."""
import hashlib
import hmac
import json
import secrets
import subprocess
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

from joserfc import jwt
from joserfc.jwk import ECKey

from gateway import curl

QUERY = {"identifier": {"scheme": "amayesh-no", "value": "A170000001"}, "service": "bank-card", "purpose": "account-maintenance",
         "actor": "probe-1", "check": {"birth_year": 1370, "calendar": "jalali"}}


def b64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def request_key(demo, agency):
    return ECKey.import_key((demo.dir / demo.places["agencies"][agency]["request_key"]).read_text())


def signature(key, issuer, agency, method, path, body):
    """The five lines of the manual."""
    claims = {"iss": agency, "aud": issuer, "iat": int(time.time()), "jti": secrets.token_urlsafe(16), "htm": method, "path": path,
              "body_sha256": b64(hashlib.sha256(body).digest())}
    header = {"alg": "ES256", "typ": "estelam-request+jwt", "kid": key.thumbprint()}
    return claims["jti"], jwt.encode(header, claims, key)


def token(demo, agency, scope):
    form = f"grant_type=client_credentials&client_id={agency}&scope={scope}"
    granted = curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", agency, ["Content-Type: application/x-www-form-urlencoded"], form)
    assert granted.status == 200, granted.body
    return granted.json()["access_token"]


def joserfc_signs_a_request_and_the_signed_answer_commits_to_it(demo):
    issuer, bearer = demo.places["gateway"], token(demo, "bank", "verify")
    key, body = request_key(demo, "bank"), json.dumps(QUERY)
    headers = ["Content-Type: application/json", f"Authorization: Bearer {bearer}"]

    def ask(signed, text):
        return curl(demo, "POST", issuer + "/v1/verify", "bank", [*headers, f"Estelam-Signature: {signed}"], text)

    jti, signed = signature(key, issuer, "bank", "POST", "/v1/verify", body.encode())
    altered = ask(signed, body.replace("probe-1", "probe-2"))
    assert (altered.status, altered.json()["code"]) == (401, "signature-invalid"), altered.body
    answer = ask(signed, body)
    assert (answer.status, answer.json()["decision"]) == (200, "entitled"), answer.body
    payload = answer.json()["statement"].split(".")[1]
    said = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["request_signature"]
    assert said == b64(hmac.new(jti.encode(), signed.encode(), hashlib.sha256).digest()), "whoever has the signature makes the commitment again"
    again = ask(signed, body)
    assert (again.status, again.json()["code"]) == (401, "signature-invalid"), again.body
    _, other = signature(request_key(demo, "school"), issuer, "bank", "POST", "/v1/verify", body.encode())
    assert ask(other, body).json()["code"] == "signature-invalid", "another agency's key"


def the_officer_of_a_demo_may_ask_signed_and_unsigned(demo):
    issuer, path = demo.places["gateway"], "/v1/log/proof/0190f0aa-0000-7000-8000-000000000000"
    bearer, key = token(demo, "dpo", "log:person"), request_key(demo, "dpo")
    for field in [[], ["Estelam-Signature: " + signature(key, issuer, "dpo", "GET", path, b"")[1]]]:
        found = curl(demo, "GET", issuer + path, "dpo", [f"Authorization: Bearer {bearer}", *field])
        assert (found.status, found.json()["code"]) == (404, "not-found"), found.body


def a_query_string_is_signed_with_the_path(demo):
    issuer, bearer, key = demo.places["gateway"], token(demo, "dpo", "log:person"), request_key(demo, "dpo")
    asked = "/v1/log/epochs?from=2026-11-23&to=2026-11-24"
    for over, status in [(asked, 200), ("/v1/log/epochs", 401), (asked.replace("23", "22"), 401)]:
        signed = signature(key, issuer, "dpo", "GET", over, b"")[1]
        said = curl(demo, "GET", issuer + asked, "dpo", [f"Authorization: Bearer {bearer}", f"Estelam-Signature: {signed}"])
        assert said.status == status, (over, said.body)


def the_command_line_signs_too(demo):
    key = demo.dir / demo.places["agencies"]["bank"]["request_key"]
    command = [demo.binary, "verify", "--dir", str(demo.dir), "--scheme", "amayesh-no", "--service", "bank-card", "--purpose",
               "account-maintenance", "--actor", "probe-1", "--birth-year", "1370", "--json", "--sign-with"]
    good = subprocess.run([*command, str(key)], input=b"A170000001\n", capture_output=True)
    assert good.returncode == 0 and json.loads(good.stdout)["decision"] == "entitled", good.stderr.decode()
    wrong = subprocess.run([*command, str(demo.dir / "pki" / "bank" / "key.pem")], input=b"A170000001\n", capture_output=True)
    assert wrong.returncode == 1 and json.loads(wrong.stdout)["code"] == "signature-invalid", wrong.stdout


CHECKS = [joserfc_signs_a_request_and_the_signed_answer_commits_to_it, the_officer_of_a_demo_may_ask_signed_and_unsigned,
          a_query_string_is_signed_with_the_path, the_command_line_signs_too]
