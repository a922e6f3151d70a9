"""What the broker says: one frozen value per message to a client, in the broker's words."""

from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.market.contracts import Contract
from gateway.simulator.market_replies import (
    ContractDetails,
    ContractDetailsEnd,
    HeadTimestamp,
    HistoricalBar,
    HistoricalData,
    HistoricalDataUpdate,
    HistoricalMidpoint,
    HistoricalMidpoints,
    HistoricalQuote,
    HistoricalQuotes,
    HistoricalSchedule,
    HistoricalTrade,
    HistoricalTrades,
    MarketDataType,
    MarketRule,
    OptionParameters,
    OptionParametersEnd,
    PriceIncrement,
    RealTimeBar,
    ScheduledSession,
    SecurityId,
    SymbolSample,
    SymbolSamples,
    TickByTickMidpoint,
    TickByTickQuote,
    TickByTickTrade,
    TickGeneric,
    TickPrice,
    TickRequestParameters,
    TickSize,
    TickSnapshotEnd,
    TickString,
)
from gateway.simulator.orders.orders import Execution, OrderState, OrderTerms

__all__ = [
    "AccountDownloadEnd",
    "AccountSummary",
    "AccountSummaryEnd",
    "AccountTime",
    "AccountUpdateMulti",
    "AccountUpdateMultiEnd",
    "AccountValue",
    "CommissionReport",
    "CompletedOrder",
    "CompletedOrdersEnd",
    "ContractDetails",
    "ContractDetailsEnd",
    "CurrentTime",
    "Cut",
    "Delivery",
    "ExecutionDetails",
    "ExecutionDetailsEnd",
    "HeadTimestamp",
    "HistoricalBar",
    "HistoricalData",
    "HistoricalDataUpdate",
    "HistoricalMidpoint",
    "HistoricalMidpoints",
    "HistoricalQuote",
    "HistoricalQuotes",
    "HistoricalSchedule",
    "HistoricalTrade",
    "HistoricalTrades",
    "ManagedAccounts",
    "MarketDataType",
    "MarketRule",
    "Miscounted",
    "NextValidId",
    "Notice",
    "OpenOrder",
    "OpenOrderEnd",
    "OptionParameters",
    "OptionParametersEnd",
    "OrderBound",
    "OrderStatus",
    "PnL",
    "PnLSingle",
    "PortfolioItem",
    "Position",
    "PositionEnd",
    "PositionMulti",
    "PositionMultiEnd",
    "PriceIncrement",
    "Raw",
    "RealTimeBar",
    "Reply",
    "ScheduledSession",
    "SecurityId",
    "SymbolSample",
    "SymbolSamples",
    "TickByTickMidpoint",
    "TickByTickQuote",
    "TickByTickTrade",
    "TickGeneric",
    "TickPrice",
    "TickRequestParameters",
    "TickSize",
    "TickSnapshotEnd",
    "TickString",
]


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


# Not frozen, though nobody writes to one: they are made by the dozen on every trade, and the
# frozen kind takes three times as long to make.
@dataclass(slots=True, unsafe_hash=True)
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


@dataclass(slots=True, unsafe_hash=True)
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
    parent_perm_id: int = 0
    """Which order it was attached to; 0 for none."""


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
class OrderBound:
    """An order made by hand now belongs to a client, under this id."""

    perm_id: int
    client_id: int
    order_id: int


@dataclass(frozen=True, slots=True)
class Cut:
    """No message: the server resets the connection here.

    With `in_frame` it first writes the first half of the frame that would come next.
    """

    in_frame: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """No message: bytes that are written as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Miscounted:
    """A message garbled: with so many empty fields too many at its end, or too few if negative."""

    reply: "Reply"
    extra: int


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
    | TickGeneric
    | TickString
    | HistoricalDataUpdate
    | RealTimeBar
    | TickByTickTrade
    | TickByTickQuote
    | HistoricalMidpoints
    | HistoricalQuotes
    | HistoricalTrades
    | TickByTickMidpoint
    | OptionParameters
    | OptionParametersEnd
    | OrderBound
    | HistoricalSchedule
)

Delivery = tuple[int, Reply | Cut | Raw | Miscounted]
"""The client id that is told, and what: a message, or what happens to its connection."""
