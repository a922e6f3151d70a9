"""What people at the broker and faults do to orders, and what the clients hear of it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import Order, OrderTerms

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]
Do = Callable[[Callable[[], object]], list[Any]]
FAR = {"order_type": "LMT", "limit_price": Decimal(500)}


@pytest.fixture
def do(exchange: Exchange, at: At) -> Do:
    """Do something to the broker at 10:00 and take what client 1 hears of it."""

    def act(verb: Callable[[], object]) -> list[Any]:
        return [reply for client, reply in exchange.acting(at("10:00"), verb) if client == 1]

    return act


@pytest.fixture
def resting(exchange: Exchange, say: Say, order: MakeOrder) -> Order:
    """An order of client 1 for 10 at 500, far below the market."""
    say(order(1, **FAR))
    return exchange.working_orders[0]


def codes(replies: list[Any]) -> list[int]:
    return [reply.code for reply in replies if isinstance(reply, r.Notice)]


def statuses(replies: list[Any]) -> list[tuple[str, str]]:
    return [(x.status, x.why_held) for x in replies if isinstance(x, r.OrderStatus)]


def heard_by(client_id: int, deliveries: list[tuple[int, Any]]) -> list[Any]:
    return [reply for client, reply in deliveries if client == client_id]


# ---------------------------------------------------------------------- held and released


def test_an_order_can_be_placed_and_held(
    exchange: Exchange, order: MakeOrder, do: Do, at: At
) -> None:
    """ib.md 4: PreSubmitted, whyHeld "locate", until the release."""
    heard = do(lambda: exchange.orders.place(1, order(1, order_type="MKT"), "locate"))
    assert statuses(heard) == [("PreSubmitted", "locate")]
    assert not heard_by(1, exchange.advance(at("11:00")))
    released = heard_by(1, exchange.acting(at("11:01"), exchange.orders.release))
    assert statuses(released) == [("Filled", "")]


def test_a_working_order_can_be_held_and_released(
    exchange: Exchange, do: Do, resting: Order
) -> None:
    assert statuses(do(lambda: exchange.orders.hold(resting))) == [("PreSubmitted", "locate")]
    assert statuses(do(lambda: exchange.orders.release([resting]))) == [("Submitted", "")]


def test_a_held_order_can_be_cancelled_and_ends_with_its_day(
    exchange: Exchange, say: Say, order: MakeOrder, do: Do, at: At
) -> None:
    for order_id in (1, 2):
        do(partial(exchange.orders.place, 1, order(order_id), "locate"))
    assert codes(say(q.CancelOrder(1))) == [202]
    assert codes(heard_by(1, exchange.advance(at("16:00")))) == [202]


def test_a_released_stop_still_waits_for_its_price(
    exchange: Exchange, order: MakeOrder, do: Do
) -> None:
    stop = order(1, order_type="STP", aux_price=Decimal(700))
    assert statuses(do(lambda: exchange.orders.place(1, stop, "locate"))) == [
        ("PreSubmitted", "locate")
    ]
    do(exchange.orders.release)
    assert (exchange.working_orders[0].status, exchange.working_orders[0].why_held) == (
        "PreSubmitted",
        "trigger",
    )


# ---------------------------------------------------------------------- ended and lost


def test_time_passes_before_anything_is_done(exchange: Exchange, resting: Order, at: At) -> None:
    """At the close the order ends first; then somebody does something."""
    seen: list[bool] = []
    exchange.acting(at("16:00"), lambda: seen.append(resting.working))
    assert seen == [False]


def test_an_accepted_order_can_be_rejected(
    exchange: Exchange, say: Say, do: Do, resting: Order
) -> None:
    """ib.md 4: whole shares are refused some milliseconds after the order was accepted."""
    heard = do(lambda: exchange.orders.reject(resting, 10243, "Fractional-sized order"))
    assert (statuses(heard), codes(heard)) == ([("Inactive", "")], [10243])
    assert isinstance(heard[0], r.OrderStatus)
    assert exchange.working_orders == []
    assert codes(say(q.CancelOrder(1))) == [10148]


@pytest.mark.parametrize("verb", ["end", "hold", "reject"])
def test_an_order_that_has_ended_keeps_its_status(
    exchange: Exchange, say: Say, order: MakeOrder, do: Do, verb: str
) -> None:
    """Nothing follows Filled: what was bought is not cancelled, held or refused any more."""
    say(order(1))
    (filled,) = exchange.orders.done
    verbs: dict[str, Callable[[], None]] = {
        "end": lambda: exchange.orders.end(filled),
        "hold": lambda: exchange.orders.hold(filled),
        "reject": lambda: exchange.orders.reject(filled, 201, "Order rejected"),
    }
    with pytest.raises(ValueError, match="has ended: Filled"):
        do(verbs[verb])
    assert filled.status == "Filled"


def test_an_old_order_that_vanishes_leaves_the_new_one_of_its_id(
    exchange: Exchange, say: Say, order: MakeOrder, do: Do
) -> None:
    """After a roll back the id is another order's, which its client can still cancel."""
    say(order(1))
    (old,) = exchange.orders.done
    do(lambda: exchange.orders.roll_back_ids(1, 1))
    say(order(1, **FAR))
    do(lambda: exchange.orders.vanish(old))
    assert codes(say(q.CancelOrder(1))) == [202]


