"""What the fill, the cancel, the end of one order means for those tied to it (see lifecycle)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.exchange import Exchange
from gateway.simulator.market.bars import BarBook
from gateway.simulator.market.contracts import LISTINGS, ContractTable

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]
LMT: dict[str, Any] = {"order_type": "LMT", "limit_price": Decimal(600)}
PROFIT: dict[str, Any] = {"action": "SELL", "order_type": "LMT", "limit_price": Decimal(605)}
STOP: dict[str, Any] = {"action": "SELL", "order_type": "STP", "aux_price": Decimal(590)}


def statuses(replies: list[Any]) -> list[tuple[int, str]]:
    return [(x.order_id, x.status) for x in replies if isinstance(x, r.OrderStatus)]


def codes(replies: list[Any]) -> list[tuple[int, int]]:
    return [(x.id, x.code) for x in replies if isinstance(x, r.Notice)]


def fills(replies: list[Any]) -> list[tuple[int, Decimal, Decimal]]:
    return [
        (x.order_id, x.execution.quantity, x.execution.price)
        for x in replies
        if isinstance(x, r.ExecutionDetails)
    ]


@pytest.fixture
def bracket(order: MakeOrder) -> Callable[..., list[q.PlaceOrder]]:
    """A bracket whose parts can be changed: `bracket(stop={"aux_price": ...})`."""

    def make(
        entry: dict[str, Any] | None = None,
        profit: dict[str, Any] | None = None,
        stop: dict[str, Any] | None = None,
    ) -> list[q.PlaceOrder]:
        return [
            order(1, **LMT | {"transmit": False} | (entry or {})),
            order(2, **PROFIT | {"parent_id": 1, "transmit": False} | (profit or {})),
            order(3, **STOP | {"parent_id": 1} | (stop or {})),
        ]

    return make


@pytest.fixture
def heard(exchange: Exchange, at: At) -> Callable[[str], list[Any]]:
    """What client 1 hears until a time."""
    return lambda when: [x for client, x in exchange.advance(at(when)) if client == 1]


def test_the_exits_work_once_the_entry_is_filled(
    say: Say, bracket: Callable[..., Any], heard: Callable[[str], list[Any]]
) -> None:
    """They see no bar that ended with the entry's fill: its high of 603 does not sell them."""
    say(*bracket(profit={"limit_price": Decimal("602.50")}))
    later = heard("10:30")
    assert fills(later) == [(1, Decimal(10), Decimal(600))]
    assert statuses(later) == [
        (1, "Filled"),
        (2, "PreSubmitted"),
        (2, "Submitted"),
        (3, "PreSubmitted"),
    ]


def test_a_market_entry_is_told_with_its_exits_before_it_trades(
    say: Say, bracket: Callable[..., Any]
) -> None:
    replies = say(*bracket(entry={"order_type": "MKT", "limit_price": None}))
    assert [x.order_id for x in replies[:6]] == [1, 1, 2, 2, 3, 3]
    assert statuses(replies)[3] == (1, "Filled")
    assert fills(replies) == [(1, Decimal(10), Decimal("601.01"))]


def test_an_entry_filled_in_part_lets_no_exit_work(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    """IB: "Once the parent order is completely filled, its children will ... become active"."""
    say(*bracket())
    entry = exchange.working_orders[0]
    exchange.acting(at("10:00"), lambda: exchange.orders.fill(entry, Decimal(4), Decimal(600)))
    assert [o.why_held for o in exchange.working_orders] == ["", "child", "child,trigger"]
    exchange.acting(at("10:00"), lambda: exchange.orders.fill(entry, Decimal(6), Decimal(600)))
    assert [o.why_held for o in exchange.working_orders] == ["", "trigger"]


def test_one_exit_filled_cancels_the_other(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], heard: Callable[[str], list[Any]]
) -> None:
    say(*bracket())
    heard("11:30")
    later = heard("12:00")
    assert fills(later) == [(2, Decimal(10), Decimal(605))]
    assert statuses(later) == [(2, "Filled"), (3, "Cancelled")]
    assert codes(later) == [(3, 202)]
    assert exchange.positions == {"SPY": Decimal(50)}


