from decimal import Decimal
from typing import Any

import pytest

from gateway.core.locks import (
    corrected,
    lifted,
    overfilled,
    repeated,
    unexplained,
    unknown_order,
    unlocked,
)
from schemas.documents import Lock


def locks(build: Any) -> dict[str, Lock]:
    return {
        "1": unexplained("SPY", Decimal(5), build.now),
        "2": overfilled(build.order({"a": 60}, contract=build.vixy), Decimal(2)),
        "3": unknown_order("C3", "paper-3-1", build.now),
        "5": repeated([build.order({"a": -5})], 1, build.now),
    }


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("1", "+5 SPY"),
        ("2", "+2 VIXY beyond its quantity of 60"),
        ("3", "paper-3-1"),
        ("5", "1 SELL orders in a row ended with nothing filled (paper-1-1); repeated_orders_max"),
    ],
)
def test_a_lock_says_what_and_what_to_do(build: Any, key: str, words: str) -> None:
    """(behaviour 9) One sentence: what, which value, what to do next."""
    reason = locks(build)[key].reason
    assert words in reason
    assert any(f"say {word}" in reason for word in ("adopt", "reconcile", "unlock"))


def test_a_lock_names_its_contract_its_kind_and_since_when(build: Any) -> None:
    """An order's lock began when the order was last heard of, or else made."""
    heard = build.order({"a": 60}, contract=build.vixy, updated_at=build.later(9))
    found = {
        **locks(build),
        "6": overfilled(heard, Decimal(2)),
        "7": corrected(heard, "x.02", "a", (Decimal(10), Decimal(-2))),
        "8": corrected(build.order({"a": 10}), "x.02", "a", (Decimal(10), Decimal(-2))),
    }
    assert {key: (lock.symbol, lock.kind, lock.since) for key, lock in found.items()} == {
        "1": ("SPY", "unexplained", build.now),
        "2": ("VIXY", "unexplained", build.now),
        "3": ("C3", "unknown_order", build.now),
        "5": ("SPY", "repeated", build.now),
        "6": ("VIXY", "unexplained", build.later(9)),
        "7": ("VIXY", "corrected", build.later(9)),
        "8": ("SPY", "corrected", build.now),
    }


@pytest.mark.parametrize(("quantity", "side"), [(1, "BUY"), (-1, "SELL")])
def test_repeated_orders_are_named_oldest_first_with_their_side(
    build: Any, quantity: int, side: str
) -> None:
    newest_first = [build.order({"a": quantity}, order_ref=f"paper-1-{n}") for n in (3, 2)]
    reason = repeated(newest_first, 2, build.now).reason
    assert reason.startswith(f"2 {side} orders in a row ")
    assert "(paper-1-2, paper-1-3)" in reason


def test_a_quantity_that_no_split_explains_ends_with_what_to_do(build: Any) -> None:
    """[B2] Nothing held and nothing explained are no split of each other."""
    assert unexplained("SPY", Decimal(0), build.now).reason.endswith("that explain it")
    assert unexplained("SPY", Decimal(7), build.now).reason.endswith("that explain it")


@pytest.mark.parametrize(("con_id", "left"), [(1, "235"), (2, "135"), (3, "1235"), (5, "1235")])
def test_explaining_lifts_the_locks_that_wait_for_it(build: Any, con_id: int, left: str) -> None:
    """[B3, R2] An order that nobody knows is not explained by an adoption."""
    assert set(lifted(locks(build), con_id)) == set(left)


@pytest.mark.parametrize(
    ("explained", "held", "words"),
    [
        (10, 20, "looks like a 2:1 split: say corporate_action"),
        (-10, -200, "looks like a 20:1 split: say corporate_action"),
        (40, 10, "looks like a 1:4 split: say corporate_action"),
        (10, 60, ""),
        (10, 19, ""),
        (10, 0, ""),
        (0, 10, ""),
        (10, -20, ""),
    ],
)
def test_an_unexplained_quantity_that_a_split_explains_says_so(
    build: Any, explained: int, held: int, words: str
) -> None:
    """[B2]"""
    missing = Decimal(held - explained)
    reason = unexplained("SPY", missing, build.now, Decimal(held)).reason
    assert ("split" in reason, words in reason) == (bool(words), True)


def test_a_corrected_book_waits_for_unlock_and_for_nothing_else(build: Any) -> None:
    """[A3]"""
    held = (Decimal(10), Decimal(-2))
    found = {"1": corrected(build.order({"a": 10}), "x.02", "a", held)}
    assert "turned a's +10 SPY into -2" in found["1"].reason
    assert lifted(found, 1) == found
    assert unlocked(found, 2) == found
    assert unlocked(found, 1) == {}
    assert set(unlocked(locks(build), 1)) == set(locks(build))


@pytest.mark.parametrize(("con_id", "left"), [(1, "1235"), (3, "1235"), (5, "123")])
def test_unlock_lifts_the_lock_of_repeated_orders_and_none_that_facts_settle(
    build: Any, con_id: int, left: str
) -> None:
    """[L] What is UNEXPLAINED, or an order that nobody knows, a person cannot wave through."""
    assert set(unlocked(locks(build), con_id)) == set(left)


def test_clues_follow_the_reason_each_as_a_clause(build: Any) -> None:
    lock = unexplained("SPY", Decimal(7), build.now, clues=("one may", "another may"))
    assert lock.reason.endswith("that explain it; one may; another may")
