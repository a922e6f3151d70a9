"""Every entry point, as Pub/Sub calls it: through functions-framework, over HTTP, to a topic."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import functions_framework
import pytest

from functions.registry import STRATEGIES
from schemas.codec import decode, encode
from schemas.messages import Market, Targets

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
    message = {
        "data": base64.b64encode(encode(market)).decode(),
        "attributes": {"strategy": strategy},
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
def market(half_hours: Any, days: Any, name: str) -> Market:
    history = days if name == "spy_macd_vixy" else half_hours
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
