from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.broker import Terms
from gateway.core.candidate import Candidate
from gateway.core.desk import Desk
from gateway.core.market_limits import market_hours
from schemas.documents import RefusalEntry
from schemas.settings import OrderPolicy
from schemas.values import OrderType

SECOND = timedelta(seconds=1)
EXTENDED = OrderPolicy(OrderType.LMT, outside_rth=True)


def order(build: Any, **parts: Any) -> Candidate:
    """a wants 10 SPY more."""
    shares, price = build.shares({"a": 10}), build.price()
    known = Candidate(build.spy, Decimal(10), shares, reducing=False, price=price)
    return replace(known, **parts)


def desk_of(build: Any, terms: Terms | None, policy: OrderPolicy | None = None) -> Desk:
    desk: Desk = build.desk(terms={1: terms} if terms else {})
    settings = {"quote_age_seconds_max": 10**6}
    made: Desk = build.settings_of(desk, order_policy=policy or OrderPolicy(), **settings)
    return made


def at_clock(build: Any, hour: int, minute: int = 0, day: int = 5) -> datetime:
    at: datetime = build.span(hour, minute, 23, 59, day=day).opens_at
    return at


def refused(build: Any, at: datetime, **parts: Any) -> RefusalEntry | None:
    """The answer of a regular day, with another one behind it, to a market order."""
    hours = (build.span(9, 30, 16, 0), build.span(9, 30, 16, 0, day=6))
    desk = desk_of(build, build.terms(liquid_hours=hours))
    return market_hours(order(build, **parts), desk, at)


@pytest.mark.parametrize("reducing", [True, False])
@pytest.mark.parametrize(
    ("clock", "before", "passes"),
    [((9, 30), 0, True), ((9, 30), 1, False), ((16, 0), 1, True), ((16, 0), 0, False)],
)
def test_an_order_is_sent_from_the_opening_on_and_up_to_the_close(
    build: Any, clock: tuple[int, int], before: int, passes: bool, reducing: bool
) -> None:
    """(behaviour 4.1) Half-open, and also what reduces: IB would hold it till the open."""
    at = at_clock(build, *clock) - before * SECOND
    assert (refused(build, at, reducing=reducing) is None) is passes


def test_a_refusal_says_when_the_market_opens_next_in_new_york(build: Any) -> None:
    hours = (build.span(9, 30, 16, 0), build.span(9, 30, 16, 0, day=6))
    desk = desk_of(build, build.terms(liquid_hours=hours))
    entry = market_hours(order(build), desk, at_clock(build, 16, 1))
    assert entry is not None
    opens = "Tue 2026-01-06 09:30 New York"
    known = (entry.rule, entry.value, entry.bound)
    assert known == ("market_hours", "Mon 2026-01-05 16:01 New York", opens)
    assert f"SPY is closed (Mon 2026-01-05 16:01 New York) and opens at {opens}" in entry.sentence
    assert "say run then" in entry.sentence


@pytest.mark.parametrize(("minute", "passes"), [(59, True), (60, False)])
def test_an_early_close_is_the_contracts_own(build: Any, minute: int, passes: bool) -> None:
    """At 13:00 on the day after Thanksgiving; nobody keeps a calendar of ours."""
    hours = (build.span(9, 30, 13, 0), build.span(9, 30, 16, 0, day=6))
    desk = desk_of(build, build.terms(liquid_hours=hours))
    at = at_clock(build, 12) + minute * 60 * SECOND
    assert (market_hours(order(build), desk, at) is None) is passes


@pytest.mark.parametrize(
    ("hour", "minute", "passes"), [(5, 30, True), (5, 29, False), (20, 0, False)]
)
def test_a_limit_order_outside_regular_hours_has_the_extended_ones(
    build: Any, hour: int, minute: int, passes: bool
) -> None:
    hours = (build.span(5, 30, 20, 0), build.span(5, 30, 20, 0, day=6))
    desk = desk_of(build, build.terms(trading_hours=hours), EXTENDED)
    at = at_clock(build, hour, minute)
    assert (market_hours(order(build), desk, at) is None) is passes


