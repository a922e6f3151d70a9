"""What `make up` tells a person to do: every line works as it stands."""

import base64
import json
import shlex
import subprocess
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from infra.local.up import instructions, looking
from schemas import codec
from schemas.commands import Halt, Resume, Run
from schemas.messages import Target, Targets

START = datetime(2026, 2, 27, 15, tzinfo=UTC)
EMBEDDED = instructions("127.0.0.1:1111", "", START)
EMULATORS = instructions("127.0.0.1:1111", "127.0.0.1:2222", START)


def commands(text: str, program: str) -> list[list[str]]:
    """All commands of a program, as a shell would split them."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [shlex.split(line) for line in lines if line.startswith("  ")]
    return [words for words in found if words[0] == program]


def messages(text: str) -> list[tuple[str, bytes]]:
    """Topic and message of each line for gcloud, in order."""
    found = []
    for *_, topic, message in commands(text, "gcloud"):
        assert message.startswith("--message=")
        found.append((topic, message.removeprefix("--message=").encode()))
    return found


def test_the_lines_for_gcloud_are_complete() -> None:
    for words in commands(EMBEDDED, "gcloud"):
        assert words[:4] == ["gcloud", "pubsub", "topics", "publish"]
        assert len(words) == 6


def test_the_messages_mean_what_the_text_says_in_that_order() -> None:
    topics, (resume, targets, run, halt) = zip(*messages(EMBEDDED), strict=True)
    assert topics == ("commands-paper", "targets-paper", "commands-paper", "commands-paper")
    assert codec.decode_command(resume) == Resume(by="me")
    assert codec.decode(Targets, targets) == Targets("manual", (Target("SPY", Decimal(10)),))
    assert codec.decode_command(run) == Run()
    assert codec.decode_command(halt) == Halt(by="me")


def test_the_emulators_get_the_same_messages() -> None:
    assert messages(EMULATORS) == messages(EMBEDDED)


def test_gcloud_is_led_to_the_stack_and_needs_no_login() -> None:
    exports = [word for words in commands(EMBEDDED, "export") for word in words[1:]]
    assert exports == [
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB=http://127.0.0.1:1111/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true",
        "CLOUDSDK_CORE_PROJECT=ib-trading-local",
    ]


def test_the_line_for_curl_publishes_a_command() -> None:
    """Its body is made by the shell, so a shell makes it here."""
    _, _, rest = EMBEDDED.partition("  curl -X POST ")
    line, _, _ = rest.partition("\n\n")
    script = f"printf '%s\\n' {line}"
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    url, *header, body = (word for word in shown.stdout.splitlines() if word != "-d")
    assert url.endswith("127.0.0.1:1111/v1/projects/ib-trading-local/topics/commands-paper:publish")
    # Without it the Pub/Sub emulator answers 404.
    assert header == ["-H", "Content-Type: application/json"]
    (message,) = json.loads(body)["messages"]
    assert codec.decode_command(base64.b64decode(message["data"])) == Resume()


@pytest.mark.parametrize(
    ("text", "host"), [(EMBEDDED, "127.0.0.1:1111"), (EMULATORS, "127.0.0.1:2222")]
)
def test_documents_are_looked_at_where_the_store_is(text: str, host: str) -> None:
    base = f"http://{host}/v1/projects/ib-trading-local/databases/(default)/documents/"
    paths = [words[1] for words in commands(text, "curl") if "-X" not in words]
    assert len(paths) == 4
    assert all(path.startswith(base) for path in paths)


def test_the_day_that_is_simulated_is_told_in_new_york_time() -> None:
    assert "from 2026-02-27 10:00 New York" in EMBEDDED


def test_the_commands_that_look_get_their_environment_where_they_can_reach() -> None:
    told = looking({"MODE": "paper", "IB_PORT": "4002"})
    assert "  export IB_PORT=4002\n  export MODE=paper\n" in told
    assert "python -m gateway.doctor" in told
    assert looking({}) == ""
