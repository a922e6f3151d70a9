"""What a client can ask: one frozen value per request, in the broker's words, not the wire's."""

from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms


@dataclass(frozen=True, slots=True)
class StartApi:
    """The first message after the hello: who the client says it is."""

    client_id: int
    capabilities: str


@dataclass(frozen=True, slots=True)
class NextIdRequest:
    """reqIds: asks for the next valid order id."""

    count: int


@dataclass(frozen=True, slots=True)
class ManagedAccountsRequest:
    """reqManagedAccts."""


@dataclass(frozen=True, slots=True)
class CurrentTimeRequest:
    """reqCurrentTime."""


@dataclass(frozen=True, slots=True)
class ServerLogLevel:
    """setServerLogLevel: accepted, without effect."""

    level: int


@dataclass(frozen=True, slots=True)
class AccountUpdatesRequest:
    """reqAccountUpdates: subscribe to account values and portfolio, or end it."""

    subscribe: bool
    account: str


@dataclass(frozen=True, slots=True)
class AccountUpdatesMultiRequest:
    """reqAccountUpdatesMulti."""

    request_id: int
    account: str
    model: str
    ledger_only: bool


@dataclass(frozen=True, slots=True)
class AccountSummaryRequest:
    """reqAccountSummary; `tags` is comma separated, its last one may be `$LEDGER:ALL`."""

    request_id: int
    group: str
    tags: str


@dataclass(frozen=True, slots=True)
class PositionsRequest:
    """reqPositions."""


@dataclass(frozen=True, slots=True)
class PositionsCancel:
    """cancelPositions."""


@dataclass(frozen=True, slots=True)
class PositionsMultiRequest:
    """reqPositionsMulti."""

    request_id: int
    account: str
    model: str


@dataclass(frozen=True, slots=True)
class PnLRequest:
    """reqPnL."""

    request_id: int
    account: str
    model: str


@dataclass(frozen=True, slots=True)
class PnLSingleRequest:
    """reqPnLSingle."""

    request_id: int
    account: str
    model: str
    con_id: int


@dataclass(frozen=True, slots=True)
class SubscriptionCancel:
    """Any cancel that names only a request id; `what` says of which kind."""

    request_id: int


class AccountUpdatesMultiCancel(SubscriptionCancel):
    """cancelAccountUpdatesMulti."""

    __slots__ = ()


class AccountSummaryCancel(SubscriptionCancel):
    """cancelAccountSummary."""

    __slots__ = ()


class PositionsMultiCancel(SubscriptionCancel):
    """cancelPositionsMulti."""

    __slots__ = ()


class PnLCancel(SubscriptionCancel):
    """cancelPnL."""

    __slots__ = ()


class PnLSingleCancel(SubscriptionCancel):
    """cancelPnLSingle."""

    __slots__ = ()


class HistoricalDataCancel(SubscriptionCancel):
    """cancelHistoricalData."""

    __slots__ = ()


class HeadTimestampCancel(SubscriptionCancel):
    """cancelHeadTimeStamp."""

    __slots__ = ()


class MarketDataCancel(SubscriptionCancel):
    """cancelMktData."""

    __slots__ = ()


class RealTimeBarsCancel(SubscriptionCancel):
    """cancelRealTimeBars."""

    __slots__ = ()


class TickByTickCancel(SubscriptionCancel):
    """cancelTickByTickData."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OpenOrdersRequest:
    """reqOpenOrders: this client's working orders."""


@dataclass(frozen=True, slots=True)
class AllOpenOrdersRequest:
    """reqAllOpenOrders: everybody's working orders."""


@dataclass(frozen=True, slots=True)
class AutoOpenOrdersRequest:
    """reqAutoOpenOrders: client 0 asks to be given orders made by hand."""

    bind: bool


@dataclass(frozen=True, slots=True)
class CompletedOrdersRequest:
    """reqCompletedOrders: today's finished orders of the account."""

    api_only: bool


@dataclass(frozen=True, slots=True)
class ExecutionsRequest:
    """reqExecutions with its filter; empty fields and client id 0 fit everything."""

    request_id: int
    client_id: int
    account: str
    time: str
    symbol: str
    security_type: str
    exchange: str
    side: str


