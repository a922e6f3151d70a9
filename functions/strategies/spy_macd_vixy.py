"""SPY by its daily MACD regime; while bearish, short SPY and long VIXY, half the money each.

The regime is the side of the last MACD crossing among 200 daily bars, so that it can be worked
out anew from every message and no memory is needed: between crossings the answer stays the same.
Both legs are always said, VIXY with 0 while bullish, for a leg that is left out would be held.
"""

from dataclasses import dataclass
from decimal import Decimal

from functions.decision import Decision, Hold, Weights
from functions.history import closes, fault
from functions.indicators import last_crossing, macd
from functions.sizing import normalized
from schemas.messages import Market
from schemas.values import BarSpec, Contract

UNIVERSE = (Contract("SPY"), Contract("VIXY", primary_exchange="BATS"))
# A few of the 200 may be missing: a bar that is not finished yet, a day the broker left out.
BARS = BarSpec(size="1 day", duration="200 D", count_min=190)
# After the opening auction; yesterday's bar is the newest finished one.
SCHEDULE = "35 9 * * 1-5"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The lengths of the averages, in bars."""

    fast: int = 12
    slow: int = 26
    signal: int = 9

    def __post_init__(self) -> None:
        if not 1 <= self.fast < self.slow or self.signal < 1:
            raise ValueError("fast must be at least 1 and below slow, signal at least 1")


def decide(market: Market, parameters: Parameters) -> Decision:
    """Long SPY since a crossing upwards; short SPY and long VIXY since one downwards."""
    if why := fault(market, UNIVERSE, BARS, parameters.slow + parameters.signal):
        return Hold(why)
    prices = closes(market, "SPY")
    lines = macd(prices, parameters.fast, parameters.slow, parameters.signal)
    seen = {"macd": lines.macd[-1], "signal": lines.signal[-1], "close": prices[-1]}
    crossing = last_crossing(lines.sides)
    if crossing is None:
        return Hold(f"no MACD crossing in {len(prices)} daily bars", seen)
    index, side = crossing
    age = len(prices) - 1 - index
    regime = "bullish" if side > 0 else "bearish"
    reason = (
        f"{regime}: MACD crossed {age} bars ago, now {lines.macd[-1]:.4f} "
        f"against its signal {lines.signal[-1]:.4f}"
    )
    return Weights(_weights(side), reason, {**seen, "regime": regime, "crossing_age_bars": age})


def _weights(side: int) -> dict[str, Decimal]:
    hedge = Decimal(0) if side > 0 else Decimal(1)
    return normalized({"SPY": Decimal(side), "VIXY": hedge})
