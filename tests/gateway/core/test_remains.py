"""What a `close_all` says stays open, and why."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gateway.core import closing, locks, remains
from gateway.core.desk import Desk
from gateway.core.events import NetCause
from gateway.core.fold import evolve
from gateway.core.netting import net
from schemas.commands import CloseAll
from schemas.documents import Closure
from schemas.values import EXTERNAL

CAUSE = NetCause("close_all", "c1")


def story(build: Any, desk: Desk) -> str:
    command = CloseAll(strategies=("a",))
    shut = evolve(closing.closed(desk, command, "c1", build.now), desk, build.now)
    return remains.story(shut, CAUSE, net(shut, CAUSE, build.now))


def test_what_is_ordered_or_crossed_does_not_stay(build: Any) -> None:
    desk = build.desk({"b": {1: 4}}, books={"a": {1: 10}})
    assert story(build, desk) == "a closed until resume; all of it goes"


def test_what_is_refused_stays_for_the_refusals_reason(build: Any) -> None:
    desk = build.desk(books={"a": {1: 10, 2: 5}})
    lock = locks.unexplained("SPY", build.entry(3).quantity, build.now)
    text = story(build, replace(desk, locks={"1": lock}))
    assert text.startswith("a closed until resume; stays open: a +10 SPY, for SPY is locked: +3")
    assert "VIXY" not in text


def test_less_than_one_share_stays_and_can_be_transferred(build: Any) -> None:
    """IB trades no fractions of stocks (10243)."""
    text = story(build, build.desk(books={"a": {1: "10.5"}}))
    assert "a +0.5 SPY, for it is less than one" in text
    assert "say transfer to EXTERNAL" in text


def test_what_waits_for_an_order_to_end_follows_by_itself(build: Any) -> None:
    desk = build.desk({"a": {1: 20}, "b": {1: 5}}, books={"a": {1: 10}})
    desk = replace(desk, orders={"paper-1-1": build.order({"a": 10, "b": 5})})
    assert story(build, desk).endswith(
        "a +20 SPY, for paper-1-1 is being cancelled: it follows by itself at the end of that"
    )
    pending = replace(desk, orders={"paper-1-1": build.order({"b": 5}, state="PENDING")})
    assert "for paper-1-1 is PENDING: it follows by itself" in story(build, pending)


def test_what_an_unknown_order_may_sell_is_not_said_to_go(build: Any) -> None:
    """[W: silence]"""
    sold = build.order({"a": -10}, state="UNKNOWN", reason="silence")
    text = story(build, build.desk(books={"a": {1: 10}}, orders=[sold]))
    assert "stays open: a +10 SPY, for SPY waits: nobody knows whether the broker has" in text
    assert "say unlock" in text


def test_what_a_person_bought_since_external_was_closed_does_not_stay_by_mistake(
    build: Any,
) -> None:
    """[B2]"""
    desk = build.desk(books={EXTERNAL: {1: 30}})
    desk = replace(desk, closed={EXTERNAL: Closure(build.now, contracts={"1": Decimal(10)})})
    assert "stays open" not in remains.story(desk, CAUSE, net(desk, CAUSE, build.now))


def test_it_says_until_when_each_is_closed(build: Any) -> None:
    """A person's closure until resume, the day's end's until tomorrow, EXTERNAL's until sold."""
    closed = {
        "a": Closure(build.now),
        "b": Closure(build.now, day="2026-01-05"),
        "c": Closure(build.now),
        EXTERNAL: Closure(build.now, contracts={"1": Decimal(3)}),
    }
    desk = replace(build.desk(), closed=closed)
    plan = net(desk, CAUSE, build.now)
    assert remains.story(desk, CAUSE, plan) == (
        "EXTERNAL closed until it is sold, a, c closed until resume, b closed today; all of it goes"
    )
    dry = replace(CAUSE, dry_run=True)
    assert remains.story(desk, dry, plan).startswith("EXTERNAL, a, b, c would be closed; ")
    assert remains.story(build.desk(), CAUSE, plan).startswith("nobody is closed any more; ")
