"""The whole system from outside: what the contract promises, tried with clients that nobody here wrote."""
import base64
import csv
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.jwk import KeySet

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import attacks  # noqa: E402
import events  # noqa: E402
import holder  # noqa: E402
import hsm  # noqa: E402
import imports  # noqa: E402
import keys as key_rehearsals  # noqa: E402
import oauth  # noqa: E402
import officials  # noqa: E402
import receipts  # noqa: E402
import secrets_scan  # noqa: E402
import signing  # noqa: E402
import spdci  # noqa: E402
import tls_clients  # noqa: E402
import tls_scan  # noqa: E402
from gateway import Demo, LeftOut, curl  # noqa: E402

# joserfc asks for the newer name of the same algorithm; the contract says EdDSA.
warnings.filterwarnings("ignore", message="EdDSA is deprecated")
# The last of the receipts gives up the key that signs, so they come last.
OTHERS = signing.CHECKS + events.CHECKS + holder.CHECKS + attacks.CHECKS + oauth.CHECKS + tls_scan.CHECKS + tls_clients.CHECKS
OTHERS += secrets_scan.LIVE + receipts.CHECKS
# After the demo has ended: over all that it printed and stored.
AFTER = receipts.AFTER + secrets_scan.CHECKS
# With installations of their own.
ALONE = [officials.rules_take_effect_with_two_officials_in_office_alone,
         hsm.keys_in_a_token_sign_and_nothing_leaves_unsigned_without_it,
         key_rehearsals.each_key_is_lost_compromised_and_recovered,
         spdci.our_search_passes_prism_and_our_reader_takes_what_prism_lets_through, *secrets_scan.ALONE]
ROOT = pathlib.Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "data" / "fixtures.expected.json"
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def token(demo, agency, scope=None):
    form = f"grant_type=client_credentials&client_id={agency}" + (f"&scope={scope}" if scope else "")
    answer = curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", agency,
                  ["Content-Type: application/x-www-form-urlencoded"], form)
    assert answer.status == 200, answer.body
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["access_token"]


def ask(demo, agency, body, bearer, headers=()):
    return curl(demo, "POST", demo.places["gateway"] + "/v1/verify", agency,
                ["Content-Type: application/json", f"Authorization: Bearer {bearer}", *headers],
                json.dumps(body, ensure_ascii=False))


def keys(demo):
    return KeySet.import_key_set(requests.get(demo.places["public"] + "/.well-known/jwks.json", verify=demo.ca).json())


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@check
def every_fixture_answers_as_the_domain_says(demo):
    tokens, jwks = {}, keys(demo)
    cases = json.loads(FIXTURES.read_text())
    assert len(cases) >= 16
    for case in cases:
        agency = case["agency"]
        tokens.setdefault(agency, token(demo, agency))
        scheme, value = case["identifier"]
        body = {"identifier": {"scheme": scheme, "value": value}, "service": case["service"], "purpose": case["purpose"],
                "actor": "probe-1", "nonce": b64(secrets.token_bytes(16))}
        if "check" in case:
            body["check"] = case["check"]
        answer = ask(demo, agency, body, tokens[agency])
        said = answer.json()
        assert answer.status == case.get("status", 200), (case, said)
        if answer.status != 200:
            assert said["code"] == case["code"], (case, said)
            assert answer.headers["content-type"] == "application/problem+json"
            assert value not in answer.body.decode()
            continue
        assert (said["decision"], said["reason"]["code"]) == (case["decision"], case["reason"]), (case, said)
        assert said.get("document", {}).get("decree") == case.get("decree"), (case, said)
        assert said["may_deny"] == (said["decision"] != "indeterminate")
        assert said["reason"]["message"]["fa"] and said["reason"]["message"]["en"]
        statement_is_genuine(demo, jwks, said, agency, json.dumps(body, ensure_ascii=False).encode())


