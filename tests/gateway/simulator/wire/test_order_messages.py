"""placeOrder held against ib_async's own encoder, attribute by attribute (design/ib.md 1.4).

Each attribute of ib_async's Order and Contract is changed alone: it must move the one field where
ib.md has it, and be understood under its own name.
"""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from ib_async import Contract, DeltaNeutralContract, Order, TagValue
from ib_async.client import Client
from ib_async.objects import SoftDollarTier

from gateway.simulator.market import contracts
from gateway.simulator.orders import orders
from gateway.simulator.wire.codec import FrameReader
from gateway.simulator.wire.fields import FieldReader
from gateway.simulator.wire.messages import decode_request
from gateway.simulator.wire.order_layouts import PLACE_ORDER
from tests.gateway.simulator.combinations import COMBINATION, CONDITIONS, LEG

VERSIONS = pytest.mark.parametrize("version", [157, 176, 178])
Changes = dict[str, Any]


def words(text: str) -> set[str]:
    return set(text.split())


class Written:
    """Stands in for the socket (and its owner) at ib_async's client: keeps what it would send."""

    def __init__(self) -> None:
        self.data = b""

    def sendMsg(self, data: bytes) -> None:  # noqa: N802 - ib_async's name
        self.data += data


def sent(version: int, contract: Contract, order: Order) -> tuple[str, ...]:
    """The fields of placeOrder as ib_async puts them on the socket; it needs a running loop."""
    written: Any = Written()
    client = Client(written)  # type: ignore[no-untyped-call]
    client.conn, client.connState, client._serverVersion = written, Client.CONNECTED, version
    client.placeOrder(3, contract, order)  # type: ignore[no-untyped-call]
    reader = FrameReader()
    reader.receive_data(written.data)
    fields = reader.next_frame()
    assert fields is not None
    assert reader.buffered == 0
    return fields


