"""The table of requests: every message from a client but placeOrder, field by field.

Source: design/ib.md 1.3. A row is a message; to add a message is to add its dataclass and its row.
The answers are in `reply_layouts`.
"""

from gateway.simulator import requests as q
from gateway.simulator.market.contracts import Contract
from gateway.simulator.wire.fields import (
    BOOL,
    DECIMAL,
    INTEGER,
    TEXT,
    Field,
    Layout,
    constant,
    inside,
    nested,
    optional,
    repeated,
)

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
EXCHANGE = Field("exchange", TEXT)
PRIMARY = Field("primary_exchange", TEXT)
CONTRACT = {"contract": Contract}

CONTRACT_12 = inside("contract", *_DESCRIPTION, EXCHANGE, PRIMARY, *_LOCAL)
"""A contract as clients send it."""
CONTRACT_11 = inside("contract", *_DESCRIPTION, EXCHANGE, *_LOCAL)
"""A contract as positions and executions show it."""
CONTRACT_HELD = inside("contract", *_DESCRIPTION, PRIMARY, *_LOCAL)
"""A contract as the portfolio shows it: the primary exchange in the exchange's place."""

_LEG = nested(
    q.ComboLeg,
    Field("con_id", INTEGER),
    Field("ratio", INTEGER),
    Field("action", TEXT),
    Field("exchange", TEXT),
)
_LEGS = Field("legs", repeated(_LEG), when=("contract.security_type", "BAG"))
_DELTA_NEUTRAL = nested(
    q.DeltaNeutral, Field("con_id", INTEGER), Field("delta", DECIMAL), Field("price", DECIMAL)
)

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
            *CONTRACT_12,
            Field("include_expired", BOOL),
            Field("security_id_type", TEXT),
            Field("security_id", TEXT),
            Field("issuer_id", TEXT, since=176),
        ),
        parts=CONTRACT,
    ),
    Layout(81, q.MatchingSymbolsRequest, (REQUEST_ID, Field("pattern", TEXT))),
    Layout(91, q.MarketRuleRequest, (Field("rule_id", INTEGER),)),
    Layout(
        20,
        q.HistoricalDataRequest,
        (
            REQUEST_ID,
            *CONTRACT_12,
            Field("include_expired", BOOL),
            Field("end", TEXT),
            Field("bar_size", TEXT),
            Field("duration", TEXT),
            Field("regular_hours", BOOL),
            Field("what_to_show", TEXT),
            Field("date_format", INTEGER),
            _LEGS,
            Field("keep_up_to_date", BOOL),
            Field("options", TEXT),
        ),
        parts=CONTRACT,
    ),
    Layout(
        96,
        q.HistoricalTicksRequest,
        (
            REQUEST_ID,
            *CONTRACT_12,
            Field("include_expired", BOOL),
            Field("start", TEXT),
            Field("end", TEXT),
            Field("count", INTEGER),
            Field("what_to_show", TEXT),
            Field("regular_hours", BOOL),
            Field("ignore_size", BOOL),
            Field("options", TEXT),
        ),
        parts=CONTRACT,
    ),
    Layout(25, q.HistoricalDataCancel, (constant("1"), REQUEST_ID)),
    Layout(
        87,
        q.HeadTimestampRequest,
        (
            REQUEST_ID,
            *CONTRACT_12,
            Field("include_expired", BOOL),
            Field("regular_hours", BOOL),
            Field("what_to_show", TEXT),
            Field("date_format", INTEGER),
        ),
        parts=CONTRACT,
    ),
    Layout(90, q.HeadTimestampCancel, (REQUEST_ID,)),
    Layout(
        1,
        q.MarketDataRequest,
        (
            constant("11"),
            REQUEST_ID,
            *CONTRACT_12,
            _LEGS,
            Field("delta_neutral", optional(_DELTA_NEUTRAL)),
            Field("generic_ticks", TEXT),
            Field("snapshot", BOOL),
            Field("regulatory_snapshot", BOOL),
            Field("options", TEXT),
        ),
        parts=CONTRACT,
    ),
    Layout(2, q.MarketDataCancel, (constant("2"), REQUEST_ID)),
    Layout(
        50,
        q.RealTimeBarsRequest,
        (
            constant("3"),
            REQUEST_ID,
            *CONTRACT_12,
            Field("bar_seconds", INTEGER),
            Field("what_to_show", TEXT),
            Field("regular_hours", BOOL),
            Field("options", TEXT),
        ),
        parts=CONTRACT,
    ),
    Layout(51, q.RealTimeBarsCancel, (constant("1"), REQUEST_ID)),
    Layout(
        97,
        q.TickByTickRequest,
        (
            REQUEST_ID,
            *CONTRACT_12,
            Field("kind", TEXT),
            Field("tick_count", INTEGER),
            Field("ignore_size", BOOL),
        ),
        parts=CONTRACT,
    ),
    Layout(98, q.TickByTickCancel, (REQUEST_ID,)),
    Layout(
        78,
        q.OptionParametersRequest,
        (
            REQUEST_ID,
            Field("underlying_symbol", TEXT),
            Field("exchange", TEXT),
            Field("underlying_type", TEXT),
            Field("underlying_con_id", INTEGER),
        ),
    ),
    Layout(59, q.MarketDataTypeRequest, (constant("1"), Field("type", INTEGER))),
    Layout(
        4,
        q.CancelOrder,
        (constant("1"), Field("order_id", INTEGER), Field("manual_time", TEXT, since=169)),
    ),
    Layout(58, q.GlobalCancel, (constant("1"),)),
)
