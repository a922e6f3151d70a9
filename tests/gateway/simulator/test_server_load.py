"""Many clients at once, one that does not read, floods: nobody waits, memory is bounded.

No time is measured: that others go on is shown by their progress while the slow one has not read.
"""

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import Contract
from gateway.simulator.pacing import WAITING_MAX
from gateway.simulator.requests import (
    AccountUpdatesRequest,
    CurrentTimeRequest,
    HistoricalDataRequest,
    MarketDataRequest,
    PlaceOrder,
    PnLRequest,
    PositionsRequest,
)
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.trace import Entry, Recorder
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual
from gateway.simulator.wire.codec import FRAME_BYTES_MAX, Hello, encode_frame, encode_hello
from gateway.simulator.wire.messages import encode_request

LIMIT_SECONDS = 60
CLIENTS = 32
BUFFER_BYTES = 200_000
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
ASKED_BARS = HistoricalDataRequest(90, SPY, False, "", "30 mins", "2 D", True, "TRADES", 1, False)
At = Callable[..., datetime]
MakeOrder = Callable[..., PlaceOrder]


OPENED: list[asyncio.StreamWriter] = []
"""The clients' ends, closed after the test."""


async def opened(simulator: Simulator) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    OPENED.append(writer)
    return reader, writer


async def all_closed() -> None:
    for writer in OPENED:
        writer.close()
        writer.transport.abort()
    OPENED.clear()
    await asyncio.sleep(0.01)


