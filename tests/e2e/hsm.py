"""Signing keys in a PKCS#11 token, with SoftHSM as the token: signed in it, wrong PIN, gone while the gateway runs, back again."""
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess

import requests
from joserfc import jws
from joserfc.jwk import KeySet

from gateway import Demo, Installation, curl
from keys import signed_by as note_signed_by
from oauth import until

PIN, TOKEN = "31415926535897", "estelam-test"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
ASK = json.dumps({"service": "health-primary", "purpose": "treatment"})


class SoftHsm:
    """A token in a folder of its own, and an installation that is configured for it."""

    def __init__(self, binary, folder):
        self.binary, self.dir = binary, pathlib.Path(folder) / "demo"
        self.tokens, self.gone = pathlib.Path(folder) / "tokens", pathlib.Path(folder) / "tokens.gone"
        self.tokens.mkdir(parents=True)
        (pathlib.Path(folder) / "softhsm2.conf").write_text(f"directories.tokendir = {self.tokens}\n")
        os.environ["SOFTHSM2_CONF"] = f"{folder}/softhsm2.conf"
        assert shutil.which("softhsm2-util") and shutil.which("pkcs11-tool"), "SoftHSM is missing: run `scripts/tools clients`"
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", PIN[::-1]],
                       check=True, capture_output=True)
        self.first = Demo(binary, str(self.dir))
        assert self.first.stop() == 0
        self.pin = self.dir / "hsm.pin"
        self.configure("ES256")
        self.write_pin(PIN)

    def configure(self, algorithm):
        file = self.dir / "estelam.toml"
        signing = f'[signing]\nalgorithm = "{algorithm}"\npkcs11 = {{ module = "{MODULE}", token = "{TOKEN}", pin = "hsm.pin" }}\n\n['
        file.write_text(re.sub(r"\[signing\]\n.*?\n\[", lambda _: signing, file.read_text(), count=1, flags=re.DOTALL))

    def write_pin(self, pin):
        self.pin.touch(0o600)
        self.pin.write_text(pin + "\n")

    def keys(self, *words):
        return subprocess.run([self.binary, "keys", *words, "--dir", str(self.dir)], capture_output=True, text=True)

    def list(self):
        return [json.loads(line) for line in self.keys("list", "--json").stdout.splitlines()]

    def standby(self):
        """The statement key in advance, if there is one."""
        return next((one for one in self.list() if (one["use"], one["state"]) == ("statements", "standby")), None)

    def active(self, use):
        return next(one for one in self.list() if (one["use"], one["state"]) == (use, "active"))

    def take_over(self, use):
        """A key made in the token takes over from the one in a file; its id."""
        made = self.keys("standby", use, "--hsm")
        assert made.returncode == 0, made.stderr
        kid = made.stdout.split()[0]
        for other in self.list():
            if other["use"] == use and other["state"] == "standby" and other["kid"] != kid:
                assert self.keys("retire", other["kid"]).returncode == 0
        rotated = self.keys("rotate", use, "--now")
        assert rotated.returncode == 0 and rotated.stdout.startswith(kid), rotated
        return kid


def answer(demo):
    bearer = curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", "clinic", ["Content-Type: application/x-www-form-urlencoded"],
                  "grant_type=client_credentials&client_id=clinic").json()["access_token"]
    return ask(demo, bearer), bearer


def ask(demo, bearer):
    return curl(demo, "POST", demo.places["gateway"] + "/v1/verify", "clinic",
                ["Content-Type: application/json", f"Authorization: Bearer {bearer}"], ASK)


def ready(demo):
    answer = requests.get(demo.places["ops"] + "/health/ready", timeout=10)
    return answer.status_code, answer.json()


def signed_by(demo, said, kid, algorithm):
    keys = KeySet.import_key_set(requests.get(demo.places["public"] + "/.well-known/jwks.json", verify=demo.ca, timeout=10).json())
    signed = jws.deserialize_compact(said["statement"], keys, algorithms=[algorithm])
    assert (signed.headers()["alg"], signed.headers()["kid"]) == (algorithm, kid)


