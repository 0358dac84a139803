"""Statements and printed receipts, checked by libraries that nobody here wrote, and by the receipt page in a real browser."""
import base64
import hashlib
import json
import pathlib
import secrets
import subprocess
import tempfile
import time

import jwt
import requests
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from PIL import Image

from gateway import Installation, curl
from oauth import NODE, SCRIPTS, until

STATEMENT, RECEIPT = "estelam-answer+jwt", "estelam-receipt+jwt"
CARD = {"identifier": {"scheme": "amayesh-no", "value": "A170000001"}, "service": "bank-card", "purpose": "account-maintenance",
        "actor": "probe-1", "check": {"birth_year": 1370, "calendar": "jalali"}}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(demo):
    form = "grant_type=client_credentials&client_id=bank"
    return curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", "bank", ["Content-Type: application/x-www-form-urlencoded"], form).json()["access_token"]


def answer(demo):
    """An answer with its printed receipt and its proof."""
    bearer = f"Authorization: Bearer {token(demo)}"
    body = json.dumps(CARD | {"receipt": True, "nonce": b64(secrets.token_bytes(16))})
    said = curl(demo, "POST", demo.places["gateway"] + "/v1/verify", "bank", [bearer, "Content-Type: application/json"], body)
    assert said.status == 200, said.body
    said = said.json()
    proof = curl(demo, "GET", f"{demo.places['gateway']}/v1/log/proof/{said['answer_id']}", "bank", [bearer])
    assert proof.status == 200, proof.body
    return said, proof.json()


def public(demo, path):
    return requests.get(demo.places["public"] + path, verify=demo.ca)


def tampered(compact):
    """Each part changed in its middle or its meaning; none may pass anywhere."""
    header, payload, signature = compact.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    head = json.loads(base64.urlsafe_b64decode(header + "=="))
    encoded = lambda value: b64(json.dumps(value, separators=(",", ":")).encode())  # noqa: E731
    flipped = signature[:40] + ("A" if signature[40] != "A" else "B") + signature[41:]
    return {
        "another day": ".".join((header, encoded(claims | {"iat": claims["iat"] - 86400}), signature)),
        "another number": ".".join((header, encoded(claims | {"jti": "AAAAAAAAAAAAAAAAAAAAAA"}), signature)),
        "another kind": ".".join((encoded(head | {"typ": RECEIPT if head["typ"] == STATEMENT else STATEMENT}), payload, signature)),
        "another signature": ".".join((header, payload, flipped)),
        "somebody else's key": forged(head, payload),
    }


def forged(head, payload):
    signing = b64(json.dumps(head, separators=(",", ":")).encode()) + "." + payload
    return signing + "." + b64(Ed25519PrivateKey.generate().sign(signing.encode()))


def three_libraries_verify_statements_and_printed_receipts(demo):
    said, _ = answer(demo)
    jwks = public(demo, "/.well-known/jwks.json").json()
    documents = {STATEMENT: said["statement"], RECEIPT: said["receipt"]["jwt"]}
    for typ, good in documents.items():
        for reads in (by_joserfc, by_pyjwt):
            claims = reads(good, jwks, demo.places["gateway"], typ)
            assert claims and claims["iss"] == demo.places["gateway"], (reads, typ)
            for what, bad in tampered(good).items():
                assert reads(bad, jwks, demo.places["gateway"], typ) is None, (reads, typ, what)
    by_jose(demo, jwks, documents)
    receipt = json.loads(base64.urlsafe_b64decode(documents[RECEIPT].split(".")[1] + "=="))
    assert set(receipt) == {"iss", "iat", "jti"} and (receipt["iat"] + 12600) % 86400 == 0, receipt
    statement = json.loads(base64.urlsafe_b64decode(said["statement"].split(".")[1] + "=="))
    assert statement["receipt"] == b64(hashlib.sha256(documents[RECEIPT].encode()).digest())


def by_joserfc(compact, jwks, issuer, typ):
    try:
        read = jws.deserialize_compact(compact, KeySet.import_key_set(jwks), algorithms=["EdDSA"])
    except (JoseError, ValueError):
        return None
    claims = json.loads(read.payload)
    return claims if read.headers()["typ"] == typ and claims["iss"] == issuer else None


def by_pyjwt(compact, jwks, issuer, typ):
    try:
        header = jwt.get_unverified_header(compact)
        key = jwt.PyJWKSet.from_dict(jwks)[header["kid"]]
        # A receipt is for nobody in particular, so it has no audience.
        audience = {"audience": "bank"} if typ == STATEMENT else {}
        claims = jwt.decode(compact, key, algorithms=["EdDSA"], issuer=issuer, **audience)
    except jwt.PyJWTError:
        return None
    return claims if header["typ"] == typ else None


