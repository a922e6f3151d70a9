from dataclasses import replace
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core import settlement
from gateway.core.broker import BrokerStatus, OrderReport
from gateway.core.events import Adopted
from gateway.core.reconcile import compare, settle
from schemas.documents import BrokerPosition
from schemas.values import Contract


def opened(build: Any, **parts: Any) -> tuple[OrderReport, ...]:
    return (build.report(BrokerStatus.WORKING, **parts),)


# ---------------------------------------------------------------------- the law


def test_all_that_a_new_account_holds_is_unexplained_and_locked(build: Any) -> None:
    """[B4]"""
    desk = build.settled(build.desk(), {1: 50, 2: -3})
    assert dict(desk.unexplained) == {1: 50, 2: -3}
    assert {key: lock.kind for key, lock in desk.locks.items()} == {
        "1": "unexplained",
        "2": "unexplained",
    }
    assert desk.locks["1"].reason.startswith("+50 SPY")
    assert "adopt" in desk.locks["1"].reason


def test_where_the_law_holds_nothing_is_locked(build: Any) -> None:
    """[B3]"""
    desk = build.settled(build.desk({}, {"a": {1: 5}, "EXTERNAL": {1: -2}}), {1: 3})
    assert (dict(desk.unexplained), dict(desk.locks)) == ({}, {})


def test_a_flat_position_may_be_left_out(build: Any) -> None:
    """(IB facts) And one that is missing is missing, not unknown."""
    assert not build.settled(build.desk({}, {"a": {1: 0}}), {}).unexplained
    assert build.settled(build.desk({}, {"a": {1: 5}}), {}).unexplained == {1: -5}


def test_a_lock_goes_when_executions_explain_it(build: Any) -> None:
    """[B3]"""
    locked = build.settled(build.desk(), {1: 5})
    bought = (build.execution("f.1.01", 5, order_ref=""),)
    desk = settle(locked, build.reading({1: 5}, executions=bought), build.now)
    assert (build.books(desk), dict(desk.locks)) == ({"EXTERNAL": 5}, {})


def test_a_lock_says_the_quantity_of_today_and_the_time_of_its_beginning(build: Any) -> None:
    locked = build.settled(build.desk(), {1: 5})
    desk = settle(locked, build.reading({1: 7}), build.later(60))
    assert desk.locks["1"].reason.startswith("+7 SPY")
    assert desk.locks["1"].since == build.now


def test_what_a_reading_tells_is_of_the_time_it_was_settled(build: Any) -> None:
    """[R1] Of an order filled, one told of, and one that nobody mentions."""
    orders = [
        build.order({"a": 5}, order_ref=f"paper-{n}-1", contract=build.contract(n), order_id=n)
        for n in (1, 2, 3)
    ]
    reading = build.reading(
        {1: 5},
        executions=(build.execution("x.01", 5),),
        open_orders=opened(build, order_ref="paper-2-1", con_id=2, reason="held", perm_id=71),
    )
    settled = settle(build.desk(orders=orders), reading, build.later(9))
    assert {o.order_ref: (o.state, o.updated_at) for o in settled.orders.values()} == {
        "paper-1-1": ("DONE", build.later(9)),
        "paper-2-1": ("WORKING", build.later(9)),
        "paper-3-1": ("UNKNOWN", build.later(9)),
    }


def test_an_order_the_broker_ended_is_over_when_the_law_needs_no_more_of_it(build: Any) -> None:
    """[A3] It counted 3 that were busted unheard of."""
    ended = build.order({"a": 5}, outcome="cancelled", broker_filled=Decimal(3))
    report = build.report(BrokerStatus.CANCELLED, filled=Decimal(3))
    reading = build.reading({}, completed_orders=(report,))
    settled = settle(build.desk(orders=[ended]), reading, build.later(9))
    order = settled.orders["paper-1-1"]
    assert (order.state, order.outcome, order.updated_at) == ("DONE", "cancelled", build.later(9))


def test_an_order_of_yesterday_that_is_over_stays_as_it_was(build: Any) -> None:
    """[R1] The broker mentions it no more; it is neither missed nor drained."""
    over = build.order({"a": 5}, state="DONE", outcome="cancelled", updated_at=build.now)
    settled = build.settled(build.desk(orders=[over]), {}, at=build.later(9))
    assert settled.orders == {"paper-1-1": over}