def private_keys():
    """What the token says of each private key in it."""
    listed = subprocess.run(["pkcs11-tool", "--module", MODULE, "--token-label", TOKEN, "--login", "--pin", PIN, "--list-objects"],
                            capture_output=True, text=True)
    return re.findall(r"Private Key Object(?:\n|;.*\n)((?:  .*\n)+)", listed.stdout)


def in_the_token(labels):
    keys = private_keys()
    for label in labels:
        own = [key for key in keys if label in key]
        assert len(own) == 1 and "never extractable" in own[0] and "always sensitive" in own[0], keys
        assert re.search(r"Usage: +sign\n", own[0]), f"the key is good for more than signing: {own[0]}"


def keys_in_a_token_sign_and_nothing_leaves_unsigned_without_it(binary, folder):
    hsm = SoftHsm(binary, f"{folder}/hsm")
    kids = {use: hsm.take_over(use) for use in ("tokens", "statements", "checkpoints")}
    in_the_token([record["home"]["pkcs11"] for record in hsm.list() if record["kid"] in kids.values()])
    assert hsm.keys("retire", hsm.standby()["kid"]).returncode == 0
    demo = Installation(hsm.first)
    try:
        # The gateway makes the missing standby key in the token itself, beside the sessions of its own signing keys.
        assert until("a standby key", hsm.standby)["home"]["pkcs11"]
        reply, bearer = answer(demo)
        assert reply.status == 200, reply.body
        signed_by(demo, reply.json(), kids["statements"], "ES256")
        assert token_kid(bearer) == kids["tokens"]
        a_token_that_is_gone_closes_the_gateway_until_it_is_back(demo, hsm, bearer)
        the_other_algorithm_takes_over_while_the_gateway_runs(demo, hsm)
        a_key_in_the_token_that_is_lost_or_compromised_is_replaced_while_the_gateway_runs(demo, hsm)
        what_an_operator_does_beside_it_knows_the_token_too(hsm)
    finally:
        code = demo.stop()
    assert code == 0, f"the gateway ended with {code}"
    wrong_and_exposed_pins_keep_the_gateway_from_starting(hsm)
    verified = subprocess.run([binary, "log", "verify", "--dir", str(hsm.dir)], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr
    scan(demo, hsm)


def token_kid(bearer):
    head = bearer.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def a_token_that_is_gone_closes_the_gateway_until_it_is_back(demo, hsm, bearer):
    before = entries(demo)
    hsm.tokens.rename(hsm.gone)
    closed = until("not ready", lambda: (lambda state: state if state[0] == 503 else None)(ready(demo)))
    assert closed[1]["ready"] is False and "keys" in json.dumps(closed[1]), closed
    for _ in range(3):
        refused = ask(demo, bearer)
        assert (refused.status, refused.json()["code"]) == (503, "ledger-unavailable"), refused.body
        assert b"statement" not in refused.body
    no_token = curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", "clinic", ["Content-Type: application/x-www-form-urlencoded"],
                    "grant_type=client_credentials&client_id=clinic")
    assert no_token.status == 503 and b"access_token" not in no_token.body, no_token.body
    hsm.gone.rename(hsm.tokens)
    # The refusal of a token bears no signature; it alone was recorded.
    assert entries(demo) == before + 1
    until("ready again", lambda: True if ready(demo)[0] == 200 else None)
    again, _ = answer(demo)
    assert again.status == 200, again.body


