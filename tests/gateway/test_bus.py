"""What the suite over all buses cannot show: a Pub/Sub that does not answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.bus import BusSettings, GoogleBus
from gateway.ports import Unavailable

IMPATIENT = BusSettings(publish_deadline_seconds=0.3, close_deadline_seconds=0.3)


@pytest.fixture(params=["refusing", "silent"])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """One that refuses connections, or one that takes them and says nothing, like a dead router."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = 1 if request.param == "refusing" else server.getsockname()[1]
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def bus(host: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GoogleBus]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    bus = GoogleBus("demo", IMPATIENT)
    yield bus
    async with asyncio.timeout(10):
        await bus.close()


async def test_a_publish_without_an_answer_is_unavailable(bus: GoogleBus) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable, match="ticks-test"):
            await bus.publish("ticks-test", b"x", {})


async def test_an_outage_does_not_fail_a_subscription_and_closing_ends_it(bus: GoogleBus) -> None:
    subscription = bus.subscribe("ticks", lambda delivery: None)
    waiting = asyncio.create_task(subscription.wait())
    with pytest.raises(Unavailable):
        await bus.publish("ticks-test", b"x", {})
    assert not waiting.done()
    async with asyncio.timeout(10):
        await subscription.close()
        await waiting