def test_a_stray_order_locks_its_contract_by_name_and_since_when_it_was_seen(build: Any) -> None:
    """[R2] Of contract 3, over or never known; the lock keeps its first time."""
    over = build.order(
        {"a": 5}, contract=build.vixy, order_ref="paper-2-7", state="DONE", outcome="cancelled"
    )
    strays = (
        build.report(BrokerStatus.WORKING, order_ref="paper-2-7", con_id=2),
        build.report(BrokerStatus.WORKING, order_ref="paper-3-8", con_id=3),
    )
    desk = build.desk(orders=[over])
    for seconds in (5, 9):
        desk = settle(desk, build.reading({}, open_orders=strays), build.later(seconds))
    found = {key: (lock.symbol, lock.kind, lock.since) for key, lock in desk.locks.items()}
    assert found == {
        "2": ("VIXY", "unknown_order", build.later(5)),
        "3": ("contract 3", "unknown_order", build.later(5)),
    }
    assert "paper-3-8" in desk.locks["3"].reason
    assert settle(desk, build.reading({}), build.later(12)).locks == {}


def test_a_position_that_a_split_explains_is_locked_with_that_hint(build: Any) -> None:
    """[B2]"""
    desk = build.settled(build.desk({}, {"a": {1: 10}}), {1: 20})
    assert "looks like a 2:1 split" in desk.locks["1"].reason


def test_currency_balances_stay_out_of_the_law(build: Any) -> None:
    """[B1]"""
    euro = BrokerPosition(Contract("EUR", sec_type="CASH", con_id=9), Decimal(77), Decimal(1))
    desk = settle(build.desk(), replace(build.reading({}), positions=(euro,)), build.now)
    assert not desk.unexplained


def euros(build: Any, quantity: int, **parts: Any) -> Any:
    """Dollars changed into euros by hand, at 1.1."""
    pair = Contract("EUR", sec_type="CASH", exchange="IDEALPRO", con_id=9)
    known = {"order_ref": "", "contract": pair, "price": Decimal("1.1")}
    return build.execution("fx.01", quantity, **{**known, **parts})


@pytest.mark.parametrize("virtual", [{}, {9: 1000}, {9: -7}])
def test_money_that_a_person_changes_moves_the_book_cash_alone(
    build: Any, virtual: dict[int, int]
) -> None:
    """[B1] The broker's position of the pair is virtual and says nothing; EXTERNAL is not moved."""
    pair = euros(build, 0).contract
    held = tuple(BrokerPosition(pair, Decimal(q), Decimal(1)) for q in virtual.values())
    desk = build.desk({"a": {1: 10}}, {"a": {1: 10}})
    shares = BrokerPosition(build.spy, Decimal(10), Decimal(90))
    told = build.reading({}, executions=(euros(build, 1000),))
    reading = replace(told, positions=(shares, *held))
    settled = settle(desk, reading, build.now)
    (cash,) = settled.ledgers["CASH"].positions.values()
    assert (cash.quantity, cash.cost) == (Decimal(1000), Decimal(1100))
    assert settled.ledgers["EXTERNAL"] == desk.ledgers["EXTERNAL"]
    assert (settled.unexplained, settled.locks) == ({}, {})
    assert settle(settled, reading, build.now) == settled


def test_what_the_book_cash_holds_is_never_traded(build: Any) -> None:
    """[B1] Nor is it an orphan's, for it is no strategy's."""
    settled = build.settled(build.desk(), {}, executions=(euros(build, 1000),))
    plan = build.net(settled)
    assert plan.is_empty
    assert plan.wanted == ()
    assert settlement.orphans(settled) == []


def test_money_changed_with_our_order_ref_is_no_manual_trade(build: Any) -> None:
    """[B2] An order of ours that we do not know books nothing anywhere."""
    settled = build.settled(build.desk(), {}, executions=(euros(build, 5, order_ref="paper-9-1"),))
    assert settled.ledgers.keys() == {"EXTERNAL"}


