"""One cancels all, across clients and contracts (IBKR Campus; TWS API, "One Cancels All")."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms

Place = Callable[..., list[Any]]
OPEN = datetime(2025, 12, 12, 14, 30, tzinfo=UTC)
SYMBOLS = ("SPY", "QQQ")


def rows() -> Iterator[Row]:
    """Half hours around 600, each with a range of 10 to either side, and 1000 shares."""
    for index in range(13):
        numbers = (Decimal(600), Decimal(610), Decimal(590), Decimal(600), Decimal(1000))
        yield Row(OPEN + timedelta(minutes=30 * index), numbers, str(index))


@pytest.fixture
def exchange() -> Exchange:
    """Two shares with the same bars; clients 1 and 2 are connected at the opening."""
    book = BarBook({(symbol, "30 mins"): list(rows()) for symbol in SYMBOLS})
    made = Exchange(book, ExchangeOptions(cash=Decimal(10_000_000)))
    for client_id in (1, 2):
        made.connect(client_id, OPEN)
    return made


@pytest.fixture
def place(exchange: Exchange) -> Place:
    """`place(1, 1, group="g", limit=595)`: an order of 10 in a group; what its client hears."""

    def send(order_id: int, oca_type: int = 1, **changes: Any) -> list[Any]:
        client, symbol = changes.pop("client", 1), changes.pop("symbol", "SPY")
        limit, stop = changes.pop("limit", None), changes.pop("stop", None)
        kind = "STP" if stop else ("LMT" if limit else "MKT")
        other = {"ocaGroup": changes.pop("group", "g"), "ocaType": str(oca_type)}
        prices = {"limit_price": limit and Decimal(limit), "aux_price": stop and Decimal(stop)}
        plain: dict[str, Any] = {
            "quantity": Decimal(10),
            "order_type": kind,
            "tif": "DAY",
            "other": other,
        }
        contract = Contract(symbol=symbol, security_type="STK", exchange="SMART", currency="USD")
        terms = OrderTerms(**(plain | prices | changes))
        heard = exchange.handle(client, q.PlaceOrder(order_id, contract, terms), OPEN)
        return [reply for to, reply in heard if to == client]

    return send


def statuses(replies: list[Any]) -> list[tuple[int, str]]:
    return [(x.order_id, x.status) for x in replies if isinstance(x, r.OrderStatus)]


def codes(replies: list[Any]) -> list[int]:
    return [x.code for x in replies if isinstance(x, r.Notice)]


def left(exchange: Exchange) -> list[tuple[int, int]]:
    return [(order.order_id, int(order.remaining)) for order in exchange.working_orders]


def fill(exchange: Exchange, order_id: int, quantity: int) -> list[Any]:
    """The broker executes a part; what client 1 hears."""
    order = exchange.orders.known(1, order_id)
    assert order is not None
    size = Decimal(quantity)
    told = exchange.acting(OPEN, lambda: exchange.orders.fill(order, size, Decimal(600)))
    return [reply for to, reply in told if to == 1]


@pytest.mark.parametrize("oca_type", [1, 2, 3])
def test_one_filled_cancels_the_others_of_any_client_and_contract(
    exchange: Exchange, place: Place, oca_type: int
) -> None:
    place(1, oca_type, limit=500)
    place(1, oca_type, limit=500, client=2)
    place(2, oca_type, limit=500, symbol="QQQ")
    assert statuses(place(3, oca_type)) == [
        (3, "PreSubmitted"),
        (3, "Filled"),
        (1, "Cancelled"),
        (2, "Cancelled"),
    ]
    assert exchange.working_orders == []


def test_each_that_goes_is_told_with_202(place: Place) -> None:
    place(1, limit=500)
    assert codes(place(2)) == [202]


def test_a_partial_fill_cancels_the_others_with_type_1(exchange: Exchange, place: Place) -> None:
    place(1, limit=500)
    place(2, limit=501)
    assert statuses(fill(exchange, 1, 4))[-1] == (2, "Cancelled")
    assert left(exchange) == [(1, 6)]


@pytest.mark.parametrize("oca_type", [2, 3, 0, 4])
def test_a_partial_fill_reduces_the_others_with_any_other_type(
    exchange: Exchange, place: Place, oca_type: int
) -> None:
    place(1, oca_type, limit=500)
    place(2, oca_type, limit=501, quantity=Decimal(25))
    heard = fill(exchange, 1, 4)
    assert left(exchange) == [(1, 6), (2, 15)]
    reduced = [x for x in heard if isinstance(x, r.OpenOrder) and x.order_id == 2]
    assert reduced[-1].terms.quantity == 15
    assert (statuses(heard)[-1], codes(heard)) == ((2, "Submitted"), [])


def test_what_does_not_divide_is_rounded_down_and_nothing_left_is_the_end(
    exchange: Exchange, place: Place
) -> None:
    place(1, 3, limit=500)
    place(2, 3, limit=501, quantity=Decimal(3))
    fill(exchange, 1, 4)
    assert left(exchange) == [(1, 6), (2, 1)]
    assert statuses(fill(exchange, 1, 3))[-1] == (2, "Cancelled")


def test_a_fill_after_reductions_never_exceeds_one_whole_order(
    exchange: Exchange, place: Place
) -> None:
    for number in (1, 2, 3):
        place(number, 2, limit=500 + number)
    for number, size in ((1, 3), (2, 4), (3, 3)):
        fill(exchange, number, size)
    assert exchange.working_orders == []
    assert exchange.positions == {"SPY": Decimal(10)}


def test_a_cancel_by_the_client_cancels_the_group(exchange: Exchange, place: Place) -> None:
    """Campus: "If an order is canceled by the client ..., all remaining ... be canceled"."""
    place(1, limit=500)
    place(2, limit=501)
    heard = [reply for _, reply in exchange.handle(1, q.CancelOrder(2), OPEN)]
    assert statuses(heard) == [(2, "Cancelled"), (1, "Cancelled")]


@pytest.mark.parametrize("verb", ["end", "reject"])
def test_an_end_by_the_system_leaves_the_others(
    exchange: Exchange, place: Place, verb: str
) -> None:
    """The same page: rejected or canceled by the system, "WILL NOT automatically be canceled"."""
    place(1, limit=500)
    place(2, limit=501)
    order, desk = exchange.working_orders[0], exchange.orders
    reasons = (201, "no") if verb == "reject" else ()
    exchange.acting(OPEN, lambda: getattr(desk, verb)(order, *reasons))
    assert left(exchange) == [(2, 10)]


@pytest.mark.parametrize(("oca_type", "size"), [(1, 10), (1, 4), (3, 10)])
def test_a_group_that_is_filled_takes_nobody_in(
    exchange: Exchange, place: Place, oca_type: int, size: int
) -> None:
    """QuantConnect's live run: 201 OCA group is already filled."""
    place(1, oca_type, limit=500)
    fill(exchange, 1, size)
    assert codes(place(2, oca_type)) == [201]
    assert codes(place(3, oca_type, group="another")) == []


