from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.candidate import (
    Candidate,
    draft,
    first_refusal,
    growing,
    held,
    is_increasing,
    only,
    refuse,
)
from schemas.values import OrderType


def candidate(build: Any, shares: dict[str, int], **parts: Any) -> Candidate:
    quantity = Decimal(sum(shares.values()))
    known = {"contract": build.spy, "reducing": False, "price": build.price(), "rate": Decimal(1)}
    return Candidate(quantity=quantity, shares=build.shares(shares), **{**known, **parts})


@pytest.mark.parametrize(
    ("before", "change", "grows"),
    [(0, 1, True), (5, 1, True), (5, -1, False), (5, -5, False), (5, -6, True), (-5, 6, True)],
)
def test_increasing_is_away_from_0_or_through_it(before: int, change: int, grows: bool) -> None:
    """[N6]"""
    assert is_increasing(Decimal(before), Decimal(change)) is grows


def test_an_order_is_worth_its_quantity_and_a_cross_its_largest_share(build: Any) -> None:
    assert candidate(build, {"a": -7, "b": -3}).notional == 1000
    assert candidate(build, {"a": 7, "b": -4, "c": -3}, is_cross=True).notional == 700
    assert candidate(build, {"a": 7}, price=None).notional == 0


def test_money_is_price_times_multiplier_times_rate(build: Any) -> None:
    """[M14] Two ES at 100 points of 50 dollars each, in an account in euros at 0.9 a dollar."""
    future = replace(build.spy, multiplier=Decimal(50))
    looked_at = candidate(build, {"a": -2}, contract=future, rate=Decimal("0.9"))
    assert (looked_at.unit, looked_at.notional) == (Decimal(4500), Decimal(9000))


@pytest.mark.parametrize("parts", [{"price": None}, {"rate": None}])
def test_what_cannot_be_measured_has_no_unit(build: Any, parts: dict[str, Any]) -> None:
    """[M14] A missing rate is never 1."""
    looked_at = candidate(build, {"a": 7}, **parts)
    assert (looked_at.unit, looked_at.notional) == (None, Decimal(0))


def test_a_price_of_0_measures_nothing(build: Any) -> None:
    assert candidate(build, {"a": 7}, price=build.price(0)).unit is None


def test_growing_shares_are_those_that_take_their_own_book_further_from_0(build: Any) -> None:
    desk = build.desk({}, {"a": {1: -10}, "b": {1: 5}})
    found = growing(candidate(build, {"a": 10, "b": 1, "c": 1}), desk)
    assert [share.strategy for share in found] == ["b", "c"]
    assert (held(desk, "b", 1), held(desk, "b", 2), held(desk, "z", 1)) == (
        Decimal(5),
        Decimal(0),
        Decimal(0),
    )


def test_a_refusal_names_all_whose_business_it_is(build: Any) -> None:
    whole = candidate(build, {"b": 2, "a": 1})
    assert refuse(whole, "rule", "why", "3", "2").strategies == ("a", "b")
    assert refuse(only(whole, frozenset({"b"})), "rule", "why", "3", "2").strategies == ("b",)


def test_the_first_rule_that_refuses_ends_the_matter(build: Any) -> None:
    looked_at = candidate(build, {"a": 1})
    said = [refuse(looked_at, rule, "why", "3", "2") for rule in ("one", "two")]
    rules = [lambda *_, answer=answer: answer for answer in (None, *said)]
    assert first_refusal(rules, looked_at, build.desk(), build.now) == said[0]
    assert first_refusal(rules[:1], looked_at, build.desk(), build.now) is None


def test_a_draft_is_the_next_order_of_its_contract(build: Any) -> None:
    """At market, and valid as long as a target is fresh."""
    desk = build.desk(generations={1: 4})
    order = draft(candidate(build, {"a": -7, "b": -3}, reducing=True), desk, "run-1", build.now)
    assert (order.order_ref, order.generation, order.state) == ("paper-1-5", 5, "PENDING")
    assert (order.order_type, order.tif) == (OrderType.MKT, "DAY")
    assert (order.quantity, order.decision_price) == (Decimal(-10), Decimal(100))
    assert (order.decision_at, order.is_reducing) == (build.now, True)
    assert order.valid_until == build.later(desk.settings.fresh_minutes * 60)
