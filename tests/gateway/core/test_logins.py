"""The calendar of IB's sessions: Sunday 01:00 New York, over both changes of the clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import logins
from gateway.core.finding import State
from schemas.new_york import NEW_YORK
from schemas.values import Mode


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23 09:30", "2026-11-29 01:00"),
        ("2026-11-28 23:59", "2026-11-29 01:00"),
        ("2026-11-29 00:59", "2026-11-29 01:00"),
        ("2026-11-29 01:00", "2026-12-06 01:00"),
        ("2026-03-07 12:00", "2026-03-08 01:00"),
        ("2026-10-31 12:00", "2026-11-01 01:00"),
    ],
)
def test_the_next_login_is_the_next_sunday_at_one(now: str, due: str) -> None:
    assert logins.next_login(new_york(now)) == new_york(due)


@given(st.integers(0, 15 * 365 * 24 * 60))
def test_the_next_login_lies_ahead_within_a_week_and_an_hour(minutes: int) -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    due = logins.next_login(now)
    assert timedelta(0) < due.astimezone(UTC) - now <= timedelta(days=7, hours=1)
    assert due.weekday() == logins.SUNDAY


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23 09:30", "2026-11-23 23:45"),
        ("2026-11-23 23:45", "2026-11-24 23:45"),
        ("2026-11-23 23:50", "2026-11-24 23:45"),
    ],
)
def test_the_next_restart_is_today_or_tomorrow(now: str, due: str) -> None:
    assert logins.next_restart(new_york(now), "23:45") == new_york(due)


def test_a_login_within_a_day_is_a_warning_that_names_the_phone_in_live() -> None:
    now = new_york("2026-11-28 12:00")
    paper = logins.login(now, Mode.PAPER, "23:45")
    assert paper.state is State.WARN
    assert paper.sentence == (
        "IB ends all sessions Sun 2026-11-29 01:00 New York, in 13 h 0 min; "
        "the IB Gateway restarts Sat 2026-11-28 23:45 New York."
    )
    assert "phone" not in paper.next_step
    assert "phone" in logins.login(now, Mode.LIVE, "").next_step


def test_a_login_days_ahead_is_fine() -> None:
    found = logins.login(new_york("2026-11-23 09:30"), Mode.PAPER, "")
    assert found.state is State.OK
    assert "in 5 d 15 h; when it restarts each day is not told" in found.sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119.9, "119 s"), (120, "2 min"), (7200, "2 h 0 min"), (172800, "2 d 0 h")],
)
def test_a_span_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert logins.span(timedelta(seconds=seconds)) == text
