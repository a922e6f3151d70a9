"""The account in IB's words: every account value of an instant, and what changed since another.

A statement is made once per change for all who subscribed. It holds few numbers and shows each in
several rows (`NetLiquidation` is `EquityWithLoanValue` is `RegTEquity`), so only a number that
moved is written anew. The identities between the rows:

- AvailableFunds = EquityWithLoanValue - InitMarginReq
- ExcessLiquidity = EquityWithLoanValue - MaintMarginReq, Cushion = ExcessLiquidity / NetLiquidation
- BuyingPower = AvailableFunds (never below 0) times the factor of the margin rates
- Leverage = GrossPositionValue / NetLiquidation
- NetLiquidation = TotalCashValue + stocks; TotalCashValue = SettledCash + FuturesPNL
- each BASE row is the sum of the rows by currency times their ExchangeRate

`Full...` and `LookAhead...` repeat the current numbers: margins here do not change overnight. SMA
is Regulation T equity above its margin now, without the memory of past highs that IB's has.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from gateway.simulator.account.account import Account, Ledger, Valuation
from gateway.simulator.account.margins import ZERO

BASE = "BASE"
Row = tuple[str, str, str]
"""Key, value, currency."""

MARGIN_KEYS = {
    "InitMarginReq": "initial",
    "MaintMarginReq": "maintenance",
    "AvailableFunds": "available",
    "ExcessLiquidity": "excess",
}
TOTAL_KEYS = {
    "NetLiquidation": "net",
    "EquityWithLoanValue": "net",
    "RegTEquity": "net",
    "TotalCashValue": "cash",
    "SettledCash": "settled",
    "BuyingPower": "buying_power",
    "PreviousDayEquityWithLoanValue": "previous",
    "GrossPositionValue": "gross",
    "RegTMargin": "reg_t_margin",
    "SMA": "sma",
    **{
        f"{prefix}{key}": name
        for prefix in ("", "Full", "LookAhead")
        for key, name in MARGIN_KEYS.items()
    },
}
"""Values in the base currency: IB's key and the number it shows."""
RATIO_KEYS = {"Cushion": "cushion", "Leverage": "leverage"}
LEDGER_KEYS = {
    "CashBalance": "cash",
    "TotalCashBalance": "cash",
    "StockMarketValue": "stocks",
    "FuturesPNL": "variation",
    "NetLiquidationByCurrency": "net",
    "UnrealizedPnL": "unrealized",
    "RealizedPnL": "realized",
    "ExchangeRate": "rate",
}
"""Values by currency. IB counts futures profit since the settlement as cash, in both rows of it."""
NOT_HELD = (
    "CorporateBondValue",
    "FundValue",
    "FutureOptionValue",
    "FxCashBalance",
    "IssuerOptionValue",
    "MoneyMarketFundValue",
    "MutualFundValue",
    "NetDividend",
    "OptionMarketValue",
    "TBillValue",
    "TBondValue",
    "WarrantValue",
)
"""Rows by currency of what this account cannot hold; always nothing."""
DAYS_LATER = ("", "T+1", "T+2", "T+3", "T+4")
SUMMARY_NAMES = {"PreviousEquityWithLoanValue": "PreviousDayEquityWithLoanValue"}
"""Tags of the account summary that account values call otherwise."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which rows a statement has: fixed ones, and those that show a number by its place."""

    fixed: tuple[Row, ...]
    shown: tuple[tuple[str, str, int], ...]
    formats: tuple[str, ...]
    """How the number at each place is written."""


@dataclass(frozen=True, slots=True)
class Statement:
    """All account values of one instant."""

    layout: Layout
    numbers: tuple[Decimal, ...]
    texts: tuple[str, ...]

    def rows(self) -> list[Row]:
        """Every row, by key and currency."""
        moving = ((key, self.texts[place], name) for key, name, place in self.layout.shown)
        return sorted([*self.layout.fixed, *moving], key=lambda row: (row[0], row[2]))

    def since(self, earlier: "Statement | None") -> list[Row]:
        """The rows that differ from an earlier statement's."""
        if earlier is None:
            return self.rows()
        if earlier.layout is not self.layout:
            known = set(earlier.rows())
            return [row for row in self.rows() if row not in known]
        texts, before = self.texts, earlier.texts
        moved = [one != other for one, other in zip(texts, before, strict=True)]
        return [(key, texts[place], name) for key, name, place in self.layout.shown if moved[place]]


def statement(
    account: Account, valuation: Valuation, earlier: Statement | None = None
) -> Statement:
    """The account values now; texts of numbers that stand as they did earlier are kept."""
    ledgers = account.ledgers(valuation)
    layout = _layout(account.account_id, tuple(item.currency for item in ledgers))
    numbers = _numbers(account, ledgers)
    if earlier is None or earlier.layout is not layout:
        return Statement(layout, numbers, tuple(map(format, numbers, layout.formats)))
    if numbers == earlier.numbers:
        return earlier
    texts = [
        text if number == before else format(number, form)
        for number, before, text, form in zip(
            numbers, earlier.numbers, earlier.texts, layout.formats, strict=True
        )
    ]
    return Statement(layout, numbers, tuple(texts))


