"""Prices at an instant: never later than the instant, never outside the session."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.bars import BarBook, Row
from gateway.simulator.contracts import Listing
from gateway.simulator.market import Market, Quote

At = Callable[..., datetime]
SPY = Listing(756733, "SPY", "ARCA", "SPY")


@pytest.fixture
def market(book: BarBook) -> Market:
    return Market(book)


def quote(market: Market, now: datetime) -> Quote:
    seen = market.quote(SPY, now)
    assert seen is not None
    return seen


@pytest.mark.parametrize(
    ("when", "last"), [("09:30", 600), ("09:59:59", 600), ("10:00", 601), ("15:59", 612)]
)
def test_the_price_is_the_open_of_the_bar_that_is_open(
    market: Market, at: At, when: str, last: int
) -> None:
    seen = quote(market, at(when))
    half = Decimal("0.01")
    assert (seen.last, seen.bid, seen.ask) == (Decimal(last), last - half, last + half)
    assert (seen.open, seen.close) == (Decimal(600), Decimal(513))


@pytest.mark.parametrize(("when", "last"), [("09:29", 513), ("16:00", 613), ("23:00", 613)])
def test_a_closed_market_has_a_last_price_and_no_sides(
    market: Market, at: At, when: str, last: int
) -> None:
    seen = quote(market, at(when))
    assert (seen.last, seen.bid, seen.ask) == (Decimal(last), None, None)


def test_before_the_first_bar_there_is_no_quote(market: Market, at: At) -> None:
    assert market.quote(SPY, at("09:29", -1)) is None


def test_sub_penny_prices_are_rounded_away_from_the_middle(at: At) -> None:
    numbers = (Decimal("374.658"),) * 4
    row = Row(at("09:30"), (*numbers, Decimal(0)), "one")
    seen = quote(Market(BarBook({("SPY", "30 mins"): [row]})), at("09:30"))
    assert (seen.bid, seen.ask) == (Decimal("374.64"), Decimal("374.67"))


def test_the_finest_bar_speaks_and_a_daily_one_only_on_days_without_others(at: At) -> None:
    def row(when: datetime | date, price: int) -> Row:
        return Row(when, (*[Decimal(price)] * 4, Decimal(0)), str(price))

    minute = [row(at("10:00"), 1)]
    half_hour = [row(at("10:00"), 2)]
    daily = [row(date(2025, 12, 11), 3), row(date(2025, 12, 12), 4)]
    sizes = {"1 min": minute, "30 mins": half_hour, "1 day": daily}
    market = Market(BarBook({("SPY", size): rows for size, rows in sizes.items()}))
    assert quote(market, at("10:00")).last == 1
    assert quote(market, at("10:05")).last == 2
    assert quote(market, at("11:00")).bid is None
    assert quote(market, at("11:00", -1)).last == 3


def test_the_bar_that_just_ended_is_the_finished_one(market: Market, at: At) -> None:
    assert [bar.open for bar in market.finished_bars("SPY", at("10:00"))] == [600]
    assert [bar.open for bar in market.finished_bars("SPY", at("16:00"))] == [612]
    assert market.finished_bars("SPY", at("10:01")) == ()


@pytest.mark.parametrize(
    ("when", "days", "opens"),
    [("08:00", 0, "09:30"), ("12:00", 0, "09:30"), ("16:00", -1, "09:30")],
)
def test_the_session_ahead_is_todays_or_the_next(
    market: Market, at: At, when: str, days: int, opens: str
) -> None:
    assert market.session_ahead(at(when, days)).opens == at(opens)


def test_after_friday_comes_monday(market: Market, at: At) -> None:
    assert market.session_ahead(at("16:00")).opens == at("09:30", 3)


def test_changes_are_the_begins_and_ends_of_bars(market: Market, at: At) -> None:
    assert market.changes(["SPY"], at("10:00"), at("11:00")) == [at("10:30"), at("11:00")]
    assert market.changes([], at("10:00"), at("11:00")) == []


NINE_THIRTY = datetime.combine(date(2025, 12, 12), time(9, 30), ZoneInfo("America/New_York"))


@given(st.integers(0, 390 * 60 - 1), st.lists(st.integers(1, 999), min_size=13, max_size=13))
def test_no_price_comes_from_the_future(seconds: int, prices: list[int]) -> None:
    """Cutting later bars off changes no quote."""
    now = (NINE_THIRTY + timedelta(seconds=seconds)).astimezone(UTC)
    rows = [
        Row(
            (NINE_THIRTY + timedelta(minutes=30 * index)).astimezone(UTC),
            (*[Decimal(price)] * 4, Decimal(0)),
            str(index),
        )
        for index, price in enumerate(prices)
    ]
    known = [row for row in rows if isinstance(row.time, datetime) and row.time <= now]
    whole, cut = (Market(BarBook({("SPY", "30 mins"): part})) for part in (rows, known))
    # The close of the day may come from bars the cut book lacks, which is why only these three.
    one, other = quote(whole, now), quote(cut, now)
    assert (one.bid, one.ask, one.last) == (other.bid, other.ask, other.last)
