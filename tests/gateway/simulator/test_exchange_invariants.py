"""Random sessions: whatever clients, people at the broker and time do, quantity and money balance.

The books are kept a second time (double_books), from what the master client hears, and compared
after each step: positions are the executions, cash is what they cost, no order contradicts itself.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator import requests as q
from gateway.simulator.orders.orders import Order, OrderTerms
from tests.gateway.simulator.double_books import (
    CONTRACTS,
    KEYS,
    POOR,
    PRICES,
    TICKS,
    UNITS,
    Session,
)

GROUP_SIZE = Decimal(60)
Step = Callable[[Session], None]


def place(
    wish: tuple[int, str, int, str, int, int, str, bool, bool], client_id: int, session: Session
) -> None:
    """An order of a client."""
    index, action, units, kind, limit, stop, tif, held, extended = wish
    terms = OrderTerms(
        action,
        units * UNITS[index],
        kind,
        PRICES[index] + limit * TICKS[index],
        PRICES[index] + stop * TICKS[index],
        tif,
        outside_rth=extended,
    )
    order_id = session.exchange.orders.next_id(client_id)
    request = q.PlaceOrder(order_id, CONTRACTS[index], terms)
    if held:
        session.act(lambda: session.exchange.orders.place(client_id, request, "locate"))
    else:
        session.ask(client_id, request)


def family(
    wish: tuple[int, str, int, str, int, int, str, bool, bool],
    exits: tuple[int, int, str],
    sent: bool,
    session: Session,
) -> None:
    """A bracket of client 1: an entry and two exits, of which the last may stay untransmitted."""
    index, action, units, kind, limit, stop, tif, _, _ = wish
    profit, loss, stop_kind = exits
    terms = OrderTerms(
        action,
        units * UNITS[index],
        kind,
        PRICES[index] + limit * TICKS[index],
        PRICES[index] + stop * TICKS[index],
        tif,
        transmit=False,
    )
    side = terms.side
    first = session.exchange.orders.next_id(1)
    leaving = replace(terms, action="SELL" if side > 0 else "BUY", tif="GTC", parent_id=first)
    target = PRICES[index] + side * profit * TICKS[index]
    away = PRICES[index] - side * loss * TICKS[index]
    closing = replace(leaving, order_type="LMT", limit_price=target)
    trail = loss * TICKS[index] if stop_kind == "TRAIL" else away
    stopping = replace(leaving, order_type=stop_kind, aux_price=trail, transmit=sent)
    for number, each in enumerate((terms, closing, stopping)):
        session.ask(1, q.PlaceOrder(first + number, CONTRACTS[index], each))


def group(oca_type: int, offsets: tuple[int, ...], client_id: int, session: Session) -> None:
    """Orders of one group, alike but for their prices: limits and stops of SPY."""
    first = session.exchange.orders.next_id(client_id)
    for offset in offsets:
        kind = "LMT" if offset < 0 else "STP"
        price = PRICES[0] + offset * TICKS[0]
        other = {"ocaGroup": f"group {client_id}.{first}", "ocaType": str(oca_type)}
        terms = OrderTerms("BUY", GROUP_SIZE, kind, price, price, "GTC", other=other)
        order_id = session.exchange.orders.next_id(client_id)
        session.ask(client_id, q.PlaceOrder(order_id, CONTRACTS[0], terms))


def trail(index: int, action: str, distance: int, offset: int | None, session: Session) -> None:
    """A trailing stop of client 2, with a limit or without."""
    terms = OrderTerms(
        action,
        40 * UNITS[index],
        "TRAIL" if offset is None else "TRAIL LIMIT",
        aux_price=distance * TICKS[index],
        tif="GTC",
        limit_offset=None if offset is None else offset * TICKS[index],
    )
    order_id = session.exchange.orders.next_id(2)
    session.ask(2, q.PlaceOrder(order_id, CONTRACTS[index], terms))


def change(number: int, units: int, limit: int, session: Session) -> None:
    """New terms for an order, by its client, whatever became of it."""
    order = session.some_order(number)
    if order is not None:
        index = KEYS.index(order.contract.local_symbol)
        terms = OrderTerms(
            order.terms.action,
            units * UNITS[index],
            order.terms.order_type,
            PRICES[index] + limit * TICKS[index],
            order.terms.aux_price,
            order.terms.tif,
        )
        request = q.PlaceOrder(order.order_id, CONTRACTS[index], terms)
        session.ask(order.client_id, request)


def cancel(number: int, session: Session) -> None:
    """A client cancels an order of its own."""
    order = session.some_order(number)
    if order is not None:
        session.ask(order.client_id, q.CancelOrder(order.order_id))


def do(name: str, number: int, session: Session) -> None:
    """A verb of the order desk's, on some order."""
    order, desk = session.some_order(number), session.exchange.orders
    if name == "roll_back":
        session.act(lambda: desk.roll_back_ids(1 + number % 2, 1 + number % 3))
    elif name == "release":
        session.act(desk.release)
    elif name == "reject" and order is not None:
        session.act(lambda: desk.reject(order, 201, "Order rejected"))
    elif order is not None:
        session.act(lambda: getattr(desk, name)(order))


