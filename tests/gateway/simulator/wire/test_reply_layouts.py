"""Each reply of design/ib.md 1.5 (but the order ones): its length, and as ib_async reads it."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from ib_async import Contract
from ib_async.decoder import Decoder
from ib_async.objects import (
    BarData,
    CommissionReport,
    Execution,
    HistoricalSession,
    HistoricalTick,
    HistoricalTickBidAsk,
    HistoricalTickLast,
    PriceIncrement,
    TickAttribBidAsk,
    TickAttribLast,
)
from ib_async.util import UNSET_DOUBLE

from gateway.simulator import replies as r
from gateway.simulator.market.contracts import Contract as OurContract
from gateway.simulator.orders import orders
from gateway.simulator.wire.messages import encode_reply

VERSIONS = pytest.mark.parametrize("version", [157, 176, 178])
D = Decimal
SECOND = datetime(1970, 1, 1, 0, 0, 50, tzinfo=UTC)
JUNE = datetime(2025, 6, 1, 14, 30, tzinfo=UTC)
OURS = OurContract(
    9, "SPY", "STK", "20260116", D("1.5"), "C", "100", "SMART", "ARCA", "USD", "LS", "TC"
)


def theirs(**changes: Any) -> Contract:
    values: dict[str, Any] = {
        "conId": 9, "symbol": "SPY", "secType": "STK", "lastTradeDateOrContractMonth": "20260116",
        "strike": 1.5, "right": "C", "multiplier": "100", "currency": "USD", "localSymbol": "LS",
        "tradingClass": "TC",
    }  # fmt: skip
    return Contract(**(values | changes))


HELD, ROUTED = theirs(primaryExchange="ARCA"), theirs(exchange="SMART")
EXECUTION = orders.Execution("id.01", JUNE, "ARCA", "BOT", D(3), D("4.5"), D(5), D("6.5"))
BAR = r.HistoricalBar("20250601", D(1), D(4), D("0.5"), D(2), D(700), D("1.5"), 8)
DAY: Any = "20250601"  # the decoder leaves it a text
THEIR_BAR = BarData(DAY, 1, 4, 0.5, 2, 700, 1.5, 8)
SAMPLE = r.SymbolSample(9, "SPY", "STK", "ARCA", "USD", ("OPT", "FUT"), "text", "e1")
SESSION = r.ScheduledSession("20250602-09:30:00", "20250602-16:00:00", "20250602")
DETAILS = r.ContractDetails(
    7, OURS, "market", "Nestlé \\ S.A.", "ETF", D("0.01"), "LMT,MKT", "SMART,ARCA", "26,26",
    "US/Eastern", "hours", "liquid", security_ids=(r.SecurityId("ISIN", "US78462F1030"),),
)  # fmt: skip

Counts = tuple[int, int, int]
Row = tuple[Any, Counts, str, tuple[Any, ...]]
ROWS: list[Row] = [
    (r.NextValidId(5), (3, 3, 3), "nextValidId", (5,)),
    (r.ManagedAccounts("DU1,DU2"), (3, 3, 3), "managedAccounts", ("DU1,DU2",)),
    (r.CurrentTime(5), (3, 3, 3), "currentTime", (5,)),
    (r.Notice(3, 201, "no", "{}"), (5, 6, 6), "error", (3, 201, "no", "{}")),
    (r.AccountValue("k", "v", "USD", "DU1"), (6,) * 3, "updateAccountValue",
     ("k", "v", "USD", "DU1")),
    (r.PortfolioItem(OURS, D(1), D(2), D(3), D(4), D(5), D(6), "DU1"), (20,) * 3,
     "updatePortfolio", (HELD, 1, 2, 3, 4, 5, 6, "DU1")),
    (r.AccountTime("10:00"), (3,) * 3, "updateAccountTime", ("10:00",)),
    (r.AccountDownloadEnd("DU1"), (3,) * 3, "accountDownloadEnd", ("DU1",)),
    (r.AccountUpdateMulti(7, "DU1", "m", "k", "v", "USD"), (8,) * 3, "accountUpdateMulti",
     (7, "DU1", "m", "k", "v", "USD")),
    (r.AccountUpdateMultiEnd(7), (3,) * 3, "accountUpdateMultiEnd", (7,)),
    (r.AccountSummary(7, "DU1", "tag", "v", "USD"), (7,) * 3, "accountSummary",
     (7, "DU1", "tag", "v", "USD")),
    (r.AccountSummaryEnd(7), (3,) * 3, "accountSummaryEnd", (7,)),
    (r.Position("DU1", OURS, D(-3), D("4.5")), (16,) * 3, "position", ("DU1", ROUTED, -3, 4.5)),
    (r.PositionEnd(), (2,) * 3, "positionEnd", ()),
    (r.PositionMulti(7, "DU1", OURS, D(3), D(4), "m"), (18,) * 3, "positionMulti",
     (7, "DU1", "m", ROUTED, 3, 4)),
    (r.PositionMultiEnd(7), (3,) * 3, "positionMultiEnd", (7,)),
    (r.PnL(7, D(1), D(2), D(3)), (5,) * 3, "pnl", (7, 1, 2, 3)),
    (r.PnLSingle(7, D(1), D(2), D(3), D(4), D(5)), (7,) * 3, "pnlSingle", (7, 1, 2, 3, 4, 5)),
    (r.OpenOrderEnd(), (2,) * 3, "openOrderEnd", ()),
    (r.OrderStatus(5, "Filled", D(1), D(2), D("3.5"), 77, 6, D("4.5"), 8, "locate", D(9)),
     (12,) * 3, "orderStatus", (5, "Filled", 1, 2, 3.5, 77, 6, 4.5, 8, "locate", 9)),
    (r.CompletedOrdersEnd(), (1,) * 3, "completedOrdersEnd", ()),
    (r.ExecutionDetails(-1, 5, 8, 77, OURS, EXECUTION, "DU1", "ref"), (31, 31, 32), "execDetails",
     (-1, ROUTED, Execution("id.01", JUNE, "DU1", "ARCA", "BOT", 3.0, 4.5, 77, 8, 5, 0, 5.0, 6.5,
                            "ref", lastLiquidity=2))),
    (r.ExecutionDetailsEnd(7), (3,) * 3, "execDetailsEnd", (7,)),
    (r.CommissionReport("id.01", D("1.25"), "USD", D(-3)), (8,) * 3, "commissionReport",
     (CommissionReport("id.01", 1.25, "USD", -3.0, UNSET_DOUBLE, 0),)),
    (r.ContractDetailsEnd(7), (3,) * 3, "contractDetailsEnd", (7,)),
    (r.MarketRule(26, (r.PriceIncrement(D(0), D("0.01")), r.PriceIncrement(D(5), D("0.05")))),
     (7,) * 3, "marketRule", (26, [PriceIncrement(0, 0.01), PriceIncrement(5, 0.05)])),
    (r.HeadTimestamp(7, "20040123-14:30:00"), (3,) * 3, "headTimestamp", (7, "20040123-14:30:00")),
    (r.HistoricalDataUpdate(7, BAR), (10,) * 3, "historicalDataUpdate", (7, THEIR_BAR)),
    (r.TickPrice(7, 1, D("4.5"), D(3), 1), (7,) * 3, "priceSizeTick", (7, 1, 4.5, 3)),
    (r.TickSize(7, 8, D(300)), (5,) * 3, "tickSize", (7, 8, 300)),
    (r.TickGeneric(7, 49, D(1)), (5,) * 3, "tickGeneric", (7, 49, 1)),
    (r.TickString(7, 45, "1748788200"), (5,) * 3, "tickString", (7, 45, "1748788200")),
    (r.TickRequestParameters(7, D("0.01"), "9c0001", 3), (5,) * 3, "tickReqParams",
     (7, 0.01, "9c0001", 3)),
    (r.MarketDataType(7, 3), (4,) * 3, "marketDataType", (7, 3)),
    (r.TickSnapshotEnd(7), (3,) * 3, "tickSnapshotEnd", (7,)),
    (r.RealTimeBar(7, 50, D(1), D(4), D("0.5"), D(2), D(700), D("1.5"), 8), (11,) * 3,
     "realtimeBar", (7, 50, 1, 4, 0.5, 2, 700, 1.5, 8)),
    (r.TickByTickTrade(7, 2, 50, D("4.5"), D(3), 2, "ARCA", "T"), (9,) * 3, "tickByTickAllLast",
     (7, 2, 50, 4.5, 3, TickAttribLast(False, True), "ARCA", "T")),
    (r.TickByTickQuote(7, 50, D(1), D(2), D(3), D(4), 1), (9,) * 3, "tickByTickBidAsk",
     (7, 50, 1, 2, 3, 4, TickAttribBidAsk(True, False))),
    (r.TickByTickMidpoint(7, 50, D("4.5")), (5,) * 3, "tickByTickMidPoint", (7, 50, 4.5)),
    (r.HistoricalMidpoints(7, (r.HistoricalMidpoint(50, D("4.5"), D(3)),)), (8,) * 3,
     "historicalTicks", (7, [HistoricalTick(SECOND, 4.5, 3)], True)),
    (r.HistoricalQuotes(7, (r.HistoricalQuote(50, D(1), D(2), D(3), D(4), 1),), False), (10,) * 3,
     "historicalTicksBidAsk",
     (7, [HistoricalTickBidAsk(SECOND, TickAttribBidAsk(False, True), 1, 2, 3, 4)], False)),
    (r.HistoricalTrades(7, (r.HistoricalTrade(50, D("4.5"), D(3), 2, "ARCA", "T"),)), (10,) * 3,
     "historicalTicksLast",
     (7, [HistoricalTickLast(SECOND, TickAttribLast(False, True), 4.5, 3, "ARCA", "T")], True)),
    (r.OptionParameters(7, "SMART", 9, "SPY", "100", ("20260116", "20260220"), (D(590), D(595))),
     (12,) * 3, "securityDefinitionOptionParameter",
     (7, "SMART", "9", "SPY", "100", ["20260116", "20260220"], [590, 595])),
    (r.OptionParametersEnd(7), (2,) * 3, "securityDefinitionOptionParameterEnd", (7,)),
    (r.OrderBound(77, 8, 5), (4,) * 3, "orderBound", (77, 8, 5)),
    (r.HistoricalSchedule(7, "start", "end", "US/Eastern", (SESSION,)), (9,) * 3,
     "historicalSchedule", (7, "start", "end", "US/Eastern", [
         HistoricalSession("20250602-09:30:00", "20250602-16:00:00", "20250602")])),
]  # fmt: skip
"""A reply, its fields at 157, 176 and 178, and what ib_async's wrapper is told."""
REST: list[tuple[Any, Counts]] = [
    (DETAILS, (41, 42, 42)),
    (r.HistoricalData(7, "from", "until", (BAR, BAR)), (21,) * 3),
    (r.SymbolSamples(7, (SAMPLE,)), (11, 13, 13)),
    (r.OpenOrder(1, 1, 1, OURS, orders.OrderTerms(), orders.OrderState("")), (128, 136, 135)),
    (r.CompletedOrder(1, OURS, orders.OrderTerms(), "", D(0), "", ""), (96, 101, 100)),
]
"""Replies of which ib_async makes more than one call, or whose reading has its own test."""