def test_an_exit_filled_in_part_reduces_the_other(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    say(*bracket(entry={"order_type": "MKT", "limit_price": None}))
    profit, stop = exchange.working_orders
    exchange.acting(at("10:00"), lambda: exchange.orders.fill(profit, Decimal(4), Decimal(605)))
    assert (stop.terms.quantity, stop.remaining) == (Decimal(6), Decimal(6))
    exchange.acting(at("10:00"), lambda: exchange.orders.fill(stop, Decimal(6), Decimal(590)))
    assert exchange.working_orders == []
    assert (profit.filled, profit.status) == (Decimal(4), "Cancelled")


@pytest.mark.parametrize("filled_first", [0, 4])
def test_an_entry_that_ends_takes_its_exits_along(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At, filled_first: int
) -> None:
    say(*bracket())
    if filled_first:
        verb = exchange.orders.fill
        entry = exchange.working_orders[0]
        exchange.acting(at("10:00"), lambda: verb(entry, Decimal(filled_first), Decimal(600)))
    replies = say(q.CancelOrder(1))
    assert statuses(replies) == [(1, "Cancelled"), (2, "Cancelled"), (3, "Cancelled")]
    assert codes(replies) == [(1, 202), (2, 202), (3, 202)]


def test_an_entry_refused_by_the_exchange_takes_its_exits_along(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    say(*bracket())
    entry = exchange.working_orders[0]
    replies = exchange.acting(at("10:00"), lambda: exchange.orders.reject(entry, 201, "no"))
    told = [reply for client, reply in replies if client == 1]
    assert statuses(told) == [(1, "Inactive"), (2, "Cancelled"), (3, "Cancelled")]


@pytest.mark.parametrize("cancelled", [2, 3])
def test_an_exit_cancelled_by_its_client_takes_the_other_along(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], cancelled: int
) -> None:
    """IBKR Campus, One-Cancels-All; the entry stays."""
    say(*bracket())
    replies = say(q.CancelOrder(cancelled))
    assert statuses(replies) == [(cancelled, "Cancelled"), (5 - cancelled, "Cancelled")]
    assert [order.order_id for order in exchange.working_orders] == [1]


def test_an_exit_that_expires_leaves_the_other_alone(
    exchange: Exchange,
    say: Say,
    bracket: Callable[..., Any],
    heard: Callable[[str], list[Any]],
) -> None:
    """The same page: an order cancelled by the system leaves the rest of the group."""
    far = {"limit_price": Decimal(900)}
    say(*bracket(entry={"tif": "GTC"}, profit=far, stop={"tif": "GTC"}))
    assert statuses(heard("16:00"))[-1] == (2, "Cancelled")
    assert [order.order_id for order in exchange.working_orders] == [3]


def test_an_entry_for_the_day_takes_exits_for_good_along(
    say: Say, bracket: Callable[..., Any], heard: Callable[[str], list[Any]]
) -> None:
    say(*bracket({"limit_price": Decimal(500)}, {"tif": "GTC"}, {"tif": "GTC"}))
    assert statuses(heard("16:00")) == [(1, "Cancelled"), (2, "Cancelled"), (3, "Cancelled")]


def test_exits_for_good_work_on_after_midnight(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """Their parent is forgotten then, and completed orders name it by its permanent id."""
    say(order(1, transmit=False), order(2, **STOP | {"tif": "GTC"}, parent_id=1))
    parent = exchange.orders.known(1, 1)
    assert parent is not None
    exchange.advance(at("00:01", 1))
    [stop] = exchange.working_orders
    assert stop.why_held == "trigger"
    replies = say(q.CancelOrder(2), q.CompletedOrdersRequest(False), when=at("00:02", 1))
    [done] = [reply for reply in replies if isinstance(reply, r.CompletedOrder)]
    assert (done.status, done.parent_perm_id) == ("Cancelled", parent.perm_id)


def test_people_at_the_broker_release_no_exit_before_its_time(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    say(*bracket())
    exchange.acting(at("10:00"), exchange.orders.release)
    assert [o.why_held for o in exchange.working_orders] == ["", "child", "child,trigger"]


def test_an_exit_that_somebody_holds_works_when_it_is_released(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    say(*bracket())
    exchange.acting(at("10:00"), lambda: exchange.orders.hold(exchange.working_orders[1]))
    exchange.advance(at("10:30"))
    assert [order.why_held for order in exchange.working_orders] == ["locate", "trigger"]
    exchange.acting(at("10:30"), exchange.orders.release)
    assert [order.status for order in exchange.working_orders] == ["Submitted", "PreSubmitted"]


def test_an_entry_that_vanishes_takes_what_waits_along(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    say(*bracket())
    assert (
        exchange.acting(at("10:00"), lambda: exchange.orders.vanish(exchange.working_orders[0]))
        == []
    )
    assert exchange.working_orders == []


def test_an_exit_that_vanished_never_works(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    say(*bracket())
    exchange.acting(at("10:00"), lambda: exchange.orders.vanish(exchange.working_orders[1]))
    exchange.advance(at("16:00"))
    assert exchange.positions == {"SPY": Decimal(60)}


def test_a_grandchild_waits_for_its_own_parent(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    say(
        order(1, **LMT, transmit=False),
        order(2, **PROFIT, parent_id=1, transmit=False),
        order(3, **LMT | {"limit_price": Decimal(604)}, parent_id=2),
    )
    exchange.advance(at("10:30"))
    assert [order.why_held for order in exchange.working_orders] == ["", "child"]
    exchange.advance(at("12:00"))
    assert [(o.order_id, o.why_held) for o in exchange.working_orders] == [(3, "")]


def test_a_split_ends_families_once(
    exchange: Exchange, say: Say, bracket: Callable[..., Any], at: At
) -> None:
    say(*bracket())
    told = [x for client, x in exchange.split("SPY", Decimal(2), at("10:00")) if client == 1]
    assert statuses(told) == [(1, "Cancelled"), (2, "Cancelled"), (3, "Cancelled")]


def test_a_global_cancel_ends_families_once(say: Say, bracket: Callable[..., Any]) -> None:
    say(*bracket())
    assert len(statuses(say(q.GlobalCancel()))) == 3


def test_a_cancel_that_waits_for_the_open_takes_the_group_along_there(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    exchange = Exchange(book, ExchangeOptions(cancels_wait_for_open=True))
    exchange.connect(1, at("08:00"))
    for number in (1, 2):
        low = order(number, **LMT | {"limit_price": Decimal(500)}, other={"ocaGroup": "g"})
        exchange.handle(1, low, at("08:00"))
    exchange.handle(1, q.CancelOrder(1), at("08:00"))
    assert [o.status for o in exchange.working_orders] == ["PendingCancel", "PreSubmitted"]
    exchange.advance(at("09:30"))
    assert exchange.working_orders == []


def test_an_exit_that_wakes_after_the_auctions_cut_off_is_in_no_auction(
    say: Say, order: MakeOrder, at: At, heard: Callable[[str], list[Any]]
) -> None:
    """The last bar fills the entry, nobody knows when: the exit could not have joined in time."""
    entry = order(1, order_type="LMT", limit_price=Decimal("610.50"))
    at_close = order(2, action="SELL", order_type="MOC", parent_id=1)
    say(entry, at_close, when=at("15:30"))
    later = heard("16:00")
    assert fills(later) == [(1, Decimal(10), Decimal("610.50"))]
    assert statuses(later) == [(1, "Filled"), (2, "PreSubmitted"), (2, "Cancelled")]
    assert codes(later) == [(2, 202)]


def test_an_exit_that_wakes_before_the_cut_off_is_in_the_auction(
    say: Say, order: MakeOrder, at: At, heard: Callable[[str], list[Any]]
) -> None:
    say(order(1, order_type="LMT", limit_price=Decimal(610)), when=at("15:00"))
    say(order(2, action="SELL", order_type="MOC", parent_id=1), when=at("15:00"))
    assert [order_id for order_id, _, _ in fills(heard("16:00"))] == [1, 2]


@pytest.mark.parametrize("ends", [False, True])
def test_a_line_of_orders_attached_to_one_another_may_be_long(
    book: BarBook, order: MakeOrder, at: At, *, ends: bool
) -> None:
    """Each trades at once and wakes the next, or each takes the next along."""
    options = ExchangeOptions(fill_model="touch", orders_per_side_max=1000)
    exchange = Exchange(book, options)
    exchange.connect(1, at("08:00"))
    for number in range(1, 601):
        attached = order(number, quantity=Decimal(1), parent_id=number - 1)
        exchange.handle(1, attached, at("08:00"))
    if ends:
        exchange.handle(1, q.CancelOrder(1), at("08:00"))
    exchange.advance(at("09:30"))
    assert exchange.working_orders == []
    assert exchange.positions == ({} if ends else {"SPY": 600})
    assert exchange.orders.record.margin_reserved == 0


def test_the_group_of_an_entry_hears_of_its_fill_before_its_exits(
    say: Say, order: MakeOrder
) -> None:
    """A group hears of a trade before anything else happens (oca)."""
    group = {"other": {"ocaGroup": "g"}}
    heard = say(
        order(1, **LMT | {"limit_price": Decimal(590)}, **group),
        order(2, transmit=False, **group),
        order(3, action="SELL", parent_id=2),
    )
    told = statuses(heard)
    assert told.index((1, "Cancelled")) < told.index((3, "Filled"))
    assert [order_id for order_id, _, _ in fills(heard)] == [2, 3]


def test_an_exit_that_sells_more_than_can_be_borrowed_is_held_when_its_time_comes(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """10 are bought and 20 sold: as any other short sale it waits, with 404, to be released."""
    spy = replace(LISTINGS[0], shortable_shares=Decimal(0))
    options = ExchangeOptions(short_sales_held=True)
    exchange = Exchange(book, options, ContractTable([spy]))
    exchange.connect(1, at("10:00"))
    exchange.handle(1, order(1, transmit=False), at("10:00"))
    sale = order(2, action="SELL", quantity=Decimal(20), parent_id=1)
    heard = [reply for _, reply in exchange.handle(1, sale, at("10:00"))]
    assert codes(heard) == [(2, 404)]
    assert [(o.order_id, o.why_held) for o in exchange.working_orders] == [(2, "locate")]
    assert exchange.positions == {"SPY": 10}
    exchange.acting(at("10:00"), exchange.orders.release)
    assert exchange.positions == {"SPY": -10}