def test_what_reduces_without_its_limit_price_needs_the_regular_hours_again(build: Any) -> None:
    """It would go as a market order, which is not for thin hours [N6]."""
    hours = {"liquid_hours": (build.span(9, 30, 16, 0),)}
    desk = desk_of(build, build.terms(**hours), EXTENDED)
    at = at_clock(build, 8)
    close = order(build, quantity=Decimal(-10), reducing=True)
    assert market_hours(close, desk, at) is None
    assert market_hours(replace(close, price=None), desk, at) is not None


@pytest.mark.parametrize("kind", [OrderType.MOC, OrderType.LOC])
@pytest.mark.parametrize(("hour", "passes"), [(10, True), (8, False), (16, False)])
def test_an_order_for_the_closing_auction_is_sent_in_its_own_session(
    build: Any, kind: OrderType, hour: int, passes: bool
) -> None:
    hours = (build.span(9, 30, 16, 0), build.span(9, 30, 16, 0, day=6))
    desk = desk_of(build, build.terms(liquid_hours=hours), OrderPolicy(kind))
    assert (market_hours(order(build), desk, at_clock(build, hour)) is None) is passes


@pytest.mark.parametrize(("clock", "passes"), [("15:59", True), ("16:00", False), ("18:00", False)])
def test_what_the_broker_holds_back_must_go_before_the_close(
    build: Any, clock: str, passes: bool
) -> None:
    """Else it would wait for the next session, on today's targets."""
    desk = desk_of(build, build.terms(), OrderPolicy(good_after_time=clock))
    entry = market_hours(order(build), desk, build.now)
    assert (entry is None) is passes
    if entry is not None:
        assert entry.bound == "Mon 2026-01-05 16:00 New York"
        assert f"{clock} New York" in entry.value
        assert "set an earlier one" in entry.sentence


@pytest.mark.parametrize("reducing", [True, False])
@pytest.mark.parametrize("kind", ["no terms", "no hours", "hours gone by"])
def test_where_nobody_told_the_hours_only_what_reduces_passes(
    build: Any, kind: str, reducing: bool
) -> None:
    """[N6]"""
    terms = {
        "no terms": None,
        "no hours": build.terms(liquid_hours=()),
        "hours gone by": build.terms(liquid_hours=(build.span(9, 30, 16, 0, day=2),)),
    }[kind]
    entry = market_hours(order(build, reducing=reducing), desk_of(build, terms), build.now)
    assert (entry is None) is reducing
    if entry is not None:
        assert (entry.rule, entry.value, entry.bound) == ("market_hours", "none", "known hours")
        assert "no trading hours of SPY" in entry.sentence
        assert "look at the contract" in entry.sentence


def test_a_cross_is_not_sent_and_needs_no_open_market(build: Any) -> None:
    """[N4] How old its price is decides: `quote_age`."""
    shares = build.shares({"a": 10, "b": -10})
    cross = order(build, quantity=Decimal(0), shares=shares, is_cross=True)
    assert market_hours(cross, desk_of(build, build.terms()), at_clock(build, 3)) is None


def test_each_refusal_of_the_hours_is_one_sentence_to_act_on(build: Any) -> None:
    """(behaviour 9)"""
    late = desk_of(build, build.terms(), OrderPolicy(good_after_time="18:00"))
    told = (
        refused(build, at_clock(build, 16, 1)),
        market_hours(order(build), desk_of(build, None), build.now),
        market_hours(order(build), late, build.now),
    )
    assert [entry.rule if entry else None for entry in told] == ["market_hours"] * 3
    assert [entry.sentence if entry else None for entry in told] == [
        "SPY is closed (Mon 2026-01-05 16:01 New York) and opens at Tue 2026-01-06 09:30 New York; "
        "nothing is sent before, so say run then",
        "IB tells no trading hours of SPY for Mon 2026-01-05 10:00 New York; look at the contract "
        "there, then say run",
        "SPY closes at Mon 2026-01-05 16:00 New York, and its order_policy's good_after_time is "
        "Mon 2026-01-05 18:00 New York; set an earlier one",
    ]