def test_a_group_only_filled_in_part_takes_somebody_in(exchange: Exchange, place: Place) -> None:
    place(1, 3, limit=500)
    fill(exchange, 1, 4)
    assert codes(place(2, 3, limit=501)) == []


@pytest.mark.parametrize("stop_first", [True, False])
def test_in_one_bar_the_stop_comes_before_the_limit(
    exchange: Exchange, place: Place, stop_first: bool
) -> None:
    """Both are in the range of every bar; the worse one trades, and only that one."""
    place(1, group="")
    prices = [{"stop": 592}, {"limit": 608}]
    for number, price in enumerate(prices if stop_first else prices[::-1], 2):
        place(number, 3, action="SELL", **price)
    exchange.advance(OPEN + timedelta(minutes=30))
    done = {order.terms.order_type: order.status for order in exchange.orders.done}
    assert done == {"MKT": "Filled", "STP": "Filled", "LMT": "Cancelled"}
    assert exchange.positions == {}


def test_orders_outside_of_groups_meet_a_bar_as_they_came(exchange: Exchange, place: Place) -> None:
    """The bar has 100 shares for all: the first limit gets them."""
    place(1, group="", limit=595, quantity=Decimal(90))
    place(2, group="", limit=595, quantity=Decimal(90))
    exchange.advance(OPEN + timedelta(minutes=30))
    assert left(exchange) == [(2, 80)]


@pytest.mark.parametrize(
    ("group", "oca_type", "code"),
    [("g", 1, None), ("", 1, None), ("h", 1, 10326), ("g", 2, 10327), ("", 0, 10327)],
)
def test_a_change_does_not_change_the_group(
    exchange: Exchange, place: Place, group: str, oca_type: int, code: int | None
) -> None:
    """nautilus_trader #2978 and others: 10326, 10327; the order stays as it was."""
    place(1, limit=500)
    heard = place(1, oca_type, limit=501, group=group)
    assert codes(heard) == ([code] if code else [])
    [order] = exchange.working_orders
    assert order.terms.limit_price == (500 if code else 501)
    assert (order.terms.oca_group, order.terms.oca_type) == ("g", 1)


def test_an_order_cannot_be_put_into_a_group_later(exchange: Exchange, place: Place) -> None:
    place(1, 3, limit=500, group="")
    assert codes(place(1, 3, limit=501, group="g")) == [10326]


def test_exits_of_one_group_need_the_shares_only_once() -> None:
    """Two orders that each sell all there is would be short together, but only one trades."""
    book = BarBook({("SPY", "30 mins"): list(rows())})
    exchange = Exchange(book, ExchangeOptions(short_sales_held=True))
    exchange.connect(1, OPEN)
    spy = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
    exchange.handle(1, q.PlaceOrder(1, spy, OrderTerms(quantity=Decimal(10), tif="DAY")), OPEN)
    reserved = []
    for number, limit in ((2, 700), (3, 701)):
        terms = OrderTerms("SELL", Decimal(10), "LMT", Decimal(limit), tif="DAY")
        grouped = replace(terms, other={"ocaGroup": "g"})
        exchange.handle(1, q.PlaceOrder(number, spy, grouped), OPEN)
        reserved.append(exchange.working_orders[-1].margin_reserved)
    assert reserved == [0, 0]
