"""IB's words: the broker and the faults say the same, so that no client can tell them apart."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import notices
from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.faults.refusals import REJECTIONS
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms

Say = Callable[..., list[Any]]


@pytest.mark.parametrize(
    ("reason", "terms", "symbol"),
    [
        ("price", {"order_type": "LMT", "limit_price": Decimal("600.001")}, "SPY"),
        ("fraction", {"quantity": Decimal("1.5")}, "SPY"),
        ("contract", {}, "NOPE"),
    ],
)
def test_a_fault_refuses_in_the_brokers_own_words(
    say: Say, reason: str, terms: dict[str, Any], symbol: str
) -> None:
    contract = Contract(symbol=symbol, security_type="STK", exchange="SMART", currency="USD")
    known: dict[str, Any] = {"quantity": Decimal(10), "tif": "DAY"}
    heard = say(q.PlaceOrder(1, contract, OrderTerms(**(known | terms))))
    assert heard == [r.Notice(1, *REJECTIONS[reason])]


def test_a_cancel_for_nothing_and_one_too_late_name_the_order() -> None:
    assert notices.unknown_cancel(7) == (
        10147,
        "OrderId 7 that needs to be cancelled is not found.",
    )
    assert notices.late_cancel(7, "Filled") == (
        10148,
        "OrderId 7 that needs to be cancelled cannot be cancelled, state: Filled.",
    )
