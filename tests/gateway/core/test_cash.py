"""Which foreign balances are traded back, how much of them, and what keeps them (behaviour 5)."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core import cash, limits
from gateway.core.desk import Desk
from gateway.core.events import NetAsked, NetCause, Netted
from gateway.core.fold import evolve
from gateway.core.netting import Plan
from schemas.settings import ControlDocument
from schemas.values import CASH_BOOK, Contract, TradingState

EUR = Contract("EUR", "CASH", "IDEALPRO", "USD", con_id=11)
JPY = Contract("USD", "CASH", "IDEALPRO", "JPY", con_id=12)
PAIRS = {"EUR": EUR, "JPY": JPY}
CAUSE = NetCause("cash_balance", "k1", pairs=PAIRS)
RATES = {"EUR": Decimal("1.25"), "JPY": Decimal("0.01")}


def desk_with(build: Any, amounts: Mapping[str, int | str], **parts: Any) -> Desk:
    """An active desk in dollars with these foreign balances, in an open market."""
    money = {currency: Decimal(amount) for currency, amount in amounts.items()}
    values = replace(build.base, cash={"USD": Decimal(1), **money}, exchange_rates=RATES)
    terms = {pair.con_id: build.terms(pair.con_id) for pair in PAIRS.values()}
    return build.desk(**{"values": values, "terms": terms, **parts})  # type: ignore[no-any-return]


def plan(build: Any, desk: Desk) -> Plan:
    return cash.plan(desk, CAUSE, build.now)


@pytest.mark.parametrize(
    ("amount", "ordered"),
    [("10000", -10_000), ("-10000", 10_000), ("10999.99", -10_000), ("-10999.99", 10_000)],
)
def test_of_a_direct_pair_the_balance_itself_is_traded_toward_zero(
    amount: str, ordered: int, build: Any
) -> None:
    """1500 became -1000 and -1500 +2000 in the old system (seeds 1.9)."""
    assert [o.quantity for o in plan(build, desk_with(build, {"EUR": amount})).orders] == [ordered]


@pytest.mark.parametrize(
    ("amount", "price", "ordered"),
    [
        (1_000_000, None, 10_000),
        (-1_000_000, None, -10_000),
        (1_000_000, "101", 9_000),
        (1_000_000, "99", 10_000),
    ],
)
def test_of_an_inverse_pair_no_more_is_bought_than_the_balance_pays_for(
    amount: int, price: str | None, ordered: int, build: Any
) -> None:
    """By the dearer of the account's own rate and the quote."""
    prices = {} if price is None else {JPY.con_id: build.price(price)}
    desk = desk_with(build, {"JPY": amount}, prices=prices)
    assert [o.quantity for o in plan(build, desk).orders] == [ordered]


@pytest.mark.parametrize("units", ["999.99", "-999.99", "0.5", "0"])
def test_less_than_a_lot_is_nothing(units: str) -> None:
    assert cash.toward_zero(Decimal(units)) == 0


def test_an_amount_of_no_lot_is_said_and_not_ordered(build: Any) -> None:
    small = build.settings(cash_balance_threshold=Decimal(1))
    (refused,) = plan(build, desk_with(build, {"EUR": 999}, settings=small)).refusals
    assert refused.rule == "lot"
    assert "EUR 999.00 is worth 1248.75, over cash_balance_threshold 1, but is less than 1000" in (
        refused.sentence
    )


@pytest.mark.parametrize(("amount", "is_due"), [(4000, False), ("4000.01", True), (-4001, True)])
def test_the_threshold_is_in_the_base_currency(amount: int | str, is_due: bool, build: Any) -> None:
    """5000 dollars are 4000 euros."""
    assert bool(cash.survey(desk_with(build, {"EUR": amount}), build.now).due) is is_due


def test_each_currency_counts_by_itself_and_the_base_does_not(build: Any) -> None:
    """The last currency's balance stood for all in the old system (seeds 1.9)."""
    found = cash.survey(desk_with(build, {"EUR": 8000, "JPY": -900_000}), build.now)
    assert {b.currency: (int(b.amount), int(b.worth)) for b in found.due} == {
        "EUR": (8000, 10_000),
        "JPY": (-900_000, -9000),
    }


def test_a_rate_that_nobody_tells_is_never_1(build: Any) -> None:
    """[M14] Such a balance is a person's; the others go on."""
    found = cash.survey(desk_with(build, {"SEK": 100_000, "EUR": 8000}), build.now)
    assert [b.currency for b in found.due] == ["EUR"]
    assert [(r.rule, r.symbol) for r in found.refusals] == [("exchange_rate", "SEK")]


