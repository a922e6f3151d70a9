from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.core.hours import in_new_york, next_opening, session_at

TICK = timedelta(microseconds=1)


def test_a_session_begins_at_its_opening_and_ends_before_its_close(build: Any) -> None:
    """Half-open: at the close itself nothing trades any more."""
    span = build.span(9, 30, 16, 0)
    assert session_at([span], span.opens_at - TICK) is None
    assert session_at([span], span.opens_at) == span
    assert session_at([span], span.closes_at - TICK) == span
    assert session_at([span], span.closes_at) is None


def test_of_two_sessions_that_touch_the_later_one_has_the_moment_between(build: Any) -> None:
    morning, evening = build.span(9, 30, 16, 0), build.span(16, 0, 20, 0)
    assert session_at([morning, evening], morning.closes_at) == evening


@pytest.mark.parametrize(("day", "clock", "expected"), [(5, 9, 5), (5, 10, 6), (6, 17, None)])
def test_the_next_opening_is_the_first_that_is_still_to_come(
    build: Any, day: int, clock: int, expected: int | None
) -> None:
    spans = [build.span(9, 30, 16, 0, day=which) for which in (5, 6)]
    opens_at = next_opening(spans, build.span(clock, 0, 20, 0, day=day).opens_at)
    assert opens_at == (build.span(9, 30, 16, 0, day=expected).opens_at if expected else None)


def test_a_market_opens_no_more_at_the_moment_it_opens(build: Any) -> None:
    span = build.span(9, 30, 16, 0)
    assert next_opening([span], span.opens_at - TICK) == span.opens_at
    assert next_opening([span], span.opens_at) is None


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 1, 5, 14, 30, tzinfo=UTC), "Mon 2026-01-05 09:30 New York"),
        (datetime(2026, 7, 6, 13, 30, tzinfo=UTC), "Mon 2026-07-06 09:30 New York"),
    ],
)
def test_times_are_told_as_new_york_has_them_in_winter_and_summer(at: datetime, said: str) -> None:
    assert in_new_york(at) == said
