"""Every entry point, as Pub/Sub calls it: through functions-framework, over HTTP, to a topic."""

import base64
import json
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import functions_framework
import pytest

from functions import cloud
from functions.registry import STRATEGIES, load
from schemas.alerts import LOG_FIELDS
from schemas.codec import decode, encode
from schemas.messages import Market, Report, Targets
from schemas.values import Mode
from schemas.watch import Watch

# functions-framework 3.10.2 asks for the time in a way that Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

SOURCE = Path(__file__).parents[2] / "functions" / "main.py"


@pytest.fixture(autouse=True)
def _framework_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loading a source changes the path, the modules and the environment of this process."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "main", None)
    for name in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    for name in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
        monkeypatch.delenv(name, raising=False)


def client(name: str) -> Any:
    app: Any = functions_framework.create_app(name, str(SOURCE))  # type: ignore[no-untyped-call]
    return app.test_client()


def pushed(market: Market, strategy: str) -> dict[str, Any]:
    """The body that a push subscription sends."""
    return enveloped(encode(market), {"strategy": strategy})


def enveloped(data: bytes, attributes: dict[str, str] | None = None) -> dict[str, Any]:
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes or {},
        "messageId": "1",
        "message_id": "1",
        "publishTime": "2026-11-23T02:04:20.427Z",
        "publish_time": "2026-11-23T02:04:20.427Z",
    }
    return {"subscription": "projects/demo-project/subscriptions/s", "message": message}


EVENTARC = {
    "ce-id": "1",
    "ce-source": "//pubsub.googleapis.com/projects/demo-project/topics/market-paper",
    "ce-specversion": "1.0",
    "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
}


@pytest.fixture
def market(made: Any, name: str) -> Market:
    history = made(load(name))
    found: Market = history.market(name, history.ends()[-1], 200)
    return found


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("headers", [{}, EVENTARC], ids=["push", "eventarc"])
def test_every_entry_point_answers_a_delivery(
    pubsub: Any, market: Market, name: str, headers: dict[str, str]
) -> None:
    path = "/projects/demo-project/topics/market-paper"
    response = client(name).post(path, json=pushed(market, name), headers=headers)
    assert response.status_code == 200
    (request,) = pubsub.requests
    targets = decode(Targets, request.messages[0].data)
    assert (targets.strategy, targets.status, targets.run_id) == (name, "targets", "run-1")


@pytest.mark.parametrize("name", ["dummy"])
def test_a_delivery_for_another_strategy_is_taken_and_ignored(pubsub: Any, market: Market) -> None:
    response = client("spy_pullback").post("/", json=pushed(market, "dummy"))
    assert (response.status_code, pubsub.requests) == (200, [])


def test_what_cannot_be_decoded_is_answered_with_500(
    pubsub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Pub/Sub delivers it again, and moves it to the dead letters after its last attempt."""
    body = {"message": {"data": "e30=", "attributes": {}, "messageId": "1"}, "subscription": "s"}
    response = client("dummy").post("/", json=body)
    assert response.status_code == 500
    assert "missing required field run_id" in caplog.text
    assert pubsub.requests == []


@pytest.mark.parametrize("name", ["dummy"])
def test_a_message_that_cannot_be_published_is_answered_with_500(
    pubsub: Any, monkeypatch: pytest.MonkeyPatch, market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MODE")
    response = client("dummy").post("/", json=pushed(market, "dummy"))
    assert response.status_code == 500
    assert "the environment variable MODE is not set" in caplog.text
    assert pubsub.requests == []


# ------------------------------------------------------------------ the two that watch

LOCKED = Report(
    "alert",
    datetime(2026, 1, 9, 17, tzinfo=UTC),
    Mode.PAPER,
    "SPY is locked: 10 are unexplained",
    con_id=756733,
    details={"lock": "unexplained"},
)


@pytest.fixture
def no_firestore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Firestore is where nobody listens; its client is not patient."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(cloud, "RECORD_SECONDS", 0.3)
        cloud.records.cache_clear()
        yield
        cloud.records.cache_clear()


@pytest.mark.parametrize("headers", [{}, EVENTARC], ids=["push", "eventarc"])
def test_alerts_writes_one_line_of_json_and_publishes_nothing(
    pubsub: Any, no_firestore: None, capsys: Any, headers: dict[str, str]
) -> None:
    """Even where Firestore is away: told twice is better than never."""
    response = client("alerts").post("/", json=enveloped(encode(LOCKED)), headers=headers)
    assert response.status_code == 200
    (line,) = capsys.readouterr().out.splitlines()
    assert set(json.loads(line)) == set(LOG_FIELDS)
    assert json.loads(line)["alert"] == "lock_unexplained"
    assert pubsub.requests == []


def test_a_webhook_that_is_away_is_answered_with_500_and_named_in_no_log(
    pubsub: Any,
    no_firestore: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/unspeakable"
        monkeypatch.setenv("ALERT_WEBHOOK_URL", url)
        response = client("alerts").post("/", json=enveloped(encode(LOCKED)))
        thread.join(30)
    assert response.status_code == 500
    assert "the webhook did not take it" in caplog.text
    assert "unspeakable" not in caplog.text


class Busy(BaseHTTPRequestHandler):
    """A webhook that asks for an hour."""

    def do_POST(self) -> None:
        self.send_response(429)
        self.send_header("Retry-After", "3600")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_wrong_setting_fails_the_start_of_alerts_and_of_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a deployment fails, and not the first alert."""
    monkeypatch.setenv("ALERT_WEBHOOK_SEVERITY_MIN", "LOUD")
    with pytest.raises(ValueError, match="SEVERITY_MIN is 'LOUD'"):
        client("alerts")
    client("watchdog")
    client("dummy")


def test_a_watchdog_that_cannot_look_is_answered_with_500_and_looks_again(
    pubsub: Any, no_firestore: None
) -> None:
    response = client("watchdog").post("/", json=enveloped(encode(Watch())))
    assert (response.status_code, pubsub.requests) == (500, [])