def statement_is_genuine(demo, jwks, said, agency, sent):
    signed = jws.deserialize_compact(said["statement"], jwks, algorithms=["EdDSA"])
    assert signed.headers()["typ"] == "estelam-answer+jwt"
    claims = json.loads(signed.payload)
    assert claims["iss"] == demo.places["gateway"] and claims["aud"] == agency
    assert claims["jti"] == said["answer_id"] and claims["exp"] > claims["iat"]
    # Where nobody need be named, nothing is derived from a body that names somebody.
    committed = None if said["decision"] == "no-document-required" and "identifier" in json.loads(sent) else b64(hashlib.sha256(sent).digest())
    assert claims.get("req") == committed
    for name in ("decision", "as_of", "freshness", "valid_until", "policy_version", "decrees_version", "may_deny", "document"):
        assert claims.get(name) == said.get(name), name
    assert claims["reason"] == said["reason"]["code"]


@check
def a_bare_body_is_not_committed_to(demo):
    bearer = token(demo, "clinic")
    body = {"identifier": {"scheme": "yekta", "value": "9990000034"}, "service": "insurance-health", "purpose": "treatment"}
    said = ask(demo, "clinic", body, bearer).json()
    assert "req" not in json.loads(jws.deserialize_compact(said["statement"], keys(demo), algorithms=["EdDSA"]).payload)


@check
def the_statement_alone_can_be_had(demo):
    body = {"service": "health-primary", "purpose": "treatment"}
    answer = ask(demo, "clinic", body, token(demo, "clinic"), ["Accept: application/jwt"])
    assert answer.headers["content-type"] == "application/jwt"
    assert json.loads(jws.deserialize_compact(answer.body.decode(), keys(demo), algorithms=["EdDSA"]).payload)["decision"] == "no-document-required"


@check
def a_retry_gets_the_recorded_answer_and_another_body_is_refused(demo):
    bearer, key = token(demo, "clinic"), f"Idempotency-Key: {secrets.token_hex(8)}"
    body = {"identifier": {"scheme": "yekta", "value": "9990000034"}, "service": "insurance-health", "purpose": "treatment"}
    first, second = (ask(demo, "clinic", body, bearer, [key]).json() for _ in range(2))
    assert second.pop("redelivered") is True
    assert first == second
    body["identifier"]["value"] = "9990000042"
    other = ask(demo, "clinic", body, bearer, [key])
    assert (other.status, other.json()["code"]) == (409, "key-reused")


@check
def nobody_enters_without_a_certificate_or_with_anothers_token(demo):
    url = demo.places["gateway"] + "/v1/verify"
    assert curl(demo, "POST", url, None, [], "{}", expect_failure=True) != 0
    missing = curl(demo, "POST", url, "bank", ["Content-Type: application/json"], "{}")
    assert (missing.status, missing.json()["code"]) == (401, "token-missing")
    assert missing.headers["www-authenticate"].startswith("Bearer")
    foreign = ask(demo, "bank", {}, token(demo, "school"))
    assert (foreign.status, foreign.json()["code"]) == (401, "token-not-bound")
    assert 'error="invalid_token"' in foreign.headers["www-authenticate"]
    auditor = ask(demo, "security-auditor", {}, token(demo, "security-auditor"))
    assert (auditor.status, auditor.json()["code"]) == (403, "scope-missing")


@check
def every_answer_can_be_proved_against_the_public_checkpoint(demo):
    bearer = token(demo, "clinic")
    said = ask(demo, "clinic", {"service": "health-primary", "purpose": "treatment"}, bearer).json()
    proof = curl(demo, "GET", f"{demo.places['gateway']}/v1/log/proof/{said['answer_id']}", "clinic", [f"Authorization: Bearer {bearer}"])
    assert proof.status == 200, proof.body
    bundle = proof.json()
    entry_is_included(bundle, said)
    other = curl(demo, "GET", f"{demo.places['gateway']}/v1/log/proof/{said['answer_id']}", "school",
                 [f"Authorization: Bearer {token(demo, 'school')}"])
    assert other.status == 404
    public = requests.get(demo.places["public"] + "/checkpoint", verify=demo.ca).text
    assert public.split("\n")[0] == bundle["checkpoint"].split("\n")[0] == said["ledger"]["origin"]


