from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from gateway.core.broker import BrokerStatus
from gateway.core.orders import (
    OPEN_STATES,
    Approved,
    execution_key,
    fill,
    in_flight,
    revision,
    transition,
)
from schemas.documents import OrderDocument

STATES = ("PENDING", "WORKING", "CANCELLING", "UNKNOWN", "DONE")


def told(build: Any, order: OrderDocument, status: BrokerStatus, **parts: Any) -> OrderDocument:
    return transition(order, build.report(status, **parts), build.now)


def filled(build: Any, order: OrderDocument, exec_id: str, quantity: int) -> OrderDocument:
    return fill(order, build.execution(exec_id, quantity), build.now)


@pytest.mark.parametrize("state", STATES)
def test_a_correction_suffix_is_no_part_of_an_executions_identity(state: str) -> None:
    """[A1]"""
    assert execution_key("0000e0d5.6578a1b2.01.02") == "0000e0d5.6578a1b2.01"
    assert (revision("0000e0d5.6578a1b2.01.02"), revision("manual")) == (2, 0)
    assert execution_key("manual") == "manual"


def test_the_table_answers_every_state_for_every_status_that_ends_nothing() -> None:
    statuses = (BrokerStatus.WORKING, BrokerStatus.UNSURE)
    assert set(OPEN_STATES) == {(state, status) for state in STATES for status in statuses}


@pytest.mark.parametrize(("state", "after"), OPEN_STATES.items(), ids=str)
def test_a_status_that_ends_nothing_moves_as_the_table_says(
    build: Any, state: tuple[str, BrokerStatus], after: str
) -> None:
    order = build.order({"a": 60}, state=state[0])
    assert told(build, order, state[1]).state == after


@pytest.mark.parametrize("state", STATES[:4])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(BrokerStatus.CANCELLED, "cancelled"), (BrokerStatus.REJECTED, "rejected")],
)
def test_an_outcome_ends_an_order_from_any_open_state(
    build: Any, state: str, status: BrokerStatus, outcome: str
) -> None:
    ended = told(build, build.order({"a": 60}, state=state), status)
    assert (ended.state, ended.outcome) == ("DONE", outcome)


@pytest.mark.parametrize("state", STATES)
def test_an_unsure_word_is_never_an_outcome(build: Any, state: str) -> None:
    """Error texts are no outcomes: 10349 says "cancelled" of an order that lives."""
    order = told(build, build.order({"a": 60}, state=state), BrokerStatus.UNSURE, reason="10349")
    assert order.outcome == ""


def test_silence_about_a_sent_order_is_unknown_never_rejected(build: Any) -> None:
    pending = build.order({"a": 60}, state="PENDING")
    unsure = told(build, pending, BrokerStatus.UNSURE, reason="9999 what?")
    assert (unsure.state, int(in_flight(unsure)), unsure.reason) == ("UNKNOWN", 60, "9999 what?")


def test_filled_before_its_executions_is_still_in_flight(build: Any) -> None:
    """[A1] A quantity that is neither in flight nor in a book would be ordered again."""
    order = told(build, build.order({"a": 60}), BrokerStatus.FILLED)
    assert (order.state, int(in_flight(order))) == ("WORKING", 60)
    part = filled(build, order, "x.1.01", 25)
    assert (part.state, int(in_flight(part))) == ("WORKING", 35)
    whole = filled(build, part, "x.2.01", 35)
    assert (whole.state, whole.outcome, int(in_flight(whole))) == ("DONE", "filled", 0)


def test_cancelled_before_its_last_execution_waits_for_it(build: Any) -> None:
    order = told(build, build.order({"a": 60}), BrokerStatus.CANCELLED, filled=Decimal(25))
    assert (order.state, int(in_flight(order))) == ("WORKING", 60)
    done = filled(build, order, "x.1.01", 25)
    assert (done.state, done.outcome, int(done.filled)) == ("DONE", "cancelled", 25)


def test_executions_alone_end_an_order_whose_last_status_was_lost(build: Any) -> None:
    order = filled(build, build.order({"a": -60}), "x.1.01", -60)
    assert (order.state, order.outcome) == ("DONE", "filled")


