"""The daily MACD regime of SPY, hedged with VIXY."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from functions.decision import Hold, Weights
from functions.strategies.spy_macd_vixy import Parameters, decide
from schemas.messages import Market


def shaped(market: Market, closes: list[float]) -> Market:
    """The message with SPY's closes replaced."""
    series = tuple(closes)
    spy = replace(market.bars[0], open=series, high=series, low=series, close=series)
    return replace(market, bars=(spy, market.bars[1]))


@pytest.fixture
def market(days: Any) -> Market:
    found: Market = days.market("spy_macd_vixy", days.ends()[-1], 200)
    return found


def test_a_crossing_upwards_makes_it_all_spy(market: Market) -> None:
    closes = [400.0 - n for n in range(150)] + [250.0 + 2 * n for n in range(50)]
    decision = decide(shaped(market, closes), Parameters())
    assert isinstance(decision, Weights)
    assert decision.weights == {"SPY": Decimal(1), "VIXY": Decimal(0)}
    assert decision.reason.startswith("bullish: MACD crossed ")


def test_a_crossing_downwards_makes_it_half_short_spy_half_long_vixy(market: Market) -> None:
    closes = [250.0 + n for n in range(150)] + [400.0 - 2 * n for n in range(50)]
    decision = decide(shaped(market, closes), Parameters())
    assert isinstance(decision, Weights)
    assert decision.weights == {"SPY": Decimal("-0.5"), "VIXY": Decimal("0.5")}
    assert decision.reason.startswith("bearish")


def test_no_crossing_makes_it_hold(market: Market) -> None:
    """Ever faster growth keeps MACD above its signal from the first bar on."""
    decision = decide(shaped(market, [100 * 1.01**n for n in range(200)]), Parameters())
    assert isinstance(decision, Hold)
    assert decision.reason == "no MACD crossing in 200 daily bars"


def test_the_regime_stays_until_the_opposite_crossing(days: Any) -> None:
    """Every change of the answer comes with a crossing on the newest bar."""
    changes, before = 0, None
    for end in days.ends()[200:]:
        decision = decide(days.market("spy_macd_vixy", end, 200), Parameters())
        assert isinstance(decision, Weights)
        regime = decision.diagnostics["regime"]
        if before not in (None, regime):
            changes += 1
            assert decision.diagnostics["crossing_age_bars"] == 0
        before = regime
    assert changes


def test_legs_of_different_days_make_it_hold(days: Any, market: Market) -> None:
    yesterday = days.market("spy_macd_vixy", days.ends()[-2], 200)
    decision = decide(replace(market, bars=(market.bars[0], yesterday.bars[1])), Parameters())
    assert isinstance(decision, Hold)
    assert decision.reason.startswith("VIXY's newest bar is of ")


def test_lengths_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="fast must be at least 1 and below slow"):
        Parameters(fast=30)
