"""Seeded answers."""

from typing import Any

import pytest

from functions.decision import Quantities
from functions.strategies.dummy import Parameters, decide


def test_the_same_seed_gives_the_same_day_and_another_seed_another(half_hours: Any) -> None:
    def day(seed: int) -> list[object]:
        markets = [half_hours.market("dummy", end, 13) for end in half_hours.ends()[-13:]]
        return [decide(market, Parameters(seed=seed)) for market in markets]

    assert day(7) == day(7)
    assert day(7) != day(8)


def test_it_stays_within_its_bound(half_hours: Any) -> None:
    for end in half_hours.ends()[13:]:
        decision = decide(half_hours.market("dummy", end, 13), Parameters(quantity_max=2))
        assert isinstance(decision, Quantities)
        assert -2 <= decision.quantities["SPY"] <= 2


def test_a_negative_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="quantity_max"):
        Parameters(quantity_max=-1)
