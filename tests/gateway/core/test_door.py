"""The Knight invariant: what is written never exceeds what was journaled, and never twice."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.door import Breach, check
from schemas.documents import OrderDocument, Share


def order(build: Any, **parts: Any) -> OrderDocument:
    made: OrderDocument = build.order({"a": 6, "b": 4}, state="PENDING")
    return replace(made, **parts)


def breach(
    written: OrderDocument, parent: OrderDocument | None, sent: Mapping[str, str] | None = None
) -> str:
    with pytest.raises(Breach) as told:
        check(written, parent, sent or {})
    return str(told.value)


@pytest.mark.parametrize(
    "sent", [{}, {"paper-1-0": "DONE"}, {"paper-2-1": "WORKING"}, {"paper-11-1": "WORKING"}]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_journaled_order_goes_out_once_the_one_before_is_over(
    build: Any, sent: dict[str, str], sign: int
) -> None:
    """[N5]"""
    made = build.order({"a": 6 * sign, "b": 4 * sign}, state="PENDING")
    check(made, made, sent)


def test_no_order_is_written_twice(build: Any) -> None:
    told = breach(order(build), order(build), {"paper-1-1": "DONE"})
    assert told == "paper-1-1 was written to the broker before"


def test_no_order_is_written_that_was_not_journaled(build: Any) -> None:
    """[W1]"""
    assert "never journaled" in breach(order(build), None)
    elsewhere = order(build, contract=build.vixy)
    assert "another contract" in breach(elsewhere, order(build))


@pytest.mark.parametrize("state", ["WORKING", "CANCELLING", "UNKNOWN", "DONE"])
def test_only_a_pending_order_is_written(build: Any, state: Any) -> None:
    """Whether the approved order says so or what was heard of it since."""
    assert f"is {state}" in breach(order(build), order(build, state=state))
    assert f"is {state}" in breach(order(build, state=state), order(build))


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"a": 6, "b": 3}, "allocations are of +9"),
        ({"a": 6, "b": 5}, "allocations are of +11"),
        ({}, "allocations are of +0"),
        ({"a": 12, "b": -2}, "not all of one side"),
        ({"a": 10, "b": 0}, "not all of one side"),
    ],
)
def test_the_allocations_are_the_quantity_and_of_one_side(
    build: Any, shares: dict[str, int], words: str
) -> None:
    """[N5]"""
    told = breach(order(build, allocations=build.shares(shares)), order(build))
    assert told.endswith(words)


def test_a_part_of_a_share_goes_out_like_whole_ones(build: Any) -> None:
    half = Decimal("0.5")
    made = order(build, quantity=half, allocations=(Share("a", half),))
    check(made, made, {})


def test_nothing_is_written_for_a_parent_that_meant_nothing(build: Any) -> None:
    assert "beyond the +0 that" in breach(order(build), order(build, quantity=Decimal(0)))


@pytest.mark.parametrize("field", ["filled", "broker_filled"])
@pytest.mark.parametrize("filled", [1, -1])
def test_nothing_is_written_beside_what_is_filled_already(
    build: Any, field: str, filled: int
) -> None:
    """Filled and written together are beyond the parent's 10."""
    parent = order(build, **{field: Decimal(filled)})
    assert "+10 with 1 filled, beyond the +10" in breach(order(build), parent)


@pytest.mark.parametrize(("meant", "passes"), [(10, True), (9, False), (-10, False)])
def test_nothing_is_written_beyond_what_was_journaled(build: Any, meant: int, passes: bool) -> None:
    parent = order(build, quantity=Decimal(meant))
    if passes:
        check(order(build), parent, {})
    else:
        assert "beyond the" in breach(order(build), parent)


@pytest.mark.parametrize("state", ["PENDING", "WORKING", "CANCELLING", "UNKNOWN"])
def test_no_order_is_written_beside_one_that_is_not_over(build: Any, state: str) -> None:
    """[N5]"""
    told = breach(order(build), order(build), {"paper-1-0": state})
    assert told == f"paper-1-1 would stand beside paper-1-0, which is {state}"
