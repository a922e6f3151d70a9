"""Fit bars and unfit ones; every sentence names the contract and the numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.history import bar_end, bars_of, chain, closes, fault
from schemas.messages import Bars, Market
from schemas.new_york import NEW_YORK
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


MES = Contract("MES", "FUT", "CME")


def with_months(market: Market, *names: str) -> Market:
    """The message's bars as those of months that expire in the order of the names."""
    days = ("20260320", "20260618", "20260918")
    months = (
        replace(MES, local_symbol=name, last_trade_date=day)
        for name, day in zip(names, days, strict=False)
    )
    bars = [replace(market.bars[0], contract=month) for month in months]
    return replace(market, bars=tuple(reversed(bars)))


def test_a_future_without_a_month_is_two_months_the_nearer_first() -> None:
    market = with_months(message("2025-11-25 10:31", "2025-11-25 10:00"), "MESH6", "MESM6")
    assert [bars.contract.name for bars in chain(market, "MES")] == ["MESH6", "MESM6"]
    assert fault(market, (MES,), SPEC, 1) == "MESH6 has 1 bars, at least 2 are needed"
    assert (chain(market, "SPY"), bars_of(market, "MES")) == ((), None)
    assert closes(market, "MESM6") == (1.0,)


@pytest.mark.parametrize("names", [(), ("MESH6",), ("MESH6", "MESM6", "MESU6")])
def test_a_chain_of_more_or_fewer_months_is_unfit(names: tuple[str, ...]) -> None:
    market = with_months(message("2025-11-25 10:31", "2025-11-25 10:00"), *names)
    expected = f"MES has no bars of 2 months, but of {len(names)}"
    assert fault(market, (MES,), SPEC) == expected


@pytest.mark.parametrize(
    "one",
    [
        replace(MES, last_trade_date="20260618"),
        replace(MES, last_trade_date="202606"),
        replace(MES, local_symbol="MESM6"),
    ],
)
def test_a_month_that_the_universe_names_is_found_however_it_names_it(one: Contract) -> None:
    market = with_months(message("2025-11-25 10:31", "2025-11-25 10:00"), "MESH6", "MESM6")
    assert fault(market, (one,), BarSpec("30 mins", "5 D", 1)) == ""
    assert fault(replace(market, bars=market.bars[1:]), (one,), SPEC).endswith(" has no bars")


def test_the_only_month_of_a_future_may_be_called_by_its_symbol() -> None:
    """With two months there the symbol is neither's name: never a guess."""
    market = with_months(message("2025-11-25 10:31", "2025-11-25 10:00"), "MESH6")
    assert bars_of(market, "MES") == bars_of(market, "MESH6") == market.bars[0]
