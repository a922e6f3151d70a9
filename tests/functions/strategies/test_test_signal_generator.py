"""The half-hour MACD of SPY."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from functions.decision import Hold, Weights
from functions.strategies.test_signal_generator import Parameters, decide
from schemas.messages import Market


def independent_side(closes: tuple[float, ...]) -> int:
    """MACD 12/26/9 by the recursion itself."""

    def ema(values: list[float], length: int) -> list[float]:
        found = [values[0]]
        for value in values[1:]:
            found.append(found[-1] + (value - found[-1]) * 2 / (length + 1))
        return found

    prices = list(closes)
    line = [a - b for a, b in zip(ema(prices, 12), ema(prices, 26), strict=True)]
    return 1 if line[-1] > ema(line, 9)[-1] else -1


def flat(market: Market) -> Market:
    """The same message with a price that never moves."""
    same = (100.0,) * len(market.bars[0].time)
    bars = replace(market.bars[0], open=same, high=same, low=same, close=same)
    return replace(market, bars=(bars,))


def test_it_is_long_above_the_signal_and_short_below_it(half_hours: Any) -> None:
    sides = set()
    for end in half_hours.ends()[65:]:
        market = half_hours.market("test_signal_generator", end, 65)
        decision = decide(market, Parameters())
        assert isinstance(decision, Weights)
        assert decision.weights == {"SPY": Decimal(independent_side(market.bars[0].close))}
        sides.add(decision.weights["SPY"])
    assert sides == {Decimal(1), Decimal(-1)}


def test_equal_lines_make_it_hold(half_hours: Any) -> None:
    market = flat(half_hours.market("test_signal_generator", half_hours.ends()[-1], 65))
    decision = decide(market, Parameters())
    assert isinstance(decision, Hold)
    assert decision.reason == "MACD 0.0000 equals its signal"


def test_longer_averages_ask_for_more_bars(half_hours: Any) -> None:
    market = half_hours.market("test_signal_generator", half_hours.ends()[-1], 65)
    decision = decide(market, Parameters(slow=60))
    assert decision == Hold("SPY has 65 bars, at least 69 are needed")


@pytest.mark.parametrize("lengths", [(0, 26, 9), (26, 26, 9), (12, 26, 0)])
def test_lengths_that_make_no_sense_are_refused(lengths: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="fast must be at least 1 and below slow"):
        Parameters(*lengths)