@pytest.mark.parametrize(
    "contract",
    [EUR, Contract("SAP", currency="EUR", con_id=13), Contract("EUR", "CASH", currency="GBP")],
    ids=["the pair", "a stock in it", "another pair of it"],
)
def test_while_an_order_may_move_the_balance_it_waits(contract: Contract, build: Any) -> None:
    working = build.order({"a": 5}, contract=contract)
    found = cash.survey(desk_with(build, {"EUR": 8000}, orders=[working]), build.now)
    assert (found.due, [r.rule for r in found.refusals]) == ((), ["in_flight"])


@pytest.mark.parametrize(("age", "is_due"), [(0, False), (179, False), (180, True)])
@pytest.mark.parametrize("foreign", [True, False])
def test_a_fill_that_the_balance_may_not_know_of_is_waited_for(
    age: int, is_due: bool, foreign: bool, build: Any
) -> None:
    """IB sends values anew every three minutes, so that the same euros could be sold twice."""
    fill = build.execution("x.01", -5, contract=EUR, at=build.later(-age))
    over = build.order({"CASH": -5}, contract=EUR, state="DONE", executions={"x": fill})
    parts = {"foreign": {"x": fill}} if foreign else {"orders": [over]}
    found = cash.survey(desk_with(build, {"EUR": 8000}, **parts), build.now)
    assert bool(found.due) is is_due
    assert [r.rule for r in found.refusals] == ([] if is_due else ["balance_age"])


def test_an_order_is_journaled_as_any_other_and_numbered_on(build: Any) -> None:
    desk = desk_with(build, {"EUR": 8000}, generations={11: 4})
    (order,) = plan(build, desk).orders
    assert (order.order_ref, order.generation, order.state) == ("paper-11-5", 5, "PENDING")
    assert order.allocations == build.shares({CASH_BOOK: -8000})
    assert order.limits == cash.NAMES
    assert order.why == (
        "CASH wants -8000: EUR 8000.00 is worth 10000.00, over cash_balance_threshold 5000",
    )


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"control": ControlDocument(TradingState.HALTED)}, "trading_state"),
        ({"read_at": None}, "snapshot_age"),
    ],
)
def test_the_limits_that_are_no_matter_of_books_hold(
    parts: dict[str, Any], rule: str, build: Any
) -> None:
    assert [r.rule for r in plan(build, desk_with(build, {"EUR": 8000}, **parts)).refusals] == [
        rule
    ]


@pytest.mark.parametrize(("amount", "refused"), [(800_000, []), (801_000, ["conversion_notional"])])
def test_no_conversion_is_worth_more_than_order_notional_max(
    amount: int, refused: list[str], build: Any
) -> None:
    """At the bound and just above; a million dollars are 800,000 euros."""
    assert [r.rule for r in plan(build, desk_with(build, {"EUR": amount})).refusals] == refused


def test_more_units_than_shares_may_be_ordered_are_no_fault(build: Any) -> None:
    """`order_quantity_max` counts shares."""
    assert len(plan(build, desk_with(build, {"EUR": 500_000})).orders) == 1


def test_while_reduce_only_a_working_conversion_is_left_alone(build: Any) -> None:
    """Its position at the broker is virtual [B1]."""
    pair = build.order({"CASH": -8000}, contract=EUR)
    desk = desk_with(build, {}, orders=[pair, build.order({"a": 5})])
    desk = replace(desk, control=ControlDocument(TradingState.REDUCE_ONLY))
    assert [o.order_ref for o in limits.forbidden(desk)] == ["paper-1-1"]


def test_a_net_of_balances_leaves_what_waits_for_a_net(build: Any) -> None:
    """[N1c, N1d]"""
    said = build.said("a", {1: 5}, waits_for_net=True)
    desk = desk_with(build, {"EUR": 8000}, targets={"a": said}, coalesce_at=build.now)
    after = build.after(evolve(NetAsked(CAUSE), desk, build.now), Netted())
    assert (after.cause, after.coalesce_at) == (None, build.now)
    assert after.targets["a"].waits_for_net


def test_both_ways_to_write_a_pair_are_asked_for() -> None:
    names = [(pair.symbol, pair.currency) for pair in cash.pairs("JPY", "USD")]
    assert names == [("JPY", "USD"), ("USD", "JPY")]
