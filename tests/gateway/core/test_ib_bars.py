"""Only finished bars cross the door, with aware times."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ib_bars import IbBar, bar_length, bar_start, finished_bars
from schemas.values import Contract

SPY = Contract("SPY", con_id=756733)


def bar(began: date | datetime, close: float = 1.0) -> IbBar:
    return IbBar(began, 1.0, 2.0, 0.5, close, 100.0)


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2025, 12, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "seconds"), [("30 mins", 1800), ("1 min", 60), ("1 hour", 3600), ("5 secs", 5)]
)
def test_a_bar_size_is_read_in_ibs_words(size: str, seconds: int) -> None:
    assert bar_length(size) == timedelta(seconds=seconds)


@pytest.mark.parametrize("size", ["", "30", "7 mins", "1 week", "30 minutes ago", "-1 mins"])
def test_a_bar_size_that_ib_does_not_have_is_an_error(size: str) -> None:
    with pytest.raises(ValueError, match="none of IB's"):
        bar_length(size)


def test_the_forming_bar_is_dropped() -> None:
    told = [bar(utc(1, 14, 30)), bar(utc(1, 15))]
    assert finished_bars(SPY, "30 mins", told, utc(1, 15, 29)).time == (utc(1, 14, 30),)


def test_a_bar_is_finished_at_its_end_exactly() -> None:
    told = [bar(utc(1, 14, 30)), bar(utc(1, 15))]
    assert len(finished_bars(SPY, "30 mins", told, utc(1, 15, 30)).time) == 2


def test_the_short_first_hour_of_a_session_is_finished_when_the_next_begins() -> None:
    told = [bar(utc(1, 14, 30)), bar(utc(1, 15))]
    assert finished_bars(SPY, "1 hour", told, utc(1, 15, 5)).time == (utc(1, 14, 30),)


def test_bars_from_the_future_are_dropped() -> None:
    told = [bar(utc(1, 14, 30)), bar(utc(2, 14, 30)), bar(utc(3, 14, 30))]
    assert len(finished_bars(SPY, "30 mins", told, utc(1, 15)).time) == 1


@pytest.mark.parametrize(("hour", "count"), [(20, 1), (21, 2)])
def test_todays_daily_bar_is_finished_at_1600_new_york(hour: int, count: int) -> None:
    told = [bar(date(2025, 12, 11)), bar(date(2025, 12, 12))]
    assert len(finished_bars(SPY, "1 day", told, utc(12, hour)).time) == count


def test_today_is_new_yorks_day() -> None:
    """At 02:00 UTC it is still yesterday evening in New York: its session is over."""
    told = [bar(date(2025, 12, 11)), bar(date(2025, 12, 12))]
    assert len(finished_bars(SPY, "1 day", told, utc(13, 2)).time) == 2
    assert len(finished_bars(SPY, "1 day", told, utc(12, 2)).time) == 1


@pytest.mark.parametrize(
    ("session", "opening"),
    [
        (date(2025, 12, 12), datetime(2025, 12, 12, 14, 30, tzinfo=UTC)),
        (date(2025, 7, 1), datetime(2025, 7, 1, 13, 30, tzinfo=UTC)),
    ],
)
def test_a_daily_bar_starts_at_the_opening_of_its_session(session: date, opening: datetime) -> None:
    assert bar_start(session) == opening


def test_a_time_without_a_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        bar_start(datetime(2025, 12, 12, 9, 30))  # noqa: DTZ001 - that is the point


def test_columns_are_in_order_of_time() -> None:
    told = [bar(utc(1, 15), close=2.0), bar(utc(1, 14, 30), close=1.0)]
    bars = finished_bars(SPY, "30 mins", told, utc(2, 0))
    assert bars.close == (1.0, 2.0)
    assert (bars.contract, bars.size) == (SPY, "30 mins")


@given(st.lists(st.integers(0, 400), unique=True), st.integers(0, 12000))
def test_no_bar_that_ends_after_now_is_ever_shown(half_hours: list[int], minutes: int) -> None:
    now = utc(1, 0) + timedelta(minutes=minutes)
    told = [bar(utc(1, 0) + n * timedelta(minutes=30)) for n in half_hours]
    shown = finished_bars(SPY, "30 mins", told, now).time
    assert all(start + timedelta(minutes=30) <= now for start in shown)
    assert len(shown) == sum((n + 1) * 30 <= minutes for n in half_hours)
