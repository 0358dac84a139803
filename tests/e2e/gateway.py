"""A running demo and the clients that ask it: curl for queries, requests for the rest."""
import json
import pathlib
import re
import subprocess
import time
import urllib.request


class LeftOut(Exception):
    """Something that a check needs cannot be had on this machine: the check neither passed nor failed, and the last line says so."""


class Demo:
    """`estelam demo` in a folder of its own, on free ports, with everything it prints kept."""

    def __init__(self, binary, folder, env=None):
        self.binary, self.dir = binary, pathlib.Path(folder)
        self.output = open(self.dir.parent / "demo.log", "ab")
        self.process = subprocess.Popen(
            [binary, "demo", "--dir", str(self.dir), "--port", "0"], stdout=self.output, stderr=self.output, umask=0o022, env=env
        )
        deadline = time.monotonic() + 120
        while not (self.dir / "demo.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the demo did not start:\n" + (self.dir.parent / "demo.log").read_text()[-4000:])
            time.sleep(0.05)
        self.places = json.loads((self.dir / "demo.json").read_text())
        self.ca = str(self.dir / self.places["ca"])

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.output.close()
        return code

    def printed(self):
        return (self.dir.parent / "demo.log").read_bytes()

    def files(self, agency):
        files = self.places["agencies"][agency]
        return str(self.dir / files["cert"]), str(self.dir / files["key"])


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Installation(Demo):
    """The folder of a demo that was stopped, run as an installation is: `registry serve` and `serve`, with the configuration as it stands there."""

    def __init__(self, before):
        self.binary, self.dir, self.places = before.binary, before.dir, before.places
        self.output = open(self.dir.parent / "demo.log", "ab")
        self.ca = str(self.dir / self.places["ca"])
        self.registry = self.spawn("registry", "serve", "--port", self.places["registry"].rsplit(":", 1)[1])
        self.process = self.spawn("serve")
        deadline = time.monotonic() + 120
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.registry.kill()
                raise SystemExit("the installation did not start:\n" + (self.dir.parent / "demo.log").read_text()[-4000:])
            time.sleep(0.05)

    def spawn(self, *words):
        return subprocess.Popen([self.binary, *words, "--dir", str(self.dir)], stdout=self.output, stderr=self.output, umask=0o022)

    def ready(self):
        try:
            return urllib.request.urlopen(self.places["ops"] + "/health/ready", timeout=10).status == 200
        except OSError:
            return False

    def stop(self):
        code = super().stop()
        self.registry.terminate()
        self.registry.wait(timeout=30)
        return code


def curl(demo, method, url, agency=None, headers=(), data=None, expect_failure=False):
    """One request with curl. Bodies and tokens go through standard input and a config, never through the argument list."""
    config = [f'url = "{url}"', f'request = "{method}"', f'cacert = "{demo.ca}"', "silent", "show-error", "include", "max-time = 20"]
    if agency:
        cert, key = demo.files(agency)
        config += [f'cert = "{cert}"', f'key = "{key}"']
    config += ['header = "{}"'.format(h.replace("\\", "\\\\").replace('"', '\\"')) for h in headers]
    if data is not None:
        escaped = data.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        config.append(f'data-binary = "{escaped}"')
    done = subprocess.run(["curl", "--config", "-"], input="\n".join(config).encode(), capture_output=True)
    if expect_failure:
        return done.returncode
    if done.returncode != 0:
        raise AssertionError(f"curl failed ({done.returncode}): {done.stderr.decode()}")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    status = int(re.match(r"HTTP/\S+ (\d+)", lines[0]).group(1))
    pairs = [line.split(":", 1) for line in lines[1:]]
    return Response(status, {name.lower(): value.strip() for name, value in pairs}, body)