@pytest.mark.parametrize("state", ["PENDING", "CANCELLING", "UNKNOWN"])
def test_a_fill_is_true_in_any_state(build: Any, state: str) -> None:
    order = filled(build, build.order({"a": 60}, state=state), "x.1.01", 25)
    assert (order.state, int(order.filled), int(in_flight(order))) == (state, 25, 35)


def test_a_late_fill_after_cancelled_counts(build: Any) -> None:
    cancelled = told(build, build.order({"a": 60}), BrokerStatus.CANCELLED)
    late = filled(build, cancelled, "x.1.01", 25)
    assert (late.state, late.outcome, int(late.filled)) == ("DONE", "cancelled", 25)


def test_a_late_status_reopens_no_order(build: Any) -> None:
    cancelled = told(build, build.order({"a": 60}), BrokerStatus.CANCELLED)
    assert told(build, cancelled, BrokerStatus.WORKING).state == "DONE"


def test_an_overfilled_order_is_over(build: Any) -> None:
    """[A2] Nothing can be in flight of an order that got more than it asked for."""
    order = filled(build, build.order({"a": 60}), "x.1.01", 61)
    assert (order.state, int(in_flight(order))) == ("DONE", 0)


def test_the_brokers_count_never_falls(build: Any) -> None:
    order = told(build, build.order({"a": 60}), BrokerStatus.WORKING, filled=Decimal(40))
    assert told(build, order, BrokerStatus.WORKING, filled=Decimal(10)).broker_filled == 40


def test_a_report_that_says_nothing_new_leaves_the_very_same_order(build: Any) -> None:
    order = told(build, build.order({"a": 60}, state="PENDING"), BrokerStatus.WORKING)
    assert transition(order, build.report(BrokerStatus.WORKING), build.later(9)) is order


def test_the_highest_revision_of_an_execution_wins_in_any_order(build: Any) -> None:
    """[A1, A3] 25, corrected to 20, corrected to 30."""
    reports = [("x.1.01", 25), ("x.1.02", 20), ("x.1.10", 30)]
    for arrival in permutations(reports):
        order = build.order({"a": 60})
        for exec_id, quantity in arrival:
            order = filled(build, order, exec_id, quantity)
        assert order.filled == 30


def test_a_bust_takes_the_fill_back(build: Any) -> None:
    """[A3]"""
    order = filled(build, build.order({"a": 60}), "x.1.01", 25)
    busted = filled(build, order, "x.1.02", 0)
    assert (int(busted.filled), busted.average_price, int(in_flight(busted))) == (0, None, 60)


def test_a_repeated_execution_keeps_commission_and_shares(build: Any) -> None:
    """The four questions repeat every execution of the day, often without its commission."""
    paid = build.execution("x.1.01", 25, commission=Decimal(1), shares=build.shares({"a": 25}))
    order = fill(build.order({"a": 60}), paid, build.now)
    assert fill(order, build.execution("x.1.01", 25), build.later(9)) is order


def test_the_average_price_is_weighted_by_quantity(build: Any) -> None:
    order = filled(build, build.order({"a": 60}), "x.1.01", 20)
    dearer = build.execution("x.2.01", 10, price=Decimal(103))
    assert fill(order, dearer, build.now).average_price == 101


def test_approved_carries_the_order(build: Any) -> None:
    order = build.order({"a": 60})
    assert Approved(order).order is order


def test_an_order_busted_before_it_closes_waits_for_no_fill_that_is_no_more(build: Any) -> None:
    """[A3]: the broker counted 10, of which 4 are taken back; with the other 6 it is over."""
    order = build.order({"a": 10})
    order = fill(order, build.execution("x.01", 4), build.now)
    order = transition(order, build.report(BrokerStatus.CANCELLED, filled=Decimal(10)), build.now)
    order = fill(order, build.execution("x.02", 0), build.now)
    assert order.state == "WORKING"
    order = fill(order, build.execution("y.01", 6), build.now)
    assert (order.state, order.outcome, order.filled) == ("DONE", "cancelled", Decimal(6))
