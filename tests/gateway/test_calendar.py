"""Holidays and early closes by the kept library, which nothing pays for before it is asked."""

import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from gateway import calendar
from gateway.core.broker import Span
from schemas.values import Contract

SPY = Contract("SPY", primary_exchange="ARCA")
ES = Contract("ES", "FUT", "CME")


async def spans(contract: Contract, first: date, last: date) -> tuple[Span, ...]:
    found = await calendar.sessions(contract, first, last)
    assert found is not None
    return found.spans


async def test_the_day_after_thanksgiving_closes_at_one_and_thanksgiving_is_none() -> None:
    """(issue 5.4) 2019-11-29"""
    found = await spans(SPY, date(2019, 11, 27), date(2019, 12, 1))
    assert found == (
        Span(datetime(2019, 11, 27, 14, 30, tzinfo=UTC), datetime(2019, 11, 27, 21, tzinfo=UTC)),
        Span(datetime(2019, 11, 29, 14, 30, tzinfo=UTC), datetime(2019, 11, 29, 18, tzinfo=UTC)),
    )


async def test_a_day_of_mourning_is_known() -> None:
    """By no rule: 2025-01-09 was one."""
    found = await spans(SPY, date(2025, 1, 8), date(2025, 1, 10))
    assert [span.opens_at.day for span in found] == [8, 10]


async def test_the_first_days_of_a_year_are_known_from_the_last_of_the_year_before() -> None:
    both = await spans(SPY, date(2025, 12, 31), date(2026, 1, 2))
    assert [span.opens_at.day for span in both] == [31, 2]
    second = await spans(SPY, date(2026, 1, 1), date(2026, 1, 2))
    assert [span.opens_at.day for span in second] == [2]


async def test_of_a_future_only_the_days_are_known() -> None:
    """Its bars of regular hours are a part of its session."""
    found = await calendar.sessions(ES, date(2025, 12, 24), date(2025, 12, 26))
    assert found is not None
    assert not found.bars_lie_within
    assert [span.closes_at.day for span in found.spans] == [24, 26]


async def test_of_extended_hours_only_the_days_are_known() -> None:
    found = await calendar.sessions(
        SPY, date(2025, 12, 24), date(2025, 12, 26), regular_hours_only=False
    )
    assert found is not None
    assert not found.bars_lie_within


async def test_where_there_is_a_lunch_break_only_the_days_are_known() -> None:
    toyota = Contract("7203", primary_exchange="TSEJ", currency="JPY")
    found = await calendar.sessions(toyota, date(2026, 1, 5), date(2026, 1, 6))
    assert found is not None
    assert not found.bars_lie_within


@pytest.mark.parametrize(
    "contract",
    [
        Contract("EUR", "CASH", "IDEALPRO"),
        Contract("DAX", "FUT", "EUREX", "EUR"),
        Contract("X", primary_exchange="NOWHERE", currency="EUR"),
    ],
)
async def test_an_exchange_that_nobody_told_us_has_no_calendar(contract: Contract) -> None:
    assert await calendar.sessions(contract, date(2026, 1, 5), date(2026, 1, 6)) is None


def test_every_calendar_of_the_table_is_the_librarys() -> None:
    import exchange_calendars

    names = exchange_calendars.get_calendar_names(include_aliases=False)
    assert {*calendar.STOCKS.values(), calendar.CHICAGO} <= set(names)


def test_the_gateway_starts_without_the_library_and_its_pandas() -> None:
    """Some 0.5 s and 60 MB that no start shall pay."""
    program = (
        "import sys, gateway.__main__\n"
        "print([name for name in ('pandas', 'exchange_calendars') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout.strip() == b"[]"