@dataclass(frozen=True, slots=True)
class ContractDetailsRequest:
    """reqContractDetails."""

    request_id: int
    contract: Contract
    include_expired: bool = False
    security_id_type: str = ""
    security_id: str = ""
    issuer_id: str = ""


@dataclass(frozen=True, slots=True)
class MatchingSymbolsRequest:
    """reqMatchingSymbols."""

    request_id: int
    pattern: str


@dataclass(frozen=True, slots=True)
class MarketRuleRequest:
    """reqMarketRule."""

    rule_id: int


@dataclass(frozen=True, slots=True)
class ComboLeg:
    """One leg of a combination (security type BAG) whose data is asked for."""

    con_id: int
    ratio: int
    action: str
    exchange: str


@dataclass(frozen=True, slots=True)
class DeltaNeutral:
    """The delta neutral contract that may accompany a combination."""

    con_id: int
    delta: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class HistoricalDataRequest:
    """reqHistoricalData; an empty `end` means now."""

    request_id: int
    contract: Contract
    include_expired: bool
    end: str
    bar_size: str
    duration: str
    regular_hours: bool
    what_to_show: str
    date_format: int
    keep_up_to_date: bool
    options: str = ""
    legs: tuple[ComboLeg, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoricalTicksRequest:
    """reqHistoricalTicks: `count` ticks from `start` on or until `end`; one of the two is empty."""

    request_id: int
    contract: Contract
    include_expired: bool
    start: str
    end: str
    count: int
    what_to_show: str
    regular_hours: bool
    ignore_size: bool
    options: str = ""


@dataclass(frozen=True, slots=True)
class HeadTimestampRequest:
    """reqHeadTimeStamp: when does the data of a contract begin."""

    request_id: int
    contract: Contract
    include_expired: bool
    regular_hours: bool
    what_to_show: str
    date_format: int


@dataclass(frozen=True, slots=True)
class MarketDataRequest:
    """reqMktData: a snapshot, or a stream until cancelled."""

    request_id: int
    contract: Contract
    generic_ticks: str
    snapshot: bool
    regulatory_snapshot: bool
    options: str
    legs: tuple[ComboLeg, ...] = ()
    delta_neutral: DeltaNeutral | None = None


@dataclass(frozen=True, slots=True)
class RealTimeBarsRequest:
    """reqRealTimeBars: a bar every five seconds (`bar_seconds` is always 5) until cancelled."""

    request_id: int
    contract: Contract
    bar_seconds: int
    what_to_show: str
    regular_hours: bool
    options: str = ""


@dataclass(frozen=True, slots=True)
class TickByTickRequest:
    """reqTickByTickData; `kind` is Last, AllLast, BidAsk or MidPoint.

    `tick_count` is how many past ticks come first; `ignore_size` leaves out changes of size alone.
    """

    request_id: int
    contract: Contract
    kind: str
    tick_count: int
    ignore_size: bool


@dataclass(frozen=True, slots=True)
class OptionParametersRequest:
    """reqSecDefOptParams: the strikes and expirations of the options on an underlying."""

    request_id: int
    underlying_symbol: str
    exchange: str
    underlying_type: str
    underlying_con_id: int


@dataclass(frozen=True, slots=True)
class MarketDataTypeRequest:
    """reqMarketDataType: 1 live, 2 frozen, 3 delayed, 4 delayed frozen."""

    type: int


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """placeOrder: a new order, a change of a working one, or a what-if question."""

    order_id: int
    contract: Contract
    terms: OrderTerms


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """cancelOrder."""

    order_id: int
    manual_time: str = ""


@dataclass(frozen=True, slots=True)
class GlobalCancel:
    """reqGlobalCancel: cancel every working order of the account."""


@dataclass(frozen=True, slots=True)
class UnsupportedRequest:
    """A request that IB has and this simulator has not; `request_id` is -1 when it has none."""

    number: int
    request_id: int


QUANTITY_MAX = Decimal(10_000_000)
"""Largest order quantity taken seriously."""
