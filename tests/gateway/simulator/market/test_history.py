"""Which bars answer a request (design/ib.md 1.2): end times, durations, what is known when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.market.aggregation import Aggregates
from gateway.simulator.market.bars import Bar, BarBook
from gateway.simulator.market.calendars import Calendar
from gateway.simulator.market.contracts import Contract, ContractTable, Listing
from gateway.simulator.market.history import (
    HistoryError,
    Span,
    months_before,
    parse,
    parse_end,
    parse_span,
    schedule,
    select,
    time_text,
)
from gateway.simulator.market.hours import KINDS
from gateway.simulator.requests import HistoricalDataRequest

At = Callable[..., datetime]
NOW = datetime(2025, 12, 12, 15, tzinfo=UTC)
PLAIN = HistoricalDataRequest(1, Contract(), False, "", "30 mins", "1 D", True, "TRADES", 1, False)
SPY, EUR_USD = (ContractTable().by_con_id(con_id) for con_id in (756733, 12087792))


def answer(book: BarBook, request: HistoricalDataRequest, now: datetime) -> list[Bar]:
    return select(Aggregates(book), SPY, parse(request, SPY, now), now)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20251212 15:00:00 UTC",
        "20251212-15:00:00",
        "20251212 10:00:00 US/Eastern",
        "20251212 10:00:00",
    ],
)
def test_each_way_of_saying_the_end_is_understood(text: str) -> None:
    assert parse_end(text, NOW) == NOW


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "20251212",
        "20251312 10:00:00 UTC",
        "20251212 10:00:00 Mars/Base",
        "00010101-00:00:00 X",
    ],
)
def test_an_end_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HistoryError, match="end time"):
        parse_end(text, NOW)


def test_durations_are_a_count_and_a_unit() -> None:
    assert parse_span("5 D") == Span(5, "D")


@pytest.mark.parametrize("text", ["", "5", "0 D", "5 days", "366 D", "13 M", "-1 D", "5D"])
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HistoryError):
        parse_span(text)


def test_months_end_where_the_month_ends() -> None:
    march = datetime(2025, 3, 31, tzinfo=UTC)
    assert months_before(march, 1) == datetime(2025, 2, 28, tzinfo=UTC)
    assert months_before(march, 13) == datetime(2024, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"duration": "1 D"}, 2),
        ({"duration": "2 D"}, 15),
        ({"duration": "1800 S"}, 2),
        ({"duration": "1799 S"}, 1),
        ({"duration": "1 W"}, 15),
        ({"duration": "1 M"}, 15),
        ({"duration": "1 Y", "bar_size": "1 day"}, 2),
        ({"end": "20251212 10:00:00 US/Eastern"}, 2),
        ({"end": "20251211 16:00:00 US/Eastern"}, 13),
        ({"end": "20251211 10:00:00 US/Eastern"}, 1),
        ({"end": "20301211 10:00:00 US/Eastern"}, 2),
    ],
)
def test_a_duration_reaches_back_from_the_end(
    book: BarBook, at: At, changes: dict[str, Any], count: int
) -> None:
    assert len(answer(book, replace(PLAIN, **changes), at("10:00"))) == count


def test_a_forming_bar_shows_only_its_open(book: BarBook, at: At) -> None:
    last = answer(book, PLAIN, at("10:29"))[-1]
    assert {last.open, last.high, last.low, last.close} == {Decimal(601)}
    assert last.volume == 0
    assert answer(book, PLAIN, at("15:59"))[-2].high == 613
    assert answer(book, PLAIN, at("16:00"))[-1].high == 614


def test_a_forming_day_shows_what_is_known_of_it(book: BarBook, at: At) -> None:
    """At 12:00 five bars are over, the last one reached 606; the sixth opened at 605."""
    daily = replace(PLAIN, bar_size="1 day", duration="1 M")
    yesterday, today = answer(book, daily, at("12:00"))
    assert yesterday.close == 513
    assert [today.open, today.high, today.low, today.close] == [
        Decimal(n) for n in (600, 606, 598, 605)
    ]
    assert today.volume == 5000


def test_bars_outside_the_session_are_left_out_of_regular_hours(shared_book: BarBook) -> None:
    """2025-11-28 closed at 13:00; the file has the closing print as a bar of its own."""
    request = replace(PLAIN, end="20251128 20:00:00 US/Eastern")
    regular = answer(shared_book, request, NOW)
    every = answer(shared_book, replace(request, regular_hours=False), NOW)
    assert (len(regular), len(every)) == (7, 8)


def test_a_duration_before_all_calendars_is_refused(book: BarBook) -> None:
    request = replace(PLAIN, end="00010102-00:00:00", duration="30 Y")
    with pytest.raises(HistoryError, match="calendars"):
        answer(book, request, NOW)


@pytest.mark.parametrize(
    ("size", "date_format", "text"),
    [
        ("30 mins", 1, "20251212 10:00:00 US/Eastern"),
        ("30 mins", 2, "1765551600"),
        ("1 day", 1, "20251212"),
        ("1 day", 2, "20251212"),
    ],
)
def test_times_are_written_as_asked(book: BarBook, size: str, date_format: int, text: str) -> None:
    bar = book.series("SPY", "30 mins").at(NOW)
    assert bar is not None
    assert time_text(bar, size, date_format) == text


def test_a_bar_knows_its_day(book: BarBook) -> None:
    bar: Bar = book.series("SPY", "30 mins").bars[0]
    assert bar.day.isoformat() == "2025-12-11"


def refused(listing: Listing, **changes: Any) -> tuple[int, str]:
    with pytest.raises(HistoryError) as error:
        parse(replace(PLAIN, **changes), listing, NOW)
    return error.value.code, str(error.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bar_size": "7 mins"}, "bar size setting is invalid"),
        ({"what_to_show": "GOSSIP"}, "what to show 'GOSSIP'"),
        ({"date_format": 3}, "date format"),
        ({"what_to_show": "ADJUSTED_LAST", "end": "20251212-15:00:00"}, "adjusted last"),
        ({"what_to_show": "SCHEDULE"}, "bars of 1 day"),
        ({"keep_up_to_date": True, "end": "20251212-15:00:00"}, "keepUpToDate"),
        ({"keep_up_to_date": True, "what_to_show": "BID_ASK"}, "cannot be kept up to date"),
    ],
)
def test_what_makes_no_sense_is_error_321(changes: dict[str, Any], reason: str) -> None:
    code, text = refused(SPY, **changes)
    assert code == 321
    assert reason in text


def test_currencies_have_no_trades_to_show() -> None:
    assert refused(EUR_USD)[0] == 162
    assert parse(replace(PLAIN, what_to_show="MIDPOINT"), EUR_USD, NOW).what == "MIDPOINT"


@pytest.mark.parametrize(
    ("duration", "days"), [("3 D", "10 11 12"), ("1 W", "05 08 09 10 11 12"), ("2 S", "12")]
)
def test_a_schedule_covers_the_span(duration: str, days: str) -> None:
    asked = replace(PLAIN, bar_size="1 day", what_to_show="SCHEDULE", duration=duration)
    calendar = Calendar(KINDS["US"], {})
    told = schedule(calendar, parse(asked, SPY, NOW), 1, NOW)
    assert " ".join(session.day[-2:] for session in told.sessions) == days
    assert (told.start, told.time_zone) == (told.sessions[0].start, "US/Eastern")
    assert told.end == "20251212-16:00:00"


def test_a_schedule_of_all_hours_has_the_extended_sessions() -> None:
    asked = replace(PLAIN, bar_size="1 day", what_to_show="SCHEDULE", regular_hours=False)
    calendar = Calendar(KINDS["US"], {})
    (session,) = schedule(calendar, parse(asked, SPY, NOW), 1, NOW).sessions
    assert (session.start, session.end) == ("20251212-04:00:00", "20251212-20:00:00")
