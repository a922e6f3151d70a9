"""Trend following with one future: long or short the Micro E-mini S&P 500 by two moving averages.

A future expires, so the position has to move on: `roll_days` weekdays before its last day, what was
held in the front month is wanted in the next one. Both months are named in every message, the old
one with 0, and as one intention (`together_until`): a roll that cannot be had in one leg waits with
both, rather than leave the strategy flat or twice as large. From `alone_days` before the last day
on the old month closes by itself, whatever the new one does, for nobody wants to be settled.

The averages are those of the month that is to be held, over its own bars. Nothing is spliced, so
the step between two months is no trend. Configuration must allow futures (`sec_types_allowed`).
"""

import math
from dataclasses import dataclass
from decimal import Decimal

from functions.decision import Decision, Hold, Weights
from functions.expiry import last_day, weekdays_before, weekdays_left
from functions.history import chain, fault
from schemas.messages import Market
from schemas.values import BarSpec, Contract

# Without a month it stands for the two that expire next; the gateway looks up which these are.
UNIVERSE = (Contract("MES", sec_type="FUT", exchange="CME"),)
BARS = BarSpec(size="1 day", duration="90 D", count_min=60)
# After the opening of New York's session; yesterday's bar is the newest finished one.
SCHEDULE = "40 9 * * 1-5"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The averages in bars, the share of the capital at stake, when to roll and when to let go."""

    fast: int = 20
    slow: int = 60
    weight: float = 0.9
    roll_days: int = 5
    alone_days: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.fast < self.slow:
            raise ValueError("fast must be at least 1 and below slow")
        if not 0 < self.weight <= 1:
            raise ValueError("weight must be above 0 and at most 1")
        if not 1 <= self.alone_days < self.roll_days:
            raise ValueError("alone_days must be at least 1 and below roll_days")


def decide(market: Market, parameters: Parameters) -> Decision:
    """All in the month to be held, on the side of the faster average; 0 in the other month."""
    if why := fault(market, UNIVERSE, BARS, parameters.slow):
        return Hold(why)
    front, following = chain(market, "MES")
    last = last_day(front.contract)
    left = weekdays_left(market.as_of, last)
    month, other = (following, front) if left <= parameters.roll_days else (front, following)
    fast, slow = (_mean(month.close[-count:]) for count in (parameters.fast, parameters.slow))
    name, seen = month.contract.name, {"fast": fast, "slow": slow, "days_left": left}
    if fast == slow:
        return Hold(f"both averages of {name} are {fast:.2f}", seen)
    side = Decimal(1) if fast > slow else Decimal(-1)
    rolled = f"; {front.contract.name} has {left} weekdays left" if month is following else ""
    return Weights(
        {name: side * Decimal(str(parameters.weight)), other.contract.name: Decimal(0)},
        f"{'long' if side > 0 else 'short'} {name}: {fast:.2f} against {slow:.2f}{rolled}",
        seen,
        together_until=weekdays_before(last, parameters.alone_days),
    )


def _mean(values: tuple[float, ...]) -> float:
    return math.fsum(values) / len(values)
