"""SPY against its half-hour excursions: short after a jump up, long after a drop, else flat.

The z-score of the close against the mean of the last 10 bars says how far the price has run.
Beyond `entry` the strategy bets on the way back; inside `exit` it goes flat, and says 0. In
between it stays where it was; where it was is worked out anew by walking through the bars of the
message, so that no memory is needed. It often wants the other side of what trend followers want.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from functions.decision import Decision, Hold, Weights
from functions.history import closes, fault
from schemas.messages import Market
from schemas.values import BarSpec, Contract

UNIVERSE = (Contract("SPY"),)
BARS = BarSpec(size="30 mins", duration="5 D", count_min=35)
# The same as test_signal_generator's: one run asks both, and their wishes are netted.
SCHEDULE = "1,31 10-15 * * 1-5"


@dataclass(frozen=True, slots=True)
class Parameters:
    """`window` in bars, `entry` and `exit` in standard deviations."""

    window: int = 10
    entry: float = 1.0
    exit: float = 0.5

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ValueError("window must be at least 2")
        if not 0 <= self.exit < self.entry:
            raise ValueError("exit must be at least 0 and below entry")


def decide(market: Market, parameters: Parameters) -> Decision:
    """The side that a walk through the window's z-scores ends on."""
    if why := fault(market, UNIVERSE, BARS, parameters.window):
        return Hold(why)
    prices = closes(market, "SPY")
    scores = list(_scores(prices, parameters.window))
    side = 0
    for score in scores:
        side = _next_side(side, score, parameters)
    word = {1: "long", 0: "flat", -1: "short"}[side]
    reason = f"{word}: the close {prices[-1]} is {scores[-1]:+.2f} deviations from its mean"
    return Weights({"SPY": Decimal(side)}, reason, {"z_score": scores[-1], "close": prices[-1]})


def _scores(prices: Sequence[float], window: int) -> Iterator[float]:
    """(close - mean) / standard deviation of each full window; 0 where nothing moved."""
    for end in range(window, len(prices) + 1):
        part = prices[end - window : end]
        mean = math.fsum(part) / window
        deviation = math.sqrt(math.fsum((price - mean) ** 2 for price in part) / window)
        # Below that the deviation is rounding, and the score would be noise.
        yield (part[-1] - mean) / deviation if deviation > 1e-9 * mean else 0.0


def _next_side(side: int, score: float, parameters: Parameters) -> int:
    if abs(score) > parameters.entry:
        return -1 if score > 0 else 1
    # Back at the mean, or through it to the other side: the excursion is over.
    return 0 if side * score > -parameters.exit else side
