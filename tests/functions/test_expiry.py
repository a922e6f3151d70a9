"""Weekdays to a future's last day, and back from it."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.expiry import last_day, weekdays_before, weekdays_left
from schemas.new_york import NEW_YORK
from schemas.values import Contract

FRIDAY = date(2026, 3, 20)


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def test_the_last_day_is_the_broker_s() -> None:
    month = Contract("MES", "FUT", local_symbol="MESH6", last_trade_date="20260320")
    assert last_day(month) == FRIDAY


@pytest.mark.parametrize("told", ["", "202603", "soon"])
def test_a_month_without_a_last_day_is_refused(told: str) -> None:
    """A month alone is no day to roll by: never a guess."""
    month = Contract("MES", "FUT", local_symbol="MESH6", last_trade_date=told)
    with pytest.raises(ValueError, match="MESH6 names no last day of trading"):
        last_day(month)


@pytest.mark.parametrize(
    ("as_of", "left"),
    [
        ("2026-03-20 09:40", 0),
        ("2026-03-19 23:59", 1),
        ("2026-03-16 09:40", 4),
        ("2026-03-15 12:00", 5),
        ("2026-03-13 09:40", 5),
        ("2026-03-27 09:40", 0),
    ],
)
def test_weekdays_left_are_counted_by_new_york_s_date(as_of: str, left: int) -> None:
    assert weekdays_left(new_york(as_of), FRIDAY) == left


def test_weekdays_before_are_the_start_of_the_day_in_new_york() -> None:
    assert weekdays_before(FRIDAY, 2) == new_york("2026-03-18 00:00")
    assert weekdays_before(FRIDAY, 5) == new_york("2026-03-13 00:00")
    assert weekdays_before(FRIDAY, 0) == new_york("2026-03-20 00:00")


@given(
    last=st.dates(date(2020, 1, 1), date(2030, 1, 1)).filter(lambda day: day.weekday() < 5),
    count=st.integers(0, 40),
)
def test_the_day_so_many_weekdays_before_has_so_many_left(last: date, count: int) -> None:
    assert weekdays_left(weekdays_before(last, count), last) == count
