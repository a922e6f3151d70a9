"""Trailing stops: TRAIL and TRAIL LIMIT, their stop, and how the market moves it.

The stop keeps a distance to the price: `auxPrice`, or `trailingPercent` of the price; below it for
an order that sells, above it for one that buys. It moves in the order's favour only (up for a sell
order), and from `trailStopPrice` on where the client gave one. It is rounded to the tick, away from
the price. A TRAIL LIMIT's limit lies `lmtPriceOffset` beyond the stop and moves with it; who gives
limit and stop price instead gave the offset between them (IB, "Trailing Stop Limit").

By recorded bars, in this order:

1. The open comes first, and moves the stop.
2. The bar's far end (low for a sell order) is held against the stop as it was *then*. Whether the
   high came before the low nobody knows, and a stop raised by a high that came later would sell at
   a better price than there was: of both stories the lower fill is told.
3. What was not triggered is then moved by the near end (the high). If the bar closed beyond the
   stop as moved, the price certainly fell through it after the high, and the order trades there;
   else it goes on. A low that may have come before the high triggers nothing.

A bar that began before the order came does neither. The last price counts (trigger method 2),
while the order may trade: outside its hours the stop stands still. Before, a stop is known if any
price is known, so openOrder shows it; an attached order's begins when its parent is filled.

Clients are not told each time the stop moves (ib_async #102: the price is fresh after asking
anew); every openOrder, asked for or not, shows it as it stands. A change keeps the stop where it
is, unless it names a `trailStopPrice` that it did not name before.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from gateway.simulator.notices import Refusal, invalid
from gateway.simulator.orders.orders import Order, OrderTerms

TRAIL, TRAIL_LIMIT = "TRAIL", "TRAIL LIMIT"
TRAILING = frozenset({TRAIL, TRAIL_LIMIT})
HUNDRED = Decimal(100)
LEAST = Decimal("0.0001")
"""No stop and no limit lies lower, however great the distance."""
BOTH_DISTANCES = Refusal(
    320,
    "Error reading request: Cannot specify Trailing Amount and Trailing Percent at the same time",
)
Rounded = Callable[[Decimal, int], Decimal]
"""A price on the tick, to the side that is worse for an order of this side."""


def objection(terms: OrderTerms) -> Refusal | None:
    """Why these terms make no trailing stop."""
    amount, percent = terms.aux_price, terms.trailing_percent
    if amount is not None and percent is not None:
        return BOTH_DISTANCES
    if amount is None and percent is None:
        return invalid("The order needs a trailing amount or a trailing percent")
    if (amount is not None and amount <= 0) or (percent is not None and not 0 < percent < HUNDRED):
        return invalid("The trailing distance is not above 0, or not below 100 %")
    return _limit_objection(terms) if terms.order_type == TRAIL_LIMIT else None


def placed(terms: OrderTerms) -> OrderTerms:
    """The terms as they are kept: the offset in place of a limit price, which follows the stop."""
    stop, limit = terms.trail_stop_price, terms.limit_price
    if terms.order_type != TRAIL_LIMIT:
        return terms
    if stop is None:
        return terms
    if terms.limit_offset is not None:
        return replace(terms, limit_price=_above_0(stop + terms.side * terms.limit_offset))
    return terms if limit is None else replace(terms, limit_offset=(limit - stop) * terms.side)


def moved(terms: OrderTerms, price: Decimal, rounded: Rounded) -> OrderTerms:
    """The terms after the market traded at this price: the stop only moves in their favour."""
    side, stop = terms.side, terms.trail_stop_price
    wanted = rounded(_above_0(price + side * _distance(terms, price)), side)
    if stop is not None and (wanted - stop) * side >= 0:
        wanted = stop
    limit = terms.limit_price
    if terms.order_type == TRAIL_LIMIT and terms.limit_offset is not None:
        limit = rounded(_above_0(wanted + side * terms.limit_offset), side)
    if (wanted, limit) == (stop, terms.limit_price):
        return terms
    return replace(terms, trail_stop_price=wanted, limit_price=limit)


def kept(order: Order, asked: OrderTerms) -> OrderTerms:
    """A change of a trailing order with what it leaves out, or repeats as it was told."""
    own = order.terms
    if asked.order_type not in TRAILING or own.order_type != asked.order_type:
        return asked
    limit, offset, stop = asked.limit_price, asked.limit_offset, asked.trail_stop_price
    if limit == own.limit_price:
        limit = None
    if limit is None and offset is None:
        offset = own.limit_offset
    if stop in {None, order.trail_stop_asked}:
        stop = own.trail_stop_price
    return replace(asked, limit_price=limit, limit_offset=offset, trail_stop_price=stop)


def _above_0(price: Decimal) -> Decimal:
    return max(price, LEAST)


def _distance(terms: OrderTerms, price: Decimal) -> Decimal:
    if terms.trailing_percent is not None:
        return price * terms.trailing_percent / HUNDRED
    return terms.aux_price or Decimal(0)


def _limit_objection(terms: OrderTerms) -> Refusal | None:
    stop, limit, offset = terms.trail_stop_price, terms.limit_price, terms.limit_offset
    if offset is not None and limit is not None:
        return invalid("Limit price and limit price offset cannot both be set")
    if offset is None and (limit is None or stop is None):
        return invalid("The order needs a limit price offset, or a limit and a trail stop price")
    return None
