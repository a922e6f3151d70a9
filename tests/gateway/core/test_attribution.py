from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.core.attribution import (
    Turn,
    attribute,
    crossed,
    entries,
    foreign,
    overfill,
    owner_of_foreign,
    turned,
    webster,
    with_shares,
)
from gateway.core.book import EMPTY, quantity
from gateway.core.orders import fill
from schemas.documents import OrderDocument, Share
from schemas.values import Contract

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


def partly_filled(build: Any, *fills: int, **parts: Any) -> OrderDocument:
    order: OrderDocument = build.order({"a": 7, "b": 7, "c": 1}, **parts)
    for number, executed in enumerate(fills):
        order = fill(order, build.execution(f"x.{number}.01", executed), build.now)
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


def test_executions_that_are_not_ours_are_external_s_and_of_currency_pairs_cash_s() -> None:
    """[B1, B2]"""
    assert owner_of_foreign(Contract("SPY")) == "EXTERNAL"
    assert owner_of_foreign(Contract("EUR", sec_type="CASH")) == "CASH"


def test_cost_counts_the_multiplier(build: Any) -> None:
    order = build.order({"a": 1}, contract=replace(build.spy, multiplier=Decimal(50)))
    filled = fill(order, build.execution("x.1.01", 1), build.now)
    assert entries(filled)["a"].cost == 5000


def test_an_orders_entry_says_from_which_order_and_of_what_time_it_is(build: Any) -> None:
    """[B1] Books fold entries by their times, so an order's is of when it was made."""
    order = partly_filled(build, 15, created_at=build.later(-5))
    assert {(e.source, e.at) for e in entries(order).values()} == {("paper-1-1", build.later(-5))}


def test_an_unfilled_order_moves_no_book(build: Any) -> None:
    none = entries(partly_filled(build)).values()
    assert len(none) == 3
    assert not any(e.quantity or e.cost or e.commission for e in none)


def test_attributing_leaves_the_other_books_and_adds_to_what_is_held(build: Any) -> None:
    ledgers = {"a": build.ledger({1: 3}), "z": build.ledger({1: 9})}
    after = attribute(ledgers, partly_filled(build, 15))
    assert {name: int(quantity(ledger, 1)) for name, ledger in after.items()} == {
        "a": 10,
        "b": 7,
        "c": 1,
        "z": 9,
    }


def test_a_cross_moves_each_book_at_its_price_and_multiplier(build: Any) -> None:
    """[N4] a bought 40 of b at 100, of a contract that stands for 50."""
    future = replace(build.spy, multiplier=Decimal(50))
    cross = replace(build.cross_document(), contract=future, at=build.later(3))
    before = {"b": build.ledger({1: 60}), "z": build.ledger({1: 9})}
    after = crossed(before, cross)
    assert {name: int(quantity(ledger, 1)) for name, ledger in after.items()} == {
        "a": 40,
        "b": 20,
        "z": 9,
    }
    entry = after["a"].positions["1"].entries[0]
    assert (entry.source, entry.at) == ("paper-1-1-cross", build.later(3))
    assert after["a"].positions["1"].cost == 40 * 100 * 50
    assert set(before) == {"b", "z"}


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


def shares_of(order: OrderDocument, key: str) -> dict[str, int]:
    return {share.strategy: int(share.quantity) for share in order.executions[key].shares}


def test_the_shares_of_all_executions_sum_to_what_each_book_got(build: Any) -> None:
    """[A1] Also of several that were heard of at once."""
    first = partly_filled(build)
    heard = first
    for number, executed in enumerate((8, 3, 4)):
        heard = fill(heard, build.execution(f"x.{number}.01", executed), build.now)
    told = with_shares(first, heard)
    assert [sum(shares_of(told, f"x.{n}").values()) for n in range(3)] == [8, 3, 4]
    summed = {name: sum(shares_of(told, f"x.{n}").get(name, 0) for n in range(3)) for name in "abc"}
    assert summed == {"a": 7, "b": 7, "c": 1}


def test_shares_once_told_stay_as_they_were_told(build: Any) -> None:
    """Only what is new is shared: the same order again is the same order."""
    first = partly_filled(build)
    told = with_shares(first, fill(first, build.execution("x.1.01", 8), build.now))
    assert with_shares(told, told) == told
    more = with_shares(told, fill(told, build.execution("x.2.01", 7), build.now))
    assert more.executions["x.1"] == told.executions["x.1"]
    assert shares_of(more, "x.2") == {"a": 3, "b": 3, "c": 1}


