"""Secrets are planted, everything is done once, and whatever it left is read for them [M30].

Logs, arguments of processes, all documents, all messages, and every file in the temporary folder.
The account's number is no secret, but only documents have it in full.
"""

import base64
import json
import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.system

PLANTED = {
    "TWS_USERID": "planted-user-6c1f",
    "TWS_PASSWORD": "planted-password-6c1f",
    "IB_PASSWORD": "planted-ib-password-6c1f",
    # Loopback, where nobody listens: what fails is what gets logged.
    "ALERT_WEBHOOK_URL": "http://127.0.0.1:9/services/planted-webhook-6c1f",
    "LIVE_TRADING_ACCEPTED": "U6174061",
}
SECRETS = ["planted-user-6c1f", "planted-password-6c1f", "planted-ib-password-6c1f"]
SECRETS += ["planted-webhook-6c1f", "U6174061"]
ACCOUNT = "DUSIM0001"
"""The simulator's."""
LOG_SECONDS_MAX = 60
CANARY = "canary-ann"
"""No secret, and said by a person: whoever searches must find it, or searches in vain."""


@dataclass
class Searcher:
    """Somebody who reads everything. `found` is all that was read so far, by what it is."""

    program: Any
    scratch: Path
    found: dict[str, str] = field(default_factory=dict)

    def address(self, pattern: str) -> str:
        """An address out of the printed instructions."""
        return str(re.findall(pattern, self.program.text)[0])

    @property
    def pubsub(self) -> str:
        """Pub/Sub's REST API, with its project."""
        return f"{self.address(r'_PUBSUB=(http://[^ /]+)/')}/v1/projects/{self.project}"

    @property
    def project(self) -> str:
        return self.address(r"CLOUDSDK_CORE_PROJECT=(\S+)")

    def publish(self, topic: str, message: object) -> None:
        """Publish as a person does."""
        data = base64.b64encode(json.dumps(message).encode()).decode()
        called("POST", f"{self.pubsub}/topics/{topic}:publish", {"messages": [{"data": data}]})

    def read_processes(self) -> None:
        """The arguments of all processes."""
        for pid in [self.program.process.pid, *self.program.children()]:
            path = Path(f"/proc/{pid}/cmdline")
            self.keep("arguments", path.read_text(errors="replace") if path.exists() else "")

    def read_files(self) -> None:
        """Every file that the stack has made: the embedded bus and store are among them."""
        for path in sorted(self.scratch.rglob("*")):
            if path.is_file():
                what = "logs" if path.suffix == ".log" else "files"
                self.keep(what, path.read_bytes().decode(errors="replace"))

    def listen(self) -> None:
        """Hear from now on what is published on every topic; emulators only."""
        for topic in called("GET", f"{self.pubsub}/topics")["topics"]:
            name = topic["name"].rpartition("/")[2]
            called("PUT", f"{self.pubsub}/subscriptions/spy-{name}", {"topic": topic["name"]})

    def read_messages(self) -> None:
        """All messages since `listen`, with their attributes."""
        for topic in called("GET", f"{self.pubsub}/topics")["topics"]:
            name = topic["name"].rpartition("/")[2]
            url = f"{self.pubsub}/subscriptions/spy-{name}:pull"
            pulled = called("POST", url, {"maxMessages": 1000, "returnImmediately": True})
            for one in pulled.get("receivedMessages", []):
                text = base64.b64decode(one["message"].get("data", "")).decode(errors="replace")
                self.keep("messages", f"{text} {one['message'].get('attributes')}")

    def read_documents(self) -> None:
        """Every document, whatever its collection; emulators only."""
        host = self.address(r"curl '(http://[^ /]+)/v1/projects/\S+/databases/")
        root = f"{host}/v1/projects/{self.project}/databases/{quote('(default)')}/documents"
        query = {"structuredQuery": {"from": [{"allDescendants": True}]}}
        for one in called("POST", f"{root}:runQuery", query):
            self.keep("documents", json.dumps(one))

    def wait_for_log(self, child: str, text: str) -> None:
        """Wait until a child has logged something."""
        end = time.monotonic() + LOG_SECONDS_MAX
        while text not in (self.scratch / "logs" / f"{child}.log").read_text():
            assert time.monotonic() < end, f"{child} did not log {text!r}"
            time.sleep(0.1)

    def keep(self, what: str, text: str) -> None:
        self.found[what] = f"{self.found.get(what, '')}\n{text}"


