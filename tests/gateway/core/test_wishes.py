from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.desk import Desk
from gateway.core.wishes import contracts, in_flight_shares, wanted_changes, whole
from schemas.documents import WantedChange


def wish(build: Any, desk: Desk, strategy: str = "a") -> WantedChange | None:
    return next((c for c in build.wanted(desk) if c.strategy == strategy), None)


def change(build: Any, desk: Desk, strategy: str = "a") -> Decimal:
    found = wish(build, desk, strategy)
    return found.change if found else Decimal(0)


def flying(build: Any, quantity: int, filled: int = 0) -> Any:
    return build.order({"a": quantity}, filled=Decimal(filled))


@pytest.mark.parametrize(
    ("target", "held", "in_flight", "wanted"),
    [(100, 0, 0, 100), (100, 40, 0, 60), (100, 40, 60, 0), (0, 40, 0, -40), (-10, 40, 0, -50)],
)
def test_a_wanted_change_is_the_target_less_book_and_flight(
    build: Any, target: int, held: int, in_flight: int, wanted: int
) -> None:
    """[N3]"""
    orders = [flying(build, in_flight)] if in_flight else []
    desk = build.desk({"a": {1: target}}, {"a": {1: held}}, orders=orders)
    assert change(build, desk) == wanted


def test_a_part_filled_order_counts_with_its_rest(build: Any) -> None:
    """[N3] 25 of 60 are in the book already; the other 35 are in flight."""
    desk = build.desk({"a": {1: 60}}, {"a": {1: 25}}, orders=[flying(build, 60, filled=25)])
    assert change(build, desk) == 0


def test_an_overfilled_order_leaves_nothing_in_flight(build: Any) -> None:
    """[A2] It must not raise either: a gateway that cannot net cannot close."""
    assert in_flight_shares(flying(build, 60, filled=61)) == {"a": 0}


def test_a_contract_without_an_order_has_nothing_in_flight() -> None:
    assert in_flight_shares(None) == {}


HOLDS = {
    "it says hold": {"last_status": "hold"},
    "it says error": {"last_status": "error"},
    "it is stale": {"valid_until": timedelta(seconds=-1)},
    "it names other contracts": {"named": {2: 5}},
}


@pytest.mark.parametrize("parts", HOLDS.values(), ids=HOLDS.keys())
@pytest.mark.parametrize("held", [40, 0, -40])
def test_a_strategy_keeps_its_book_when(build: Any, parts: dict[str, Any], held: int) -> None:
    """[N2, T1, M1] Never a liquidation by omission."""
    named, told = parts.get("named", {1: 100}), {k: v for k, v in parts.items() if k != "named"}
    if "valid_until" in told:
        told["valid_until"] += build.now
    desk = build.desk({"a": build.said("a", named, **told)}, {"a": {1: held}})
    assert change(build, desk) == 0


@pytest.mark.parametrize("strategies", ["disabled", "deleted", "silent"])
def test_a_strategy_that_takes_no_part_keeps_its_book(build: Any, strategies: str) -> None:
    """[N2, B6]"""
    known = {"disabled": {"a": build.strategy(enabled=False)}, "deleted": {}}
    targets = {} if strategies == "silent" else {"a": {1: 100}}
    desk = build.desk(targets, {"a": {1: 40}}, strategies=known.get(strategies, {}))
    assert change(build, desk) == 0
    found = wish(build, desk)
    assert found is not None
    assert found.reason.startswith("held: ")


def test_targets_count_until_the_very_end_of_their_validity(build: Any) -> None:
    said = build.said("a", {1: 100}, valid_until=build.now)
    assert change(build, build.desk({"a": said})) == 100


@pytest.mark.parametrize(
    ("held", "in_flight", "wanted"),
    [(0, 60, -60), (40, 60, -60), (100, -60, 0), (40, -60, 20), (-40, -10, 10), (-40, 10, 0)],
)
def test_holding_cancels_what_increases_and_lets_finish_what_reduces(
    build: Any, held: int, in_flight: int, wanted: int
) -> None:
    """[N2] A positive wish against a sale in flight means: sell that much less."""
    desk = build.desk({"a": {}}, {"a": {1: held}}, orders=[flying(build, in_flight)])
    assert change(build, desk) == wanted


@pytest.mark.parametrize("said", [{1: 100}, {}])
@pytest.mark.parametrize("configured", [{"weight": Decimal(0)}, {"flatten": True}])
def test_weight_0_or_flatten_means_0_whatever_was_said(
    build: Any, said: dict[int, int], configured: dict[str, Any]
) -> None:
    """[N2]"""
    strategies = {"a": build.strategy(**configured)}
    assert change(build, build.desk({"a": said}, {"a": {1: 40}}, strategies=strategies)) == -40


