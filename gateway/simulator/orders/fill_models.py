"""Fill models: at which price, and how much of it, an order trades against recorded bars.

A bar tells open, high, low, close and volume, not the path between them. The models differ in what
they make of that; `pessimistic` is the default, for a system tested on it should not be surprised
by the market. What all of them share:

- At time T an order sees the open of the bar that is open at T, half a spread against it
  (`ExchangeOptions.half_spread`), and on a bar's boundary the bar that begins there.
- A bar that was already open when the order came does not count for what rests: its range may
  lie in the order's past.
- A market order trades at what it sees; a limit order too, if that is within its limit.
- A resting limit order trades at its limit in a bar that reached it, when the bar is over.
- A stop whose price the open has passed trades at the open, else at its stop price, half a spread
  against it: the worse of the two.
- A midprice order trades between bid and ask at once, all that the volume gives: IB's may have to
  wait for somebody who meets it there, so this is better than the real market.
- A stop limit order that a bar triggers trades from the next bar on: within the bar nobody knows
  whether the limit was to be had after the stop.

| model         | resting limit                | slippage | volume                              |
|---------------|------------------------------|----------|-------------------------------------|
| `pessimistic` | price must trade through it  | none     | 10 % of each bar, the rest goes on  |
| `harsh`       | price must trade through it  | 5 bp     | 2.5 % of each bar, the rest goes on |
| `touch`       | touching it is enough        | none     | no bound                            |

The volume share is one budget per contract and bar for all orders, in the order of their arrival,
in whole shares or contracts. Currency pairs have no volume and no bound. A bar without volume
trades nothing where there is a share. Anyone may pass a `FillModel` of their own instead of a name.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from gateway.simulator.market.bars import Bar
from gateway.simulator.market.contracts import FOREX, Listing

BASIS_POINT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class FillModel:
    """What an order gets from the market.

    `through`: a limit trades only where the price went beyond it, not where it was touched.
    `slippage_bp`: basis points by which a price that is not a limit is worse than the one seen.
    `volume_share`: the part of a bar's volume that all orders together can have; None for any.
    """

    name: str
    through: bool = True
    slippage_bp: Decimal = Decimal(0)
    volume_share: Decimal | None = None

    def __post_init__(self) -> None:
        if self.slippage_bp < 0:
            raise ValueError(f"fill model {self.name!r}: slippage is negative")
        if self.volume_share is not None and not 0 < self.volume_share <= 1:
            raise ValueError(f"fill model {self.name!r}: volume share is not in (0, 1]")

    def slipped(self, price: Decimal, side: int) -> Decimal:
        """The price as an order of this side gets it: higher for one that buys."""
        return price * (1 + side * self.slippage_bp * BASIS_POINT) if self.slippage_bp else price

    def reaches(self, bar: Bar, limit: Decimal, side: int) -> bool:
        """Whether a resting limit order traded within the bar."""
        beyond = limit - bar.low if side > 0 else bar.high - limit
        return beyond > 0 or (beyond == 0 and not self.through)

    def clears(self, price: Decimal, limit: Decimal, side: int) -> bool:
        """Whether an auction at this price took a limit order in."""
        beyond = (limit - price) * side
        return beyond > 0 or (beyond == 0 and not self.through)

    def volume(self, listing: Listing, bar: Bar) -> Decimal | None:
        """How much of the bar all orders together can have; None for any quantity."""
        if self.volume_share is None or listing.security_type == FOREX:
            return None
        return (bar.volume * self.volume_share).to_integral_value(ROUND_FLOOR)


PESSIMISTIC = FillModel("pessimistic", volume_share=Decimal("0.1"))
HARSH = FillModel("harsh", slippage_bp=Decimal(5), volume_share=Decimal("0.025"))
TOUCH = FillModel("touch", through=False)

FILL_MODELS = {model.name: model for model in (PESSIMISTIC, HARSH, TOUCH)}
"""The models that can be chosen by name."""


def fill_model(chosen: str | FillModel) -> FillModel:
    """The model of this name, or the one given. Raises ValueError for a name that is none."""
    if isinstance(chosen, FillModel):
        return chosen
    if chosen not in FILL_MODELS:
        raise ValueError(f"fill model {chosen!r} is none of {', '.join(FILL_MODELS)}")
    return FILL_MODELS[chosen]