def test_an_order_can_vanish_without_a_word(
    exchange: Exchange, say: Say, do: Do, resting: Order
) -> None:
    assert do(lambda: exchange.orders.vanish(resting)) == []
    asked = say(q.AllOpenOrdersRequest(), q.CompletedOrdersRequest(False))
    assert asked == [r.OpenOrderEnd(), r.CompletedOrdersEnd()]
    assert exchange.orders.find(resting.perm_id) is None
    assert codes(say(q.CancelOrder(1))) == [135]


def test_rolled_back_ids_are_issued_again(
    exchange: Exchange, say: Say, order: MakeOrder, do: Do
) -> None:
    """ib.md 4: after a restart the next valid id is one that was used."""
    say(order(5), order(6))
    do(lambda: exchange.orders.roll_back_ids(1, 2))
    assert say(q.NextIdRequest(1)) == [r.NextValidId(5)]
    assert statuses(say(order(5)))[-1] == ("Filled", "")
    assert len({item.perm_id for item in exchange.orders.done}) == 3


def test_a_reissued_id_of_a_working_order_changes_it(
    exchange: Exchange, say: Say, order: MakeOrder, do: Do, resting: Order
) -> None:
    do(lambda: exchange.orders.roll_back_ids(1, 1))
    say(order(1, quantity=Decimal(3), **FAR))
    assert (exchange.working_orders, resting.terms.quantity) == ([resting], Decimal(3))


def test_orders_are_found_by_permanent_id_and_by_reference(
    exchange: Exchange, resting: Order
) -> None:
    assert exchange.orders.find(resting.perm_id) is resting
    assert exchange.orders.by_ref("ref-1") == [resting]


# ---------------------------------------------------------------------- by hand


def by_hand(
    exchange: Exchange, contract: Contract, at: At, **changes: Any
) -> list[tuple[int, Any]]:
    usual: dict[str, Any] = {"action": "SELL", "quantity": Decimal(5), "order_type": "LMT"}
    terms = OrderTerms(**(usual | changes))
    return exchange.acting(at("10:00"), lambda: exchange.orders.place_by_hand(contract, terms))


def test_a_limit_order_by_hand_rests_unseen_by_api_clients(
    exchange: Exchange, spy: Contract, say: Say, at: At
) -> None:
    heard = by_hand(exchange, spy, at, limit_price=Decimal(650))
    assert heard_by(1, heard) == []
    opened = say(q.AllOpenOrdersRequest())[0]
    assert (opened.client_id, opened.order_id, opened.state.status) == (0, 0, "Submitted")
    assert say(q.OpenOrdersRequest()) == [r.OpenOrderEnd()]


