"""The order types: one row each, and one small function where a type trades in a way of its own.

A row tells which prices an order needs, on which kind of contract and with which time in force it
may be placed, and its rules: what it pays at an instant (`at_once`), in a bar that is over
(`within`), in the closing auction (`at_close`). A rule returns a price, or None where it has to
wait. To add a type, write its rules and add a row.

The algorithm Adaptive works a market or limit order; here it trades as the order alone would. What
IB's would have saved or missed against that, no bar can tell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import Enum

from gateway.simulator.market.bars import Bar
from gateway.simulator.market.contracts import FOREX, FUTURE, STOCK, Listing, step_at
from gateway.simulator.market.market import Quote
from gateway.simulator.orders.fill_models import FillModel
from gateway.simulator.orders.orders import Order
from gateway.simulator.orders.trailing import TRAIL, TRAIL_LIMIT, TRAILING


@dataclass(frozen=True, slots=True)
class Sight:
    """What an order sees of the market: its contract, the quote now, and the model of fills."""

    listing: Listing
    model: FillModel
    quote: Quote | None = None

    @property
    def half_spread(self) -> Decimal:
        """Half of what lies between bid and ask."""
        quote = self.quote
        if quote is None or quote.bid is None or quote.ask is None:
            return Decimal(0)
        return (quote.ask - quote.bid) / 2

    def market(self, side: int) -> Decimal | None:
        """What an order of this side pays now, None while nothing trades."""
        price = None if self.quote is None else self.quote.against(side)
        return None if price is None else self.rounded(self.model.slipped(price, side), side)

    def rounded(self, price: Decimal, side: int) -> Decimal:
        """The price on the tick, where it is not, to the worse side."""
        step = step_at(price, self.listing)
        steps = price / step
        whole = steps.to_integral_value(ROUND_CEILING if side > 0 else ROUND_FLOOR)
        return price if steps == whole else max(whole, Decimal(1)) * step


AtOnce = Callable[[Order, Sight], Decimal | None]
Within = Callable[[Order, Sight, Bar], Decimal | None]
AtClose = Callable[[Order, Sight, Decimal], Decimal | None]


def _never(order: Order, sight: Sight, _: object = None) -> Decimal | None:
    """The rule of what does not trade there."""


def market(order: Order, sight: Sight) -> Decimal | None:
    """At what is seen."""
    return sight.market(order.terms.side)


def limit(order: Order, sight: Sight) -> Decimal | None:
    """At what is seen, if it is within the limit."""
    price, bound = sight.market(order.terms.side), order.terms.limit_price
    if price is None or bound is None:
        return None
    return price if (bound - price) * order.terms.side >= 0 else None


def limit_within(order: Order, sight: Sight, bar: Bar) -> Decimal | None:
    """At the limit, if the bar's range has it."""
    bound = order.terms.limit_price
    if bound is None or not sight.model.reaches(bar, bound, order.terms.side):
        return None
    return bound


def stop_within(order: Order, sight: Sight, bar: Bar) -> Decimal | None:
    """At the stop price or the bar's open, whichever is worse, half a spread against it."""
    stop, side = stop_price(order), order.terms.side
    if stop is None:
        return None
    return stopped(order, sight, max(stop, bar.open) if side > 0 else min(stop, bar.open))


def stopped(order: Order, sight: Sight, price: Decimal) -> Decimal:
    """What a stop order pays that trades at this price: half a spread and slippage against it."""
    side = order.terms.side
    return sight.rounded(sight.model.slipped(price + side * sight.half_spread, side), side)


def midpoint(order: Order, sight: Sight) -> Decimal | None:
    """Between bid and ask, if that is within the cap."""
    quote, side, cap = sight.quote, order.terms.side, order.terms.limit_price
    if quote is None or quote.bid is None or quote.ask is None:
        return None
    price = sight.rounded((quote.bid + quote.ask) / 2, side)
    return price if cap is None or (cap - price) * side >= 0 else None


def close(order: Order, sight: Sight, price: Decimal) -> Decimal | None:
    """At the price of the auction; it has no spread."""
    return sight.rounded(sight.model.slipped(price, order.terms.side), order.terms.side)


