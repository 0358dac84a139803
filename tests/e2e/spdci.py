"""The SPDCI search against Prism, which nobody here wrote, on the public API descriptions in `../shared/data/public/spdci` (their licence is not
known to let them be copied, so that they are read where they lie).

Prism as a mock answers with the descriptions' own examples. These bear an example of a signature, which no key made, and times and ids that
the descriptions themselves do not allow: our search must pass Prism's validation, and our reader must refuse the answer for its signature.
Prism as a proxy with `--errors` lets through only what the descriptions allow, both ways. Behind it a small registry (`oauth/spdci.mjs`) checks
our signature and signs its answer with `jose`: our reader must take what Prism lets through.
"""
import http.client
import json
import pathlib
import socket
import subprocess
import threading

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import OKPKey

from gateway import Demo, Installation, LeftOut, curl
from oauth import NODE, ROOT, SCRIPTS, ended, started, until

DESCRIPTIONS = ROOT.parent / "shared" / "data" / "public" / "spdci"
PRISM = ROOT / "var" / "prism" / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
# The numbers that are asked for, by description: the first of Prism as a mock, the second of Prism as a proxy.
NUMBERS = {"social": ("9990301004", "9990302116"), "ibr": ("9990303227", "9990304338"), "registry": ("9990305449", "9990306550")}
NOBODY = "9990307661"
CARD = {"kind": "amayesh", "series": 17, "state": "active", "issued": {"date": "1400/01/01", "calendar": "jalali"},
        "expires": {"date": "1402/03/31", "calendar": "jalali"}, "legal_status": None, "facets": {}, "recorded_at": None}
ATTRIBUTE = {"name": "estelam", "value": {"blocked": False, "birth": {"date": "1370", "calendar": "jalali"}, "nationality": "AF", "province": "IR-25",
                                          "household_role": None, "documents": [CARD], "papers": []}}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Prism:
    """`prism mock` or `prism proxy` on one description."""

    def __init__(self, folder, verb, description, *words):
        self.port, self.log = free_port(), pathlib.Path(folder) / f"prism-{verb}-{description}.log"
        description = DESCRIPTIONS / f"spdci-{description}.yaml"
        with open(self.log, "wb") as log:
            self.process = started(NODE, PRISM, verb, "--port", str(self.port), description, *words, stdout=log, stderr=log)
        self.url = f"http://127.0.0.1:{self.port}"

    def listening(self):
        assert self.process.poll() is None, self.log.read_text()
        return True if "Prism is listening" in self.log.read_text() else None


