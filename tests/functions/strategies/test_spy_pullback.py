"""SPY against its excursions."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from functions.decision import Weights
from functions.strategies.spy_pullback import Parameters, decide
from schemas.messages import Market

QUIET = [100.0, 100.2] * 32


def after(market: Market, closes: list[float]) -> Decimal:
    """The weight of SPY when its last closes are these."""
    series = tuple(QUIET + closes)[-65:]
    spy = replace(market.bars[0], open=series, high=series, low=series, close=series)
    decision = decide(replace(market, bars=(spy,)), Parameters(entry=1.5, exit=0.5))
    assert isinstance(decision, Weights)
    return decision.weights["SPY"]


@pytest.fixture
def market(half_hours: Any) -> Market:
    found: Market = half_hours.market("spy_pullback", half_hours.ends()[-1], 65)
    return found


def test_it_sells_a_jump_and_buys_a_drop(market: Market) -> None:
    assert after(market, [102.0]) == -1
    assert after(market, [98.0]) == 1


def test_it_stays_until_the_price_is_back_and_then_says_zero(market: Market) -> None:
    assert after(market, [102.0, 101.0]) == -1
    assert after(market, [102.0, 101.0, 100.2]) == 0


def test_it_is_flat_while_nothing_moves(market: Market) -> None:
    assert after(market, [100.0] * 65) == 0


def test_on_recorded_bars_it_trades_one_to_five_times_a_day(recorded_half_hours: Any) -> None:
    ends = recorded_half_hours.ends()[100:750]
    weights = [
        decide(recorded_half_hours.market("spy_pullback", end, 65), Parameters()) for end in ends
    ]
    changes = sum(before.weights != now.weights for before, now in pairwise(weights))  # type: ignore[union-attr]
    assert 1 <= changes / 50 <= 5


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"window": 1}, "window must be at least 2"),
        ({"entry": 0.5, "exit": 0.5}, "exit must be at least 0 and below entry"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Parameters(**parameters)