def test_client_0_is_given_orders_by_hand_when_it_asks(
    exchange: Exchange, spy: Contract, at: At
) -> None:
    """ib.md 4: reqOpenOrders of client 0 binds manual orders; then it can cancel them."""
    by_hand(exchange, spy, at, limit_price=Decimal(650))
    exchange.connect(0, at("10:00"))
    heard = heard_by(0, exchange.handle(0, q.OpenOrdersRequest(), at("10:00")))
    assert [type(reply) for reply in heard] == [
        r.OrderBound,
        r.OpenOrder,
        r.OrderStatus,
        r.OpenOrderEnd,
    ]
    bound, opened = heard[:2]
    assert bound.order_id == opened.order_id < 0
    assert (bound.perm_id, bound.client_id) == (opened.perm_id, 0)
    again = heard_by(0, exchange.handle(0, q.OpenOrdersRequest(), at("10:00")))
    assert [type(reply) for reply in again] == [r.OpenOrder, r.OrderStatus, r.OpenOrderEnd]
    cancelled = exchange.handle(0, q.CancelOrder(bound.order_id), at("10:00"))
    assert codes(heard_by(0, cancelled)) == [202]


def test_client_0_that_binds_automatically_hears_of_new_orders_by_hand(
    exchange: Exchange, spy: Contract, at: At
) -> None:
    exchange.connect(0, at("10:00"))
    exchange.handle(0, q.AutoOpenOrdersRequest(True), at("10:00"))
    heard = heard_by(0, by_hand(exchange, spy, at, limit_price=Decimal(650)))
    assert isinstance(heard[0], r.OrderBound)
    assert heard[1].order_id == heard[0].order_id < 0
    exchange.disconnect(0)
    exchange.connect(0, at("10:00"))
    heard = heard_by(0, by_hand(exchange, spy, at, limit_price=Decimal(650)))
    assert not any(isinstance(reply, r.OrderBound) for reply in heard)


def test_a_global_cancel_ends_orders_by_hand_too(
    exchange: Exchange, spy: Contract, say: Say, at: At
) -> None:
    """It is for the whole account; only the master client would hear of this one."""
    by_hand(exchange, spy, at, limit_price=Decimal(650))
    assert say(q.GlobalCancel()) == []
    assert exchange.working_orders == []


def test_someone_at_tws_can_cancel_our_order(exchange: Exchange, do: Do, resting: Order) -> None:
    heard = do(lambda: exchange.orders.end(resting))
    assert (statuses(heard), codes(heard)) == ([("Cancelled", "")], [202])


def test_orders_by_hand_are_left_out_when_only_the_apis_are_asked_for(
    exchange: Exchange, spy: Contract, say: Say, at: At
) -> None:
    """Also those that client 0 was given."""
    exchange.connect(0, at("10:00"))
    exchange.handle(0, q.AutoOpenOrdersRequest(True), at("10:00"))
    by_hand(exchange, spy, at, order_type="MKT")
    assert len(say(q.CompletedOrdersRequest(True))) == 1
    assert len(say(q.CompletedOrdersRequest(False))) == 2


@pytest.mark.parametrize(
    ("contract", "changes"),
    [
        (Contract(con_id=4711), {"limit_price": Decimal(650)}),
        (None, {"limit_price": Decimal("650.001")}),
        (None, {"order_type": "TRAIL"}),
        (None, {"parent_id": 1}),
        (None, {"transmit": False}),
    ],
)
def test_an_order_by_hand_must_make_sense(
    exchange: Exchange, spy: Contract, at: At, contract: Contract | None, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"no such contract|110|201|321"):
        by_hand(exchange, contract or spy, at, **changes)
    assert exchange.working_orders == []
