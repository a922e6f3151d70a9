"""Replays at every speed tell the same: only when differs."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import Contract
from gateway.simulator.requests import (
    AccountSummaryRequest,
    AccountUpdatesRequest,
    HistoricalDataRequest,
    MarketDataRequest,
    PnLRequest,
    TickByTickRequest,
)
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.timekeeper import Timekeeper, Work
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual
from gateway.simulator.wire.codec import FrameReader, Hello, encode_frame, encode_hello
from gateway.simulator.wire.messages import encode_request

At = Callable[..., datetime]
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
SUBSCRIBED = (
    MarketDataRequest(1, SPY, "", False, False, ""),
    HistoricalDataRequest(2, SPY, False, "", "30 mins", "1 D", True, "TRADES", 1, True),
    TickByTickRequest(3, SPY, "Last", 0, False),
    AccountUpdatesRequest(True, ""),
    AccountSummaryRequest(4, "All", "NetLiquidation"),
    PnLRequest(5, "", ""),
)


def made(book: BarBook) -> Exchange:
    held = InitialHolding("SPY", Decimal(50), Decimal(590))
    return Exchange(book, ExchangeOptions(seed=7, holdings=(held,)))


@pytest.mark.parametrize("seconds", [1, 7, 61, 1799, 100_000])
def test_what_is_told_does_not_depend_on_the_size_of_the_steps(
    book: BarBook, at: At, seconds: int
) -> None:
    """Bars, ticks, account, summary and profit, to the end of the day, in the same order."""

    def told(step: timedelta) -> list[object]:
        exchange = made(book)
        exchange.connect(1, at("10:00"))
        heard: list[object] = []
        for request in SUBSCRIBED:
            heard += exchange.handle(1, request, at("10:00"))
        now = at("10:00")
        while now < at("16:30"):
            now = min(now + step, at("16:30"))
            heard += exchange.advance(now)
        return heard

    assert told(timedelta(seconds=seconds)) == told(timedelta(minutes=30))


def heard_at(
    book: BarBook, at: At, speed: float, *, full_speed: bool = False, rest: float = 0.0
) -> bytes:
    """What a subscribed client hears until the end of the day; it rests between its reads."""

    async def main(loop: VirtualTimeLoop) -> bytes:
        clock = VirtualClock(at("10:00"), speed=speed, monotonic=loop.time)
        options = ServerOptions(full_speed=full_speed, tick_seconds=0.05)
        async with Simulator(made(book), clock, options) as simulator:
            address = "127.0.0.1", simulator.port
            reader, writer = await asyncio.open_connection(*address)
            writer.write(encode_hello(Hello(157, 178)) + encode_frame(["71", "2", "1", ""]))
            asked = (encode_frame(encode_request(item, 178)) for item in SUBSCRIBED)
            writer.write(b"".join(asked))
            heard = bytearray()
            with contextlib.suppress(TimeoutError):  # nothing more is said
                while True:
                    heard += await asyncio.wait_for(reader.read(4096), 3600)
                    await asyncio.sleep(rest)
            writer.transport.abort()
            await asyncio.sleep(0.1)
        return bytes(heard)

    return run_virtual(main, at("10:00"))


def test_full_speed_goes_from_change_to_change_and_loses_nothing(book: BarBook, at: At) -> None:
    for rest in (0.0, 0.01):
        heard = heard_at(book, at, 0.0, full_speed=True, rest=rest)
        seconds = [int(fields[3]) for fields in frames(heard) if fields[0] == "99"]
        assert seconds == sorted(seconds)
        assert sorted(set(seconds)) == list(range(seconds[0], seconds[-1] + 1, 1800))
        assert seconds[-1] == int(at("16:00").timestamp())


def frames(data: bytes) -> list[list[str]]:
    """The whole frames of what a client heard."""
    reader = FrameReader()
    reader.receive_data(encode_hello(Hello(157, 178)) + data)
    reader.next_hello()
    found: list[list[str]] = []
    while (fields := reader.next_frame()) is not None:
        found.append(list(fields))
    return found


def test_full_speed_waits_for_a_client_before_it_begins(book: BarBook, at: At) -> None:
    async def main(loop: VirtualTimeLoop) -> datetime:
        clock = VirtualClock(loop.now())
        async with Simulator(made(book), clock, ServerOptions(full_speed=True)) as simulator:
            await asyncio.sleep(60)
            return simulator.clock.now()

    assert run_virtual(main, at("10:00")) == at("10:00")


def test_time_that_runs_fast_is_held_while_a_client_is_behind() -> None:
    clock = VirtualClock(
        datetime.fromisoformat("2025-12-12T15:00:00+00:00"),
        speed=60,
        monotonic=iter(range(100)).__next__,
    )
    first = clock.now()
    clock.hold()
    held = clock.now()
    assert (held > first, clock.now()) == (True, held)
    clock.let_go()
    assert clock.now() - held == timedelta(seconds=60)


def test_a_clock_that_was_held_for_a_client_runs_on_though_nothing_is_to_come(at: At) -> None:
    """Without a regular tick no timer is set then: the clock would stand still for good."""

    async def main(loop: VirtualTimeLoop) -> datetime:
        clock = VirtualClock(at("10:00"), speed=10, monotonic=loop.time)
        changes = [at("10:00") + timedelta(seconds=10)]
        slow_until = loop.time() + 5
        work = Work(
            pass_time=lambda now: changes.clear() if clock.is_held else None,
            next_change=lambda: changes[0] if changes else None,
            goes_on=lambda: True,
            is_behind=lambda: loop.time() < slow_until,
            has_clients=lambda: True,
        )
        timekeeper = Timekeeper(clock, work, None, full_speed=False)
        timekeeper.start()
        await asyncio.sleep(3)
        assert clock.now() == at("10:00") + timedelta(seconds=10)
        await asyncio.sleep(12)
        timekeeper.stop()
        return clock.now()

    assert run_virtual(main, at("10:00")) > at("10:01")