def test_a_missing_weight_is_no_0(build: Any) -> None:
    """[N2]"""
    strategies = {"a": build.strategy(weight=None)}
    assert change(build, build.desk({"a": {1: 40}}, {"a": {1: 40}}, strategies=strategies)) == 0


@pytest.mark.parametrize(("said", "sized"), [("1.9", 1), ("-1.9", -1), ("0.9", 0)])
def test_sizes_go_toward_zero_to_whole_shares(build: Any, said: str, sized: int) -> None:
    """[N9]"""
    assert whole(Decimal(said)) == sized
    assert change(build, build.desk({"a": {1: said}})) == sized


def test_a_book_with_a_fraction_still_orders_whole_shares(build: Any) -> None:
    """IB refuses fractions (10243), so that a dividend in shares must not block a close."""
    assert change(build, build.desk({"a": {1: 0}}, {"a": {1: "10.5"}})) == -10


@pytest.mark.parametrize(("target", "wanted"), [(101, 0), (102, 2), (99, 0), (98, -2)])
def test_a_change_within_the_band_is_left_alone(build: Any, target: int, wanted: int) -> None:
    """[N9] 1 of 100 at the bound, 2 above it."""
    settings = build.settings(rebalance_band=Decimal("0.0102"))
    desk = build.desk({"a": {1: target}}, {"a": {1: 100}}, settings=settings)
    assert change(build, desk) == wanted


@pytest.mark.parametrize(("target", "wanted"), [(2, 0), (3, 3)])
def test_a_change_worth_too_little_is_left_alone(build: Any, target: int, wanted: int) -> None:
    """[N9] 2 x 100 is below 300, 3 x 100 is not."""
    settings = build.settings(order_notional_min=Decimal(300))
    assert change(build, build.desk({"a": {1: target}}, settings=settings)) == wanted


@pytest.mark.parametrize("held", [1, -1])
def test_a_close_is_never_too_small(build: Any, held: int) -> None:
    """[N9]"""
    settings = build.settings(order_notional_min=Decimal(10**6), rebalance_band=Decimal(9))
    desk = build.desk({"a": {1: 0}}, {"a": {1: held}}, settings=settings)
    assert change(build, desk) == -held


def test_a_suppressed_change_says_so(build: Any) -> None:
    """[N9] A weight that yields nothing is reported."""
    settings = build.settings(order_notional_min=Decimal(300))
    found = wish(build, build.desk({"a": {1: 2}}, settings=settings))
    assert found is not None
    assert "[N9]" in found.reason


def test_a_dry_runs_targets_lie_over_the_stored_ones(build: Any) -> None:
    desk = build.desk({"a": {1: 10}})
    overlay = {"a": build.said("a", {1: 100})}
    assert [c.change for c in build.wanted(desk, overlay=overlay)] == [100]


def test_external_alone_puts_no_contract_up_for_trade(build: Any) -> None:
    """[B2, M2] What no strategy names, holds or has in flight is never touched."""
    desk = build.desk({"a": {1: 5}}, {"b": {2: 5}, "EXTERNAL": {3: 5}}, orders=[])
    assert set(contracts(desk, {})) == {1, 2}


def test_wanted_changes_come_by_conid_and_by_name_of_those_concerned(build: Any) -> None:
    """[N3]"""
    order = build.order({"b": 3, "a": 5})
    desk = build.desk({"a": {2: 5, 1: 7}, "b": {1: 3}}, {"b": {1: 2}, "c": {3: 4}}, orders=[order])
    found = wanted_changes(desk, {}, build.now)
    names = {con_id: [c.strategy for c in changes] for con_id, (_, changes) in found.items()}
    assert list(names.items()) == [(1, ["a", "b"]), (2, ["a"]), (3, ["c"])]
    assert {c.strategy: c.change for c in found[1][1]} == {"a": 2, "b": -2}


def test_who_neither_wants_nor_has_anything_is_not_concerned(build: Any) -> None:
    desk = build.desk({"a": {1: 0}, "b": {1: 5}})
    assert [c.strategy for c in build.wanted(desk)] == ["b"]


def test_where_targets_name_a_contract_twice_the_first_counts(build: Any) -> None:
    """[N2]"""
    once, again = build.said("a", {1: 5}), build.said("a", {1: 9})
    twice = replace(once, targets=(*once.targets, *again.targets))
    (change,) = build.wanted(build.desk({"a": twice}))
    assert change.effective_target == 5
