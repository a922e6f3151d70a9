"""What the broker says about contracts and the market; the rest of its words is in `replies`."""

from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.market.contracts import Contract


@dataclass(frozen=True, slots=True)
class SecurityId:
    """An identifier that others know a contract by; IB tells the ISIN of a stock."""

    kind: str
    value: str


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
    under_con_id: int = 0
    contract_month: str = ""
    security_ids: tuple[SecurityId, ...] = ()
    aggregation_group: int = 1
    under_symbol: str = ""
    under_security_type: str = ""
    real_expiry: str = ""
    size_suggested: Decimal = Decimal(100)


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


@dataclass(frozen=True, slots=True)
class TickGeneric:
    """A number that is neither a price nor a size (46 shortable, 49 halted)."""

    request_id: int
    tick_type: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class TickString:
    """A text (45 time of the last trade, 88 the same of delayed data: seconds of the epoch)."""

    request_id: int
    tick_type: int
    value: str


@dataclass(frozen=True, slots=True)
class HistoricalDataUpdate:
    """The forming bar of historical data that is kept up to date, as it stands now."""

    request_id: int
    bar: HistoricalBar


@dataclass(frozen=True, slots=True)
class RealTimeBar:
    """Five seconds of trading, by the second in which they began."""

    request_id: int
    epoch_seconds: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    average: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class TickByTickTrade:
    """One trade; `kind` is 1 (Last) or 2 (AllLast). Attributes: 1 past limit, 2 unreported."""

    request_id: int
    kind: int
    epoch_seconds: int
    price: Decimal
    size: Decimal
    attributes: int = 0
    exchange: str = ""
    conditions: str = ""


@dataclass(frozen=True, slots=True)
class TickByTickQuote:
    """One change of the best bid or ask. Attributes: 1 bid past low, 2 ask past high."""

    request_id: int
    epoch_seconds: int
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    attributes: int = 0


@dataclass(frozen=True, slots=True)
class TickByTickMidpoint:
    """One change of the middle between bid and ask."""

    request_id: int
    epoch_seconds: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class HistoricalMidpoint:
    """The middle between bid and ask, as it was."""

    epoch_seconds: int
    price: Decimal
    size: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class HistoricalMidpoints:
    """Past middles; `done` when no more of the request are to come."""

    request_id: int
    ticks: tuple[HistoricalMidpoint, ...]
    done: bool = True


@dataclass(frozen=True, slots=True)
class HistoricalQuote:
    """The best bid and ask, as they were. Attributes: 1 ask past high, 2 bid past low."""

    epoch_seconds: int
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    attributes: int = 0


@dataclass(frozen=True, slots=True)
class HistoricalQuotes:
    """Past quotes; `done` when no more of the request are to come."""

    request_id: int
    ticks: tuple[HistoricalQuote, ...]
    done: bool = True


@dataclass(frozen=True, slots=True)
class HistoricalTrade:
    """One past trade. Attributes: 1 past limit, 2 unreported."""

    epoch_seconds: int
    price: Decimal
    size: Decimal
    attributes: int = 0
    exchange: str = ""
    conditions: str = ""


@dataclass(frozen=True, slots=True)
class HistoricalTrades:
    """Past trades; `done` when no more of the request are to come."""

    request_id: int
    ticks: tuple[HistoricalTrade, ...]
    done: bool = True


@dataclass(frozen=True, slots=True)
class OptionParameters:
    """The option chain of an underlying at one exchange."""

    request_id: int
    exchange: str
    underlying_con_id: int
    trading_class: str
    multiplier: str
    expirations: tuple[str, ...]
    strikes: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class OptionParametersEnd:
    """End of the option chains."""

    request_id: int


@dataclass(frozen=True, slots=True)
class ScheduledSession:
    """One trading session, in the time zone of its schedule; `day` is `yyyymmdd`."""

    start: str
    end: str
    day: str


@dataclass(frozen=True, slots=True)
class HistoricalSchedule:
    """The sessions of a contract (historical data of the kind SCHEDULE)."""

    request_id: int
    start: str
    end: str
    time_zone: str
    sessions: tuple[ScheduledSession, ...]
