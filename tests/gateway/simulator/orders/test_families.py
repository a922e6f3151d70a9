"""Attached orders: what is held back, what goes together, what waits (IB's pages; see families)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.exchange import Exchange
from gateway.simulator.orders.families import DRAFTS_MAX, objection_to_parent
from gateway.simulator.orders.orders import OrderTerms

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]
ENTRY: dict[str, Any] = {"order_type": "LMT", "limit_price": Decimal(600), "transmit": False}
PROFIT: dict[str, Any] = {"action": "SELL", "order_type": "LMT", "limit_price": Decimal(605)}
STOP: dict[str, Any] = {"action": "SELL", "order_type": "STP", "aux_price": Decimal(590)}


def codes(replies: list[Any]) -> list[tuple[int, int]]:
    return [(x.id, x.code) for x in replies if isinstance(x, r.Notice)]


def states(replies: list[Any]) -> list[tuple[int, str, str]]:
    return [(x.order_id, x.status, x.why_held) for x in replies if isinstance(x, r.OrderStatus)]


@pytest.fixture
def bracket(order: MakeOrder) -> list[q.PlaceOrder]:
    """Buy 10 at 600, sell them at 605 or from 590 down; the last one is transmitted."""
    return [
        order(1, **ENTRY),
        order(2, **PROFIT, parent_id=1, transmit=False),
        order(3, **STOP, parent_id=1),
    ]


def test_an_order_held_back_is_heard_of_nowhere(
    exchange: Exchange, say: Say, bracket: list[q.PlaceOrder]
) -> None:
    """rust-ibapi, wire facts: no status, absent from the open orders."""
    assert say(*bracket[:2]) == []
    assert say(q.OpenOrdersRequest(), q.AllOpenOrdersRequest()) == [r.OpenOrderEnd()] * 2
    assert exchange.working_orders == []
    assert say(q.NextIdRequest(1)) == [r.NextValidId(3)]


def test_the_last_of_a_bracket_takes_the_family_along(say: Say, bracket: list[Any]) -> None:
    """Recorded: children are PreSubmitted, held as `child` and `child,trigger`."""
    assert states(say(*bracket)) == [
        (1, "PreSubmitted", ""),
        (2, "PreSubmitted", "child"),
        (3, "PreSubmitted", "child,trigger"),
        (1, "Submitted", ""),
    ]


def test_children_are_told_with_their_parent_and_the_familys_group(
    say: Say, bracket: list[Any]
) -> None:
    """Recorded: openOrder of a child shows the parent's permId as ocaGroup, and ocaType 3."""
    heard = say(*bracket)
    opened = {x.order_id: x for x in heard if isinstance(x, r.OpenOrder)}
    told = [(x.terms.parent_id, x.terms.oca_group, x.terms.oca_type) for x in opened.values()]
    group = str(opened[1].perm_id)
    assert told == [(0, "", 3), (1, group, 3), (1, group, 3)]
    assert [x.parent_id for x in heard if isinstance(x, r.OrderStatus)] == [0, 1, 1, 0]


def test_the_parent_sent_again_takes_its_children_along(
    say: Say, order: MakeOrder, bracket: list[Any]
) -> None:
    say(*bracket[:2])
    heard = say(order(1, **ENTRY | {"transmit": True}))
    assert [order_id for order_id, _, _ in states(heard)] == [1, 2, 1]


def test_an_order_that_waits_for_transmission_can_be_changed(
    say: Say, order: MakeOrder, bracket: list[Any]
) -> None:
    changed = order(2, **PROFIT | {"limit_price": Decimal(604)}, transmit=False)
    heard = say(*bracket[:2], changed, bracket[2])
    opened = {x.order_id: x.terms for x in heard if isinstance(x, r.OpenOrder)}
    assert (opened[2].limit_price, opened[2].parent_id) == (Decimal(604), 1)


def test_a_cancel_before_the_transmission_discards_the_order_and_its_children(
    say: Say, bracket: list[Any]
) -> None:
    """rust-ibapi, wire facts: 202 "Order was discarded" and 161."""
    heard = say(*bracket[:2], q.CancelOrder(1))
    assert codes(heard) == [(1, 202), (1, 161), (2, 202), (2, 161)]
    assert "discarded" in heard[0].text
    assert codes(say(bracket[2])) == [(3, 10006)]


def test_a_global_cancel_discards_what_was_held_back(say: Say, bracket: list[Any]) -> None:
    heard = say(bracket[0], q.GlobalCancel(), q.CancelOrder(1))
    assert codes(heard) == [(1, 202), (1, 161), (1, 135)]


def test_orders_held_back_outlive_their_client_but_not_the_gateways_day(
    exchange: Exchange, say: Say, bracket: list[Any], at: At
) -> None:
    say(bracket[0])
    exchange.disconnect(1)
    exchange.connect(1, at("10:00"))
    assert [order_id for order_id, _, _ in states(say(bracket[1], bracket[2]))] == [1, 2, 3, 1]
    say(*(q.PlaceOrder(x.order_id + 3, x.contract, x.terms) for x in bracket[:1]))
    exchange.advance(at("00:01", 1))
    assert codes(say(q.CancelOrder(4), when=at("00:01", 1))) == [(4, 135)]


