"""Bars of every size out of the finest ones, aligned as IB aligns them, and what is known when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.market.aggregation import Aggregates
from gateway.simulator.market.bars import Bar, BarBook, Row
from gateway.simulator.market.contracts import ContractTable, Listing
from gateway.simulator.market.hours import NEW_YORK

At = Callable[..., datetime]


def listed(key: str) -> Listing:
    found = ContractTable().by_symbol(key)
    assert found is not None
    return found


SPY, EUR_USD = listed("SPY"), listed("EUR.USD")


def climbing(start: datetime, count: int, minutes: int = 1) -> list[Row]:
    """Bars from 100 on: each opens at its number, ranges one up and down, closes half above."""
    return [
        Row(
            start + timedelta(minutes=minutes * number),
            (
                *(Decimal(100 + number) + Decimal(step) for step in ("0", "1", "-1", "0.5")),
                Decimal(1),
            ),
            str(number),
        )
        for number in range(count)
    ]


def whole(*numbers: Decimal) -> tuple[int, ...]:
    return tuple(map(int, numbers))


def local(bars: tuple[Bar, ...]) -> list[str]:
    return [f"{bar.start.astimezone(NEW_YORK):%H:%M}" for bar in bars]


@pytest.fixture
def minutes(at: At) -> Aggregates:
    """SPY from 9:00 to 16:00 on Friday, in minutes."""
    return Aggregates(BarBook({("SPY", "1 min"): climbing(at("09:00"), 420)}))


@pytest.mark.parametrize(
    ("size", "count", "second"),
    [
        ("1 min", 390, "09:31"),
        ("2 mins", 195, "09:32"),
        ("3 mins", 130, "09:33"),
        ("5 mins", 78, "09:35"),
        ("10 mins", 39, "09:40"),
        ("15 mins", 26, "09:45"),
        ("20 mins", 20, "09:40"),
        ("30 mins", 13, "10:00"),
        ("1 hour", 7, "10:00"),
        ("2 hours", 4, "10:00"),
        ("4 hours", 2, "12:00"),
        ("8 hours", 1, ""),
    ],
)
def test_bars_lie_on_the_clock_and_the_first_begins_at_the_opening(
    minutes: Aggregates, size: str, count: int, second: str
) -> None:
    bars = minutes.series(SPY, size, regular=True).bars
    assert len(bars) == count
    assert local(bars)[0] == "09:30"
    assert "".join(local(bars)[1:2]) == second
    assert local((bars[-1],))[0] < "16:00"
    assert sum(bar.volume for bar in bars) == 390


def test_an_hour_is_made_of_its_minutes(minutes: Aggregates) -> None:
    first, second = minutes.series(SPY, "1 hour", regular=True).bars[:2]
    assert (first.open, first.high, first.low, first.close) == (
        Decimal(130),
        Decimal(160),
        Decimal(129),
        Decimal("159.5"),
    )
    assert (second.end - second.start, int(second.volume)) == (timedelta(hours=1), 60)


def test_all_hours_have_the_bars_before_the_opening_too(minutes: Aggregates) -> None:
    assert local(minutes.series(SPY, "1 hour", regular=False).bars)[:2] == ["09:00", "10:00"]


def test_sizes_finer_than_all_bars_have_none(minutes: Aggregates) -> None:
    assert minutes.series(SPY, "30 secs", regular=True).bars == ()
    assert minutes.series(EUR_USD, "1 hour", regular=True).bars == ()


def test_bars_of_the_size_itself_are_shown_and_other_days_are_made_of_finer_ones(at: At) -> None:
    rows = {
        ("SPY", "1 min"): [*climbing(at("09:30", -1), 390), *climbing(at("09:30"), 390)],
        ("SPY", "30 mins"): climbing(at("09:30"), 13, minutes=30),
    }
    bars = Aggregates(BarBook(rows)).series(SPY, "30 mins", regular=True).bars
    assert len(bars) == 26
    assert [bars[0].volume, bars[13].volume] == [30, 1]


def test_a_few_finer_bars_do_not_hide_the_whole_ones(at: At) -> None:
    seconds = [
        replace(row, time=at("10:00") + timedelta(seconds=5 * n))
        for n, row in enumerate(climbing(at("10:00"), 12))
    ]
    rows = {("SPY", "5 secs"): seconds, ("SPY", "1 min"): climbing(at("09:30"), 60)}
    aggregates = Aggregates(BarBook(rows))
    bars = aggregates.series(SPY, "5 mins", regular=True).bars
    assert [int(bar.volume) for bar in bars] == [5] * 12
    forming = aggregates.series(SPY, "1 hour", regular=True).at(at("10:20"))
    assert forming is not None
    assert aggregates.as_seen(SPY, forming, at("10:20")).volume == 20
    minute = aggregates.series(SPY, "30 secs", regular=True).bars
    assert [int(bar.volume) for bar in minute] == [6, 6]


def test_hours_of_a_pair_begin_with_its_session(at: At) -> None:
    book = BarBook({("EUR.USD", "1 min"): climbing(at("17:15", -1), 300)})
    bars = Aggregates(book).series(EUR_USD, "1 hour", regular=True).bars
    assert local(bars)[:3] == ["17:15", "18:00", "19:00"]
    assert bars[0].volume == 45


def days(*texts: str) -> BarBook:
    rows = [
        Row(
            date.fromisoformat(text),
            (*map(Decimal, (10 + n, 20 + n, 5 - n, 11 + n)), Decimal(1)),
            text,
        )
        for n, text in enumerate(texts)
    ]
    return BarBook({("SPY", "1 day"): rows})


def test_weeks_and_months_carry_the_date_of_their_last_day() -> None:
    book = Aggregates(days("2025-11-26", "2025-11-28", "2025-12-01", "2025-12-05"))
    weeks = book.series(SPY, "1 week", regular=True).bars
    assert [bar.day.isoformat() for bar in weeks] == ["2025-11-28", "2025-12-05"]
    assert [whole(bar.open, bar.close, bar.volume) for bar in weeks] == [(10, 12, 2), (12, 14, 2)]
    months = book.series(SPY, "1 month", regular=True).bars
    assert [whole(bar.open, bar.high, bar.low) for bar in months] == [(10, 21, 4), (12, 23, 2)]


def test_a_forming_week_shows_only_the_open_of_its_forming_day(at: At) -> None:
    aggregates = Aggregates(days("2025-12-11", "2025-12-12"))
    (week,) = aggregates.series(SPY, "1 week", regular=True).bars
    seen = aggregates.as_seen(SPY, week, at("12:00"))
    assert whole(seen.high, seen.close, seen.volume) == (20, 11, 1)
    assert aggregates.as_seen(SPY, week, at("16:00")).close == 12


def test_a_forming_hour_is_made_of_its_minutes_so_far(minutes: Aggregates, at: At) -> None:
    hour = minutes.series(SPY, "1 hour", regular=True).at(at("10:02:30"))
    assert hour is not None
    seen = minutes.as_seen(SPY, hour, at("10:02:30"))
    assert whole(seen.open, seen.high, seen.close, seen.volume) == (160, 162, 162, 2)


@given(st.integers(0, 389), st.sampled_from(["2 mins", "15 mins", "1 hour", "1 day"]))
def test_no_part_of_a_bar_comes_from_the_future(minute: int, size: str) -> None:
    """Cutting later bars off changes nothing that is seen."""
    opens = datetime(2025, 12, 12, 14, 30, tzinfo=UTC)
    now = opens + timedelta(minutes=minute, seconds=30)
    rows = climbing(opens, 390)
    cut = Aggregates(BarBook({("SPY", "1 min"): rows[: minute + 1]}))
    whole = Aggregates(BarBook({("SPY", "1 min"): rows}))
    bar = whole.series(SPY, size, regular=True).at(now)
    assert bar is not None
    seen = whole.as_seen(SPY, bar, now)
    other = cut.as_seen(SPY, bar, now)
    assert (seen.open, seen.high, seen.low, seen.close) == (
        other.open,
        other.high,
        other.low,
        other.close,
    )
    assert seen.close == Decimal(100 + minute)
