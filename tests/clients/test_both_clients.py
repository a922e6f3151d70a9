"""One script, played by ib_async and by the official client: a second opinion on our reading of IB.

Each client plays the same steps against a simulator of its own that begins in the same state, so
what they say must be the same word for word, although one speaks server version 178 and the other
157.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, LimitOrder, MarketOrder, Stock

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.server import ServerOptions, Simulator

DRIVER = Path(__file__).with_name("drive_ibapi.py")
TIMEOUT_SECONDS = 20
ACCOUNT = "DUSIM0001"
OPEN = datetime.combine(date(2025, 12, 12), time(9, 30), ZoneInfo("America/New_York"))
NOW = OPEN + timedelta(minutes=30)

Step = tuple[str, dict[str, Any]]
STEPS: list[Step] = [
    ("connect", {"client_id": 1}),
    ("contract_details", {}),
    ("historical_bars", {"duration": "1 D", "size": "30 mins"}),
    ("account_values", {"tags": ["NetLiquidation", "TotalCashValue", "CashBalance"]}),
    ("positions", {}),
    ("what_if", {"quantity": 10}),
    ("snapshot", {}),
    ("fill_market_order", {"quantity": 10, "ref": "filled"}),
    ("rest_and_cancel", {"price": 590, "ref": "cancelled"}),
    ("executions", {}),
    ("completed_orders", {}),
    ("disconnect", {}),
    ("connect", {"client_id": 1}),
    ("positions", {}),
    ("executions", {}),
    ("completed_orders", {}),
]


def spy_bars() -> list[Row]:
    """Thirteen half hours from 600 on, each 1 higher."""
    return [
        Row(
            (OPEN + timedelta(minutes=30 * index)).astimezone(UTC),
            (price, price + 2, price - 2, price + 1, Decimal(1000)),
            str(index),
        )
        for index, price in enumerate(Decimal(600 + index) for index in range(13))
    ]


def simulator() -> Simulator:
    """A new one, always in the same state: 50 SPY, half an hour into the day."""
    holding = InitialHolding("SPY", Decimal(50), Decimal(590))
    book = BarBook({("SPY", "30 mins"): spy_bars()})
    exchange = Exchange(book, ExchangeOptions(holdings=(holding,), seed=7))
    return Simulator(exchange, VirtualClock(NOW), ServerOptions())


class Driver:
    """The steps with ib_async; drive_ibapi.py has the same verbs with the official client."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ib = IB()
        self.order_id = 0
        self.spy = Stock("SPY", "SMART", "USD")

    async def connect(self, client_id: int) -> Any:
        self.ib = IB()
        self.ib.RaiseRequestErrors = True
        await self.ib.connectAsync("127.0.0.1", self.port, client_id, raiseSyncErrors=True)
        order_id = self.ib.client._reqIdSeq
        grew, self.order_id = order_id > self.order_id, order_id
        return {"accounts": self.ib.managedAccounts(), "order_ids_go_on": grew}

    async def disconnect(self) -> Any:
        self.order_id = self.ib.client._reqIdSeq - 1
        self.ib.disconnect()
        return self.ib.isConnected()

    async def contract_details(self) -> Any:
        found = await self.ib.reqContractDetailsAsync(self.spy)
        self.spy = Stock("SPY", "SMART", "USD", conId=getattr(found[0].contract, "conId", 0))
        return [
            [d.contract.conId, d.contract.symbol, d.minTick, d.timeZoneId, d.longName]
            for d in found
            if d.contract is not None
        ]

    async def historical_bars(self, duration: str, size: str) -> Any:
        bars = await self.ib.reqHistoricalDataAsync(self.spy, "", duration, size, "TRADES", True, 2)
        return [
            [int(b.date.timestamp()), b.open, b.high, b.low, b.close, b.volume]
            for b in bars
            if isinstance(b.date, datetime)
        ]

    async def account_values(self, tags: list[str]) -> Any:
        rows = self.ib.accountValues(ACCOUNT)
        return {f"{row.tag} {row.currency}": row.value for row in rows if row.tag in tags}

    async def positions(self) -> Any:
        rows = await self.ib.reqPositionsAsync()
        self.ib.client.cancelPositions()  # type: ignore[no-untyped-call]
        return [[row.contract.symbol, row.position, row.avgCost] for row in rows]

    async def what_if(self, quantity: int) -> Any:
        order = MarketOrder("BUY", quantity, tif="DAY", orderRef="asked")
        state = await self.ib.whatIfOrderAsync(self.spy, order)
        return [state.initMarginBefore, state.initMarginChange, state.commission]

    async def snapshot(self) -> Any:
        (ticker,) = await self.ib.reqTickersAsync(self.spy)
        return [ticker.bid, ticker.ask, ticker.last]

    async def fill_market_order(self, quantity: int, ref: str) -> Any:
        order = MarketOrder("BUY", quantity, tif="DAY", orderRef=ref)
        trade = self.ib.placeOrder(self.spy, order)
        await until(lambda: trade.isDone() and all(f.commissionReport.execId for f in trade.fills))
        (fill,) = trade.fills
        execution, report = fill.execution, fill.commissionReport
        return [execution.orderRef, execution.shares, execution.price, report.commission]

    async def rest_and_cancel(self, price: float, ref: str) -> Any:
        codes: list[int] = []
        self.ib.errorEvent += lambda _id, code, *_: codes.append(code)
        order = LimitOrder("BUY", 10, price, tif="DAY", orderRef=ref)
        trade = self.ib.placeOrder(self.spy, order)
        await until(lambda: trade.orderStatus.status == "Submitted")
        resting = trade.orderStatus.status
        self.ib.cancelOrder(order)
        await until(lambda: trade.isDone() and codes)
        return [resting, trade.orderStatus.status, codes]

    async def executions(self) -> Any:
        fills = await self.ib.reqExecutionsAsync()
        return [
            [f.contract.symbol, e.side, e.shares, e.price, e.orderRef, e.execId]
            for f in fills
            for e in (f.execution,)
        ]

    async def completed_orders(self) -> Any:
        trades = await self.ib.reqCompletedOrdersAsync(False)
        rows = [(trade.order, trade.orderStatus.status) for trade in trades]
        return sorted([o.orderRef, status, float(o.filledQuantity)] for o, status in rows)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


