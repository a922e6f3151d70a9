"""How new orders come in: what is judged when, and in which order they go on record."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import Contract

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]
LOW: dict[str, Any] = {"order_type": "LMT", "limit_price": Decimal(600)}
STOP: dict[str, Any] = {"action": "SELL", "order_type": "STP", "aux_price": Decimal(590)}


def codes(replies: list[Any]) -> list[tuple[int, int]]:
    return [(x.id, x.code) for x in replies if isinstance(x, r.Notice)]


def test_the_permanent_ids_of_a_family_count_up_as_it_came(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    say(order(1, **LOW, transmit=False), order(2, **STOP, parent_id=1))
    first, second = exchange.working_orders
    assert second.perm_id == first.perm_id + 1


def test_what_waited_is_asked_again_when_it_goes_out(say: Say, order: MakeOrder, at: At) -> None:
    """A good-till-date that passed while the order was held back."""
    until = {"tif": "GTD", "other": {"goodTillDate": "20251212 10:30:00 US/Eastern"}}
    assert say(order(1, **LOW | until, transmit=False)) == []
    assert codes(say(order(2, **STOP, parent_id=1), when=at("11:00"))) == [(1, 201), (2, 201)]


def test_a_bracket_needs_the_margin_of_its_entry_only(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    """Exits close what the entry opens, and only one of them trades."""
    entry = order(1, **LOW, transmit=False)
    profit = order(2, **LOW | {"action": "SELL"}, parent_id=1, transmit=False)
    say(entry, profit, order(3, **STOP, parent_id=1))
    reserved = [item.margin_reserved for item in exchange.working_orders]
    assert reserved[0] > 0
    assert reserved[1:] == [0, 0]


def test_exits_need_no_shares_to_borrow(book: BarBook, order: MakeOrder, at: At) -> None:
    """Nothing is held yet, so the exit alone would be a short sale that must be located."""
    options = ExchangeOptions(short_sales_held=True)
    exchange = Exchange(book, options)
    exchange.connect(1, at("10:00"))
    heard: list[Any] = []
    for request in (order(1, **LOW, transmit=False), order(2, **STOP, parent_id=1)):
        heard += [reply for _, reply in exchange.handle(1, request, at("10:00"))]
    assert codes(heard) == []
    assert [item.why_held for item in exchange.working_orders] == ["", "child,trigger"]


def test_a_what_if_of_a_child_is_about_what_its_parent_leaves(say: Say, order: MakeOrder) -> None:
    """An exit frees the margin that its entry binds."""
    say(order(1, **LOW, transmit=False))
    [answer] = say(order(2, **STOP, parent_id=1, what_if=True))
    before, after = answer.state.before, answer.state.after
    assert answer.terms.parent_id == 1
    assert after.initial < before.initial
    [alone] = say(order(2, quantity=Decimal(60), order_type="MKT", what_if=True))
    assert before.initial < alone.state.after.initial


def test_an_id_of_an_order_held_back_is_no_duplicate(say: Say, order: MakeOrder) -> None:
    assert say(order(1, **LOW, transmit=False)) == []
    assert codes(say(order(1, **LOW))) == []
    assert codes(say(order(1, **LOW | {"action": "SELL"}))) == [(1, 105)]


def test_an_order_held_back_stays_in_its_contract(say: Say, order: MakeOrder) -> None:
    say(order(1, **LOW, transmit=False))
    future = Contract(local_symbol="ESZ5", security_type="FUT", exchange="CME")
    assert codes(say(replace(order(1, **LOW), contract=future))) == [(1, 105)]
