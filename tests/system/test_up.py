"""`make up`: the printed instructions, followed to the letter."""

import base64
import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

STACKS = ["embedded", pytest.param("emulators", marks=pytest.mark.emulators)]
GCLOUD = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")


@dataclass(frozen=True)
class Person:
    """Somebody in another terminal, who has read what `up` printed."""

    program: Any
    environment: Mapping[str, str]

    @property
    def said(self) -> list[list[str]]:
        """The commands printed, as a shell would split them."""
        lines = self.program.text.replace("\\\n", " ").splitlines()
        return [
            shlex.split(line) for line in lines if re.match("  (export|gcloud|curl '|curl h)", line)
        ]

    @property
    def exports(self) -> dict[str, str]:
        """What is to be exported."""
        words = [word for command in self.said if command[0] == "export" for word in command[1:]]
        return dict(word.split("=", 1) for word in words)

    def publication(self, word: str) -> list[str]:
        """The line for gcloud that has a word in its message."""
        (line,) = (c for c in self.said if c[0] == "gcloud" and word in c[-1])
        return line

    def document(self, word: str) -> str:
        """The answer to the line for curl whose address ends so."""
        (url,) = (c[1] for c in self.said if c[0] == "curl" and c[1].endswith(word))
        with urllib.request.urlopen(url, timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    def publish_by_http(self, command: list[str]) -> None:
        """What the line for gcloud does, as curl would."""
        topic, message = command[-2], command[-1].removeprefix("--message=")
        exports = self.exports
        url = (
            f"{exports['CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB']}v1/projects/"
            f"{exports['CLOUDSDK_CORE_PROJECT']}/topics/{topic}:publish"
        )
        data = base64.b64encode(message.encode()).decode()
        body = json.dumps({"messages": [{"data": data}]}).encode()
        # Without the type the emulator finds nothing at this address.
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert len(json.load(answer)["messageIds"]) == 1

    def publish_with_gcloud(self, command: list[str]) -> None:
        """Exactly the printed line."""
        done = subprocess.run(
            command, env={**self.environment, **self.exports}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "messageIds" in done.stdout

    def run_curl(self) -> str:
        """Exactly the printed line for curl, in a shell, and what it answers."""
        _, _, rest = self.program.text.partition("  curl -X POST ")
        line, _, _ = rest.partition("\n\n")
        command = ["sh", "-c", f"curl --silent --fail -X POST {line}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


PUBLISHERS = [
    pytest.param(Person.publish_by_http, id="http"),
    pytest.param(Person.publish_with_gcloud, id="gcloud", marks=GCLOUD),
]


@pytest.fixture(params=STACKS)
def person(
    request: pytest.FixtureRequest, start: Any, environment: dict[str, str], tmp_path: Path
) -> Person:
    """A stack that is up, and somebody who looks at it, with a gcloud of their own."""
    program = start(["up", "--stack", request.param])
    program.wait_for(r"Ctrl-C ends it|up: (.* is not installed|Java is not)")
    if program.lines[-1].startswith("up: "):
        pytest.skip(program.lines[-1])
    return Person(program, {**environment, "CLOUDSDK_CONFIG": str(tmp_path / "gcloud")})


@pytest.mark.parametrize("publish", PUBLISHERS)
def test_the_printed_instructions_lead_to_an_order_and_to_documents(
    person: Person, scratch: Path, publish: Callable[[Person, list[str]], None]
) -> None:
    publish(person, person.publication("resume"))
    person.program.wait_for("trading is active, by me")

    good = person.publication("targets")
    publish(person, good)
    person.program.wait_for(r"BUY 10 SPY is DONE, filled: \+10")
    check_documents(person)

    publish(person, [word.replace(": 10}", ': "ten"}') for word in good])
    person.program.wait_for(r"^dead letter b'.*ten.*': targets\[0\]\.quantity: ")
    publish(person, [word.replace(": 10}", ": 25}") for word in good])
    person.program.wait_for(r"BUY 15 SPY is DONE, filled: \+15")

    if shutil.which("curl") is not None:
        assert "messageIds" in person.run_curl()
        person.program.wait_for(r"(?s)resume message-.*resume message-\d+ done")

    publish(person, person.publication("halt"))
    person.program.wait_for("trading is halted, by me")

    children = [os.pidfd_open(pid) for pid in person.program.children()]
    person.program.process.send_signal(signal.SIGINT)
    assert person.program.ended() == 0
    assert person.program.text.endswith("up: stopped")
    assert "Traceback" not in person.program.text
    assert not any(is_running(child) for child in children)
    assert [p.name for p in scratch.iterdir() if p.name.startswith("ib-trading")] == []


def check_documents(person: Person) -> None:
    """A person can read them, and every line that is printed finds something."""
    assert re.search(r'"quantity".*\n?.*"10"', person.document("holdings/manual"))
    assert "paper-" in person.document("openOrders")
    assert '"manual"' in person.document("executions")
    assert "targets-" in person.document("runs")


def is_running(process: int) -> bool:
    """Whether the process of a descriptor has not ended; closes the descriptor."""
    over, _, _ = select.select([process], [], [], 0)
    os.close(process)
    return not over
