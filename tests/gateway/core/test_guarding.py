"""What the guard does about what it sees [R4]: pure, by a clock that is a number."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.broker import BrokerStatus, OrderReport
from gateway.core.guarding import (
    GuardTimes,
    Watch,
    cancels,
    danger,
    seen_control,
    seen_lease,
    sweep,
    working,
)
from schemas.documents import LeaseDocument
from schemas.settings import ControlDocument
from schemas.values import Mode, TradingState

TIMES = GuardTimes()
AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
LEASE = LeaseDocument("gateway-1", 4, AT, AT + timedelta(seconds=30))
BACK = LeaseDocument("", 4, AT, AT)
ACTIVE = ControlDocument(TradingState.ACTIVE)
HALTED = ControlDocument(TradingState.HALTED, "ann", "too hot")
OURS = OrderReport("paper-756733-1", BrokerStatus.WORKING, 756733, 11, 5, 1)
MANUAL = OrderReport("", BrokerStatus.WORKING, 756733, 12)
WATCH = seen_control(seen_lease(Watch(0.0), LEASE, 100.0), ACTIVE, 100.0)


def test_a_lease_that_is_renewed_in_time_is_no_danger() -> None:
    """[R4]"""
    later = timedelta(seconds=10)
    renewed = replace(LEASE, renewed_at=AT + later, expires_at=LEASE.expires_at + later)
    assert danger(seen_lease(WATCH, renewed, 140.0), 184.9, TIMES) == ""


def test_a_lease_is_dead_after_its_own_length_and_a_margin_by_the_guards_clock() -> None:
    """[R4] The document's own times are another machine's: only its length is used."""
    assert danger(WATCH, 144.9, TIMES) == ""
    assert danger(WATCH, 145.0, TIMES) == (
        "no commander is alive: gateway-1 (epoch 4) renewed its lease last at "
        "2026-01-05 15:00:00 UTC"
    )


def test_the_guard_is_more_patient_than_a_commander_that_waits_for_the_lease() -> None:
    """[R3, R4] Else it would borrow the client id from the one that takes over."""
    assert TIMES.lease_margin_seconds > 3 + 1


def test_seeing_the_same_lease_again_is_no_heartbeat() -> None:
    """[R4]"""
    seen = seen_lease(WATCH, LEASE, 144.0)
    assert danger(seen, 145.0, TIMES)


def test_a_lease_given_back_leaves_time_for_the_next_commander() -> None:
    """[R4] A deploy cancels nothing."""
    seen = seen_lease(WATCH, BACK, 200.0)
    assert danger(seen, 244.9, TIMES) == ""
    assert danger(seen, 245.0, TIMES) == (
        "no commander is alive: the lease was given back after epoch 4, and nobody took it"
    )


def test_no_lease_at_all_is_nobody_alive_after_the_same_time() -> None:
    """[R4] Nor does a store that cannot be read hold the guard up for ever."""
    assert danger(Watch(100.0), 144.9, TIMES) == ""
    assert "there is no lease, or it cannot be read" in danger(Watch(100.0), 145.0, TIMES)


def test_a_halt_leaves_the_commander_a_grace_from_when_it_was_first_seen() -> None:
    """[R4]"""
    alive = seen_lease(WATCH, replace(LEASE, epoch=5), 110.0)
    halted = seen_control(seen_control(alive, HALTED, 110.0), HALTED, 115.0)
    assert danger(halted, 119.9, TIMES) == ""
    assert danger(halted, 120.0, TIMES) == "trading is halted by ann (too hot)"


def test_a_resume_ends_the_danger_and_the_next_halt_has_its_own_grace() -> None:
    """[R4]"""
    halted = seen_control(WATCH, HALTED, 100.0)
    resumed = seen_control(halted, ACTIVE, 111.0)
    assert danger(resumed, 112.0, TIMES) == ""
    assert danger(seen_control(resumed, HALTED, 113.0), 114.0, TIMES) == ""


def test_reduce_only_is_no_danger() -> None:
    """[R4] The orders that reduce have to work."""
    control = ControlDocument(TradingState.REDUCE_ONLY)
    assert danger(seen_control(WATCH, control, 100.0), 130.0, TIMES) == ""


@pytest.mark.parametrize(
    "order_ref", ["", "alpha", "live-756733-1", "paper-756733", "paper-756733-1-x"]
)
def test_only_our_own_references_of_this_mode_are_ours(order_ref: str) -> None:
    """[R4] Manual orders are left alone."""
    found = working(Mode.PAPER, [OURS, replace(OURS, order_ref=order_ref)])
    assert [order.order_ref for order in found.ours] == ["paper-756733-1"]
    assert [order.order_ref for order in found.foreign] == [order_ref]


@pytest.mark.parametrize(
    "status", [BrokerStatus.FILLED, BrokerStatus.CANCELLED, BrokerStatus.REJECTED]
)
def test_what_is_over_needs_no_cancel(status: BrokerStatus) -> None:
    found = working(Mode.PAPER, [replace(OURS, status=status), replace(MANUAL, status=status)])
    assert (found.ours, found.foreign) == ((), ())


def test_what_the_broker_is_unsure_of_is_cancelled_too() -> None:
    """[R4] `Inactive` may still trade."""
    assert working(Mode.PAPER, [replace(OURS, status=BrokerStatus.UNSURE)]).ours


def test_ours_are_sorted_by_the_client_that_alone_can_cancel_them() -> None:
    """ib.md, trap 19."""
    second = replace(OURS, order_ref="paper-2-1", client_id=7)
    found = working(Mode.PAPER, [second, OURS])
    assert dict(found.by_client) == {1: (OURS,), 7: (second,)}


def test_a_global_cancel_is_for_an_account_in_which_all_orders_are_ours() -> None:
    """[R4]"""
    step = sweep(working(Mode.PAPER, [OURS]), 1, False, "trading is halted")
    assert step.is_allowed
    assert step.sentence == (
        "the guard cancels all orders of the account: trading is halted; client id 1 cannot be "
        "borrowed to cancel paper-756733-1"
    )


def test_with_foreign_orders_a_global_cancel_is_refused_aloud() -> None:
    """[R4] The sentence says what a person has to do."""
    step = sweep(working(Mode.PAPER, [OURS, MANUAL]), 1, False, "trading is halted")
    assert not step.is_allowed
    assert step.sentence == (
        "the guard CANNOT cancel: trading is halted; client id 1 cannot be borrowed to cancel "
        "paper-756733-1, and a global cancel would cancel 1 orders that are not ours: end the "
        "commander's process, or cancel by hand"
    )


def test_with_foreign_orders_a_person_may_allow_the_global_cancel() -> None:
    """[R4]"""
    step = sweep(working(Mode.PAPER, [OURS, MANUAL]), 1, True, "trading is halted")
    assert step.is_allowed
    assert "1 of them not ours, as guard_may_cancel_foreign allows" in step.sentence


def test_a_cancel_is_told_with_the_orders_and_the_reason() -> None:
    second = replace(OURS, order_ref="paper-2-1")
    sentence = cancels([OURS, second], "trading is halted")
    assert sentence == "the guard cancels paper-2-1, paper-756733-1: trading is halted"
