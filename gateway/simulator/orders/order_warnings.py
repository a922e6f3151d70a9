"""Warnings that an accepted order brings: the order works although IB sends an error message.

399 for an order that waits for the open or is an odd lot at IDEALPRO, 2109 for a wish that its
type does not honour, 10349 for a time in force that the presets filled in.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from gateway.simulator.market.contracts import FOREX, Contract, Listing
from gateway.simulator.market.market import Market
from gateway.simulator.notices import Refusal
from gateway.simulator.orders.order_times import exchange_time, session_begin, trades_extended
from gateway.simulator.orders.orders import OrderTerms

IDEALPRO_MINIMA: Mapping[str, Decimal] = MappingProxyType(
    {
        "AUD": Decimal(25_000),
        "CAD": Decimal(25_000),
        "CHF": Decimal(25_000),
        "CNH": Decimal(150_000),
        "EUR": Decimal(20_000),
        "GBP": Decimal(17_000),
        "HKD": Decimal(200_000),
        "JPY": Decimal(2_500_000),
        "NZD": Decimal(35_000),
        "SEK": Decimal(200_000),
        "USD": Decimal(25_000),
    }
)
"""Smallest order of each base currency that is not an odd lot. EUR: design/ib.md 4; the others
are of IBKR's published size and change with the years."""

NOT_OUTSIDE = Refusal(
    2109,
    "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order "
    "type and destination. PlaceOrder is now being processed.",
)


def on_arrival(terms: OrderTerms, contract: Contract) -> list[Refusal]:
    """What is said at once about an accepted order for a contract as routed."""
    odd_lot = _odd_lot(terms, contract)
    ignored = terms.outside_rth and not trades_extended(terms)
    return [*odd_lot, *([NOT_OUTSIDE] if ignored else [])]


def until_open(terms: OrderTerms, listing: Listing, market: Market, now: datetime) -> Refusal:
    """399 for an order whose market is closed."""
    opens = exchange_time(session_begin(terms, listing, market, now))
    return _order_message(f"your order will not be placed at the exchange until {opens}")


def _odd_lot(terms: OrderTerms, contract: Contract) -> list[Refusal]:
    if contract.security_type != FOREX or contract.exchange != "IDEALPRO":
        return []
    least = IDEALPRO_MINIMA.get(contract.symbol)
    if least is None or terms.quantity >= least:
        return []
    what = f"your order size is below the {contract.symbol} {least} IdealPro minimum"
    return [_order_message(f"{what} and will be routed as an odd lot order.")]


def _order_message(text: str) -> Refusal:
    return Refusal(399, f"Order Message:\nWarning: {text}")
