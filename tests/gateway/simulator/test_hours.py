"""Sessions and how IB writes them."""

from datetime import date

import pytest

from gateway.simulator.hours import between, hours_text, session_on

FRIDAY = date(2025, 11, 28)


def test_a_session_is_in_utc_and_ends_before_its_close() -> None:
    session = session_on(FRIDAY)
    assert session.opens.isoformat() == "2025-11-28T14:30:00+00:00"
    assert session.contains(session.opens)
    assert not session.contains(session.closes)


def test_summer_time_moves_the_session() -> None:
    assert session_on(date(2025, 7, 3)).opens.hour == 13


@pytest.mark.parametrize(
    ("liquid", "text"),
    [(True, "20251128:0930-20251128:1300"), (False, "20251128:0400-20251128:1700")],
)
def test_an_early_close_is_written_down(liquid: bool, text: str) -> None:
    hours = hours_text(lambda day: session_on(day, early=True), FRIDAY, liquid=liquid)
    assert hours.split(";")[0] == text


def test_a_day_without_session_is_closed() -> None:
    hours = hours_text(lambda day: None, FRIDAY, liquid=True).split(";")
    assert hours[:2] == ["20251128:CLOSED", "20251129:CLOSED"]
    assert len(hours) == 6


def test_between_needs_days_near_on_both_sides() -> None:
    days = [date(2025, 11, 26), date(2025, 11, 28)]
    assert between(days, date(2025, 11, 27), 5)
    assert not between(days, date(2025, 12, 1), 5)
    assert not between([date(2025, 1, 1), date(2025, 12, 1)], date(2025, 6, 1), 5)
