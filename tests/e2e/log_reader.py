"""An outsider's reader of the access log, written from the manual page `log` and RFC 6962 alone: hashlib, and `cryptography` for Ed25519.

It fetches checkpoint, tiles and entries from the public listener, computes the tree again from the leaves, and holds against it whatever it is
given: an export, a checkpoint that was kept, the proof of an answer with its statement. One line says what holds; what does not ends it with 1.

    log_reader.py --public URL --ca FILE --log-key FILE [--prefix /log/1] [--export FILE] [--kept FILE]
                  [--proof FILE --statement FILE --jwks FILE]
"""

import argparse
import base64
import datetime
import hashlib
import json
import ssl
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256
CLASSES = {1: ("detail", 90), 2: ("minor", 30), 3: ("admin", 365)}
KINDS = {1: "answer", 2: "refusal", 3: "token", 4: "log-read", 5: "admin", 6: "registry-event"}


class DoesNotHold(Exception):
    """Something is not as the log says."""


def need(holds, what):
    if not holds:
        raise DoesNotHold(what)


def sha(data):
    return hashlib.sha256(data).digest()


def raw(text):
    return base64.b64decode(text, validate=True)


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def tree_leaf(entry):
    return sha(b"\x00" + entry)


def node(left, right):
    return sha(b"\x01" + left + right)


def root_of(hashes):
    """The tree head of RFC 6962, section 2.1."""
    edge = []
    for at, leaf in enumerate(hashes):
        while at & 1:
            leaf, at = node(edge.pop(), leaf), at >> 1
        edge.append(leaf)
    root = edge.pop() if edge else sha(b"")
    while edge:
        root = node(edge.pop(), root)
    return root


class Checkpoint:
    """A signed note (C2SP tlog-checkpoint) that one of the keys signed."""

    def __init__(self, note, keys):
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        self.origin, size, root = text.split("\n")[:3]
        self.size, self.root = int(size), raw(root)
        lines = [line.removeprefix("\u2014 ").rsplit(" ", 1) for line in signatures.splitlines()]
        need(any(self._signed(text, name, raw(blob), keys) for name, blob in lines), f"no given key signed the checkpoint of {size} entries")

    def _signed(self, text, name, blob, keys):
        for key_name, key in keys:
            identity = sha(f"{key_name}\n".encode() + b"\x01" + key)[:4]
            if name == key_name == self.origin and blob[:4] == identity:
                try:
                    Ed25519PublicKey.from_public_bytes(key).verify(blob[4:], text.encode())
                    return True
                except InvalidSignature as error:
                    raise DoesNotHold("a signature of the log's key is wrong") from error
        return False


def read_key(line):
    name, identity, key = line.strip().split("+", 2)
    key = raw(key)
    need(key[0] == 1 and len(key) == 33, "the verifier key is no Ed25519 key of a note")
    need(sha(f"{name}\n".encode() + key)[:4].hex() == identity, "the verifier key does not fit its own id")
    return name, key[1:]


