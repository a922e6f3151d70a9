"""What the broker tells us, in our words: the values that cross the door of `gateway.session`.

IB's status texts and error numbers stop at that door. An execution is already in its document's
shape (`schemas.documents.ExecutionDocument`), signed, without shares.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from schemas.documents import BrokerPosition, ExecutionDocument
from schemas.values import Contract


def masked(account: str) -> str:
    """An account for logs, reports and screens, by its kind and its end: `U…67`.

    In full it stands in documents and in the environment, and nowhere else.
    """
    kind = account[:2] if account[:2].isalpha() else account[:1]
    return f"{kind}…{account[-2:]}" if len(account) > 4 else f"{kind}…"


def with_accounts_masked(text: str, accounts: Iterable[str]) -> str:
    """IB's own words, which may name an account of the login."""
    for account in filter(None, accounts):
        text = text.replace(account, masked(account))
    return text


class BrokerStatus(StrEnum):
    """What the broker's word means for an order.

    `UNSURE` stands for everything that is no outcome: `ValidationError`, `Inactive`, warnings that
    look like rejections (399, 404, 2109, 10349), unknown error codes. Only the four questions or a
    later status settle it.
    """

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One thing the broker said of one order. `order_ref` is empty for a foreign order.

    `filled` is the broker's own count, unsigned, None where it leaves it out; `order_id` is 0 in
    completed orders.
    """

    order_ref: str
    status: BrokerStatus
    con_id: int = 0
    perm_id: int = 0
    order_id: int = 0
    client_id: int = 0
    filled: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Commission:
    """What one execution cost, in the currency charged."""

    exec_id: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The line to the broker went up or down. `data_lost` asks for a reconcile (1101)."""

    up: bool
    reason: str
    data_lost: bool = False


type BrokerEvent = OrderReport | ExecutionDocument | Commission | Connection


@dataclass(frozen=True, slots=True)
class AccountValues:
    """The account's money, in the base currency but for `cash`, which is by currency.

    `exchange_rates` say, by currency, what one unit is worth in the base currency.
    """

    account: str
    base_currency: str
    net_liquidation: Decimal
    cash: Mapping[str, Decimal]
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    equity_with_loan: Decimal | None = None
    exchange_rates: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """The four questions, answered [R1]: positions, open and completed orders, executions, cash.

    `positions` were read twice with equal results, with the executions read in between [B3].
    """

    at: datetime
    values: AccountValues
    positions: tuple[BrokerPosition, ...]
    open_orders: tuple[OrderReport, ...]
    completed_orders: tuple[OrderReport, ...]
    executions: tuple[ExecutionDocument, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A reading that knows nothing of an order of ours, with what was held of its contract [R2].

    While the ledgers do not explain the position, the order may have been filled unheard of.
    """

    order_ref: str
    position: Decimal
    is_explained: bool


@dataclass(frozen=True, slots=True)
class Drained:
    """A reading whose positions the ledgers explain: of an order of ours no fill is outstanding."""

    order_ref: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A snapshot of the market. Prices are None where the broker gave none."""

    contract: Contract
    at: datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    delayed: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A time of trading: from its opening on, up to and without its close."""

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """How a contract trades, by IB's contract details, for the days that they name.

    `increments` are (from price, step), rising: prices from there on are multiples of the step.
    `liquid_hours` are the regular ones, early closes and all, `trading_hours` the extended ones;
    rising, and empty where IB names none.
    """

    contract: Contract
    at: datetime
    increments: tuple[tuple[Decimal, Decimal], ...]
    liquid_hours: tuple[Span, ...] = ()
    trading_hours: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class MarginPreview:
    """IB's what-if answer for one order; amounts in the base currency, after the order.

    `refusal` is IB's reason when it would reject the order; the numbers are then None.
    """

    initial_margin: Decimal | None = None
    initial_margin_change: Decimal | None = None
    equity_with_loan: Decimal | None = None
    commission: Decimal | None = None
    warning: str = ""
    refusal: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)