TOTALS = (
    "net",
    "cash",
    "settled",
    "buying_power",
    "previous",
    "gross",
    "reg_t_margin",
    "sma",
    "initial",
    "maintenance",
    "available",
    "excess",
    "cushion",
    "leverage",
)
"""The order of the numbers about the whole account."""
PER_LEDGER = ("cash", "stocks", "variation", "net", "unrealized", "realized", "rate")
"""The order of the numbers by currency, which follow: BASE first."""
_RATE = PER_LEDGER.index("rate")


def _numbers(account: Account, ledgers: tuple[Ledger, ...]) -> tuple[Decimal, ...]:
    rows = [_ledger_numbers(item) for item in ledgers]
    base = _in_base(rows)
    cash, net = base[0], base[3]
    settled = gross = initial = maintenance = ZERO
    for item in ledgers:
        settled += item.cash * item.rate
        gross += item.gross * item.rate
        initial += item.initial * item.rate
        maintenance += item.maintenance * item.rate
    rates = account.margin_rates
    available, reg_t_margin = net - initial, gross * rates.stock_initial
    excess = net - maintenance
    previous = account.equity_of_yesterday
    totals = (
        net,
        cash,
        settled,
        max(available, ZERO) * rates.buying_power_factor,
        net if previous is None else previous,
        gross,
        reg_t_margin,
        net - reg_t_margin,
        initial,
        maintenance,
        available,
        excess,
        excess / net if net > 0 else ZERO,
        gross / net if net > 0 else ZERO,
    )
    return sum(rows, (*totals, *base))


def _ledger_numbers(item: Ledger) -> tuple[Decimal, ...]:
    cash = item.cash + item.variation
    profits = (item.unrealized, item.realized)
    return (cash, item.stocks, item.variation, cash + item.stocks, *profits, item.rate)


def _in_base(rows: list[tuple[Decimal, ...]]) -> tuple[Decimal, ...]:
    if len(rows) == 1:
        return rows[0]
    sums = [
        sum((row[place] * row[_RATE] for row in rows), ZERO) for place in range(len(PER_LEDGER) - 1)
    ]
    return (*sums, Decimal(1))


@lru_cache(maxsize=64)
def _layout(account_id: str, currencies: tuple[str, ...]) -> Layout:
    base = currencies[0]
    names = (BASE, *currencies)
    fixed = [
        ("AccountCode", account_id, ""),
        ("AccountReady", "true", ""),
        ("AccountType", "INDIVIDUAL", ""),
        *((f"DayTradesRemaining{later}", "-1", "") for later in DAYS_LATER),
        ("HighestSeverity", "0", ""),
        ("LookAheadNextChange", "0", ""),
        ("AccruedCash", "0.00", base),
        ("AccruedDividend", "0.00", base),
        *((key, "0.00", name) for name in names for key in NOT_HELD),
        *(("AccountOrGroup", account_id, name) for name in names),
        *(("Currency", name, name) for name in names),
        *(("RealCurrency", base if name == BASE else name, name) for name in names),
    ]
    shown = [(key, base, TOTALS.index(name)) for key, name in TOTAL_KEYS.items()]
    shown += [(key, "", TOTALS.index(name)) for key, name in RATIO_KEYS.items()]
    for index, name in enumerate(names):
        first = len(TOTALS) + index * len(PER_LEDGER)
        for key, number in LEDGER_KEYS.items():
            shown.append((key, name, first + PER_LEDGER.index(number)))
    return Layout(tuple(fixed), tuple(shown), _formats(names, base))


def _formats(names: tuple[str, ...], base: str) -> tuple[str, ...]:
    totals = tuple(".4f" if name == "cushion" else ".2f" for name in TOTALS)
    rates = (".2f" if name in {BASE, base} else ".7f" for name in names)
    return sum(((*[".2f"] * (len(PER_LEDGER) - 1), rate) for rate in rates), totals)


_LEDGER_ROWS = {*LEDGER_KEYS, *NOT_HELD, "AccountOrGroup", "Currency", "RealCurrency"}


def is_ledger_row(row: Row) -> bool:
    """Whether a row belongs to one currency, BASE among them."""
    return row[0] in _LEDGER_ROWS


class Selection:
    """Which rows a subscription asked for."""

    def __init__(self, keys: frozenset[str] | None, currencies: frozenset[str] | None) -> None:
        self._keys = keys
        """Rows of the whole account; None for all of them."""
        self._currencies = currencies
        """Currencies of the ledger; None for all of them."""

    def of(self, rows: list[Row]) -> list[Row]:
        """The rows wanted."""
        if self._keys is None and self._currencies is None:
            return rows
        return [row for row in rows if self._wants(row)]

    def _wants(self, row: Row) -> bool:
        if is_ledger_row(row):
            return self._currencies is None or row[2] in self._currencies
        return self._keys is None or row[0] in self._keys


EVERYTHING = Selection(None, None)
LEDGER_AND_NET = Selection(frozenset({"NetLiquidation"}), None)
"""What `ledgerAndNLV` of reqAccountUpdatesMulti asks for."""


def summary_selection(tags: str) -> Selection:
    """The rows the tags of a summary ask for.

    `$LEDGER` is the ledger in the base currency, `$LEDGER:EUR` that of one currency, `$LEDGER:ALL`
    that of all.
    """
    wanted = [tag.strip() for tag in tags.split(",")]
    ledgers = {tag.partition(":")[2] or BASE for tag in wanted if tag.startswith("$LEDGER")}
    keys = frozenset(SUMMARY_NAMES.get(tag, tag) for tag in wanted)
    return Selection(keys, None if "ALL" in ledgers else frozenset(ledgers))
