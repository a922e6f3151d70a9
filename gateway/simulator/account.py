"""The account: cash, positions at average cost, values and margin. Arithmetic only.

Margin model, documented and simple, like Regulation T for US stocks: initial margin is half the
market value of every position, long or short; maintenance margin a quarter of a long and three
tenths of a short one. Equity with loan value is net liquidation. Average cost contains the
commission of the opening, as at IB; realized profit is after the commission of the closing.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.simulator.orders import Margin

INITIAL_RATE = Decimal("0.5")
MAINTENANCE_RATE_LONG = Decimal("0.25")
MAINTENANCE_RATE_SHORT = Decimal("0.30")
BUYING_POWER_FACTOR = Decimal(4)
CENT = Decimal("0.01")
COST_STEP = Decimal("0.00000001")

Prices = Callable[[int], Decimal | None]
"""Contract id to its price now, None when there is none."""


@dataclass(slots=True)
class Holding:
    """One position: signed quantity, average cost per share, profit realized so far."""

    quantity: Decimal = Decimal(0)
    average_cost: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution as the account sees it: signed quantity, price, commission."""

    con_id: int
    quantity: Decimal
    price: Decimal
    commission: Decimal


@dataclass(slots=True)
class Account:
    """One account in its base currency."""

    account_id: str
    cash: Decimal
    currency: str = "USD"
    holdings: dict[int, Holding] = field(default_factory=dict)

    def apply(self, trade: Trade) -> Decimal | None:
        """Book a trade. Returns the profit it realized, None when it closed nothing."""
        self.cash -= trade.quantity * trade.price + trade.commission
        holding = self.holdings.setdefault(trade.con_id, Holding())
        closed = _closed_quantity(holding.quantity, trade.quantity)
        realized = _realized(holding, trade, closed) if closed else None
        _move(holding, trade, closed)
        holding.realized += realized or 0
        return realized

    def net_liquidation(self, prices: Prices) -> Decimal:
        """Cash and the market value of all positions."""
        return self.cash + sum(self.values(prices).values(), Decimal(0))

    def values(self, prices: Prices) -> dict[int, Decimal]:
        """Signed market value of each position; one without a price counts at its cost."""
        return {
            con_id: holding.quantity * self.price(con_id, prices)
            for con_id, holding in self.holdings.items()
        }

    def price(self, con_id: int, prices: Prices) -> Decimal:
        """The market price, or the average cost where there is none."""
        price = prices(con_id)
        return self.holdings[con_id].average_cost if price is None else price

    def unrealized(self, con_id: int, prices: Prices) -> Decimal:
        """Profit of an open position at market."""
        holding = self.holdings[con_id]
        return holding.quantity * (self.price(con_id, prices) - holding.average_cost)

    def margin(self, prices: Prices) -> Margin:
        """The margin numbers of the account as it stands."""
        values = self.values(prices).values()
        return Margin(
            initial=sum((abs(value) * INITIAL_RATE for value in values), Decimal(0)),
            maintenance=sum((_maintenance(value) for value in values), Decimal(0)),
            equity_with_loan=self.net_liquidation(prices),
        )

    def after(self, trade: Trade) -> "Account":
        """What the account would be after a trade, without booking it."""
        other = copy.deepcopy(self)
        other.apply(trade)
        return other


def margin_change(before: Margin, after: Margin) -> Margin:
    """The difference of two complete sets of margin numbers."""
    return Margin(
        _difference(after.initial, before.initial),
        _difference(after.maintenance, before.maintenance),
        _difference(after.equity_with_loan, before.equity_with_loan),
    )


def rounded(margin: Margin) -> Margin:
    """The numbers in cents, as IB shows them."""
    parts = (margin.initial, margin.maintenance, margin.equity_with_loan)
    return Margin(*(None if part is None else part.quantize(CENT) for part in parts))


