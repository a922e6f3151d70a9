"""The real ib_async 2.1.0 over a real socket against the simulator.

Whatever ib_async cannot decode it swallows into its log, so any ERROR of its fails a test (see
tests/conftest.py); it also logs each refusal of ours as one, which tests that mean it say.
"""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, Contract, LimitOrder, MarketOrder, Stock, TagValue, Trade

from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.server import ServerOptions, Simulator
from tests.integration.clients import TIMEOUT_SECONDS, Connect, until

MASTER = 9
OPEN = datetime.combine(date(2025, 12, 12), time(9, 30), ZoneInfo("America/New_York"))
NOW = OPEN + timedelta(minutes=30)
CANCELLED = pytest.mark.ib_async_errors_expected("ib_async logs the notice 202 as an error")
SPY = Stock("SPY", "SMART", "USD", conId=756733)


def spy_bars() -> list[Row]:
    """Thirteen half hours from 600 on, each 1 higher."""
    prices = [Decimal(600 + index) for index in range(13)]
    return [
        Row(
            (OPEN + timedelta(minutes=30 * index)).astimezone(UTC),
            (price, price + 2, price - 2, price + 1, Decimal(1000)),
            str(index),
        )
        for index, price in enumerate(prices)
    ]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    holding = InitialHolding("SPY", Decimal(50), Decimal(590))
    options = ExchangeOptions(holdings=(holding,), seed=7, executions_quantity_max=Decimal(30))
    exchange = Exchange(BarBook({("SPY", "30 mins"): spy_bars()}), options)
    server = ServerOptions(master_client_id=MASTER)
    async with Simulator(exchange, VirtualClock(NOW), server) as running:
        yield running


def paid(trade: Trade) -> bool:
    """Whether each execution of a finished trade has its commission."""
    return trade.isDone() and all(fill.commissionReport.execId for fill in trade.fills)


async def test_connecting_brings_account_positions_and_portfolio(ib: IB) -> None:
    assert ib.client.serverVersion() == 178
    assert ib.managedAccounts() == ["DUSIM0001"]
    values = {(row.tag, row.currency): row.value for row in ib.accountValues("DUSIM0001")}
    assert values["NetLiquidation", "USD"] == "1030050.00"
    (position,) = ib.positions()
    assert (position.contract.conId, position.position, position.avgCost) == (756733, 50, 590)
    assert [item.marketPrice for item in ib.portfolio()] == [601]


async def test_contract_details_tell_tick_rule_and_hours(ib: IB) -> None:
    (details,) = await ib.reqContractDetailsAsync(Stock("SPY", "SMART", "USD"))
    assert details.contract is not None
    assert (details.contract.conId, details.minTick) == (756733, 0.01)
    assert details.timeZoneId == "US/Eastern"
    assert details.liquidHours.startswith("20251212:0930-20251212:1600;20251213:CLOSED")
    rule = await ib.reqMarketRuleAsync(int(details.marketRuleIds.split(",")[0]))
    assert [(step.lowEdge, step.increment) for step in rule or ()] == [(0, 0.01)]


async def test_a_contract_is_found_by_its_id_and_by_its_local_symbol(ib: IB) -> None:
    wanted = (
        Contract(conId=756733),
        Contract(secType="STK", localSymbol="SPY", exchange="SMART", primaryExchange="ARCA"),
    )
    for contract in wanted:
        (details,) = await ib.reqContractDetailsAsync(contract)
        assert details.contract is not None
        assert details.contract.symbol == "SPY"


async def test_historical_bars_end_with_the_forming_one(ib: IB) -> None:
    bars = await ib.reqHistoricalDataAsync(SPY, "", "1 D", "30 mins", "TRADES", True, 2)
    assert [bar.date for bar in bars] == [OPEN, NOW]
    assert (bars[0].close, bars[1].open, bars[1].volume) == (601, 601, 0)


async def test_daily_bars_are_dated(ib: IB) -> None:
    bars = await ib.reqHistoricalDataAsync(SPY, NOW, "1 Y", "1 day", "TRADES", True, 1)
    assert [bar.date for bar in bars] == [date(2025, 12, 12)]


