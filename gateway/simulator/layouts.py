"""The tables of layouts: every message but the order ones, field by field, with version gates.

Source: design/ib.md 1.3 (requests) and 1.5 (responses). A row is a message; to add a message is
to add its dataclass and its row.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.codec import UNSET_DOUBLE
from gateway.simulator.contracts import Contract
from gateway.simulator.orders import Execution
from gateway.simulator.wire import (
    BOOL,
    DECIMAL,
    ESCAPED_TEXT,
    INTEGER,
    TEXT,
    UNSET_DECIMAL,
    Field,
    FieldReader,
    Kind,
    Layout,
    MalformedMessage,
    constant,
    nested,
    repeated,
)

EXECUTION_TIME_ZONE = "US/Eastern"
"""Zone of execution times. Clients lose the fill over a name that is not an IANA zone."""
_EXECUTION_TIME = "%Y%m%d %H:%M:%S"

REQUEST_ID = Field("request_id", INTEGER)
ACCOUNT = Field("account", TEXT)
MODEL = Field("model", TEXT)

_DESCRIPTION = (
    Field("con_id", INTEGER),
    Field("symbol", TEXT),
    Field("security_type", TEXT),
    Field("expiry", TEXT),
    Field("strike", DECIMAL),
    Field("right", TEXT),
    Field("multiplier", TEXT),
)
_LOCAL = (Field("currency", TEXT), Field("local_symbol", TEXT), Field("trading_class", TEXT))
_EXCHANGE = Field("exchange", TEXT)
_PRIMARY = Field("primary_exchange", TEXT)

CONTRACT_12 = Field("contract", nested(Contract, *_DESCRIPTION, _EXCHANGE, _PRIMARY, *_LOCAL))
"""A contract as clients send it."""
CONTRACT_11 = Field("contract", nested(Contract, *_DESCRIPTION, _EXCHANGE, *_LOCAL))
"""A contract as positions and executions show it."""
CONTRACT_HELD = Field("contract", nested(Contract, *_DESCRIPTION, _PRIMARY, *_LOCAL))
"""A contract as the portfolio shows it: the primary exchange in the exchange's place."""


def _read_delta_neutral(reader: FieldReader) -> None:
    if reader.take() == "1":
        reader.take_many(3)


_NO_DELTA_NEUTRAL = Field("", Kind(_read_delta_neutral, lambda _value, _version: ["0"]))


def _read_time(reader: FieldReader) -> datetime:
    text, _, zone = reader.take().rpartition(" ")
    try:
        return datetime.strptime(text, _EXECUTION_TIME).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, KeyError):
        raise MalformedMessage("not a time with a zone") from None


def _write_time(value: datetime, _version: int) -> list[str]:
    local = value.astimezone(ZoneInfo(EXECUTION_TIME_ZONE))
    return [f"{local.strftime(_EXECUTION_TIME)} {EXECUTION_TIME_ZONE}"]


_TIME = Kind(_read_time, _write_time)

REQUESTS: tuple[Layout, ...] = (
    Layout(
        71, q.StartApi, (constant("2"), Field("client_id", INTEGER), Field("capabilities", TEXT))
    ),
    Layout(8, q.NextIdRequest, (constant("1"), Field("count", INTEGER))),
    Layout(17, q.ManagedAccountsRequest, (constant("1"),)),
    Layout(49, q.CurrentTimeRequest, (constant("1"),)),
    Layout(14, q.ServerLogLevel, (constant("1"), Field("level", INTEGER))),
    Layout(6, q.AccountUpdatesRequest, (constant("2"), Field("subscribe", BOOL), ACCOUNT)),
    Layout(
        76,
        q.AccountUpdatesMultiRequest,
        (constant("1"), REQUEST_ID, ACCOUNT, MODEL, Field("ledger_only", BOOL)),
    ),
    Layout(77, q.AccountUpdatesMultiCancel, (constant("1"), REQUEST_ID)),
    Layout(
        62,
        q.AccountSummaryRequest,
        (constant("1"), REQUEST_ID, Field("group", TEXT), Field("tags", TEXT)),
    ),
    Layout(63, q.AccountSummaryCancel, (constant("1"), REQUEST_ID)),
    Layout(61, q.PositionsRequest, (constant("1"),)),
    Layout(64, q.PositionsCancel, (constant("1"),)),
    Layout(74, q.PositionsMultiRequest, (constant("1"), REQUEST_ID, ACCOUNT, MODEL)),
    Layout(75, q.PositionsMultiCancel, (constant("1"), REQUEST_ID)),
    Layout(92, q.PnLRequest, (REQUEST_ID, ACCOUNT, MODEL)),
    Layout(93, q.PnLCancel, (REQUEST_ID,)),
    Layout(94, q.PnLSingleRequest, (REQUEST_ID, ACCOUNT, MODEL, Field("con_id", INTEGER))),
    Layout(95, q.PnLSingleCancel, (REQUEST_ID,)),
    Layout(5, q.OpenOrdersRequest, (constant("1"),)),
    Layout(16, q.AllOpenOrdersRequest, (constant("1"),)),
    Layout(15, q.AutoOpenOrdersRequest, (constant("1"), Field("bind", BOOL))),
    Layout(99, q.CompletedOrdersRequest, (Field("api_only", BOOL),)),
    Layout(
        7,
        q.ExecutionsRequest,
        (
            constant("3"),
            REQUEST_ID,
            Field("client_id", INTEGER),
            ACCOUNT,
            Field("time", TEXT),
            Field("symbol", TEXT),
            Field("security_type", TEXT),
            Field("exchange", TEXT),
            Field("side", TEXT),
        ),
    ),
    Layout(
        9,
        q.ContractDetailsRequest,
        (
            constant("8"),
            REQUEST_ID,
            CONTRACT_12,
            Field("include_expired", BOOL),
            Field("security_id_type", TEXT),
            Field("security_id", TEXT),
            Field("issuer_id", TEXT, since=176),
        ),
    ),
    Layout(81, q.MatchingSymbolsRequest, (REQUEST_ID, Field("pattern", TEXT))),
    Layout(91, q.MarketRuleRequest, (Field("rule_id", INTEGER),)),
    Layout(
        20,
        q.HistoricalDataRequest,
        (
            REQUEST_ID,
            CONTRACT_12,
            Field("include_expired", BOOL),
            Field("end", TEXT),
            Field("bar_size", TEXT),
            Field("duration", TEXT),
            Field("regular_hours", BOOL),
            Field("what_to_show", TEXT),
            Field("date_format", INTEGER),
            Field("keep_up_to_date", BOOL),
            Field("options", TEXT),
        ),
    ),
    Layout(25, q.HistoricalDataCancel, (constant("1"), REQUEST_ID)),
    Layout(
        87,
        q.HeadTimestampRequest,
        (
            REQUEST_ID,
            CONTRACT_12,
            Field("include_expired", BOOL),
            Field("regular_hours", BOOL),
            Field("what_to_show", TEXT),
            Field("date_format", INTEGER),
        ),
    ),
    Layout(90, q.HeadTimestampCancel, (REQUEST_ID,)),
    Layout(
        1,
        q.MarketDataRequest,
        (
            constant("11"),
            REQUEST_ID,
            CONTRACT_12,
            _NO_DELTA_NEUTRAL,
            Field("generic_ticks", TEXT),
            Field("snapshot", BOOL),
            Field("regulatory_snapshot", BOOL),
            Field("options", TEXT),
        ),
    ),
    Layout(2, q.MarketDataCancel, (constant("2"), REQUEST_ID)),
    Layout(59, q.MarketDataTypeRequest, (constant("1"), Field("type", INTEGER))),
    Layout(
        4,
        q.CancelOrder,
        (constant("1"), Field("order_id", INTEGER), Field("manual_time", TEXT, since=169)),
    ),
    Layout(58, q.GlobalCancel, (constant("1"),)),
)

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
_INCREMENT = nested(r.PriceIncrement, Field("low_edge", DECIMAL), Field("increment", DECIMAL))
_HELD = (Field("position", DECIMAL), Field("average_cost", DECIMAL))


