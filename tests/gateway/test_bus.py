"""What the suite over all buses cannot show: a Pub/Sub that does not answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.bus import BusSettings, GoogleBus
from gateway.ports import Unavailable

IMPATIENT = BusSettings(publish_deadline_seconds=0.3, close_deadline_seconds=0.3)


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything and answer nothing, like a host behind a dead router."""
    await reader.read()
    writer.close()


@pytest.fixture(params=["refusing", "silent"])
async def bus(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GoogleBus]:
    """A bus whose Pub/Sub refuses connections, or accepts them and says nothing."""
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1] if request.param == "silent" else 1
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{port}")
    bus = GoogleBus("demo", IMPATIENT)
    yield bus
    async with asyncio.timeout(10):
        await bus.close()
    server.close()


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