async def test_a_snapshot_has_bid_ask_and_last(ib: IB) -> None:
    (ticker,) = await ib.reqTickersAsync(SPY)
    assert (ticker.bid, ticker.ask, ticker.last) == (600.99, 601.01, 601)


async def test_a_stream_follows_the_market(ib: IB, simulator: Simulator) -> None:
    ticker = ib.reqMktData(SPY)
    await until(lambda: ticker.last == 601)
    await simulator.advance_to(NOW + timedelta(minutes=30))
    await until(lambda: ticker.last == 602)
    ib.cancelMktData(SPY)


async def test_a_what_if_has_margins_and_places_nothing(ib: IB) -> None:
    state = await ib.whatIfOrderAsync(SPY, MarketOrder("BUY", 10, tif="DAY"))
    assert (state.initMarginBefore, state.initMarginChange) == ("15025", "3005")
    assert state.commission == 1
    assert ib.openTrades() == []


async def test_a_market_order_lives_to_its_commission(ib: IB) -> None:
    order = MarketOrder("BUY", 10, tif="DAY", orderRef="ref-7")
    trade = ib.placeOrder(SPY, order)
    await until(lambda: paid(trade))
    (fill,) = trade.fills
    assert [entry.status for entry in trade.log] == [
        "PendingSubmit",
        "PreSubmitted",
        "PreSubmitted",
        "Filled",
    ]
    assert (fill.execution.price, fill.execution.orderRef) == (601.01, "ref-7")
    assert fill.execution.time == NOW
    assert fill.commissionReport.commission == 1
    await until(lambda: ib.positions()[0].position == 60)


async def test_a_large_order_fills_in_parts(ib: IB) -> None:
    trade = ib.placeOrder(SPY, MarketOrder("BUY", 100, tif="DAY"))
    await until(lambda: paid(trade))
    assert len(trade.fills) > 1
    assert trade.filled() == trade.orderStatus.filled == 100
    assert sum(fill.commissionReport.commission for fill in trade.fills) == 1


async def test_an_adaptive_order_keeps_its_parameters(ib: IB) -> None:
    parameters = [TagValue("adaptivePriority", "Normal")]
    order = MarketOrder("BUY", 10, tif="DAY", algoStrategy="Adaptive", algoParams=parameters)
    trade = ib.placeOrder(SPY, order)
    await until(trade.isDone)
    assert trade.orderStatus.status == "Filled"


@CANCELLED
async def test_a_limit_order_rests_and_is_cancelled(ib: IB) -> None:
    trade = ib.placeOrder(SPY, LimitOrder("BUY", 10, 590, tif="DAY"))
    await until(lambda: trade.orderStatus.status == "Submitted")
    assert [item.order.lmtPrice for item in await ib.reqAllOpenOrdersAsync()] == [590]
    ib.cancelOrder(trade.order)
    await until(trade.isDone)
    assert trade.orderStatus.status == "Cancelled"
    assert await ib.reqAllOpenOrdersAsync() == []


@CANCELLED
async def test_a_day_order_ends_at_the_close(ib: IB, simulator: Simulator) -> None:
    trade = ib.placeOrder(SPY, LimitOrder("BUY", 10, 500, tif="DAY"))
    await until(lambda: trade.orderStatus.status == "Submitted")
    await simulator.advance_to(OPEN + timedelta(hours=6, minutes=30))
    await until(trade.isDone)
    assert trade.log[-1].errorCode == 202 or trade.orderStatus.status == "Cancelled"


@pytest.mark.ib_async_errors_expected("the refusal 10243 is what is tested")
async def test_a_fraction_of_a_share_is_refused(ib: IB) -> None:
    trade = ib.placeOrder(SPY, MarketOrder("BUY", 1.5, tif="DAY"))
    await until(trade.isDone)
    assert trade.log[-1].errorCode == 10243


