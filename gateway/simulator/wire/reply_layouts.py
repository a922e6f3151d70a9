"""The table of replies: every message to a client but the order ones, field by field.

Source: design/ib.md 1.5. A row is a message; to add a message is to add its dataclass and its row.
The requests are in `layouts`.
"""

from datetime import datetime
from functools import lru_cache

from gateway.simulator import replies as r
from gateway.simulator.orders.orders import Execution
from gateway.simulator.wire.codec import UNSET_DOUBLE
from gateway.simulator.wire.fields import (
    BOOL,
    DECIMAL,
    ESCAPED_TEXT,
    INTEGER,
    TEXT,
    UNSET_DECIMAL,
    Field,
    Layout,
    MalformedMessage,
    Scalar,
    constant,
    inside,
    nested,
    repeated,
)
from gateway.simulator.wire.request_layouts import (
    ACCOUNT,
    CONTRACT,
    CONTRACT_11,
    CONTRACT_HELD,
    EXCHANGE,
    MODEL,
    PRIMARY,
    REQUEST_ID,
)
from gateway.simulator.wire.zones import SpokenZone, zone

EXECUTION_TIME_ZONE = "US/Eastern"
"""Zone of execution times. Clients lose the fill over a name that is not an IANA zone."""
_EXECUTION_TIME = "%Y%m%d %H:%M:%S"
TIMES_KEPT = 1024


def _parse_time(text: str) -> datetime:
    time, _, name = text.rpartition(" ")
    try:
        return datetime.strptime(time, _EXECUTION_TIME).replace(tzinfo=zone(name))
    except (ValueError, KeyError):
        raise MalformedMessage("not a time with a zone") from None


def _time_text(value: datetime) -> str:
    if isinstance(value.tzinfo, SpokenZone):
        return value.tzinfo.text(value)
    return _usual_time_text(value)


@lru_cache(maxsize=TIMES_KEPT)
def _usual_time_text(value: datetime) -> str:
    local = value.astimezone(zone(EXECUTION_TIME_ZONE))
    return f"{local.strftime(_EXECUTION_TIME)} {EXECUTION_TIME_ZONE}"


_TIME = Scalar(_parse_time, _time_text)

_BAR = nested(
    r.HistoricalBar,
    Field("time", TEXT),
    Field("open", DECIMAL),
    Field("high", DECIMAL),
    Field("low", DECIMAL),
    Field("close", DECIMAL),
    Field("volume", DECIMAL),
    Field("average", DECIMAL),
    Field("count", INTEGER),
)
_SAMPLE = nested(
    r.SymbolSample,
    Field("con_id", INTEGER),
    Field("symbol", TEXT),
    Field("security_type", TEXT),
    Field("primary_exchange", TEXT),
    Field("currency", TEXT),
    Field("derivatives", repeated(TEXT)),
    Field("description", ESCAPED_TEXT, since=176),
    Field("issuer_id", TEXT, since=176),
)
_SESSION = nested(r.ScheduledSession, Field("start", TEXT), Field("end", TEXT), Field("day", TEXT))
_SECURITY_ID = nested(r.SecurityId, Field("kind", TEXT), Field("value", TEXT))
_INCREMENT = nested(r.PriceIncrement, Field("low_edge", DECIMAL), Field("increment", DECIMAL))
_SECONDS = Field("epoch_seconds", INTEGER)
_PAST_MIDPOINT = nested(
    r.HistoricalMidpoint, _SECONDS, constant(""), Field("price", DECIMAL), Field("size", DECIMAL)
)
_PAST_QUOTE = nested(
    r.HistoricalQuote,
    _SECONDS,
    Field("attributes", INTEGER),
    *(Field(name, DECIMAL) for name in ("bid", "ask", "bid_size", "ask_size")),
)
_PAST_TRADE = nested(
    r.HistoricalTrade,
    _SECONDS,
    Field("attributes", INTEGER),
    Field("price", DECIMAL),
    Field("size", DECIMAL),
    Field("exchange", TEXT),
    Field("conditions", TEXT),
)
_DONE = Field("done", BOOL)
_HELD = (Field("position", DECIMAL), Field("average_cost", DECIMAL))


