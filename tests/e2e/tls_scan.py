"""The TLS of the listeners as two scanners judge it, and the post-quantum key exchange with a client that offers nothing else."""
import datetime
import json
import pathlib
import re
import subprocess
import tempfile

import requests
from cryptography import x509

from tls_clients import NODE, PYTHON, REQUEST, SOURCES

# Findings of `testssl` that do not depend on the listener.
NOT_OURS = {
    "engine_problem": "about testssl's own OpenSSL",
    "cert_revocation": "certificates of the development authority name no address of a revocation list",
    "DNS_CAArecord": "about the name's DNS",
    "HSTS": "`/`, which testssl asks for, is not a page; every page has the header, which this test checks itself",
}


def port(demo, listener):
    return demo.places[listener].rsplit(":", 1)[1]


def both_scanners_find_nothing_on_the_public_listener(demo):
    place = f"localhost:{port(demo, 'public')}"
    with tempfile.TemporaryDirectory(prefix="estelam-scan-") as folder:
        report = pathlib.Path(folder) / "testssl.json"
        # Protocols, cipher categories, forward secrecy, server defaults, vulnerabilities.
        testssl = subprocess.Popen(["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--add-ca", demo.ca, "-p", "-s", "-f", "-S", "-U",
                                    "--severity", "LOW", "--jsonfile", str(report), place],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        sslyze = subprocess.run([PYTHON, "-I", "-W", "ignore", "-m", "sslyze", "--mozilla_config=modern", "--certinfo_ca_file", demo.ca, place],
                                capture_output=True, text=True, timeout=120)
        said, _ = testssl.communicate(timeout=240)
        assert sslyze.returncode == 0 and f"{place}: OK - Compliant." in sslyze.stdout, sslyze.stdout[-3000:]
        assert b"TLS 1.3    offered" in said and b"TLS 1.2    not offered" in said, said.decode()
        found = [one for one in json.loads(report.read_text()) if one["id"] not in NOT_OURS]
    assert found == [], found


def the_hybrid_key_exchange_is_offered_and_tls_1_2_is_not(demo):
    for listener, agency in (("gateway", "bank"), ("public", None)):
        own = demo.files(agency) if agency else ()
        client = [NODE, SOURCES / "client.mjs", "localhost", port(demo, listener), demo.ca, *own]
        request = REQUEST if agency else "GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        hybrid = subprocess.run(client, input=request, capture_output=True, text=True, timeout=60, env={"ONLY_GROUP": "X25519MLKEM768"})
        assert hybrid.stdout.startswith("HTTP/1.1 200"), hybrid
        if not agency:
            assert "strict-transport-security: max-age=63072000" in hybrid.stdout, hybrid
        weak = subprocess.run(client, input=request, capture_output=True, text=True, timeout=60, env={"ONLY_VERSION": "TLSv1.2"})
        assert weak.stdout == "" and "PROTOCOL_VERSION" in weak.stderr, weak


def ends(file):
    """The earliest end of the certificates in a file."""
    return min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(pathlib.Path(file).read_bytes()))


def the_radar_tells_when_every_certificate_ends(demo):
    text = requests.get(demo.places["ops"] + "/metrics", timeout=10).text
    told = {(kind, name): float(value) for kind, name, value in
            re.findall(r'^estelam_certificate_not_after_seconds\{kind="(\w+)",name="([\w-]+)"\} (\S+)$', text, re.MULTILINE)}
    files = {("own", "gateway"): demo.dir / "pki" / "gateway" / "cert.pem", ("own", "registry-client"): demo.dir / "pki" / "gateway-client" / "cert.pem",
             ("own", "client-ca"): demo.ca, ("own", "client-intermediates"): demo.dir / "pki" / "intermediate.pem"}
    files |= {("agency", name): demo.files(name)[0] for name in demo.places["agencies"]}
    for key, file in files.items():
        assert told[key] == ends(file).timestamp(), key
    for within in ("7d", "30d"):
        assert f'estelam_certificates_expiring{{within="{within}"}} 0' in text
    listed = subprocess.run([demo.binary, "agency", "list", "--json", "--dir", str(demo.dir)], capture_output=True, text=True, check=True).stdout
    agencies = {one["agency"]: one["certificates"] for one in map(json.loads, listed.splitlines())}
    for name in demo.places["agencies"]:
        own = agencies[name][0]
        assert (own["days_left"], own["soon"]) == (89, False) and datetime.datetime.fromisoformat(own["not_after"].replace("Z", "+00:00")) == ends(demo.files(name)[0]), own


CHECKS = [the_radar_tells_when_every_certificate_ends, the_hybrid_key_exchange_is_offered_and_tls_1_2_is_not, both_scanners_find_nothing_on_the_public_listener]
