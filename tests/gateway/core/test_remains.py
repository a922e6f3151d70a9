"""What a `close_all` says stays open, and why."""

from dataclasses import replace
from typing import Any

from gateway.core import closing, locks, remains
from gateway.core.desk import Desk
from gateway.core.events import NetCause
from gateway.core.fold import evolve
from gateway.core.netting import net
from schemas.commands import CloseAll

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
