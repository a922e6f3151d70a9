"""Posting to a webhook, over HTTP, to a server of this test that fails in every way."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from functions.webhook import Patience, Refused, Undelivered, Webhook, configured
from schemas.secret import NoSecret

SECRET = "T0/B0/unspeakable"


@dataclass
class Chat:
    """An incoming webhook. `answers` are given one by one, then 200; 0 is silence."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/{SECRET}"


@pytest.fixture
def chat() -> Iterator[Chat]:
    found = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.posted.append((self.path, body))
            status, headers = found.answers.pop(0) if found.answers else (200, {})
            if status == 0:
                found.released.wait(30)
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the webhook waited; none are waited here."""
    return []


def hook(url: str, waits: list[float], **patience: float) -> Webhook:
    return Webhook(url, replace(Patience(), **patience), waits.append)  # type: ignore[arg-type]


def test_a_sentence_is_posted_once_as_slack_wants_it(chat: Chat, waits: list[float]) -> None:
    hook(chat.url, waits).post("SPY is locked: ünexplained")
    assert chat.posted == [(f"/services/{SECRET}", {"text": "SPY is locked: ünexplained"})]
    assert waits == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again_with_growing_waits(
    chat: Chat, waits: list[float], status: int
) -> None:
    chat.answers += [(status, {})] * 3
    hook(chat.url, waits).post("x")
    assert len(chat.posted) == 4
    bounds = [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0)]
    for wait, (least, most) in zip(waits, bounds, strict=True):
        assert least <= wait <= most


def test_after_its_attempts_it_gives_up_and_says_why(chat: Chat, waits: list[float]) -> None:
    chat.answers += [(503, {})] * 9
    with pytest.raises(Undelivered, match="did not take it, 4 attempts: it answered 503"):
        hook(chat.url, waits).post("x")
    assert len(chat.posted) == 4


def test_it_waits_as_long_as_it_is_told(chat: Chat, waits: list[float]) -> None:
    chat.answers.append((429, {"Retry-After": "7"}))
    hook(chat.url, waits).post("x")
    assert waits == [7.0]


def test_a_date_is_understood_too(chat: Chat, waits: list[float]) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    chat.answers.append((429, {"Retry-After": later}))
    hook(chat.url, waits).post("x")
    assert 10 < waits[0] <= 20


@pytest.mark.parametrize("said", ["soon", "-1", ""])
def test_a_wait_that_is_none_is_our_own(chat: Chat, waits: list[float], said: str) -> None:
    chat.answers.append((429, {"Retry-After": said}))
    hook(chat.url, waits).post("x")
    assert 0.5 <= waits[0] <= 1.0


def test_a_longer_wait_than_the_message_has_is_left_to_pubsub(
    chat: Chat, waits: list[float]
) -> None:
    """It comes again minutes later; meanwhile nothing is asked of a server that said wait."""
    chat.answers.append((429, {"Retry-After": "3600"}))
    with pytest.raises(Undelivered, match="1 attempts: it answered 429"):
        hook(chat.url, waits).post("x")
    assert (len(chat.posted), waits) == (1, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_no_repetition_makes_better_is_refused_at_once(
    chat: Chat, waits: list[float], status: int
) -> None:
    chat.answers.append((status, {}))
    with pytest.raises(Refused, match=f"answered {status}, and will again: set its URL anew"):
        hook(chat.url, waits).post("x")
    assert len(chat.posted) == 1


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirection_is_not_followed(chat: Chat, waits: list[float], status: int) -> None:
    """Followed, the sentence would be dropped and count as told."""
    chat.answers.append((status, {"Location": chat.url}))
    with pytest.raises(Refused, match=f"answered {status}"):
        hook(chat.url, waits).post("x")
    assert len(chat.posted) == 1


def test_silence_is_given_up_and_tried_again(chat: Chat, waits: list[float]) -> None:
    chat.answers.append((0, {}))
    hook(chat.url, waits, timeout_seconds=0.1).post("x")
    assert (len(chat.posted), len(waits)) == (2, 1)


def test_a_refused_connection_is_tried_again_and_named(waits: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/{SECRET}"
        with pytest.raises(Undelivered, match="4 attempts: ConnectionRefusedError"):
            hook(url, waits).post("x")


def test_the_time_for_all_attempts_is_bounded(chat: Chat) -> None:
    """Under the subscription's deadline of a minute, or the message would run twice at once."""
    patience = Patience()
    slowest = patience.total_seconds + patience.timeout_seconds
    assert slowest < 60
    chat.answers += [(500, {})] * 99
    impatient = Patience(attempts_max=99, delay_seconds=0.01, total_seconds=0.05)
    start = time.monotonic()
    with pytest.raises(Undelivered):
        Webhook(chat.url, impatient).post("x")
    assert time.monotonic() - start < 30
    assert len(chat.posted) < 99


@pytest.mark.parametrize(
    "url",
    [
        f"http://chat.test/{SECRET}",
        f"ftp://127.0.0.1/{SECRET}",
        f"//127.0.0.1/{SECRET}",
        SECRET,
        f"https://[{SECRET}",
        f"https://127.0.0.1/{SECRET} x",
        f"http://127.0.0.1:port/{SECRET}",
    ],
)
def test_a_url_that_is_none_or_not_private_is_refused_without_quoting_it(
    url: str, waits: list[float]
) -> None:
    with pytest.raises(Refused, match="ALERT_WEBHOOK_URL") as refused:
        hook(url, waits).post("x")
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_secret_is_in_no_log_no_exception_and_no_repr(
    chat: Chat, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secretive = hook(chat.url, waits)
    chat.answers += [(500, {})] * 4 + [(404, {})]
    with pytest.raises(Undelivered) as undelivered:
        secretive.post("x")
    with pytest.raises(Refused) as refused:
        secretive.post("x")
    said = f"{undelivered.value!r} {refused.value!r} {secretive!r} {caplog.text}"
    assert "unspeakable" not in said


def test_the_environment_says_where_and_a_secret_s_line_end_does_no_harm() -> None:
    assert configured({}) is None
    assert configured({"ALERT_WEBHOOK_URL": " \n"}) is None
    found = configured({"ALERT_WEBHOOK_URL": "https://chat.test/x\n"})
    assert found == Webhook("https://chat.test/x")


def test_the_url_may_stand_in_a_file_and_one_that_cannot_be_read_is_said_without_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "url").write_text("https://chat.test/x\n")
    found = configured({"ALERT_WEBHOOK_URL_FILE": str(tmp_path / "url")})
    assert found == Webhook("https://chat.test/x")
    with pytest.raises(NoSecret, match=r"ALERT_WEBHOOK_URL_FILE: .* cannot be read"):
        configured({"ALERT_WEBHOOK_URL_FILE": str(tmp_path / "gone")})
