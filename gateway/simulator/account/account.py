"""The account: cash by currency, positions at average cost, profit. Arithmetic only.

- A stock is paid in its currency. Average cost contains the commission of the opening, as at IB;
  realized profit is after the commission of the closing.
- An FX trade moves the balances of both currencies and a virtual CASH position beside them, with
  average cost and profit of its own, after commission (IB's users' guide, FX Portfolio). The
  position is a shadow: its value is the cash already.
- A future costs no cash but its commission. Its variation since the last settlement, of contracts
  open or closed, stands apart (`variation`) and moves into cash when `settle` is called. Its
  average cost is per contract, so it contains the multiplier, as at IB.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from gateway.simulator.account.commissions import Rate, commission_currency
from gateway.simulator.account.margins import ZERO, MarginRates
from gateway.simulator.market.contracts import Listing
from gateway.simulator.orders.orders import Margin

ONE = Decimal(1)
COST_STEP = Decimal("0.00000001")
"""Average costs are rounded to it."""

CONVERSION = "FXCONV"
"""The exchange that converts currencies for their own sake, without a virtual position."""


class Valuation(Protocol):
    """What things are worth at one instant."""

    def price(self, con_id: int) -> Decimal | None:
        """The price of a contract, None when there is none."""

    def rate(self, currency: str) -> Decimal:
        """The value of one unit of a currency in the base currency."""


@dataclass(slots=True)
class Holding:
    """One position: signed quantity, average cost of one, profit realized so far.

    Money is in the listing's currency. `basis` is what the variation of a future is counted from:
    its value at the last settlement, and the value of every trade since.
    """

    listing: Listing
    quantity: Decimal = ZERO
    average_cost: Decimal = ZERO
    realized: Decimal = ZERO
    basis: Decimal = ZERO
    realized_before_today: Decimal = ZERO
    unrealized_before_today: Decimal = ZERO

    @property
    def realized_today(self) -> Decimal:
        """Profit realized since New York midnight."""
        return self.realized - self.realized_before_today


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution as the account sees it: signed quantity, price, commission.

    The commission is in `commission_currency(listing, base)`. A `conversion` is an FX trade on
    FXCONV: it moves the balances and leaves no virtual position (IB's users' guide, FX Portfolio).
    """

    listing: Listing
    quantity: Decimal
    price: Decimal
    commission: Decimal
    conversion: bool = False


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the account has in one currency; all but `rate` in that currency."""

    currency: str
    rate: Decimal
    cash: Decimal
    variation: Decimal
    stocks: Decimal
    gross: Decimal
    """Stocks long and short added up."""
    unrealized: Decimal
    realized: Decimal
    initial: Decimal
    maintenance: Decimal

    @property
    def net(self) -> Decimal:
        """Its net liquidation."""
        return self.cash + self.variation + self.stocks


def _one_currency(currency: str) -> Decimal:
    raise ValueError(f"no exchange rate for {currency}")


@dataclass(slots=True)
class Account:
    """One account; `balances` has the settled cash of every currency ever used, positions too."""

    account_id: str
    balances: dict[str, Decimal]
    currency: str = "USD"
    holdings: dict[int, Holding] = field(default_factory=dict)
    margin_rates: MarginRates = field(default_factory=MarginRates)
    rate: Rate = field(default=_one_currency, repr=False, compare=False)
    """Values one unit of a currency now; only asked when a trade's two currencies differ."""
    equity_of_yesterday: Decimal | None = None
    """Net liquidation when today began; None before the first midnight."""

    @property
    def cash(self) -> Decimal:
        """The balance in the base currency."""
        return self.balances[self.currency]

    def apply(self, trade: Trade) -> Decimal | None:
        """Book a trade. Returns the profit it realized, None when it closed nothing.

        The profit is in the currency of the commission, as the commission report shows it.
        """
        listing = trade.listing
        paid_in = commission_currency(listing, self.currency)
        value = trade.quantity * trade.price * listing.multiplier
        self.add(paid_in, -trade.commission)
        if listing.security_type != "FUT":
            self.add(listing.currency, -value)
        if listing.security_type == "CASH":
            self.add(listing.symbol, trade.quantity)
        if trade.conversion:
            return None
        holding = self.holdings.get(listing.con_id)
        if holding is None:
            holding = self.holdings[listing.con_id] = Holding(listing)
        if listing.security_type == "FUT":
            holding.basis += value
        exchange = ONE if paid_in == listing.currency else self._cross(paid_in, listing.currency)
        realized = _move(holding, trade, trade.commission * exchange)
        return None if realized is None else realized / exchange

    def add(self, currency: str, amount: Decimal) -> None:
        """Put cash into a balance, or take it."""
        self.balances[currency] = self.balances.get(currency, ZERO) + amount

    def settle(self, con_id: int, price: Decimal) -> Decimal:
        """Move a future's variation into cash. Returns the amount, in the listing's currency."""
        holding = self.holdings[con_id]
        value = holding.quantity * price * holding.listing.multiplier
        paid = value - holding.basis
        holding.basis = value
        self.add(holding.listing.currency, paid)
        return paid

    def expire(self, con_id: int, price: Decimal) -> None:
        """Close a future at its last settlement, without an execution or a commission."""
        holding = self.holdings[con_id]
        if holding.quantity:
            self.apply(Trade(holding.listing, -holding.quantity, price, ZERO))
        self.settle(con_id, price)

    def split(self, con_id: int, ratio: Decimal, price: Decimal) -> Decimal:
        """Multiply a position; a fraction of a share left over is paid at `price` after the split.

        Returns the cash paid in lieu, in the listing's currency, negative for a short position.
        """
        holding = self.holdings[con_id]
        holding.quantity *= ratio
        holding.average_cost = (holding.average_cost / ratio).quantize(COST_STEP)
        fraction = holding.quantity - int(holding.quantity)
        if fraction:
            self.apply(Trade(holding.listing, -fraction, price, ZERO))
        return fraction * price

    def begin_day(self, valuation: Valuation) -> None:
        """From now on, profit of the day counts from here; positions long closed are forgotten."""
        self.equity_of_yesterday = self.net_liquidation(valuation)
        kept = {
            con_id: held for con_id, held in self.holdings.items() if held.quantity or held.basis
        }
        self.holdings = kept
        for con_id, holding in kept.items():
            holding.realized_before_today = holding.realized
            holding.unrealized_before_today = self.unrealized(con_id, valuation)

    def price(self, con_id: int, valuation: Valuation) -> Decimal:
        """The market price, or what the position cost where there is none."""
        price = valuation.price(con_id)
        if price is not None:
            return price
        holding = self.holdings[con_id]
        return holding.average_cost / holding.listing.multiplier

    def value(self, con_id: int, valuation: Valuation) -> Decimal:
        """The signed market value of a position; a future's is its notional."""
        holding = self.holdings[con_id]
        if not holding.quantity:
            return ZERO
        return holding.quantity * self.price(con_id, valuation) * holding.listing.multiplier

    def unrealized(self, con_id: int, valuation: Valuation) -> Decimal:
        """Profit of an open position at market."""
        holding = self.holdings[con_id]
        return self.value(con_id, valuation) - holding.quantity * holding.average_cost

    def ledgers(self, valuation: Valuation) -> tuple[Ledger, ...]:
        """What the account has by currency: the base first, then by name."""
        sums = {currency: _Sums() for currency in self._currencies()}
        for con_id, holding in self.holdings.items():
            value = self.value(con_id, valuation)
            sums[holding.listing.currency].add(holding, value, self.margin_rates)
        return tuple(self._ledger(currency, item, valuation) for currency, item in sums.items())

    def net_liquidation(self, valuation: Valuation) -> Decimal:
        """Cash, variation and stocks in all currencies, in the base currency."""
        return _total_net(self.ledgers(valuation))

    def margin(self, valuation: Valuation, ledgers: tuple[Ledger, ...] | None = None) -> Margin:
        """The margin numbers of the account as it stands, in the base currency."""
        ledgers = self.ledgers(valuation) if ledgers is None else ledgers
        initial = sum((item.initial * item.rate for item in ledgers), ZERO)
        maintenance = sum((item.maintenance * item.rate for item in ledgers), ZERO)
        return Margin(initial, maintenance, _total_net(ledgers))

    def after(self, *trades: Trade) -> "Account":
        """What the account would be after trades, without booking them."""
        other = replace(self, balances=dict(self.balances), holdings=dict(self.holdings))
        for trade in trades:
            held = other.holdings.get(trade.listing.con_id)
            if held is not None:
                other.holdings[trade.listing.con_id] = replace(held)
            other.apply(trade)
        return other

    def _ledger(self, currency: str, sums: "_Sums", valuation: Valuation) -> Ledger:
        cash, haircut, rate = self.balances.get(currency, ZERO), ZERO, ONE
        if currency != self.currency:
            rate = valuation.rate(currency)
            haircut = self.margin_rates.haircut(currency, cash + sums.variation + sums.stocks)
        return Ledger(
            currency=currency,
            rate=rate,
            cash=cash,
            variation=sums.variation,
            stocks=sums.stocks,
            gross=sums.gross,
            unrealized=sums.unrealized,
            realized=sums.realized,
            initial=sums.initial + haircut,
            maintenance=sums.maintenance + haircut,
        )

    def _currencies(self) -> list[str]:
        # A balance that came back to 0 stays: who was told of it must be told of the 0.
        return [self.currency, *sorted(self.balances.keys() - {self.currency})]

    def _cross(self, one: str, other: str) -> Decimal:
        """How many units of the other currency one unit is worth."""
        rates = [ONE if name == self.currency else self.rate(name) for name in (one, other)]
        return rates[0] / rates[1]


