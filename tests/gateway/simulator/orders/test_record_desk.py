"""Open orders, completed orders, executions: who sees what, and until when (design/ib.md 4)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.exchange import Exchange

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]


def all_executions(request_id: int = 5, **changes: Any) -> q.ExecutionsRequest:
    names = ("account", "time", "symbol", "security_type", "exchange", "side")
    filters: dict[str, Any] = {"client_id": 0, **dict.fromkeys(names, ""), **changes}
    return q.ExecutionsRequest(request_id, **filters)


def heard_by(exchange: Exchange, client_id: int, request: Any, now: datetime) -> list[Any]:
    return [reply for client, reply in exchange.handle(client_id, request, now)]


def test_open_orders_are_the_clients_own_and_all_are_everybodys(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    say(order(1, order_type="LMT", limit_price=Decimal(500)))
    exchange.connect(2, at("10:00"))
    assert heard_by(exchange, 2, q.OpenOrdersRequest(), at("10:00")) == [r.OpenOrderEnd()]
    opened, status, end = heard_by(exchange, 2, q.AllOpenOrdersRequest(), at("10:00"))
    assert (opened.client_id, status.status, end) == (1, "Submitted", r.OpenOrderEnd())
    assert len(say(q.OpenOrdersRequest())) == 3


def test_a_completed_order_keeps_its_reference_and_permanent_id(say: Say, order: MakeOrder) -> None:
    placed = say(order(1))[0]
    done, end = say(q.CompletedOrdersRequest(False))
    assert (done.perm_id, done.terms.order_ref) == (placed.perm_id, "ref-1")
    assert (done.status, done.filled, done.completed_status) == ("Filled", 10, "Filled Size: 10")
    assert end == r.CompletedOrdersEnd()


def test_a_cancelled_order_is_a_completed_one(say: Say, order: MakeOrder) -> None:
    resting = order(1, order_type="LMT", limit_price=Decimal(500))
    done = say(resting, q.CancelOrder(1), q.CompletedOrdersRequest(False))[-2]
    assert (done.status, done.filled) == ("Cancelled", 0)


def test_orders_by_hand_are_left_out_when_only_the_apis_are_asked_for(
    exchange: Exchange, say: Say, at: At
) -> None:
    exchange.trade_by_hand("SPY", Decimal(5), None, at("10:00"))
    assert len(say(q.CompletedOrdersRequest(True))) == 1
    assert len(say(q.CompletedOrdersRequest(False))) == 2


@pytest.mark.parametrize(("client_id", "count"), [(1, 1), (2, 0), (9, 2), (0, 1)])
def test_executions_are_the_clients_own_and_the_masters_are_all(
    exchange: Exchange, order: MakeOrder, at: At, client_id: int, count: int
) -> None:
    """Client 0 owns what was traded by hand; client 9 is the master."""
    exchange.handle(1, order(1), at("10:00"))
    exchange.trade_by_hand("SPY", Decimal(5), None, at("10:00"))
    exchange.connect(client_id, at("10:00"))
    replies = heard_by(exchange, client_id, all_executions(), at("10:00"))
    assert sum(isinstance(reply, r.ExecutionDetails) for reply in replies) == count
    assert sum(isinstance(reply, r.CommissionReport) for reply in replies) == count
    assert replies[-1] == r.ExecutionDetailsEnd(5)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"side": "BUY"}, 1),
        ({"side": "SELL"}, 0),
        ({"symbol": "QQQ"}, 0),
        ({"time": "20251212 10:00:00 US/Eastern"}, 1),
        ({"time": "20251212-15:00:01"}, 0),
        ({"client_id": 1}, 1),
        ({"client_id": 2}, 0),
    ],
)
def test_executions_are_filtered(
    say: Say, order: MakeOrder, filters: dict[str, Any], count: int
) -> None:
    say(order(1))
    replies = say(all_executions(**filters))
    assert sum(isinstance(reply, r.ExecutionDetails) for reply in replies) == count


def test_a_filter_time_that_is_none_is_an_error(say: Say) -> None:
    assert [reply.code for reply in say(all_executions(time="yesterday"))] == [321]


def test_midnight_forgets_executions_and_completed_orders(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """ib.md 4: the gateway knows executions since midnight only."""
    say(order(1))
    assert len(say(all_executions(), when=at("23:59"))) == 3
    assert say(all_executions(), when=at("00:00", 1)) == [r.ExecutionDetailsEnd(5)]
    assert say(q.CompletedOrdersRequest(False), when=at("00:00", 1)) == [r.CompletedOrdersEnd()]


def test_only_client_0_may_bind_orders_made_by_hand(exchange: Exchange, say: Say, at: At) -> None:
    assert say(q.AutoOpenOrdersRequest(True))[0].code == 327
    exchange.connect(0, at("10:00"))
    assert heard_by(exchange, 0, q.AutoOpenOrdersRequest(True), at("10:00")) == []
