"""The simulator through its socket, beside a bare echo and beside ib_async.

Three clients take turns at fresh processes: a bare asyncio client at the simulator; the same
client at an echo that answers each order with as many bytes as the simulator does; and ib_async at
the simulator. CPU seconds are those of the process named.
"""

import asyncio
import logging
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ib_async
from ib_async.ib import StartupFetch

from infra.bench import cycles
from infra.bench.figures import BenchFailed
from infra.local.processes import Child

HOST: Final = "127.0.0.1"
IN_FLIGHT: Final = 50
"""Orders sent and not yet ended: enough that no side waits for the other's turn."""
PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class WireRun:
    """One client's run: wall seconds, and CPU seconds of the server and of the client."""

    orders: int
    seconds: float
    server_seconds: float
    client_seconds: float
    received_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Market:
    """Where the simulator takes its bars from, and what is traded."""

    bars: Path
    symbol: str


class _Client(asyncio.Protocol):
    """Sends orders, `IN_FLIGHT` at a time, until all have ended."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames
        self._sent = 0
        self._greeted = False
        self.counter = cycles.CycleCounter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(cycles.hello())

    def data_received(self, data: bytes) -> None:
        if not self._greeted:
            self._greeted = True
            self._transport.write(cycles.start())
        else:
            self.counter.feed(data)
        self._fill_up()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(BenchFailed(f"the server hung up: {error}"))

    def _fill_up(self) -> None:
        upto = min(self.counter.ended + IN_FLIGHT, len(self._frames))
        if upto > self._sent:
            self._transport.write(b"".join(self._frames[self._sent : upto]))
            self._sent = upto
        if self.counter.ended == len(self._frames) and not self.done.done():
            self.done.set_result(None)


async def bare_client(market: Market, orders: int) -> WireRun:
    """The bare client at the simulator."""
    async with _simulator(market) as (port, pid):
        return await _bare(port, pid, market.symbol, orders)


async def echo(market: Market, orders: int, answer_bytes: int) -> WireRun:
    """The bare client at an echo of so many bytes a life cycle."""
    command = (sys.executable, "-m", "infra.bench.echo", str(answer_bytes))
    async with _child("echo", command) as (port, pid):
        return await _bare(port, pid, market.symbol, orders)


async def _bare(port: int, pid: int, symbol: str, orders: int) -> WireRun:
    frames = [cycles.order(number, symbol) for number in range(1, orders + 1)]
    loop = asyncio.get_running_loop()
    server, began, mine = cpu_seconds(pid), time.perf_counter(), time.process_time()
    transport, client = await loop.create_connection(lambda: _Client(frames), HOST, port)
    await asyncio.wait_for(client.done, PATIENCE_SECONDS)
    run = WireRun(
        orders,
        time.perf_counter() - began,
        cpu_seconds(pid) - server,
        time.process_time() - mine,
        client.counter.received,
    )
    transport.abort()
    return run


async def ib_async_client(market: Market, orders: int) -> WireRun:
    """ib_async at the simulator, its throttle off, as many orders in flight."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    async with _simulator(market) as (port, pid):
        ib = ib_async.IB()
        ib.client.setConnectOptions("")
        ib.client.MaxRequests = 0
        fields = StartupFetch.POSITIONS | StartupFetch.ACCOUNT_UPDATES
        await ib.connectAsync(HOST, port, cycles.CLIENT_ID, fetchFields=fields)
        try:
            return await _drive(ib, pid, market.symbol, orders)
        finally:
            ib.disconnect()


async def _drive(ib: ib_async.IB, pid: int, symbol: str, orders: int) -> WireRun:
    contract = ib_async.Stock(symbol, "SMART", "USD")
    room, done, ended = asyncio.Semaphore(IN_FLIGHT), asyncio.Event(), 0

    def on_commission(*_: object) -> None:
        nonlocal ended
        ended += 1
        room.release()
        if ended == orders:
            done.set()

    ib.commissionReportEvent += on_commission
    server, began, mine = cpu_seconds(pid), time.perf_counter(), time.process_time()
    for number in range(1, orders + 1):
        await room.acquire()
        order = ib_async.MarketOrder("BUY" if number % 2 else "SELL", 1, tif="DAY")
        ib.placeOrder(contract, order)
    await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
    seconds = time.perf_counter() - began
    return WireRun(orders, seconds, cpu_seconds(pid) - server, time.process_time() - mine)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far. Raises `BenchFailed` where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError as error:
        raise BenchFailed("CPU seconds of another process need /proc") from error
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def _simulator(market: Market) -> AsyncIterator[tuple[int, int]]:
    options = ("--bars", str(market.bars), "--port", "0", "--speed", "0")
    command = (sys.executable, "-m", "gateway.simulator", *options)
    async with _child("simulator", command) as found:
        yield found


@asynccontextmanager
async def _child(name: str, command: tuple[str, ...]) -> AsyncIterator[tuple[int, int]]:
    child = Child(name, command)
    port = await child.start(os.environ, re.compile(r"listens on \S+:(\d+)"))
    try:
        yield int(port), child.pid
    finally:
        await child.stop()