def fill(number: int, units: int, session: Session) -> None:
    """The broker executes a part of an order, also of one that has ended."""
    order = session.some_order(number)
    if order is not None and order.remaining:
        size = min(order.remaining, units * UNITS[KEYS.index(order.contract.local_symbol)])
        session.act(lambda: session.exchange.orders.fill(order, size))


def correct(number: int, quantity: int | None, cents: int, session: Session) -> None:
    """An execution is corrected, or taken back with a quantity of 0."""
    record = session.exchange.orders.record.executions
    if record:
        execution = record[number % len(record)][1]
        size = None if quantity is None else Decimal(quantity)
        price = execution.price + cents * Decimal("0.01")
        desk = session.exchange.orders
        session.act(lambda: desk.correct(execution.execution_id, size, price))


def by_hand(index: int, units: int, session: Session) -> None:
    """Someone at TWS trades."""
    if units:
        deal = (KEYS[index], units * UNITS[index], PRICES[index])
        session.stage.trade_by_hand(*deal, session.now)


def place_by_hand(units: int, bound: bool, session: Session) -> None:
    """Someone at TWS places an order, which client 0 may be given."""
    terms = OrderTerms("BUY", Decimal(units), "LMT", PRICES[0] - 2, tif="GTC")
    session.act(lambda: session.exchange.orders.place_by_hand(CONTRACTS[0], terms))
    if bound:
        session.ask(0, q.OpenOrdersRequest())


def inject(name: str, session: Session) -> None:
    """A fault from here on."""
    session.stage.faults.inject(name, **FAULTS[name])


def clear(session: Session) -> None:
    """No faults from here on."""
    for fault in session.stage.faults.active:
        session.stage.faults.clear(fault.id)


def cancel_all(session: Session) -> None:
    """A client cancels everything of everybody."""
    session.ask(2, q.GlobalCancel())


def wait(minutes: int, session: Session) -> None:
    """Time passes."""
    session.pass_time(timedelta(minutes=minutes))


