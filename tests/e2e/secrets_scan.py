"""After a whole run: no key, token or PIN in what was printed or stored, nothing that others can read, no core dumps."""
import base64
import json
import os
import re
import stat
import subprocess

from gateway import Demo, curl

FORM, JSON = "Content-Type: application/x-www-form-urlencoded", "Content-Type: application/json"
JWT = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{20,}")
SECRET_KINDS = {"at+jwt", "client-authentication+jwt"}


def tokens_in(content):
    for found in JWT.finditer(content):
        head = found.group().split(b".")[0]
        try:
            kind = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))).get("typ", "")
        except ValueError:
            continue
        if kind in SECRET_KINDS:
            yield kind


def secrets_of(folder):
    """Every private half in the folder: a piece of its text, and the files where it may be."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if b"PRIVATE KEY-----" in content:
            lines = content.split(b"-----")[2].split()
            # In PKCS #8 of P-256 and Ed25519 these 12 bytes are of the secret; a sealed file's last whole line is of its ciphertext.
            yield lines[-2] if b"ENCRYPTED" in content else lines[0][48:64], path
        elif path.name in ("keys.unlock", "trail.key") or path.suffix == ".pin":
            yield content.strip(), path
        elif path.name == "subject.key":
            yield content, path


def nothing_printed_and_no_other_file_holds_a_key_a_token_or_a_pin(demo):
    places = {path: path.read_bytes() for path in demo.dir.rglob("*") if path.is_file()} | {"output": demo.printed()}
    known = list(secrets_of(demo.dir))
    assert len(known) > 15, "the scan must know the secrets"
    for secret, own in known:
        assert len(secret) >= 16
        holding = [str(place) for place, content in places.items() if secret in content and place != own]
        assert not holding, f"a piece of {own} is in {holding}"
    for place, content in places.items():
        assert not list(tokens_in(content)), f"a token is in {place}"


def nobody_else_can_read_what_the_service_made(demo):
    loose = [f"{stat.S_IMODE(path.lstat().st_mode):04o} {path}" for path in [demo.dir, *demo.dir.rglob("*")] if path.lstat().st_mode & 0o077]
    assert not loose, loose


def the_process_leaves_no_core_dump(demo):
    with open(f"/proc/{demo.process.pid}/limits") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core


def nothing_that_is_printed_at_the_finest_level_names_anybody_or_shows_a_secret(binary, folder):
    """A demo of its own at `trace`, of the gateway and of every library, with a call of each kind; the same scan over all of it."""
    demo = Demo(binary, f"{folder}/demo", env=os.environ | {"ESTELAM_LOG": "trace"})
    number = "A170000001"
    try:
        bearers = {agency: curl(demo, "POST", demo.places["gateway"] + "/oauth2/token", agency, [FORM],
                                f"grant_type=client_credentials&client_id={agency}").json()["access_token"] for agency in ("bank", "clinic")}
        given = [bearers["bank"], bearers["clinic"]]
        answers = [curl(demo, "POST", demo.places["gateway"] + "/v1/verify", "bank", [JSON, f"Authorization: Bearer {bearers['bank']}"], body)
                   for body in (query(number), query("9990000018"), query(number)[:-9])]
        assert [answer.status for answer in answers] == [200, 200, 400], [answer.body for answer in answers]
        proof = curl(demo, "GET", f"{demo.places['gateway']}/v1/log/proof/{answers[0].json()['answer_id']}", "bank",
                     [f"Authorization: Bearer {bearers['bank']}"])
        assert proof.status == 200, proof.body
        wrong = curl(demo, "POST", demo.places["gateway"] + "/v1/verify", "clinic", [JSON, f"Authorization: Bearer {bearers['bank']}"], query(number))
        assert wrong.status == 401, wrong.body
        told = subprocess.run([binary, "policy", "explain", "--answer", answers[0].json()["answer_id"], "--dir", str(demo.dir)],
                              env=os.environ | {"ESTELAM_LOG": "trace"}, capture_output=True)
        demo.output.write(told.stderr)
        demo.output.flush()
    finally:
        code = demo.stop()
    assert code == 0, f"the demo ended with {code}"
    printed = demo.printed()
    assert b'"level":"TRACE"' in printed and b'"level":"DEBUG"' in printed, "the finest level was not printed"
    for secret in (number, "9990000018", *given, *(bearer.split(".")[2] for bearer in given)):
        for form in forms(secret.encode()):
            assert form not in printed, f"a token or a number is printed at trace: {printed[max(0, printed.find(form) - 300):printed.find(form)]!r}"
    nothing_printed_and_no_other_file_holds_a_key_a_token_or_a_pin(demo)


def forms(secret):
    """How bytes look in a log: as they are, and as a list of numbers."""
    return secret, ", ".join(map(str, secret)).encode(), secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")


def query(number):
    return json.dumps({"identifier": {"scheme": "amayesh-no" if number[0] == "A" else "yekta", "value": number},
                       "service": "bank-card", "purpose": "account-maintenance", "actor": "clerk-1",
                       "check": {"birth_year": 1370, "calendar": "jalali"}})


ALONE = [nothing_that_is_printed_at_the_finest_level_names_anybody_or_shows_a_secret]
LIVE = [the_process_leaves_no_core_dump]
CHECKS = [nothing_printed_and_no_other_file_holds_a_key_a_token_or_a_pin, nobody_else_can_read_what_the_service_made]
