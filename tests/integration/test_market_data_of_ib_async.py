"""What ib_async 2.1.0 makes of contracts, hours, bars and ticks, over a real socket.

Stocks, a pair and a future stand side by side. Any message that it cannot decode fails a test.
"""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, Forex, Future, RealTimeBarList, Stock, TickByTickAllLast
from ib_async.wrapper import RequestError

from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.clock import VirtualClock
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.server import Simulator
from tests.integration.clients import until

TEN = datetime.combine(date(2025, 12, 12), time(10), ZoneInfo("America/New_York"))
SPY = Stock("SPY", "SMART", "USD", conId=756733)
REFUSED = pytest.mark.ib_async_errors_expected("ib_async logs each refusal as an error")


def rows(price: str, count: int, step: timedelta, start: datetime = TEN) -> list[Row]:
    """Bars of volume 100, each a point above the one before."""
    prices = [Decimal(price) + number for number in range(count)]
    return [
        Row(
            (start + step * number).astimezone(UTC),
            (middle, middle + Decimal("0.5"), middle - Decimal("0.5"), middle, Decimal(100)),
            str(number),
        )
        for number, middle in enumerate(prices)
    ]


def book() -> BarBook:
    """From 10:00 on: SPY in bars of 5 seconds and a minute, EUR.USD and ESZ5 in minutes."""
    second, minute = timedelta(seconds=1), timedelta(minutes=1)
    return BarBook(
        {
            ("SPY", "5 secs"): rows("600", 60, 5 * second),
            ("SPY", "1 min"): rows("600", 20, minute, TEN - 10 * minute),
            ("EUR.USD", "1 min"): rows("1.17", 10, minute),
            ("ESZ5", "1 min"): rows("6800", 10, minute),
        }
    )


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    options = ExchangeOptions(subscriptions={"CASH": "delayed"})
    async with Simulator(Exchange(book(), options), VirtualClock(TEN)) as running:
        yield running


async def test_a_pair_and_a_future_are_qualified(ib: IB) -> None:
    pair, future = Forex("EURUSD"), Future("ES", "202512", "CME")
    await ib.qualifyContractsAsync(pair, future)
    assert (pair.conId, pair.localSymbol) == (12087792, "EUR.USD")
    assert (future.conId, future.localSymbol, future.multiplier) == (495512563, "ESZ5", "50")


async def test_the_details_of_a_future_have_its_last_hour_and_its_hours(ib: IB) -> None:
    (details,) = await ib.reqContractDetailsAsync(Future(localSymbol="ESZ5", exchange="CME"))
    assert details.contract is not None
    assert details.contract.lastTradeDateOrContractMonth == "20251219"
    assert (details.lastTradeTime, details.timeZoneId) == ("08:30:00", "US/Central")
    assert (details.contractMonth, details.realExpirationDate) == ("202512", "20251219")
    assert (details.underSymbol, details.underSecType) == ("ES", "IND")
    (first, *_) = details.tradingSessions()
    assert (first.start.hour, first.end.hour) == (17, 16)
    every = await ib.reqContractDetailsAsync(Future("ES", exchange="CME"))
    assert len(every) > 4


async def test_a_pair_has_midpoints_in_history(ib: IB) -> None:
    pair = Forex("EURUSD", conId=12087792)
    bars = await ib.reqHistoricalDataAsync(pair, "", "1 D", "1 min", "MIDPOINT", True)
    assert [(bar.open, bar.volume) for bar in bars] == [(1.17, -1)]


async def test_kept_bars_grow_and_the_next_one_begins(ib: IB, simulator: Simulator) -> None:
    bars = await ib.reqHistoricalDataAsync(
        SPY, "", "1 D", "1 min", "TRADES", True, keepUpToDate=True
    )
    before = len(bars)
    await simulator.advance_to(TEN + timedelta(seconds=30))
    await until(lambda: bars[-1].close == 606)
    await simulator.advance_to(TEN + timedelta(seconds=70))
    await until(lambda: len(bars) == before + 1)
    assert bars[-1].open == 612
    ib.cancelHistoricalData(bars)


async def test_bars_of_five_seconds_come_as_they_end(ib: IB, simulator: Simulator) -> None:
    bars: RealTimeBarList = ib.reqRealTimeBars(SPY, 5, "TRADES", True)
    await ib.reqCurrentTimeAsync()
    await simulator.advance_to(TEN + timedelta(seconds=11))
    await until(lambda: len(bars) == 2)
    assert [bar.time for bar in bars] == [TEN, TEN + timedelta(seconds=5)]
    assert (bars[0].open_, bars[0].volume) == (600, 100)
    ib.cancelRealTimeBars(bars)


async def test_ticks_come_one_by_one(ib: IB, simulator: Simulator) -> None:
    heard: list[float] = []
    trades = ib.reqTickByTickData(SPY, "AllLast")
    trades.updateEvent += lambda ticker: heard.extend(
        tick.price for tick in ticker.tickByTicks if isinstance(tick, TickByTickAllLast)
    )
    await ib.reqCurrentTimeAsync()
    await simulator.advance_to(TEN + timedelta(seconds=5))
    await until(lambda: len(heard) == 2)
    assert heard == [600, 601]


async def test_quotes_come_one_by_one(ib: IB, simulator: Simulator) -> None:
    heard: list[tuple[float, float]] = []
    ticker = ib.reqTickByTickData(SPY, "BidAsk")
    ticker.updateEvent += lambda seen: heard.append((seen.bid, seen.ask))
    await until(lambda: heard)
    await simulator.advance_to(TEN + timedelta(seconds=5))
    await until(lambda: len(heard) == 2)
    assert heard == [(599.99, 600.01), (600.99, 601.01)]


@REFUSED
async def test_delayed_data_of_a_pair_come_under_their_own_types(
    ib: IB, simulator: Simulator
) -> None:
    ib.reqMarketDataType(3)
    await simulator.advance_to(TEN + timedelta(minutes=15))
    ticker = ib.reqMktData(Forex("EURUSD", conId=12087792))
    await until(lambda: ticker.bid > 0)
    assert (ticker.bid, ticker.marketDataType) == (1.16995, 3)


async def test_what_can_be_sold_short_is_a_generic_tick(ib: IB) -> None:
    ticker = ib.reqMktData(SPY, "236")
    await until(lambda: ticker.shortableShares > 0)
    assert (ticker.shortableShares, ticker.halted) == (10_000_000, 0)


async def test_a_schedule_has_its_sessions(ib: IB) -> None:
    schedule = await ib.reqHistoricalScheduleAsync(SPY, 2)
    assert [session.refDate for session in schedule.sessions] == ["20251211", "20251212"]
    assert schedule.timeZone == "US/Eastern"


async def test_the_option_chain_is_empty_and_symbols_of_all_kinds_are_found(ib: IB) -> None:
    assert await ib.reqSecDefOptParamsAsync("SPY", "", "STK", 756733) == []
    found = await ib.reqMatchingSymbolsAsync("ES")
    assert found is not None
    assert [sample.derivativeSecTypes for sample in found] == [["FUT"]]


@REFUSED
async def test_bars_of_an_ambiguous_future_are_error_200(ib: IB) -> None:
    future = Future("ES", exchange="CME")
    with pytest.raises(RequestError, match="specified for ES is ambiguous") as refused:
        await ib.reqHistoricalDataAsync(future, "", "1 D", "1 min", "TRADES", True)
    assert refused.value.code == 200
