"""New York's sessions as the calendar library has them, and when cron lines are due."""

from datetime import UTC, date, datetime, time, timedelta

import exchange_calendars
import pytest

from functions.closures import FIRST, LAST
from functions.sessions import KNOWN_UNTIL, due_times, session, session_at, weekly

MINUTE = timedelta(minutes=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_every_day_of_the_table_is_as_the_calendar_library_has_it() -> None:
    """Openings and closes, early ones and summer time included: 2,263 sessions."""
    calendar = exchange_calendars.get_calendar("XNYS", start=FIRST, end=LAST)
    expected = {
        day.date(): (opens.to_pydatetime(), closes.to_pydatetime())
        for day, opens, closes in zip(
            calendar.sessions, calendar.opens, calendar.closes, strict=True
        )
    }
    first, last = date.fromisoformat(FIRST), date.fromisoformat(LAST)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    found = {day: (s.opens, s.closes) for day in days if (s := session(day))}
    assert found == {
        day: tuple(moment.replace(tzinfo=UTC) for moment in pair) for day, pair in expected.items()
    }
    assert len(found) > 2000


def test_the_table_reaches_years_ahead() -> None:
    assert date(2032, 12, 31) <= KNOWN_UNTIL


def test_after_the_table_every_weekday_counts_as_open() -> None:
    """A needless alarm is better than none."""
    assert session(date(2040, 12, 25)) is not None
    assert session(date(2040, 12, 29)) is None  # a Saturday


def test_the_date_is_new_york_s() -> None:
    """01:00 UTC of a Saturday is still Friday there."""
    found = session_at(utc(2026, 1, 10, 1, 0))
    assert found == session(date(2026, 1, 9))
    assert found is not None
    assert (found.opens, found.closes) == (utc(2026, 1, 9, 14, 30), utc(2026, 1, 9, 21))


@pytest.mark.parametrize(
    ("at", "is_in"),
    [
        (utc(2026, 1, 9, 14, 0), True),
        (utc(2026, 1, 9, 13, 59, 59), False),
        (utc(2026, 1, 9, 21, 10), True),
        (utc(2026, 1, 9, 21, 10, 1), False),
    ],
)
def test_a_session_holds_what_is_a_little_outside_too(at: datetime, is_in: bool) -> None:
    found = session(date(2026, 1, 9))
    assert found is not None
    assert found.holds(at, 30 * MINUTE, 10 * MINUTE) is is_in


def test_a_cron_line_is_due_in_new_york_time_in_summer_and_winter() -> None:
    found = due_times("35 9 * * 1-5", utc(2026, 3, 6, 0, 0), utc(2026, 3, 9, 23, 0))
    assert list(found) == [utc(2026, 3, 6, 14, 35), utc(2026, 3, 9, 13, 35)]


def test_the_bounds_are_after_the_first_and_up_to_the_second() -> None:
    first, second = utc(2026, 1, 5, 15, 1), utc(2026, 1, 5, 15, 31)
    assert list(due_times("1,31 10-15 * * 1-5", first, second)) == [second]


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (utc(2026, 1, 11, 6, 0), utc(2026, 1, 11, 6, 0)),  # Sunday 01:00 itself
        (utc(2026, 1, 11, 5, 59), utc(2026, 1, 4, 6, 0)),
        (utc(2026, 1, 14, 12, 0), utc(2026, 1, 11, 6, 0)),
        (utc(2026, 3, 8, 12, 0), utc(2026, 3, 8, 6, 0)),  # clocks go forward an hour later
        (utc(2026, 7, 8, 12, 0), utc(2026, 7, 5, 5, 0)),
    ],
)
def test_a_moment_of_the_week_is_found_back(now: datetime, found: datetime) -> None:
    assert weekly(6, time(1), now) == found