def _money(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, DECIMAL) for name in names)


def _constants(*texts: str) -> tuple[Field, ...]:
    return tuple(constant(text) for text in texts)


_FALSE, _ONE, _EIGHT, _HUNDRED = (constant(text).kind for text in ("0", "1", "8", "100"))


def _unset_tail() -> tuple[Field, ...]:
    return (constant(UNSET_DOUBLE), constant(""))


REPLIES: tuple[Layout, ...] = (
    Layout(9, r.NextValidId, (constant("1"), Field("order_id", INTEGER))),
    Layout(15, r.ManagedAccounts, (constant("1"), Field("accounts", TEXT))),
    Layout(49, r.CurrentTime, (constant("1"), Field("epoch_seconds", INTEGER))),
    Layout(
        4,
        r.Notice,
        (
            constant("2"),
            Field("id", INTEGER),
            Field("code", INTEGER),
            Field("text", ESCAPED_TEXT),
            Field("advanced", TEXT, since=166),
        ),
    ),
    Layout(
        6,
        r.AccountValue,
        (
            constant("2"),
            Field("key", TEXT),
            Field("value", TEXT),
            Field("currency", TEXT),
            ACCOUNT,
        ),
    ),
    Layout(
        7,
        r.PortfolioItem,
        (
            constant("8"),
            *CONTRACT_HELD,
            *_money("position", "market_price", "market_value", "average_cost"),
            *_money("unrealized", "realized"),
            ACCOUNT,
        ),
        parts=CONTRACT,
    ),
    Layout(8, r.AccountTime, (constant("1"), Field("time", TEXT))),
    Layout(54, r.AccountDownloadEnd, (constant("1"), ACCOUNT)),
    Layout(
        73,
        r.AccountUpdateMulti,
        (
            constant("1"),
            REQUEST_ID,
            ACCOUNT,
            MODEL,
            Field("key", TEXT),
            Field("value", TEXT),
            Field("currency", TEXT),
        ),
    ),
    Layout(74, r.AccountUpdateMultiEnd, (constant("1"), REQUEST_ID)),
    Layout(
        63,
        r.AccountSummary,
        (
            constant("1"),
            REQUEST_ID,
            ACCOUNT,
            Field("tag", TEXT),
            Field("value", TEXT),
            Field("currency", TEXT),
        ),
    ),
    Layout(64, r.AccountSummaryEnd, (constant("1"), REQUEST_ID)),
    Layout(61, r.Position, (constant("3"), ACCOUNT, *CONTRACT_11, *_HELD), parts=CONTRACT),
    Layout(62, r.PositionEnd, (constant("1"),)),
    Layout(
        71,
        r.PositionMulti,
        (constant("3"), REQUEST_ID, ACCOUNT, *CONTRACT_11, *_HELD, MODEL),
        parts=CONTRACT,
    ),
    Layout(72, r.PositionMultiEnd, (constant("1"), REQUEST_ID)),
    Layout(94, r.PnL, (REQUEST_ID, *_money("daily", "unrealized", "realized"))),
    Layout(
        95,
        r.PnLSingle,
        (REQUEST_ID, *_money("position", "daily", "unrealized", "realized", "value")),
    ),
    Layout(53, r.OpenOrderEnd, (constant("1"),)),
    Layout(
        3,
        r.OrderStatus,
        (
            Field("order_id", INTEGER),
            Field("status", TEXT),
            *_money("filled", "remaining", "price_average"),
            Field("perm_id", INTEGER),
            Field("parent_id", INTEGER),
            Field("price_last", DECIMAL),
            Field("client_id", INTEGER),
            Field("why_held", TEXT),
            Field("price_market_cap", DECIMAL),
        ),
    ),
    Layout(
        11,
        r.ExecutionDetails,
        (
            REQUEST_ID,
            Field("order_id", INTEGER),
            *CONTRACT_11,
            Field("execution.execution_id", TEXT),
            Field("execution.time", _TIME),
            ACCOUNT,
            Field("execution.exchange", TEXT),
            Field("execution.side", TEXT),
            *_money("execution.quantity", "execution.price"),
            Field("perm_id", INTEGER),
            Field("client_id", INTEGER),
            Field("execution.liquidation", INTEGER),
            *_money("execution.quantity_cumulative", "execution.price_average"),
            Field("order_ref", TEXT),
            *_constants("", "", "", "2"),  # evRule, evMultiplier, modelCode, lastLiquidity: removed
            Field("", _FALSE, since=178),  # pendingPriceRevision
        ),
        parts={**CONTRACT, "execution": Execution},
    ),
    Layout(
        10,
        r.ContractDetails,
        (
            Field("", _EIGHT, until=164),
            REQUEST_ID,
            *inside("contract", Field("symbol", TEXT), Field("security_type", TEXT)),
            *inside("contract", Field("expiry", TEXT), Field("strike", DECIMAL)),
            *inside("contract", Field("right", TEXT), EXCHANGE),
            *inside("contract", Field("currency", TEXT), Field("local_symbol", TEXT)),
            Field("market_name", TEXT),
            *inside("contract", Field("trading_class", TEXT), Field("con_id", INTEGER)),
            Field("tick", DECIMAL),
            Field("", _HUNDRED, until=164),  # mdSizeMultiplier
            *inside("contract", Field("multiplier", TEXT)),
            Field("order_types", TEXT),
            Field("valid_exchanges", TEXT),
            constant("1"),  # priceMagnifier
            Field("under_con_id", INTEGER),
            Field("long_name", ESCAPED_TEXT),
            *inside("contract", PRIMARY),
            Field("contract_month", TEXT),
            *_constants("", "", ""),  # industry, category, subcategory
            Field("time_zone", TEXT),
            Field("trading_hours", TEXT),
            Field("liquid_hours", TEXT),
            *_constants("", ""),  # evRule, evMultiplier
            Field("security_ids", repeated(_SECURITY_ID)),
            Field("aggregation_group", INTEGER),
            Field("under_symbol", TEXT),
            Field("under_security_type", TEXT),
            Field("market_rules", TEXT),
            Field("real_expiry", TEXT),
            Field("stock_type", TEXT),
            Field("", _ONE, since=163, until=164),  # sizeMinTick
            *(Field("", size, since=164) for size in (_ONE, _ONE)),
            Field("size_suggested", DECIMAL, since=164),
        ),
        parts=CONTRACT,
    ),
    Layout(102, r.CompletedOrdersEnd, ()),
    Layout(55, r.ExecutionDetailsEnd, (constant("1"), REQUEST_ID)),
    Layout(
        59,
        r.CommissionReport,
        (
            constant("1"),
            Field("execution_id", TEXT),
            Field("commission", DECIMAL),
            Field("currency", TEXT),
            Field("realized", UNSET_DECIMAL),
            *_unset_tail(),
        ),
    ),
    Layout(52, r.ContractDetailsEnd, (constant("1"), REQUEST_ID)),
    Layout(79, r.SymbolSamples, (REQUEST_ID, Field("samples", repeated(_SAMPLE)))),
    Layout(
        93, r.MarketRule, (Field("rule_id", INTEGER), Field("increments", repeated(_INCREMENT)))
    ),
    Layout(
        17,
        r.HistoricalData,
        (REQUEST_ID, Field("start", TEXT), Field("end", TEXT), Field("bars", repeated(_BAR))),
    ),
    Layout(
        96, r.HistoricalMidpoints, (REQUEST_ID, Field("ticks", repeated(_PAST_MIDPOINT)), _DONE)
    ),
    Layout(97, r.HistoricalQuotes, (REQUEST_ID, Field("ticks", repeated(_PAST_QUOTE)), _DONE)),
    Layout(98, r.HistoricalTrades, (REQUEST_ID, Field("ticks", repeated(_PAST_TRADE)), _DONE)),
    Layout(88, r.HeadTimestamp, (REQUEST_ID, Field("time", TEXT))),
    Layout(
        1,
        r.TickPrice,
        (
            constant("6"),
            REQUEST_ID,
            Field("tick_type", INTEGER),
            *_money("price", "size"),
            Field("attributes", INTEGER),
        ),
    ),
    Layout(
        2,
        r.TickSize,
        (constant("6"), REQUEST_ID, Field("tick_type", INTEGER), Field("size", DECIMAL)),
    ),
    Layout(
        81,
        r.TickRequestParameters,
        (
            REQUEST_ID,
            Field("tick", DECIMAL),
            Field("bbo_exchange", TEXT),
            Field("snapshot_permissions", INTEGER),
        ),
    ),
    Layout(58, r.MarketDataType, (constant("1"), REQUEST_ID, Field("type", INTEGER))),
    Layout(57, r.TickSnapshotEnd, (constant("1"), REQUEST_ID)),
    Layout(
        45,
        r.TickGeneric,
        (constant("6"), REQUEST_ID, Field("tick_type", INTEGER), Field("value", DECIMAL)),
    ),
    Layout(
        46,
        r.TickString,
        (constant("6"), REQUEST_ID, Field("tick_type", INTEGER), Field("value", TEXT)),
    ),
    Layout(
        90,
        r.HistoricalDataUpdate,
        (
            REQUEST_ID,
            *inside("bar", Field("count", INTEGER), Field("time", TEXT)),
            *inside("bar", *_money("open", "close", "high", "low", "average", "volume")),
        ),
        parts={"bar": r.HistoricalBar},
    ),
    Layout(
        50,
        r.RealTimeBar,
        (
            constant("3"),
            REQUEST_ID,
            Field("epoch_seconds", INTEGER),
            *_money("open", "high", "low", "close", "volume", "average"),
            Field("count", INTEGER),
        ),
    ),
    Layout(
        75,
        r.OptionParameters,
        (
            REQUEST_ID,
            EXCHANGE,
            Field("underlying_con_id", INTEGER),
            Field("trading_class", TEXT),
            Field("multiplier", TEXT),
            Field("expirations", repeated(TEXT)),
            Field("strikes", repeated(DECIMAL)),
        ),
    ),
    Layout(76, r.OptionParametersEnd, (REQUEST_ID,)),
    Layout(
        100,
        r.OrderBound,
        (Field("perm_id", INTEGER), Field("client_id", INTEGER), Field("order_id", INTEGER)),
    ),
    Layout(
        106,
        r.HistoricalSchedule,
        (
            REQUEST_ID,
            Field("start", TEXT),
            Field("end", TEXT),
            Field("time_zone", TEXT),
            Field("sessions", repeated(_SESSION)),
        ),
    ),
)

_EPOCH = Field("epoch_seconds", INTEGER)
_TICK_LAST = Layout(
    99,
    r.TickByTickTrade,
    (
        REQUEST_ID,
        Field("kind", INTEGER),
        _EPOCH,
        *_money("price", "size"),
        Field("attributes", INTEGER),
        EXCHANGE,
        Field("conditions", TEXT),
    ),
)
_TICK_QUOTE = Layout(
    99,
    r.TickByTickQuote,
    (
        REQUEST_ID,
        constant("3"),
        _EPOCH,
        *_money("bid", "ask", "bid_size", "ask_size"),
        Field("attributes", INTEGER),
    ),
)
_TICK_MIDPOINT = Layout(
    99, r.TickByTickMidpoint, (REQUEST_ID, constant("4"), _EPOCH, *_money("price"))
)
TICKS_BY_KIND = {"1": _TICK_LAST, "2": _TICK_LAST, "3": _TICK_QUOTE, "4": _TICK_MIDPOINT}
"""Message 99 is three messages; the field behind the request id says which."""