async def by_ib_async(port: int) -> list[Any]:
    driver = Driver(port)
    try:
        said = [await getattr(driver, verb)(**arguments) for verb, arguments in STEPS]
    finally:
        driver.ib.disconnect()
    return list(json.loads(json.dumps(said)))


async def by_ibapi(python: Path, port: int) -> list[Any]:
    process = await asyncio.create_subprocess_exec(
        python, DRIVER, str(port), json.dumps(STEPS),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()[-3000:]
    return [json.loads(line) for line in out.splitlines()]


def check(said: list[Any]) -> None:
    """What the script must bring forth, whoever plays it."""
    heard: dict[str, list[Any]] = {}
    for (verb, _), answer in zip(STEPS, said, strict=True):
        heard.setdefault(verb, []).append(answer)
    assert heard["connect"] == [{"accounts": [ACCOUNT], "order_ids_go_on": True}] * 2
    assert heard["disconnect"] == [False]
    assert heard["contract_details"] == [
        [[756733, "SPY", 0.01, "US/Eastern", "SPDR S&P 500 ETF TRUST"]]
    ]
    first, forming = heard["historical_bars"][0]
    assert first == [int(OPEN.timestamp()), 600, 602, 598, 601, 1000]
    assert forming == [int(NOW.timestamp()), 601, 601, 601, 601, 0]
    assert "NetLiquidation USD" in heard["account_values"][0]
    ((before,), (after,)) = heard["positions"]
    assert (before, after[:2]) == (["SPY", 50, 590], ["SPY", 60])
    bid, ask, last = heard["snapshot"][0]
    assert bid < last < ask
    ref, shares, price, commission = heard["fill_market_order"][0]
    assert (ref, shares, price, commission) == ("filled", 10, ask, 1)
    assert heard["rest_and_cancel"] == [["Submitted", "Cancelled", [202]]]
    now, later = heard["executions"]
    assert [row[:5] for row in now] == [["SPY", "BOT", 10, price, "filled"]]
    assert later == now
    done = [["cancelled", "Cancelled", 0], ["filled", "Filled", 10]]
    assert heard["completed_orders"] == [done, done]
    assert all(float(number) > 0 for number in heard["what_if"][0])


NOTED = pytest.mark.ib_async_errors_expected("ib_async logs the notice 202 as an error")


@NOTED
async def test_ib_async_plays_the_script() -> None:
    async with simulator() as running:
        check(await by_ib_async(running.port))


@NOTED
async def test_the_official_client_hears_the_same_word_for_word(official_python: Path) -> None:
    async with simulator() as running:
        said = await by_ibapi(official_python, running.port)
    check(said)
    async with simulator() as another:
        assert said == await by_ib_async(another.port)