def _money(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, DECIMAL) for name in names)


def _constants(*texts: str) -> tuple[Field, ...]:
    return tuple(constant(text) for text in texts)


def _inside(part: str, *fields: Field) -> tuple[Field, ...]:
    return tuple(Field(f"{part}.{field.name}", field.kind) for field in fields)


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
            CONTRACT_HELD,
            *_money("position", "market_price", "market_value", "average_cost"),
            *_money("unrealized", "realized"),
            ACCOUNT,
        ),
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
    Layout(61, r.Position, (constant("3"), ACCOUNT, CONTRACT_11, *_HELD)),
    Layout(62, r.PositionEnd, (constant("1"),)),
    Layout(71, r.PositionMulti, (constant("3"), REQUEST_ID, ACCOUNT, CONTRACT_11, *_HELD, MODEL)),
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
            CONTRACT_11,
            Field("execution.execution_id", TEXT),
            Field("execution.time", _TIME),
            ACCOUNT,
            Field("execution.exchange", TEXT),
            Field("execution.side", TEXT),
            *_money("execution.quantity", "execution.price"),
            Field("perm_id", INTEGER),
            Field("client_id", INTEGER),
            constant("0"),  # liquidation
            *_money("execution.quantity_cumulative", "execution.price_average"),
            Field("order_ref", TEXT),
            *_constants("", "", "", "2"),  # evRule, evMultiplier, modelCode, lastLiquidity: removed
            Field("", _FALSE, since=178),  # pendingPriceRevision
        ),
        parts={"execution": Execution},
    ),
    Layout(
        10,
        r.ContractDetails,
        (
            Field("", _EIGHT, until=164),
            REQUEST_ID,
            *_inside("contract", Field("symbol", TEXT), Field("security_type", TEXT)),
            *_inside("contract", Field("expiry", TEXT), Field("strike", DECIMAL)),
            *_inside("contract", Field("right", TEXT), _EXCHANGE),
            *_inside("contract", Field("currency", TEXT), Field("local_symbol", TEXT)),
            Field("market_name", TEXT),
            *_inside("contract", Field("trading_class", TEXT), Field("con_id", INTEGER)),
            Field("tick", DECIMAL),
            Field("", _HUNDRED, until=164),  # mdSizeMultiplier
            *_inside("contract", Field("multiplier", TEXT)),
            Field("order_types", TEXT),
            Field("valid_exchanges", TEXT),
            *_constants("1", "0"),  # priceMagnifier, underConId
            Field("long_name", ESCAPED_TEXT),
            *_inside("contract", _PRIMARY),
            *_constants("", "", "", ""),  # contractMonth, industry, category, subcategory
            Field("time_zone", TEXT),
            Field("trading_hours", TEXT),
            Field("liquid_hours", TEXT),
            *_constants("", "", "0"),  # evRule, evMultiplier, no security ids
            *_constants("1", "", ""),  # aggGroup, underSymbol, underSecType
            Field("market_rules", TEXT),
            constant(""),  # realExpirationDate
            Field("stock_type", TEXT),
            Field("", _ONE, since=163, until=164),  # sizeMinTick
            *(Field("", size, since=164) for size in (_ONE, _ONE, _HUNDRED)),
        ),
        parts={"contract": Contract},
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
)
