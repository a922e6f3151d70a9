"""Price series -> numbers, on pandas-ta.

Only strategies that need it import this module: it brings pandas, some 0.4 s and 95 MB. A function
loads its own strategy when it starts (see `functions.main`), so the others never pay for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas
import pandas_ta

ROUNDING = 1e-12
"""A difference below this fraction of the price is floating-point noise, that is: equality."""


@dataclass(frozen=True, slots=True)
class Macd:
    """MACD and its signal line, one value per close.

    `sides` says on which side of its signal MACD is: 1 above, -1 below, 0 equal.
    """

    macd: tuple[float, ...]
    signal: tuple[float, ...]
    sides: tuple[int, ...]


def ema(values: Sequence[float], length: int) -> tuple[float, ...]:
    """Exponential moving average, seeded with the first value: y += (x - y) * 2 / (length + 1).

    Raises `ValueError` when there are fewer values than `length`.
    """
    if len(values) < length:
        raise ValueError(f"an average over {length} needs as many values, got {len(values)}")
    series = pandas.Series(values, dtype="float64")
    # presma and talib would both seed with the mean of the first `length` values instead.
    found = pandas_ta.ema(series, length=length, presma=False, talib=False)
    return tuple(found.tolist())


def macd(closes: Sequence[float], fast: int, slow: int, signal: int) -> Macd:
    """EMA(fast) - EMA(slow), and the EMA(signal) of that; every EMA seeded with its first value.

    pandas-ta's own `macd` seeds with a simple average, which gives other crossings.
    Raises `ValueError` when there are fewer closes than the longest of the three.
    """
    slower = ema(closes, slow)
    line = tuple(f - s for f, s in zip(ema(closes, fast), slower, strict=True))
    average = ema(line, signal)
    gaps = zip(line, average, slower, strict=True)
    return Macd(line, average, tuple(_side(m - s, price) for m, s, price in gaps))


def last_crossing(sides: Sequence[int]) -> tuple[int, int] | None:
    """The last change from one side to the other: (index, side after it); None without one.

    Equality in between is no side, so touching and turning back is no crossing, and neither is
    the first step away from the seed, where both lines start equal.
    """
    found = None
    before = 0
    for index, side in enumerate(sides):
        if side and before and side != before:
            found = index, side
        before = side or before
    return found


def _side(difference: float, price: float) -> int:
    if abs(difference) <= ROUNDING * price:
        return 0
    return 1 if difference > 0 else -1
