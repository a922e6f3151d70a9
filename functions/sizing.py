"""Decision -> target positions: by capital, last close, multiplier and currency.

Everything is exact `Decimal`; a close becomes the decimal that a person reads (`Decimal(str())`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, localcontext

from functions.decision import Hold, Quantities, Weights
from functions.history import bars_of
from schemas.messages import Market, Scalar, Target
from schemas.values import Contract


@dataclass(frozen=True, slots=True)
class Sized:
    """Target positions, and a note for every weight that came to 0 [N9]."""

    targets: tuple[Target, ...]
    notes: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class _Leg:
    """One contract at its last close; `unit` is the money in quantity 1, in the base currency."""

    contract: Contract
    unit: Decimal


def normalized(weights: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Weights divided by the sum of their magnitudes, which then sum to 1 at most; 0s stay 0."""
    total = sum(map(abs, weights.values()), Decimal(0))
    with localcontext(rounding=ROUND_DOWN):
        return {symbol: w / total if total else Decimal(0) for symbol, w in weights.items()}


def quantity(weight: Decimal, capital: Decimal, unit: Decimal) -> Decimal:
    """Toward zero(capital x weight / money per unit), in whole units."""
    with localcontext(rounding=ROUND_DOWN):
        whole = (capital * weight / unit).to_integral_value(ROUND_DOWN)
    return whole if whole else Decimal(0)


def sized(market: Market, decision: Weights | Quantities) -> Sized | Hold:
    """The decision in signed quantities, or a hold that says which price, rate or capital lacks.

    Raises `ValueError` for a decision that names what the message does not hold in its universe's
    size: quantities worth more than the capital.
    """
    if market.capital <= 0:
        return Hold(f"the capital is {market.capital} {market.base_currency}, nothing to size with")
    wanted = decision.weights if isinstance(decision, Weights) else decision.quantities
    legs = _legs(market, wanted)
    if isinstance(legs, Hold):
        return legs
    if isinstance(decision, Weights):
        return _by_weight(market, decision, legs)
    return _as_said(market, decision, legs)


def _legs(market: Market, wanted: Mapping[str, Decimal]) -> dict[str, _Leg] | Hold:
    legs = {}
    for name in wanted:
        bars, worth = bars_of(market, name), unit(market, name)
        if bars is None or isinstance(worth, Hold):
            return worth if isinstance(worth, Hold) else Hold(f"{name} has no price")
        legs[name] = _Leg(bars.contract, worth)
    return legs


def unit(market: Market, name: str) -> Decimal | Hold:
    """The money in quantity 1 of a contract at its last close, in the base currency.

    A hold where the price or the rate of exchange is missing, saying which.
    """
    bars = bars_of(market, name)
    if bars is None or not bars.close or not bars.close[-1] > 0:
        return Hold(f"{name} has no price")
    rate = _rate(market, bars.contract.currency)
    if rate is None:
        return Hold(
            f"{name} trades in {bars.contract.currency}, the capital is in "
            f"{market.base_currency}, and the message carries no rate of exchange"
        )
    return Decimal(str(bars.close[-1])) * bars.contract.multiplier * rate


def _rate(market: Market, currency: str) -> Decimal | None:
    """What one unit of a currency is worth in the base currency; a missing rate is never 1."""
    if currency == market.base_currency:
        return Decimal(1)
    rate = market.exchange_rates.get(currency)
    return rate if rate is not None and rate > 0 else None


def _by_weight(market: Market, decision: Weights, legs: Mapping[str, _Leg]) -> Sized:
    targets, notes = [], {}
    for symbol, weight in decision.weights.items():
        leg = legs[symbol]
        whole = quantity(weight, market.capital, leg.unit)
        targets.append(Target.of(leg.contract, whole))
        if weight and not whole:
            notes[f"zero_{symbol}"] = (
                f"{weight} of {market.capital} {market.base_currency} is less than one unit of "
                f"{symbol} at {leg.unit}"
            )
    return Sized(tuple(targets), dict(notes))


def _as_said(market: Market, decision: Quantities, legs: Mapping[str, _Leg]) -> Sized:
    worth = sum((abs(q) * legs[s].unit for s, q in decision.quantities.items()), Decimal(0))
    if worth > market.capital:
        raise ValueError(
            f"the quantities are worth {worth} {market.base_currency}, "
            f"the capital is {market.capital}"
        )
    found = decision.quantities.items()
    return Sized(tuple(Target.of(legs[symbol].contract, q) for symbol, q in found), {})