class Client:
    """A client on a socket of its own that keeps what it hears, unless it does not read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[list[str]] = []
        self.listening = asyncio.create_task(self.listen())

    @classmethod
    async def ready(cls, simulator: Simulator, client_id: int) -> "Client":
        made = cls(*await opened(simulator))
        made.writer.write(encode_hello(Hello(157, 178)))
        made.writer.write(encode_frame(["71", "2", str(client_id), ""]))
        await made.until("9")
        return made

    def ask(self, *requests: Any) -> None:
        self.writer.write(b"".join(encode_frame(encode_request(item, 178)) for item in requests))

    def told(self, number: str) -> list[list[str]]:
        return [fields for fields in self.heard if fields[0] == number]

    async def listen(self) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                (length,) = struct.unpack(">I", await self.reader.readexactly(4))
                payload = await self.reader.readexactly(length)
                self.heard.append(payload.decode().split("\0")[:-1])

    async def until(self, number: str, count: int = 1) -> list[list[str]]:
        """Hear until so many messages of a kind came at all."""
        await until(lambda: len(self.told(number)) >= count)
        return self.told(number)

    def stop_reading(self) -> None:
        self.reader._transport.pause_reading()  # type: ignore[attr-defined]


def subscribe(client: Client) -> None:
    client.ask(
        MarketDataRequest(1, SPY, "", False, False, ""),
        AccountUpdatesRequest(True, ""),
        PositionsRequest(),
        PnLRequest(2, "", ""),
    )


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not holds():
            await asyncio.sleep(0.001)


def test_31_clients_go_on_while_one_does_not_read_and_it_is_cut_off_with_the_reason(
    book: BarBook, at: At, order: MakeOrder, caplog: pytest.LogCaptureFixture
) -> None:
    """Each with market data, account, positions, profit and orders of its own."""
    trace: list[Entry] = []

    async def main(loop: VirtualTimeLoop) -> None:
        made = Exchange(book, ExchangeOptions(fill_model="touch"))
        options = ServerOptions(write_buffer_bytes_max=BUFFER_BYTES, tick_seconds=None)
        simulator = Simulator(made, loop.clock(), options)
        simulator.record(Recorder(trace.append, at("10:00")))
        async with simulator:
            *readers, deaf = [await Client.ready(simulator, n) for n in range(1, CLIENTS + 1)]
            for client in (*readers, deaf):
                subscribe(client)
            await asyncio.gather(*(client.until("62") for client in readers))
            deaf.stop_reading()
            trades = await trade_until_cut_off(simulator, readers, order)
            heard = [len(client.told("61")) for client in readers]
            assert heard == [trades] * len(readers)
            assert made.clients == frozenset(range(1, CLIENTS))
            await all_closed()

    run_virtual(main, at("10:00"))
    (cut,) = [entry for entry in trace if entry.said.startswith("closed the client does not read")]
    assert (cut.client, f"at most {BUFFER_BYTES} may" in cut.said) == (str(CLIENTS), True)
    assert f"client {CLIENTS} is cut off: it does not read" in caplog.text


async def trade_until_cut_off(simulator: Simulator, readers: list[Client], order: MakeOrder) -> int:
    """One client after the other trades and sees it through; everybody hears of every trade."""
    trades = 0
    for number in range(1, 500):
        for client in readers:
            client.ask(order(number, quantity=1, action="BUY" if number % 2 else "SELL"))
            await client.until("59", number)
            trades += 1
            if CLIENTS not in simulator.exchange.clients:
                await asyncio.sleep(0.01)
                return trades
    raise AssertionError("who does not read was never cut off")


async def test_who_asks_for_much_and_reads_it_late_is_not_cut_off(
    exchange: Exchange, at: At
) -> None:
    """A client is read from no further than it reads its answers."""
    exchange.disconnect(1)
    options = ServerOptions(write_buffer_bytes_max=BUFFER_BYTES)
    async with Simulator(exchange, VirtualClock(at("10:00")), options) as simulator:
        eager, other = [await Client.ready(simulator, number) for number in (1, 2)]
        eager.writer.write(encode_frame(encode_request(ASKED_BARS, 178)) * 300)
        other.ask(CurrentTimeRequest())
        await other.until("49")
        assert len(await eager.until("17", 300)) == 300
        await all_closed()


# ---------------------------------------------------------------------- floods, in virtual time

Story = Callable[[Simulator, VirtualTimeLoop], Awaitable[None]]


@pytest.fixture
def play(book: BarBook, at: At) -> Callable[..., None]:
    def run(story: Story, **options: Any) -> None:
        async def main(loop: VirtualTimeLoop) -> None:
            server = ServerOptions(tick_seconds=None, **options)
            made = Exchange(book, ExchangeOptions(seed=7))
            async with Simulator(made, loop.clock(), server) as simulator:
                await story(simulator, loop)
                await all_closed()

        run_virtual(main, at("10:00"))

    return run


def held(simulator: Simulator) -> list[int]:
    """Bytes that the simulator holds of each connection."""
    return [connection.protocol.bytes_held for connection in simulator._accepted]


def test_a_half_sent_frame_is_held_once_and_no_more(play: Callable[..., None]) -> None:
    async def story(simulator: Simulator, loop: VirtualTimeLoop) -> None:
        client = await Client.ready(simulator, 1)
        client.writer.write(struct.pack(">I", FRAME_BYTES_MAX) + b"x" * 1000)
        for _ in range(10):
            client.writer.write(b"x" * 100)
            await asyncio.sleep(0.1)
        assert held(simulator) == [4 + 2000]
        client.writer.write(b"x" * (4 * FRAME_BYTES_MAX))
        await asyncio.sleep(0.1)
        assert simulator.exchange.clients == frozenset()
        assert max(held(simulator), default=0) == 0

    play(story)


def test_endless_garbage_is_not_read_for_longer_than_a_frame(play: Callable[..., None]) -> None:
    async def story(simulator: Simulator, loop: VirtualTimeLoop) -> None:
        _, writer = await opened(simulator)
        for _ in range(100):
            writer.write(b"\x00garbage" * 10_000)
            await asyncio.sleep(0.1)
            assert sum(held(simulator)) <= 2 * FRAME_BYTES_MAX
        assert held(simulator) == []

    play(story)


def test_who_connects_and_says_nothing_takes_a_place_for_seconds_only(
    play: Callable[..., None],
) -> None:
    async def story(simulator: Simulator, loop: VirtualTimeLoop) -> None:
        for _ in range(20):
            await opened(simulator)
        await asyncio.sleep(1)
        assert len(held(simulator)) == 8
        await asyncio.sleep(20)
        assert held(simulator) == []
        await Client.ready(simulator, 1)

    play(story, connections_max=8)


def test_a_client_has_a_hundred_market_data_lines_and_fifty_of_profit_at_most(
    play: Callable[..., None],
) -> None:
    async def story(simulator: Simulator, loop: VirtualTimeLoop) -> None:
        client = await Client.ready(simulator, 1)
        for number in range(3000):
            client.ask(MarketDataRequest(number, SPY, "", False, False, ""))
            client.ask(PnLRequest(10_000 + number, "", ""))
        client.ask(CurrentTimeRequest())
        await client.until("49")
        codes = [fields[3] for fields in client.heard if fields[0] == "4"]
        assert (codes.count("101"), codes.count("322")) == (2900, 2950)
        await simulator.advance_to(simulator.clock.now().replace(minute=30))
        client.ask(CurrentTimeRequest())
        await client.until("49")

    play(story)


def test_a_flood_that_is_paced_waits_with_its_sender(play: Callable[..., None]) -> None:
    """At most 10,000 messages wait here; the rest is not read from the socket."""

    async def story(simulator: Simulator, loop: VirtualTimeLoop) -> None:
        client = await Client.ready(simulator, 1)
        for _ in range(100):
            client.writer.write(encode_frame(["49", "1"]) * 300)
            await asyncio.sleep(0)
        await asyncio.sleep(0.5)
        (connection,) = simulator._accepted
        assert connection.waiting == WAITING_MAX
        assert connection.protocol.bytes_held < 2 * 64 * 1024
        await asyncio.sleep(10)
        assert 500 <= len(client.told("49")) <= 600
        assert connection.waiting == WAITING_MAX

    play(story, pacing="pace")
