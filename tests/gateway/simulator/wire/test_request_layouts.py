"""Each request of design/ib.md 1.3, as ib_async itself writes it, understood as what it says."""

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from ib_async import ComboLeg, Contract, DeltaNeutralContract, ExecutionFilter
from ib_async.client import Client

from gateway.simulator import requests as q
from gateway.simulator.market.contracts import Contract as OurContract
from gateway.simulator.wire.codec import FrameReader
from gateway.simulator.wire.messages import READ_REQUEST, UnreadableRequest, decode_request
from gateway.simulator.wire.request_layouts import REQUESTS

Ask = Callable[[Any], None]

SPY = Contract(
    conId=9, symbol="SPY", secType="STK", lastTradeDateOrContractMonth="20260116", strike=1.5,
    right="C", multiplier="100", exchange="SMART", primaryExchange="ARCA", currency="USD",
    localSymbol="LS", tradingClass="TC", includeExpired=True, secIdType="ISIN", secId="X1",
)  # fmt: skip
OURS = OurContract(
    9, "SPY", "STK", "20260116", Decimal("1.5"), "C", "100", "SMART", "ARCA", "USD", "LS", "TC"
)
PAIR = Contract(
    secType="BAG",
    comboLegs=[ComboLeg(1, 2, "BUY", "SMART"), ComboLeg(3, 4, "SELL", "ARCA")],
    deltaNeutralContract=DeltaNeutralContract(5, 0.5, 6.5),
)
BAG = OurContract(security_type="BAG")
LEGS = (q.ComboLeg(1, 2, "BUY", "SMART"), q.ComboLeg(3, 4, "SELL", "ARCA"))
NEUTRAL = q.DeltaNeutral(5, Decimal("0.5"), Decimal("6.5"))
FILTER = ExecutionFilter(5, "DU1", "20251212-10:00:00", "SPY", "STK", "SMART", "BUY")

