"""How an order trades: at which price, in how many parts, for what commission, under which id.

Fill model. A market order trades at once at the price it sees (`market`): the open of the bar that
is open, half a spread against it. On a bar's boundary that is the next bar's open. A limit order
trades at once if that price is within its limit; else it rests and, when a bar that began after
the order was placed is over, trades at its limit if the bar's range reached it. A bar that was
already open when the order came does not count: its range may lie in the order's past.
"""

import hashlib
import math
from datetime import datetime
from decimal import Decimal

from gateway.simulator.bars import Bar
from gateway.simulator.market import Quote
from gateway.simulator.orders import Order

COMMISSION_PER_SHARE = Decimal("0.005")
COMMISSION_MIN = Decimal(1)
EXECUTIONS_MAX = 100
"""Most executions one fill is cut into."""


def price_now(order: Order, quote: Quote) -> Decimal | None:
    """The price at which the order trades at once, None if it has to wait."""
    price = quote.against(order.terms.side)
    if price is None or order.terms.order_type == "MKT":
        return price
    limit = order.terms.limit_price
    if limit is None:
        return None
    return price if (limit - price) * order.terms.side >= 0 else None


def price_in(order: Order, bar: Bar, since: datetime) -> Decimal | None:
    """The price at which a resting limit order traded within a finished bar, None if it did not."""
    limit = order.terms.limit_price
    if order.terms.order_type != "LMT" or limit is None or bar.start < since:
        return None
    reached = bar.low <= limit if order.terms.side > 0 else bar.high >= limit
    return limit if reached else None


def parts(quantity: Decimal, quantity_max: Decimal | None, seed: int) -> list[Decimal]:
    """Cut a fill into executions of half to all of `quantity_max` shares, drawn from the seed.

    The bound is raised where it would make more than `EXECUTIONS_MAX` of them.
    """
    if quantity_max is None:
        return [quantity]
    bound = max(int(quantity_max), 1, math.ceil(2 * quantity / EXECUTIONS_MAX))
    sizes: list[Decimal] = []
    left = quantity
    while left > bound:
        drawn = number_from(seed, "part", len(sizes)) % (bound // 2 + 1)
        sizes.append(Decimal(bound - drawn))
        left -= sizes[-1]
    return [*sizes, left]


def commission(quantity: Decimal) -> Decimal:
    """What an order of so many shares costs in total: IB's fixed rate for US stocks."""
    return max(COMMISSION_MIN, abs(quantity) * COMMISSION_PER_SHARE)


def execution_id(seed: int, serial: int) -> str:
    """An id like IB's: four groups of hexadecimal digits, the last one counts corrections."""
    return f"{number_from(seed, 'execution', 0):08x}.{serial:08x}.01.01"


def number_from(seed: int, purpose: str, index: int) -> int:
    """A number below 2**32 that depends on nothing but its arguments."""
    text = f"{seed}/{purpose}/{index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