def entry_is_included(bundle, said):
    """RFC 6962 §2.1.1 in a dozen lines, independent of the product's own code."""
    digest = lambda data: hashlib.sha256(data).digest()  # noqa: E731
    raw = lambda text: base64.b64decode(text)  # noqa: E731
    header = raw(bundle["header"])
    assert digest(said["statement"].encode()) in header, "the header must commit to the statement"
    leaf = digest(digest(raw(bundle["salt"]) + header) + raw(bundle["content_commitment"]))
    lines = bundle["checkpoint"].split("\n")
    node, index, size = digest(b"\x00" + leaf), bundle["index"], int(lines[1])
    assert index == said["ledger"]["index"]
    fn, sn = index, size - 1
    for sibling in map(raw, bundle["inclusion_path"]):
        if fn & 1 or fn == sn:
            node = digest(b"\x01" + sibling + node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = digest(b"\x01" + node + sibling)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    assert base64.b64decode(lines[2]) == node
    signature_line = next(line for line in lines if line.startswith("\u2014 "))
    blob = base64.b64decode(signature_line.split(" ")[2])
    text = bundle["checkpoint"].split("\n\n")[0] + "\n"
    _, key_hash, key = bundle["checkpoint_key"].split("+", 2)
    assert blob[:4].hex() == key_hash
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(blob[4:], text.encode())


@check
def the_public_listener_needs_no_certificate_and_tells_only_public_things(demo):
    meta = requests.get(demo.places["public"] + "/.well-known/oauth-authorization-server", verify=demo.ca).json()
    assert meta["issuer"] == demo.places["gateway"] and meta["tls_client_certificate_bound_access_tokens"] is True
    assert requests.post(demo.places["public"] + "/v1/verify", json={}, verify=demo.ca).status_code == 404
    assert requests.get(demo.places["public"] + "/openapi.json", verify=demo.ca).json()["openapi"].startswith("3.")
    assert requests.get(demo.places["ops"] + "/health/ready").json()["ready"] is True
    assert "estelam_requests_total" in requests.get(demo.places["ops"] + "/metrics").text


@check
def the_command_line_client_speaks_and_exits_by_the_outcome(demo):
    base = [demo.binary, "verify", "--dir", str(demo.dir)]
    bank = base + ["--as", "bank", "--scheme", "amayesh-no", "--service", "bank-card", "--purpose", "account-maintenance", "--actor", "probe-1"]
    good = subprocess.run(bank + ["--birth-year", "1370"], input=b"A170000001\n", capture_output=True)
    assert good.returncode == 0 and b"d1-1402-04-07" in good.stdout, good
    wrong = subprocess.run(bank + ["--birth-year", "1371", "--lang", "fa"], input=b"A170000001\n", capture_output=True)
    assert wrong.returncode == 4 and "نامعین".encode() in wrong.stdout, wrong
    clinic = base + ["--as", "clinic", "--scheme", "yekta", "--service", "insurance-health", "--purpose", "treatment", "--json"]
    no = subprocess.run(clinic, input=b"9990000042\n", capture_output=True)
    assert no.returncode == 3 and json.loads(no.stdout)["reason"]["code"] == "document-suspended", no


def run(demo, *arguments, stdin=b""):
    return subprocess.run([demo.binary, *arguments, "--dir", str(demo.dir)], input=stdin, capture_output=True)


@check
def a_clerk_types_and_reads_persian(demo):
    card = ["verify", "--as", "bank", "--scheme", "yekta", "--service", "bank-card", "--purpose", "account-maintenance", "--actor", "t17"]
    done = run(demo, *card, "--birth-year", "۱۳۷۲", "--lang", "fa", stdin="۹۹۹۰۰۰۰۰۱۸".encode())
    said = done.stdout.decode()
    assert done.returncode == 0 and "کارت هوشمند" in said and "ساعت" in said and "2026-" not in said, (said, done.stderr)
    refused = run(demo, *card, "--lang", "fa", stdin=b"9990000018").stdout.decode()
    assert "check-required" in refused and "اطلاع تکمیلی لازم است" in refused, refused
    assert run(demo, *card, "--birth-year", "x").returncode == 2


@check
def what_officials_and_operators_change_counts_when_their_command_returns(demo):
    """No pause between the command and the question, on a connection that is open already."""
    session = requests.Session()
    session.verify, session.cert = demo.ca, demo.files("clinic")
    bearer = token(demo, "clinic")
    query = {"identifier": {"scheme": "amayesh-no", "value": "A160000002"}, "service": "insurance-health", "purpose": "treatment"}

    def reason():
        answer = session.post(demo.places["gateway"] + "/v1/verify", json=query, headers={"Authorization": f"Bearer {bearer}"})
        return answer.json()["reason"]["code"]

    decree = demo.dir.parent / "decree.toml"
    decree.write_text("""[[decree]]
id = "e2e-16"
authority = "ministry-of-interior"
issued_on = "1405/01/01"
known_from = "1405/01/01"
effective_from = "1405/01/01"
select = [{ kind = "amayesh", series = 16 }]
services = "all"
effect = "extend"
text.fa = "برای آزمون"
text.en = "for a test"
source = "a test"
""")
    first, second = (str(demo.dir / "pki" / "officials" / f"{name}-official.pem") for name in ("first", "second"))
    assert reason() == "document-lapsed"
    assert run(demo, "registry", "decree", "add", str(decree), "--key", first).returncode == 0
    assert run(demo, "registry", "decree", "approve", "e2e-16", "--key", first).returncode == 1
    assert reason() == "document-lapsed"
    assert run(demo, "registry", "decree", "approve", "e2e-16", "--key", second).returncode == 0
    assert reason() == "valid-by-decree"
    assert run(demo, "registry", "decree", "rescind", "e2e-16", "--key", second).returncode == 0
    assert reason() == "valid-by-decree", "one official alone rescinds nothing"
    assert run(demo, "registry", "decree", "rescind", "e2e-16").returncode == 0, "a demo acts for both"
    assert reason() == "document-lapsed"
    export = demo.dir.parent / "late.csv"
    header = ("person,scheme,value,kind,series,issued,expires,calendar,state,birth,birth_calendar,nationality,province,legal_status,"
              "name,father_name,household,household_role")
    query["identifier"]["value"] = "A199000077"
    for state in ("active", "suspended", "active"):
        export.write_text(f"{header}\nL-1,amayesh-no,A199000077,amayesh,19,1404/01/01,1409/01/01,jalali,{state},1370,jalali,AF,IR-07,,,,,\n")
        assert run(demo, "registry", "import", str(export)).returncode == 0
        assert reason() == {"active": "valid", "suspended": "document-suspended"}[state]
    assert run(demo, "agency", "suspend", "telecom").returncode == run(demo, "agency", "resume", "telecom").returncode == 0
    sim = run(demo, "verify", "--as", "telecom", "--scheme", "yekta", "--service", "sim", "--purpose", "sim-registration", "--actor", "t",
              "--birth-year", "1372", stdin=b"9990000018")
    assert sim.returncode == 0, (sim.stdout, sim.stderr)


@check
def messy_exports_are_counted_as_the_contract_says(demo):
    folder = demo.dir.parent / "exports"
    folder.mkdir()
    imports.messy_exports_are_counted_as_the_contract_says(demo.binary, folder)
    imports.refused_files_leave_nothing(demo.binary, folder)


@check
def the_log_verifies_while_the_service_runs(demo):
    done = subprocess.run([demo.binary, "log", "verify", "--dir", str(demo.dir), "--json"], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["entries"] > 20


@check
def auditors_find_export_and_open_trails_by_what_the_manual_says(demo):
    bearer = token(demo, "security-auditor", "log:patterns")
    gateway, bearers = demo.places["gateway"], [f"Authorization: Bearer {bearer}"]
    page = curl(demo, "GET", gateway + "/v1/log/entries?agency=bank&limit=5", "security-auditor", bearers).json()
    assert page["count"] > 5 and len(page["entries"]) == 5 and page["next"], page
    assert all(entry["agency"] == "bank" and "trail_tag" not in entry for entry in page["entries"])
    for form in ("ndjson", "csv"):
        reply = curl(demo, "GET", f"{gateway}/v1/log/export?agency=bank&format={form}", "security-auditor", bearers)
        assert reply.status == 200, reply.body
        rows = export_holds(demo, reply.body.decode(), form)
        assert rows >= page["count"], (rows, page["count"])
    bearer = token(demo, "dpo", "log:person")
    ask = json.dumps({"identifier": {"scheme": "amayesh-no", "value": "A170000001"}, "case": "case-1"})
    headers = [f"Authorization: Bearer {bearer}", "Content-Type: application/json"]
    trail = curl(demo, "POST", demo.places["gateway"] + "/v1/log/person", "dpo", headers, ask).json()
    assert trail["count"] > 0 and trail["complete"] and {entry["agency"] for entry in trail["entries"]} == {"bank"}, trail
    again = curl(demo, "POST", demo.places["gateway"] + "/v1/log/person", "dpo", headers, ask).json()
    assert {entry["agency"] for entry in again["entries"]} == {"bank", "dpo"}, "whoever opened the trail stands in it"
    refused = curl(demo, "POST", demo.places["gateway"] + "/v1/log/person", "dpo", headers, ask.replace("case-1", "case-of-nobody"))
    assert refused.status == 403 and refused.json()["code"] == "case-unknown"
    done = subprocess.run([demo.binary, "log", "query", "--dir", str(demo.dir), "--agency", "bank", "--json"], capture_output=True, check=True)
    assert json.loads(done.stdout)["count"] >= page["count"]


def export_holds(demo, text, form):
    """Folds the rows of an export up to the root of its checkpoint (RFC 6962), and checks that checkpoint's signature; returns their number."""
    lines = text.splitlines()
    plain = [line.removeprefix("# ") for line in (lines[0], lines[-1])]
    manifest, end = json.loads(plain[0])["manifest"], json.loads(plain[1])["end"]
    if form == "csv":
        rows = [{**row, "proof": {**row, "gap": row["gap"].split()}} for row in csv.DictReader(lines[1:-1])]
    else:
        rows = [json.loads(line) for line in lines[1:-1]]
    assert len(rows) == end["rows"] == manifest["count"]
    assert hashlib.sha256("".join(line + "\n" for line in lines[:-1]).encode()).hexdigest() == end["sha256"]
    raw = base64.b64decode
    sha = lambda data: hashlib.sha256(data).digest()  # noqa: E731
    edge, at = [], 0

    def push(level, node):
        while edge and edge[-1][0] == level:
            node, level = sha(b"\x01" + edge.pop()[1] + node), level + 1
        edge.append((level, node))

    def gap(to, hashes):
        nonlocal at
        for node in hashes:
            level = min((at & -at).bit_length() - 1 if at else 64, (to - at).bit_length() - 1)
            push(level, raw(node))
            at += 1 << level
        assert at == to

    for row in rows:
        salt, header, content = (raw(row["proof"][part]) for part in ("salt", "header", "content_commitment"))
        gap(int(row["index"]), row["proof"]["gap"])
        push(0, sha(b"\x00" + sha(sha(salt + header) + content)))
        at += 1
    note, size = manifest["checkpoint"], manifest["tree_size"]
    gap(size, end["gap"])
    root = edge.pop()[1]
    while edge:
        root = sha(b"\x01" + edge.pop()[1] + root)
    body, signature = note.split("\n\n")
    assert body.splitlines()[1:] == [str(size), base64.b64encode(root).decode()], "the rows do not fold up to the checkpoint"
    key = base64.b64decode(requests.get(demo.places["public"] + "/checkpoint.key", verify=demo.ca).text.strip().split("+", 2)[2])
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(base64.b64decode(signature.split()[-1])[4:], (body + "\n").encode())
    return len(rows)
def read_from_outside(demo, *options):
    """The reader that is written from the manual alone."""
    script = str(ROOT / "tests" / "e2e" / "log_reader.py")
    key = demo.dir.parent / "log-reader.key"
    key.write_text(requests.get(demo.places["public"] + "/checkpoint.key", verify=demo.ca).text)
    return subprocess.run([sys.executable, "-I", "-B", script, "--public", demo.places["public"], "--ca", demo.ca, "--log-key", str(key), *options],
                          capture_output=True, text=True)


@check
def an_outsider_checks_log_export_and_answer_by_what_the_manual_says(demo):
    folder = demo.dir.parent
    export, kept, proof, statement, jwks = (str(folder / f"outside.{name}") for name in ("ndjson", "kept", "proof", "jwt", "jwks"))
    pathlib.Path(kept).write_text(requests.get(demo.places["public"] + "/checkpoint", verify=demo.ca).text)
    bearer = token(demo, "clinic")
    said = ask(demo, "clinic", {"service": "health-primary", "purpose": "treatment"}, bearer).json()
    pathlib.Path(statement).write_text(said["statement"])
    pathlib.Path(jwks).write_text(requests.get(demo.places["public"] + "/.well-known/jwks.json", verify=demo.ca).text)
    found = curl(demo, "GET", f"{demo.places['gateway']}/v1/log/proof/{said['answer_id']}", "clinic", [f"Authorization: Bearer {bearer}"])
    pathlib.Path(proof).write_text(found.body.decode())
    done = run(demo, "log", "export", "--out", export)
    assert done.returncode == 0, done.stderr
    covered = json.loads(pathlib.Path(export).read_text().splitlines()[0])["manifest"]["tree_size"]
    deadline = time.monotonic() + 15
    while int(requests.get(demo.places["public"] + "/checkpoint", verify=demo.ca).text.split("\n")[1]) < covered:
        assert time.monotonic() < deadline, "a checkpoint is published every second"
    given = ["--export", export, "--kept", kept, "--proof", proof, "--statement", statement, "--jwks", jwks]
    whole = read_from_outside(demo, *given)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert f"is about the answer {said['answer_id']}" in whole.stdout and "rows of the export are entries of it" in whole.stdout
    lines = pathlib.Path(export).read_text().splitlines(keepends=True)
    altered = [line.replace('"class":"detail"', '"class":"minor"', 1) if '"class":"detail"' in line else line for line in lines]
    pathlib.Path(export).write_text("".join(altered[:-1]) + lines[-1])
    assert read_from_outside(demo, *given).returncode == 1, "an altered row must be noticed"
    pathlib.Path(statement).write_text(said["statement"][:-4] + "AAAA")
    assert read_from_outside(demo, *given[2:]).returncode == 1, "an altered statement must be noticed"


def read_by_go(demo, *options):
    """Go's x/mod/sumdb over the public listener."""
    return subprocess.run([str(ROOT / "var" / "go" / "reader"), "-url", demo.places["public"], "-ca", demo.ca, *options], capture_output=True)


@check
def go_reads_the_log_at_every_size_and_sees_that_it_only_grows(demo):
    kept = demo.dir.parent / "kept-checkpoint"
    first = read_by_go(demo, "-keep", str(kept))
    assert first.returncode == 0, first.stderr
    index = 0
    # Past the width of a tile, so that full tiles, partial ones and a second level are read.
    bearer, body = token(demo, "clinic"), {"service": "health-primary", "purpose": "treatment"}
    cert, session = demo.files("clinic"), requests.Session()
    while index < 300:
        answer = session.post(demo.places["gateway"] + "/v1/verify", json=body, cert=cert, verify=demo.ca,
                              headers={"Authorization": f"Bearer {bearer}"})
        if answer.status_code == 429:
            time.sleep(0.05)
            continue
        assert answer.status_code == 200, answer.text
        index = answer.json()["ledger"]["index"]
    deadline = time.monotonic() + 30
    while int(requests.get(demo.places["public"] + "/checkpoint", verify=demo.ca).text.split("\n")[1]) <= index:
        assert time.monotonic() < deadline, "a checkpoint is published every second"
        time.sleep(0.05)
    grown = read_by_go(demo, "-seen", str(kept))
    assert grown.returncode == 0 and int(grown.stdout.split()[0]) > 256, grown
    wrong_tile = read_by_go(demo, "-flip")
    assert wrong_tile.returncode == 1, "a tile with one altered bit must be refused"
    kept.write_text(kept.read_text().replace("\n", "\nx", 1))
    altered = read_by_go(demo, "-seen", str(kept))
    assert altered.returncode == 1 and b"from before" in altered.stderr, altered


def nothing_printed_and_nothing_stored_outside_the_registry_names_anybody(demo):
    """Runs last, over all output of the whole run and every file but the registry's own store."""
    people = [json.loads(line) for line in (ROOT / "tests" / "data" / "fixtures.ndjson").read_text().splitlines()]
    secret = {document["value"] for person in people for document in person["documents"]}
    secret |= {"9990000050", "5892101234567895"} | {person["name"] for person in people}
    secret |= {value.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")) for value in secret}
    places = {"output": demo.printed(), "metrics": b""}
    for path in demo.dir.rglob("*"):
        inside = path.relative_to(demo.dir).parts
        if path.is_file() and inside[0] != "registry":
            places["/".join(inside)] = path.read_bytes()
            assert not any(word in str(path) for word in secret), "a file name names somebody"
    assert len(places) > 20
    # The fixture people that ship with the demo are in its policy folder by design of the seed files only.
    for name, content in places.items():
        for word in secret:
            assert word.encode() not in content, f"`{name}` holds an identifier or a name"


def outside(binary, folder):
    """A second start of the same folder, now with an outside issuer in its configuration: its demo, on ports of its own."""
    provider = oauth.Provider()
    provider.configure(pathlib.Path(folder) / "demo")
    demo = Demo(str(pathlib.Path(binary).resolve()), f"{folder}/demo")
    try:
        provider.start(demo)
        oauth.tokens_of_oidc_provider_open_the_gate_for_the_bound_agency_alone(demo, provider)
        print("ok   tokens of oidc-provider open the gate for the bound agency alone")
        provider.stop()
    finally:
        code = demo.stop()
    assert code == 0, f"the demo ended with {code}"
    return demo


def main(binary):
    # What this script puts into the folders is for its own user alone, as the services' files must be under any mask.
    os.umask(0o077)
    folder = tempfile.mkdtemp(prefix="estelam-e2e-")
    demo = Demo(str(pathlib.Path(binary).resolve()), f"{folder}/demo")
    try:
        for function in CHECKS + OTHERS:
            function(demo)
            print(f"ok   {function.__name__.replace('_', ' ')}")
        metrics = requests.get(demo.places["ops"] + "/metrics").content
        demo.output.write(metrics)
        demo.output.flush()
    finally:
        code = demo.stop()
    assert code == 0, f"the demo ended with {code}"
    demo = outside(binary, folder)
    nothing_printed_and_nothing_stored_outside_the_registry_names_anybody(demo)
    print("ok   nothing printed and nothing stored outside the registry names anybody")
    for function in AFTER:
        function(demo)
        print(f"ok   {function.__name__.replace('_', ' ')}")
    left_out = 0
    for function in ALONE:
        try:
            function(demo.binary, tempfile.mkdtemp(prefix="alone-", dir=folder))
            print(f"ok   {function.__name__.replace('_', ' ')}")
        except LeftOut as why:
            left_out += 1
            print(f"LEFT OUT   {function.__name__.replace('_', ' ')}: {why}")
    once = subprocess.run([demo.binary, "demo", "--dir", str(demo.dir), "--port", "0", "--once"], capture_output=True)
    assert once.returncode == 0, once.stderr.decode()
    print("ok   a second start keeps keys and ledger, asks once and exits 0")
    shutil.rmtree(folder)
    print(f"{len(CHECKS) + len(OTHERS) + len(AFTER) + len(ALONE) + 3 - left_out} passed, 0 failed, {left_out} left out")


if __name__ == "__main__":
    main(sys.argv[1])
