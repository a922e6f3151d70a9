"""All functions on one port: every entry point answers under its name, and nothing else does."""

import base64
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.pubsub_v1.types import PublishRequest, PublishResponse
from werkzeug.test import Client

from functions import cloud
from functions.registry import STRATEGIES
from infra.local import functions_server
from schemas import codec
from schemas.messages import Market, Targets

# functions-framework 3.10.2 asks for the time in a way that Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


class Publisher(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """Pub/Sub's Publish call: a real server for the real client."""

    def __init__(self) -> None:
        self.published: list[Targets] = []

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            self.publish, PublishRequest.deserialize, PublishResponse.serialize
        )

    def publish(self, request: PublishRequest, context: Any) -> PublishResponse:
        self.published += [codec.decode(Targets, message.data) for message in request.messages]
        return PublishResponse(message_ids=["1"] * len(request.messages))


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Targets]]:
    """What the functions publish; the environment leads them to a Pub/Sub of this process."""
    publisher, server = Publisher(), grpc.server(ThreadPoolExecutor(max_workers=1))
    server.add_generic_rpc_handlers((publisher,))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{server.add_insecure_port('[::]:0')}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo-project")
    monkeypatch.setenv("MODE", "paper")
    server.start()
    cloud.client.cache_clear()
    yield publisher.published
    cloud.client().stop()
    cloud.client.cache_clear()
    server.stop(grace=None).wait()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """The application; loading its sources changes the path and the modules of this process."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "main", None)
    for name in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
        monkeypatch.setenv(name, "")  # so that what is set from here on is undone
    return Client(functions_server.application())


def pushed(data: bytes, strategy: str) -> dict[str, Any]:
    """The body that a push subscription sends."""
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": {"strategy": strategy},
        "messageId": "1",
        "publishTime": "2026-11-23T02:04:20.427Z",
    }
    return {"subscription": "projects/demo-project/subscriptions/s", "message": message}


def market(strategy: str) -> bytes:
    """A market without bars: everybody but the dummy holds."""
    later = NOW + timedelta(hours=1)
    return codec.encode(Market("run-1", strategy, NOW, later, Decimal(100_000), "USD"))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_answers_a_push_under_its_name(
    client: Client, published: list[Targets], name: str
) -> None:
    path = f"/{name}/projects/demo-project/topics/market-paper"
    response = client.post(path, json=pushed(market(name), name))
    assert response.status_code == 200, response.text
    (said,) = published
    assert (said.strategy, said.run_id, said.as_of) == (name, "run-1", NOW)
    assert said.status != "error"


def test_a_push_for_another_strategy_is_taken_and_ignored(
    client: Client, published: list[Targets]
) -> None:
    """The emulators ignore a subscription's filter when they push."""
    response = client.post("/spy_pullback/x", json=pushed(market("dummy"), "dummy"))
    assert (response.status_code, published) == (200, [])


def test_what_cannot_be_decoded_is_an_error_and_comes_again(
    client: Client, published: list[Targets], caplog: pytest.LogCaptureFixture
) -> None:
    response = client.post("/dummy/x", json=pushed(b"{}", "dummy"))
    assert (response.status_code, published) == (500, [])


@pytest.mark.parametrize("path", ["/", "/nobody", "/dummyish/x", "/projects/p/topics/t"])
def test_another_path_is_not_found(client: Client, path: str) -> None:
    assert client.post(path, json=pushed(b"{}", "dummy")).status_code == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_says_where_it_listens_and_ends_when_told(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "infra.local.functions_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert re.fullmatch(functions_server.LISTENS, line.strip()), line
        server.send_signal(number)
        assert server.wait(20) == 0
