"""The doctor's sentences about documents and topics, each at its bound."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.core import checkup
from gateway.core.finding import State
from schemas import codec
from schemas.commands import Unlock
from schemas.documents import (
    Closure,
    Latch,
    LatchesDocument,
    LeaseDocument,
    Lock,
    OrderDocument,
    SnapshotDocument,
)
from schemas.settings import ControlDocument, StrategyDocument
from schemas.values import Contract, Mode, TradingState
from tests.order_documents import order_document

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
PAPER = Mode.PAPER
SPY = Contract("SPY", con_id=1)
ACTIVE = ControlDocument(TradingState.ACTIVE, "ann")


def order(state: str, age: timedelta, **more: Any) -> OrderDocument:
    return order_document(NOW - age, contract=SPY, state=state, **more)


def lease(owner: str, renewed_ago: float) -> LeaseDocument:
    renewed = NOW - timedelta(seconds=renewed_ago)
    return LeaseDocument(owner, 3, renewed, renewed + timedelta(seconds=30))


def test_a_latch_of_the_gateways_own_fails_whatever_people_set() -> None:
    latch = Latch("daily_loss", "lost 6 % today", NOW)
    found = checkup.trading(PAPER, ACTIVE, LatchesDocument(reduce_only=latch))
    assert found.state is State.FAIL
    assert found.sentence == (
        "the gateway allows only what reduces since 2026-01-05 15:00 UTC: lost 6 % today."
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TradingState.ACTIVE, State.OK),
        (TradingState.REDUCE_ONLY, State.WARN),
        (TradingState.HALTED, State.WARN),
    ],
)
def test_what_a_person_set_is_no_failure(state: TradingState, expected: State) -> None:
    found = checkup.trading(PAPER, ControlDocument(state, "ann", "because"), LatchesDocument())
    assert found.state is expected
    assert found.sentence == f"trading is {state}, by ann: because."


def test_a_closed_strategy_is_named_with_the_line_that_opens_it() -> None:
    latches = LatchesDocument(closed={"beta": Closure(NOW, "ann")})
    (found,) = checkup.closures(PAPER, latches)
    assert found.sentence == "beta is closed since 2026-01-05 15:00 UTC."
    assert '"strategies": ["beta"]' in found.next_step
    assert checkup.closures(PAPER, LatchesDocument()) == []


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("unexplained", "adopt"),
        ("overfill", "adopt"),
        ("repeated", "unlock"),
        ("corrected", "unlock"),
        ("unknown_order", "reconcile"),
    ],
)
def test_each_kind_of_lock_names_the_command_that_lifts_it(kind: Any, command: str) -> None:
    found = checkup.locks(PAPER, {"1": Lock("SPY", kind, "why", NOW)})
    assert found.sentence == f"SPY (1) is locked, {kind}: why."
    assert f'"command": "{command}"' in found.next_step


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (None, State.FAIL, "no gateway has ever held the lease"),
        (lease("", 90), State.FAIL, "gave the lease back 90 s ago (epoch 3); none acts"),
        (lease("pod", 29.9), State.OK, "pod (epoch 3) renewed its lease 29 s ago"),
        (lease("pod", 30), State.FAIL, "it ran out: its heartbeat is stale"),
        (lease("pod", -5), State.OK, "renewed its lease just now, by its own clock"),
    ],
)
def test_a_lease_is_live_up_to_its_end(
    found: LeaseDocument | None, state: State, words: str
) -> None:
    """[R3]"""
    told = checkup.lease(found, NOW)
    assert told.state is state
    assert words in told.sentence
    assert checkup.is_live(found, NOW) is (state is State.OK)


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(3.0, State.OK), (-3.1, State.WARN), (60.0, State.WARN), (-60.1, State.FAIL)],
)
def test_a_clock_may_be_off_by_the_leases_margin(seconds: float, state: State) -> None:
    found = checkup.clock("clock", "Firestore's clock", seconds)
    assert found.state is state
    direction = "ahead of" if seconds > 0 else "behind"
    assert f"Firestore's clock is {abs(seconds):.1f} s {direction} ours" in found.sentence


@pytest.mark.parametrize(("hours", "state"), [(26, State.OK), (26.1, State.WARN)])
def test_a_reading_of_yesterday_is_too_old(hours: float, state: State) -> None:
    at, money = NOW - timedelta(hours=hours), Decimal(1)
    snapshot = SnapshotDocument(at, "DU1234567", "USD", money, {}, None, None, {})
    found = checkup.reconciled(PAPER, snapshot, NOW)
    assert found.state is state
    assert found.sentence.startswith("account DU…67 was read 26 h")  # [M30]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (order("PENDING", timedelta(minutes=1)), ""),
        (order("PENDING", timedelta(seconds=61)), "is PENDING for 61 s"),
        (order("WORKING", timedelta(hours=5)), ""),
        (order("CANCELLING", timedelta(minutes=5)), ""),
        (order("CANCELLING", timedelta(minutes=6)), "is CANCELLING for 6 min"),
        (order("UNKNOWN", timedelta(0), reason="silence"), "is UNKNOWN for 0 s: silence"),
        (order("DONE", timedelta(days=9)), ""),
    ],
)
def test_an_order_that_waits_too_long_is_told(one: OrderDocument, words: str) -> None:
    """[R2]"""
    found = checkup.orders(PAPER, [one], NOW)
    assert found.state is (State.FAIL if words else State.OK)
    assert words in found.sentence


def test_the_line_for_a_lost_order_is_a_command_that_decodes() -> None:
    found = checkup.orders(PAPER, [order("UNKNOWN", timedelta(0))], NOW)
    body = found.next_step.rpartition("--message='")[2].removesuffix("'")
    assert codec.decode_command(body.encode()) == Unlock(
        order_ref="paper-1-1", outcome="not_sent", by="me"
    )


def test_a_subscription_whose_topic_was_deleted_is_told() -> None:
    subscriptions = dict(checkup.expected_subscriptions(PAPER, {}))
    subscriptions["gateway-targets-paper"] = ""
    found = checkup.topology(PAPER, {}, checkup.expected_topics(PAPER), subscriptions)
    assert found.sentence == (
        "subscription gateway-targets-paper is of a topic that was deleted, not of targets-paper."
    )


def test_a_subscription_for_a_strategy_that_is_not_asked_may_be_missing() -> None:
    strategies = {
        "off": StrategyDocument(False, Decimal(1), universe=(Contract("SPY"),)),
        "by_hand": StrategyDocument(True, Decimal(1)),
        "on": StrategyDocument(True, Decimal(1), universe=(Contract("SPY"),)),
    }
    markets = [
        name
        for name in checkup.expected_subscriptions(PAPER, strategies)
        if name.startswith("market-")
    ]
    assert markets == ["market-on-paper"]
