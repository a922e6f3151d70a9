"""Fit bars and unfit ones; every sentence names the contract and the numbers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.history import NEW_YORK, bar_end, bars_of, closes, fault
from schemas.messages import Bars, Market
from schemas.values import BarSpec, Contract

SPY = Contract("SPY")
HALF_HOUR = timedelta(minutes=30)
SPEC = BarSpec("30 mins", "5 D", 2)


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def message(as_of: str, *starts: str, size: str = "30 mins") -> Market:
    """Bars that start at these New York times, all of price 1."""
    ones = (1.0,) * len(starts)
    bars = Bars(SPY, size, tuple(map(new_york, starts)), ones, ones, ones, ones, ones)
    now = new_york(as_of).astimezone(UTC)
    return Market("run-1", "manual", now, now, Decimal(1), "USD", bars=(bars,))


def test_finished_bars_in_order_are_fit() -> None:
    market = message("2025-11-25 10:31", "2025-11-25 09:30", "2025-11-25 10:00")
    assert fault(market, (SPY,), SPEC) == ""


def test_a_daily_bar_is_finished_at_the_close_of_its_new_york_date() -> None:
    expected = new_york("2025-11-25 16:00")
    assert bar_end(new_york("2025-11-25 09:30"), "1 day") == expected
    assert bar_end(new_york("2025-11-25 00:00"), "1 day") == expected
    assert bar_end(new_york("2025-11-25 09:30"), "30 mins") == new_york("2025-11-25 10:00")


def test_a_bar_is_unfinished_until_its_last_second() -> None:
    starts = ("2025-11-25 09:30", "2025-11-25 10:00")
    assert fault(message("2025-11-25 10:30", *starts), (SPY,), SPEC) == ""
    assert "unfinished" in fault(message("2025-11-25 10:29:59", *starts), (SPY,), SPEC)


def test_in_the_session_the_newest_bar_may_be_two_bars_late() -> None:
    starts = ("2025-11-25 10:30", "2025-11-25 11:00")
    assert fault(message("2025-11-25 12:30", *starts), (SPY,), SPEC) == ""
    assert fault(message("2025-11-25 12:31", *starts), (SPY,), SPEC) == (
        "SPY has stale bars: the newest ended 2025-11-25 11:30-05:00, "
        "now it is 2025-11-25 12:31-05:00"
    )


@pytest.mark.parametrize(
    "as_of", ["2025-11-25 09:45", "2025-11-25 10:29", "2025-11-24 18:00", "2025-11-23 12:00"]
)
def test_outside_the_session_the_last_sessions_bars_are_fresh(as_of: str) -> None:
    friday = ("2025-11-21 15:00", "2025-11-21 15:30")
    assert fault(message(as_of, *friday), (SPY,), SPEC) == ""


def test_daily_bars_last_over_a_long_weekend_and_no_longer() -> None:
    spec = BarSpec("1 day", "200 D", 1)
    thursday = "2025-04-17 09:30"  # Good Friday follows
    assert fault(message("2025-04-21 09:35", thursday, size="1 day"), (SPY,), spec) == ""
    assert "stale" in fault(message("2025-04-22 09:35", thursday, size="1 day"), (SPY,), spec)


def test_a_bar_that_comes_twice_is_out_of_order() -> None:
    market = message("2025-11-25 10:31", "2025-11-25 09:30", "2025-11-25 09:30")
    assert fault(market, (SPY,), SPEC) == (
        "SPY has a bar of 2025-11-25 09:30-05:00 after the one of 2025-11-25 09:30-05:00"
    )


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2025, 11, 25, 9, 30)  # noqa: DTZ001
    good = message("2025-11-25 10:31", "2025-11-25 10:00")
    bars = Bars(SPY, "30 mins", (naive,), (1.0,), (1.0,), (1.0,), (1.0,), (1.0,))
    market = Market("r", "manual", good.as_of, good.as_of, Decimal(1), "USD", bars=(bars,))
    assert fault(market, (SPY,), SPEC) == "SPY has bars without a time zone"


def test_what_the_parameters_need_counts_as_well() -> None:
    market = message("2025-11-25 10:31", "2025-11-25 09:30", "2025-11-25 10:00")
    assert fault(market, (SPY,), SPEC, 3) == "SPY has 2 bars, at least 3 are needed"


def test_closes_are_the_symbols_own_and_empty_without_bars(days: Any) -> None:
    """Never another contract's price: the system that this one replaces did that once."""
    market = days.market("spy_macd_vixy", days.ends()[-1], 3)
    assert closes(market, "VIXY") == days.bars[1].close[-3:]
    assert (closes(market, "QQQ"), bars_of(market, "QQQ")) == ((), None)
