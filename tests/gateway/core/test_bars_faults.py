"""Gaps, repetitions and wrong prices are told, and a holiday is no gap."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.bars_faults import Sessions, by_own_hours, faults
from gateway.core.broker import Span, Terms
from schemas.messages import Bars
from schemas.values import Contract

SPY = Contract("SPY", con_id=756733)
HALF_HOUR = timedelta(minutes=30)


def opening(day: int, month: int = 11) -> datetime:
    return datetime(2019, month, day, 14, 30, tzinfo=UTC)


def span(day: int, hours: float = 6.5, month: int = 11) -> Span:
    return Span(opening(day, month), opening(day, month) + timedelta(hours=hours))


# Thanksgiving, the 28th, is no session; the day after closes at 13:00.
WEEK = Sessions((span(26), span(27), span(29, 3.5), span(2, month=12)))
LATER = opening(3, 12)


def bars(times: list[datetime], size: str = "30 mins") -> Bars:
    prices = (100.0,) * len(times)
    high, low = (101.0,) * len(times), (99.0,) * len(times)
    return Bars(SPY, size, tuple(times), prices, high, low, prices, prices)


def halves(*spans: Span) -> list[datetime]:
    return [
        one.opens_at + n * HALF_HOUR
        for one in spans
        for n in range(int((one.closes_at - one.opens_at) / HALF_HOUR))
    ]


def test_bars_of_every_session_have_no_fault() -> None:
    """(issue 5.4) With a holiday and an early close, 2019-11-29, among them."""
    assert faults(bars(halves(*WEEK.spans)), WEEK, LATER) == ()


def test_daily_bars_of_every_session_have_no_fault() -> None:
    days = bars([one.opens_at for one in WEEK.spans], "1 day")
    assert faults(days, WEEK, LATER) == ()


def test_without_an_early_close_in_the_calendar_bars_would_be_missing() -> None:
    whole_day = Sessions((*WEEK.spans[:2], span(29), WEEK.spans[3]))
    (told,) = faults(bars(halves(*WEEK.spans)), whole_day, LATER)
    assert told == (
        "6 bars missing: 2019-11-29 13:00, 2019-11-29 13:30, 2019-11-29 14:00 and 3 more"
    )


def test_a_bar_on_a_holiday_and_one_after_an_early_close_are_told() -> None:
    times = sorted([*halves(*WEEK.spans), opening(28), opening(29) + timedelta(hours=3.5)])
    (told,) = faults(bars(times), WEEK, LATER)
    assert told == "2 bars outside of the regular hours: 2019-11-28 09:30, 2019-11-29 13:00"


def test_a_missing_bar_is_told_with_its_time() -> None:
    times = halves(*WEEK.spans)
    del times[14]
    assert faults(bars(times), WEEK, LATER) == ("1 bars missing: 2019-11-27 10:00",)


@pytest.mark.parametrize("size", ["30 mins", "1 day"])
def test_a_missing_day_is_told_once_and_not_bar_by_bar(size: str) -> None:
    kept = [WEEK.spans[0], *WEEK.spans[2:]]
    times = halves(*kept) if size == "30 mins" else [one.opens_at for one in kept]
    assert faults(bars(times, size), WEEK, LATER) == ("1 days without a bar: 2019-11-27",)


def test_days_before_the_first_bar_are_not_missing() -> None:
    assert faults(bars(halves(*WEEK.spans[2:])), WEEK, LATER) == ()


@pytest.mark.parametrize(("minutes", "is_missing"), [(29, False), (30, True)])
def test_a_bar_is_missing_only_when_it_is_over(minutes: int, is_missing: bool) -> None:
    as_of = opening(2, 12) + timedelta(minutes=30 + minutes)
    times = halves(*WEEK.spans[:3], Span(opening(2, 12), opening(2, 12) + HALF_HOUR))
    assert bool(faults(bars(times), WEEK, as_of)) is is_missing


@pytest.mark.parametrize(("minutes", "is_missing"), [(29, False), (30, True)])
def test_a_day_is_missing_once_its_first_bar_is_over(minutes: int, is_missing: bool) -> None:
    as_of = opening(2, 12) + timedelta(minutes=minutes)
    assert bool(faults(bars(halves(*WEEK.spans[:3])), WEEK, as_of)) is is_missing


def test_a_daily_bar_is_missing_only_after_the_close() -> None:
    days = bars([one.opens_at for one in WEEK.spans[:3]], "1 day")
    close = WEEK.spans[3].closes_at
    assert faults(days, WEEK, close - HALF_HOUR) == ()
    assert faults(days, WEEK, close) == ("1 days without a bar: 2019-12-02",)


def test_hour_bars_begin_at_the_opening_and_then_on_the_hour() -> None:
    one = span(26)
    hours = [one.opens_at, *(one.opens_at + HALF_HOUR + n * 2 * HALF_HOUR for n in range(6))]
    assert faults(bars(hours, "1 hour"), Sessions((one,)), LATER) == ()
    (told,) = faults(bars([*hours[:3], *hours[4:]], "1 hour"), Sessions((one,)), LATER)
    assert told == "1 bars missing: 2019-11-26 12:00"


def test_where_only_days_are_known_only_days_are_missed() -> None:
    """Of futures: their regular hours are a part of the session in the calendar."""
    days_only = Sessions(WEEK.spans, bars_lie_within=False)
    few = [one.opens_at for one in WEEK.spans]
    assert faults(bars(few), days_only, LATER) == ()
    assert faults(bars([few[0], *few[2:]]), days_only, LATER) == (
        "1 days without a bar: 2019-11-27",
    )


def test_without_a_calendar_order_and_prices_are_still_looked_at() -> None:
    times = [opening(27), opening(26), opening(26)]
    assert faults(bars(times), None, LATER) == (
        "1 bars told twice: 2019-11-26 09:30",
        "1 bars out of order: 2019-11-26 09:30",
    )


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("close", 0.0, "not above 0"),
        ("open", -1.0, "not above 0"),
        ("low", float("nan"), "not above 0"),
        ("high", float("inf"), "not above 0"),
        ("high", 99.5, "a high below"),
        ("low", 100.5, "a high below or a low above"),
        ("volume", -1.0, "a volume below 0"),
        ("volume", float("nan"), "a volume below 0"),
    ],
)
def test_a_wrong_number_is_told_with_its_bar(column: str, value: float, words: str) -> None:
    two = bars([opening(26), opening(26) + HALF_HOUR])
    changed: dict[str, Any] = {column: (100.0, value)}
    (told,) = faults(replace(two, **changed), None, LATER)
    assert words in told
    assert told.endswith("2019-11-26 10:00")


def test_no_bars_have_no_fault() -> None:
    assert faults(bars([]), WEEK, LATER) == ()


@given(st.sets(st.integers(1, 45)))
def test_every_missing_bar_is_counted(missing: set[int]) -> None:
    times = halves(*WEEK.spans)
    kept = [at for i, at in enumerate(times) if i not in missing]
    gone = {at.date() for at in times} - {at.date() for at in kept}
    told = faults(bars(kept), WEEK, LATER)
    counted = sum(at not in kept and at.date() not in gone for at in times)
    assert [int(one.split()[0]) for one in told] == [n for n in (len(gone), counted) if n]


# ---------------------------------------------------------------------- the contract's own hours


def terms(*spans: Span) -> Terms:
    return Terms(SPY, opening(26), (), spans)


def test_an_early_close_that_no_library_knows_counts() -> None:
    """The contract's own hours, as IB tells them."""
    short = span(27, 2)
    sessions = by_own_hours(WEEK, terms(span(26), short))
    assert sessions.spans == (span(26), short, *WEEK.spans[2:])
    assert faults(bars(halves(span(26), short, *WEEK.spans[2:])), sessions, LATER) == ()


def test_a_day_that_ib_leaves_out_between_two_is_closed() -> None:
    sessions = by_own_hours(WEEK, terms(span(26), span(29, 3.5)))
    assert [one.opens_at.date() for one in sessions.spans] == [
        date(2019, 11, 26),
        date(2019, 11, 29),
        date(2019, 12, 2),
    ]


def test_days_that_ib_does_not_name_are_the_calendars() -> None:
    assert by_own_hours(WEEK, terms()) == WEEK
    assert by_own_hours(WEEK, None) == WEEK
    assert by_own_hours(WEEK, terms(span(2, month=12))) == WEEK
