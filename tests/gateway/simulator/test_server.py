"""The socket: broken, silent and slow clients are closed, good ones go on beside them."""

import asyncio
import math
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.requests import HistoricalDataRequest, PlaceOrder, PositionsRequest
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.wire.codec import Hello, encode_frame, encode_hello
from gateway.simulator.wire.messages import encode_request

LIMIT_SECONDS = 60
At = Callable[..., datetime]
Start = Callable[..., Awaitable[Simulator]]


@pytest.fixture
async def start(exchange: Exchange, at: At) -> AsyncIterator[Start]:
    """Start a simulator with these options at 10:00 on Friday."""
    exchange.disconnect(1)
    async with AsyncExitStack() as stack:

        async def run(**options: Any) -> Simulator:
            simulator = Simulator(exchange, VirtualClock(at("10:00")), ServerOptions(**options))
            return await stack.enter_async_context(simulator)

        yield run


class Raw:
    """A client that writes bytes. All that were opened are closed after the test."""

    opened: ClassVar[list["Raw"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, simulator: Simulator) -> "Raw":
        raw = cls(*await asyncio.open_connection("127.0.0.1", simulator.port))
        cls.opened.append(raw)
        return raw

    @classmethod
    async def ready(cls, simulator: Simulator, client_id: int) -> "Raw":
        raw = await cls.open(simulator)
        raw.writer.write(encode_hello(Hello(157, 178)))
        raw.say("71", "2", str(client_id), "")
        assert len(await raw.hear()) == 2
        return raw

    def say(self, *fields: str) -> None:
        self.writer.write(encode_frame(fields))

    async def hear(self) -> list[str]:
        async with asyncio.timeout(LIMIT_SECONDS):
            (length,) = struct.unpack(">I", await self.reader.readexactly(4))
            return (await self.reader.readexactly(length)).decode().split("\0")[:-1]

    async def hear_until(self, number: str) -> list[str]:
        while (fields := await self.hear())[0] != number:
            pass
        return fields

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(LIMIT_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@pytest.fixture(autouse=True)
async def clients_are_closed() -> AsyncIterator[None]:
    yield
    for raw in Raw.opened:
        raw.writer.transport.abort()
    Raw.opened.clear()
    await asyncio.sleep(0)


async def test_a_ready_client_hears_accounts_then_its_next_id_then_the_farms(start: Start) -> None:
    """ib.md 1.1: the real gateway's order is 15, 9, then notices."""
    raw = await Raw.ready(await start(), 3)
    heard = [await raw.hear() for _ in range(5)]
    assert heard[:2] == [["15", "1", "DUSIM0001"], ["9", "1", "1"]]
    assert [fields[3] for fields in heard[2:]] == ["2104", "2106", "2158"]


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"API\0\xff\xff\xff\xff", b"API\0\0\0\0\x03abc"]
)
async def test_garbage_is_closed_and_the_next_client_served(start: Start, garbage: bytes) -> None:
    simulator = await start()
    raw = await Raw.open(simulator)
    raw.writer.write(garbage)
    assert await raw.rest() == b""
    assert (await (await Raw.ready(simulator, 3)).hear())[0] == "15"


async def test_a_huge_frame_is_told_and_closed(start: Start) -> None:
    raw = await Raw.ready(await start(), 3)
    raw.writer.write(b"\x7f\xff\xff\xff")
    assert b"\x00507\x00Bad message: frame of 2147483647 bytes" in await raw.rest()


async def test_a_silent_client_is_closed(start: Start) -> None:
    raw = await Raw.open(await start(handshake_seconds_max=0.02))
    assert await raw.rest() == b""


async def test_a_client_that_is_ready_may_be_silent(start: Start) -> None:
    raw = await Raw.ready(await start(handshake_seconds_max=0.05), 3)
    await raw.hear_until("9")
    await asyncio.sleep(0.1)
    raw.say("49", "1")
    assert (await raw.hear_until("49"))[0] == "49"


async def test_a_client_id_is_free_again_after_its_client_left(start: Start) -> None:
    simulator = await start()
    first = await Raw.ready(simulator, 3)
    second = await Raw.ready(simulator, 3)
    assert (await second.hear())[3] == "326"
    assert await second.rest() == b""
    first.writer.close()
    await until(lambda: 3 not in simulator.exchange.clients)
    assert (await (await Raw.ready(simulator, 3)).hear())[0] == "15"


async def test_clients_and_connections_are_limited(start: Start) -> None:
    simulator = await start(clients_max=2, connections_max=3)
    ready = [await Raw.ready(simulator, client_id) for client_id in (1, 2)]
    await ready[1].hear_until("9")
    third = await Raw.ready(simulator, 3)
    assert (await third.hear())[3:5] == ["322", "Maximum number of clients (2) is connected"]
    await third.rest()
    waiting = [await Raw.open(simulator) for _ in range(2)]
    assert await waiting[1].rest() == b""


