"""OAuth clients that nobody here wrote get a bound token and use it; tokens of an authorization server that nobody here wrote open the gate."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from joserfc.jwk import ECKey, OKPKey, RSAKey
from jwskate import Jwk, Jwt
from requests_oauth2client import OAuth2Client, OAuth2ClientCredentialsAuth, PrivateKeyJwt

from gateway import curl

ROOT = pathlib.Path(__file__).parents[2]
NODE, SCRIPTS = ROOT / "var" / "venv" / "bin" / "node", ROOT / "var" / "node"
CARD = {"identifier": {"scheme": "amayesh-no", "value": "A170000001"}, "actor": "probe-1", "check": {"birth_year": 1370, "calendar": "jalali"}}
TELECOM = CARD | {"service": "sim", "purpose": "sim-registration"}
SCHOOL = {"identifier": CARD["identifier"], "service": "education-school", "purpose": "enrolment", "actor": "probe-1"}
BY_CERTIFICATE, BY_KEY = "insurer", "telecom"
INSURER = CARD | {"service": "insurance-health", "purpose": "enrolment"}


def register_keys(demo, agency, keys):
    """What an operator does: the key set beside the agency's file, and the method in it. The running gateway takes both up by itself."""
    folder = demo.dir / "policies" / "agencies"
    (folder / f"{agency}.jwks.json").write_text(json.dumps({"keys": keys}))
    file = folder / f"{agency}.toml"
    file.write_text(file.read_text() + '\n[client_auth]\nmethods = ["private_key_jwt"]\n')


def started(*command, **streams):
    """A process group of its own: `node` is a script of the Python package, with the real one below it."""
    return subprocess.Popen(command, start_new_session=True, **streams)


def ended(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until(what, probe):
    deadline = time.monotonic() + 20
    while (found := probe()) is None:
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.1)
    return found


def session_of(demo, agency, session):
    session.cert, session.verify, session.trust_env = demo.files(agency), demo.ca, False
    return session


def answered(response):
    assert (response.status_code, response.json().get("decision")) == (200, "entitled"), response.text


def four_clients_get_a_bound_token_by_certificate_and_by_key_and_use_it(demo):
    gateway = demo.places["gateway"]
    own = {
        "authlib": ECKey.generate_key("P-256", {"kid": "authlib"}),
        "requests": RSAKey.import_key(generate_private_key(65537, 2048), {"kid": "requests"}),
        "openid": ECKey.generate_key("P-256", {"kid": "openid"}),
        "oauth4webapi": OKPKey.generate_key("Ed25519", {"kid": "oauth4webapi"}),
    }
    register_keys(demo, BY_KEY, [key.as_dict(private=False) for key in own.values()])
    with_authlib(demo, gateway, own["authlib"])
    with_the_kit(demo, own["authlib"])
    with_requests_oauth2client(demo, gateway, own["requests"])
    names = ("ca", "cert", "key")
    agencies = {name: dict(zip(names, (demo.ca, *demo.files(name)))) for name in (BY_CERTIFICATE, BY_KEY)}
    keys = {name: {"kid": name, "jwk": {k: v for k, v in own[name].as_dict(private=True).items() if k != "kid"}} for name in ("openid", "oauth4webapi")}
    # Both agencies may ask about the same card here: each has its own service.
    settings = {"issuer": gateway, "agencies": agencies, "by_certificate": BY_CERTIFICATE, "by_key": BY_KEY, "keys": keys,
                "queries": {BY_CERTIFICATE: INSURER, BY_KEY: TELECOM}}
    done = subprocess.run([NODE, SCRIPTS / "clients.mjs"], input=json.dumps(settings).encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


def with_authlib(demo, gateway, key):
    plain = session_of(demo, BY_CERTIFICATE, OAuth2Session(BY_CERTIFICATE, None, token_endpoint_auth_method="none"))
    plain.fetch_token(f"{gateway}/oauth2/token", grant_type="client_credentials")
    answered(plain.post(f"{gateway}/v1/verify", json=INSURER))

    def signed():
        # Its own defaults are the token endpoint as audience, an hour, and `typ: JWT`; FAPI 2.0 wants other values.
        method = PrivateKeyJWT(gateway, claims={"exp": int(time.time()) + 60}, headers={"typ": "client-authentication+jwt", "kid": "authlib"}, alg="ES256")
        session = session_of(demo, BY_KEY, OAuth2Session(BY_KEY, key, token_endpoint_auth_method=method))
        try:
            session.fetch_token(f"{gateway}/oauth2/token", grant_type="client_credentials")
        except Exception as error:  # The registered key has not been taken up yet.
            assert "invalid_client" in str(error), error
            return None
        return session
    answered(until("the registered keys", signed).post(f"{gateway}/v1/verify", json=TELECOM))


def with_the_kit(demo, key):
    """What the operator hands out: a certificate for the agency's request, and scripts that assert with the library that they name."""
    with tempfile.TemporaryDirectory() as folder:
        kit, own, csr = pathlib.Path(folder) / "kit", f"{folder}/key.pem", f"{folder}/kit.csr"
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=Example", "-keyout", own,
                        "-out", csr, "-addext", f"subjectAltName=URI:spiffe://estelam.test/agency/{BY_KEY}/branch/kit"], check=True, capture_output=True)
        enrol = [demo.binary, "agency", "enrol", BY_KEY, "--branch", "kit", "--csr", csr, "--kit", str(kit), "--dir", str(demo.dir)]
        done = subprocess.run(enrol, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads((kit / "oauth.json").read_text())["token_endpoint_auth_method"] == "private_key_jwt"
        (kit / "client-key.pem").write_bytes(key.as_pem(private=True))
        where = {"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", "KEY": own, "BIRTH_YEAR": "1370", "SCHEME": "amayesh-no"}
        asked = subprocess.run(["sh", str(kit / "ask.sh")], input="A170000001\n", capture_output=True, text=True, env=where, timeout=60)
        assert asked.stdout and json.loads(asked.stdout)["decision"] == "entitled", asked.stderr


class FapiPrivateKeyJwt(PrivateKeyJwt):
    """The library's assertion under the `typ` that RFC 7523bis gives it; the library writes `JWT`."""

    def client_assertion(self, audience):
        claims = Jwt(super().client_assertion(audience)).claims
        return str(Jwt.sign(claims, key=self.private_jwk, alg=self.alg, typ="client-authentication+jwt"))


def with_requests_oauth2client(demo, gateway, key):
    for agency, auth, query in [
        (BY_CERTIFICATE, BY_CERTIFICATE, INSURER),
        (BY_KEY, FapiPrivateKeyJwt(BY_KEY, Jwk(key.as_dict(private=True) | {"kid": "requests"}), alg="PS256", aud=gateway), TELECOM),
    ]:
        session = session_of(demo, agency, requests.Session())
        client = OAuth2Client(f"{gateway}/oauth2/token", auth=auth, issuer=gateway, session=session)
        answered(session.post(f"{gateway}/v1/verify", json=query, auth=OAuth2ClientCredentialsAuth(client)))


def a_client_with_a_registered_key_gets_nothing_by_its_certificate_alone(demo):
    refused = curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", BY_KEY, ["Content-Type: application/x-www-form-urlencoded"],
                   f"grant_type=client_credentials&client_id={BY_KEY}")
    assert (refused.status, refused.json()["error"]) == (401, "invalid_client"), refused.body
    assert (refused.headers["cache-control"], refused.headers["www-authenticate"]) == ("no-store", 'Basic realm="estelam"')