class Register:
    """Door and registry, with the Prisms between them, and an installation that looks its people up there."""

    def __init__(self, binary, folder):
        self.first = Demo(binary, f"{folder}/demo")
        assert self.first.stop() == 0
        own = Ed25519PrivateKey.generate()
        pem = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        register = OKPKey.generate_key("Ed25519", {"kid": "register-1", "use": "sig", "alg": "EdDSA"})
        self.door = free_port()
        self.configure(pem, register)
        self.keys, self.processes, self.seen = (OKPKey.import_key(pem), register), [], []

    def start(self, folder):
        behind, prisms, routes = free_port(), [], {}
        for description, (mocked, proxied) in NUMBERS.items():
            mock = Prism(folder, "mock", description)
            proxy = Prism(folder, "proxy", description, f"http://127.0.0.1:{behind}", "--errors")
            prisms += [mock, proxy]
            self.processes += [mock.process, proxy.process]
            routes |= {mocked: mock.url, proxied: proxy.url}
            if description == "social":
                self.mock = mock
                routes[NOBODY] = proxy.url
        for prism in prisms:
            until("Prism", prism.listening)
        pki, (gateway, register) = self.first.dir / "pki", self.keys
        settings = {"ca": str(pki / "ca.pem"), "cert": str(pki / "registry" / "cert.pem"), "key": str(pki / "registry" / "key.pem"),
                    "door": self.door, "register": behind, "routes": routes, "records": {proxied: ATTRIBUTE for _, proxied in NUMBERS.values()},
                    # `reg_records` is one object in `spdci-registry.yaml` and a list in the others.
                    "single": [NUMBERS["registry"][1]], "register_key": register.as_dict(private=True),
                    "gateway_key": gateway.as_dict(private=False) | {"kid": gateway.thumbprint()}}
        process = started(NODE, SCRIPTS / "spdci.mjs", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes.append(process)
        process.stdin.write(json.dumps(settings).encode())
        process.stdin.close()
        assert process.stdout.readline() == b'"ready"\n'
        threading.Thread(target=lambda: self.seen.extend(map(json.loads, process.stdout)), daemon=True).start()

    def searches(self, number):
        """What passed the door for a number, once something did."""
        return [seen for seen in self.seen if seen.get("number") == number] or None

    def configure(self, pem, register):
        folder = self.first.dir / "pki" / "spdci"
        folder.mkdir()
        (folder / "sign.key").write_bytes(pem)
        (folder / "register.jwks.json").write_text(json.dumps({"keys": [register.as_dict(private=False)]}))
        (folder / "token").write_text("an-access-token\n")
        file = self.first.dir / "estelam.toml"
        # Prism takes its time on a busy machine.
        text = file.read_text().replace("timeout_ms = 800", "timeout_ms = 10000")
        file.write_text(text + f"""
[registry.people]
protocol = "spdci"
url = "https://localhost:{self.door}"
identity = "spiffe://estelam.test/server/registry"
sender_id = "gateway.example.org"
receiver_id = "social.example.org"
signing_key = "pki/spdci/sign.key"
registry_keys = "pki/spdci/register.jwks.json"
token = "pki/spdci/token"
reg_record_type = "Member"
authorize = {{ text = "verification of entitlement", code = "entitlement", ref_uri = "https://gateway.example.org/purposes" }}
[registry.people.identifiers]
yekta = "UIN"
""")

    def stop(self):
        for process in self.processes:
            ended(process)


def our_search_passes_prism_and_our_reader_takes_what_prism_lets_through(binary, folder):
    if not DESCRIPTIONS.is_dir():
        raise LeftOut(f"the public SPDCI descriptions are not in {DESCRIPTIONS}")
    register = Register(binary, folder)
    try:
        register.start(folder)
        searches(register)
    finally:
        register.stop()


def searches(register):
    demo = Installation(register.first)
    try:
        prism_does_validate(register.mock)
        for description, (mocked, proxied) in NUMBERS.items():
            an_example_is_refused_for_its_signature(demo, register, description, mocked)
            entitled = asked(demo, register, proxied)
            assert (entitled["decision"], entitled["reason"]["code"], entitled["freshness"]) == ("entitled", "valid-by-decree", "live"), entitled
        assert asked(demo, register, NOBODY)["reason"]["code"] == "not-established"
        nothing = json.loads(register.searches(NOBODY)[0]["text"])
        assert nothing["message"]["search_response"][0]["data"]["reg_records"] == []
        assert all(seen.get("status") == 200 and seen.get("wrong") == [] for seen in register.seen), register.seen
    finally:
        code = demo.stop()
    assert code == 0, f"the gateway ended with {code}"


def prism_does_validate(mock):
    """A search with another action is turned away, so that one that passes says something."""
    connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=20)
    connection.request("POST", "/registry/sync/search", json.dumps({"header": {"action": "find"}, "message": {}}),
                       {"Content-Type": "application/json", "Authorization": "Bearer x"})
    assert connection.getresponse().status == 422


def an_example_is_refused_for_its_signature(demo, register, description, number):
    said = asked(demo, register, number)
    assert (said["decision"], said["reason"]["code"], said["may_deny"]) == ("indeterminate", "registry-unavailable", False), said
    people = requests.get(demo.places["ops"] + "/status", timeout=10).json()["registry"]["people"]
    assert people["addresses"][0]["last_error"] == "its answer's signature is no compact JWS that is accepted", (description, people)


def asked(demo, register, number):
    bearer = curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", "clinic", ["Content-Type: application/x-www-form-urlencoded"],
                  "grant_type=client_credentials&client_id=clinic").json()["access_token"]
    body = {"identifier": {"scheme": "yekta", "value": number}, "service": "insurance-health", "purpose": "treatment"}
    answer = curl(demo, "POST", demo.places["gateway"] + "/v1/verify", "clinic",
                  ["Content-Type: application/json", f"Authorization: Bearer {bearer}"], json.dumps(body))
    assert answer.status == 200, answer.body
    until("the search at the door", lambda: register.searches(number))
    return answer.json()