def heard(reply: Any, version: int) -> list[tuple[str, tuple[Any, ...]]]:
    """The calls that ib_async's decoder makes on its wrapper."""
    calls: list[tuple[str, tuple[Any, ...]]] = []

    class Listener:
        ib = SimpleNamespace(TimezoneTWS="")
        defaultTimezone = UTC  # noqa: N815 - ib_async's name

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *arguments: calls.append((name, arguments))

    listener: Any = Listener()
    decoder: Any = Decoder(listener, version)
    decoder.interpret(encode_reply(reply, version))
    return calls


@VERSIONS
@pytest.mark.parametrize(
    ("reply", "_counts", "name", "arguments"), ROWS, ids=[type(row[0]).__name__ for row in ROWS]
)
def test_ib_async_reads_what_was_written(
    reply: Any, _counts: Counts, name: str, arguments: tuple[Any, ...], version: int
) -> None:
    if isinstance(reply, r.Notice) and version < 166:
        arguments = (*arguments[:3], "")
    assert heard(reply, version) == [(name, arguments)]


@pytest.mark.parametrize(
    ("reply", "counts"),
    [*((reply, counts) for reply, counts, _, _ in ROWS), *REST],
    ids=lambda item: "" if isinstance(item, tuple) else type(item).__name__,
)
def test_a_reply_has_the_fields_that_ib_sends(reply: Any, counts: Counts) -> None:
    assert tuple(len(encode_reply(reply, version)) for version in (157, 176, 178)) == counts


