"""Attacks from outside on a running gateway: forged and substituted tokens, stolen ones after a suspension, sessions that somebody wants to resume."""
import base64
import hashlib
import hmac
import json
import re
import socket
import ssl
import subprocess
from collections import Counter

import requests

from gateway import curl

ASK = json.dumps({"service": "health-primary", "purpose": "treatment"})


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token(demo, agency="clinic"):
    return curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", agency, ["Content-Type: application/x-www-form-urlencoded"],
                f"grant_type=client_credentials&client_id={agency}").json()["access_token"]


def ask(demo, bearer, agency="clinic"):
    return curl(demo, "POST", demo.places["gateway"] + "/v1/verify", agency,
                ["Content-Type: application/json", f"Authorization: Bearer {bearer}"], ASK)


def outcome(demo, bearer, agency="clinic"):
    answer = ask(demo, bearer, agency)
    return answer.status, answer.json().get("code")


def members_refused(demo):
    """How often a header member was refused that would choose the key, by member."""
    metrics = requests.get(demo.places["ops"] + "/metrics", timeout=10).text
    found = re.findall(r'^estelam_jose_members_refused_total\{member="(\w+)"\} (\d+)$', metrics, re.MULTILINE)
    return Counter({member: int(count) for member, count in found})


def forged_and_substituted_tokens_open_nothing(demo):
    good = token(demo)
    answer = ask(demo, good)
    assert answer.status == 200, answer.body
    head, claims, signature = good.split(".")
    keys = requests.get(demo.places["public"] + "/.well-known/jwks.json", verify=demo.ca, timeout=10).json()["keys"]
    own = next(key for key in keys if key["kid"] == json.loads(raw(head))["kid"])
    plain = json.loads(raw(head))

    def keyed(header, secret):
        text = f"{b64(header)}.{claims}"
        return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"
    attacks = {
        "no algorithm": f"{b64(plain | {'alg': 'none'})}.{claims}.",
        "no algorithm, the old signature": f"{b64(plain | {'alg': 'none'})}.{claims}.{signature}",
        "the public key as a secret": keyed(plain | {"alg": "HS256"}, raw(own["x"])),
        "the public key's text as a secret": keyed(plain | {"alg": "HS256"}, json.dumps(own).encode()),
        "another algorithm": f"{b64(plain | {'alg': 'ES256'})}.{claims}.{signature}",
        "a weaker algorithm": f"{b64(plain | {'alg': 'RS256'})}.{claims}.{signature}",
        "the statement": answer.json()["statement"],
        "a key of one's own": f"{b64(plain | {'jwk': own})}.{claims}.{signature}",
        "a key from elsewhere": f"{b64(plain | {'jku': 'https://localhost:1/keys'})}.{claims}.{signature}",
        "a certificate from elsewhere": f"{b64(plain | {'x5u': 'https://localhost:1/chain'})}.{claims}.{signature}",
        "a path as key id": f"{b64(plain | {'kid': '../../keys/tokens.pem'})}.{claims}.{signature}",
        "more scopes": f"{head}.{b64(json.loads(raw(claims)) | {'scope': 'verify log:person ops'})}.{signature}",
        "a longer life": f"{head}.{b64(json.loads(raw(claims)) | {'exp': 4102444800})}.{signature}",
        "an added signature byte": good + "AA",
        "padding": good + "==",
    }
    before = members_refused(demo)
    for name, attack in attacks.items():
        assert outcome(demo, attack) == (401, "token-invalid"), name
    # Whoever watches sees that somebody tries to have the gateway fetch a key.
    assert members_refused(demo) - before == Counter({"jwk": 1, "jku": 1, "x5u": 1})
    assert outcome(demo, good, "school") == (401, "token-not-bound")
    assert ask(demo, good).status == 200, "the attacks changed nothing for the real one"


def a_stolen_token_is_dead_from_the_suspension_on_and_stays_so(demo):
    stolen = token(demo)
    assert ask(demo, stolen).status == 200
    for verb, after in (("suspend", (403, "agency-suspended")), ("resume", (401, "token-invalid"))):
        done = subprocess.run([demo.binary, "agency", verb, "clinic", "--dir", str(demo.dir)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert outcome(demo, stolen) == after, verb


def connect(demo, context, session=None):
    port = int(demo.places["gateway"].rsplit(":", 1)[1])
    tcp = socket.create_connection(("127.0.0.1", port), timeout=20)
    tls = context.wrap_socket(tcp, server_hostname="localhost", session=session)
    tls.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = b""
    while chunk := tls.recv(65536):
        answer += chunk
    assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
    return tls


def no_session_can_be_resumed(demo):
    context = ssl.create_default_context(cafile=demo.ca)
    context.load_cert_chain(*demo.files("clinic"))
    first = connect(demo, context)
    assert first.version() == "TLSv1.3"
    assert first.session is None or not first.session.has_ticket, "a ticket was given out"
    second = connect(demo, context, first.session)
    assert not second.session_reused


CHECKS = [forged_and_substituted_tokens_open_nothing, no_session_can_be_resumed, a_stolen_token_is_dead_from_the_suspension_on_and_stays_so]