def entries(demo):
    done = subprocess.run([demo.binary, "log", "verify", "--dir", str(demo.dir), "--json"], capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["entries"]


def the_other_algorithm_takes_over_while_the_gateway_runs(demo, hsm):
    hsm.configure("EdDSA")
    kid = hsm.take_over("statements")

    def taken_up():
        said = answer(demo)[0].json()
        head = token_kid(said["statement"])
        return said if head == kid else None
    signed_by(demo, until("the new statement key", taken_up), kid, "EdDSA")


def a_key_in_the_token_that_is_lost_or_compromised_is_replaced_while_the_gateway_runs(demo, hsm):
    """Each use once with either verb; the next key is in the token too, and a compromised one is destroyed there at once."""
    kept = hsm.dir / "kept-checkpoint"
    kept.write_text(requests.get(demo.places["public"] + "/checkpoint", verify=demo.ca, timeout=10).text)
    for use in ("tokens", "statements", "checkpoints"):
        for verb in ("lost", "compromised"):
            active = hsm.active(use)
            label = active["home"]["pkcs11"]
            in_the_token([label])
            if not any((one["use"], one["state"]) == (use, "standby") for one in hsm.list()):
                assert hsm.keys("standby", use, "--hsm").returncode == 0
            done = hsm.keys("lost", use) if verb == "lost" else hsm.keys("compromised", active["kid"], "--checkpoint", str(kept))
            assert done.returncode == 0, (use, verb, done)
            now = hsm.active(use)
            assert now["kid"] != active["kid"], (use, verb, now)
            in_the_token([now["home"]["pkcs11"]])
            former = next(one for one in hsm.list() if one["kid"] == active["kid"])
            assert former["state"] == ("retired" if verb == "lost" else "compromised"), former
            if verb == "compromised":
                assert not any(label in key for key in private_keys()), "others may have it: it is in the token no more"
            signs(demo, use, now)
            until("ready with it", lambda: True if ready(demo)[0] == 200 else None)


def signs(demo, use, key):
    """The verb has returned, so the gateway acts by the key that signs now."""
    if use == "checkpoints":
        line = requests.get(demo.places["public"] + "/checkpoint.key", verify=demo.ca, timeout=10).text
        until("a checkpoint of the new key",
              lambda: note_signed_by(requests.get(demo.places["public"] + "/checkpoint", verify=demo.ca, timeout=10).text, line) or None)
        return
    reply, bearer = until(f"{use} of the new key", lambda: (lambda made: made if kid_of(use, made) == key["kid"] else None)(answer(demo)))
    assert reply.status == 200, reply.body


def kid_of(use, made):
    reply, bearer = made
    return token_kid(bearer if use == "tokens" else reply.json()["statement"])


def what_an_operator_does_beside_it_knows_the_token_too(hsm):
    purged = subprocess.run([hsm.binary, "log", "purge", "--dry-run", "--dir", str(hsm.dir)], capture_output=True, text=True)
    assert purged.returncode == 0, purged.stderr


def wrong_and_exposed_pins_keep_the_gateway_from_starting(hsm):
    def refused():
        done = subprocess.run([hsm.binary, "serve", "--dir", str(hsm.dir)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done
        return done.stderr
    hsm.write_pin("wrong-" + PIN)
    said = refused()
    assert "the PIN is wrong" in said and TOKEN in said and PIN not in said, said
    hsm.write_pin(PIN)
    hsm.pin.chmod(0o644)
    said = refused()
    assert "hsm.pin" in said and "chmod go-rwx" in said, said
    hsm.pin.chmod(0o600)
    hsm.tokens.rename(hsm.gone)
    said = refused()
    assert TOKEN in said and "the module does not start" in said, said
    hsm.gone.rename(hsm.tokens)
    hsm.pin.unlink()
    assert "hsm.pin" in refused()
    hsm.write_pin(PIN)


def scan(demo, hsm):
    """The PIN is nowhere but in its file."""
    places = [path for path in hsm.dir.rglob("*") if path.is_file() and path != hsm.pin]
    assert len(places) > 20
    holding = [str(path) for path in places if PIN.encode() in path.read_bytes()]
    assert not holding and PIN.encode() not in demo.printed(), holding
