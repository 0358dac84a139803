"""Pushed events, made by a JOSE library that nobody here wrote, under the registry's certificate and key."""
import secrets
import time
import types

from joserfc import jwt
from joserfc.jwk import OKPKey

from gateway import curl

CHANGED = "urn:estelam:event:registry-changed"


def sender(demo, name="registry-client"):
    """The demo as it looks to somebody with another certificate than an agency's."""
    files = tuple(str(demo.dir / "pki" / name / file) for file in ("cert.pem", "key.pem"))
    return types.SimpleNamespace(ca=demo.ca, files=lambda _: files)


def event(demo, key, **claims):
    kid = OKPKey.import_key((demo.dir / "pki/registry/events-key.pem").read_text()).thumbprint()
    said = {"iss": "spiffe://estelam.test/server/registry", "aud": [demo.places["gateway"]], "iat": int(time.time()),
            "jti": secrets.token_urlsafe(16), "events": {CHANGED: {"cursor": 0, "subjects": [], "decrees": False, "everything": False}}}
    return jwt.encode({"alg": "EdDSA", "typ": "secevent+jwt", "kid": kid}, said | claims, key, algorithms=["EdDSA"])


def push(demo, token, name="registry-client"):
    return curl(sender(demo, name), "POST", demo.places["gateway"] + "/v1/events", name, ["Content-Type: application/secevent+jwt"], token)


def joserfc_pushes_an_event_and_it_counts_once(demo):
    key = OKPKey.import_key((demo.dir / "pki/registry/events-key.pem").read_text())
    token = event(demo, key)
    taken = push(demo, token)
    assert (taken.status, taken.body) == (202, b""), taken.body
    again = push(demo, token)
    assert (again.status, again.json()["err"], again.headers["content-language"]) == (400, "invalid_request", "en"), again.body


def events_of_others_are_refused_as_rfc_8935_says(demo):
    key = OKPKey.import_key((demo.dir / "pki/registry/events-key.pem").read_text())
    for token, name, err in [
        (event(demo, OKPKey.generate_key("Ed25519")), "registry-client", "invalid_key"),
        (event(demo, key), "bank", "access_denied"),
        (event(demo, key, iss="https://other.test"), "registry-client", "invalid_issuer"),
        (event(demo, key, aud="https://other.test"), "registry-client", "invalid_audience"),
        (event(demo, key, iat=int(time.time()) - 400), "registry-client", "invalid_request"),
    ]:
        refused = push(demo, token, name)
        assert (refused.status, refused.json()["err"], refused.headers["content-type"]) == (400, err, "application/json"), refused.body


CHECKS = [joserfc_pushes_an_event_and_it_counts_once, events_of_others_are_refused_as_rfc_8935_says]