@dataclass(slots=True)
class _Sums:
    """A ledger in the making."""

    variation: Decimal = ZERO
    stocks: Decimal = ZERO
    gross: Decimal = ZERO
    unrealized: Decimal = ZERO
    realized: Decimal = ZERO
    initial: Decimal = ZERO
    maintenance: Decimal = ZERO

    def add(self, holding: Holding, value: Decimal, rates: MarginRates) -> None:
        listing = holding.listing
        self.realized += holding.realized - holding.realized_before_today
        if listing.security_type == "FUT":
            self.variation += value - holding.basis
        if not holding.quantity:
            return
        self.unrealized += value - holding.quantity * holding.average_cost
        self.initial += rates.initial(listing, holding.quantity, value)
        self.maintenance += rates.maintenance(listing, holding.quantity, value)
        if listing.security_type == "STK":
            self.stocks += value
            self.gross += abs(value)


def _total_net(ledgers: tuple[Ledger, ...]) -> Decimal:
    return sum((item.net * item.rate for item in ledgers), ZERO)


def account_with(
    account_id: str, cash: Decimal, others: Mapping[str, Decimal], currency: str = "USD"
) -> Account:
    """An account without positions: cash in its base currency and in others."""
    return Account(account_id, {currency: cash} | dict(others), currency)


def _move(holding: Holding, trade: Trade, commission: Decimal) -> Decimal | None:
    """Change a position; the commission is in the listing's currency. Returns what it realized."""
    multiplier = holding.listing.multiplier
    size = abs(trade.quantity)
    closed = min(abs(holding.quantity), size) if holding.quantity * trade.quantity < 0 else ZERO
    realized = None
    if closed:
        direction = 1 if holding.quantity > 0 else -1
        gain = (trade.price * multiplier - holding.average_cost) * closed * direction
        realized = gain - commission * closed / size
        holding.realized += realized
    opened, kept = size - closed, abs(holding.quantity) - closed
    if opened:
        direction = 1 if trade.quantity > 0 else -1
        cost = kept * holding.average_cost + opened * trade.price * multiplier
        cost += direction * commission * opened / size
        holding.average_cost = (cost / (kept + opened)).quantize(COST_STEP)
    holding.quantity += trade.quantity
    if not holding.quantity:
        holding.average_cost = ZERO
    return realized
