"""What the broker says: one frozen value per message to a client, in the broker's words."""

from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.contracts import Contract
from gateway.simulator.orders import Execution, OrderState, OrderTerms


@dataclass(frozen=True, slots=True)
class NextValidId:
    """The lowest order id the client may use next."""

    order_id: int


@dataclass(frozen=True, slots=True)
class ManagedAccounts:
    """Account ids, comma separated."""

    accounts: str


@dataclass(frozen=True, slots=True)
class CurrentTime:
    """The broker's clock, seconds since the epoch."""

    epoch_seconds: int


@dataclass(frozen=True, slots=True)
class Notice:
    """IB's `error` message: an error, a refusal, a warning or a notice, told apart by its code.

    `id` is a request id, an order id, or -1.
    """

    id: int
    code: int
    text: str
    advanced: str = ""


@dataclass(frozen=True, slots=True)
class AccountValue:
    """One account value; identified by key, currency and account together."""

    key: str
    value: str
    currency: str
    account: str


@dataclass(frozen=True, slots=True)
class PortfolioItem:
    """One position with its valuation."""

    contract: Contract
    position: Decimal
    market_price: Decimal
    market_value: Decimal
    average_cost: Decimal
    unrealized: Decimal
    realized: Decimal
    account: str


@dataclass(frozen=True, slots=True)
class AccountTime:
    """When the account values were computed, `HH:MM` New York time."""

    time: str


@dataclass(frozen=True, slots=True)
class AccountDownloadEnd:
    """The first complete set of account values was sent."""

    account: str


@dataclass(frozen=True, slots=True)
class AccountUpdateMulti:
    """One account value for reqAccountUpdatesMulti."""

    request_id: int
    account: str
    model: str
    key: str
    value: str
    currency: str


@dataclass(frozen=True, slots=True)
class AccountUpdateMultiEnd:
    """End of the first set."""

    request_id: int


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """One row of the account summary."""

    request_id: int
    account: str
    tag: str
    value: str
    currency: str


@dataclass(frozen=True, slots=True)
class AccountSummaryEnd:
    """End of the summary."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Position:
    """One position, signed, with its average cost per share."""

    account: str
    contract: Contract
    position: Decimal
    average_cost: Decimal


@dataclass(frozen=True, slots=True)
class PositionEnd:
    """End of the positions."""


@dataclass(frozen=True, slots=True)
class PositionMulti:
    """One position for reqPositionsMulti."""

    request_id: int
    account: str
    contract: Contract
    position: Decimal
    average_cost: Decimal
    model: str


@dataclass(frozen=True, slots=True)
class PositionMultiEnd:
    """End of the positions."""

    request_id: int


@dataclass(frozen=True, slots=True)
class PnL:
    """Profit and loss of the account."""

    request_id: int
    daily: Decimal
    unrealized: Decimal
    realized: Decimal


@dataclass(frozen=True, slots=True)
class PnLSingle:
    """Profit and loss of one position."""

    request_id: int
    position: Decimal
    daily: Decimal
    unrealized: Decimal
    realized: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order as the broker holds it. `order_id` is 0 for one made by hand."""

    order_id: int
    client_id: int
    perm_id: int
    contract: Contract
    terms: OrderTerms
    state: OrderState


@dataclass(frozen=True, slots=True)
class OpenOrderEnd:
    """End of the open orders."""


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """How far an order is."""

    order_id: int
    status: str
    filled: Decimal
    remaining: Decimal
    price_average: Decimal
    perm_id: int
    parent_id: int
    price_last: Decimal
    client_id: int
    why_held: str = ""
    price_market_cap: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class CompletedOrder:
    """A finished order of today: neither order id nor client id survive into this message."""

    perm_id: int
    contract: Contract
    terms: OrderTerms
    status: str
    filled: Decimal
    completed_time: str
    completed_status: str


@dataclass(frozen=True, slots=True)
class CompletedOrdersEnd:
    """End of the completed orders."""


@dataclass(frozen=True, slots=True)
class ExecutionDetails:
    """One execution; `request_id` is -1 when it happens now. The contract's exchange is where."""

    request_id: int
    order_id: int
    client_id: int
    perm_id: int
    contract: Contract
    execution: Execution
    account: str
    order_ref: str


