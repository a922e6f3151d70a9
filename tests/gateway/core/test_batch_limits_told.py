"""What the limits over a whole plan say, and how they measure; see also `test_batch_limits`."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core import book
from gateway.core.batch_limits import TARGETS_VANISHED, refusals
from gateway.core.desk import Desk
from gateway.core.netting import Plan
from schemas.documents import BrokerPosition, RefusalEntry, StatusDocument
from schemas.values import Contract

DAY = StatusDocument("2026-01-05", Decimal(10_000), Decimal(10_000), 7, Decimal(8000))


def account(build: Any, desk: Desk, **settings: Any) -> Desk:
    """The desk with an equity of 10,000; prices are 100."""
    values = replace(build.base, net_liquidation=Decimal(10_000))
    found: Desk = build.settings_of(replace(desk, values=values), **settings)
    return found


def only(plan: Plan) -> RefusalEntry:
    (entry,) = plan.refusals
    return entry


OF_NET = "of net liquidation; want less, or raise it"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    f"+5 VIXY would bring the gross exposure to 1500.00, over 1400.00, which is "
    f"exposure_gross_max 0.14 {OF_NET}": (
        {"exposure_gross_max": Decimal("0.14")},
        "exposure_gross 1500.00 1400.00",
    ),
    f"+5 VIXY would bring the net exposure to 1500.00, over 1400.00, which is exposure_net_max "
    f"0.14 {OF_NET}": ({"exposure_net_max": Decimal("0.14")}, "exposure_net 1500.00 1400.00"),
    f"+5 VIXY would bring the day's turnover to 8500.00, over 8000.00, which is "
    f"turnover_per_day_max 0.8 {OF_NET}": (
        {"turnover_per_day_max": Decimal("0.8")},
        "turnover_per_day 8500.00 8000.00",
    ),
    "+5 VIXY would be order 1 of this run, over orders_per_run_max 0; look at the targets, or "
    "raise it": ({"orders_per_run_max": 0}, "orders_per_run 1 0"),
    "+5 VIXY would be order 8 of the day, over orders_per_day_max 7; wait for tomorrow, or raise "
    "it": ({"orders_per_day_max": 7}, "orders_per_day 8 7"),
}
"""Sentence -> the bound that one order of 500 breaks where 1000 are held, and what is told."""


@pytest.mark.parametrize("sentence", REFUSED)
def test_each_refusal_of_the_batch_is_one_sentence_to_act_on(build: Any, sentence: str) -> None:
    """(behaviour 9) Which order, which value, which bound, what to do next."""
    settings, told = REFUSED[sentence]
    desk = build.desk({"b": {2: 5}}, {"a": {1: 10}}, status=DAY)
    entry = only(build.net(account(build, desk, **settings)))
    assert (entry.sentence, entry.strategies) == (sentence, ("b",))
    assert (entry.symbol, entry.con_id) == ("VIXY", 2)
    assert f"{entry.rule} {entry.value} {entry.bound}" == told


def test_what_vanished_is_told_in_one_sentence_to_act_on(build: Any) -> None:
    """(behaviour 9) [B6] The orphan z holds on; c, whose wish grows, is none of those named."""
    books = {"a": {1: 10}, "b": {2: 10}, "c": {2: 1}, "z": {1: 1}}
    desk = build.desk({"a": {1: 0}, "b": {2: 1}, "c": {2: 2}}, books)
    entry = only(build.net(desk))
    assert entry.sentence == (
        "the strategies' wishes would shrink from 2200.00 to 400.00, by 0.82 of what is held and "
        "over shrink_fraction_max 0.75; look at the strategies, then say approve run-1"
    )
    assert (entry.strategies, entry.value, entry.bound) == (("a", "b"), "0.82", "0.75")


def test_what_cannot_be_measured_is_told_in_one_sentence_to_act_on(build: Any) -> None:
    """(behaviour 9) [M14] Of each order that would increase, with the account's own currency."""
    working = build.order({"c": 1}, contract=build.contract(3), order_ref="paper-3-1")
    desk = build.desk({"a": {1: 5}, "b": {2: 5}, "c": {3: 1}}, orders=[working])
    entries = build.net(desk).refusals
    assert [(e.rule, e.symbol, e.value, e.bound, e.sentence) for e in entries] == [
        (
            "exposure_gross",
            symbol,
            "unknown",
            "a price in the base currency",
            "C3 has neither a price nor a cost, so the exposure cannot be measured; say reconcile",
        )
        for symbol in ("SPY", "VIXY")
    ]