async def test_a_reconnected_client_finds_its_fills_and_completed_orders(connect: Connect) -> None:
    first = await connect(1)
    trade = first.placeOrder(SPY, MarketOrder("BUY", 10, tif="DAY", orderRef="ref-7"))
    await until(lambda: paid(trade))
    first.disconnect()
    second = await connect(2)
    assert [item.order.orderRef for item in second.trades()] == ["ref-7"]
    assert second.fills() == []
    second.disconnect()
    again = await connect(1)
    assert [fill.execution.execId for fill in again.fills()] == [trade.fills[0].execution.execId]
    assert again.client.getReqId() > trade.order.orderId
    assert len(await again.reqCompletedOrdersAsync(False)) == 1
    assert len(await again.reqExecutionsAsync()) == 1


async def test_the_master_client_sees_a_trade_made_by_hand(
    connect: Connect, simulator: Simulator
) -> None:
    master, other = await connect(MASTER), await connect(1)
    seen: list[Any] = []
    master.execDetailsEvent += lambda trade, fill: seen.append(fill.execution)
    await simulator.trade_by_hand("SPY", Decimal(-5))
    await until(lambda: seen)
    execution = seen[0]
    assert (execution.orderId, execution.clientId, execution.orderRef) == (0, 0, "")
    assert (execution.side, execution.shares) == ("SLD", 5)
    await until(lambda: other.positions()[0].position == 45)
    assert other.fills() == []


async def test_two_clients_trade_side_by_side(connect: Connect) -> None:
    clients = [await connect(1), await connect(2)]
    trades = [ib.placeOrder(SPY, MarketOrder("BUY", 10, tif="DAY")) for ib in clients]
    await until(lambda: all(paid(trade) for trade in trades))
    assert len({trade.order.permId for trade in trades}) == 2
    await until(lambda: all(ib.positions()[0].position == 70 for ib in clients))


@pytest.mark.ib_async_errors_expected("the refusal 326 is what is tested")
async def test_a_client_id_in_use_is_refused(ib: IB, simulator: Simulator) -> None:
    """ib.md 1.1: 326 and a closed connection; ib_async shows it on errorEvent only."""
    codes: list[int] = []
    second = IB()
    second.errorEvent += lambda request_id, code, *rest: codes.append(code)
    with pytest.raises((TimeoutError, ConnectionError)):
        await second.connectAsync("127.0.0.1", simulator.port, 1, timeout=0.5)
    assert codes == [326]


async def test_the_time_is_the_simulators(ib: IB) -> None:
    assert await ib.reqCurrentTimeAsync() == NOW


async def test_the_account_summary_has_the_tags_that_clients_wait_for(ib: IB) -> None:
    tags = {row.tag for row in await ib.accountSummaryAsync()}
    assert tags >= {"NetLiquidation", "TotalCashValue", "FullAvailableFunds", "FullInitMarginReq"}


@pytest.mark.parametrize("version", [157, 158, 159, 163, 164, 169, 170, 176, 177])
@CANCELLED
async def test_older_layouts_are_understood_too(
    simulator: Simulator, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    """ib.md 2: ib_async was measured at each of these; its decoder must log no exception."""
    with_errors: list[int] = []
    ib = IB()
    ib.client.MaxClientVersion = version
    ib.errorEvent += lambda request_id, code, *rest: with_errors.append(code)
    await ib.connectAsync("127.0.0.1", simulator.port, 1, TIMEOUT_SECONDS, raiseSyncErrors=True)
    assert ib.client.serverVersion() == version
    assert len(await ib.reqContractDetailsAsync(SPY)) == 1
    resting = ib.placeOrder(SPY, LimitOrder("BUY", 10, 590, tif="DAY", orderRef="rest"))
    filling = ib.placeOrder(SPY, MarketOrder("SELL", 10, tif="DAY", orderRef="fill"))
    await until(lambda: paid(filling) and resting.orderStatus.status == "Submitted")
    ib.cancelOrder(resting.order)
    await until(resting.isDone)
    assert [fill.execution.orderRef for fill in await ib.reqExecutionsAsync()] == ["fill"]
    references = {item.order.orderRef for item in await ib.reqCompletedOrdersAsync(False)}
    assert references == {"rest", "fill"}
    ib.disconnect()
    assert set(with_errors) <= {202, 2104, 2106, 2158}
    assert [record for record in caplog.records if record.name == "ib_async.Decoder"] == []