def changed(value: Any) -> Any:
    """Another value of the same kind, or None where one field does not hold it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float) or value is None:
        return 7
    return "seven" if isinstance(value, str) else None


PLACES = (
    "number orderId conId symbol secType lastTradeDateOrContractMonth strike right multiplier "
    "exchange primaryExchange currency localSymbol tradingClass secIdType secId action "
    "totalQuantity orderType lmtPrice auxPrice tif ocaGroup account openClose origin orderRef "
    "transmit parentId blockOrder sweepToFill displaySize triggerMethod outsideRth hidden "
    "sharesAllocation discretionaryAmt goodAfterTime goodTillDate faGroup faMethod faPercentage "
    "{fa_profile} modelCode shortSaleSlot designatedLocation exemptCode ocaType rule80A "
    "settlingFirm allOrNone minQty percentOffset eTradeOnly firmQuoteOnly nbboPriceCap "
    "auctionStrategy startingPrice stockRefPrice delta stockRangeLower stockRangeUpper "
    "overridePercentageConstraints volatility volatilityType deltaNeutralOrderType "
    "deltaNeutralAuxPrice continuousUpdate referencePriceType trailStopPrice trailingPercent "
    "scaleInitLevelSize scaleSubsLevelSize scalePriceIncrement scaleTable activeStartTime "
    "activeStopTime hedgeType optOutSmartRouting clearingAccount clearingIntent notHeld "
    "deltaNeutralContract algoStrategy algoId whatIf orderMiscOptions solicited randomizeSize "
    "randomizePrice conditions adjustedOrderType triggerPrice lmtPriceOffset adjustedStopPrice "
    "adjustedStopLimitPrice adjustedTrailingAmount adjustableTrailingUnit extOperator "
    "softDollarTierName softDollarTierVal cashQty mifid2DecisionMaker mifid2DecisionAlgo "
    "mifid2ExecutionTrader mifid2ExecutionAlgo dontUseAutoPriceForHedge isOmsContainer "
    "discretionaryUpToLimitPrice usePriceMgmtAlgo {newer}"
)
"""ib.md 1.4: the fields of a plain order, in order."""
NEWER = "duration postToAts autoCancelParent advancedErrorOverride manualOrderTime"


def places(version: int) -> list[str]:
    """The name at each index, at this version."""
    newer = "" if version < 158 else NEWER
    return PLACES.format(fa_profile="faProfile" if version < 177 else "", newer=newer).split()


def plain_order(**changes: Any) -> Order:
    """A plain volatility order: for every other type ib_async empties the volatility."""
    values: Changes = {"action": "BUY", "totalQuantity": 1, "orderType": "VOL", "lmtPrice": 5}
    return Order(**(values | changes))


def plain_changes(version: int) -> dict[str, tuple[Contract, Order]]:
    """Each attribute that stands in a plain order, changed alone."""
    opening = {"deltaNeutralOrderType", "hedgeType", "algoStrategy", "scalePriceIncrement"}
    rows = {"conditions", "deltaNeutralContract"}
    names = [name for name in places(version) if name not in opening | rows]
    found = {}
    for name in names:
        if changed(getattr(Order(), name, ())) is not None:
            value = changed(getattr(plain_order(), name))
            found[name] = (Contract(), plain_order(**{name: value}))
        elif changed(getattr(Contract(), name, ())) is not None:
            found[name] = (Contract(**{name: changed(getattr(Contract(), name))}), plain_order())
    tier = SoftDollarTier("seven", "")
    found["softDollarTierName"] = (Contract(), plain_order(softDollarTier=tier))
    tier = SoftDollarTier("", "seven")
    found["softDollarTierVal"] = (Contract(), plain_order(softDollarTier=tier))
    found["orderMiscOptions"] = (Contract(), plain_order(orderMiscOptions=[TagValue("a", "b")]))
    # ib_async names the order type in its checks, so VOL has to stay at the front.
    found["orderType"] = (Contract(), plain_order(orderType="VOLATILE"))
    # orderId is an argument of placeOrder, not taken from the order.
    found.pop("orderId")
    return found


@VERSIONS
async def test_each_attribute_moves_the_one_field_that_is_its_own(version: int) -> None:
    """ib.md 1.4: 110 fields at 157, 115 at 176, 114 at 178."""
    plain = sent(version, Contract(), plain_order())
    assert len(plain) == len(places(version)) == {157: 110, 176: 115, 178: 114}[version]
    wrong = {}
    for name, (contract, order) in plain_changes(version).items():
        fields = sent(version, contract, order)
        pairs = zip(plain, fields, strict=True)
        moved = [places(version)[index] for index, (a, b) in enumerate(pairs) if a != b]
        if moved != [name]:
            wrong[name] = moved
    assert wrong == {}


@VERSIONS
async def test_each_attribute_is_understood_under_its_own_name(version: int) -> None:
    plain = PLACE_ORDER.read(FieldReader(sent(version, Contract(), plain_order())[1:], version))
    wrong = {}
    for name, (contract, order) in plain_changes(version).items():
        fields = sent(version, contract, order)
        values = PLACE_ORDER.read(FieldReader(fields[1:], version))
        moved = {other for other in values if values[other] != plain[other]}
        if moved != {"lastTradeDate" if name.startswith("lastTradeDate") else name}:
            wrong[name] = moved
    assert wrong == {}


NOT_SENT = words(
    "orderId clientId permId filledQuantity autoCancelDate parentPermId refFuturesConId "
    "shareholder imbalanceOnly routeMarketableToBbo basisPoints basisPointsType"
)
"""Attributes of ib_async's Order that exist only in answers."""


def test_no_attribute_was_left_out() -> None:
    blocks = {name for _, _, names, _ in BLOCKS for name in names.split()}
    opening = {"deltaNeutralOrderType", "hedgeType", "algoStrategy", "scalePriceIncrement"}
    rows = {"algoParams", "smartComboRoutingParams", "orderComboLegs", "conditions"}
    known = {*plain_changes(157), *plain_changes(178), *blocks, *opening, *rows, *NOT_SENT}
    missing = {field.name for field in dataclasses.fields(Order)} - known
    assert missing == {"softDollarTier", "conditionsIgnoreRth", "conditionsCancelOrder"}


BLOCKS: list[tuple[str, Changes, str, int]] = [
    ("hedgeType", {"hedgeType": "D"}, "hedgeParam", 0),
    (
        "scalePriceIncrement",
        {"scalePriceIncrement": 0.5},
        "scalePriceAdjustValue scalePriceAdjustInterval scaleProfitOffset scaleAutoReset "
        "scaleInitPosition scaleInitFillQty scaleRandomPercent",
        0,
    ),
    (
        "deltaNeutralAuxPrice",
        {"deltaNeutralOrderType": "MKT"},
        "deltaNeutralConId deltaNeutralSettlingFirm deltaNeutralClearingAccount "
        "deltaNeutralClearingIntent deltaNeutralOpenClose deltaNeutralShortSale "
        "deltaNeutralShortSaleSlot deltaNeutralDesignatedLocation",
        0,
    ),
    (
        "randomizePrice",
        {"orderType": "PEG BENCH"},
        "referenceContractId isPeggedChangeAmountDecrease peggedChangeAmount "
        "referenceChangeAmount referenceExchangeId",
        0,
    ),
    ("manualOrderTime", {"exchange": "IBKRATS"}, "minTradeQty", 170),
    ("manualOrderTime", {"orderType": "PEG MID"}, "midOffsetAtWhole midOffsetAtHalf", 170),
    (
        "manualOrderTime",
        {"orderType": "PEG BEST", "competeAgainstBestOffset": float("inf")},
        "minCompeteSize competeAgainstBestOffset midOffsetAtWhole midOffsetAtHalf",
        170,
    ),
]
"""Blocks: the field they stand behind, what brings them, their fields, since which version."""