def test_what_is_executed_beyond_the_order_has_no_shares(build: Any) -> None:
    """[A2] The books hold 15; the other 2 are UNEXPLAINED."""
    before = partly_filled(build, 14)
    after = with_shares(before, fill(before, build.execution("x.9.01", 3), build.now))
    assert sum(shares_of(after, "x.9").values()) == 1


@pytest.mark.parametrize(
    ("exec_id", "executed", "turns"),
    [
        ("x.0.02", 4, [Turn("x.0.02", "a", Decimal(5), Decimal(-1))]),
        ("x.0.02", 9, []),
        ("x.1.01", 4, []),
    ],
)
def test_only_a_correction_turns_a_book(
    build: Any, exec_id: str, executed: int, turns: list[Turn]
) -> None:
    """[A3] Sold 5 since 10 were bought; the purchase is corrected to 4. A fill turns none."""
    first = build.order({"a": 15})
    bought = fill(first, build.execution("x.0.01", 10), build.now)
    fixed = fill(bought, build.execution(exec_id, executed), build.now)
    sold = {"a": build.ledger({1: -5}), "b": build.ledger({1: 1})}
    was, now = attribute(sold, bought), attribute(sold, fixed)
    assert turned(was, now, bought, fixed) == turns


def test_a_foreign_execution_costs_its_price_times_the_multiplier(build: Any) -> None:
    """[B2]"""
    future = replace(build.spy, multiplier=Decimal(50))
    execution = build.execution(
        "f.1.01", 2, contract=future, at=build.later(7), commission=Decimal(3)
    )
    held = foreign(build.ledger({2: 4}), execution, "f.1").positions
    assert (int(held["1"].cost), int(held["1"].commission)) == (10_000, 3)
    assert held["1"].contract == future
    assert [(e.source, e.at) for e in held["1"].entries] == [("f.1", build.later(7))]
    assert held["2"].quantity == 4


def test_external_moves_by_foreign_executions_once_each(build: Any) -> None:
    """[B2]"""
    execution = build.execution("f.1.01", -5, order_ref="", commission=Decimal(1))
    once = foreign(EMPTY, execution, "f.1")
    assert once.positions["1"].quantity == -5
    assert once.positions["1"].cost == -500
    assert foreign(once, execution, "f.1") == once


def test_a_foreign_execution_told_again_without_its_commission_keeps_it_and_its_currency(
    build: Any,
) -> None:
    """[B2, M14]"""
    cost = {"commission": Decimal(1), "commission_currency": "EUR"}
    paid = foreign(EMPTY, build.execution("f.1.01", -5, order_ref="", **cost), "f.1")
    again = foreign(paid, build.execution("f.1.01", -5, order_ref=""), "f.1")
    assert again == paid
    assert again.positions["1"].commission_currency == "EUR"


def test_tens_are_shared_by_ones() -> None:
    """The unit is 1 even where all numbers are tens."""
    assert shared(10, [10, 10]) == [5, 5]
    assert shared(0, [0, 0]) == [0, 0]


def test_a_foreign_execution_is_paid_as_last_told_and_for_nothing_before(build: Any) -> None:
    """[B2]"""
    ledger = EMPTY
    for told, paid in ((None, 0), (Decimal(1), 1), (Decimal(2), 2), (None, 2)):
        ledger = foreign(ledger, build.execution("f.1.01", 2, commission=told), "f.1")
        assert ledger.positions["1"].commission == paid


def test_a_book_that_is_not_there_yet_held_nothing(build: Any) -> None:
    """[A3]"""
    bought = fill(build.order({"a": 15}), build.execution("x.0.01", 10), build.now)
    fixed = fill(bought, build.execution("x.0.02", 4), build.now)
    assert turned({}, attribute({}, fixed), bought, fixed) == [
        Turn("x.0.02", "a", Decimal(0), Decimal(4))
    ]


def test_what_was_paid_is_in_the_currency_of_the_order(build: Any) -> None:
    order = replace(partly_filled(build, 15), commission=Decimal(3), commission_currency="EUR")
    assert {entry.commission_currency for entry in entries(order).values()} == {"EUR"}
