from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from gateway.core.broker import BrokerStatus, Missing
from gateway.core.orders import (
    OPEN_STATES,
    Approved,
    drained,
    execution_key,
    fill,
    in_flight,
    missing,
    newer_execution,
    own_ref,
    revision,
    second_look_at,
    transition,
)
from schemas.documents import OrderDocument
from schemas.values import Mode

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
    assert (execution_key("12"), revision("12")) == ("12", 0)


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


@pytest.mark.parametrize(
    ("order_ref", "is_own"),
    [
        ("paper-1-1", True),
        ("paper-756733-12", True),
        ("live-1-1", False),
        ("paper-1", False),
        ("paper-1-x", False),
        ("paper-1-1-cross", False),
        ("my paper-1-1", False),
        ("", False),
    ],
)
def test_an_order_ref_of_our_form_is_ours_known_or_not(order_ref: str, is_own: bool) -> None:
    """[W1] Of this mode only: live and paper never settle each other's orders."""
    assert own_ref(Mode.PAPER, order_ref) is is_own


def unseen(position: int = 0, is_explained: bool = True) -> Missing:
    return Missing("paper-1-1", Decimal(position), is_explained)


def test_the_brokers_ids_are_kept_once_they_are_told(build: Any) -> None:
    """A later report may leave them out."""
    bare = build.order({"a": 60}, state="PENDING", perm_id=0, order_id=0, client_id=0)
    named = told(build, bare, BrokerStatus.WORKING, perm_id=5, order_id=6, client_id=7)
    later = told(build, named, BrokerStatus.WORKING, filled=Decimal(1))
    for order in (named, later):
        assert (order.perm_id, order.order_id, order.client_id) == (5, 6, 7)


def test_a_report_says_when_and_why_until_the_order_is_over(build: Any) -> None:
    order = build.order({"a": 60})
    ended = transition(
        order, build.report(BrokerStatus.REJECTED, reason="201 no margin"), build.later(3)
    )
    assert (ended.reason, ended.updated_at) == ("201 no margin", build.later(3))
    late = transition(ended, build.report(BrokerStatus.WORKING, reason="late"), build.later(4))
    assert (late.reason, late.updated_at) == ("201 no margin", build.later(3))


def test_an_order_the_broker_names_again_is_missing_no_more(build: Any) -> None:
    """[R2] The proof that it was never sent begins anew."""
    unknown = missing(build.order({"a": 60}, perm_id=0), unseen(), build.now)
    found = told(build, unknown, BrokerStatus.WORKING)
    assert (found.state, found.missing_since, found.missing_position) == ("WORKING", None, None)


def test_an_order_the_broker_does_not_know_is_unknown_at_first(build: Any) -> None:
    """[R2] One reading is silence."""
    silent = missing(build.order({"a": 60}, perm_id=0), unseen(7), build.later(1))
    assert silent == build.order(
        {"a": 60},
        perm_id=0,
        state="UNKNOWN",
        reason="the broker lists it neither as open nor as completed",
        missing_since=build.later(1),
        missing_position=Decimal(7),
        updated_at=build.later(1),
    )


@pytest.mark.parametrize(
    ("parts", "second", "seconds", "state"),
    [
        ({"perm_id": 0}, unseen(), 10, "DONE"),
        ({"perm_id": 0}, unseen(), 9.9, "UNKNOWN"),
        ({"perm_id": 0}, unseen(1), 10, "UNKNOWN"),
        ({"perm_id": 0}, unseen(0, is_explained=False), 10, "UNKNOWN"),
        ({"perm_id": 70}, unseen(), 10, "UNKNOWN"),
        ({"perm_id": 0, "broker_filled": Decimal(1)}, unseen(), 10, "UNKNOWN"),
        ({"perm_id": 0}, unseen(), 14 * 3600, "UNKNOWN"),
    ],
)
def test_two_readings_prove_an_order_without_a_trace_unsent(
    build: Any, parts: dict[str, Any], second: Missing, seconds: float, state: str
) -> None:
    """[R2] Ten seconds apart, on its day in New York, with the same explained position."""
    once = missing(build.order({"a": 60}, **parts), unseen(), build.now)
    twice = missing(once, second, build.later(seconds))
    assert (twice.state, twice.updated_at) == (state, build.later(seconds))
    if state == "DONE":
        assert twice.outcome == "not_sent"
        assert "seen twice since 2026-01-05T15:00:00+00:00" in twice.reason
    else:
        assert twice.outcome == ""


def test_an_order_with_an_execution_was_at_the_broker(build: Any) -> None:
    """[R2]"""
    once = missing(
        filled(build, build.order({"a": 60}, perm_id=0), "x.1.01", 1), unseen(), build.now
    )
    assert missing(once, unseen(), build.later(10)).state == "UNKNOWN"


def test_an_order_that_is_over_is_missed_by_nobody(build: Any) -> None:
    done = build.order({"a": 60}, state="DONE", outcome="cancelled")
    assert missing(done, unseen(), build.later(10)) is done


def test_the_second_look_is_ten_seconds_after_the_first(build: Any) -> None:
    """[R2]"""
    once = missing(build.order({"a": 60}, perm_id=0), unseen(), build.now)
    assert second_look_at(once, build.later(1)) == build.later(10)


def test_no_second_look_helps_where_nothing_can_be_proven(build: Any) -> None:
    """[R2] Not of an order that lives, that left a trace, or of another day."""
    once = missing(build.order({"a": 60}, perm_id=0), unseen(), build.now)
    for order in (
        replace(once, state="WORKING"),
        replace(once, missing_since=None),
        replace(once, perm_id=70),
    ):
        assert second_look_at(order, build.later(1)) is None
    assert second_look_at(once, build.later(14 * 3600)) is None


