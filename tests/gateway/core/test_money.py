"""Multipliers and currencies through the whole core: wishes, limits, orders, crosses, books [M14].

The account is in dollars. ES is a future at 6000 points of 50 dollars; SAP is a stock at 200 euros,
a euro being worth 1.1 dollars.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core import book, day
from gateway.core.desk import Desk
from gateway.core.netting import Plan
from schemas.documents import LedgerDocument, LedgerEntry, OrderDocument, StatusDocument
from schemas.messages import Target
from schemas.values import Contract

ES = Contract("ES", "FUT", "CME", con_id=1, last_trade_date="20261218", multiplier=Decimal(50))
SAP = Contract("SAP", currency="EUR", con_id=2)
DAX = Contract("DAX", "FUT", "EUREX", "EUR", con_id=1, multiplier=Decimal(25))
RATES = {"EUR": Decimal("1.1")}
PRICES = {1: 6000, 2: 200}

type Wanted = Mapping[str, Mapping[Contract, int]]


def target(contract: Contract, quantity: int) -> Target:
    """What the intake makes of a target: the contract as the broker names it."""
    words = {name: getattr(contract, name) for name in Contract.__slots__ if name != "symbol"}
    return Target(contract.symbol, Decimal(quantity), **words)


def ledger(held: Mapping[Contract, int], price: int) -> LedgerDocument:
    """What was bought earlier, at this price."""
    posted = book.EMPTY
    for contract, quantity in held.items():
        entry = LedgerEntry(
            source="start",
            at=datetime(2026, 1, 4, tzinfo=UTC),
            quantity=Decimal(quantity),
            cost=Decimal(quantity * price) * contract.multiplier,
        )
        posted = book.post(posted, contract, entry)
    return posted


def desk_of(build: Any, targets: Wanted, books: Wanted | None = None, **settings: Any) -> Desk:
    """A desk that may trade stocks and futures of any worth, and knows what a euro is worth."""
    said = {
        name: replace(build.said(name, {}), targets=tuple(target(c, q) for c, q in wanted.items()))
        for name, wanted in targets.items()
    }
    held = {name: ledger(of, 100) for name, of in {"EXTERNAL": {}, **(books or {})}.items()}
    prices = {con_id: build.price(value) for con_id, value in PRICES.items()}
    rich = replace(build.base, net_liquidation=Decimal(10**9), exchange_rates=RATES)
    desk = build.desk(said, ledgers=held, prices=prices, values=rich)
    free = dict.fromkeys(
        ("order_notional_max", "position_notional_max", "book_notional_max"), Decimal(10**9)
    )
    kinds = {"sec_types_allowed": ("STK", "FUT")}
    found: Desk = build.settings_of(desk, **{**free, **kinds, **settings})
    return found


def poor(desk: Desk) -> Desk:
    """The same where the broker tells no rate of exchange."""
    assert desk.values is not None
    return replace(desk, values=replace(desk.values, exchange_rates={}))


def told(plan: Plan) -> list[tuple[str, str, str]]:
    return [(entry.rule, entry.value, entry.bound) for entry in plan.refusals]


def ordered(plan: Plan) -> dict[str, int]:
    return {order.contract.symbol: int(order.quantity) for order in plan.orders}


def only(plan: Plan) -> OrderDocument:
    (order,) = plan.orders
    return order


# ---------------------------------------------------------------------- worked examples


@pytest.mark.parametrize(
    ("contract", "quantity", "worth"), [(ES, 2, 600_000), (SAP, 100, 22_000), (DAX, -1, 165_000)]
)
@pytest.mark.parametrize(
    "bound", ["order_notional_max", "book_notional_max", "position_notional_max"]
)
def test_money_is_held_against_its_bound_in_the_base_currency(
    build: Any, contract: Contract, quantity: int, worth: int, bound: str
) -> None:
    """[N5, L notional, position] Price x multiplier x rate: at the bound, and just above."""
    wanted = {"a": {contract: quantity}}
    exact: dict[str, Any] = {bound: Decimal(worth)}
    at = build.net(desk_of(build, wanted, **exact))
    assert (ordered(at), at.refusals) == ({contract.symbol: quantity}, ())
    less: dict[str, Any] = {bound: Decimal(worth) - Decimal("0.01")}
    above = build.net(desk_of(build, wanted, **less))
    assert above.is_empty
    assert told(above) == [(bound, f"{worth}.00", f"{worth - Decimal('0.01'):f}")]


@pytest.mark.parametrize(
    ("contract", "quantity", "worth", "rate"),
    [(ES, 2, 600_000, "1"), (SAP, -100, 22_000, "1.1"), (DAX, 1, 165_000, "1.1")],
)
def test_the_day_s_turnover_is_counted_in_the_base_currency(
    build: Any, contract: Contract, quantity: int, worth: int, rate: str
) -> None:
    """[L turnover] At the price and the rate of the decision, which the order keeps."""
    order = only(build.net(desk_of(build, {"a": {contract: quantity}})))
    assert (order.contract, order.decision_rate) == (contract, Decimal(rate))
    status = StatusDocument("2026-01-05", Decimal(1), Decimal(1))
    assert day.counted(status, [order]).turnover == worth


@pytest.mark.parametrize(
    ("contract", "cost"), [(ES, 1_200_000), (SAP, 40_000), (replace(SAP, con_id=1), 1_200_000)]
)
def test_a_fill_costs_price_times_multiplier_in_the_contract_s_currency(
    build: Any, contract: Contract, cost: int
) -> None:
    """[B1] No rate in it: what a euro was worth is the account's matter, not the book's."""
    price, quantity = Decimal(PRICES[contract.con_id]), cost // (PRICES[contract.con_id])
    quantity //= int(contract.multiplier)
    desk = desk_of(build, {"a": {contract: quantity}})
    plan = build.net(desk)
    ref = only(plan).order_ref
    fill = build.execution("x.1.01", quantity, order_ref=ref, contract=contract, price=price)
    after = build.after(build.taken_up(desk, plan), fill)
    (position,) = after.ledgers["a"].positions.values()
    assert (position.contract, position.quantity, position.cost) == (contract, quantity, cost)


def test_a_cross_costs_price_times_multiplier_and_realizes_in_the_contract_s_currency(
    build: Any,
) -> None:
    """[N4] b bought 3 ES at 100 points and gives 2 of them to a at 6000."""
    desk = desk_of(build, {"a": {ES: 2}, "b": {ES: 1}}, {"b": {ES: 3}})
    plan = build.net(desk)
    assert (plan.orders, plan.crosses[0].price) == ((), Decimal(6000))
    after = build.taken_up(desk, plan)
    bought, sold = (after.ledgers[name].positions["1"] for name in "ab")
    assert (bought.quantity, bought.cost) == (Decimal(2), Decimal(600_000))
    assert (sold.quantity, sold.cost, sold.realized) == (
        Decimal(1),
        Decimal(5000),
        Decimal(2 * 5900 * 50),
    )


@pytest.mark.parametrize(
    ("contract", "quantity", "worth"), [(ES, 11, 300_000), (SAP, 11, 220), (DAX, 11, 165_000)]
)
def test_a_small_change_is_measured_in_the_base_currency(
    build: Any, contract: Contract, quantity: int, worth: int
) -> None:
    """[N9] One more than the 10 held: below `order_notional_min` it is not worth an order."""
    wanted, held = {"a": {contract: quantity}}, {"a": {contract: 10}}
    at = desk_of(build, wanted, held, order_notional_min=Decimal(worth))
    assert ordered(build.net(at)) == {contract.symbol: 1}
    above = desk_of(build, wanted, held, order_notional_min=worth + Decimal("0.01"))
    plan = build.net(above)
    assert (plan.is_empty, plan.refusals) == (True, ())
    assert "within the band" in plan.wanted[0].reason


# ---------------------------------------------------------------------- no rate


def test_without_a_rate_nothing_grows_and_everything_may_be_closed(build: Any) -> None:
    """[M14, N6] A missing rate is never 1."""
    growing = build.net(poor(desk_of(build, {"a": {SAP: 101}}, {"a": {SAP: 100}})))
    assert growing.is_empty
    assert told(growing) == [("exchange_rate", "EUR", "a rate to USD")]
    closing = build.net(poor(desk_of(build, {"a": {SAP: 0}}, {"a": {SAP: 100}})))
    assert ordered(closing) == {"SAP": -100}
    assert only(closing).decision_rate is None
    assert day.worth(only(closing)) == 0


def test_without_a_rate_no_cross_grows_a_book(build: Any) -> None:
    """[M14, N4] b, who gives, may still sell at the market [N8]."""
    desk = desk_of(build, {"a": {SAP: 40}, "b": {SAP: 60}}, {"b": {SAP: 100}})
    plan = build.net(poor(desk))
    assert (plan.crosses, ordered(plan)) == ((), {"SAP": -40})
    assert {(entry.rule, entry.strategies) for entry in plan.refusals} == {
        ("exchange_rate", ("a", "b"))
    }


def test_without_a_rate_no_change_is_too_small(build: Any) -> None:
    """[N9, M14] What cannot be measured is not taken for little: it reduces, and goes."""
    held, minimum = {"a": {SAP: 10}}, Decimal(10**6)
    plan = build.net(poor(desk_of(build, {"a": {SAP: 9}}, held, order_notional_min=minimum)))
    assert ordered(plan) == {"SAP": -1}


@pytest.mark.parametrize("rate", ["0", "-1.1"])
def test_a_senseless_rate_is_none(build: Any, rate: str) -> None:
    """[M14] By 0 or less every limit on money would pass."""
    desk = desk_of(build, {"a": {SAP: 1}})
    assert desk.values is not None
    wrong = replace(desk, values=replace(desk.values, exchange_rates={"EUR": Decimal(rate)}))
    assert wrong.rate("EUR") is None
    assert told(build.net(wrong)) == [("exchange_rate", "EUR", "a rate to USD")]


# ---------------------------------------------------------------------- property

QUANTITIES = st.dictionaries(st.sampled_from((DAX, SAP)), st.integers(-60, 60), max_size=2)
NAMES = ("a", "b", "c")


@given(
    targets=st.dictionaries(st.sampled_from(NAMES), QUANTITIES),
    books=st.dictionaries(st.sampled_from((*NAMES, "EXTERNAL")), QUANTITIES),
    bound=st.sampled_from([100_000, 3_000_000, 10**9]),
    has_rate=st.booleans(),
)
def test_the_books_get_exactly_the_changes_that_were_accepted_and_their_money(
    build: Any, targets: Wanted, books: Wanted, bound: int, has_rate: bool
) -> None:
    """[N3, N4, N5, M14] With multiplier and currency: quantity and cost of every book, exactly.

    Whatever is refused or waits as the far half of a flip moves nobody beyond what was wanted.
    """
    desk = desk_of(build, targets, books, order_notional_max=Decimal(bound))
    desk = desk if has_rate else poor(desk)
    plan = build.net(desk)
    after = filled(build, desk, plan)
    dropped = {(e.con_id, name) for e in plan.refusals for name in e.strategies}
    flips = {order.contract.con_id for order in plan.orders if order.is_flip}
    barred = {name for _, name in dropped}
    for change in plan.wanted:
        moved = held(after, change.strategy, change.con_id) - change.book
        assert moved * change.change >= 0
        assert abs(moved) <= abs(change.change)
        if change.strategy not in barred and change.con_id not in flips and not plan.refusals:
            assert moved == change.change
    for name in NAMES:
        assert paid(after, name) - paid(desk, name) == sum(
            (
                (held(after, name, c.con_id) - held(desk, name, c.con_id)) * UNITS[c.con_id]
                for c in (DAX, SAP)
            ),
            Decimal(0),
        )
    if not has_rate:
        assert all(not grows(desk, after, name) for name in NAMES)


UNITS = {1: Decimal(6000) * 25, 2: Decimal(200)}
"""What one of DAX and of SAP costs, in euros."""


def filled(build: Any, desk: Desk, plan: Plan) -> Desk:
    """The desk after the plan, all its orders filled at the reference prices."""
    taken = build.taken_up(desk, plan)
    fills = (
        build.execution(
            f"x.{order.order_ref}.01",
            str(order.quantity),
            order_ref=order.order_ref,
            contract=order.contract,
            price=Decimal(PRICES[order.contract.con_id]),
        )
        for order in plan.orders
    )
    found: Desk = build.after(taken, *fills)
    return found


def held(desk: Desk, name: str, con_id: int) -> Decimal:
    return book.quantity(desk.ledgers.get(name, book.EMPTY), con_id)


def paid(desk: Desk, name: str) -> Decimal:
    """What a book paid in all, less what it got: what it holds cost that, or it realized it."""
    positions = desk.ledgers.get(name, book.EMPTY).positions.values()
    return sum((p.cost - p.realized for p in positions), Decimal(0))


def grows(desk: Desk, after: Desk, name: str) -> bool:
    return any(
        abs(held(after, name, con_id)) > abs(held(desk, name, con_id))
        or held(after, name, con_id) * held(desk, name, con_id) < 0
        for con_id in (1, 2)
    )