def test_an_order_in_a_currency_pair_needs_no_law_to_be_over(build: Any) -> None:
    """[B1] From before: what the broker says of the pair is no position, and proves nothing."""
    pair = euros(build, 0).contract
    order = build.order({"a": -20}, contract=pair, state="WORKING", order_ref="paper-9-1")
    report = build.report(BrokerStatus.CANCELLED, order_ref="paper-9-1", filled=Decimal(0))
    virtual = (BrokerPosition(pair, Decimal(333), Decimal(1)),)
    desk = build.desk(orders=[order])
    reading = replace(build.reading({}, completed_orders=(report,)), positions=virtual)
    settled = settle(desk, reading, build.now)
    assert (settled.orders["paper-9-1"].state, settled.locks) == ("DONE", {})


@pytest.mark.parametrize("position", [0, 333])
def test_an_order_in_a_currency_pair_that_the_broker_ended_needs_no_more_fills(
    build: Any, position: int
) -> None:
    """[B1, A3] It counted 3 that nobody heard of, and no law will ever tell of them."""
    pair = euros(build, 0).contract
    parts = {"outcome": "cancelled", "broker_filled": Decimal(3), "order_ref": "paper-9-1"}
    order = build.order({"a": -20}, contract=pair, **parts)
    virtual = (BrokerPosition(pair, Decimal(position), Decimal(1)),)
    report = build.report(BrokerStatus.CANCELLED, order_ref="paper-9-1", filled=Decimal(3))
    reading = replace(build.reading({}, completed_orders=(report,)), positions=virtual)
    settled = settle(build.desk(orders=[order]), reading, build.now)
    assert settled.orders["paper-9-1"].state == "DONE"


def test_comparing_again_changes_nothing(build: Any) -> None:
    desk = build.settled(build.desk(), {1: 5})
    assert compare(desk, build.later(60)) == desk


QUANTITY = st.integers(-20, 20)


@given(
    fills=st.lists(st.integers(1, 8), max_size=4),
    foreign=st.lists(QUANTITY, max_size=3),
    adopted=QUANTITY,
    unknown=QUANTITY,
)
def test_unexplained_is_exactly_what_nobody_explained(
    build: Any, fills: list[int], foreign: list[int], adopted: int, unknown: int
) -> None:
    """[B3, A2] Own fills, foreign executions and an adoption aside; what was overfilled counts."""
    executions = [build.execution(f"x.{n}.01", q) for n, q in enumerate(fills)]
    executions += [build.execution(f"f.{n}.01", q, order_ref="") for n, q in enumerate(foreign)]
    start = build.settled(build.ordered(), {1: adopted}, open_orders=opened(build))
    entry = build.entry(adopted, source="adopt-1")
    explained = build.after(start, Adopted(build.spy, "EXTERNAL", entry))
    held = adopted + sum(fills) + sum(foreign) + unknown
    reading = build.reading({1: held}, executions=tuple(executions), open_orders=opened(build))
    desk = settle(explained, reading, build.now)
    over = max(sum(fills) - 15, 0)
    assert desk.unexplained.get(1, 0) == unknown + over
    assert ("1" in desk.locks) is (unknown + over != 0)
    assert desk.position(1) == held


# ---------------------------------------------------------------------- the four questions


def test_fills_from_while_we_were_away_reach_the_books(build: Any) -> None:
    """[R1]"""
    done = (build.report(BrokerStatus.FILLED, order_id=0),)
    executions = (build.execution("x.1.01", 15),)
    answers = build.reading({1: 15}, completed_orders=done, executions=executions)
    desk = settle(build.ordered(), answers, build.now)
    assert build.books(desk) == {"a": 7, "b": 7, "c": 1}
    assert (desk.orders["paper-1-1"].state, dict(desk.locks)) == ("DONE", {})
    assert desk.orders["paper-1-1"].order_id == 7


def test_the_same_reading_twice_changes_nothing(build: Any) -> None:
    """[R1]"""
    executions = (build.execution("x.1.01", 11), build.execution("f.1.01", -2, order_ref=""))
    answers = build.reading({1: 4}, open_orders=opened(build), executions=executions)
    once = settle(build.ordered(), answers, build.now)
    assert settle(once, answers, build.now) == once