CASES: list[tuple[Ask, Any]] = [
    (lambda c: c.startApi(), q.StartApi(4, "+x")),
    (lambda c: c.reqIds(3), q.NextIdRequest(3)),
    (lambda c: c.reqManagedAccts(), q.ManagedAccountsRequest()),
    (lambda c: c.reqCurrentTime(), q.CurrentTimeRequest()),
    (lambda c: c.setServerLogLevel(5), q.ServerLogLevel(5)),
    (lambda c: c.reqAccountUpdates(True, "DU1"), q.AccountUpdatesRequest(True, "DU1")),
    (
        lambda c: c.reqAccountUpdatesMulti(7, "DU1", "m", True),
        q.AccountUpdatesMultiRequest(7, "DU1", "m", True),
    ),
    (lambda c: c.cancelAccountUpdatesMulti(7), q.AccountUpdatesMultiCancel(7)),
    (
        lambda c: c.reqAccountSummary(7, "All", "A,$LEDGER:ALL"),
        q.AccountSummaryRequest(7, "All", "A,$LEDGER:ALL"),
    ),
    (lambda c: c.cancelAccountSummary(7), q.AccountSummaryCancel(7)),
    (lambda c: c.reqPositions(), q.PositionsRequest()),
    (lambda c: c.cancelPositions(), q.PositionsCancel()),
    (lambda c: c.reqPositionsMulti(7, "DU1", "m"), q.PositionsMultiRequest(7, "DU1", "m")),
    (lambda c: c.cancelPositionsMulti(7), q.PositionsMultiCancel(7)),
    (lambda c: c.reqPnL(7, "DU1", "m"), q.PnLRequest(7, "DU1", "m")),
    (lambda c: c.cancelPnL(7), q.PnLCancel(7)),
    (lambda c: c.reqPnLSingle(7, "DU1", "m", 9), q.PnLSingleRequest(7, "DU1", "m", 9)),
    (lambda c: c.cancelPnLSingle(7), q.PnLSingleCancel(7)),
    (lambda c: c.reqOpenOrders(), q.OpenOrdersRequest()),
    (lambda c: c.reqAllOpenOrders(), q.AllOpenOrdersRequest()),
    (lambda c: c.reqAutoOpenOrders(True), q.AutoOpenOrdersRequest(True)),
    (lambda c: c.reqCompletedOrders(True), q.CompletedOrdersRequest(True)),
    (
        lambda c: c.reqExecutions(7, FILTER),
        q.ExecutionsRequest(7, 5, "DU1", "20251212-10:00:00", "SPY", "STK", "SMART", "BUY"),
    ),
    (
        lambda c: c.reqContractDetails(7, SPY),
        q.ContractDetailsRequest(7, OURS, True, "ISIN", "X1"),
    ),
    (
        lambda c: c.reqHistoricalData(
            7, SPY, "20251212 10:00:00 UTC", "1 D", "5 mins", "TRADES", True, 2, True, []
        ),
        q.HistoricalDataRequest(
            7, OURS, True, "20251212 10:00:00 UTC", "5 mins", "1 D", True, "TRADES", 2, True
        ),
    ),
    (
        lambda c: c.reqHistoricalData(7, PAIR, "", "1 D", "5 mins", "TRADES", True, 1, False, []),
        q.HistoricalDataRequest(
            7, BAG, False, "", "5 mins", "1 D", True, "TRADES", 1, False, legs=LEGS
        ),
    ),
    (lambda c: c.cancelHistoricalData(7), q.HistoricalDataCancel(7)),
    (
        lambda c: c.reqHeadTimeStamp(7, SPY, "TRADES", True, 2),
        q.HeadTimestampRequest(7, OURS, True, True, "TRADES", 2),
    ),
    (lambda c: c.cancelHeadTimeStamp(7), q.HeadTimestampCancel(7)),
    (
        lambda c: c.reqMktData(7, SPY, "233", True, False, []),
        q.MarketDataRequest(7, OURS, "233", True, False, ""),
    ),
    (
        lambda c: c.reqMktData(7, PAIR, "", False, True, []),
        q.MarketDataRequest(7, BAG, "", False, True, "", LEGS, NEUTRAL),
    ),
    (lambda c: c.cancelMktData(7), q.MarketDataCancel(7)),
    (lambda c: c.reqMarketDataType(3), q.MarketDataTypeRequest(3)),
    (
        lambda c: c.reqRealTimeBars(7, SPY, 5, "TRADES", True, []),
        q.RealTimeBarsRequest(7, OURS, 5, "TRADES", True),
    ),
    (lambda c: c.cancelRealTimeBars(7), q.RealTimeBarsCancel(7)),
    (
        lambda c: c.reqTickByTickData(7, SPY, "BidAsk", 3, True),
        q.TickByTickRequest(7, OURS, "BidAsk", 3, True),
    ),
    (lambda c: c.cancelTickByTickData(7), q.TickByTickCancel(7)),
    (
        lambda c: c.reqHistoricalTicks(7, SPY, "a", "b", 5, "TRADES", 1, True, []),
        q.HistoricalTicksRequest(7, OURS, True, "a", "b", 5, "TRADES", True, True),
    ),
    (lambda c: c.reqMatchingSymbols(7, "SP"), q.MatchingSymbolsRequest(7, "SP")),
    (
        lambda c: c.reqSecDefOptParams(7, "SPY", "", "STK", 9),
        q.OptionParametersRequest(7, "SPY", "", "STK", 9),
    ),
    (lambda c: c.reqMarketRule(26), q.MarketRuleRequest(26)),
    (lambda c: c.cancelOrder(3), q.CancelOrder(3)),
    (lambda c: c.reqGlobalCancel(), q.GlobalCancel()),
]
UNSUPPORTED: list[tuple[Ask, int, int]] = [
    (lambda c: c.reqMktDepth(7, SPY, 5, True, []), 10, 7),
    (lambda c: c.cancelMktDepth(7, True), 11, 7),
    (lambda c: c.reqNewsBulletins(True), 12, -1),
    (lambda c: c.cancelNewsBulletins(), 13, -1),
    (lambda c: c.exerciseOptions(7, SPY, 1, 1, "DU1", 0), 21, 7),
    (lambda c: c.cancelScannerSubscription(7), 23, 7),
    (lambda c: c.reqScannerParameters(), 24, -1),
    (lambda c: c.reqFundamentalData(7, SPY, "ReportSnapshot", []), 52, 7),
    (lambda c: c.cancelFundamentalData(7), 53, 7),
    (lambda c: c.calculateImpliedVolatility(7, SPY, 1, 2, []), 54, 7),
    (lambda c: c.calculateOptionPrice(7, SPY, 1, 2, []), 55, 7),
    (lambda c: c.cancelCalculateImpliedVolatility(7), 56, 7),
    (lambda c: c.cancelCalculateOptionPrice(7), 57, 7),
    (lambda c: c.reqSoftDollarTiers(7), 79, 7),
    (lambda c: c.reqFamilyCodes(), 80, -1),
    (lambda c: c.reqMktDepthExchanges(), 82, -1),
    (lambda c: c.reqSmartComponents(7, "9c0001"), 83, 7),
    (lambda c: c.reqNewsArticle(7, "BRF", "1", []), 84, 7),
    (lambda c: c.reqNewsProviders(), 85, -1),
    (lambda c: c.reqHistoricalNews(7, 9, "BRF", "", "", 5, []), 86, 7),
    (lambda c: c.reqHistogramData(7, SPY, True, "1 day"), 88, 7),
    (lambda c: c.cancelHistogramData(7), 89, 7),
    (lambda c: c.reqWshMetaData(7), 100, 7),
    (lambda c: c.reqUserInfo(7), 104, 7),
]


