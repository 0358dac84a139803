"""After a whole run: no key, token or PIN in what was printed or stored, nothing that others can read, no core dumps."""
import base64
import json
import re
import stat

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


LIVE = [the_process_leaves_no_core_dump]
CHECKS = [nothing_printed_and_no_other_file_holds_a_key_a_token_or_a_pin, nobody_else_can_read_what_the_service_made]