CHECKS = [four_clients_get_a_bound_token_by_certificate_and_by_key_and_use_it, a_client_with_a_registered_key_gets_nothing_by_its_certificate_alone]


class Provider:
    """`oidc-provider` on a port that the gateway's configuration names before either runs."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.issuer = f"https://localhost:{free.getsockname()[1]}"
        self.key = ECKey.generate_key("P-256", {"kid": "outside-1", "use": "sig", "alg": "ES256"})

    def configure(self, folder):
        file = folder / "estelam.toml"
        file.write_text(file.read_text() + f"""
[[issuers]]
issuer = "{self.issuer}"
jwks_url = "{self.issuer}/jwks"
ca = "pki/ca.pem"
algorithms = ["ES256"]
agencies = ["school"]
private_addresses = true
cooldown_s = 1
""")

    def start(self, demo):
        files = {name: str(demo.dir / "pki" / path) for name, path in (("ca", "ca.pem"), ("cert", "gateway/cert.pem"), ("key", "gateway/key.pem"))}
        clients = {name: f"spiffe://estelam.test/agency/{name}" for name in ("school", "bank")}
        settings = files | {"issuer": self.issuer, "audience": demo.places["gateway"], "clients": clients, "alg": "ES256",
                            "keys": [self.key.as_dict(private=True)]}
        self.process = started(NODE, SCRIPTS / "provider.mjs", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process.stdin.write(json.dumps(settings).encode())
        self.process.stdin.close()
        assert self.process.stdout.readline() == b"ready\n"

    def stop(self):
        ended(self.process)

    def token(self, demo, agency):
        granted = curl(demo, "POST", f"{self.issuer}/token", agency, ["Content-Type: application/x-www-form-urlencoded"],
                       f"grant_type=client_credentials&client_id={agency}&scope=verify%20log:person")
        assert granted.status == 200, granted.body
        return granted.json()["access_token"]


def tokens_of_oidc_provider_open_the_gate_for_the_bound_agency_alone(demo, provider):
    def ask(agency, bearer, query):
        return curl(demo, "POST", demo.places["gateway"] + "/v1/verify", agency,
                    ["Content-Type: application/json", f"Authorization: Bearer {bearer}"], json.dumps(query))

    school = provider.token(demo, "school")

    def accepted():
        answer = ask("school", school, SCHOOL)
        assert answer.status in (200, 401), answer.body
        return answer if answer.status == 200 else None
    assert until("the provider's keys", accepted).json()["decision"] == "entitled"
    stolen = ask("insurer", school, INSURER)
    assert (stolen.status, stolen.json()["code"]) == (401, "token-not-bound"), stolen.body
    bank = ask("bank", provider.token(demo, "bank"), {})
    assert (bank.status, bank.json()["code"]) == (401, "token-invalid"), bank.body
    person = curl(demo, "GET", demo.places["gateway"] + "/v1/log/proof/0190f0aa-0000-7000-8000-000000000000", "school", [f"Authorization: Bearer {school}"])
    assert person.status == 404, "the token's `log:person` counts for nothing: the school's policy does not have it"