def by_jose(demo, jwks, documents):
    settings = {"jwks": jwks, "issuer": demo.places["gateway"],
                "documents": [{"typ": typ, "good": good, "bad": list(tampered(good).values())} for typ, good in documents.items()]}
    done = subprocess.run([NODE, SCRIPTS / "receipts.mjs"], input=json.dumps(settings).encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


def a_paper_is_read_back_from_its_qr_code(demo):
    """As a clerk does it: ask, print, and another decoder reads the page."""
    ask = [demo.binary, "verify", "--dir", str(demo.dir), "--as", "bank", "--scheme", "amayesh-no", "--service", "bank-card", "--purpose",
           "account-maintenance", "--actor", "probe-1", "--birth-year", "1370", "--receipt", "--json"]
    asked = subprocess.run(ask, input=b"A170000001\n", capture_output=True)
    assert asked.returncode == 0, asked.stderr.decode()
    receipt = json.loads(asked.stdout)["receipt"]
    with tempfile.TemporaryDirectory() as folder:
        pages = [{"svg": f"{folder}/{lang}.svg", "png": f"{folder}/{lang}.png"} for lang in ("fa", "en")]
        for page, lang in zip(pages, ("fa", "en")):
            printed = subprocess.run([demo.binary, "receipt", "print", "-", "--format", "svg", "--lang", lang], input=asked.stdout, capture_output=True)
            assert printed.returncode == 0, printed.stderr.decode()
            pathlib.Path(page["svg"]).write_bytes(printed.stdout)
        done = subprocess.run([NODE, SCRIPTS / "paper.mjs"], input=json.dumps(pages).encode(), capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        for page in pages:
            [code] = zxingcpp.read_barcodes(Image.open(page["png"]))
            assert code.text == receipt["jwt"], code.text
    statement = subprocess.run([demo.binary, "receipt", "print", "-"], input=json.loads(asked.stdout)["statement"].encode(), capture_output=True)
    assert statement.returncode == 1 and b"only a printed receipt" in statement.stderr, statement


def browse(demo, steps, keys_file=None):
    """Runs the page in Chromium through the steps: what is put in, and which verdict and code must come out."""
    secret = [text for step in steps for text in (step.get("document"), step.get("statement"), step.get("proof")) if text]
    settings = {"url": demo.places["public"] + "/receipt", "steps": steps, "secret": secret, "keys_file": keys_file}
    done = subprocess.run([NODE, SCRIPTS / "page.mjs"], input=json.dumps(settings).encode(), capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    with tempfile.TemporaryDirectory() as folder:
        keys = pathlib.Path(keys_file or f"{folder}/keys.json")
        if not keys_file:
            keys.write_text(public(demo, "/.well-known/estelam-keys.json").text)
        for one in steps:
            command_line_says(demo, pathlib.Path(folder), keys, one)


def command_line_says(demo, folder, keys, one):
    """The page and `estelam receipt check` are two implementations of the same rules: they must agree on everything."""
    arguments = [demo.binary, "receipt", "check", str(folder / "document"), "--keys", str(keys), "--json"]
    for name in ("document", "statement", "proof"):
        (folder / name).write_text(one.get(name, one.get("file", "") if name == "document" else ""))
        if name in one and name != "document":
            arguments += [f"--{name}", str(folder / name)]
    done = subprocess.run(arguments, capture_output=True)
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    assert (said["verdict"], said.get("code", "")) == (one["verdict"], one["code"]), (one, said, done.stderr)
    assert done.returncode == (0 if one["verdict"] == "genuine" else 1), done


def step(verdict, code="", **given):
    return {"verdict": verdict, "code": code, **given}


def the_receipt_page_checks_in_the_browser_and_sends_nothing(demo):
    said, proof = answer(demo)
    statement, receipt, whole = said["statement"], said["receipt"]["jwt"], json.dumps(said)
    other, other_proof = answer(demo)
    steps = [step("genuine", document=statement, shows="bank-card"), step("genuine", document=whole, proof=json.dumps(proof), shows=str(proof["index"])),
             step("genuine", document=receipt, shows=said["receipt"]["code"]), step("genuine", document=receipt, statement=whole, proof=json.dumps(proof)),
             step("not-genuine", "answer-differs", document=json.dumps(said | {"decision": "not-entitled"})),
             step("not-genuine", "answer-differs", document=receipt, statement=json.dumps(said | {"may_deny": not said["may_deny"]})),
             step("cannot-be-checked", "proof-of-other", document=statement, proof=json.dumps(other_proof)),
             step("cannot-be-checked", "proof-broken", document=statement, proof=json.dumps(proof | {"index": proof["index"] + 1})),
             step("cannot-be-checked", "statement-of-other", document=receipt, statement=other["statement"]),
             step("cannot-be-checked", "nothing-given"), step("cannot-be-checked", "nothing-given", document=" \n"),
             step("cannot-be-checked", "too-large", document="a" * 9000), step("cannot-be-checked", "too-large", file="a" * 70_000),
             step("cannot-be-checked", "unreadable", document="hello"),
             step("cannot-be-checked", "unreadable", document=whole.replace("{", '{"statement":"x.y.z",', 1)),
             step("not-genuine", "other-kind", document=token(demo)), step("cannot-be-checked", "unreadable", document=receipt + "=")]
    for document in (statement, receipt):
        steps += [step("not-genuine", "wrong-signature", document=bad) for bad in tampered(document).values()]
    browse(demo, steps)
    es256(demo)


def es256(demo):
    """Keys of another gateway, from a file, that sign with the other algorithm."""
    key = generate_private_key(SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{b64(point[1:33])}","y":"{b64(point[33:])}"}}'
    kid, now = b64(hashlib.sha256(canonical.encode()).digest()), int(time.time())
    lives = {"issuer": "https://es256.example", "origin": "es256.example/log", "keys": [
        {"kid": kid, "use": "statements", "alg": "ES256", "state": "active", "public": b64(point), "signs_from": "2026-01-01T00:00:00Z"}]}
    claims = {"iss": "https://es256.example", "iat": now - now % 86400, "jti": "x"}
    receipt = jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid, "typ": RECEIPT})
    early = jwt.encode(claims | {"iat": 1}, key, algorithm="ES256", headers={"kid": kid, "typ": RECEIPT})
    foreign = jwt.encode(claims | {"iss": "https://other.example"}, key, algorithm="ES256", headers={"kid": kid, "typ": RECEIPT})
    file = pathlib.Path(demo.dir).parent / "es256-keys.json"
    file.write_text(json.dumps(lives))
    browse(demo, [step("genuine", document=receipt), step("not-genuine", "outside-key-life", document=early),
                  step("not-genuine", "other-issuer", document=foreign), step("cannot-be-checked", "unknown-key", document=answer(demo)[0]["statement"])], str(file))


def after_a_compromise_only_what_was_proved_before_stays_genuine_everywhere(demo):
    """Runs last of these: the key that signs is given up for good."""
    before, before_proof = answer(demo)
    after, after_proof = answer(demo)
    head = json.loads(base64.urlsafe_b64decode(before["statement"].split(".")[0] + "=="))
    with tempfile.NamedTemporaryFile("w", suffix=".checkpoint") as checkpoint:
        checkpoint.write(before_proof["checkpoint"])
        checkpoint.flush()
        done = subprocess.run([demo.binary, "keys", "compromised", head["kid"], "--checkpoint", checkpoint.name, "--dir", str(demo.dir)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    until("the compromise", lambda: head["kid"] not in public(demo, "/.well-known/jwks.json").text or None)
    statement, receipt = before["statement"], before["receipt"]["jwt"]
    proof, later = json.dumps(before_proof), json.dumps(after_proof)
    browse(demo, [
        step("cannot-be-checked", "key-compromised", document=statement),
        step("genuine", document=statement, proof=proof),
        step("cannot-be-checked", "key-compromised", document=after["statement"]),
        step("not-genuine", "after-compromise", document=after["statement"], proof=later),
        step("cannot-be-checked", "statement-needed", document=receipt),
        step("genuine", document=receipt, statement=statement, proof=proof),
        step("genuine", document=answer(demo)[0]["statement"]),
    ])
    assert by_joserfc(statement, public(demo, "/.well-known/jwks.json").json(), demo.places["gateway"], STATEMENT) is None


def a_proof_from_before_a_succession_still_holds(before):
    """The demo was stopped; its log is sealed and a new one goes on under another origin, on the same ports."""
    running = Installation(before)
    try:
        old, old_proof = answer(running)
    finally:
        assert running.stop() == 0
    sealed = subprocess.run([before.binary, "log", "succeed", "--dir", str(before.dir)], capture_output=True)
    assert sealed.returncode == 0, sealed.stderr.decode()
    running = Installation(before)
    try:
        bearer = f"Authorization: Bearer {token(running)}"
        again = curl(running, "GET", f"{running.places['gateway']}/v1/log/proof/{old['answer_id']}", "bank", [bearer])
        assert again.status == 200, again.body
        new, new_proof = answer(running)
        assert new["ledger"]["origin"] != old["ledger"]["origin"]
        browse(running, [step("genuine", document=old["statement"], proof=json.dumps(old_proof), shows=str(old_proof["index"])),
                         step("genuine", document=old["statement"], proof=again.body.decode()),
                         step("genuine", document=new["statement"], proof=json.dumps(new_proof)),
                         step("cannot-be-checked", "proof-of-other", document=new["statement"], proof=json.dumps(old_proof))])
        for said in (old, new):
            proved = subprocess.run([before.binary, "log", "prove", said["answer_id"], "--as", "bank", "--dir", str(before.dir)], capture_output=True)
            assert proved.returncode == 0, proved.stderr.decode()
    finally:
        assert running.stop() == 0


AFTER = [a_proof_from_before_a_succession_still_holds]
CHECKS = [three_libraries_verify_statements_and_printed_receipts, a_paper_is_read_back_from_its_qr_code, the_receipt_page_checks_in_the_browser_and_sends_nothing,
          after_a_compromise_only_what_was_proved_before_stays_genuine_everywhere]
