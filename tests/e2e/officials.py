"""Authority over the rules with the real command line: nothing takes effect without two officials in office, and nobody goes back."""
import base64
import hashlib
import json
import re
import shutil
import subprocess

import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from keys import Home
from oauth import until

TERMS = {"one": "2099-12-31", "two": "2099-12-31", "gone": "2026-01-31", "left": "2026-01-31"}
# Those who signed the demo's decrees are officials of the gateway too.
OF_DECREES = ("first-official", "second-official")
DECREE = """[[decree]]
id = "{}"
authority = "ministry-of-interior"
issued_on = "1405/01/01"
known_from = "1405/01/01"
effective_from = "1405/01/01"
select = [{{ kind = "amayesh", series = {} }}]
services = "all"
effect = "extend"
text.fa = "برای آزمون"
text.en = "for a test"
"""


class Office:
    """An installation that is no demo any more, and four officials, two of whom have left."""

    def __init__(self, binary, folder):
        self.home = Home(binary, folder)
        file = self.home.dir / "estelam.toml"
        text = re.sub(r"^demo = true.*$", "demo = false", file.read_text(), flags=re.MULTILINE)
        file.write_text(re.sub(r"^officer_key", "# officer_key", text, flags=re.MULTILINE))
        for agency in (self.home.dir / "policies" / "agencies").glob("*.toml"):
            agency.write_text(re.sub(r"^demo_optional.*\n", "", agency.read_text(), flags=re.MULTILINE))
        self.keys = {name: self.home.dir / "pki" / "officials" / f"{name}.pem" for name in OF_DECREES}
        for name in TERMS:
            self.make(name)

    def make(self, name):
        key = self.keys[name] = self.home.dir.parent / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], check=True, capture_output=True)
        return key

    def key(self, name):
        return load_pem_private_key(self.keys[name].read_bytes(), None)

    def file(self, name, previous=None, note=""):
        """A file of officials; its path and its bytes."""
        head = f'previous = "{previous}"\nquorum = 2\n' if previous else "quorum = 2\n"
        one = '[[official]]\nid = "{}"\nrole = "head of the office"\nkey = "{}"\nfrom = "2020-01-01"\nto = "{}"\n'
        public = {who: self.key(who).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for who in TERMS}
        listed = [one.format(who, base64.b64encode(public[who]).decode(), to) for who, to in TERMS.items()]
        for who in OF_DECREES:
            pem = (self.home.dir / "registry" / "officials" / f"{who}.pub.pem").read_text()
            listed.append(one.format(who, "".join(line for line in pem.split("\n") if "-----" not in line), "2099-12-31"))
        path = self.home.dir.parent / name
        path.write_text(head + "".join(listed) + note)
        return path, path.read_bytes()

    def sign(self, what, *names):
        for name in names:
            self.home.done("officials", "sign", what, "--key", str(self.keys[name]))

    def approve(self):
        self.home.done("officials", "propose", "policies")
        self.sign("policies", "one", "two")
        self.home.done("officials", "apply", "policies")

    def decree(self, name, series, one, other):
        """A decree of two people whom the registry takes for officials."""
        file = self.home.dir.parent / f"{name}.toml"
        file.write_text(DECREE.format(name, series))
        self.home.done("registry", "decree", "add", str(file), "--key", str(self.keys[one]))
        return self.home.estelam("registry", "decree", "approve", name, "--key", str(self.keys[other]))

    def slip_in(self, text, previous, at, *names):
        """Writes a second version as somebody does who has the disk and old keys; removes it when told."""
        issuer = re.search(r'^issuer = "(.*)"$', (self.home.dir / "estelam.toml").read_text(), flags=re.MULTILINE)[1]
        proposal = {"kind": "officials", "issuer": issuer, "hash": hashed(text), "previous": previous, "officials": previous, "at": at}
        message = b"estelam approval v1\n" + json.dumps(proposal, sort_keys=True, separators=(",", ":")).encode()
        signatures = [{"by": name, "signature": base64.b64encode(self.key(name).sign(message)).decode()} for name in names]
        folder = self.home.dir / "policies" / "authority" / "officials"
        (folder / "0002.json").write_text(json.dumps({"proposal": proposal, "signatures": signatures}))
        (folder / "0002.toml").write_bytes(text)
        return lambda: [(folder / f"0002.{end}").unlink() for end in ("json", "toml")]


def hashed(text):
    return "sha256:" + hashlib.sha256(text).hexdigest()


