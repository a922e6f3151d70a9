"""Same seed, same bars, same bytes in: the same bytes out, however they were cut and wherever.

A long mixed script: three clients, orders of several types, changes, cancels, questions, faults,
hands, a split, pacing and a restart. Run as a program it prints a digest of all bytes out, so that
another process with another hash seed can be compared.
"""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.fills import number_from
from gateway.simulator.orders.orders import OrderTerms
from gateway.simulator.outages import OutagePlan
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.virtual_loop import VirtualTimeLoop, run_virtual
from gateway.simulator.wire.codec import Hello, encode_frame, encode_hello
from gateway.simulator.wire.messages import encode_request

ROOT = Path(__file__).parents[2]
CLIENTS = (1, 2, 3)
ACTIONS = 600
SYMBOLS = ("SPY", "QQQ")
ZONE = ZoneInfo("America/New_York")
START = datetime.combine(date(2025, 12, 11), time(9, 31), ZONE)
SPAN_SECONDS = 30 * 3600
LIMIT_SECONDS = 120


def book() -> BarBook:
    """Two days of minute-free bars for two symbols, which wander by the seed 0."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for symbol in SYMBOLS:
        price, series = Decimal(500), rows.setdefault((symbol, "30 mins"), [])
        for index in range(26):
            day = START.date() + timedelta(days=index // 13)
            begin = datetime.combine(day, time(9, 30), ZONE) + timedelta(minutes=30 * (index % 13))
            close = price + Decimal(number_from(0, symbol, index) % 400 - 200) / 100
            edges = (price, max(price, close) + 1, min(price, close) - 1, close, Decimal(2000))
            series.append(Row(begin.astimezone(UTC), edges, f"{symbol}:{index}"))
            price = close
    return BarBook(rows)


@dataclass(frozen=True)
class Script:
    """What happens when, drawn from a seed: the frames of the clients in one order."""

    seed: int

    def draw(self, purpose: str, index: int, bound: int) -> int:
        return number_from(self.seed, purpose, index) % bound

    def when(self, index: int) -> float:
        """Seconds since the start: bursts of six, spread over the two days."""
        return SPAN_SECONDS * (index // 6) / (ACTIONS // 6) + 0.001 * (index % 6)

    def client(self, index: int) -> int:
        return CLIENTS[self.draw("client", index, len(CLIENTS))]

    def request(self, index: int) -> Any:
        contract = Contract(
            symbol=SYMBOLS[self.draw("symbol", index, 2)],
            security_type="STK",
            exchange="SMART",
            currency="USD",
        )
        made = (self._order, self._order, self._order, self._change, self._question)
        return made[self.draw("kind", index, len(made))](index, contract)

    def _order(self, index: int, contract: Contract) -> Any:
        kind = ("MKT", "LMT", "STP", "MKT")[self.draw("type", index, 4)]
        price = Decimal(490 + self.draw("price", index, 20))
        terms = OrderTerms(
            action=("BUY", "SELL")[self.draw("side", index, 2)],
            quantity=Decimal(1 + self.draw("size", index, 90)),
            order_type=kind,
            limit_price=price if kind == "LMT" else None,
            aux_price=price if kind == "STP" else None,
            tif=("DAY", "GTC")[self.draw("tif", index, 2)],
            order_ref=f"ref-{index}",
            what_if=self.draw("what if", index, 8) == 0,
        )
        return q.PlaceOrder(1000 + index, contract, terms)

    def _change(self, index: int, contract: Contract) -> Any:
        earlier = 1000 + self.draw("earlier", index, max(index, 1))
        if self.draw("cancel", index, 3):
            return q.CancelOrder(earlier)
        return q.PlaceOrder(earlier, contract, OrderTerms(quantity=Decimal(7), order_ref="new"))

    def _question(self, index: int, contract: Contract) -> Any:
        questions = (
            q.PositionsRequest(),
            q.AllOpenOrdersRequest(),
            q.CompletedOrdersRequest(False),
            q.ExecutionsRequest(index, 0, "", "", "", "", "", ""),
            q.AccountUpdatesRequest(True, ""),
            q.AccountSummaryRequest(index, "All", "NetLiquidation,$LEDGER:ALL"),
            q.CurrentTimeRequest(),
        )
        return questions[self.draw("question", index, len(questions))]


async def connected(simulator: Simulator, client_id: int) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    writer, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", simulator.port)
    writer.write(encode_hello(Hello(157, 178)) + encode_frame(["71", "2", str(client_id), ""]))
    return writer


async def say(writer: asyncio.Transport, frame: bytes, pieces: int) -> None:
    """Send a frame in so many pieces, the last one on time."""
    size = -(-len(frame) // pieces)
    for begin in range(0, len(frame), size):
        if begin:
            await asyncio.sleep(0)
        writer.write(frame[begin : begin + size])


async def trouble(simulator: Simulator, at: int) -> None:
    """One fault after the other, and what somebody at TWS or the world does."""
    faults = simulator.faults
    troubles: tuple[Callable[[], object], ...] = (
        lambda: faults.latency(seconds=0.2),
        lambda: faults.duplicated_statuses(probability=0.3),
        lambda: faults.silent_loss(after="booking", order=2),
        lambda: faults.missing_commissions(probability=0.2),
        lambda: faults.commission_before_execution(probability=0.5),
        lambda: faults.link_lost(),
        lambda: faults.locate_hold(),
    )
    if at < len(troubles):
        troubles[at]()
    else:
        await simulator.act(partial(simulator.exchange.actions.split, "QQQ", Decimal(2)))


async def play(simulator: Simulator, script: Script, pieces: int) -> None:
    loop = asyncio.get_running_loop()
    writers: dict[int, asyncio.Transport] = {}
    for index in range(ACTIONS):
        await asyncio.sleep(max(script.when(index) - loop.time(), 0))
        for client_id in CLIENTS:
            if client_id not in writers or writers[client_id].is_closing():
                writers[client_id] = await connected(simulator, client_id)
                await asyncio.sleep(0.0001)
        if index % 75 == 5:
            await trouble(simulator, index // 75)
        frame = encode_frame(encode_request(script.request(index), 178))
        await say(writers[script.client(index)], frame, pieces)
    await asyncio.sleep(3600)
    for writer in writers.values():
        writer.close()


def said(seed: int = 7, pieces: int = 1) -> list[bytes]:
    """All that each connection heard, in the order of the connections."""

    async def main(loop: VirtualTimeLoop) -> list[bytes]:
        loop.network.is_recorded = True
        holding = InitialHolding("SPY", Decimal(50), Decimal(490))
        options = ExchangeOptions(
            holdings=(holding,), seed=seed, executions_quantity_max=Decimal(30)
        )
        plan = OutagePlan(restart_at=time(12, 0), restart_seconds=0.5, restart_ids_back=3)
        server = ServerOptions(tick_seconds=None, master_client_id=3, pacing="pace", outages=plan)
        async with Simulator(Exchange(book(), options), loop.clock(), server) as simulator:
            await play(simulator, Script(seed), pieces)
        numbers = range(1, loop.network.connections + 1)
        return [loop.network.said(number, to_server=False) for number in numbers]

    return run_virtual(main, START)


def frames(heard: bytes) -> Iterator[list[str]]:
    """The fields of each whole message."""
    while len(heard) >= 4:
        end = 4 + int.from_bytes(heard[:4], "big")
        yield heard[4:end].decode().split("\0")
        heard = heard[end:]


def digest(heard: list[bytes]) -> str:
    return " ".join(hashlib.sha256(each).hexdigest() for each in heard)


def test_the_script_is_long_mixed_and_depends_on_the_seed() -> None:
    heard = said()
    messages = [fields for each in heard for fields in frames(each)]
    assert len(heard) >= 2 * len(CLIENTS)  # the restart of each noon made them connect again
    assert sum(map(len, heard)) > 300_000
    assert {fields[0] for fields in messages} >= set(
        ["3", "4", "5", "11", "49", "53", "55", "59", "61", "62", "101"]
    )
    codes = {fields[3] for fields in messages if fields[0] == "4"}
    assert codes >= {"202", "1100", "1102", "10147"}
    assert heard != said(seed=8)


def test_the_same_bytes_in_other_pieces_give_the_same_bytes_out() -> None:
    whole = said()
    assert said(pieces=3) == whole
    assert said(pieces=50) == whole


def test_another_process_with_another_hash_seed_says_the_same() -> None:
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.stdout.strip() == digest(said())


if __name__ == "__main__":
    print(digest(said()))
