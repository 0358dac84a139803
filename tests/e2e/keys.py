"""Rehearsals with a running installation and the real command line: each of the four keys is lost, compromised and recovered."""
import base64
import json
import shutil
import subprocess

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway import Demo, Installation, curl
from oauth import until

ASK = json.dumps({"service": "health-primary", "purpose": "treatment"})


class Home:
    """An installation that is started and stopped over and over, and what an agency has kept of it."""

    def __init__(self, binary, folder):
        self.first = Demo(binary, f"{folder}/demo")
        assert self.first.stop() == 0
        self.binary, self.dir, self.keys = binary, self.first.dir, self.first.dir / "keys"

    def estelam(self, *words):
        return subprocess.run([self.binary, *words, "--dir", str(self.dir)], capture_output=True, text=True)

    def done(self, *words):
        ran = self.estelam(*words)
        assert ran.returncode == 0, (words, ran.stderr)
        return ran.stdout

    def refused(self, *words):
        ran = self.estelam(*words)
        assert ran.returncode in (1, 2) and ran.stdout == "", (words, ran)
        return ran.stderr

    def no_start(self):
        ran = subprocess.run([self.binary, "serve", "--dir", str(self.dir)], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 1, ran
        return ran.stderr

    def key(self, use, state):
        listed = [json.loads(line) for line in self.done("keys", "list", "--json").splitlines()]
        return next(one for one in listed if (one["use"], one["state"]) == (use, state))

    def file(self, use):
        return self.keys / self.key(use, "active")["home"]["file"]

    def running(self):
        return Running(Installation(self.first))

    def checkpoint(self, running, over=-1):
        """Keeps a checkpoint that covers an entry."""
        file = self.dir / "kept-checkpoint"
        file.write_text(until("a checkpoint", lambda: (lambda note: note if int(note.split("\n")[1]) > over else None)(running.public("/checkpoint"))))
        return ("--checkpoint", str(file))


class Running:
    def __init__(self, installation):
        self.at = installation

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        code = self.at.stop()
        assert kind or code == 0, f"the gateway ended with {code}"

    def public(self, path):
        return requests.get(self.at.places["public"] + path, verify=self.at.ca, timeout=10).text

    def published(self):
        return {key["kid"] for key in json.loads(self.public("/.well-known/jwks.json"))["keys"]}

    def token(self):
        return curl(self.at, "POST", self.at.places["gateway"] + "/oauth2/token", "clinic", ["Content-Type: application/x-www-form-urlencoded"],
                    "grant_type=client_credentials&client_id=clinic")

    def ask(self, bearer=None):
        bearer = bearer or self.token().json()["access_token"]
        return curl(self.at, "POST", self.at.places["gateway"] + "/v1/verify", "clinic",
                    ["Content-Type: application/json", f"Authorization: Bearer {bearer}"], ASK)

    def proof(self, answer):
        said = curl(self.at, "GET", self.at.places["gateway"] + f"/v1/log/proof/{answer}", "clinic",
                    [f"Authorization: Bearer {self.token().json()['access_token']}"])
        assert said.status == 200, said.body
        return said.body.decode()

    def genuine(self, statement):
        """Whether a library that knows only the published keys takes a statement; its key's id."""
        keys = KeySet.import_key_set(json.loads(self.public("/.well-known/jwks.json")))
        try:
            return jws.deserialize_compact(statement, keys, algorithms=["EdDSA"]).headers()["kid"]
        except (JoseError, ValueError):
            return None

    def ready(self):
        return requests.get(self.at.places["ops"] + "/health/ready", timeout=10).status_code == 200

    def keys_in_order(self):
        """Whether it could start again with the files that are there; it is ready either way."""
        said = requests.get(self.at.places["ops"] + "/health/ready", timeout=10)
        in_order = said.json()["parts"]["keys"]
        assert said.status_code == 200 and in_order == ("keys" not in said.json()["degraded"]), said.text
        return in_order


def each_key_is_lost_compromised_and_recovered(binary, folder):
    home = Home(binary, folder)
    for rehearsal in (statements, tokens, checkpoints, content):
        rehearsal(home)
        home.done("log", "verify")


def lose(home, running, use):
    """A private half vanishes under a running gateway: it says so, goes on with the one in its memory, and does not start again."""
    file = home.file(use)
    file.unlink()
    until(f"told of {file.name}", lambda: None if running.keys_in_order() else True)
    assert running.ask().status == 200
    return file.name


def statements(home):
    with home.running() as running:
        old = running.ask().json()["statement"]
        first, standby = home.key("statements", "active")["kid"], home.key("statements", "standby")["kid"]
        assert {first, standby} <= running.published(), "the key that takes over is known in advance"
        name = lose(home, running, "statements")
    said = home.no_start()
    assert name in said and "estelam keys lost" in said, said
    assert standby in home.done("keys", "lost", "statements")
    with home.running() as running:
        assert running.genuine(old) == first, "what a lost key signed stays genuine"
        before = running.ask().json()
        assert running.genuine(before["statement"]) == standby
        under, third = home.checkpoint(running, before["ledger"]["index"]), home.key("statements", "standby")["kid"]
        home.done("keys", "compromised", standby, *under)
        # A running gateway takes it up by itself.
        after = until("the standby key", lambda: (lambda said: said if running.genuine(said) == third else None)(running.ask().json()["statement"]))
        assert running.genuine(before["statement"]) is None and running.genuine(old) == first and running.genuine(after) == third
        life = {key["kid"]: key for key in json.loads(running.public("/.well-known/estelam-keys.json"))["keys"]}
        assert life[standby]["state"] == "compromised" and before["ledger"]["index"] < life[standby]["compromised"]["tree_size"]


def tokens(home):
    with home.running() as running:
        name = lose(home, running, "tokens")
    assert name in home.no_start()
    assert "estelam keys standby tokens" in home.refused("keys", "lost", "tokens")
    home.done("keys", "standby", "tokens")
    home.done("keys", "lost", "tokens")
    with home.running() as running:
        stolen, kid, under = running.token().json()["access_token"], home.key("tokens", "active")["kid"], home.checkpoint(running)
        assert running.ask(stolen).status == 200
        assert "estelam keys standby tokens" in home.refused("keys", "compromised", kid, *under)
        home.done("keys", "standby", "tokens")
        home.done("keys", "compromised", kid, *under)
        refused = until("the old token's end", lambda: (lambda said: said if said.status != 200 else None)(running.ask(stolen)))
        assert (refused.status, refused.json()["code"]) == (401, "token-invalid"), refused.body
        assert kid not in running.published() and running.ask().status == 200


def checkpoints(home):
    with home.running() as running:
        first = running.public("/checkpoint.key")
        name = lose(home, running, "checkpoints")
    assert name in home.no_start()
    home.done("keys", "standby", "checkpoints")
    home.done("keys", "lost", "checkpoints")
    with home.running() as running:
        key = running.public("/checkpoint.key")
        assert key != first and signed_by(running.public("/checkpoint"), key), "what a former key signed is shown no more"
        # A running gateway takes a change up by itself.
        key = compromised_log_key(home, running, key)
        home.done("keys", "standby", "checkpoints")
        home.done("keys", "lost", "checkpoints")
        taken_up(running, key)
    with home.running() as running:
        assert signed_by(running.public("/checkpoint"), running.public("/checkpoint.key")), "the next start goes on with it"


def taken_up(running, former):
    """The key of the log after a change, once what is shown is its own; the key is there as soon as the verb has returned."""
    new = running.public("/checkpoint.key")
    assert new != former
    note = until("a checkpoint of the new key", lambda: (lambda note: note if signed_by(note, new) else None)(running.public("/checkpoint")))
    assert note.count("\n\u2014 ") == 1 and not signed_by(note, former)
    assert running.ask().status == 200
    return new


def compromised_log_key(home, running, key):
    """What the key signed before the checkpoint that is named stays genuine, later proofs of it count for nothing; new ones do."""
    earlier, later = kept(home, running, "earlier"), kept(home, running, "later")
    under = home.dir / "earlier.checkpoint"
    under.write_text(json.loads(earlier[1].read_text())["checkpoint"])
    home.done("keys", "standby", "checkpoints")
    said = home.done("keys", "compromised", home.key("checkpoints", "active")["kid"], "--checkpoint", str(under))
    assert "/checkpoint.key" in said and "restart" not in said
    new = taken_up(running, key)
    keys = home.dir / "estelam-keys.json"
    keys.write_text(running.public("/.well-known/estelam-keys.json"))
    assert checked(home, earlier, keys) == (0, "genuine", None)
    assert checked(home, later, keys) == (1, "cannot-be-checked", "log-key-compromised")
    later[1].write_text(running.proof(json.loads(later[0].read_text())["answer_id"]))
    assert checked(home, later, keys) == (0, "genuine", None)
    return new


def kept(home, running, name):
    """An answer and its proof, as an agency keeps them."""
    answer, proof = home.dir / f"{name}.answer", home.dir / f"{name}.proof"
    answer.write_text(json.dumps(running.ask().json()))
    proof.write_text(running.proof(json.loads(answer.read_text())["answer_id"]))
    return answer, proof


def checked(home, kept, keys):
    ran = subprocess.run([home.binary, "receipt", "check", "--json", str(kept[0]), "--keys", str(keys), "--proof", str(kept[1])],
                         capture_output=True, text=True)
    said = json.loads(ran.stdout)
    return ran.returncode, said["verdict"], said.get("code")


def signed_by(note, key):
    """Whether a line of a signed note is of this verifier key (C2SP signed-note), by an Ed25519 of another library."""
    name, _, public = key.strip().split("+", 2)
    text, _, lines = note.partition("\n\n")
    public = base64.b64decode(public)[1:]
    for line in lines.splitlines():
        _, signer, signature = line.split(" ")
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature)[4:], (text + "\n").encode())
        except InvalidSignature:
            continue
        return signer == name
    return False


def content(home):
    key, backup = home.keys / "content.key", home.dir / "content.backup"
    shutil.copy2(key, backup)
    with home.running() as running:
        answer = running.ask().json()["answer_id"]
        key.unlink()
        until("told of the content key", lambda: None if running.keys_in_order() else True)
        assert running.ask().status == 200
    said = home.no_start()
    assert "content.key" in said and "backup" in said, said
    assert "put `content.key` back" in home.refused("keys", "lost", "content")
    shutil.copy2(backup, key)
    readable = lambda: home.estelam("policy", "explain", "--answer", answer, "--json").returncode == 0  # noqa: E731
    assert readable()
    with home.running() as running:
        assert "already open" in home.refused("keys", "rotate", "content")
        assert running.ask().status == 200
    assert "under the new content key" in home.done("keys", "rotate", "content")
    assert readable() and not (home.keys / "content.key.next").exists()
    with home.running() as running:
        assert running.ask().status == 200
    # Who took the former key opens nothing with it any more.
    new = home.dir / "content.new"
    shutil.copy2(key, new)
    shutil.copy2(backup, key)
    assert not readable() and "content.key" in home.no_start()
    shutil.copy2(new, key)
    assert readable()
