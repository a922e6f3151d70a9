"""The account in several currencies, as the real ib_async 2.1.0 sees it over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, Contract, Forex, Future, MarketOrder, OrderState, Stock

from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.server import Simulator

ACCOUNT = "DUSIM0001"
OPEN = datetime.combine(date(2025, 12, 12), time(9, 30), ZoneInfo("America/New_York"))
NOW = OPEN + timedelta(minutes=30)
PRICES = {"SPY": "600", "EUR.USD": "1.10", "ESZ5": "6000"}
ALL = (
    Stock("SPY", "SMART", "USD"),
    Forex("EURUSD"),
    Future("ES", "20251219", "CME", localSymbol="ESZ5", currency="USD"),
)


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """SPY at 600, the euro at 1.10, ESZ5 at 6000; 200,000 USD and 1,000 EUR."""
    starts = [OPEN.astimezone(UTC) + timedelta(minutes=30 * index) for index in range(4)]
    rows = {
        (key, "30 mins"): [Row(at, (*(Decimal(x),) * 4, Decimal(10**9)), "test") for at in starts]
        for key, x in PRICES.items()
    }
    cash = {"cash": Decimal(200_000), "cash_by_currency": {"EUR": Decimal(1_000)}}
    options = ExchangeOptions(**cash)  # type: ignore[arg-type]
    async with Simulator(Exchange(BarBook(rows), options), VirtualClock(NOW)) as running:
        yield running


def values(ib: IB) -> dict[tuple[str, str], str]:
    return {(item.tag, item.currency): item.value for item in ib.accountValues(ACCOUNT)}


async def traded(ib: IB, contract: Contract, quantity: int) -> None:
    """Buy at the market, until ib_async knows of the commission."""
    await ib.qualifyContractsAsync(contract)
    trade = ib.placeOrder(contract, MarketOrder("BUY", quantity, tif="DAY"))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if trade.fills and trade.fills[-1].commissionReport.execId:
            return
    pytest.fail(f"{contract.localSymbol}: {trade.orderStatus}")


async def test_what_if_is_what_then_happens_for_every_kind_of_contract(ib: IB) -> None:
    for contract, quantity in zip(ALL, (100, 20_000, 1), strict=True):
        await ib.qualifyContractsAsync(contract)
        order = MarketOrder("BUY", quantity, tif="DAY")
        state = await asyncio.wait_for(ib.whatIfOrderAsync(contract, order), 5)
        assert isinstance(state, OrderState)
        await traded(ib, contract, quantity)
        await asyncio.sleep(0.05)
        shown = values(ib)
        assert float(shown["InitMarginReq", "USD"]) == float(state.initMarginAfter)
        assert float(shown["MaintMarginReq", "USD"]) == float(state.maintMarginAfter)
        assert float(shown["EquityWithLoanValue", "USD"]) == float(state.equityWithLoanAfter)


async def test_each_kind_of_contract_is_in_positions_and_portfolio(ib: IB) -> None:
    for contract, quantity in zip(ALL, (100, 20_000, 1), strict=True):
        await traded(ib, contract, quantity)
    await asyncio.sleep(0.05)
    held = {item.contract.localSymbol: item for item in ib.portfolio()}
    assert {key: item.position for key, item in held.items()} == {
        "SPY": 100,
        "EUR.USD": 20_000,
        "ESZ5": 1,
    }
    assert held["ESZ5"].marketValue == 300_000
    assert held["ESZ5"].averageCost == pytest.approx(300_002.25, abs=20)
    assert {item.contract.secType for item in ib.positions()} == {"STK", "CASH", "FUT"}
    shown = values(ib)
    assert shown["CashBalance", "EUR"] == "21000.00"
    base = float(shown["CashBalance", "USD"]) + 21_000 * float(shown["ExchangeRate", "EUR"])
    assert float(shown["CashBalance", "BASE"]) == pytest.approx(base, abs=0.02)


async def test_the_summary_has_a_ledger_for_each_currency(ib: IB) -> None:
    rows = await ib.accountSummaryAsync()
    cash = {item.currency: item.value for item in rows if item.tag == "CashBalance"}
    assert cash == {"USD": "200000.00", "EUR": "1000.00", "BASE": "201100.00"}
    tags = {item.tag for item in rows}
    assert {"FullInitMarginReq", "LookAheadAvailableFunds", "Cushion", "SMA"} <= tags


async def test_a_split_and_a_dividend_reach_ib_async_without_a_fill(
    ib: IB, simulator: Simulator
) -> None:
    await traded(ib, ALL[0], 100)
    fills = len(ib.fills())
    await simulator.act(lambda: simulator.exchange.actions.split("SPY", Decimal(2)))
    await simulator.act(lambda: simulator.exchange.actions.dividend("SPY", Decimal("0.50")))
    await asyncio.sleep(0.05)
    assert [item.position for item in ib.positions()] == [200]
    assert len(ib.fills()) == fills
    assert float(values(ib)["TotalCashBalance", "USD"]) == pytest.approx(140_000 + 100, abs=5)