def test_an_ended_order_whose_fills_are_no_more_is_over_once_drained(build: Any) -> None:
    """[A3] The broker counted 10 and busted them before we heard of any."""
    counted = told(build, build.order({"a": 60}), BrokerStatus.CANCELLED, filled=Decimal(10))
    over = drained(counted, build.later(5))
    assert counted.state == "WORKING"
    assert (over.state, over.outcome, over.updated_at) == ("DONE", "cancelled", build.later(5))


def test_draining_ends_no_order_that_the_broker_did_not(build: Any) -> None:
    for order in (build.order({"a": 60}), build.order({"a": 60}, state="DONE", outcome="filled")):
        assert drained(order, build.later(5)) is order


def test_a_fill_says_when_it_was_heard_of(build: Any) -> None:
    order = fill(build.order({"a": 60}), build.execution("x.1.01", 5), build.later(5))
    assert order.updated_at == build.later(5)


@pytest.mark.parametrize("sign", [1, -1])
def test_only_what_is_taken_back_lowers_the_brokers_count(build: Any, sign: int) -> None:
    """[A3] A new fill is in the count already, and so is what a correction adds."""
    order = build.order({"a": 60 * sign})
    order = told(build, order, BrokerStatus.CANCELLED, filled=Decimal(10))
    counts = []
    for exec_id, quantity in [("x.1.01", 4), ("x.1.02", 6), ("x.1.03", 1), ("x.1.04", 0)]:
        order = filled(build, order, exec_id, quantity * sign)
        counts.append(int(order.broker_filled) * sign)
    assert counts == [10, 10, 5, 4]


def test_a_part_of_a_share_more_lowers_no_count(build: Any) -> None:
    order = build.order({"a": 1}, broker_filled=Decimal("0.5"))
    once = fill(order, build.execution("x.1.01", "0.25"), build.now)
    assert fill(once, build.execution("x.1.02", "0.5"), build.now).broker_filled == Decimal("0.5")


@pytest.mark.parametrize("quantity", [60, 1, -1, -60])
def test_filled_says_that_all_of_the_order_was_on_its_side(build: Any, quantity: int) -> None:
    """[A1] Its executions are still to come."""
    order = told(build, build.order({"a": quantity}), BrokerStatus.FILLED)
    assert order.broker_filled == quantity


def test_the_brokers_count_of_a_sale_never_falls_either(build: Any) -> None:
    order = told(build, build.order({"a": -60}), BrokerStatus.WORKING, filled=Decimal(40))
    assert told(build, order, BrokerStatus.WORKING, filled=Decimal(10)).broker_filled == -40


def test_an_old_revision_of_an_execution_changes_nothing(build: Any) -> None:
    """[A3] x.02 came before x.01: the newer one stays, and so does the order."""
    newest = filled(build, build.order({"a": 60}), "x.1.02", 20)
    assert filled(build, newest, "x.1.01", 25) is newest


@pytest.mark.parametrize(
    ("paid", "told"),
    [((), ""), (("EUR",), "EUR"), (("EUR", ""), "EUR"), (("USD", "EUR", "USD"), "EUR+USD")],
)
def test_an_order_s_commission_says_its_currencies(
    build: Any, paid: tuple[str, ...], told: str
) -> None:
    """[M14] A sum of unlike ones is not taken for money; the executions have the parts."""
    order = build.order({"a": 10})
    for number, currency in enumerate(paid):
        cost = {"commission": Decimal(1), "commission_currency": currency} if currency else {}
        order = fill(order, build.execution(f"x.{number}.01", 1, **cost), build.now)
    assert (order.commission_currency, order.commission) == (told, sum(map(bool, paid)))


def test_a_repetition_brings_a_commission_and_takes_none_away(build: Any) -> None:
    """The currency goes with the commission; the shares are ours to know."""
    shares = build.shares({"a": 25})
    unpaid = build.execution("x.1.01", 25, shares=shares)
    paid = build.execution("x.1.01", 25, commission=Decimal(1), commission_currency="USD")
    both = replace(paid, shares=shares)
    assert newer_execution(unpaid, paid) == both
    assert newer_execution(both, build.execution("x.1.01", 25)) == both


def test_a_partly_busted_order_that_ended_is_averaged_over_what_is_left(build: Any) -> None:
    """[A3]"""
    order = filled(build, build.order({"a": 60}), "x.1.01", 20)
    paid = build.execution("x.2.01", 10, price=Decimal(103), commission=Decimal(2))
    order = filled(build, fill(order, paid, build.now), "x.1.02", 0)
    assert (int(order.filled), order.average_price) == (10, Decimal(103))
    assert order.commission == 2


@pytest.mark.parametrize("quantity", [60, -60])
def test_what_an_ended_order_left_unfilled_is_in_flight_no_more(build: Any, quantity: int) -> None:
    order = filled(build, build.order({"a": quantity}), "x.1.01", quantity // 4)
    assert in_flight(order) == quantity - quantity // 4
    assert in_flight(told(build, order, BrokerStatus.CANCELLED)) == 0


def test_a_part_of_a_share_is_in_flight_until_it_is_filled(build: Any) -> None:
    half = Decimal("0.5")
    order = replace(build.order({"a": 1}), quantity=half)
    assert in_flight(order) == half
    done = fill(order, build.execution("x.1.01", "0.5"), build.now)
    assert (done.state, done.outcome) == ("DONE", "filled")
