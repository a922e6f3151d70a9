"""The throttle on orders that lead nowhere [L repeated-execution throttle; RTS 6, 15(3)]."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.broker import BrokerStatus
from gateway.core.desk import Desk
from gateway.core.events import Unlocked
from gateway.core.limits import Candidate, refusal
from gateway.core.repetition import fruitless
from schemas.documents import OrderDocument


def over(build: Any, number: int, **parts: Any) -> OrderDocument:
    """An order of 10 SPY that ended cancelled with nothing filled, a minute after the one before.

    It was really sent.
    """
    known = {
        "order_ref": f"paper-1-{number}",
        "generation": number,
        "created_at": build.later(60 * number),
        "state": "DONE",
        "outcome": "cancelled",
    }
    order: OrderDocument = build.order(parts.pop("shares", {"a": 10}), **{**known, **parts})
    return order


def refs(orders: tuple[OrderDocument, ...]) -> list[int]:
    return [order.generation for order in orders]


def test_the_latest_orders_of_one_side_that_filled_nothing_are_counted(build: Any) -> None:
    orders = [over(build, number) for number in (2, 1, 3)]
    assert refs(fruitless(orders, {}, 0, build.now)) == [3, 2, 1]
    assert fruitless([], {}, 0, build.now) == ()


@pytest.mark.parametrize(
    ("parts", "counted"),
    [
        ({"outcome": "rejected"}, [3, 2, 1]),
        ({"outcome": "not_sent"}, [3, 1]),
        ({"shares": {"a": -10}}, [3]),
        ({"filled": 1}, [3]),
        ({"state": "WORKING", "outcome": ""}, [3]),
        ({"is_yesterday": True}, [3]),
    ],
)
def test_what_an_order_between_does_to_the_count(
    build: Any, parts: dict[str, Any], counted: list[int]
) -> None:
    """One that was not sent is passed over; another side, a fill or another day ends the row."""
    if "is_yesterday" in parts:
        parts = {"created_at": build.later(-86_400)}
    orders = [over(build, 1), over(build, 2, **parts), over(build, 3)]
    assert refs(fruitless(orders, {}, 0, build.now)) == counted


@pytest.mark.parametrize(("hours", "counted"), [(13.9, [1]), (14.1, [])])
def test_the_day_is_new_yorks(build: Any, hours: float, counted: list[int]) -> None:
    """15:00 UTC is 10:00 there; its midnight is 14 hours later."""
    assert refs(fruitless([over(build, 1)], {}, 0, build.later(hours * 3600))) == counted


def test_what_a_person_has_unlocked_does_not_count_again(build: Any) -> None:
    orders = [over(build, number) for number in (1, 2, 3)]
    assert refs(fruitless(orders, {}, 2, build.now)) == [3]


@pytest.mark.parametrize("quantity", [1, -1])
def test_orders_of_one_share_have_a_side_too(build: Any, quantity: int) -> None:
    orders = [over(build, 1, shares={"a": quantity}), over(build, 2, shares={"a": 9 * quantity})]
    assert refs(fruitless(orders, {}, 0, build.now)) == [2, 1]
    assert refs(
        fruitless([*orders, over(build, 3, shares={"a": -quantity})], {}, 0, build.now)
    ) == [3]


@pytest.mark.parametrize(
    ("con_id", "seconds", "counted"), [(1, 150, [3]), (1, 120, [3]), (2, 150, [3, 2, 1])]
)
def test_a_position_that_someone_else_moved_begins_the_row_anew(
    build: Any, con_id: int, seconds: int, counted: list[int]
) -> None:
    """Order 2 is of second 120: a move at the same time is no less a move."""
    moved = build.execution("y.01", 5, at=build.later(seconds), contract=build.contract(con_id))
    orders = [over(build, number) for number in (1, 2, 3)]
    assert refs(fruitless(orders, {"y": moved}, 0, build.now)) == counted


# ---------------------------------------------------------------------- the lock it makes


def ended(build: Any, number: int, **parts: Any) -> Desk:
    """A desk whose `number`th order in a row is cancelled by the broker now."""
    last = over(build, number, state="WORKING", outcome="")
    earlier = [over(build, n) for n in range(1, number)]
    desk: Desk = build.desk(orders=[*earlier, last], **parts)
    told = build.report(BrokerStatus.CANCELLED, order_ref=last.order_ref)
    after: Desk = build.after(build.settings_of(desk, repeated_orders_max=3), told)
    return after


def refused(build: Any, desk: Desk) -> str:
    """The rule that refuses one more order."""
    shares = build.shares({"a": 10})
    price, rate = build.price(), Decimal(1)
    looked_at = Candidate(build.spy, shares[0].quantity, shares, False, price, rate=rate)
    entry = refusal(looked_at, desk, build.now)
    return f"{entry.rule} {entry.value}" if entry else ""


@pytest.mark.parametrize(("number", "rule"), [(2, ""), (3, "contract_locked repeated")])
def test_repeated_orders_lock_their_contract_at_the_bound(
    build: Any, number: int, rule: str
) -> None:
    desk = ended(build, number)
    assert refused(build, desk) == rule
    assert all("say unlock" in lock.reason for lock in desk.locks.values())


def test_after_unlock_counting_starts_anew(build: Any) -> None:
    """The same three orders do not lock again; three more would."""
    desk = build.after(ended(build, 3), Unlocked(1))
    assert (desk.locks, desk.unlocked, refused(build, desk)) == ({}, {1: 3}, "")
    assert build.after(desk, Unlocked(1)) == desk
    for number in (4, 5, 6):
        assert not desk.locks
        working = over(build, number, state="WORKING", outcome="")
        desk = replace(desk, orders={**desk.orders, working.order_ref: working})
        told = build.report(BrokerStatus.CANCELLED, order_ref=working.order_ref)
        desk = build.after(desk, told)
    assert desk.locks["1"].kind == "repeated"


def test_unlock_settles_no_other_lock(build: Any) -> None:
    """[B3] What is UNEXPLAINED beneath the throttle's lock stays locked."""
    beneath = build.settled(ended(build, 3), {1: 5})
    assert beneath.locks["1"].kind == "repeated"
    assert build.after(beneath, Unlocked(1)).locks["1"].kind == "unexplained"
    alone = build.settled(build.desk(), {1: 5})
    assert build.after(alone, Unlocked(1)).locks == alone.locks


def test_a_lock_outlives_readings_and_other_locks(build: Any) -> None:
    """Also that of an order nobody knows, which takes its place for a time [R2]."""
    stray = build.report(BrokerStatus.WORKING, order_ref="paper-1-99")
    hidden = build.settled(ended(build, 3), {}, open_orders=(stray,))
    assert hidden.locks["1"].kind == "unknown_order"
    assert build.settled(hidden, {}).locks["1"].kind == "repeated"