def version(running):
    return requests.get(running.at.places["ops"] + "/health/ready", timeout=10).json()["policy_version"]


def refusals(running):
    return alarms(running, "rules-not-signed")


def alarms(running, name):
    found = re.search(rf'estelam_alarms_total{{alarm="{name}"}} (\d+)', requests.get(running.at.places["ops"] + "/metrics", timeout=10).text)
    return int(found[1]) if found else 0


def decrees_need_officials_of_the_gateway(office, running):
    """Whoever runs the registry makes officials of its own: there their decree is in force, and nowhere else."""
    home, decrees = office.home, lambda: running.ask().json()["decrees_version"]
    before = decrees()
    signed = office.decree("e2e-signed", 14, *OF_DECREES)
    assert signed.returncode == 0 and not signed.stderr, signed
    during = decrees()
    assert during != before and alarms(running, "decrees-not-signed") == 0
    public = home.dir.parent / "invented.pub"
    for name in ("invented-1", "invented-2"):
        subprocess.run(["openssl", "pkey", "-in", str(office.make(name)), "-pubout", "-out", str(public)], check=True)
        assert "two officials" in home.refused("registry", "official", "add", name, "--public", str(public))
        shutil.copy(public, home.dir / "registry" / "officials" / f"{name}.pub.pem")
    invented = office.decree("e2e-invented", 15, "invented-1", "invented-2")
    assert invented.returncode == 0 and "has not heard of the change yet" in invented.stderr, invented
    assert alarms(running, "decrees-not-signed") > 0 and decrees() == during
    keys = [str(office.keys[name]) for name in OF_DECREES]
    home.done("registry", "decree", "discard", "e2e-invented", "--key", keys[0], "--key", keys[1])
    until("the registry in order", lambda: running.ready() or None)
    assert decrees() == during


def rules_take_effect_with_two_officials_in_office_alone(binary, folder):
    office = Office(binary, folder)
    home = office.home
    assert "there are no officials" in home.no_start()
    first, text = office.file("officials.toml")
    home.done("officials", "init", str(first))
    assert "nobody signed" in home.no_start()
    home.done("officials", "propose", "policies")
    office.sign("policies", "one")
    assert "1 of 2" in home.refused("officials", "apply", "policies")
    for again, why in (("one", "signed this already"), ("gone", "not today")):
        ran = home.estelam("officials", "sign", "policies", "--key", str(office.keys[again]))
        assert ran.returncode == 1 and why in ran.stderr, ran
    office.sign("policies", "two")
    home.done("officials", "apply", "policies")
    with home.running() as running:
        assert running.ask().json()["decision"]
        before, services = version(running), home.dir / "policies" / "services.toml"
        again = next(line for line in services.read_text().splitlines() if line.startswith("# Primary health care"))
        services.write_text(services.read_text() + f"\n{again}\n")
        until("the refusal of unsigned rules", lambda: refusals(running) or None)
        assert version(running) == before and running.ask().json()["decision"]
        shown = home.done("officials", "propose", "policies")
        added = len(services.read_text().splitlines())
        assert "changed: services.toml" in shown and f"+ {added}: {again}" in shown, "a line that stands elsewhere too is shown"
        office.approve()
        until("the signed rules", lambda: version(running) != before or None)
        decrees_need_officials_of_the_gateway(office, running)
    previous = hashed(text)
    _, later = office.file("later.toml", previous, "# later\n")
    # Whoever has left office dates a change into the own term; and who is in office, before the present rules.
    for at, names, why in (("2026-01-15T00:00:00Z", ("gone", "left"), "was in force"), ("2026-01-15T00:00:00Z", ("one", "two"), "was in force"),
                           ("2098-01-01T00:00:00Z", ("one", "two"), "still to come")):
        away = office.slip_in(later, previous, at, *names)
        said = home.no_start()
        assert why in said, said
        away()
    memory = home.dir / "ledger" / "authority.json"
    kept = memory.read_bytes()
    memory.unlink()
    said = home.no_start()
    assert "authority.json" in said and "restore it" in said, said
    memory.write_bytes(kept)
    path, _ = office.file("later.toml", previous, "# later\n")
    home.done("officials", "propose", "officials", "--file", str(path))
    office.sign("officials", "one", "two")
    home.done("officials", "apply", "officials")
    assert "another version" in home.no_start(), "the new officials have signed nothing yet"
    office.approve()
    with home.running() as running:
        assert running.ask().json()["decision"]
    home.done("log", "verify")