def test_a_holding_in_a_currency_without_a_rate_is_told_in_one_sentence(build: Any) -> None:
    """(behaviour 9) [M14]"""
    euros = Contract("SAP", currency="EUR", con_id=9)
    positions = {9: BrokerPosition(euros, Decimal(5), Decimal(100))}
    desk = build.desk({"a": {1: 1}}, positions=positions, unexplained={9: Decimal(5)})
    assert only(build.net(desk)).sentence == (
        "SAP is held in EUR, the account is in USD and the broker tells no rate, so the exposure "
        "cannot be measured; say reconcile, or close it"
    )


def test_before_the_account_is_read_nothing_can_be_measured(build: Any) -> None:
    """[M14] Not even in dollars: nobody knows what the account is in."""
    (entry,) = refusals(build.desk(values=None), [build.order({"a": 1})])
    assert "SPY is held in USD, the account is in nothing and the broker" in entry.sentence


def test_all_that_rank_behind_the_first_refused_are_told_at_once(build: Any) -> None:
    """(behaviour 4.2) Else each would take a round of the net of its own."""
    desk = account(build, build.desk(), orders_per_run_max=0)
    orders = [build.order({"a": n}, contract=build.contract(n)) for n in (1, 2, 3)]
    values = {n: build.price() for n in (1, 2, 3)}
    told = refusals(replace(desk, prices=values), orders)
    assert [entry.con_id for entry in told] == [1, 2, 3]


@pytest.mark.parametrize(("wanted", "passes"), [(90, True), (91, False)])
def test_a_net_exposure_that_only_changes_its_side_passes(
    build: Any, wanted: int, passes: bool
) -> None:
    """From 45 short to 45 long is no more; 46 is, and is over the bound of 40."""
    desk = build.desk({"b": {2: wanted}}, {"a": {1: -45}})
    settings = {"exposure_gross_max": Decimal(2), "exposure_net_max": Decimal("0.4")}
    assert bool(build.net(account(build, desk, **settings)).orders) is passes


@pytest.mark.parametrize(
    ("price", "multiplier", "room"),
    [(0, 1, 5500), (None, 1, 5500), ("0.5", 1, 9975), (2, 20, 8000), (1, 20, 9000)],
)
def test_what_is_held_counts_at_its_price_or_else_at_what_it_cost(
    build: Any, price: int | str | None, multiplier: int, room: int
) -> None:
    """[M14] 50 of contract 3, bought at 90; the equity is 10,000. A price of 0 is none."""
    held = Contract("C3", con_id=3, multiplier=Decimal(multiplier))
    ledgers = {"EXTERNAL": book.post(book.EMPTY, held, build.entry(50))}
    prices = {1: build.price(1), 3: None if price is None else build.price(price)}
    known = {con_id: one for con_id, one in prices.items() if one is not None}
    desk = account(build, build.desk(ledgers=ledgers, prices=known))
    order = build.order({"a": room}, decision_price=Decimal(1))
    assert refusals(desk, [order]) == []
    (entry,) = refusals(desk, [build.order({"a": room + 1}, decision_price=Decimal(1))])
    assert entry.rule == "exposure_gross"


def test_what_nobody_can_price_counts_for_nothing_where_wishes_vanish(build: Any) -> None:
    """It cannot be compared, and ten thousand of it may be worth as little as one."""
    books = {"a": {1: 10}, "b": {1: 10}}
    desk = build.desk({"a": {1: 0}, "b": {1: 1, 3: 10_000}}, books)
    assert TARGETS_VANISHED in {entry.rule for entry in build.net(desk).refusals}