class Log:
    """The public listener."""

    def __init__(self, url, ca, prefix):
        self.url, self.context = url.rstrip("/") + prefix, ssl.create_default_context(cafile=ca)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, context=self.context, timeout=30) as answer:
            return answer.read()

    def tile(self, kind, index, width):
        parts = [f"{index % 1000:03}"]
        while index >= 1000:
            index //= 1000
            parts.insert(0, f"x{index % 1000:03}")
        return self.get(f"/tile/{kind}/{'/'.join(parts)}" + ("" if width == WIDTH else f".p/{width}"))

    def entries(self, size):
        """Every entry, each bundle compared with the tile of hashes above it, and each full tile with its hash in the level above."""
        entries, level, hashes = [], 0, []
        for at in range(0, size, WIDTH):
            width = min(WIDTH, size - at)
            bundle, found = self.tile("entries", at // WIDTH, width), []
            while bundle:
                length = int.from_bytes(bundle[:2], "big")
                found.append(bundle[2 : 2 + length])
                bundle = bundle[2 + length :]
            need(len(found) == width and all(len(entry) == 32 for entry in found), f"the bundle of entry {at} has another form")
            entries += found
        hashes = [tree_leaf(entry) for entry in entries]
        while hashes:
            for at in range(0, len(hashes), WIDTH):
                part = hashes[at : at + WIDTH]
                need(self.tile(level, at // WIDTH, len(part)) == b"".join(part), f"tile {level}/{at // WIDTH} does not fit the entries")
            hashes = [root_of(hashes[at : at + WIDTH]) for at in range(0, len(hashes) - WIDTH + 1, WIDTH)]
            level += 1
        return entries


def leaf_of(proof):
    """H( H(salt\u2081 \u2016 header) \u2016 content commitment ), and what the header says."""
    salt, header, content = (raw(proof[part]) for part in ("salt", "header", "content_commitment"))
    need(len(salt) == 32 and len(header) == 43 and len(content) == 32 and header[0] == 1, "a header is not of the known form")
    said = {"time": int.from_bytes(header[1:9], "big", signed=True), "class": CLASSES[header[9]], "kind": KINDS[header[10]], "statement": header[11:]}
    return sha(sha(salt + header) + content), said


def microseconds(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return moment // datetime.timedelta(microseconds=1)


def check_export(path, entries, origin, keys):
    """Every row is the entry that it says, of that time, class and kind; the file's digest and its checkpoints hold."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    manifest, end = json.loads(lines[0])["manifest"], json.loads(lines[-1])["end"]
    digest = hashlib.sha256("".join(line + "\n" for line in lines[:-1]).encode()).hexdigest()
    need(digest == end["sha256"], "the lines of the export are not those of its digest")
    rows = [row for row in map(json.loads, lines[1:-1]) if "part" not in row]
    need(len(rows) == end["rows"] == manifest["count"] - end["gone"], "the export has another number of rows than it says")
    for named in [*manifest["earlier"], manifest]:
        if named["origin"] == origin and named["checkpoint"].startswith(origin + "\n"):
            seen = Checkpoint(named["checkpoint"], keys)
            need(seen.size == named["tree_size"] and root_of(map(tree_leaf, entries[: seen.size])) == seen.root, "the export is of another tree")
    last, checked = -1, 0
    for row in (row for row in rows if row["origin"] == origin):
        leaf, said = leaf_of(row["proof"])
        need(row["index"] > last and leaf == entries[row["index"]], f"row {row['index']} is not that entry of the log")
        days = datetime.timedelta(days=said["class"][1]) // datetime.timedelta(microseconds=1)
        need(said["time"] == microseconds(row["time"]) == microseconds(row["destroy_by"]) - days, f"row {row['index']} has another time")
        need((said["class"][0], said["kind"]) == (row["class"], row["kind"]), f"row {row['index']} is of another class or kind")
        last, checked = row["index"], checked + 1
    return checked


def check_statement(statement, jwks):
    """The statement's own signature (RFC 7515, EdDSA); the answer's id."""
    head, claims, signature = statement.split(".")
    header = json.loads(unpadded(head))
    need(header["alg"] == "EdDSA" and header["typ"] == "estelam-answer+jwt", "the statement is of another type")
    key = next((key for key in jwks["keys"] if key["kid"] == header["kid"]), None)
    need(key is not None, "nobody publishes the key of the statement")
    try:
        Ed25519PublicKey.from_public_bytes(unpadded(key["x"])).verify(unpadded(signature), f"{head}.{claims}".encode())
    except InvalidSignature as error:
        raise DoesNotHold("the signature of the statement is wrong") from error
    return json.loads(unpadded(claims))


def check_proof(bundle, statement, keys, entries):
    """The entry commits to the statement, and the audit path leads from it to a signed root (RFC 6962, section 2.1.1)."""
    leaf, said = leaf_of(bundle)
    need(said["statement"] == sha(statement.encode()), "the entry is about another statement")
    seen, at, last = Checkpoint(bundle["checkpoint"], keys), bundle["index"], 0
    value, last = tree_leaf(leaf), seen.size - 1
    need(at <= last, "the entry is beyond the checkpoint")
    for sibling in map(raw, bundle["inclusion_path"]):
        need(last > 0, "the audit path is too long")
        if at & 1 or at == last:
            value = node(sibling, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = node(value, sibling)
        at, last = at >> 1, last >> 1
    need(last == 0 and value == seen.root, "the audit path does not lead to the checkpoint")
    need(bundle["index"] >= len(entries) or entries[bundle["index"]] == leaf, "the entry is not the one that the log shows")


def main():
    arguments = argparse.ArgumentParser()
    for name in ("public", "ca", "log-key"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--prefix", default="")
    for name in ("export", "kept", "proof", "statement", "jwks"):
        arguments.add_argument(f"--{name}")
    given = arguments.parse_args()

    def text(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    keys = [read_key(line) for line in text(given.log_key).splitlines() if line.strip()]
    log = Log(given.public, given.ca, given.prefix)
    shown = Checkpoint(log.get("/checkpoint").decode(), keys)
    entries = log.entries(shown.size)
    need(root_of(map(tree_leaf, entries)) == shown.root, "the entries are not those of the checkpoint")
    told = [f"{shown.size} entries of `{shown.origin}` are those of its checkpoint"]
    if given.kept:
        kept = Checkpoint(text(given.kept), keys)
        need(kept.origin == shown.origin and kept.size <= shown.size, "the log is shorter than the checkpoint that was kept, or another one")
        need(root_of(map(tree_leaf, entries[: kept.size])) == kept.root, "the log does not continue the checkpoint that was kept: a fork")
        told.append(f"it continues the {kept.size} that were kept")
    if given.export:
        told.append(f"{check_export(given.export, entries, shown.origin, keys)} rows of the export are entries of it")
    if given.proof:
        statement, bundle = text(given.statement).strip(), json.loads(text(given.proof))
        claims = check_statement(statement, json.loads(text(given.jwks)))
        check_proof(bundle, statement, keys, entries)
        told.append(f"entry {bundle['index']} is about the answer {claims['jti']}")
    print("; ".join(told))


if __name__ == "__main__":
    try:
        main()
    except DoesNotHold as what:
        raise SystemExit(f"does not hold: {what}") from None
