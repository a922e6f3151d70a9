"""The life of orders at the broker (design/ib.md 1.8, 4)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.bars import BarBook
from gateway.simulator.broker import ExchangeOptions
from gateway.simulator.contracts import Contract
from gateway.simulator.exchange import Exchange

Say = Callable[..., list[Any]]
At = Callable[..., datetime]
MakeOrder = Callable[..., q.PlaceOrder]


def codes(replies: list[Any]) -> list[int]:
    return [reply.code for reply in replies if isinstance(reply, r.Notice)]


def statuses(replies: list[Any]) -> list[str]:
    return [reply.status for reply in replies if isinstance(reply, r.OrderStatus)]


def executions(replies: list[Any]) -> list[r.ExecutionDetails]:
    return [reply for reply in replies if isinstance(reply, r.ExecutionDetails)]


def test_a_market_order_lives_as_recorded_from_ib(say: Say, order: MakeOrder) -> None:
    """ib.md 1.8: the execution comes before the status Filled, the commission last."""
    heard = say(order(1))
    assert [type(reply).__name__ for reply in heard] == [
        "OpenOrder",
        "OrderStatus",
        "ExecutionDetails",
        "OpenOrder",
        "OrderStatus",
        "OpenOrder",
        "CommissionReport",
    ]
    assert statuses(heard) == ["PreSubmitted", "Filled"]
    assert [heard[3].state.commission, heard[5].state.commission] == [None, Decimal(1)]


@pytest.mark.parametrize(("action", "price"), [("BUY", "601.01"), ("SELL", "600.99")])
def test_a_market_order_pays_half_the_spread(
    say: Say, order: MakeOrder, action: str, price: str
) -> None:
    """On the boundary of 10:00 the price is the open of the bar that begins there."""
    details = executions(say(order(1, action=action)))[0]
    assert details.execution.price == Decimal(price)
    assert details.execution.side == ("BOT" if action == "BUY" else "SLD")
    assert details.execution.exchange == details.contract.exchange == "ARCA"
    assert details.request_id == -1


def test_the_reference_is_echoed_everywhere(say: Say, order: MakeOrder) -> None:
    """ib.md 4: orderRef is the only key of the client's that survives."""
    heard = say(order(1), q.CompletedOrdersRequest(False))
    opened = [x.terms.order_ref for x in heard if isinstance(x, r.OpenOrder | r.CompletedOrder)]
    assert {*opened, executions(heard)[0].order_ref} == {"ref-1"}


def test_an_order_without_tif_is_a_day_order(say: Say, order: MakeOrder) -> None:
    assert say(order(1, tif=""))[0].terms.tif == "DAY"


def test_an_adaptive_order_trades_as_its_type(say: Say, order: MakeOrder) -> None:
    urgency = (("adaptivePriority", "Normal"),)
    heard = say(order(1, algo_strategy="Adaptive", algo_parameters=urgency))
    assert statuses(heard)[-1] == "Filled"
    assert heard[0].terms.algo_parameters == urgency


