"""What trading costs: IBKR Pro, fixed pricing, per order and not per execution.

Source: IBKR's commission pages (pricing, fixed), as of 2025:

- US stocks: USD 0.005 a share, at least USD 1.00, at most 1 % of the trade value. Canada: CAD 0.01,
  at least CAD 1.00, at most 0.5 %. Other stocks: a part of the trade value and a minimum, one line
  by currency where IB has one by exchange.
- Futures: IBKR's execution fee (USD 0.85, EUR 0.65, GBP 0.60 a contract, ...) and the fees of
  exchange, clearing and regulator, here USD 1.40 for a contract of CME. Micros: USD 0.25 and 0.37.
- FX: 0.20 basis points of the trade value, at least USD 2.00; charged in the base currency
  whatever the pair (portfolio-performance #4701: an EUR account paid EUR 1.92624 for EUR.USD).

Fees that IB passes on with sales (SEC, FINRA) and volume tiers are left out. All of it can be
replaced by `ExchangeOptions.commissions`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.market.contracts import Listing

Schedule = Callable[[Listing, Decimal, Decimal], Decimal]
"""Listing, unsigned quantity of the order, its average price → total.

In USD for FX, else in the listing's currency.
"""

Rate = Callable[[str], Decimal]
"""A currency → the value of one unit of it."""

FX_CURRENCY = "USD"
"""The price list for FX is in it."""
FX_RATE = Decimal("0.00002")
FX_MIN = Decimal(2)
STEP = Decimal("0.0001")
"""Commissions are rounded to it."""


@dataclass(frozen=True, slots=True)
class StockFee:
    """One currency's price list: per share, or a part of the value; a minimum, maybe a maximum."""

    minimum: Decimal
    per_share: Decimal = Decimal(0)
    value_part: Decimal = Decimal(0)
    value_part_max: Decimal | None = None


STOCK_FEES = {
    "USD": StockFee(Decimal(1), Decimal("0.005"), value_part_max=Decimal("0.01")),
    "CAD": StockFee(Decimal(1), Decimal("0.01"), value_part_max=Decimal("0.005")),
    "EUR": StockFee(Decimal(3), value_part=Decimal("0.0005")),
    "GBP": StockFee(Decimal(3), value_part=Decimal("0.0005")),
    "CHF": StockFee(Decimal(5), value_part=Decimal("0.0005")),
    "JPY": StockFee(Decimal(80), value_part=Decimal("0.0008")),
    "HKD": StockFee(Decimal(18), value_part=Decimal("0.0008")),
    "AUD": StockFee(Decimal(6), value_part=Decimal("0.0008")),
}
OTHER_STOCK_FEE = StockFee(Decimal(3), value_part=Decimal("0.0005"))

FUTURE_FEES = {
    "USD": Decimal("2.25"),
    "EUR": Decimal("2.00"),
    "GBP": Decimal("1.70"),
    "CAD": Decimal("2.40"),
    "JPY": Decimal(150),
}
"""Per contract, all fees included."""
MICRO_FUTURE_FEE = Decimal("0.62")
MICROS = frozenset({"MES", "MNQ", "M2K", "MYM", "MGC", "MCL"})
OTHER_FUTURE_FEE = Decimal("2.50")


def commission(
    listing: Listing, quantity: Decimal, price: Decimal, dollars: Rate | None = None
) -> Decimal:
    """What an order of so much at that average price costs in total.

    In USD for FX, else in the listing's currency. `dollars` values a currency in USD; only an FX
    pair without the dollar needs it.

    Raises:
        ValueError: such a pair, and no `dollars`.
    """
    size = abs(quantity)
    if not size:
        return Decimal(0)
    if listing.security_type == "CASH":
        return max(FX_MIN, (_dollar_value(listing, size, price, dollars) * FX_RATE).quantize(STEP))
    if listing.security_type == "FUT":
        return size * _future_fee(listing)
    return _stock_fee(STOCK_FEES.get(listing.currency, OTHER_STOCK_FEE), size, price)


def commission_currency(listing: Listing, base: str = "USD") -> str:
    """The currency in which an account of this base currency pays commission for the contract."""
    return base if listing.security_type == "CASH" else listing.currency


def _stock_fee(fee: StockFee, size: Decimal, price: Decimal) -> Decimal:
    value = size * price
    cost = max(fee.minimum, size * fee.per_share + value * fee.value_part)
    if fee.value_part_max is not None:
        # Without a price (a question before the first bar) there is no cap: 0 would be free.
        cost = min(cost, value * fee.value_part_max) if value > 0 else cost
    return cost.quantize(STEP)


def _future_fee(listing: Listing) -> Decimal:
    if listing.symbol in MICROS:
        return MICRO_FUTURE_FEE
    return FUTURE_FEES.get(listing.currency, OTHER_FUTURE_FEE)


def _dollar_value(listing: Listing, size: Decimal, price: Decimal, dollars: Rate | None) -> Decimal:
    if listing.currency == FX_CURRENCY:
        return size * price
    if listing.symbol == FX_CURRENCY:
        return size
    if dollars is None:
        raise ValueError(f"{listing.symbol}.{listing.currency}: no value in {FX_CURRENCY} known")
    return size * dollars(listing.symbol)