def test_only_so_many_orders_are_held_back(say: Say, order: MakeOrder) -> None:
    heard = say(*(order(number + 1, **ENTRY) for number in range(DRAFTS_MAX + 2)))
    assert codes(heard) == [(DRAFTS_MAX + 1, 201), (DRAFTS_MAX + 2, 201)]


@pytest.mark.parametrize("parent_id", [1, 2, 7])
def test_an_unknown_parent_is_missing(say: Say, order: MakeOrder, parent_id: int) -> None:
    """IB's message codes: 10006; an order is no parent of its own either."""
    assert codes(say(order(2, **STOP, parent_id=parent_id))) == [(2, 10006)]


def test_the_parent_must_be_of_the_same_client(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    say(order(1, **ENTRY | {"transmit": True}))
    exchange.connect(2, at("10:00"))
    heard = exchange.handle(2, order(5, **STOP, parent_id=1), at("10:00"))
    assert codes([reply for _, reply in heard]) == [(5, 10006)]


@pytest.mark.parametrize("entry", [{}, {"order_type": "LMT", "limit_price": Decimal(500)}])
def test_a_parent_that_ended_takes_no_child(
    say: Say, order: MakeOrder, entry: dict[str, Any]
) -> None:
    """Reported by many who attach exits after the fill: 201 Parent order is being cancelled."""
    heard = say(order(1, **entry), q.CancelOrder(1), order(2, **STOP, parent_id=1))
    assert codes(heard)[-1] == (2, 201)
    assert "Parent order is being cancelled" in heard[-1].text


def test_a_child_of_a_parent_that_works_goes_out_alone(say: Say, order: MakeOrder) -> None:
    say(order(1, **ENTRY | {"transmit": True}))
    assert states(say(order(2, **STOP, parent_id=1))) == [(2, "PreSubmitted", "child,trigger")]


def test_a_parent_that_is_refused_takes_its_children_along(say: Say, order: MakeOrder) -> None:
    heard = say(
        order(1, **ENTRY | {"quantity": Decimal(100_000)}),
        order(2, **STOP | {"quantity": Decimal(100_000)}, parent_id=1),
    )
    assert codes(heard) == [(1, 201), (2, 201)]
    assert states(heard) == []


def test_a_last_child_that_is_refused_leaves_the_rest_untransmitted(
    exchange: Exchange, say: Say, order: MakeOrder, bracket: list[Any]
) -> None:
    wrong = order(3, **STOP | {"aux_price": Decimal("590.005")}, parent_id=1)
    assert codes(say(*bracket[:2], wrong)) == [(3, 110)]
    assert exchange.working_orders == []
    assert len(states(say(bracket[2]))) == 4


def test_children_in_two_groups_are_refused_by_name(say: Say, order: MakeOrder) -> None:
    say(order(1, **ENTRY | {"transmit": True}))
    say(order(2, **PROFIT, parent_id=1, other={"ocaGroup": "a"}))
    heard = say(order(3, **STOP, parent_id=1, other={"ocaGroup": "b"}))
    assert codes(heard) == [(3, 201)]


def test_a_change_keeps_the_parent_or_is_refused(
    exchange: Exchange, say: Say, order: MakeOrder, bracket: list[Any]
) -> None:
    """10341 for another parent; leaving it out keeps it (ib_insync #647)."""
    say(*bracket)
    moved = STOP | {"aux_price": Decimal(591)}
    assert codes(say(order(3, **moved, parent_id=2))) == [(3, 10341)]
    assert codes(say(order(3, **moved))) == []
    assert codes(say(order(3, **moved, parent_id=1))) == []
    stop = exchange.working_orders[2]
    assert (stop.terms.aux_price, stop.terms.parent_id) == (Decimal(591), 1)
    assert (stop.why_held, stop.terms.oca_type) == ("child,trigger", 3)


def test_a_change_that_names_a_parent_of_yesterday_cannot_find_it(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """ib_insync #647: error 135 with the parent's id; without the id the change goes through."""
    say(order(1, transmit=False), order(2, **STOP | {"tif": "GTC"}, parent_id=1))
    exchange.advance(at("00:01", 1))
    moved = STOP | {"aux_price": Decimal(591), "tif": "GTC"}
    heard = say(order(2, **moved, parent_id=1), when=at("00:01", 1))
    assert codes(heard) == [(2, 135)]
    assert "id =1" in heard[0].text
    assert [c for _, c in codes(say(order(2, **moved), when=at("00:01", 1)))] == [399]


def test_a_change_that_is_not_transmitted_changes_nothing(
    exchange: Exchange, say: Say, order: MakeOrder, bracket: list[Any]
) -> None:
    say(*bracket)
    assert say(order(2, **PROFIT | {"limit_price": Decimal(700)}, transmit=False)) == []
    assert exchange.working_orders[1].terms.limit_price == Decimal(605)


def test_an_order_without_a_parent_needs_none() -> None:
    assert objection_to_parent(None, OrderTerms()) is None