NUMBERS = st.integers(0, 11)
WISHES = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["BUY", "SELL", "SELL"]),
    st.integers(1, 130),
    st.sampled_from(["MKT", "LMT", "STP", "STP LMT", "MOC", "LOC"]),
    st.integers(-6, 6),
    st.integers(-6, 6),
    st.sampled_from(["DAY", "DAY", "GTC", "IOC", "OPG"]),
    st.booleans(),
    st.booleans(),
)
EXITS = st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from(["STP", "TRAIL"]))
GROUPS: st.SearchStrategy[Step] = st.builds(
    partial,
    st.just(group),
    st.integers(0, 3),
    st.lists(st.integers(-6, 6), min_size=1, max_size=3).map(tuple),
    st.integers(1, 2),
)
TRAILS: st.SearchStrategy[Step] = st.builds(
    partial,
    st.just(trail),
    st.integers(0, 2),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 6),
    st.none() | st.integers(-2, 2),
)
VERBS = ("end", "reject", "hold", "release", "vanish", "roll_back")
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "blocking_dialog": {},
    "cancel_lost": {"times": 1},
    "execution_bust": {"times": 2},
    "execution_correction": {"quantity_change": Decimal(-1)},
    "fill_after_cancel": {},
    "gateway_restart": {"lost": 1},
    "inactive_order": {},
    "late_cancel": {},
    "late_orders": {},
    "late_rejection": {"times": 1},
    "link_lost": {},
    "locate_hold": {},
    "odd_parts": {},
    "preset_notice": {},
    "rejection": {"times": 1},
    "rolled_back_ids": {},
    "silent_loss": {"after": "booking"},
    "vanished_order": {"times": 1},
}
OPTIONS: st.SearchStrategy[Mapping[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "executions_quantity_max": st.just(Decimal(40)),
        "fill_model": st.sampled_from(["harsh", "touch"]),
        "cancels_wait_for_open": st.just(True),
        "orders_per_side_max": st.just(2),
        "liquidates": st.just(True),
        "cash": st.just(POOR),
    },
)
MINUTES = st.sampled_from([0, 1, 7, 30, 30, 90, 400, 1440, 4000])
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(partial, st.just(wait), MINUTES),
    st.builds(partial, st.just(place), WISHES, st.integers(1, 2)),
    st.builds(partial, st.just(place), WISHES, st.integers(1, 2)),
    st.builds(partial, st.just(change), NUMBERS, st.integers(1, 130), st.integers(-6, 6)),
    st.builds(partial, st.just(cancel), NUMBERS),
    st.builds(partial, st.just(do), st.sampled_from(VERBS), NUMBERS),
    st.builds(partial, st.just(fill), NUMBERS, st.integers(1, 130)),
    st.builds(
        partial, st.just(correct), NUMBERS, st.none() | st.integers(0, 90), st.integers(-20, 20)
    ),
    st.builds(partial, st.just(correct), NUMBERS, st.just(0), st.just(0)),
    st.builds(partial, st.just(by_hand), st.integers(0, 2), st.integers(-60, 60)),
    st.just(partial(Session.split, ratio=Decimal(2))),
    st.just(partial(Session.split, ratio=Decimal("0.3"))),
    st.just(Session.dividend),
    st.just(cancel_all),
    st.builds(partial, st.just(place_by_hand), st.integers(1, 130), st.booleans()),
    st.builds(partial, st.just(inject), st.sampled_from(sorted(FAULTS))),
    st.just(clear),
    st.builds(partial, st.just(family), WISHES, EXITS, st.booleans()),
    GROUPS,
    TRAILS,
)


def played(
    options: Mapping[str, Any], steps: list[Step], stride: timedelta | None = None
) -> Session:
    """A session after these steps, the books compared after each."""
    session = Session(options, stride)
    ends: list[Step] = [partial(wait, 100), partial(wait, 3000)]
    for step in (ends[0], *steps, ends[1]):
        step(session)
        session.check()
    return session


@given(OPTIONS, st.lists(STEPS, min_size=5, max_size=50))
def test_quantity_and_money_balance_whatever_happens(
    options: Mapping[str, Any], steps: list[Step]
) -> None:
    played(options, steps)


@given(OPTIONS, st.lists(STEPS, min_size=5, max_size=20))
def test_time_that_jumps_brings_what_time_that_walks_brings(
    options: Mapping[str, Any], steps: list[Step]
) -> None:
    """Margin is called when somebody looks, so it is left out."""
    plain = {name: value for name, value in options.items() if name != "liquidates"}
    jumped, walked = played(plain, steps), played(plain, steps, timedelta(minutes=13))
    assert jumped.told == walked.told
    assert jumped.exchange.positions == walked.exchange.positions
    assert jumped.exchange.account.balances == walked.exchange.account.balances


FAIR: st.SearchStrategy[Step] = st.one_of(
    st.builds(partial, st.just(wait), MINUTES),
    st.builds(partial, st.just(family), WISHES, EXITS, st.booleans()),
    GROUPS,
    GROUPS,
    TRAILS,
    st.builds(partial, st.just(cancel), NUMBERS),
    st.just(cancel_all),
)
"""What clients and time do, without people or faults that make orders trade beyond all rules."""


@given(OPTIONS, st.lists(FAIR, min_size=5, max_size=30))
def test_no_group_trades_more_than_one_of_its_orders(
    options: Mapping[str, Any], steps: list[Step]
) -> None:
    """Of a group of type 1 one order trades; exits together no more than their entry did."""
    session = played(options, steps)
    groups: dict[str, list[Order]] = defaultdict(list)
    for order in session.orders.values():
        if order.terms.oca_group:
            groups[order.terms.oca_group].append(order)
    for members in groups.values():
        traded = [order.filled for order in members if order.filled]
        parent = members[0].parent
        assert sum(traded) <= (GROUP_SIZE if parent is None else parent.filled)
        assert parent is None or not traded or parent.status == "Filled"
        assert members[0].terms.oca_type > 1 or len(traded) <= 1
