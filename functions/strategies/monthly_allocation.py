"""Stocks, bonds and gold in fixed proportions, put right once a month: SPY, EFA, IEF, GLD.

Rebalancing sells what has risen and buys what has fallen; doing it daily would pay for noise. So
the answer is targets on the first session of a month, and whenever a weight has drifted further
from its own than `drift_max` (also at the very start, when nothing is held). Between them it is
hold: the capital in the message changes every day, so targets said anew would trade every day.

No memory is needed: that a month has begun shows in the bars, for the newest finished one is still
of the month before; the drift shows in the book. A gateway that is down on the whole first session
misses that month's rebalance, and then the drift alone decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from functions.decision import Decision, Hold, Weights
from functions.history import bars_of, fault
from functions.sizing import unit
from schemas.messages import Market
from schemas.new_york import NEW_YORK
from schemas.values import BarSpec, Contract

UNIVERSE = (
    Contract("SPY"),
    Contract("EFA", primary_exchange="ARCA"),
    Contract("IEF", primary_exchange="NASDAQ"),
    Contract("GLD", primary_exchange="ARCA"),
)
BARS = BarSpec(size="1 day", duration="10 D", count_min=2)
# Every day, for the drift; after the opening auction, and at another time than the daily others.
SCHEDULE = "50 9 * * 1-5"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The weight of each fund, and how far one may drift from its own before the month is over."""

    spy: float = 0.4
    efa: float = 0.2
    ief: float = 0.3
    gld: float = 0.1
    drift_max: float = 0.05

    def __post_init__(self) -> None:
        if min(self.spy, self.efa, self.ief, self.gld) < 0:
            raise ValueError("no weight may be negative")
        if sum(self.weights.values()) > 1:
            raise ValueError(f"the weights sum to {sum(self.weights.values())}, at most 1")
        if not 0 < self.drift_max <= 1:
            raise ValueError("drift_max must be above 0 and at most 1")

    @property
    def weights(self) -> dict[str, Decimal]:
        """The wanted weights by symbol, exact as they are written."""
        found = {"SPY": self.spy, "EFA": self.efa, "IEF": self.ief, "GLD": self.gld}
        return {symbol: Decimal(str(weight)) for symbol, weight in found.items()}


def decide(market: Market, parameters: Parameters) -> Decision:
    """The fixed weights when they are due, else hold with the largest drift."""
    if why := fault(market, UNIVERSE, BARS):
        return Hold(why)
    if market.capital <= 0:
        return Hold(f"the capital is {market.capital} {market.base_currency}, nothing to weigh by")
    shares = _share_worths(market)
    if isinstance(shares, Hold):
        return shares
    drifts = _drifts(market, parameters, shares)
    symbol = max(drifts, key=lambda name: abs(drifts[name]) - shares[name])
    said = f"{symbol} is {drifts[symbol]:+.4f} off its weight of {parameters.weights[symbol]}"
    seen = {f"drift_{name}": float(round(drift, 6)) for name, drift in drifts.items()}
    if _is_first_session(market):
        return Weights(parameters.weights, f"a month has begun; {said}", seen)
    bound = Decimal(str(parameters.drift_max))
    # Whole shares cannot come nearer than one share, however small the capital.
    if abs(drifts[symbol]) > bound + shares[symbol]:
        return Weights(parameters.weights, f"{said}, beyond {bound}", seen)
    return Hold(f"{said}, within {bound}; the next month, or more drift, rebalances", seen)


def _is_first_session(market: Market) -> bool:
    """Whether the newest finished daily bar is of an earlier month than now, in New York."""
    newest = bars_of(market, "SPY")
    assert newest is not None, "fault has seen its bars"
    began, now = (at.astimezone(NEW_YORK) for at in (newest.time[-1], market.as_of))
    return (began.year, began.month) != (now.year, now.month)


def _share_worths(market: Market) -> Mapping[str, Decimal] | Hold:
    """What part of the capital one share of each fund is worth; a hold where a price is missing."""
    found = {}
    for contract in UNIVERSE:
        worth = unit(market, contract.symbol)
        if isinstance(worth, Hold):
            return worth
        found[contract.symbol] = worth / market.capital
    return found


def _drifts(
    market: Market, parameters: Parameters, shares: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """How far each fund's weight is off, with what is in the book and what is on its way."""
    held = {h.contract.symbol: h.quantity + h.working for h in market.book}
    return {
        symbol: held.get(symbol, Decimal(0)) * shares[symbol] - wanted
        for symbol, wanted in parameters.weights.items()
    }
