"""Sessions by rule and how IB writes them: stocks, currencies, CME futures."""

from datetime import UTC, date, datetime

import pytest

from gateway.simulator.market.calendars import Calendar
from gateway.simulator.market.hours import (
    CME,
    FX,
    KINDS,
    US,
    Day,
    Session,
    hours_text,
    kind_of,
    session_on,
)

FRIDAY = date(2025, 11, 28)
"""The day after Thanksgiving: New York closes at 13:00."""


def calendar(kind: str) -> Calendar:
    return Calendar(KINDS[kind], {})


def told(kind: str, day: date, *, liquid: bool = False) -> list[str]:
    known = calendar(kind)
    sessions = known.liquid if liquid else known.extended
    return hours_text(sessions, day, KINDS[kind].zone).split(";")


def regular(kind: str, day: date) -> Session:
    session = calendar(kind).regular(day)
    assert session is not None
    return session


def test_a_session_is_in_utc_and_ends_before_its_close() -> None:
    session = session_on(FRIDAY)
    assert session.opens.isoformat() == "2025-11-28T14:30:00+00:00"
    assert session.contains(session.opens)
    assert not session.contains(session.closes)


def test_summer_time_moves_the_session() -> None:
    assert session_on(date(2025, 7, 3)).opens.hour == 13


def test_the_hours_of_stocks_have_holidays_and_early_closes() -> None:
    """Thanksgiving week 2025, as tradingHours and liquidHours tell it."""
    assert told(US, date(2025, 11, 26)) == [
        "20251126:0400-20251126:2000",
        "20251127:CLOSED",
        "20251128:0400-20251128:1700",
        "20251129:CLOSED",
        "20251130:CLOSED",
        "20251201:0400-20251201:2000",
    ]
    assert told(US, date(2025, 11, 28), liquid=True)[0] == "20251128:0930-20251128:1300"


def test_the_hours_of_futures_are_those_recorded_from_ib() -> None:
    """ESM5 on the evening of 2025-05-21: Memorial Day stops at noon, Sunday has no entry."""
    assert told(CME, date(2025, 5, 22)) == [
        "20250521:1700-20250522:1600",
        "20250522:1700-20250523:1600",
        "20250524:CLOSED",
        "20250525:1700-20250526:1200",
        "20250526:1700-20250527:1600",
        "20250527:1700-20250528:1600",
    ]
    assert told(CME, date(2025, 5, 22), liquid=True)[0] == "20250522:0830-20250522:1600"


def test_currencies_trade_from_sunday_to_friday_with_a_break_of_a_quarter_hour() -> None:
    """EUR.USD as recorded from IB on 2022-12-05."""
    recorded = [
        "20221205:1715-20221206:1700",
        "20221206:1715-20221207:1700",
        "20221207:1715-20221208:1700",
        "20221208:1715-20221209:1700",
        "20221210:CLOSED",
        "20221211:1715-20221212:1700",
    ]
    assert told(FX, date(2022, 12, 6)) == recorded
    assert told(FX, date(2022, 12, 6), liquid=True) == recorded


@pytest.mark.parametrize(
    ("kind", "local", "day"),
    [
        (US, "2025-12-11T22:30:00+00:00", "2025-12-11"),
        (FX, "2025-12-11T21:59:00+00:00", "2025-12-11"),
        (FX, "2025-12-11T22:15:00+00:00", "2025-12-12"),
        (CME, "2025-12-11T21:59:00+00:00", "2025-12-11"),
        (CME, "2025-12-11T23:00:00+00:00", "2025-12-12"),
    ],
)
def test_an_evening_belongs_to_the_trading_day_that_follows(
    kind: str, local: str, day: str
) -> None:
    assert KINDS[kind].trading_day(datetime.fromisoformat(local)).isoformat() == day


@pytest.mark.parametrize(
    ("day", "length"),
    [
        ("2025-04-18", Day.CLOSED),
        ("2025-12-25", Day.CLOSED),
        ("2025-05-26", Day.HALTED),
        ("2025-11-28", Day.SHORT),
        ("2025-12-12", Day.WHOLE),
        ("2025-12-13", Day.CLOSED),
    ],
)
def test_futures_trade_until_noon_on_most_holidays(day: str, length: Day) -> None:
    assert calendar(CME).length(date.fromisoformat(day)) is length


def test_a_short_day_of_futures_ends_at_a_quarter_past_noon_in_chicago() -> None:
    assert regular(CME, FRIDAY).closes == datetime(2025, 11, 28, 18, 15, tzinfo=UTC)


def test_currencies_rest_on_christmas_and_new_years_day() -> None:
    assert calendar(FX).regular(date(2025, 12, 25)) is None
    assert calendar(FX).regular(date(2026, 1, 1)) is None
    assert regular(FX, date(2025, 7, 4)).closes.hour == 21


@pytest.mark.parametrize(
    ("key", "kind"),
    [("SPY", US), ("BRK.B", US), ("EUR.USD", FX), ("ESZ5", CME), ("6EH26", CME), ("F", US)],
)
def test_the_name_of_a_series_tells_its_hours(key: str, kind: str) -> None:
    assert kind_of(key).name == kind
