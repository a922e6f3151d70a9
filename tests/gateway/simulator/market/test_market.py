"""Prices at an instant: never later than the instant, never outside the session."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import ContractTable, Listing
from gateway.simulator.market.market import Market, Quote

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
    half_hour = [row(at("10:00"), 2), row(at("10:30"), 5)]
    daily = [row(date(2025, 12, 11), 3), row(date(2025, 12, 12), 4)]
    sizes = {"1 min": minute, "30 mins": half_hour, "1 day": daily}
    market = Market(BarBook({("SPY", size): rows for size, rows in sizes.items()}))
    assert quote(market, at("10:00")).last == 1
    assert quote(market, at("10:05")).last == 1, "what it told last is newer than 10:00"
    assert quote(market, at("10:35")).last == 5
    assert quote(market, at("11:00")).bid is None
    assert quote(market, at("11:00", -1)).last == 3


def test_the_bar_that_just_ended_is_the_finished_one(market: Market, at: At) -> None:
    assert [bar.open for bar in market.finished_bars(SPY, at("10:00"))] == [600]
    assert [bar.open for bar in market.finished_bars(SPY, at("16:00"))] == [612]
    assert market.finished_bars(SPY, at("10:01")) == ()


@pytest.mark.parametrize(
    ("when", "days", "opens"),
    [("08:00", 0, "09:30"), ("12:00", 0, "09:30"), ("16:00", -1, "09:30")],
)
def test_the_session_ahead_is_todays_or_the_next(
    market: Market, at: At, when: str, days: int, opens: str
) -> None:
    assert market.session_ahead(SPY, at(when, days)).opens == at(opens)


def test_after_friday_comes_monday(market: Market, at: At) -> None:
    assert market.session_ahead(SPY, at("16:00")).opens == at("09:30", 3)


def test_changes_are_the_begins_and_ends_of_bars(market: Market, at: At) -> None:
    assert market.changes([SPY], at("10:00"), at("11:00")) == [at("10:30"), at("11:00")]
    assert market.changes([], at("10:00"), at("11:00")) == []


def listed(key: str) -> Listing:
    found = ContractTable().by_symbol(key)
    assert found is not None
    return found


def flat(start: datetime, *prices: str, minutes: int = 30) -> list[Row]:
    """Bars from a start on, each flat at one price, volume 7."""
    return [
        Row(
            start + timedelta(minutes=minutes * number),
            (*[Decimal(price)] * 4, Decimal(7)),
            str(number),
        )
        for number, price in enumerate(prices)
    ]


def test_extended_hours_have_prices_exactly_where_they_have_bars(at: At) -> None:
    rows = [*flat(at("08:00"), "598"), *flat(at("09:30"), "600"), *flat(at("16:00"), "601")]
    market = Market(BarBook({("SPY", "30 mins"): rows}))
    assert (quote(market, at("08:10")).bid, quote(market, at("08:30")).bid) == (
        Decimal("597.99"),
        None,
    )
    assert quote(market, at("16:10")).ask == Decimal("601.01")
    assert not market.is_open(SPY, at("08:10"))
    assert market.is_open(SPY, at("08:10"), outside_rth=True)
    assert not market.is_open(SPY, at("20:00"), outside_rth=True)
    assert [bar.close for bar in market.finished_bars(SPY, at("08:30"))] == [598]


def test_a_daily_bar_says_nothing_about_extended_hours(at: At) -> None:
    rows = [Row(date(2025, 12, 12), (*[Decimal(4)] * 4, Decimal(0)), "one")]
    market = Market(BarBook({("SPY", "1 day"): rows}))
    assert quote(market, at("12:00")).bid == Decimal("3.99")
    assert quote(market, at("17:00")).bid is None


def test_the_extended_session_ahead_begins_at_four(market: Market, at: At) -> None:
    assert market.extended_ahead(SPY, at("08:00")).opens == at("04:00")
    assert market.extended_ahead(SPY, at("16:00")).closes == at("20:00")


def test_a_pair_trades_from_sunday_evening_with_its_own_spread(at: At) -> None:
    eur_usd = listed("EUR.USD")
    sunday = at("17:00", 2)
    market = Market(BarBook({("EUR.USD", "30 mins"): flat(sunday, "1.17")}))
    assert not market.is_open(eur_usd, at("17:14", 2))
    assert market.quote(eur_usd, at("16:59", 2)) is None
    seen = market.quote(eur_usd, at("17:20", 2))
    assert seen is not None
    assert (seen.bid, seen.ask) == (Decimal("1.16995"), Decimal("1.17005"))
    assert market.session_ahead(eur_usd, at("17:20", 2)).closes == at("17:00", 3)


def test_a_future_trades_all_night_and_no_longer_than_its_last_morning(at: At) -> None:
    """ESZ5 ends on Friday 2025-12-19 at 8:30 in Chicago."""
    future = listed("ESZ5")
    market = Market(BarBook({("ESZ5", "30 mins"): flat(at("09:00", 7), "6800.10", "6801")}))
    assert market.is_open(future, at("03:00", 7))
    seen = market.quote(future, at("09:29", 7))
    assert seen is not None
    assert (seen.bid, seen.ask) == (Decimal("6799.75"), Decimal("6800.50"))
    assert not market.is_open(future, at("09:30", 7))
    ended = market.quote(future, at("09:45", 7))
    assert ended is not None
    assert (ended.bid, ended.last) == (None, Decimal("6800.10"))
    assert not market.is_open(future, at("19:00", 7))


def test_changes_are_the_begins_and_ends_of_sessions_too(market: Market, at: At) -> None:
    times = market.changes([SPY], at("15:40"), at("23:00"))
    assert times == [at("16:00"), at("20:00")]
    eur_usd = listed("EUR.USD")
    assert market.changes([eur_usd], at("16:00"), at("18:00")) == [at("17:00")]
    assert market.changes([eur_usd], at("16:00", 2), at("18:00", 2)) == [at("17:15", 2)]


@pytest.mark.parametrize(
    ("now", "next_"), [("10:10", "10:30"), ("15:40", "16:00"), ("17:00", "20:00")]
)
def test_the_next_change_is_the_first_of_the_changes(
    market: Market, at: At, now: str, next_: str
) -> None:
    assert market.next_change(SPY, at(now)) == at(next_)
    assert market.changes([SPY], at(now), at("23:00"))[0] == at(next_)


def test_the_day_so_far_has_the_range_of_finished_bars(market: Market, at: At) -> None:
    day = market.day_so_far(SPY, at("10:40"))
    assert day is not None
    assert [day.low, day.high, day.volume] == [Decimal(n) for n in (598, 603, 2000)]
    assert day.traded_at == at("10:30")
    assert market.day_so_far(SPY, at("09:00")) is None


@given(st.lists(st.integers(0, 48 * 60), min_size=1, max_size=30))
def test_a_quote_depends_on_nothing_but_its_instant(minutes: list[int]) -> None:
    """Quotes are kept for as long as they stand: asking in any order changes none."""
    start = datetime(2025, 12, 11, 12, tzinfo=UTC)
    rows = flat(datetime(2025, 12, 11, 14, 30, tzinfo=UTC), *map(str, range(1, 30)))
    book = BarBook({("SPY", "30 mins"): rows})
    one = Market(book)
    for minute in minutes:
        now = start + timedelta(minutes=minute)
        assert one.quote(SPY, now) == Market(book).quote(SPY, now)


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