def understood(ask: Ask, version: int) -> Any:
    """What the simulator reads from what ib_async puts on the socket."""
    return decode_request(sent_by(ask, version), version)


def sent_by(ask: Ask, version: int) -> tuple[str, ...]:
    """What ib_async puts on the socket; it needs a running loop."""
    sent: list[bytes] = []
    client: Any = Client(SimpleNamespace())  # type: ignore[no-untyped-call]
    client.conn = SimpleNamespace(sendMsg=sent.append)
    client.connState, client._serverVersion = Client.CONNECTED, version
    client.clientId, client.optCapab = 4, "+x"
    ask(client)
    reader = FrameReader()
    reader.receive_data(b"".join(sent))
    fields = reader.next_frame()
    assert fields is not None
    return fields


VERSIONS = pytest.mark.parametrize("version", [157, 176, 178])


@VERSIONS
async def test_each_request_of_ib_async_is_understood(version: int) -> None:
    seen = [understood(ask, version) for ask, _ in CASES]
    assert seen == [request for _, request in CASES]


def test_each_request_that_is_understood_was_asked() -> None:
    """placeOrder has its own module."""
    assert {layout.message_type for layout in REQUESTS} == {type(request) for _, request in CASES}
    assert set(READ_REQUEST) == {3} | {layout.number for layout in REQUESTS}


@VERSIONS
async def test_one_field_more_or_less_is_refused(version: int) -> None:
    """So each layout has exactly the fields that ib_async sends at this version."""
    for ask, _ in CASES:
        fields = sent_by(ask, version)
        with pytest.raises(UnreadableRequest, match="1 fields too many"):
            decode_request((*fields, ""), version)
        with pytest.raises(UnreadableRequest, match="fewer fields"):
            decode_request(fields[:-1], version)


@VERSIONS
async def test_each_request_that_is_not_offered_is_told_by_number_and_id(version: int) -> None:
    seen = [understood(ask, version) for ask, _, _ in UNSUPPORTED]
    assert seen == [q.UnsupportedRequest(number, id_) for _, number, id_ in UNSUPPORTED]


async def test_newer_servers_are_told_more() -> None:
    """ib.md 1.3: issuerId from 176, the time of a cancel from 169."""
    contract = Contract(symbol="SPY", issuerId="e123")
    asks: list[Ask] = [
        lambda c: c.reqContractDetails(7, contract),
        lambda c: c.cancelOrder(3, "20251212 10:00:00"),
    ]
    heard = [[understood(ask, version) for ask in asks] for version in (157, 178)]
    assert [details.issuer_id for details, _ in heard] == ["", "e123"]
    assert [cancel.manual_time for _, cancel in heard] == ["", "20251212 10:00:00"]