async def test_a_client_that_does_not_read_is_cut_off(
    start: Start, order: Callable[..., PlaceOrder]
) -> None:
    simulator = await start(write_buffer_bytes_max=10_000)
    raw = await Raw.ready(simulator, 3)
    contract = order(1).contract
    request = HistoricalDataRequest(
        1, contract, False, "", "30 mins", "2 D", True, "TRADES", 1, False
    )
    frame = encode_frame(encode_request(request, 178))
    raw.writer.transport.get_extra_info("socket").setsockopt(1, 8, 4096)
    raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
    raw.writer.write(frame * 20_000)
    await until(lambda: 3 not in simulator.exchange.clients)


async def test_one_clients_trade_reaches_another_clients_positions(
    start: Start, order: Callable[..., PlaceOrder]
) -> None:
    simulator = await start()
    one, two = [await Raw.ready(simulator, client_id) for client_id in (1, 2)]
    two.say(*encode_request(PositionsRequest(), 178))
    assert (await two.hear_until("61"))[-2] == "50"
    one.say(*encode_request(order(1), 178))
    assert (await two.hear_until("61"))[-2] == "60"


async def heard_bytes(book: BarBook, now: datetime, frames: bytes) -> bytes:
    """What a client hears until the answer to its question for the time, as it was sent."""
    async with Simulator(Exchange(book, ExchangeOptions(seed=7)), VirtualClock(now)) as simulator:
        raw = await Raw.ready(simulator, 3)
        raw.writer.write(frames + encode_frame(["49", "1"]))
        heard: list[list[str]] = []
        while not heard or heard[-1][0] != "49":
            heard.append(await raw.hear())
    return b"".join(encode_frame(fields) for fields in heard)


async def test_the_same_bytes_in_give_the_same_bytes_out(
    book: BarBook, at: At, order: Callable[..., PlaceOrder]
) -> None:
    requests = (PositionsRequest(), order(1), order(2, action="SELL"), order(2))
    frames = b"".join(encode_frame(encode_request(item, 178)) for item in requests)
    once = await heard_bytes(book, at("10:00"), frames)
    assert once == await heard_bytes(book, at("10:00"), frames)
    assert len(once) > 1000


async def test_time_and_hands_move_the_broker(start: Start, at: At) -> None:
    simulator = await start(master_client_id=4)
    master = await Raw.ready(simulator, 4)
    await simulator.advance_to(at("10:30"))
    await simulator.trade_by_hand("SPY", Decimal(3))
    details = await master.hear_until("11")
    assert details[15] == "20251212 10:30:00 US/Eastern"
    with pytest.raises(ValueError, match="cannot go back"):
        await simulator.advance_to(at("10:00"))


async def test_a_running_clock_moves_the_broker_by_itself(exchange: Exchange, at: At) -> None:
    ticks = iter(range(10**6))
    clock = VirtualClock(at("10:00"), speed=600, monotonic=lambda: float(next(ticks)))
    options = ServerOptions(tick_seconds=0.001)
    async with Simulator(exchange, clock, options) as simulator:
        raw = await Raw.ready(simulator, 3)
        raw.say("1", "11", "5", "756733", *[""] * 6, "SMART", *[""] * 4, "0", "", "0", "0", "")
        await raw.hear_until("1")
        assert (await raw.hear_until("1"))[2] == "5"


async def test_a_cut_is_a_reset_on_the_wire_not_an_end(start: Start) -> None:
    """A killed gateway's kernel resets; a client must not take it for a polite farewell."""
    simulator = await start()
    raw = await Raw.ready(simulator, 3)
    await raw.hear_until("9")
    simulator.faults.connection_reset()
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(LIMIT_SECONDS):
            await raw.reader.read()


async def test_a_restart_frees_the_port_and_takes_it_again(start: Start, at: At) -> None:
    simulator = await start()
    raw, port = await Raw.ready(simulator, 3), simulator.port
    await simulator.restart()
    await raw.rest()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await simulator.advance_to(at("10:01"))
    assert (simulator.port, (await (await Raw.ready(simulator, 3)).hear())[0]) == (port, "15")


async def test_it_ends_while_a_connection_is_being_accepted(exchange: Exchange, at: At) -> None:
    async with Simulator(exchange, VirtualClock(at("10:00"))) as simulator:
        with socket.create_connection(("127.0.0.1", simulator.port)) as client:
            await asyncio.sleep(0)
    assert client.fileno() == -1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", ""])
def test_only_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        ServerOptions(host=host)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pacing": "often"},
        {"messages_per_second_max": 0},
        {"tick_seconds": 0},
        {"tick_seconds": math.inf},
        {"tick_seconds": math.nan},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is none of|at least one message|cannot tick"):
        ServerOptions(**wrong)


def test_a_simulator_that_does_not_listen_has_no_port(exchange: Exchange, at: At) -> None:
    with pytest.raises(RuntimeError, match="not listening"):
        _ = Simulator(exchange, VirtualClock(at("10:00"))).port


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not holds():
            await asyncio.sleep(timedelta(milliseconds=2).total_seconds())
