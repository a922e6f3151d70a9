"""How connections end: what is dropped is nobody's, and nobody waits long for who does not read."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.simulator.connection import FAREWELL_SECONDS_MAX
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual
from gateway.simulator.wire.codec import Hello, encode_frame, encode_hello

At = Callable[..., datetime]
Play = Callable[..., float]
A_MOMENT = 0.001
HELLO = encode_hello(Hello(157, 178))
START = encode_frame(["71", "2", "1", ""])
OPENED: list[asyncio.StreamWriter] = []
"""The clients' ends, closed after the story."""
CURRENT_TIME = encode_frame(["49", "1"])


@pytest.fixture
def play(book: BarBook, at: At) -> Play:
    """Run a story with a simulator on virtual time; returns its seconds, the end included."""

    def run(story: Callable[[Simulator], Awaitable[None]], **options: Any) -> float:
        async def main(loop: VirtualTimeLoop) -> float:
            server = ServerOptions(tick_seconds=None, **options)
            async with Simulator(Exchange(book), loop.clock(), server) as simulator:
                await story(simulator)
            seconds = loop.time()
            while OPENED:
                OPENED.pop().transport.abort()
            await asyncio.sleep(A_MOMENT)
            return seconds

        return run_virtual(main, at("10:00"))

    return run


async def say(
    simulator: Simulator, data: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect and write."""
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    OPENED.append(writer)
    writer.write(data)
    await asyncio.sleep(A_MOMENT)
    return reader, writer


async def leave_unread(simulator: Simulator) -> asyncio.StreamWriter:
    """A client that asks, reads no more, and says that it will not ask again."""
    _, writer = await say(simulator, HELLO + START)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(CURRENT_TIME)
    writer.write_eof()
    await asyncio.sleep(A_MOMENT)
    assert not simulator.exchange.clients
    return writer


def test_a_client_that_leaves_without_reading_takes_a_place_for_seconds_only(play: Play) -> None:
    """Its socket and what it has not read are memory too: both are bounded."""

    async def story(simulator: Simulator) -> None:
        await leave_unread(simulator)
        reader, _ = await say(simulator, HELLO)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await asyncio.sleep(FAREWELL_SECONDS_MAX)
        reader, _ = await say(simulator, HELLO)
        assert await reader.read(100)

    play(story, connections_max=1)


def test_it_ends_at_once_though_a_client_has_not_read(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        await leave_unread(simulator)

    assert play(story) < 1


def test_a_client_that_is_cut_off_and_does_not_read_is_forgotten(play: Play) -> None:
    """The third violation closes the connection; whoever reads nothing hears of it by a reset."""

    async def story(simulator: Simulator) -> None:
        _, writer = await say(simulator, HELLO + START)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(3):
            writer.write(CURRENT_TIME * 3)
            await asyncio.sleep(1.5)
        assert not simulator.exchange.clients
        await asyncio.sleep(FAREWELL_SECONDS_MAX)
        assert writer.is_closing()

    assert play(story, pacing="reject", messages_per_second_max=1) < 11


def test_a_client_that_was_reset_while_it_said_its_id_does_not_hold_it(play: Play) -> None:
    """Its startApi had arrived but was not read when a restart took the connection away."""

    async def story(simulator: Simulator) -> None:
        _, writer = await say(simulator, HELLO)
        writer.write(START)
        await asyncio.sleep(0)
        await simulator.restart()
        await asyncio.sleep(120)
        assert not simulator.exchange.clients
        reader, _ = await say(simulator, HELLO + START)
        assert b"DUSIM0001" in await reader.read(1000)

    play(story)


def test_what_fails_at_some_time_does_not_stop_time(play: Play) -> None:
    async def story(simulator: Simulator) -> None:
        def fail() -> None:
            raise ArithmeticError("as a fault may that was given absurd numbers")

        told: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        simulator.faults.link_lost(seconds=20.0)
        simulator.stage.call_at(simulator.clock.now() + timedelta(seconds=10), fail)
        reader, _ = await say(simulator, HELLO + START)
        await asyncio.sleep(60)
        assert [type(error) for error in told] == [ArithmeticError]
        assert b"restored" in await reader.read(1000)

    play(story)