def limit_close(order: Order, sight: Sight, price: Decimal) -> Decimal | None:
    """At the price of the auction, if it is within the limit."""
    bound = order.terms.limit_price
    if bound is None or not sight.model.clears(price, bound, order.terms.side):
        return None
    return price


class Need(Enum):
    """Whether a type has a use for a price."""

    REQUIRED = "required"
    ALLOWED = "allowed"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class OrderType:
    """One order type: what it needs and how it trades.

    `waits`: it triggers at its stop price and is PreSubmitted until then.
    `auction`: it is PreSubmitted until the closing auction.
    `extended`: it can trade outside regular hours where the order says so.
    """

    name: str
    at_once: AtOnce = _never
    within: Within = _never
    at_close: AtClose = _never
    on_trigger: Within = _never
    limit: Need = Need.IGNORED
    stop: Need = Need.IGNORED
    securities: tuple[str, ...] = (STOCK, FOREX, FUTURE)
    times_in_force: tuple[str, ...] = ("DAY", "GTC", "IOC", "GTD")
    extended: bool = False
    algo: bool = False
    """Whether the algorithm Adaptive may work it."""
    trails: bool = False
    """Whether the market moves its stop; `aux_price` is a distance then."""

    @property
    def waits(self) -> bool:
        """Whether it is PreSubmitted until its stop price is reached."""
        return self.stop is Need.REQUIRED or self.trails

    @property
    def auction(self) -> bool:
        """Whether it trades in the closing auction only."""
        return self.at_close is not _never


_RESTING = ("DAY", "GTC", "GTD")
_OPENING = ("DAY", "GTC", "IOC", "GTD", "OPG")

ORDER_TYPES = {
    kind.name: kind
    for kind in (
        OrderType("MKT", market, times_in_force=_OPENING, algo=True),
        OrderType(
            "LMT",
            limit,
            limit_within,
            limit=Need.REQUIRED,
            times_in_force=_OPENING,
            extended=True,
            algo=True,
        ),
        OrderType(
            "STP", market, on_trigger=stop_within, stop=Need.REQUIRED, times_in_force=_RESTING
        ),
        OrderType(
            "STP LMT",
            limit,
            limit_within,
            limit=Need.REQUIRED,
            stop=Need.REQUIRED,
            times_in_force=_RESTING,
            extended=True,
        ),
        OrderType(TRAIL, market, on_trigger=stop_within, trails=True, times_in_force=_RESTING),
        OrderType(
            TRAIL_LIMIT,
            limit,
            limit_within,
            limit=Need.ALLOWED,
            trails=True,
            times_in_force=_RESTING,
            extended=True,
        ),
        OrderType("MOC", at_close=close, securities=(STOCK, FUTURE), times_in_force=("DAY",)),
        OrderType(
            "LOC",
            at_close=limit_close,
            limit=Need.REQUIRED,
            securities=(STOCK, FUTURE),
            times_in_force=("DAY",),
        ),
        OrderType(
            "MIDPRICE",
            midpoint,
            limit_within,
            limit=Need.ALLOWED,
            securities=(STOCK,),
            times_in_force=("DAY", "GTC", "GTD"),
        ),
    )
}

ELSEWHERE = frozenset(
    {"REL", "MIT", "LIT", "PEG MKT", "PEG MID", "PEG BEST", "PEG BENCH"}
    | {"MTL", "MKT PRT", "STP PRT", "BOX TOP", "VOL", "PASSV REL", "SNAP MKT", "SNAP MID"}
)
"""Types that IB has and this simulator has not: refused by name, never traded as another type."""


def stop_price(order: Order) -> Decimal | None:
    """Where the order's stop stands; None for a trailing one before any price is known."""
    terms = order.terms
    return terms.trail_stop_price if terms.order_type in TRAILING else terms.aux_price


def stop_reached(order: Order, price: Decimal) -> bool:
    """Whether a price triggers the order's stop."""
    stop = stop_price(order)
    return stop is not None and (price - stop) * order.terms.side >= 0


def stop_reached_within(order: Order, bar: Bar) -> bool:
    """Whether the bar's range triggers the order's stop."""
    return stop_reached(order, bar.high if order.terms.side > 0 else bar.low)
