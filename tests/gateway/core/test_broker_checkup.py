"""The doctor's sentences about Interactive Brokers."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.core import broker_checkup
from gateway.core.broker import BrokerStatus, OrderReport, Quote
from gateway.core.broker_checkup import ClientId
from gateway.core.finding import State
from schemas.documents import OrderDocument
from schemas.values import Contract, Mode
from tests.order_documents import order_document

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
SPY = Contract("SPY", con_id=1)
LIVE = Quote(SPY, NOW, Decimal(99), Decimal(101), Decimal(100))
DELAYED = Quote(SPY, NOW, last=Decimal(100), delayed=True)


@pytest.mark.parametrize(
    ("mode", "quote", "allowed", "state", "words"),
    [
        (Mode.PAPER, LIVE, False, State.OK, "live: SPY bid 99, ask 101, last 100."),
        (Mode.PAPER, DELAYED, True, State.OK, "DELAYED, which delayed_data_allowed allows"),
        (Mode.PAPER, DELAYED, False, State.FAIL, "DELAYED, so that nothing which grows"),
        (Mode.LIVE, DELAYED, True, State.FAIL, "DELAYED, so that nothing which grows"),
        (Mode.PAPER, Quote(SPY, NOW), True, State.WARN, "IB tells no price of SPY"),
    ],
)
def test_market_data_are_live_delayed_or_none(
    mode: Mode, quote: Quote, allowed: bool, state: State, words: str
) -> None:
    """[N4] Delayed data only in paper, and only where they are allowed."""
    found = broker_checkup.market_data(mode, quote, allowed)
    assert found.state is state
    assert words in found.sentence
    assert ("delayed_data_allowed in config/paper" in found.next_step) is (
        mode is Mode.PAPER and state is State.FAIL
    )


@pytest.mark.parametrize(
    ("is_taken", "state", "words"),
    [
        (None, State.OK, "1 is the commander's, whose lease is live (so it was not tried)"),
        (False, State.OK, "1, the commander's, is free; 3 was free for us"),
        (True, State.FAIL, "1, the commander's, is taken (326), and no commander holds the lease"),
    ],
)
def test_the_commanders_id_may_be_taken_by_a_living_one_only(
    is_taken: bool | None, state: State, words: str
) -> None:
    found, _ = broker_checkup.client_ids(
        3, ClientId(1, is_taken, "whose lease is live"), ClientId(2, True)
    )
    assert found.state is state
    assert words in found.sentence


@pytest.mark.parametrize(("is_taken", "state"), [(True, State.OK), (False, State.WARN)])
def test_a_guard_that_is_not_connected_is_a_warning(is_taken: bool, state: State) -> None:
    """[R4]"""
    _, found = broker_checkup.client_ids(
        3, ClientId(1, None, "whose lease is live"), ClientId(2, is_taken)
    )
    assert found.state is state


def test_what_makes_a_session_unsafe_is_split_into_what_and_what_next() -> None:
    found = broker_checkup.unsafe("the account is 'U1', and paper's start with DU: set MODE")
    assert found.sentence == "the account is 'U1', and paper's start with DU."
    assert found.next_step == "set MODE"


def test_orders_that_only_one_side_knows_are_named() -> None:
    """[R2] A manual order is nobody's mistake."""
    reports = [
        OrderReport("paper-1-7", BrokerStatus.WORKING),
        OrderReport("paper-1-8", BrokerStatus.WORKING),
        OrderReport("", BrokerStatus.WORKING),
        OrderReport("paper-1-5", BrokerStatus.FILLED),
    ]
    documents = {ref: order(ref, state) for ref, state in STATES.items()}
    found = broker_checkup.open_orders(Mode.PAPER, reports, documents)
    assert found.sentence == (
        "IB works paper-1-8, which is over or unknown here; "
        "paper-1-9 is WORKING here and unknown to IB."
    )


def test_equal_orders_on_both_sides_are_counted() -> None:
    reports = [OrderReport("paper-1-7", BrokerStatus.WORKING), OrderReport("", BrokerStatus.UNSURE)]
    documents = {"paper-1-7": order("paper-1-7", "WORKING")}
    found = broker_checkup.open_orders(Mode.PAPER, reports, documents)
    assert found.state is State.OK
    assert found.sentence == "IB works 1 orders of ours and 1 of others."


STATES = {"paper-1-7": "WORKING", "paper-1-8": "DONE", "paper-1-9": "WORKING", "x": "PENDING"}


def order(order_ref: str, state: str) -> OrderDocument:
    return order_document(NOW, order_ref=order_ref, contract=SPY, state=state)


def test_questions_left_open_say_why() -> None:
    found = broker_checkup.not_asked("the port is closed")
    assert {finding.state for finding in found} == {State.SKIP}
    assert {finding.sentence for finding in found} == {"not asked: the port is closed."}
