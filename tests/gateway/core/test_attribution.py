from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core.attribution import attribute, entries, foreign, overfill, webster, with_shares
from gateway.core.book import EMPTY
from gateway.core.orders import fill
from schemas.documents import OrderDocument, Share

WEIGHTS = st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any)


def shared(total: int | str, weights: list[int]) -> list[Decimal]:
    allocations = [Share("abcdefgh"[i], Decimal(w)) for i, w in enumerate(weights)]
    return [share.quantity for share in webster(Decimal(total), allocations)]


def seat_by_seat(total: int, weights: list[int]) -> list[int]:
    """The definition: each seat to the highest weight / (2 x seats + 1), ties to the first."""
    seats = [0] * len(weights)
    for _ in range(total):
        quotients = [Fraction(w, 2 * s + 1) for w, s in zip(weights, seats, strict=True)]
        seats[quotients.index(max(quotients))] += 1
    return seats


def partly_filled(build: Any, *fills: int) -> OrderDocument:
    order: OrderDocument = build.order({"a": 7, "b": 7, "c": 1})
    for number, quantity in enumerate(fills):
        order = fill(order, build.execution(f"x.{number}.01", quantity), build.now)
    return order


@given(weights=WEIGHTS, data=st.data())
def test_webster_is_the_seat_by_seat_definition(weights: list[int], data: st.DataObject) -> None:
    """[A2]"""
    total = data.draw(st.integers(0, sum(weights)))
    assert shared(total, weights) == seat_by_seat(total, weights)


@given(weights=WEIGHTS, data=st.data())
def test_the_parts_sum_to_the_fill_and_never_fall(weights: list[int], data: st.DataObject) -> None:
    """[A2] A share that fell as the total grew would take back what was attributed."""
    total = data.draw(st.integers(0, sum(weights) - 1))
    less, more = shared(total, weights), shared(total + 1, weights)
    assert sum(less) == total
    assert all(a <= b for a, b in zip(less, more, strict=True))


@given(weights=WEIGHTS)
def test_a_full_fill_gives_everyone_what_was_allocated(weights: list[int]) -> None:
    """[A2]"""
    assert shared(sum(weights), weights) == weights


@given(weights=WEIGHTS, data=st.data())
def test_sales_are_shared_like_purchases(weights: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    sold = shared(-total, [-w for w in weights])
    assert [-quantity for quantity in sold] == shared(total, weights)


@pytest.mark.parametrize("name", ["a", "b"])
def test_ties_go_to_the_id_that_sorts_first(name: str) -> None:
    """[A2] Whatever the order in which the allocations stand."""
    allocations = [Share("b", Decimal(5)), Share("a", Decimal(5))]
    if name == "a":
        allocations.reverse()
    assert Share("a", Decimal(1)) in webster(Decimal(1), allocations)


def test_fractions_are_shared_in_the_finest_unit_that_occurs() -> None:
    assert shared("0.3", [1, 1]) == [Decimal("0.2"), Decimal("0.1")]


@pytest.mark.parametrize("total", [16, -1])
def test_a_fill_outside_the_allocations_is_nobodys_to_share(total: int) -> None:
    with pytest.raises(ValueError, match="cannot be shared"):
        shared(total, [7, 7, 1])


def test_allocations_of_both_signs_are_refused() -> None:
    """Opposite wishes have crossed before there is an order [N4]."""
    with pytest.raises(ValueError, match="both signs"):
        shared(1, [3, -1])


def test_eleven_of_seven_seven_one_split_alike_as_8_and_3_or_3_and_8(build: Any) -> None:
    """The second worked example of behaviour.md, section 3 [A2]."""
    one, other = partly_filled(build, 8, 3), partly_filled(build, 3, 8)
    assert entries(one) == entries(other)
    assert [e.quantity for e in entries(one).values()] == [5, 5, 1]


def test_cost_is_at_the_parents_average_price_and_commission_in_proportion(build: Any) -> None:
    """[A2] 10 at 100 and 5 at 103 are 15 at 101."""
    order = partly_filled(build, 10)
    last = build.execution("x.9.01", 5, price=Decimal(103), commission=Decimal(3))
    posted = entries(fill(order, last, build.now))
    assert [e.cost for e in posted.values()] == [707, 707, 101]
    assert [e.commission for e in posted.values()] == [
        Decimal("1.4"),
        Decimal("1.4"),
        Decimal("0.2"),
    ]


def test_cost_counts_the_multiplier(build: Any) -> None:
    order = build.order({"a": 1}, contract=replace(build.spy, multiplier=Decimal(50)))
    filled = fill(order, build.execution("x.1.01", 1), build.now)
    assert entries(filled)["a"].cost == 5000


def test_attributing_again_changes_nothing(build: Any) -> None:
    """[A1]"""
    order = partly_filled(build, 8)
    once = attribute({}, order)
    assert attribute(once, order) == once


@pytest.mark.parametrize(("filled", "beyond"), [(14, 0), (15, 0), (17, 2)])
def test_what_is_filled_beyond_the_order_is_nobodys(build: Any, filled: int, beyond: int) -> None:
    """[A2]"""
    order = partly_filled(build, filled)
    assert overfill(order) == beyond
    assert sum(e.quantity for e in entries(order).values()) == filled - beyond


def test_a_fill_against_the_order_is_nobodys(build: Any) -> None:
    """It cannot be; if it is, the books must not guess and the gateway must not fall over."""
    order = partly_filled(build, -2)
    assert overfill(order) == -2
    assert sum(e.quantity for e in entries(order).values()) == 0


def test_an_executions_shares_are_what_it_added_to_the_cumulative_ones(build: Any) -> None:
    before = partly_filled(build, 8)
    after = with_shares(before, fill(before, build.execution("x.9.01", 3), build.now))
    assert sum(s.quantity for s in after.executions["x.9"].shares) == 3


def test_a_corrected_execution_carries_corrected_shares(build: Any) -> None:
    """[A3]"""
    first = build.order({"a": 7, "b": 7, "c": 1})
    filled = with_shares(first, fill(first, build.execution("x.1.01", 11), build.now))
    fixed = with_shares(filled, fill(filled, build.execution("x.1.02", 8), build.now))
    assert {s.strategy: s.quantity for s in fixed.executions["x.1"].shares} == {"a": 4, "b": 4}


def test_external_moves_by_foreign_executions_once_each(build: Any) -> None:
    """[B2]"""
    execution = build.execution("f.1.01", -5, order_ref="", commission=Decimal(1))
    once = foreign(EMPTY, execution, "f.1")
    assert once.positions["1"].quantity == -5
    assert once.positions["1"].cost == -500
    assert foreign(once, execution, "f.1") == once
