"""What the account does not allow: margin, short sales, too many orders (design/ib.md 4)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions, InitialHolding
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import LISTINGS, ContractTable

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]
LOW = {"order_type": "LMT", "limit_price": Decimal(500)}
HIGH = {"order_type": "LMT", "limit_price": Decimal(700), "action": "SELL"}


def codes(replies: list[Any]) -> list[int]:
    return [reply.code for reply in replies if isinstance(reply, r.Notice)]


def statuses(replies: list[Any]) -> list[tuple[str, str]]:
    return [(x.status, x.why_held) for x in replies if isinstance(x, r.OrderStatus)]


@pytest.fixture
def lender(book: BarBook, at: At) -> Callable[..., Exchange]:
    """An exchange where only so many SPY can be borrowed; the account holds 50."""

    def make(shares: int, **options: Any) -> Exchange:
        spy = replace(LISTINGS[0], shortable_shares=Decimal(shares))
        holding = InitialHolding("SPY", Decimal(50), Decimal(590))
        made = Exchange(book, ExchangeOptions(holdings=(holding,), **options), ContractTable([spy]))
        made.connect(1, at("10:00"))
        return made

    return make


@pytest.fixture
def ask(at: At) -> Callable[..., list[Any]]:
    def send(exchange: Exchange, *requests: Any) -> list[Any]:
        heard = [exchange.handle(1, request, at("10:00")) for request in requests]
        return [reply for deliveries in heard for _, reply in deliveries]

    return send


def test_an_order_beyond_the_margin_is_refused(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    """Equity is 100,000 and 50 x 601, less the spread and the commission of 1,000 shares."""
    heard = say(order(1, quantity=Decimal(1000)))
    assert codes(heard) == [201]
    assert "EQUITY WITH LOAN VALUE [130035.00 USD] MUST EXCEED THE INITIAL" in heard[0].text
    assert exchange.working_orders == []


def test_an_order_that_frees_margin_is_accepted(say: Say, order: MakeOrder) -> None:
    assert codes(say(order(1, action="SELL", quantity=Decimal(50)))) == []


def test_two_orders_that_close_a_position_each_are_one_that_opens(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """50 are held: to sell them twice is to sell 50 short, for which nothing is there."""
    holding = InitialHolding("SPY", Decimal(50), Decimal(590))
    poor = Exchange(book, ExchangeOptions(cash=Decimal(-20_000), holdings=(holding,)))
    poor.connect(1, at("10:00"))
    high = {"action": "SELL", "order_type": "LMT", "limit_price": Decimal(650)}
    told = [
        codes([reply for _, reply in poor.handle(1, request, at("10:00"))])
        for request in (order(i, quantity=Decimal(50), **high) for i in (1, 2))
    ]
    assert told == [[], [201]]


def test_working_orders_bind_margin_until_they_end(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    """300 at 500 need 75,000 beside the 15,025 of the position; twice that is too much."""
    first, second = (order(i, quantity=Decimal(300), **LOW) for i in (1, 2))
    assert codes(say(first, second)) == [201]
    assert exchange.orders.record.margin_reserved > 0
    assert codes(say(q.CancelOrder(1), order(3, quantity=Decimal(300), **LOW))) == [202]
    assert codes(say(q.CancelOrder(3))) == [202]
    assert exchange.orders.record.margin_reserved == 0


def test_a_change_must_fit_the_margin_as_well(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    assert codes(say(order(1, **LOW), order(1, quantity=Decimal(5000), **LOW))) == [201]
    assert exchange.working_orders[0].terms.quantity == 10


def test_a_side_of_a_contract_has_twenty_working_orders_at_most(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    """ib.md 4: 201, per contract and side; the other side and changes still go."""
    full = [order(i, quantity=Decimal(1), **LOW) for i in range(1, 22)]
    heard = say(*full)
    assert codes(heard) == [201]
    assert "minimum of 20 orders working on either the buy or sell side" in heard[-1].text
    assert codes(say(order(30, **HIGH), order(20, quantity=Decimal(2), **LOW))) == []
    assert codes(say(q.CancelOrder(1), order(31, quantity=Decimal(1), **LOW))) == [202]


def test_shares_that_nobody_lends_cannot_be_sold_short(
    lender: Callable[..., Exchange], ask: Callable[..., list[Any]], order: MakeOrder
) -> None:
    """ib.md 4: 201; what the account has it can sell."""
    exchange = lender(0)
    heard = ask(exchange, order(1, action="SELL", quantity=Decimal(51)))
    assert codes(heard) == [201]
    assert "The contract is not available for short sale" in heard[0].text
    assert codes(ask(exchange, order(2, action="SELL", quantity=Decimal(50)))) == []


def test_short_positions_and_working_sales_use_up_what_is_lent(
    lender: Callable[..., Exchange], ask: Callable[..., list[Any]], order: MakeOrder
) -> None:
    exchange = lender(30)
    assert codes(ask(exchange, order(1, quantity=Decimal(70), action="SELL"))) == []
    assert codes(ask(exchange, order(2, quantity=Decimal(11), **HIGH))) == [201]
    assert codes(ask(exchange, order(3, quantity=Decimal(6), **HIGH))) == []
    assert codes(ask(exchange, order(4, quantity=Decimal(5), **HIGH))) == [201]
    assert codes(ask(exchange, q.CancelOrder(3), order(5, quantity=Decimal(10), **HIGH))) == [202]


def test_short_sales_can_be_held_for_a_locate_and_released_in_a_batch(
    lender: Callable[..., Exchange], ask: Callable[..., list[Any]], order: MakeOrder, at: At
) -> None:
    """ib.md 4: 404 and whyHeld "locate"; nobody sees them trade until the release."""
    exchange = lender(0, short_sales_held=True)
    heard = ask(exchange, *(order(i, action="SELL", quantity=Decimal(60)) for i in (1, 2)))
    assert codes(heard) == [404, 404]
    assert statuses(heard) == [("PreSubmitted", "locate")] * 2
    assert not exchange.advance(at("10:30"))
    released = [x for _, x in exchange.acting(at("10:30"), exchange.orders.release)]
    assert sum(isinstance(reply, r.ExecutionDetails) for reply in released) == 2
    assert exchange.positions == {"SPY": 50 - 60 - 40}


def test_a_change_beyond_what_is_lent_is_held_too(
    lender: Callable[..., Exchange], ask: Callable[..., list[Any]], order: MakeOrder
) -> None:
    exchange = lender(0, short_sales_held=True)
    ask(exchange, order(1, quantity=Decimal(50), **HIGH))
    heard = ask(exchange, order(1, quantity=Decimal(51), **HIGH))
    assert (codes(heard), statuses(heard)) == ([404], [("PreSubmitted", "locate")])


def test_a_childs_child_counts_on_all_that_trades_before_it(
    lender: Callable[..., Exchange], ask: Callable[..., list[Any]], order: MakeOrder
) -> None:
    """50 are held, 10 and 10 bought before it sells: 70 it may sell where none can be borrowed."""
    exchange = lender(0)
    low = {"order_type": "LMT", "limit_price": Decimal(500)}
    ask(exchange, order(1, **low), order(2, parent_id=1, **low))
    sale = {"action": "SELL", "parent_id": 2}
    assert codes(ask(exchange, order(3, quantity=Decimal(71), **sale))) == [201]
    assert codes(ask(exchange, order(4, quantity=Decimal(70), **sale))) == []
    assert exchange.orders.working[-1].margin_reserved == 0
