"""Which day the demo plays, when its bars start, and what it says when there is none."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.simulator.market.bars import BarBook, Row
from infra.local.demo import DayUnplayable, chosen_day, exchange_options, half_hours
from schemas.new_york import NEW_YORK

MONDAY = date(2026, 1, 5)
NUMBERS = tuple(map(Decimal, (100, 101, 99, 100, 1000)))

type MakeBook = Callable[..., BarBook]


def rows(day: date, count: int) -> Iterator[Row]:
    opening = datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK).astimezone(UTC)
    for number in range(count):
        yield Row(opening + number * timedelta(minutes=30), NUMBERS, f"SPY_30min.csv:{number}")


@pytest.fixture
def book() -> MakeBook:
    """Bars of SPY: how many half-hours from the opening on Monday, Tuesday and so on."""

    def make(*counts: int, symbol: str = "SPY") -> BarBook:
        found = [r for n, c in enumerate(counts) for r in rows(MONDAY + timedelta(days=n), c)]
        return BarBook({(symbol, "30 mins"): found} if found else {})

    return make


def test_the_last_whole_day_is_chosen(book: MakeBook) -> None:
    assert chosen_day(book(13, 13, 5), None) == MONDAY + timedelta(days=1)


def test_a_day_may_be_asked_for_though_it_is_not_whole(book: MakeBook) -> None:
    assert chosen_day(book(13, 13, 5), MONDAY + timedelta(days=2)) == MONDAY + timedelta(days=2)


def test_a_day_without_bars_is_refused_and_the_span_is_named(book: MakeBook) -> None:
    with pytest.raises(DayUnplayable) as error:
        chosen_day(book(13, 13), date(2026, 2, 1))
    assert str(error.value) == (
        "DAY=2026-02-01 cannot be played: there are bars from 2026-01-05 to 2026-01-06"
    )


def test_without_a_whole_day_the_span_is_named(book: MakeBook) -> None:
    expected = "DAY=the last whole one cannot be played: there are bars from 2026-01-05 to"
    with pytest.raises(DayUnplayable, match=expected):
        chosen_day(book(5), None)


def test_without_any_bars_it_is_said(book: MakeBook) -> None:
    with pytest.raises(DayUnplayable, match="there are no 30-minute bars"):
        chosen_day(book(), None)


def test_a_day_has_13_half_hours_from_half_past_nine_to_four(book: MakeBook) -> None:
    starts, closes = half_hours(book(13), MONDAY)
    assert len(starts) == 13
    assert starts[0] == datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    assert closes == datetime(2026, 1, 5, 21, tzinfo=UTC) == starts[-1] + timedelta(minutes=30)


def test_a_day_that_closes_early_has_7(book: MakeBook) -> None:
    starts, closes = half_hours(book(13, 7), MONDAY + timedelta(days=1))
    assert len(starts) == 7
    assert closes == datetime(2026, 1, 6, 18, tzinfo=UTC)


def test_a_day_without_a_session_is_refused(book: MakeBook) -> None:
    with pytest.raises(DayUnplayable, match="2026-01-10 has no session"):
        half_hours(book(13), date(2026, 1, 10))


def test_the_account_holds_what_was_bought_at_the_first_price(book: MakeBook) -> None:
    start = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    (held,) = exchange_options(book(13), start, Decimal(50)).holdings
    assert (held.symbol, held.quantity, held.average_cost) == ("SPY", Decimal(50), Decimal(100))


def test_a_flat_account_needs_no_price(book: MakeBook) -> None:
    start = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    assert exchange_options(book(13, symbol="VIXY"), start, Decimal(0)).holdings == ()


def test_without_a_price_of_spy_nothing_can_be_held(book: MakeBook) -> None:
    start = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    with pytest.raises(DayUnplayable, match="no 30-minute bars of SPY up to 2026-01-05T14:30"):
        exchange_options(book(13, symbol="VIXY"), start, Decimal(50))
