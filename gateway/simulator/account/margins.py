"""The margin model, in one place.

- Stocks, like Regulation T (12 CFR 220.12: half the value to open; FINRA rule 4210: a quarter of a
  long, three tenths of a short to keep): initial 50 %, maintenance 25 % or 30 % of market value.
  IB's own house margins differ by share and move; they are not published as a formula.
- Futures: per contract what the listing says, whichever way the position goes. A listing that
  says nothing is taken at a part of its notional value.
- Currencies: the net value held in a currency other than the base (cash, futures profit and stocks
  together, owned or owed) takes a haircut, for the rate may move. IB's haircuts for the majors lie
  between 2 and 5 %; the table here is of that size, not IB's of today.

Equity with loan value is net liquidation. The account is one segment: a real universal account
keeps securities and commodities apart and moves cash between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from gateway.simulator.market.contracts import Listing
from gateway.simulator.orders.orders import Margin

CENT = Decimal("0.01")
ZERO = Decimal(0)

HAIRCUTS: Mapping[str, Decimal] = MappingProxyType(
    {
        "EUR": Decimal("0.025"),
        "GBP": Decimal("0.05"),
        "CHF": Decimal("0.03"),
        "JPY": Decimal("0.03"),
        "CAD": Decimal("0.02"),
        "AUD": Decimal("0.03"),
        "USD": Decimal("0.025"),
    }
)


@dataclass(frozen=True, slots=True)
class MarginRates:
    """The parts of value that margin takes; see the module's docstring."""

    stock_initial: Decimal = Decimal("0.5")
    stock_maintenance_long: Decimal = Decimal("0.25")
    stock_maintenance_short: Decimal = Decimal("0.30")
    future_initial: Decimal = Decimal("0.10")
    """Of the notional value, for a future whose listing has no margin per contract."""
    future_maintenance: Decimal = Decimal("0.09")
    haircuts: Mapping[str, Decimal] = field(default=HAIRCUTS)
    haircut_other: Decimal = Decimal("0.05")
    buying_power_factor: Decimal = Decimal(4)
    """Available funds times this is buying power: a day trader's under Regulation T."""

    def initial(self, listing: Listing, quantity: Decimal, value: Decimal) -> Decimal:
        """What opening this position takes, in the listing's currency; `value` is signed."""
        if listing.security_type == "STK":
            return abs(value) * self.stock_initial
        if listing.security_type != "FUT":
            return ZERO
        if listing.initial_margin is None:
            return abs(value) * self.future_initial
        return abs(quantity) * listing.initial_margin

    def maintenance(self, listing: Listing, quantity: Decimal, value: Decimal) -> Decimal:
        """What keeping this position takes, in the listing's currency."""
        if listing.security_type == "STK":
            long = value > 0
            return abs(value) * (
                self.stock_maintenance_long if long else self.stock_maintenance_short
            )
        if listing.security_type != "FUT":
            return ZERO
        if listing.maintenance_margin is None:
            return abs(value) * self.future_maintenance
        return abs(quantity) * listing.maintenance_margin

    def haircut(self, currency: str, value: Decimal) -> Decimal:
        """What a net value in another currency takes, both to open and to keep."""
        return abs(value) * self.haircuts.get(currency, self.haircut_other)


def margin_change(before: Margin, after: Margin) -> Margin:
    """The difference of two complete sets of margin numbers."""
    return Margin(
        (after.initial or ZERO) - (before.initial or ZERO),
        (after.maintenance or ZERO) - (before.maintenance or ZERO),
        (after.equity_with_loan or ZERO) - (before.equity_with_loan or ZERO),
    )


def rounded(margin: Margin) -> Margin:
    """The numbers in cents, as IB shows them."""
    return Margin(
        _cents(margin.initial), _cents(margin.maintenance), _cents(margin.equity_with_loan)
    )


def _cents(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.quantize(CENT)
