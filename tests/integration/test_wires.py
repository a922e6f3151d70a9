"""The wires pass on what they are given, and end the streams of a client that is gone."""

import asyncio
import os

import pytest

from gateway.bus import GoogleBus
from gateway.ports import Delivery
from infra.local.emulators import Emulators
from infra.local.provision import apply
from infra.topology import topology
from schemas.values import Mode
from tests.integration.wires import Piece, Streams, wired

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SUBSCRIPTION = "gateway-targets-paper"
PROJECT = "wires"
MESSAGES = 20
PATIENCE_SECONDS = 60.0


def frame(kind: int, stream: int, body: bytes = b"", flags: int = 0) -> bytes:
    """One HTTP/2 frame [RFC 9113, 4.1]."""
    return len(body).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + body


def test_a_stream_is_begun_until_its_client_ends_or_resets_it() -> None:
    streams = Streams()
    for stream in (1, 3, 5):
        assert streams.passed((PREFACE if stream == 1 else b"") + frame(1, stream, b"head")) == []
    assert streams.passed(frame(0, 1, b"body", flags=1)) == []
    assert streams.passed(frame(3, 3, bytes(4))) == [3]
    assert streams.passed(frame(3, 1, bytes(4))) == []  # it had ended: nothing to say of it
    assert list(streams.begun) == [5]


def test_nothing_is_put_into_a_frame_that_is_half_through() -> None:
    streams, whole = Streams(), PREFACE + frame(1, 1, b"head") + frame(0, 1, b"body")
    between = []
    for at in range(len(whole)):
        streams.passed(whole[at : at + 1])
        between.append(streams.is_between_frames)
    assert [at + 1 for at, is_so in enumerate(between) if is_so] == [24, 24 + 13, 24 + 26]


@pytest.mark.emulators
async def test_nothing_is_offered_to_a_client_that_is_gone(
    emulators: Emulators, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else most of these would come at a second attempt, ten seconds later, and some never."""
    await apply(topology(Mode.PAPER, {}), emulators.pubsub_host, PROJECT)
    gone, living = asyncio.Event(), asyncio.Event()
    attempts: list[int] = []

    async def look(_piece: Piece) -> bool:
        return True

    def on_gone(delivery: Delivery) -> None:
        delivery.ack()
        gone.set()

    def on_living(delivery: Delivery) -> None:
        delivery.ack()
        if delivery.data != b"first":  # its ack may have been lost with the client
            attempts.append(delivery.delivery_attempt)
        if len(attempts) == MESSAGES:
            living.set()

    direct = GoogleBus(PROJECT)
    async with wired("bus", os.environ["PUBSUB_EMULATOR_HOST"], look) as wire:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", wire.address)
        first = GoogleBus(PROJECT)
        first.subscribe(SUBSCRIPTION, on_gone)
        await direct.publish("targets-paper", b"first", {})
        await asyncio.wait_for(gone.wait(), PATIENCE_SECONDS)
        await first.close()
        direct.subscribe(SUBSCRIPTION, on_living)
        for number in range(MESSAGES):
            await direct.publish("targets-paper", b"%d" % number, {})
            await asyncio.sleep(0.06)  # the emulator gives all of one moment to one stream
        await asyncio.wait_for(living.wait(), PATIENCE_SECONDS)
    await direct.close()
    assert attempts == [1] * MESSAGES