def account_rows(account: Account, prices: Prices) -> list[tuple[str, str, str]]:
    """Every account value as (key, value, currency), in IB's words."""
    margin = account.margin(prices)
    initial, maintenance = margin.initial or Decimal(0), margin.maintenance or Decimal(0)
    net = account.net_liquidation(prices)
    gross = sum((abs(value) for value in account.values(prices).values()), Decimal(0))
    available = net - initial
    money = {
        "NetLiquidation": net,
        "TotalCashValue": account.cash,
        "SettledCash": account.cash,
        "AccruedCash": Decimal(0),
        "BuyingPower": max(available, Decimal(0)) * BUYING_POWER_FACTOR,
        "EquityWithLoanValue": net,
        "PreviousDayEquityWithLoanValue": net,
        "GrossPositionValue": gross,
        "RegTEquity": net,
        "RegTMargin": initial,
        "SMA": available,
        **_margin_rows("", initial, maintenance, net),
        **_margin_rows("Full", initial, maintenance, net),
        **_margin_rows("LookAhead", initial, maintenance, net),
    }
    rows = [(key, _cents(value), account.currency) for key, value in money.items()]
    return [*_plain_rows(account, net, maintenance, gross), *rows, *ledger_rows(account, prices)]


def ledger_rows(account: Account, prices: Prices) -> list[tuple[str, str, str]]:
    """The values per currency; with one currency, BASE repeats it."""
    values = account.values(prices)
    unrealized = sum((account.unrealized(con_id, prices) for con_id in values), Decimal(0))
    realized = sum((holding.realized for holding in account.holdings.values()), Decimal(0))
    ledger = {
        "CashBalance": _cents(account.cash),
        "TotalCashBalance": _cents(account.cash),
        "StockMarketValue": _cents(sum(values.values(), Decimal(0))),
        "NetLiquidationByCurrency": _cents(account.net_liquidation(prices)),
        "UnrealizedPnL": _cents(unrealized),
        "RealizedPnL": _cents(realized),
        "ExchangeRate": "1.00",
    }
    currencies = (account.currency, "BASE")
    return [
        *((key, value, currency) for currency in currencies for key, value in ledger.items()),
        *(("Currency", currency, currency) for currency in currencies),
    ]


def _plain_rows(
    account: Account, net: Decimal, maintenance: Decimal, gross: Decimal
) -> list[tuple[str, str, str]]:
    cushion = (net - maintenance) / net if net > 0 else Decimal(0)
    leverage = gross / net if net > 0 else Decimal(0)
    return [
        ("AccountCode", account.account_id, ""),
        ("AccountReady", "true", ""),
        ("AccountType", "INDIVIDUAL", ""),
        ("Cushion", format(cushion.quantize(Decimal("0.0001")), "f"), ""),
        ("DayTradesRemaining", "-1", ""),
        ("Leverage", _cents(leverage), ""),
        ("LookAheadNextChange", "0", ""),
    ]


def _margin_rows(
    prefix: str, initial: Decimal, maintenance: Decimal, net: Decimal
) -> dict[str, Decimal]:
    return {
        f"{prefix}InitMarginReq": initial,
        f"{prefix}MaintMarginReq": maintenance,
        f"{prefix}AvailableFunds": net - initial,
        f"{prefix}ExcessLiquidity": net - maintenance,
    }


def _cents(value: Decimal) -> str:
    return format(value.quantize(CENT), "f")


def _maintenance(value: Decimal) -> Decimal:
    return abs(value) * (MAINTENANCE_RATE_LONG if value > 0 else MAINTENANCE_RATE_SHORT)


def _difference(one: Decimal | None, other: Decimal | None) -> Decimal:
    return (one or Decimal(0)) - (other or Decimal(0))


def _closed_quantity(held: Decimal, traded: Decimal) -> Decimal:
    return min(abs(held), abs(traded)) if held * traded < 0 else Decimal(0)


def _realized(holding: Holding, trade: Trade, closed: Decimal) -> Decimal:
    direction = 1 if holding.quantity > 0 else -1
    commission = trade.commission * closed / abs(trade.quantity)
    return (trade.price - holding.average_cost) * closed * direction - commission


def _move(holding: Holding, trade: Trade, closed: Decimal) -> None:
    opened = abs(trade.quantity) - closed
    kept = abs(holding.quantity) - closed
    if opened:
        direction = 1 if trade.quantity > 0 else -1
        commission = trade.commission * opened / abs(trade.quantity)
        cost = kept * holding.average_cost + opened * trade.price + direction * commission
        holding.average_cost = (cost / (kept + opened)).quantize(COST_STEP)
    holding.quantity += trade.quantity
    if not holding.quantity:
        holding.average_cost = Decimal(0)
