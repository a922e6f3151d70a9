from datetime import timedelta
from typing import Any

import pytest

from gateway.core import book
from gateway.core.day_end import closing, over
from gateway.core.desk import Desk
from gateway.core.fold import evolve
from schemas.documents import Lock, OrderDocument

DAY_SECONDS = 86_400


def done(build: Any, generation: int = 1, seconds: float = -DAY_SECONDS, **parts: Any) -> Any:
    """An order that was over that long ago; a day is the default."""
    at = build.later(seconds)
    ref = f"paper-1-{generation}"
    known = {"order_ref": ref, "generation": generation, "state": "DONE", "created_at": at}
    return build.order({"a": 5}, **{**known, "updated_at": at, **parts})


def close(build: Any, desk: Desk, days: float = 0) -> Desk:
    now = build.now + timedelta(days=days)
    return evolve(closing(desk, over(desk, now), now), desk, now)


def refs(orders: list[OrderDocument]) -> list[str]:
    return [order.order_ref for order in orders]


@pytest.mark.parametrize(
    ("parts", "is_over"),
    [
        ({}, True),
        ({"seconds": 0}, False),
        ({"seconds": -10 * 3600 - 1}, True),  # 23:59:59 in New York
        ({"seconds": -10 * 3600}, False),
        ({"state": "WORKING"}, False),
        ({"state": "UNKNOWN"}, False),
        ({"waits_for_net": True}, False),
    ],
)
def test_what_was_over_before_midnight_in_new_york_goes(
    build: Any, parts: dict[str, Any], is_over: bool
) -> None:
    """15:00 UTC is 10:00 there."""
    desk = build.desk(orders=[done(build, **parts)])
    assert refs(over(desk, build.now)) == ["paper-1-1"] * is_over


@pytest.mark.parametrize(("seconds", "is_over"), [(0, False), (3599, False), (3600, True)])
def test_the_orders_of_a_day_stay_for_an_hour_after_midnight(
    build: Any, seconds: int, is_over: bool
) -> None:
    """A commission of a fill just before it comes after it, and `cash` waits for such a fill."""
    midnight = 14 * 3600  # in New York, from 10:00 there
    desk = build.desk(orders=[done(build, seconds=midnight - 1)])
    assert bool(over(desk, build.later(midnight + seconds))) is is_over


def test_an_order_of_yesterday_that_ended_today_stays(build: Any) -> None:
    desk = build.desk(orders=[done(build, updated_at=build.now)])
    assert over(desk, build.now) == []


def test_what_a_contract_is_locked_for_stays(build: Any) -> None:
    lock = Lock("SPY", "overfill", "too much", build.now)
    desk = build.desk(orders=[done(build)], locks={"1": lock})
    assert over(desk, build.now) == []


def test_orders_go_and_what_they_bought_stays(build: Any) -> None:
    desk = build.desk({}, {"a": {1: 40}}, orders=[done(build, 1), done(build, 2, seconds=0)])
    closed = close(build, desk)
    assert list(closed.orders) == ["paper-1-2"]
    assert closed.position(1) == desk.position(1) == 40
    assert closed.ledgers["a"] is desk.ledgers["a"]  # its entry is a day old


def test_entries_are_forgotten_after_eight_days_and_what_they_made_is_kept(build: Any) -> None:
    desk = build.desk({}, {"a": {1: 40}})
    assert close(build, desk, days=7 - 1 / DAY_SECONDS) is desk
    closed = close(build, desk, days=7 + 1 / DAY_SECONDS)
    position, before = (d.ledgers["a"].positions["1"] for d in (closed, desk))
    assert position.entries == ()
    assert position.quantity == before.quantity == 40
    assert position.cost == before.cost == 3600


def test_nothing_is_forgotten_that_is_younger_than_an_order_that_stays(build: Any) -> None:
    """Its fills are booked by its reference, and would be booked twice."""
    order = done(build, seconds=-2 * DAY_SECONDS, state="UNKNOWN")
    desk = build.desk({}, {"a": {1: 40}}, orders=[order])
    assert close(build, desk, days=30) is desk


def test_an_execution_of_an_order_that_is_gone_moves_no_book(build: Any) -> None:
    """It then shows as UNEXPLAINED [B3]."""
    closed = close(build, build.desk({}, {"a": {1: 40}}, orders=[done(build)]))
    assert evolve(build.execution("x.01", 5), closed, build.now) is closed


def test_closing_a_day_twice_changes_nothing(build: Any) -> None:
    closed = close(build, build.desk({}, {"a": {1: 40}}, orders=[done(build)]), days=30)
    assert close(build, closed, days=30) is closed


def test_a_folded_ledger_goes_on_as_the_whole_one_does(build: Any) -> None:
    """[A1]"""
    desk = build.desk({}, {"a": {1: 40}})
    sold = build.entry(-10, price=100, source="later", at=build.later(30 * DAY_SECONDS))
    whole = book.post(desk.ledgers["a"], build.spy, sold).positions["1"]
    folded = book.post(close(build, desk, days=30).ledgers["a"], build.spy, sold).positions["1"]
    for name in ("quantity", "cost", "realized", "commission"):
        assert getattr(folded, name) == getattr(whole, name)