@pytest.mark.parametrize("state", ["PENDING", "WORKING", "CANCELLING"])
def test_an_order_that_the_broker_does_not_mention_is_unknown(build: Any, state: str) -> None:
    """[R2] One pass proves nothing: the list may be older than the order."""
    desk = build.settled(build.ordered(state=state), {})
    assert desk.orders["paper-1-1"].state == "UNKNOWN"


@pytest.mark.parametrize(
    ("seconds", "position", "parts", "state"),
    [
        (10, 0, {}, "DONE"),
        (9, 0, {}, "UNKNOWN"),
        (10, 4, {}, "UNKNOWN"),
        (10, 0, {"perm_id": 9}, "UNKNOWN"),
        (10, 0, {"broker_filled": Decimal(4)}, "UNKNOWN"),
        (86_400, 0, {}, "UNKNOWN"),
    ],
    ids=["proof", "too soon", "position moved", "seen before", "filled before", "next day"],
)
def test_two_readings_that_do_not_know_an_order_prove_it_unsent(
    build: Any, seconds: int, position: int, parts: dict[str, Any], state: str
) -> None:
    """[R2] Ten seconds apart, on the day of the order, the position unchanged, and no trace."""
    pending = {"state": "PENDING", "perm_id": 0, **parts}
    once = settle(build.ordered(**pending), build.reading({}), build.now)
    later = build.later(seconds)
    twice = settle(once, replace(build.reading({1: position}), at=later), later)
    order = twice.orders["paper-1-1"]
    assert order.state == state
    assert order.outcome == ("not_sent" if state == "DONE" else "")


def test_a_moved_position_begins_the_proof_anew(build: Any) -> None:
    """[R2] What moved may have been a fill of this order."""
    desk = settle(build.ordered(state="PENDING", perm_id=0), build.reading({}), build.now)
    by_hand = build.execution("f.1.01", 4, order_ref="")
    states = []
    for seconds in (10, 20):
        at = build.later(seconds)
        desk = settle(desk, replace(build.reading({1: 4}, executions=(by_hand,)), at=at), at)
        states.append(desk.orders["paper-1-1"].state)
    assert states == ["UNKNOWN", "DONE"]


def test_an_order_is_not_unsent_while_nothing_explains_the_position(build: Any) -> None:
    """[R2] It may have been filled before the first reading, and nobody was told."""
    desk = settle(build.ordered(state="PENDING", perm_id=0), build.reading({1: 15}), build.now)
    at = build.later(10)
    desk = settle(desk, replace(build.reading({1: 15}), at=at), at)
    assert desk.orders["paper-1-1"].state == "UNKNOWN"
    found = build.reading({1: 15}, executions=(build.execution("x.1.01", 15),))
    settled = settle(desk, found, build.later(20))
    assert (settled.orders["paper-1-1"].outcome, dict(settled.locks)) == ("filled", {})


def test_an_order_seen_between_two_readings_is_missing_no_more(build: Any) -> None:
    """[R2]"""
    desk = settle(build.ordered(state="PENDING"), build.reading({}), build.now)
    seen = settle(desk, build.reading({}, open_orders=opened(build)), build.later(5))
    gone = settle(seen, build.reading({}), build.later(15))
    assert (seen.orders["paper-1-1"].state, gone.orders["paper-1-1"].state) == (
        "WORKING",
        "UNKNOWN",
    )


def test_an_unknown_order_that_turns_up_works_again(build: Any) -> None:
    """[R2]"""
    desk = build.settled(build.ordered(state="UNKNOWN"), {}, open_orders=opened(build))
    assert desk.orders["paper-1-1"].state == "WORKING"


@pytest.mark.parametrize("known", ["never heard of", "rejected", "cancelled", "not_sent"])
def test_an_order_of_ours_that_should_not_exist_locks_its_contract(build: Any, known: str) -> None:
    """[R2] A ref that turns up later: an order beside it would be a second one."""
    desk = build.desk() if known == "never heard of" else build.ordered(state="DONE", outcome=known)
    locked = build.settled(desk, {}, open_orders=opened(build))
    assert locked.locks["1"].kind == "unknown_order"
    assert "paper-1-1" in locked.locks["1"].reason
    wanting = replace(locked, targets={"a": build.said("a", {1: 5})})
    assert build.net(wanting).is_empty
    assert not build.settled(locked, {}).locks


