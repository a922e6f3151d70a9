from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core import dues
from gateway.core.broker import BrokerStatus, OrderReport
from gateway.core.desk import Desk
from gateway.core.events import CancelAsked, Journaled, NetAsked, NetCause, Netted, Ticked
from gateway.core.records import Stored, changed, restored
from schemas import codec
from schemas.documents import GenerationDocument, OrderDocument

REF = "paper-1-1"
FLIP = NetCause("flip", f"after-{REF}")
CANCEL = NetCause("cancel confirmed", f"after-{REF}")


def flipping(build: Any, **parts: Any) -> Desk:
    """a held 40 SPY and wants -30; the way to 0 works at the broker."""
    order = build.order({"a": -40}, is_flip=True, is_reducing=True, **parts)
    desk: Desk = build.desk({"a": {1: -30}}, {"a": {1: 40}}, orders=[order], generations={1: 1})
    return desk


def reread(build: Any, desk: Desk) -> Desk:
    """The next gateway's desk: from the order documents as they are written, and no more."""
    found = changed(build.desk(), desk).values()
    orders = [document for document in found if isinstance(document, OrderDocument)]
    kept = {
        order.order_ref: codec.from_document(OrderDocument, codec.to_document(order))
        for order in orders
    }
    generations = {str(k): GenerationDocument(g, "") for k, g in desk.generations.items()}
    return restored(build.desk(), Stored(orders=kept, generations=generations))


def test_a_flip_that_is_filled_makes_the_net_due_that_goes_beyond(build: Any) -> None:
    """[N6, N1d]"""
    flat = build.filled(flipping(build), REF)
    assert (flat.cause, flat.orders[REF].waits_for_net) == (FLIP, True)
    (beyond,) = build.net(flat).orders
    assert (beyond.order_ref, beyond.quantity, beyond.is_flip) == ("paper-1-2", -30, False)


@pytest.mark.parametrize("filled", [0, -39])
def test_a_flip_that_is_not_at_0_yet_waits(build: Any, filled: int) -> None:
    """[N6]"""
    desk = flipping(build)
    part = build.after(desk, build.execution("x.1.01", filled)) if filled else desk
    assert build.after(part, Ticked()).cause is None


@pytest.mark.parametrize("status", [BrokerStatus.CANCELLED, BrokerStatus.REJECTED])
def test_a_flip_that_the_broker_ends_early_goes_no_further(build: Any, status: Any) -> None:
    """[N1, N6, N8] The way beyond 0 begins at 0, and what was rejected waits for a run."""
    part = build.after(flipping(build), build.execution("x.1.01", -39))
    ended = build.after(part, build.report(status, filled=Decimal(39)))
    assert (ended.orders[REF].state, ended.cause) == ("DONE", None)


def test_an_order_filled_whole_that_is_no_flip_makes_no_net_due(build: Any) -> None:
    """[N1] IB's events alone never create orders."""
    order = build.order({"a": -40})
    desk = build.desk({}, {"a": {1: 40}}, orders=[order])
    assert build.filled(desk, REF).cause is None


def test_a_bust_at_the_end_of_a_flip_leaves_it_short_of_0(build: Any) -> None:
    """[A3, N6] The broker says filled, but one of its executions was taken back."""
    part = build.after(flipping(build), build.execution("x.1.01", -39))
    bust = build.after(part, build.execution("x.1.02", 0))
    ended = build.after(bust, build.report(BrokerStatus.FILLED, filled=Decimal(0)))
    assert ended.cause is None


def test_a_fill_that_is_told_again_makes_nothing_due_again(build: Any) -> None:
    flat = build.filled(flipping(build), REF)
    netted = build.after(flat, Netted())
    again = build.execution(f"x.{REF}.01", -40)
    told = build.after(netted, again, build.report(BrokerStatus.FILLED, filled=Decimal(40)))
    assert (told.cause, told.orders[REF].waits_for_net) == (None, False)


@pytest.mark.parametrize(("dry", "left"), [(False, 0), (True, 1)])
def test_a_flips_net_is_covered_by_one_that_is_due_unless_that_is_dry(
    build: Any, dry: bool, left: int
) -> None:
    """[N1d]"""
    asked = NetAsked(NetCause("allocate", "run-2", dry_run=dry))
    desk = build.filled(build.after(flipping(build), asked), REF)
    netted = build.after(desk, Netted())
    assert len([c for c in (netted.cause, *netted.waiting) if c == FLIP]) == left
    assert netted.orders[REF].waits_for_net is bool(left)