@dataclass(frozen=True, slots=True)
class ExecutionDetailsEnd:
    """End of the executions."""

    request_id: int


@dataclass(frozen=True, slots=True)
class CommissionReport:
    """What an execution cost, and what it realized (None when it opened a position)."""

    execution_id: str
    commission: Decimal
    currency: str
    realized: Decimal | None


@dataclass(frozen=True, slots=True)
class ContractDetails:
    """One contract with everything IB tells about it."""

    request_id: int
    contract: Contract
    market_name: str
    long_name: str
    stock_type: str
    tick: Decimal
    order_types: str
    valid_exchanges: str
    market_rules: str
    time_zone: str
    trading_hours: str
    liquid_hours: str


@dataclass(frozen=True, slots=True)
class ContractDetailsEnd:
    """End of the matches."""

    request_id: int


@dataclass(frozen=True, slots=True)
class SymbolSample:
    """One match of a symbol search."""

    con_id: int
    symbol: str
    security_type: str
    primary_exchange: str
    currency: str
    derivatives: tuple[str, ...] = ()
    description: str = ""
    issuer_id: str = ""


@dataclass(frozen=True, slots=True)
class SymbolSamples:
    """The matches of a symbol search."""

    request_id: int
    samples: tuple[SymbolSample, ...]


@dataclass(frozen=True, slots=True)
class PriceIncrement:
    """From this price on, prices are multiples of the increment."""

    low_edge: Decimal
    increment: Decimal


@dataclass(frozen=True, slots=True)
class MarketRule:
    """The price increments of one market rule."""

    rule_id: int
    increments: tuple[PriceIncrement, ...]


@dataclass(frozen=True, slots=True)
class HistoricalBar:
    """One bar; `time` in the format the client asked for."""

    time: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    average: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class HistoricalData:
    """All bars of one request."""

    request_id: int
    start: str
    end: str
    bars: tuple[HistoricalBar, ...]


@dataclass(frozen=True, slots=True)
class HeadTimestamp:
    """When the data of a contract begins."""

    request_id: int
    time: str


@dataclass(frozen=True, slots=True)
class TickPrice:
    """A price; tick types are IB's (1 bid, 2 ask, 4 last, 9 close, 14 open)."""

    request_id: int
    tick_type: int
    price: Decimal
    size: Decimal
    attributes: int = 0


@dataclass(frozen=True, slots=True)
class TickSize:
    """A size (0 bid, 3 ask, 5 last, 8 volume)."""

    request_id: int
    tick_type: int
    size: Decimal


@dataclass(frozen=True, slots=True)
class TickRequestParameters:
    """What IB says first about a market data request."""

    request_id: int
    tick: Decimal
    bbo_exchange: str
    snapshot_permissions: int


@dataclass(frozen=True, slots=True)
class MarketDataType:
    """Which kind of data follows: 1 live, 2 frozen."""

    request_id: int
    type: int


@dataclass(frozen=True, slots=True)
class TickSnapshotEnd:
    """End of a snapshot."""

    request_id: int


Reply = (
    NextValidId
    | ManagedAccounts
    | CurrentTime
    | Notice
    | AccountValue
    | PortfolioItem
    | AccountTime
    | AccountDownloadEnd
    | AccountUpdateMulti
    | AccountUpdateMultiEnd
    | AccountSummary
    | AccountSummaryEnd
    | Position
    | PositionEnd
    | PositionMulti
    | PositionMultiEnd
    | PnL
    | PnLSingle
    | OpenOrder
    | OpenOrderEnd
    | OrderStatus
    | CompletedOrder
    | CompletedOrdersEnd
    | ExecutionDetails
    | ExecutionDetailsEnd
    | CommissionReport
    | ContractDetails
    | ContractDetailsEnd
    | SymbolSamples
    | MarketRule
    | HistoricalData
    | HeadTimestamp
    | TickPrice
    | TickSize
    | TickRequestParameters
    | MarketDataType
    | TickSnapshotEnd
)

Delivery = tuple[int, Reply]
"""A reply and the client id it goes to."""