def repeating(build: Any) -> Any:
    """Two purchases of SPY in a row were cancelled with nothing filled; two are the bound."""
    orders = [
        build.order(
            {"a": 5}, order_ref=f"paper-1-{n}", generation=n, state="DONE", outcome="cancelled"
        )
        for n in (1, 2)
    ]
    return build.desk(orders=orders, settings=build.settings(repeated_orders_max=2))


@pytest.mark.parametrize(
    ("kind", "positions", "working"),
    [("unknown_order", {}, "paper-1-9"), ("unexplained", {1: 5}, "")],
)
def test_a_lock_that_goes_uncovers_the_one_of_repeated_orders(
    build: Any, kind: str, positions: dict[int, int], working: str
) -> None:
    """[R2, B3] A contract has one lock; what it hid still waits for a person."""
    strays = opened(build, order_ref=working) if working else ()
    locked = build.settled(repeating(build), positions, open_orders=strays)
    assert {key: lock.kind for key, lock in locked.locks.items()} == {"1": kind}
    freed = build.settled(locked, {})
    assert {key: lock.kind for key, lock in freed.locks.items()} == {"1": "repeated"}
    assert "paper-1-1, paper-1-2" in freed.locks["1"].reason


def test_a_lock_that_stays_is_the_one_of_its_contract(build: Any) -> None:
    """[R2] While a stray works, and is told of again, it is what waits for a person."""
    strays = opened(build, order_ref="paper-1-9")
    locked = build.settled(repeating(build), {}, open_orders=strays)
    again = build.settled(locked, {}, open_orders=strays)
    assert {key: lock.kind for key, lock in again.locks.items()} == {"1": "unknown_order"}


@pytest.mark.parametrize("order_ref", ["", "live-1-1", "somebody's"])
def test_the_orders_of_others_lock_nothing(build: Any, order_ref: str) -> None:
    """[B2] They are a person's own business."""
    assert not build.settled(build.desk(), {}, open_orders=opened(build, order_ref=order_ref)).locks


def test_a_filled_order_that_is_still_listed_locks_nothing(build: Any) -> None:
    """The list is a moment older than its last execution."""
    desk = build.after(build.ordered(), build.execution("x.1.01", 15))
    assert not build.settled(desk, {1: 15}, open_orders=opened(build)).locks


def test_adopting_lifts_no_lock_of_an_unknown_order(build: Any) -> None:
    """[R2, B3]"""
    locked = build.settled(build.desk(), {1: 5}, open_orders=opened(build))
    adopted = build.after(locked, Adopted(build.spy, "EXTERNAL", build.entry(5, source="adopt-1")))
    assert adopted.locks["1"].kind == "unknown_order"


def test_an_order_that_the_broker_ended_is_over_once_its_position_is_explained(build: Any) -> None:
    """[R1, A3]: its count holds a fill that was busted before anybody heard of it."""
    counted = build.report(BrokerStatus.CANCELLED, filled=Decimal(3))
    desk = build.after(build.ordered(), counted, build.execution("x.02", 0))
    assert desk.orders["paper-1-1"].state == "WORKING"
    waits = build.settled(desk, {1: 2}, completed_orders=(counted,))
    assert waits.orders["paper-1-1"].state == "WORKING"
    over = build.settled(desk, {}, completed_orders=(counted,))
    assert (over.orders["paper-1-1"].state, over.orders["paper-1-1"].outcome) == (
        "DONE",
        "cancelled",
    )


def test_the_lock_of_what_is_unexplained_names_what_may_explain_it(build: Any) -> None:
    """[B3] The clues of that contract; all of them: `gateway.core.clues`."""
    foreign = build.report(BrokerStatus.FILLED, filled=Decimal(5), order_ref="", perm_id=4711)
    desk = build.settled(build.desk(), {1: 5, 2: 5}, completed_orders=(foreign,))
    assert "the foreign order 4711" in desk.locks["1"].reason
    assert "4711" not in desk.locks["2"].reason
