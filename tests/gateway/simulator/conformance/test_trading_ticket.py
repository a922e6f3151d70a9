"""What a trading case reads out of the messages about its order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.trading_ticket import Ticket
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import Execution, OrderState, OrderTerms

CONTRACT = Contract(symbol="SPY")
TERMS = OrderTerms(quantity=Decimal(1), order_ref="ours")
Say = Callable[..., Ticket]


@dataclass
class Connection:
    """All that a ticket wants to know of one."""

    client_id: int
    heard: list[Heard]


def opened(status: str, order_id: int = 5) -> r.OpenOrder:
    return r.OpenOrder(order_id, 1, 77, CONTRACT, TERMS, OrderState(status))


def status(name: str, filled: int = 0) -> r.OrderStatus:
    zero, done = Decimal(0), Decimal(filled)
    return r.OrderStatus(5, name, done, 1 - done, zero, 77, 0, zero, 1)


def executed(name: str, quantity: int = 1, *, asked: bool = False, ref: str = "ours") -> Any:
    one = Decimal(1)
    when = datetime(2025, 12, 12, tzinfo=UTC)
    execution = Execution(name, when, "ARCA", "BOT", Decimal(quantity), one, one, one)
    return r.ExecutionDetails(9 if asked else -1, 5, 1, 77, CONTRACT, execution, "DU1", ref)


def paid(name: str) -> r.CommissionReport:
    return r.CommissionReport(name, Decimal(1), "USD", None)


def error(code: int) -> r.Notice:
    return r.Notice(5, code, "text")


@pytest.fixture
def say() -> Say:
    """`say(message, ...)`: the ticket of order 5 of client 1, which heard these."""

    def make(*replies: Any) -> Ticket:
        heard = [Heard(place, 0.0, (), reply) for place, reply in enumerate(replies)]
        return Ticket(Connection(1, heard), 5, CONTRACT, TERMS)

    return make


def test_messages_of_other_orders_and_clients_are_not_its_own(say: Say) -> None:
    other = r.OpenOrder(5, 2, 78, CONTRACT, TERMS, OrderState("Submitted"))
    ticket = say(opened("Submitted", 6), other, r.Notice(6, 202, ""), paid("elsewhere.01"))
    assert ticket.told == []


def test_a_commission_belongs_to_it_also_when_it_came_first(say: Say) -> None:
    assert say(paid("a.01"), executed("a.01")).told == [paid("a.01"), executed("a.01")]


@pytest.mark.parametrize(
    ("quantities", "shares"),
    [
        ([("a.01", 1), ("a.01", 1)], 1),
        ([("a.01", 1), ("a.02", 0)], 0),
        ([("a.01", 1), ("b.01", 2)], 3),
    ],
)
def test_each_execution_counts_once_as_it_was_last_corrected(
    say: Say, quantities: list[tuple[str, int]], shares: int
) -> None:
    assert say(*(executed(*item) for item in quantities)).shares == shares


def test_an_execution_asked_for_counts_if_it_names_this_very_order(say: Say) -> None:
    """Order ids come again after a gateway's restart; references do not."""
    assert say(executed("a.01", asked=True)).shares == 1
    assert say(executed("a.01", asked=True, ref="yesterday's")).shares == 0


@pytest.mark.parametrize(
    ("replies", "has_ended"),
    [
        ([], False),
        ([status("Submitted")], False),
        ([status("Inactive")], False),
        ([status("Cancelled")], True),
        ([opened("Filled")], True),
        ([executed("a.01")], True),
        ([error(110)], True),
        ([error(399)], False),
        ([status("Submitted"), error(105)], False),
    ],
)
def test_an_order_is_over_when_it_ended_or_never_lived(
    say: Say, replies: list[Any], has_ended: bool
) -> None:
    assert say(*replies).has_ended is has_ended


def test_a_fill_is_told_whole_with_status_execution_and_commission(say: Say) -> None:
    whole = [status("Filled", 1), executed("a.01"), paid("a.01")]
    assert say(*whole).is_told_whole
    for left_out in whole:
        assert not say(*(item for item in whole if item is not left_out)).is_told_whole


def test_its_outline_has_no_numbers_that_change(say: Say) -> None:
    told = say(opened("Submitted"), status("Filled", 1), executed("a.01"), error(202))
    assert (
        told.outline == "BUY MKT : openOrder Submitted, orderStatus Filled, execDetails, error 202"
    )


def test_no_permanent_id_is_none_at_all(say: Say) -> None:
    assert say(opened("Submitted"), executed("a.01")).perm_ids == [77]
    assert say().perm_ids == []
    assert say().state == ""
    assert say().remaining is None