def test_no_reply_was_left_out() -> None:
    assert {type(row[0]) for row in (*ROWS, *REST)} == set(get_args(r.Reply))


@VERSIONS
def test_contract_details_are_read_attribute_by_attribute(version: int) -> None:
    ((name, (request_id, details)),) = heard(DETAILS, version)
    assert (name, request_id) == ("contractDetails", 7)
    assert details.contract == theirs(exchange="SMART", primaryExchange="ARCA")
    texts = "marketName longName stockType orderTypes validExchanges marketRuleIds timeZoneId"
    assert [getattr(details, text) for text in texts.split()] == [
        "market", "Nestlé \\ S.A.", "ETF", "LMT,MKT", "SMART,ARCA", "26,26", "US/Eastern",
    ]  # fmt: skip
    assert (details.tradingHours, details.liquidHours) == ("hours", "liquid")
    assert [(one.tag, one.value) for one in details.secIdList] == [("ISIN", "US78462F1030")]
    assert (details.minTick, details.priceMagnifier) == (0.01, 1)
    sizes = (details.minSize, details.sizeIncrement, details.suggestedSizeIncrement)
    assert sizes == ((1, 1, 100) if version >= 164 else (0, 0, 0))


@VERSIONS
def test_historical_bars_are_read_one_by_one(version: int) -> None:
    calls = heard(REST[1][0], version)
    assert calls == [
        ("historicalData", (7, THEIR_BAR)),
        ("historicalData", (7, THEIR_BAR)),
        ("historicalDataEnd", (7, "from", "until")),
    ]


@VERSIONS
def test_symbol_samples_are_read_with_their_derivatives(version: int) -> None:
    ((_, (_, (sample,))),) = heard(REST[2][0], version)
    contract = sample.contract
    assert (contract.conId, contract.symbol, contract.primaryExchange) == (9, "SPY", "ARCA")
    assert sample.derivativeSecTypes == ["OPT", "FUT"]
    assert (contract.description, contract.issuerId) == (
        ("text", "e1") if version >= 176 else ("", "")
    )


def test_an_opening_trade_realizes_an_unset_number() -> None:
    """ib.md 1.5: realizedPNL is the unset double when a position is opened."""
    reply = r.CommissionReport("id.01", D(1), "USD", None)
    ((_, (report,)),) = heard(reply, 178)
    assert report.realizedPNL == UNSET_DOUBLE


def test_execution_times_carry_a_zone_that_clients_know() -> None:
    """ib.md 1.2: other zone names lose the fill."""
    reply = r.ExecutionDetails(-1, 5, 8, 77, OURS, EXECUTION, "DU1", "ref")
    assert encode_reply(reply, 178)[15] == "20250601 10:30:00 US/Eastern"