@VERSIONS
@pytest.mark.parametrize(("anchor", "opening", "names", "since"), BLOCKS)
async def test_each_attribute_of_a_block_follows_its_anchor(
    version: int, anchor: str, opening: Changes, names: str, since: int
) -> None:
    if version < since:
        return
    contract = Contract(exchange=opening.get("exchange", ""))
    changes = {name: value for name, value in opening.items() if name != "exchange"}
    plain = sent(version, contract, plain_order(**changes))
    assert len(plain) == len(places(version)) + len(names.split())
    expected = enumerate(names.split(), places(version).index(anchor) + 1)
    for place, name in ((place, name) for place, name in expected if name not in changes):
        value = changed(getattr(Order(), name))
        fields = sent(version, contract, plain_order(**changes, **{name: value}))
        pairs = zip(plain, fields, strict=True)
        assert [index for index, (a, b) in enumerate(pairs) if a != b] == [place]
        values = PLACE_ORDER.read(FieldReader(fields[1:], version))
        assert values[name] == fields[place]


@VERSIONS
async def test_repeated_groups_are_read_row_by_row(version: int) -> None:
    """ib.md 1.4: legs, their prices, routing, algorithm parameters, conditions, delta neutral."""
    delta_neutral = DeltaNeutralContract(8, 0.5, 9.5)
    contract = Contract(secType="BAG", comboLegs=[LEG, LEG], deltaNeutralContract=delta_neutral)
    order = plain_order(
        **COMBINATION,
        algoStrategy="Adaptive",
        algoParams=[TagValue("adaptivePriority", "Normal"), TagValue("b", "2")],
        conditions=CONDITIONS,
        conditionsCancelOrder=True,
    )
    fields = sent(version, contract, order)
    reader = FieldReader(fields[1:], version)
    values = PLACE_ORDER.read(reader)
    assert reader.remaining == 0
    assert values["comboLegs"] == (("5", "2", "BUY", "SMART", "1", "2", "there", "-1"),) * 2
    assert values["orderComboLegs"] == (("1.5",),)
    assert values["smartRouting"] == (("NonGuaranteed", "1"),)
    assert values["algoParams"] == (("adaptivePriority", "Normal"), ("b", "2"))
    assert [len(row) for row in values["conditions"]] == [7, 4, 4, 5, 6, 6]
    assert (values["conditionsIgnoreRth"], values["conditionsCancelOrder"]) == ("0", "1")
    assert (values["deltaNeutralContractConId"], values["deltaNeutralPrice"]) == ("8", "9.5")


@VERSIONS
async def test_the_broker_gets_the_terms_in_its_own_words(version: int) -> None:
    order = Order(
        action="SELL", totalQuantity=7, orderType="LMT", lmtPrice=5.25, tif="GTC", account="DU1",
        orderRef="ref", parentId=6, outsideRth=True, whatIf=True, transmit=False, rule80A="I",
    )  # fmt: skip
    order.algoStrategy, order.algoParams = "Adaptive", [TagValue("adaptivePriority", "Normal")]
    contract = Contract(conId=756733, symbol="SPY", secType="STK", strike=1.5, exchange="SMART")
    request = decode_request(sent(version, contract, order), version)
    assert request.contract == contracts.Contract(
        756733, "SPY", "STK", strike=Decimal("1.5"), exchange="SMART"
    )
    terms = orders.OrderTerms(
        "SELL", Decimal(7), "LMT", Decimal("5.25"), None, "GTC", "DU1", "ref", False, 6, True,
        "Adaptive", (("adaptivePriority", "Normal"),), True,
        {"openClose": "O", "exemptCode": "-1", "rule80A": "I"},
    )  # fmt: skip
    assert request == type(request)(3, request.contract, terms)
