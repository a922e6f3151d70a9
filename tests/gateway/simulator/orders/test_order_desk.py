"""The life of orders at the broker (design/ib.md 1.8, 4)."""

import gc
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
from gateway.simulator.market.bars import BarBook, Row
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import Order

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


def test_an_id_of_yesterday_is_an_order_that_cannot_be_found(
    say: Say, order: MakeOrder, at: At
) -> None:
    """135: the id was used, but there is no such order any more."""
    say(order(1))
    assert codes(say(q.CancelOrder(1), when=at("00:00", 1))) == [135]


def test_an_order_in_the_closing_auction_cannot_be_cancelled_or_changed_late(
    say: Say, order: MakeOrder, at: At
) -> None:
    """ib.md 4: MOC and LOC are PreSubmitted until the auction; no cancel late, 161."""
    moc = order(1, order_type="MOC")
    assert statuses(say(moc)) == ["PreSubmitted"]
    assert codes(say(q.CancelOrder(1), moc, when=at("15:59"))) == [161, 201]
    heard = say(q.CancelOrder(1), when=at("16:00"))
    assert (statuses(heard)[-1], codes(heard)) == ("Filled", [10148])


def test_a_global_cancel_leaves_what_is_caught_in_the_auction(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    say(order(1, order_type="MOC"), order(2, order_type="LMT", limit_price=Decimal(500)))
    assert codes(say(q.GlobalCancel(), when=at("15:59"))) == [161, 202]
    assert [item.order_id for item in exchange.working_orders] == [1]


def test_a_cancel_while_the_market_is_closed_can_wait_for_its_open(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """ib.md 4: cancels outside regular hours may be answered only at the open."""
    exchange = exchange_at(book, at("08:00"), cancels_wait_for_open=True)
    exchange.handle(1, order(1), at("08:00"))
    waiting = [reply for _, reply in exchange.handle(1, q.CancelOrder(1), at("08:00"))]
    assert (statuses(waiting), codes(waiting)) == (["PendingCancel"], [])
    heard = [reply for _, reply in exchange.advance(at("09:30"))]
    assert (statuses(heard), codes(heard)) == (["Cancelled"], [202])


def test_a_change_does_not_undo_a_cancel_that_waits(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """The client was told PendingCancel: the order must not trade at the open after all."""
    exchange = exchange_at(book, at("08:00"), cancels_wait_for_open=True)
    stop = {"order_type": "STP", "aux_price": Decimal(500)}
    exchange.handle(1, order(1, **stop), at("08:00"))
    exchange.handle(1, q.CancelOrder(1), at("08:00"))
    smaller = order(1, quantity=Decimal(5), **stop)
    told = [reply for _, reply in exchange.handle(1, smaller, at("08:00"))]
    assert codes(told) == [201]
    heard = [reply for _, reply in exchange.advance(at("09:30"))]
    assert (statuses(heard), exchange.working_orders) == (["Cancelled"], [])


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
    ("changes", "code"),
    [
        ({"action": "SELL"}, 105),
        ({"limit_price": Decimal("1.001")}, 110),
        ({"quantity": Decimal("1.5")}, 10242),
    ],
)
def test_a_change_that_does_not_fit_is_refused(
    exchange: Exchange, say: Say, order: MakeOrder, changes: dict[str, Any], code: int
) -> None:
    terms = {"order_type": "LMT", "limit_price": Decimal(500)}
    assert codes(say(order(1, **terms), order(1, **(terms | changes)))) == [code]
    assert exchange.working_orders[0].terms.limit_price == 500


def test_a_change_goes_on_from_what_was_filled(
    exchange: Exchange, say: Say, order: MakeOrder
) -> None:
    """A tenth of the bar's 1,000 shares was filled at once."""
    first = order(1, action="SELL", quantity=Decimal(120))
    say(first)
    assert codes(say(order(1, action="SELL", quantity=Decimal(100)))) == [201]
    change = order(
        1, action="SELL", quantity=Decimal(110), order_type="LMT", limit_price=Decimal(999)
    )
    heard = say(change)
    assert [x.remaining for x in heard if isinstance(x, r.OrderStatus)] == [10]
    assert exchange.working_orders[0].status == "Submitted"


def test_a_change_can_make_an_order_wait_again(say: Say, order: MakeOrder) -> None:
    say(order(1, order_type="LMT", limit_price=Decimal(500)))
    heard = say(order(1, order_type="STP", aux_price=Decimal(700)))
    assert [(x.status, x.why_held) for x in heard if isinstance(x, r.OrderStatus)] == [
        ("PreSubmitted", "trigger")
    ]


def test_a_stop_order_is_presubmitted_until_it_is_triggered(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    """Triggered by the bar until 10:30, a stop limit rests at its limit from then on."""
    stop = order(1, order_type="STP LMT", aux_price=Decimal(602), limit_price=Decimal("600.50"))
    heard = say(stop)
    assert [(x.status, x.why_held) for x in heard if isinstance(x, r.OrderStatus)] == [
        ("PreSubmitted", "trigger")
    ]
    later = [reply for client, reply in exchange.advance(at("10:30")) if client == 1]
    assert [(x.status, x.why_held) for x in later if isinstance(x, r.OrderStatus)] == [
        ("Submitted", "")
    ]


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
    ({"order_type": "TRAIL"}, 321),
    ({"order_type": "MOC", "tif": "GTC"}, 113),
    ({"order_type": "LMT", "limit_price": Decimal("600.005")}, 110),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED, ids=lambda item: str(item))
def test_an_order_that_cannot_be_is_refused(
    exchange: Exchange, say: Say, order: MakeOrder, changes: dict[str, Any], code: int
) -> None:
    """All the rules are shown in test_admission.py; a refused id can be used again."""
    assert codes(say(order(1, **changes))) == [code]
    assert exchange.working_orders == []
    assert codes(say(order(1))) == []


def test_an_order_for_an_unknown_contract_is_refused(say: Say, order: MakeOrder) -> None:
    assert codes(say(replace(order(1), contract=Contract(con_id=4711)))) == [200]


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


def test_a_good_till_date_order_ends_then(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    till = {"goodTillDate": "20251212 10:15:00 US/Eastern"}
    say(order(1, order_type="LMT", limit_price=Decimal(500), tif="GTD", other=till))
    assert exchange.advance(at("10:14")) == []
    heard = [reply for client, reply in exchange.advance(at("10:16")) if client == 1]
    assert (statuses(heard), codes(heard)) == (["Cancelled"], [202])
    assert exchange.orders.done[0].completed_at == at("10:15")


def test_a_good_after_time_order_comes_to_the_market_then(
    exchange: Exchange, say: Say, order: MakeOrder, at: At
) -> None:
    after = {"goodAfterTime": "20251212 10:15:00 US/Eastern"}
    assert statuses(say(order(1, other=after))) == ["PreSubmitted"]
    heard = [reply for client, reply in exchange.advance(at("10:16")) if client == 1]
    assert [item.execution.time for item in executions(heard)] == [at("10:15")]


def test_a_partly_filled_order_of_yesterday_keeps_what_it_has(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """Midnight forgets its executions, not the order's own count."""
    exchange = exchange_at(book, at("15:45", -1))
    limit = {"order_type": "LMT", "limit_price": Decimal(513), "tif": "GTC"}
    exchange.handle(1, order(1, quantity=Decimal(150), **limit), at("15:45", -1))
    heard = exchange.handle(1, q.OpenOrdersRequest(), at("08:00"))
    found = [x for _, x in heard if isinstance(x, r.OrderStatus)]
    assert [number for x in found for number in (x.filled, x.remaining)] == [100, 50]
    assert exchange.orders.record.executions == []


def test_a_limit_order_may_trade_outside_regular_hours(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """Where bars of those hours exist; without outsideRth it waits for the open."""
    early = Row(at("08:00"), tuple(map(Decimal, (590, 592, 588, 591, 1000))), "early")
    regular = [bar for bar in book.series("SPY", "30 mins").bars if bar.start >= at("09:30")]
    rows = [
        Row(bar.start, (bar.open, bar.high, bar.low, bar.close, bar.volume), "") for bar in regular
    ]
    exchange = exchange_at(BarBook({("SPY", "30 mins"): [early, *rows]}), at("08:00"))
    limit = {"order_type": "LMT", "limit_price": Decimal(595)}
    inside = [reply for _, reply in exchange.handle(1, order(1, **limit), at("08:00"))]
    outside = [
        reply for _, reply in exchange.handle(1, order(2, outside_rth=True, **limit), at("08:00"))
    ]
    assert (statuses(inside), codes(inside)) == (["PreSubmitted"], [399])
    assert executions(outside)[0].execution.price == Decimal("590.01")
    assert statuses(outside)[-1] == "Filled"


def test_a_preset_time_in_force_is_told_before_the_order_works(
    book: BarBook, order: MakeOrder, at: At
) -> None:
    """ib.md 4: 10349 although the order lives and fills; only where the options say so."""
    exchange = exchange_at(book, at("10:00"), day_preset_notice=True)
    heard = [reply for _, reply in exchange.handle(1, order(1, tif=""), at("10:00"))]
    assert (codes(heard), statuses(heard)) == ([10349], ["PreSubmitted", "Filled"])
    assert codes([x for _, x in exchange.handle(1, order(2), at("10:00"))]) == []


def test_days_of_orders_leave_nothing_behind(book: BarBook, order: MakeOrder, at: At) -> None:
    """Memory stays flat: after midnight no order of the day before exists any more."""
    exchange = exchange_at(book, at("09:00", -1), seed=4711)
    perm_ids: set[int] = set()
    for day in (-1, 0):
        for count in range(200):
            changes = {"action": "SELL" if count % 2 else "BUY", "quantity": Decimal(1)}
            request = order(exchange.orders.next_id(1), **changes)
            exchange.handle(1, request, at("09:31", day))
        assert len(exchange.orders.record.executions) == 100
        perm_ids |= {item.perm_id for item in (*exchange.orders.working, *exchange.orders.done)}
        exchange.advance(at("00:01", day + 1))
        gc.collect()
        alive = [item for item in gc.get_objects() if isinstance(item, Order)]
        assert not [item for item in alive if item.perm_id in perm_ids]


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
