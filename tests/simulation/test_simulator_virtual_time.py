"""The unmodified ib_async and the unmodified simulator on one loop of virtual time.

No socket and no wall clock: a trading day takes as long as the work in it, and twice the same day
is twice the same bytes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, MarketOrder, Stock, Trade

from gateway.core.broker import Connection
from gateway.session import BrokerUnavailable, Session, SessionSettings
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.outages import OutagePlan
from gateway.simulator.server import ServerOptions, Simulator
from gateway.simulator.virtual_loop import Deadlock, VirtualTimeLoop, run_virtual
from gateway.simulator.virtual_network import Network

OPEN = datetime.combine(date(2025, 12, 12), time(9, 30), ZoneInfo("America/New_York"))
BARS = 13
SPY = Stock("SPY", "SMART", "USD", conId=756733)
Story = Callable[[Simulator, IB], Awaitable[None]]
RESET = pytest.mark.ib_async_errors_expected("ib_async logs a reset of its connection")


def book() -> BarBook:
    """Thirteen half hours from 600 on, each 1 higher."""
    rows = [
        Row(
            (OPEN + timedelta(minutes=30 * index)).astimezone(UTC),
            (price, price + 2, price - 2, price + 1, Decimal(10_000)),
            str(index),
        )
        for index, price in enumerate(map(Decimal, range(600, 600 + BARS)))
    ]
    return BarBook({("SPY", "30 mins"): rows})


def played(story: Story, network: Network | None = None, **options: Any) -> Simulator:
    """Play a story from the opening on, with one client connected; returns the simulator."""

    async def main(loop: VirtualTimeLoop) -> Simulator:
        server = ServerOptions(tick_seconds=None, **options)
        async with Simulator(Exchange(book(), ExchangeOptions(seed=7)), loop.clock(), server) as it:
            ib = await connected(it)
            await story(it, ib)
            ib.disconnect()
            await asyncio.sleep(1)
        return it

    return run_virtual(main, OPEN, network)


async def connected(simulator: Simulator) -> IB:
    ib = IB()
    ib.RaiseRequestErrors = True
    await ib.connectAsync("127.0.0.1", simulator.port, 1, timeout=15, raiseSyncErrors=True)
    return ib


async def settled(trade: Trade) -> None:
    """Wait, in virtual time, until a trade is done and paid for."""
    async with asyncio.timeout(60):
        while not (trade.isDone() and all(fill.commissionReport.execId for fill in trade.fills)):
            await asyncio.sleep(0.01)


async def a_day(simulator: Simulator, ib: IB) -> None:
    """Buys in the morning, sells in the afternoon, an order per bar."""
    for index in range(BARS):
        side = "BUY" if index < 6 else "SELL"
        await settled(ib.placeOrder(SPY, MarketOrder(side, 10, tif="DAY")))
        bar_end = OPEN + timedelta(minutes=30 * (index + 1))
        await asyncio.sleep((bar_end - simulator.clock.now()).total_seconds())


def test_an_order_is_filled_and_paid_for() -> None:
    async def story(simulator: Simulator, ib: IB) -> None:
        trade = ib.placeOrder(SPY, MarketOrder("BUY", 10, tif="DAY"))
        await settled(trade)
        (fill,) = trade.fills
        assert (fill.execution.price, fill.commissionReport.commission) == (600.01, 1.0)
        assert [item.position for item in ib.positions()] == [10]

    played(story)


@pytest.mark.ib_async_errors_expected("ib_async logs the cancel of its lost request as an error")
def test_a_minute_of_waiting_for_a_lost_answer_takes_no_time() -> None:
    async def story(simulator: Simulator, ib: IB) -> None:
        simulator.faults.unanswered_requests(kind="historical_data")
        before = asyncio.get_running_loop().time()
        bars = await ib.reqHistoricalDataAsync(SPY, "", "1 D", "30 mins", "TRADES", True)
        assert list(bars) == []
        assert round(asyncio.get_running_loop().time() - before, 3) == 60

    played(story)


def test_a_trading_day_has_an_order_in_every_bar() -> None:
    async def story(simulator: Simulator, ib: IB) -> None:
        await a_day(simulator, ib)
        times = [fill.execution.time.astimezone(UTC) for fill in ib.fills()]
        assert times == [OPEN + timedelta(minutes=30 * index) for index in range(BARS)]
        assert [fill.execution.price for fill in ib.fills()][:2] == [600.01, 601.01]
        assert simulator.clock.now() == OPEN + timedelta(hours=6.5)

    assert played(story).exchange.positions == {"SPY": Decimal(-10)}


def test_the_same_day_twice_is_the_same_bytes_both_ways() -> None:
    networks = Network(is_recorded=True), Network(is_recorded=True)
    for network in networks:
        played(a_day, network)
    assert networks[0].segments == networks[1].segments
    assert len(networks[0].said(1, to_server=False)) > 20_000


def test_latency_delays_and_changes_nothing_else() -> None:
    slow = Network(latency_seconds=0.05)
    assert played(a_day, slow).exchange.positions == {"SPY": Decimal(-10)}


def test_ib_asyncs_own_throttle_keeps_below_the_limit() -> None:
    """ib.md section 4: it sends at most 45 messages a second, of the 50 that are allowed."""

    async def story(simulator: Simulator, ib: IB) -> None:
        before = asyncio.get_running_loop().time()
        trades = [ib.placeOrder(SPY, MarketOrder("BUY", 1, tif="DAY")) for _ in range(200)]
        for trade in trades:
            await settled(trade)
        assert 4 <= asyncio.get_running_loop().time() - before < 6
        assert simulator.exchange.positions == {"SPY": Decimal(200)}

    played(story, pacing="reject")


@pytest.mark.ib_async_errors_expected("ib_async logs the refusal 100 as an error")
def test_without_its_throttle_it_is_refused_and_its_orders_wait_for_ever() -> None:
    """ib.md 2.1, row 20: refused orders stay PendingSubmit."""

    async def story(simulator: Simulator, ib: IB) -> None:
        refusals: list[tuple[int, int, str]] = []
        ib.errorEvent += lambda *error: refusals.append(error[:3])
        ib.client.MaxRequests = 0
        await asyncio.sleep(2)
        trades = [ib.placeOrder(SPY, MarketOrder("BUY", 1, tif="DAY")) for _ in range(106)]
        await asyncio.sleep(60)
        text = "Max rate of messages per second has been exceeded:max=50 rec=106 (1)"
        assert [item for item in refusals if item[1] == 100] == [(-1, 100, text)]
        states = [trade.orderStatus.status for trade in trades]
        assert [states.count(state) for state in ("Filled", "PendingSubmit")] == [50, 56]

    played(story, pacing="reject")


@RESET
def test_a_client_comes_back_after_the_daily_restart_and_finds_its_fills() -> None:
    """ib.md section 4, after reconnect: executions of today, by orderRef and permId."""

    async def story(simulator: Simulator, ib: IB) -> None:
        order = MarketOrder("BUY", 10, tif="DAY", orderRef="mine")
        trade = ib.placeOrder(SPY, order)
        await settled(trade)
        await asyncio.sleep(3600)
        assert not ib.isConnected()
        again = await connected(simulator)
        (fill,) = again.fills()
        assert (fill.execution.orderRef, fill.execution.permId) == ("mine", trade.order.permId)
        again.disconnect()

    played(story, outages=OutagePlan(restart_at=time(10, 0), restart_seconds=60))


@RESET
def test_our_session_lives_through_a_restart_on_virtual_time() -> None:
    """The gateway's own door to IB: told at the very instant, refused, connected again."""
    told: list[tuple[datetime, Any]] = []

    async def main(loop: VirtualTimeLoop) -> None:
        plan = OutagePlan(restart_at=time(10, 0), restart_seconds=60)
        options = ServerOptions(tick_seconds=None, outages=plan)
        async with Simulator(Exchange(book()), loop.clock(), options) as simulator:
            settings = SessionSettings("127.0.0.1", simulator.port, 7)
            session = Session(
                settings, simulator.clock.now, lambda event: told.append((loop.now(), event))
            )
            await session.connect()
            await asyncio.sleep(30 * 60 + 1)
            with pytest.raises(BrokerUnavailable):
                await session.connect()
            await asyncio.sleep(60)
            await session.connect()
            assert session.account == "DUSIM0001"
            await session.close()

    run_virtual(main, OPEN)
    ups = [(when - OPEN, event.up) for when, event in told if isinstance(event, Connection)]
    assert ups[:2] == [(timedelta(0), True), (timedelta(minutes=30), False)]
    assert [up for _, up in ups].count(True) == 2


@pytest.mark.ib_async_errors_expected("ib_async logs the end of its connection")
def test_what_can_never_come_is_an_error_and_not_a_hang() -> None:
    async def story(simulator: Simulator, ib: IB) -> None:
        simulator.faults.unanswered_requests(kind="contract_details")
        await asyncio.sleep(24 * 3600)  # past the last bar: from here on nothing has a time
        await ib.reqContractDetailsAsync(SPY)

    with pytest.raises(Deadlock, match="nothing is ready"):
        played(story)
