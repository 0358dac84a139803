"""Independent TLS stacks at the gateway: each gets in with a good certificate and sees the right alert (RFC 8446 §6.2) with every bad one."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from cryptography.x509.oid import ExtendedKeyUsageOID

from tls_pki import AGENCY, NAME, Authority

ROOT = pathlib.Path(__file__).parents[2]
SOURCES, BUILT = ROOT / "tests" / "e2e" / "clients", ROOT / "var" / "clients"
PYTHON, NODE = ROOT / "var" / "venv" / "bin" / "python", ROOT / "var" / "venv" / "bin" / "node"
JARS = ":".join(f"/usr/share/java/{jar}.jar" for jar in ("bctls", "bcprov", "bcutil", "bcpkix"))
FORM = f"grant_type=client_credentials&client_id={AGENCY}"
REQUEST = (f"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
           f"Content-Length: {len(FORM)}\r\n\r\n{FORM}")

# What the stacks call an alert, and its name in RFC 8446, section 6 (the number where a stack tells that).
ALERTS = {
    "certificate_revoked": r"\b44\b|revoked",
    "certificate_expired": r"\b45\b|expired",
    "unknown_ca": r"\b48\b|unknown ca|unknown certificate authority",
    "unsupported_certificate": r"\b43\b|unsupported cert",
    "access_denied": r"\b49\b|access denied",
    "certificate_required": r"\b116\b|certificate required|certificate is required",
}
EXPECTED = {
    "good": None,
    "missing": "certificate_required",
    "revoked": "certificate_revoked",
    "cut-off": "certificate_revoked",
    "expired": "certificate_expired",
    "self-signed": "unknown_ca",
    "wrong-eku": "unsupported_certificate",
    "ca-as-leaf": "unsupported_certificate",
    "wrong-trust-domain": "access_denied",
    "two-san": "access_denied",
}
# Not to be tried with that stack: it finds itself that such a certificate is not a client's, and shows none. Nothing of the gateway's check is seen.
SHOWS_NONE = {("NSS", "wrong-eku"), ("NSS", "ca-as-leaf")}


class Place:
    """Where the gateway is, and where the clients keep their things."""

    def __init__(self, demo, folder):
        self.url, self.ca, self.folder = demo.places["gateway"], demo.ca, pathlib.Path(folder)
        self.port = self.url.rsplit(":", 1)[1]


def run(command, text, keep_open=False, **options):
    """Output of both kinds. `keep_open`: the client would leave at the end of its input, before the answer."""
    child = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    try:
        if keep_open:
            child.stdin.write(text.encode())
            child.stdin.flush()
            output = child.stdout.read()
            child.stdin.close()
        else:
            output, _ = child.communicate(text.encode(), timeout=60)
    except BrokenPipeError:
        output = child.stdout.read()
    child.wait(timeout=60)
    return output.decode(errors="replace")


def files(made):
    return [made.cert, made.key] if made else []


def driver(*command):
    return lambda place, made, text: run([*command, "localhost", place.port, place.ca, *files(made)], text)


def openssl_curl(place, made, text):
    own = ["--cert", made.cert, "--key", made.key] if made else []
    return run(["curl", "--silent", "--show-error", "--include", "--max-time", "20", "--noproxy", "*", "--cacert", place.ca, *own,
                "--data-binary", "@-", f"{place.url}/oauth2/token"], FORM)


def gnutls(place, made, text):
    own = ["--x509certfile", made.cert, "--x509keyfile", made.key] if made else []
    return run(["gnutls-cli", "--x509cafile", place.ca, *own, "--port", place.port, "localhost"], text, keep_open=True)


def nss(place, made, text):
    request = place.folder / "request"
    request.write_text(REQUEST)
    return run(["tstclnt", "-h", "127.0.0.1", "-a", "localhost", "-p", place.port, "-d", f"sql:{place.folder / 'nss'}", "-n", made.label if made else "none",
                "-V", "tls1.3:tls1.3", "-A", request], "")


def boring(place, made, text):
    return run([PYTHON, "-I", SOURCES / "boring_client.py", f"{place.url}/oauth2/token", place.ca, *files(made)], FORM)


def java(provider):
    own = lambda made: [made.p12] if made else []  # noqa: E731
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    return lambda place, made, text: run(
        ["java", *quick, "-cp", f"{BUILT}:{JARS}", "Client", provider, "localhost", place.port, place.ca, *own(made)], text)


STACKS = {
    "OpenSSL (curl)": openssl_curl,
    "OpenSSL (Node)": driver(NODE, SOURCES / "client.mjs"),
    "GnuTLS": gnutls,
    "NSS": nss,
    "wolfSSL": driver(BUILT / "wolfssl"),
    "BoringSSL": boring,
    "Go": driver(BUILT / "go-client"),
    "Java JSSE": java("SunJSSE"),
    "Bouncy Castle": java("BCJSSE"),
    "Erlang": driver("escript", SOURCES / "client.escript"),
    "tlslite-ng": driver(PYTHON, "-I", SOURCES / "tlslite_client.py"),
}


def build():
    """Compiles what must be compiled; a stack that is not on the machine is a failure."""
    for tool in ("curl", "gnutls-cli", "tstclnt", "certutil", "pk12util", "cc", "go", "javac", "java", "escript"):
        assert shutil.which(tool), f"`{tool}` is missing: run `scripts/tools clients`"
    BUILT.mkdir(parents=True, exist_ok=True)
    for made, source, command in [
        ("go-client", "client.go", ["go", "build", "-o", BUILT / "go-client", SOURCES / "client.go"]),
        ("Client.class", "Client.java", ["javac", "-nowarn", "-d", BUILT, SOURCES / "Client.java"]),
        ("wolfssl", "client.c", ["cc", "-O1", "-o", BUILT / "wolfssl", SOURCES / "client.c", "-lwolfssl"]),
    ]:
        target = BUILT / made
        if not target.exists() or target.stat().st_mtime < (SOURCES / source).stat().st_mtime:
            subprocess.run(command, check=True, env=os.environ | {"GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(BUILT / "go-cache")})


def nss_database(place, certificates):
    database = place.folder / "nss"
    database.mkdir()
    done = lambda *command: subprocess.run([str(part) for part in command], check=True, capture_output=True)  # noqa: E731
    done("certutil", "-N", "-d", f"sql:{database}", "--empty-password")
    done("certutil", "-A", "-d", f"sql:{database}", "-n", "root", "-t", "C,,", "-a", "-i", place.ca)
    for made in certificates:
        done("pk12util", "-d", f"sql:{database}", "-i", made.p12, "-W", "changeit", "-K", "")


def certificates(authority):
    made = {
        "good": authority.issue("good"),
        "missing": None,
        "revoked": authority.issue("revoked"),
        "cut-off": authority.issue("cut-off"),
        "expired": authority.issue("expired", days=(-30, -1)),
        "self-signed": authority.issue("self-signed", own=True),
        "wrong-eku": authority.issue("wrong-eku", usage=ExtendedKeyUsageOID.SERVER_AUTH),
        "ca-as-leaf": authority.issue("ca-as-leaf", ca=True),
        "wrong-trust-domain": authority.issue("wrong-trust-domain", names=[f"spiffe://example.test/agency/{AGENCY}"]),
        "two-san": authority.issue("two-san", names=[NAME, "spiffe://estelam.test/agency/school"]),
    }
    authority.revoke(made["revoked"])
    return made


def outcome(output):
    """`None` for an answer with a token, else the alert, else the output itself."""
    if re.search(r"HTTP/1\.[01] 200", output) and '"access_token"' in output:
        return None
    plain = re.sub(r"[-_]+", " ", output.lower())
    found = [name for name, pattern in ALERTS.items() if re.search(pattern, alert_lines(plain))]
    return found[0] if len(found) == 1 else f"? {output[-600:]}"


def alert_lines(plain):
    """Only what speaks of an alert: numbers stand for other things elsewhere."""
    lines = [line for line in plain.splitlines() if "alert" in line or "remote error: tls" in line]
    return "\n".join(re.sub(r"^.*?(alert|remote error|ssl error)", r"\1", line) for line in lines)


def independent_stacks_get_in_with_a_good_certificate_and_see_the_right_alert_with_every_bad_one(demo):
    build()
    with tempfile.TemporaryDirectory(prefix="estelam-clients-") as folder, ThreadPoolExecutor(4) as pool:
        place, made = Place(demo, folder), certificates(Authority(demo, f"{folder}/certificates"))
        assert list(made) == list(EXPECTED)
        cut_off(demo, made["cut-off"])
        nss_database(place, [one for one in made.values() if one])
        until_revoked(place, made["revoked"])
        # With a bad certificate nothing more is sent, except by curl and BoringSSL, which ask in any case.
        ask = lambda stack, case: STACKS[stack](place, made[case], REQUEST if case == "good" else "")  # noqa: E731
        asked = {(stack, case): pool.submit(ask, stack, case) for stack in STACKS for case in EXPECTED}
        found = {key: outcome(asked[key].result()) for key in asked}
    table(found)
    wrong = {key: value for key, value in found.items() if value != expected(*key)}
    assert not wrong, "\n".join(f"{key}: {value}" for key, value in wrong.items())


def expected(stack, case):
    return EXPECTED["missing" if (stack, case) in SHOWS_NONE else case]


def cut_off(demo, made):
    """By the operator's own list: in force when the command returns."""
    done = subprocess.run([demo.binary, "agency", "suspend", AGENCY, "--certificate", str(made.cert), "--dir", str(demo.dir)], capture_output=True, text=True)
    assert done.returncode == 0 and "cut off for ever" in done.stdout, done


def until_revoked(place, made):
    """The running gateway takes the new list up by itself."""
    deadline = time.monotonic() + 60
    while outcome(openssl_curl(place, made, "")) is None:
        assert time.monotonic() < deadline, "the revocation never took effect"


def table(found):
    print(f"     {'':16}" + " ".join(f"{case:>18}" for case in EXPECTED))
    for stack in STACKS:
        cells = ["(shows none)" if (stack, case) in SHOWS_NONE else cell(found[stack, case]) for case in EXPECTED]
        print(f"     {stack:16}" + " ".join(f"{one:>18}" for one in cells))
    tried = len(found) - len(SHOWS_NONE)
    print(f"     {tried} of {len(found)} cells; the others cannot be tried: that stack shows no certificate that is not a client's")


def cell(outcome):
    return (outcome or "answered").replace("certificate", "cert").replace("unsupported", "unsupp")[:18]


CHECKS = [independent_stacks_get_in_with_a_good_certificate_and_see_the_right_alert_with_every_bad_one]
