"""The holder's own view at an office's counter, by the command line and the code that reaches the registered SIM alone."""
import json
import re
import subprocess
import time

NUMBER = "A170000001"
PATIENCE = 30


def messages(demo):
    folder = demo.dir / "registry" / "messages"
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")} if folder.exists() else {}


def asks(demo, *more):
    command = [demo.binary, "log", "holder", "--dir", str(demo.dir), "--scheme", "amayesh-no", "--lang", "en", *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def code_sent(demo, before, clerk):
    deadline = time.monotonic() + PATIENCE
    while not (new := messages(demo).keys() - before):
        assert time.monotonic() < deadline and clerk.poll() is None, clerk.communicate()
        time.sleep(0.05)
    return re.search(r"\b\d{8}\b", messages(demo)[new.pop()]["text"]).group()


def a_holder_reads_who_asked_and_contests_a_line_by_the_code_from_the_sim(demo):
    before = messages(demo).keys()
    clerk = asks(demo, "--contest", "1:not-me")
    clerk.stdin.write(NUMBER + "\n")
    clerk.stdin.flush()
    code = code_sent(demo, before, clerk)
    said, told = clerk.communicate(code + "\n", timeout=PATIENCE)
    assert clerk.returncode == 0 and "a bank asked about you" in said, (said, told)
    assert re.search(r"objection is on record under \S+", told), told
    assert NUMBER not in said + told and code not in said + told
    listed = subprocess.run([demo.binary, "log", "case", "list", "--dir", str(demo.dir)], capture_output=True, text=True, check=True)
    assert re.search(r"under (\S+)\.", told).group(1) in listed.stdout, listed.stdout


def a_code_of_somebody_else_or_none_opens_nothing(demo):
    clerk = asks(demo)
    said, told = clerk.communicate(NUMBER + "\n00000000\n", timeout=PATIENCE)
    assert clerk.returncode == 1 and said == "" and "code-not-accepted" in told, (said, told)
    # Somebody without a SIM, and nobody: the same words.
    for number in ("A160000002", "A170999999"):
        before = messages(demo).keys()
        clerk = asks(demo)
        said, other = clerk.communicate(number + "\n00000000\n", timeout=PATIENCE)
        assert (clerk.returncode, said, other) == (1, "", told)
        assert messages(demo).keys() == before


CHECKS = [a_holder_reads_who_asked_and_contests_a_line_by_the_code_from_the_sim, a_code_of_somebody_else_or_none_opens_nothing]