def called(method: str, url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture
def searcher(environment: dict[str, str], start: Any, scratch: Path) -> Callable[[str], Searcher]:
    """Start a stack with planted secrets; its children's whole logs lie among the files."""

    def started(stack: str) -> Searcher:
        logs = scratch / "logs"
        logs.mkdir()
        environment.update({**PLANTED, "CHILD_LOGS": str(logs)})
        program = start(["up", "--stack", stack])
        program.wait_for(r"Ctrl-C ends it|up: (.* is not installed|Java is not)")
        if program.lines[-1].startswith("up: "):
            pytest.skip(program.lines[-1])
        return Searcher(program, scratch)

    return started


def play(one: Searcher, note: Callable[[], None]) -> None:
    """Everything once: orders, a run, a mistake, a refusal, a halt."""
    one.publish("commands-paper", {"command": "resume", "by": CANARY, "reason": CANARY})
    one.program.wait_for(f"trading is active, by {CANARY}")
    one.publish(
        "targets-paper", {"strategy": "manual", "targets": [{"symbol": "SPY", "quantity": 10}]}
    )
    one.program.wait_for(r"BUY 10 SPY is DONE, filled: \+10")
    note()
    one.publish("commands-paper", {"command": "run", "run_id": "everything"})
    one.program.wait_for(r"run everything done")
    note()
    one.publish("commands-paper", {"command": "adopt", "run_id": "wrong", "symbol": "SPY"})
    one.publish("targets-paper", {"strategy": "nobody", "targets": []})
    one.program.wait_for(r"nobody")
    one.publish("commands-paper", {"command": "halt", "by": CANARY, "run_id": "end"})
    one.program.wait_for(f"trading is halted, by {CANARY}")
    note()


def check(one: Searcher, places: set[str]) -> None:
    """What was searched is what was left, and no secret is in it."""
    one.keep("output", one.program.text)
    environ = Path(f"/proc/{one.program.process.pid}/environ").read_text()
    assert all(secret in environ for secret in SECRETS), "the secrets were not planted"
    assert {what for what, text in one.found.items() if CANARY in text} == places
    assert leaks(one, SECRETS, {*one.found}) == []
    assert any(ACCOUNT in text for text in one.found.values())
    assert leaks(one, [ACCOUNT], {"output", "messages", "logs"}) == []


def leaks(one: Searcher, words: list[str], places: set[str]) -> list[str]:
    """Where a word stands that should not."""
    return [
        f"{word} is in the {what}: ...{text[max(0, place - 80) : place + 40]}..."
        for what, text in one.found.items()
        for word in words
        if what in places and (place := text.find(word)) >= 0
    ]


def test_no_secret_is_in_anything_that_the_embedded_stack_leaves(searcher: Any) -> None:
    """Its bus and its store are files: what was ever in a message or a document is read there."""
    one = searcher("embedded")

    def note() -> None:
        one.read_processes()
        one.read_files()

    play(one, note)
    check(one, {"output", "files"})


@pytest.mark.emulators
def test_no_secret_is_in_anything_that_the_stack_on_the_emulators_leaves(searcher: Any) -> None:
    """Gateway, guard and functions are processes here, and the webhook is tried in vain."""
    one = searcher("emulators")
    one.listen()

    def note() -> None:
        one.read_processes()
        one.read_messages()

    play(one, note)
    one.wait_for_log("the-functions", "the webhook did not take it")
    one.read_documents()
    one.read_files()
    check(one, {"output", "messages", "documents", "logs"})
    assert "live_trading_accepted=U…61" in one.found["logs"]