def test_a_flip_that_was_to_be_cancelled_and_was_filled_makes_one_net_due(build: Any) -> None:
    """[N1d, N6]"""
    desk = build.filled(build.after(flipping(build), CancelAsked(REF)), REF)
    assert (desk.cause, desk.waiting) == (FLIP, ())


def test_the_next_gateway_makes_the_net_that_this_one_left(build: Any) -> None:
    """[N6, R1] It ended between the halves, when the fill was written."""
    flat = build.filled(flipping(build), REF)
    assert reread(build, flat).cause == FLIP
    assert reread(build, build.after(flat, Netted())).cause is None


def test_the_next_gateway_hears_of_the_fill_and_goes_beyond(build: Any) -> None:
    """[N6, R1] It ended while the first half worked; the four questions tell its end."""
    left = reread(build, flipping(build))
    assert left.cause is None
    fill = build.execution("x.1.01", -40)
    told = build.report(BrokerStatus.FILLED, filled=Decimal(40))
    books = replace(left, ledgers=flipping(build).ledgers)
    settled = build.settled(books, {}, completed_orders=(told,), executions=(fill,))
    assert (settled.cause, settled.position(1)) == (FLIP, 0)


def test_a_confirmed_cancel_is_not_forgotten_either(build: Any) -> None:
    """[N1d, R1]"""
    desk = build.after(build.ordered(), CancelAsked(REF), build.report(BrokerStatus.CANCELLED))
    assert reread(build, desk).cause == CANCEL


def test_a_net_whose_second_half_is_journaled_was_made(build: Any) -> None:
    """[W1] The gateway ended before it could say so."""
    flat = build.filled(flipping(build), REF)
    beyond = build.net(flat)
    journaled = build.after(flat, Journaled(beyond.orders, ()))
    assert reread(build, journaled).cause is None


def test_of_several_ends_the_latest_names_the_net(build: Any) -> None:
    """One net covers all contracts."""
    orders = {
        ref: build.order(
            {"a": -1}, order_ref=ref, state="DONE", waits_for_net=True, updated_at=build.later(age)
        )
        for ref, age in (("paper-1-1", 5), ("paper-1-2", 9), ("paper-1-3", 1))
    }
    found = dues.left_due(orders, {})
    assert found == NetCause("cancel confirmed", "after-paper-1-2")
    assert dues.left_due(dues.netted(orders), {}) is None


def test_orders_of_which_none_waits_are_left_as_they_are(build: Any) -> None:
    orders = {"x": build.order({"a": 1})}
    assert dues.netted(orders) is orders


def test_what_an_unknown_flip_turns_out_to_be_counts(build: Any) -> None:
    """[R1] Silence, then the fill: the way to 0 was gone, so the way beyond begins."""
    desk = flipping(build, state="UNKNOWN")
    told = OrderReport(REF, BrokerStatus.FILLED, filled=Decimal(40))
    flat = build.after(desk, told, build.execution("x.1.01", -40))
    assert flat.cause == FLIP


@pytest.mark.parametrize("is_left_over", [True, False])
def test_an_end_that_leaves_something_to_be_closed_makes_a_net_due(
    is_left_over: bool, build: Any
) -> None:
    """What a person closed does not wait for some later net (behaviour 5)."""
    before = build.order({"a": 5})
    over = replace(before, state="DONE", outcome="filled", filled=Decimal(5))
    due = dues.due_after(before, over, is_left_over=is_left_over)
    assert due == (NetCause("close_all goes on", "after-paper-1-1") if is_left_over else None)


@pytest.mark.parametrize(("left_over", "due"), [({}, False), ({"is_left_over": True}, True)])
def test_an_end_that_leaves_nothing_of_what_was_closed_makes_no_net_due(
    build: Any, left_over: dict[str, bool], due: bool
) -> None:
    """[N1] (behaviour 5)"""
    before = build.order({"a": -40})
    order = replace(before, state="DONE", outcome="rejected")
    assert (dues.due_after(before, order, **left_over) is not None) is due


def test_a_net_that_failed_leaves_due_what_an_order_left(build: Any) -> None:
    """[N6, N1d] The broker did not answer: the next net makes it, of whichever gateway."""
    flat = build.filled(flipping(build), REF)
    failed = build.after(flat, Netted(failed=True))
    assert (failed.cause, failed.orders[REF].waits_for_net) == (None, True)
    assert reread(build, failed).cause == FLIP
    made = build.after(failed, NetAsked(FLIP), Netted())
    assert (made.cause, made.orders[REF].waits_for_net) == (None, False)