def test_a_limit_order_rests_and_trades_in_a_later_bar(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """Placed on the boundary of 10:00, so the whole bar until 10:30 lies in its future."""
    rest = say(order(1, order_type="LMT", limit_price=Decimal("600.50")))
    assert statuses(rest) == ["PreSubmitted", "Submitted"]
    early = exchange.advance(at("10:29"))
    late = [reply for client, reply in exchange.advance(at("10:30")) if client == 1]
    assert not [x for _, x in early if isinstance(x, r.ExecutionDetails)]
    assert executions(late)[0].execution.price == Decimal("600.50")


def test_a_limit_order_ignores_the_range_of_a_bar_it_came_into(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    say(order(1, order_type="LMT", limit_price=Decimal("599.50")), when=at("10:01"))
    assert [x for _, x in exchange.advance(at("10:30")) if isinstance(x, r.ExecutionDetails)] == []


def test_a_limit_order_that_the_open_passes_trades_at_the_better_price(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    exchange = exchange_at(book, at("08:00"))
    low = order(1, action="SELL", order_type="LMT", limit_price=Decimal(595))
    exchange.handle(1, low, at("08:00"))
    heard = [reply for _, reply in exchange.advance(at("11:30"))]
    assert executions(heard)[0].execution.price == Decimal("599.99")
    assert executions(heard)[0].execution.time == at("09:30")


def test_a_marketable_limit_order_trades_at_once(say: Say, order: MakeOrder) -> None:
    heard = say(order(1, order_type="LMT", limit_price=Decimal(700)))
    assert executions(heard)[0].execution.price == Decimal("601.01")


def test_a_cancelled_order_says_so_and_then_202(say: Say, order: MakeOrder) -> None:
    say(order(1, order_type="LMT", limit_price=Decimal(500)))
    heard = say(q.CancelOrder(1))
    assert [type(reply) for reply in heard] == [r.OrderStatus, r.Notice]
    assert (statuses(heard), codes(heard)) == (["Cancelled"], [202])


def test_cancels_that_come_too_late_or_for_nothing_are_errors(say: Say, order: MakeOrder) -> None:
    """ib.md 4: 10147 unknown, 10148 already terminal."""
    assert codes(say(order(1), q.CancelOrder(1), q.CancelOrder(2))) == [10148, 10147]


def test_another_clients_order_cannot_be_cancelled(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    say(order(1, order_type="LMT", limit_price=Decimal(500)))
    exchange.connect(2, at("10:00"))
    heard = exchange.handle(2, q.CancelOrder(1), at("10:00"))
    assert codes([reply for _, reply in heard]) == [10147]
    assert len(exchange.working_orders) == 1


def test_a_global_cancel_ends_every_working_order(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    resting = [order(i, order_type="LMT", limit_price=Decimal(500)) for i in (1, 2)]
    assert codes(say(*resting, q.GlobalCancel())) == [202, 202]
    assert exchange.working_orders == []


def test_a_known_id_changes_the_order(exchange: Exchange, say: Say, order: MakeOrder) -> None:
    """ib.md 4: a blind resend changes an order instead of duplicating it."""
    first = order(1, order_type="LMT", limit_price=Decimal(500))
    heard = say(first, order(1, order_type="LMT", limit_price=Decimal(501)))
    assert heard[-2].terms.limit_price == 501
    assert len(exchange.working_orders) == 1
    assert statuses(say(order(1, order_type="MKT")))[-1] == "Filled"


@pytest.mark.parametrize(
    ("changes", "code"), [({"action": "SELL"}, 105), ({"limit_price": Decimal("1.001")}, 110)]
)
def test_a_change_that_does_not_fit_is_refused(
    exchange: Exchange, say: Say, order: MakeOrder, changes: dict[str, Any], code: int
) -> None:
    terms = {"order_type": "LMT", "limit_price": Decimal(500)}
    assert codes(say(order(1, **terms), order(1, **(terms | changes)))) == [code]
    assert exchange.working_orders[0].terms.limit_price == 500


def test_ids_of_ended_orders_and_lower_ids_are_refused(say: Say, order: MakeOrder) -> None:
    """ib.md 4: 104 for a filled order, 103 for an id that is not above the earlier ones."""
    assert codes(say(order(5), order(5), order(4))) == [104, 103]
    resting = order(6, order_type="LMT", limit_price=Decimal(500))
    assert codes(say(resting, q.CancelOrder(6), resting)) == [202, 103]


def test_order_ids_belong_to_their_client(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    say(order(5))
    exchange.connect(2, at("10:00"))
    heard = [reply for _, reply in exchange.handle(2, order(1), at("10:00"))]
    assert statuses(heard)[-1] == "Filled"
    assert say(q.NextIdRequest(1)) == [r.NextValidId(6)]


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"quantity": Decimal("1.5")}, 10243),
    ({"quantity": Decimal(0)}, 434),
    ({"quantity": Decimal(-5)}, 321),
    ({"quantity": Decimal(10**9)}, 321),
    ({"action": "HOLD"}, 321),
    ({"account": "U12345"}, 321),
    ({"order_type": "STP"}, 201),
    ({"tif": "IOC"}, 201),
    ({"algo_strategy": "Vwap"}, 201),
    ({"transmit": False}, 201),
    ({"parent_id": 3}, 201),
    ({"other": {"ocaGroup": "g"}}, 201),
    ({"order_type": "LMT"}, 321),
    ({"order_type": "LMT", "limit_price": Decimal(10**18)}, 321),
    ({"order_type": "LMT", "limit_price": Decimal("600.005")}, 110),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED, ids=lambda item: str(item))
def test_an_order_that_cannot_be_is_refused(
    exchange: Exchange, say: Say, order: MakeOrder, changes: dict[str, Any], code: int
) -> None:
    assert codes(say(order(1, **changes))) == [code]
    assert exchange.working_orders == []


def test_an_order_for_an_unknown_contract_is_refused(say: Say, order: MakeOrder) -> None:
    assert codes(say(replace(order(1), contract=Contract(con_id=4711)))) == [200]


def test_an_order_beyond_the_margin_is_refused(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    heard = say(order(1, quantity=Decimal(1000)))
    assert codes(heard) == [201]
    assert "EQUITY WITH LOAN VALUE [130035.00 USD]" in heard[0].text
    assert codes(say(order(2, action="SELL", quantity=Decimal(50)))) == []


def test_a_what_if_answers_with_margin_and_places_nothing(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    """Half of 50 x 601 before; half of 60 x 601 after; equity pays spread and commission."""
    (answer,) = say(order(8, what_if=True))
    state = answer.state
    assert answer.terms.what_if
    assert (state.before.initial, state.after.initial) == (Decimal("15025.00"), Decimal("18030.00"))
    assert state.change.equity_with_loan == Decimal("-1.10")
    assert (state.commission, exchange.positions) == (Decimal(1), {"SPY": Decimal(50)})
    assert statuses(say(order(8)))[-1] == "Filled"


def test_an_order_outside_the_session_waits_for_the_open(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """ib.md 4: 399 and PreSubmitted until 09:30."""
    exchange = exchange_at(exchange.book, at("08:00"))
    heard = [reply for _, reply in exchange.handle(1, order(1), at("08:00"))]
    assert (statuses(heard), codes(heard)) == (["PreSubmitted"], [399])
    assert isinstance(heard[-1], r.Notice)
    assert "2025-12-12 09:30:00" in heard[-1].text
    opened = [reply for _, reply in exchange.advance(at("09:30"))]
    assert executions(opened)[0].execution.price == Decimal("600.01")


def exchange_at(book: BarBook, now: datetime, **options: Any) -> Exchange:
    made = Exchange(book, ExchangeOptions(**options))
    made.connect(1, now)
    return made


def test_a_day_order_ends_at_the_close_and_a_gtc_order_lives_on(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    exchange = exchange_at(book, at("15:00", -1))
    for order_id, tif in ((1, "DAY"), (2, "GTC")):
        far = order(order_id, order_type="LMT", limit_price=Decimal(400), tif=tif)
        exchange.handle(1, far, at("15:00", -1))
    heard = [reply for _, reply in exchange.advance(at("16:00", -1))]
    assert (statuses(heard), codes(heard)) == (["Cancelled"], [202])
    exchange.advance(at("12:00"))
    assert [item.order_id for item in exchange.working_orders] == [2]


def test_a_fill_can_come_in_parts(book: BarBook, order: MakeOrder, at: At) -> None:
    """ib.md 4: one execDetails per part, commission per execution."""
    exchange = exchange_at(book, at("10:00"), executions_quantity_max=Decimal(4), seed=3)
    heard = [reply for _, reply in exchange.handle(1, order(1), at("10:00"))]
    shares = [item.execution.quantity for item in executions(heard)]
    assert len(shares) > 1
    assert sum(shares) == 10
    assert statuses(heard)[-1] == "Filled"
    assert statuses(heard).count("Submitted") == len(shares) - 1
    costs = [reply.commission for reply in heard if isinstance(reply, r.CommissionReport)]
    assert sum(costs) == Decimal(1)
    assert len({item.execution.execution_id for item in executions(heard)}) == len(shares)


def test_the_commission_is_half_a_cent_a_share_and_at_least_one_dollar(
    say: Say, order: MakeOrder
) -> None:
    heard = say(order(1), order(2, quantity=Decimal(300)))
    costs = [reply.commission for reply in heard if isinstance(reply, r.CommissionReport)]
    assert costs == [Decimal(1), Decimal("1.500")]


def test_closing_realizes_profit_and_opening_does_not(say: Say, order: MakeOrder) -> None:
    heard = say(order(1), order(2, action="SELL", quantity=Decimal(60)))
    realized = [reply.realized for reply in heard if isinstance(reply, r.CommissionReport)]
    average = (Decimal(590) * 50 + Decimal("601.01") * 10 + 1) / 60
    expected = (Decimal("600.99") - average) * 60 - 1
    assert realized[0] is None
    assert realized[1] == pytest.approx(expected, abs=Decimal("0.0001"))


def test_a_trade_by_hand_is_seen_by_the_master_client_only(exchange: Exchange, at: At) -> None:
    """ib.md 4: client 0, order id 0, no reference."""
    exchange.connect(9, at("10:00"))
    deliveries = exchange.trade_by_hand("SPY", Decimal(-5), None, at("10:00"))
    assert {client for client, _ in deliveries} == {9}
    details = executions([reply for _, reply in deliveries])[0]
    assert (details.order_id, details.client_id, details.order_ref) == (0, 0, "")
    assert exchange.positions == {"SPY": Decimal(45)}


@pytest.mark.parametrize(("symbol", "quantity"), [("NONE", 5), ("SPY", 0), ("VIXY", 5)])
def test_a_trade_by_hand_needs_a_contract_a_quantity_and_a_price(
    exchange: Exchange, at: At, symbol: str, quantity: int
) -> None:
    with pytest.raises(ValueError, match=symbol):
        exchange.trade_by_hand(symbol, Decimal(quantity), None, at("10:00"))


def test_the_master_client_hears_of_other_clients_orders(
    exchange: Exchange, order: MakeOrder, at: At
) -> None:
    exchange.connect(9, at("10:00"))
    deliveries = exchange.handle(1, order(1), at("10:00"))
    assert [type(x) for c, x in deliveries if c == 9] == [type(x) for c, x in deliveries if c == 1]
