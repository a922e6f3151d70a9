"""Midnights and the daily settlement of futures."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row

At = Callable[..., datetime]


@pytest.fixture
def futures(at: At) -> BarBook:
    """ESZ5 at 6000 on Thursday, 6100 on Friday and 6200 a week later: its last day, the 19th."""
    rows = [
        Row(at("10:00", days), (*(Decimal(price),) * 4, Decimal(1000)), "test")
        for days, price in ((-1, 6000), (0, 6100), (7, 6200))
    ]
    return BarBook({("ESZ5", "30 mins"): rows})


@pytest.fixture
def exchange(futures: BarBook, at: At) -> Exchange:
    made = Exchange(futures, ExchangeOptions(cash=Decimal(100_000)))
    made.connect(1, at("10:00", -1))
    made.trade_by_hand("ESZ5", Decimal(2), Decimal(6000), at("10:05", -1))
    return made


def test_a_session_that_ends_moves_the_variation_into_cash(exchange: Exchange, at: At) -> None:
    """Bought at 6000; the commission of two contracts is 4.50."""
    exchange.advance(at("10:05"))
    assert exchange.account.cash == Decimal("99995.50")
    assert exchange.account.holdings
    exchange.advance(at("16:59"))
    assert exchange.account.cash == Decimal("99995.50")
    exchange.advance(at("17:00"))
    assert exchange.account.cash == Decimal("99995.50") + 2 * 50 * 100


def test_settling_leaves_net_liquidation_as_it_was(exchange: Exchange, at: At) -> None:
    def net() -> str:
        told = exchange.handle(1, q.AccountUpdatesRequest(True, ""), times.pop(0))
        values = [item for _, item in told if isinstance(item, r.AccountValue)]
        return next(item.value for item in values if item.key == "NetLiquidation")

    times = [at("16:59"), at("17:01")]
    assert net() == net() == "109995.50"


def test_many_days_passed_at_once_settle_like_one_by_one(futures: BarBook, at: At) -> None:
    def cash(hours: int) -> Decimal:
        made = Exchange(futures, ExchangeOptions(cash=Decimal(100_000)))
        made.trade_by_hand("ESZ5", Decimal(2), Decimal(6000), at("10:05", -1))
        now, end = at("10:05", -1), at("12:00", 5)
        while now < end:
            now = min(now + timedelta(hours=hours), end)
            made.advance(now)
        return made.account.cash

    assert cash(1) == cash(1000) == Decimal("109995.50")


@pytest.mark.parametrize("days", [7, 9])
def test_a_future_that_expires_leaves_the_positions_without_an_execution(
    exchange: Exchange, at: At, days: int
) -> None:
    """Whether a client looks the same evening or only after midnight forgot the position."""
    exchange.handle(1, q.PositionsRequest(), at("10:10"))
    exchange.handle(1, q.AccountUpdatesRequest(True, ""), at("10:10"))
    heard = [item for _, item in exchange.advance(at("18:00", days))]
    gone = [item for item in heard if isinstance(item, r.Position | r.PortfolioItem)]
    assert [item.position for item in gone[-2:]] == [0, 0]
    assert all(item.position == 2 for item in gone[:-2])
    assert not [item for item in heard if isinstance(item, r.ExecutionDetails)]
    assert exchange.account.cash == Decimal("99995.50") + 2 * 50 * 200
    assert exchange.positions == {}


def test_a_future_traded_again_after_weeks_settles_from_then_on(exchange: Exchange, at: At) -> None:
    """Closed on Thursday; bought again eight days later at 6050, settled at 6200."""
    exchange.trade_by_hand("ESZ5", Decimal(-2), Decimal(6000), at("10:10", -1))
    exchange.advance(at("18:00", -1))
    exchange.advance(at("18:00"))
    before = exchange.account.cash
    exchange.trade_by_hand("ESZ5", Decimal(1), Decimal(6050), at("10:00", 7))
    exchange.advance(at("16:00", 7))
    assert exchange.account.cash == before - Decimal("2.25")
    exchange.advance(at("17:00", 7))
    assert exchange.account.cash == before - Decimal("2.25") + 50 * 150


def test_a_new_day_begins_with_the_prices_of_midnight(book: BarBook, at: At) -> None:
    """SPY closes Thursday at 513; a client that looks on Friday at 601 sees 88 a share."""
    holding = InitialHolding("SPY", Decimal(10), Decimal(500))
    made = Exchange(book, ExchangeOptions(holdings=(holding,)))
    made.connect(1, at("15:00", -1))
    told = made.handle(1, q.PnLRequest(3, "", ""), at("10:00"))
    (profit,) = [item for _, item in told if isinstance(item, r.PnL)]
    assert (profit.daily, profit.unrealized) == (Decimal(880), Decimal(1010))
