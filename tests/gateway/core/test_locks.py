from decimal import Decimal
from typing import Any

import pytest

from gateway.core.locks import lifted, overfilled, unexplained, unknown_order
from schemas.documents import Lock


def locks(build: Any) -> dict[str, Lock]:
    return {
        "1": unexplained("SPY", Decimal(5), build.now),
        "2": overfilled(build.order({"a": 60}, contract=build.vixy), Decimal(2)),
        "3": unknown_order("C3", "paper-3-1", build.now),
    }


@pytest.mark.parametrize(
    ("key", "words"),
    [("1", "+5 SPY"), ("2", "+2 VIXY beyond its quantity of 60"), ("3", "paper-3-1")],
)
def test_a_lock_says_what_and_what_to_do(build: Any, key: str, words: str) -> None:
    """(behaviour 9) One sentence: what, which value, what to do next."""
    reason = locks(build)[key].reason
    assert words in reason
    assert "say adopt" in reason or "say reconcile" in reason


@pytest.mark.parametrize(("con_id", "left"), [(1, "23"), (2, "13"), (3, "123"), (4, "123")])
def test_explaining_lifts_the_locks_that_wait_for_it(build: Any, con_id: int, left: str) -> None:
    """[B3, R2] An order that nobody knows is not explained by an adoption."""
    assert set(lifted(locks(build), con_id)) == set(left)
