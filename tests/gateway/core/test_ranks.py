from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.ranks import behind, priority, ranked, refused, what
from schemas.documents import OrderDocument


def orders(build: Any) -> list[OrderDocument]:
    """1 is of a and 10 SPY, 2 is of b and 5 VIXY, 3 is of nobody configured and 5 of contract 3."""
    wanted = [(1, {"a": 10}), (2, {"b": 5}), (3, {"z": 5})]
    return [build.order(shares, contract=build.contract(con_id)) for con_id, shares in wanted]


def quantity(order: OrderDocument) -> Decimal:
    return abs(order.quantity)


@pytest.mark.parametrize(
    ("priorities", "by_rank"),
    [((0, 0), [2, 3, 1]), ((1, 0), [1, 2, 3]), ((0, -1), [3, 1, 2]), ((2, 5), [2, 1, 3])],
)
def test_orders_rank_by_priority_then_smallest_first_then_by_ref(
    build: Any, priorities: tuple[int, int], by_rank: list[int]
) -> None:
    """(behaviour 4.2)"""
    strategies = {
        name: build.strategy(priority=one) for name, one in zip("ab", priorities, strict=True)
    }
    found = ranked(build.desk(strategies=strategies), reversed(orders(build)), quantity)
    assert [order.contract.con_id for order in found] == by_rank


def test_an_order_ranks_with_the_highest_of_its_strategies(build: Any) -> None:
    strategies = {"a": build.strategy(priority=1), "b": build.strategy(priority=3)}
    desk = build.desk(strategies=strategies)
    assert priority(desk, build.order({"a": 1, "b": 1, "z": 1})) == 3
    assert priority(desk, build.order({"z": 1})) == 0


def test_a_refused_order_is_refused_for_all_its_strategies(build: Any) -> None:
    entry = refused(build.order({"b": 7, "a": 8}), "margin", "no.", "1", "2")
    assert (entry.rule, entry.sentence, entry.symbol, entry.con_id) == ("margin", "no.", "SPY", 1)
    assert (entry.strategies, entry.value, entry.bound) == (("a", "b"), "1", "2")


def test_who_comes_behind_is_told_after_whom_and_for_what(build: Any) -> None:
    first, second, _ = orders(build)
    entry = behind(second, refused(first, "margin", "too much", "1", "2"))
    assert entry.sentence == "+5 VIXY comes after SPY, for which margin does not reach; see there"
    assert (entry.rule, entry.symbol, entry.value, entry.bound) == ("margin", "VIXY", "1", "2")
    assert what(first) == "+10 SPY"


def test_months_of_one_future_are_told_apart(build: Any) -> None:
    june = replace(build.spy, symbol="MES", sec_type="FUT", local_symbol="MESM6")
    order = build.order({"a": 1}, contract=june)
    assert (what(order), refused(order, "margin", "no.", "1", "2").symbol) == ("+1 MESM6", "MESM6")
