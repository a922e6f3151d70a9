"""Fixed, seeded answers, for rehearsals of the pipeline; never enabled by default.

The quantity of SPY depends on the seed and on `as_of` only, so that the same message always gets
the same answer and a different seed gives another day.
"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from functions.decision import Decision, Hold, Quantities
from functions.history import fault
from schemas.messages import Market
from schemas.values import BarSpec, Contract

UNIVERSE = (Contract("SPY"),)
BARS = BarSpec(size="30 mins", duration="1 D", count_min=1)
SCHEDULE = ""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The quantity is within `quantity_max` shares on either side."""

    seed: int = 7
    quantity_max: int = 5

    def __post_init__(self) -> None:
        if self.quantity_max < 0:
            raise ValueError("quantity_max must not be negative")


def decide(market: Market, parameters: Parameters) -> Decision:
    """A quantity between -`quantity_max` and `quantity_max`, drawn from seed and `as_of`."""
    if why := fault(market, UNIVERSE, BARS):
        return Hold(why)
    text = f"{parameters.seed}/{market.as_of.timestamp()}"
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    quantity = drawn % (2 * parameters.quantity_max + 1) - parameters.quantity_max
    reason = f"seed {parameters.seed} gives {quantity}"
    return Quantities({"SPY": Decimal(quantity)}, reason)
