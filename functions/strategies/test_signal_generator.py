"""SPY by its half-hour MACD: long above the signal line, short below it, always in the market.

It exists to exercise the whole path several times a week. MACD 12/26/9 over five days of
30-minute bars, every EMA seeded with its first value; a state, not a crossing. Exactly equal
lines say nothing: hold.
"""

from dataclasses import dataclass
from decimal import Decimal

from functions.decision import Decision, Hold, Weights
from functions.history import closes, fault
from functions.indicators import macd
from schemas.messages import Market
from schemas.values import BarSpec, Contract

UNIVERSE = (Contract("SPY"),)
# 35 bars are the slowest average and the signal's on top of it; five days have 65.
BARS = BarSpec(size="30 mins", duration="5 D", count_min=35)
# A minute after every bar's end, but for the last one of the day, when the market has closed.
SCHEDULE = "1,31 10-15 * * 1-5"


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
    """All in SPY, on the side of the signal line where MACD is now."""
    if why := fault(market, UNIVERSE, BARS, parameters.slow + parameters.signal):
        return Hold(why)
    lines = macd(closes(market, "SPY"), parameters.fast, parameters.slow, parameters.signal)
    side, line, signal = lines.sides[-1], lines.macd[-1], lines.signal[-1]
    seen = {"macd": line, "signal": signal, "close": closes(market, "SPY")[-1]}
    if not side:
        return Hold(f"MACD {line:.4f} equals its signal", seen)
    where = "above" if side > 0 else "below"
    reason = f"MACD {line:.4f} is {where} its signal {signal:.4f}"
    return Weights({"SPY": Decimal(side)}, reason, seen)
