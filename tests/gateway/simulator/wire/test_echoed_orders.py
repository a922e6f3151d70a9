"""openOrder and completedOrder held against ib_async's own decoder (design/ib.md 1.6, 1.7).

Each attribute of ib_async's Order is written alone: ib_async must find it in the attribute of the
same name and nowhere else.
"""

import dataclasses
from datetime import UTC
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from ib_async import Contract, DeltaNeutralContract, Order, OrderState, TagValue
from ib_async.decoder import Decoder
from ib_async.objects import SoftDollarTier
from ib_async.util import UNSET_DOUBLE, UNSET_INTEGER, dataclassAsTuple

from gateway.simulator import replies
from gateway.simulator.market import contracts
from gateway.simulator.orders import orders
from gateway.simulator.wire.messages import encode_reply
from gateway.simulator.wire.order_layouts import COMPLETED_ORDER, OPEN_ORDER, Table, Values
from tests.gateway.simulator.combinations import COMBINATION, CONDITIONS, LEG

VERSIONS = pytest.mark.parametrize("version", [157, 176, 178])
BOTH = pytest.mark.parametrize("table", [OPEN_ORDER, COMPLETED_ORDER], ids=["open", "completed"])


def words(text: str) -> set[str]:
    return set(text.split())


class Heard:
    """Stands in for ib_async's wrapper: keeps what its decoder hands on."""

    def __init__(self) -> None:
        self.arguments: tuple[Any, ...] = ()
        self.ib = SimpleNamespace(TimezoneTWS="")
        self.defaultTimezone = UTC

    def openOrder(self, *arguments: Any) -> None:  # noqa: N802 - ib_async's name
        self.arguments = arguments[1:]

    def completedOrder(self, *arguments: Any) -> None:  # noqa: N802 - ib_async's name
        self.arguments = arguments


def heard(fields: list[str], version: int) -> tuple[Contract, Order, OrderState]:
    """What ib_async makes of an openOrder or completedOrder."""
    listener: Any = Heard()
    decoder: Any = Decoder(listener, version)
    decoder.interpret(fields)
    contract, order, state = listener.arguments
    return contract, order, state


def open_order(**other: str) -> replies.OpenOrder:
    terms = orders.OrderTerms(quantity=Decimal(3), other=other)
    state = orders.OrderState("Submitted")
    return replies.OpenOrder(5, 1, 77, contracts.Contract(), terms, state)


def completed_order(**other: str) -> replies.CompletedOrder:
    terms = orders.OrderTerms(quantity=Decimal(3), other=other)
    return replies.CompletedOrder(77, contracts.Contract(), terms, "Cancelled", Decimal(0), "", "")


NOT_SHOWN = words(
    "algoId overridePercentageConstraints scaleTable activeStartTime activeStopTime "
    "extOperator mifid2DecisionMaker mifid2DecisionAlgo mifid2ExecutionTrader "
    "mifid2ExecutionAlgo advancedErrorOverride manualOrderTime transmit"
)
"""Attributes that clients send and no answer shows."""
NOT_OPEN = words(
    "autoCancelDate filledQuantity refFuturesConId shareholder imbalanceOnly "
    "routeMarketableToBbo parentPermId"
)
"""Attributes that only completedOrder shows."""
NOT_COMPLETED = words(
    "orderId clientId parentId whatIf blockOrder eTradeOnly firmQuoteOnly nbboPriceCap "
    "auctionStrategy optOutSmartRouting basisPoints basisPointsType adjustedOrderType "
    "triggerPrice adjustedStopPrice adjustedStopLimitPrice adjustedTrailingAmount "
    "adjustableTrailingUnit discretionaryUpToLimitPrice usePriceMgmtAlgo duration postToAts "
    "deltaNeutralSettlingFirm deltaNeutralClearingAccount deltaNeutralClearingIntent "
    "deltaNeutralOpenClose"
)
"""Attributes that only openOrder shows."""
ALWAYS_EMPTY = {"openClose"}
"""IB leaves it empty in its answers [recorded]."""
NEWER_SHOWN = words(
    "duration postToAts autoCancelParent minTradeQty minCompeteSize competeAgainstBestOffset "
    "midOffsetAtWhole midOffsetAtHalf"
)
OWN = words(
    "orderId clientId permId action totalQuantity orderType lmtPrice auxPrice tif account "
    "orderRef parentId outsideRth whatIf algoStrategy filledQuantity"
)
"""Attributes that the broker knows in its own words; they have their own tests."""


SWITCHES = {"conditionsIgnoreRth", "conditionsCancelOrder"}
"""They are there only with conditions, which have their own test."""
SCALE = words(
    "scalePriceAdjustValue scalePriceAdjustInterval scaleProfitOffset scaleAutoReset "
    "scaleInitPosition scaleInitFillQty scaleRandomPercent"
)
PEG_BENCH = words(
    "referenceContractId isPeggedChangeAmountDecrease peggedChangeAmount referenceChangeAmount "
    "referenceExchangeId"
)
TEXTS: dict[type, tuple[str, object]] = {
    bool: ("1", True),
    int: ("7", 7),
    float: ("7.5", 7.5),
    str: ("seven", "seven"),
}


def kind(name: str) -> type:
    return type(getattr(Order(), name))


def shown(table: Table, version: int) -> set[str]:
    """The attributes of ib_async's Order that a message shows at this version."""
    names = {field.name for field in dataclasses.fields(Order) if kind(field.name) in TEXTS}
    names -= NOT_SHOWN | ALWAYS_EMPTY | OWN | SWITCHES
    names -= NOT_OPEN if table is OPEN_ORDER else NOT_COMPLETED
    if version < 170:
        # A completed order shows autoCancelParent at every version.
        names -= NEWER_SHOWN - ({"autoCancelParent"} if table is COMPLETED_ORDER else set())
    return names - ({"faProfile"} if version >= 177 else set())


def opened_by(name: str) -> Values:
    """What brings the block in which an attribute stands."""
    if name in SCALE:
        return {"scalePriceIncrement": "0.5"}
    if name in PEG_BENCH:
        return {"orderType": "PEG BENCH"}
    return {"hedgeType": "D"} if name == "hedgeParam" else {}


def as_read(table: Table, values: Values, version: int) -> Values:
    """The attributes of the order that ib_async reads; a tier is a new object every time."""
    number = "5" if table is OPEN_ORDER else "101"
    order = heard([number, *table.write(values, version)], version)[1]
    return vars(order) | {"softDollarTier": dataclasses.astuple(order.softDollarTier)}


@VERSIONS
@BOTH
def test_each_attribute_we_write_is_read_by_ib_async_as_itself(table: Table, version: int) -> None:
    """All but those in the broker's own words."""
    wrong = {}
    for name in sorted(shown(table, version)):
        text, value = TEXTS[kind(name)]
        plain = as_read(table, opened_by(name), version)
        order = as_read(table, opened_by(name) | {name: text}, version)
        moved = {key: order[key] for key in order if order[key] != plain[key]}
        if moved != {name: value}:
            wrong[name] = moved
    assert wrong == {}


@VERSIONS
def test_ib_async_reads_what_the_broker_says_in_its_own_words(version: int) -> None:
    before, change, after = (
        orders.Margin(*(Decimal(number) for number in range(first, first + 3)))
        for first in (1, 4, 7)
    )
    commissions = Decimal(10), Decimal(11), Decimal(12)
    state = orders.OrderState("Submitted", before, change, after, *commissions, "USD", "careful")
    terms = orders.OrderTerms(
        "SELL", Decimal(7), "LMT", Decimal("5.25"), Decimal("4.5"), "GTC", "DU1", "ref", True, 6,
        True, "Adaptive", (("adaptivePriority", "Normal"),), True, {"ocaGroup": "group"},
    )  # fmt: skip
    spy = contracts.Contract(
        9, "SPY", "STK", "20260116", Decimal("1.5"), "C", "100", "SMART", "ARCA", "USD", "L", "T"
    )
    reply = replies.OpenOrder(5, 1, 77, spy, terms, state)
    contract, order, seen = heard(encode_reply(reply, version), version)
    assert contract == Contract(
        conId=9, symbol="SPY", secType="STK", lastTradeDateOrContractMonth="20260116", strike=1.5,
        right="C", multiplier="100", exchange="SMART", currency="USD", localSymbol="L",
        tradingClass="T",
    )  # fmt: skip
    assert {name: getattr(order, name) for name in OWN - {"filledQuantity"}} == {
        "orderId": 5, "clientId": 1, "permId": 77, "action": "SELL", "totalQuantity": 7,
        "orderType": "LMT", "lmtPrice": 5.25, "auxPrice": 4.5, "tif": "GTC", "account": "DU1",
        "orderRef": "ref", "parentId": 6, "outsideRth": True, "whatIf": True,
        "algoStrategy": "Adaptive",
    }  # fmt: skip
    assert order.algoParams == [TagValue("adaptivePriority", "Normal")]
    said = ("Submitted", *"123456789", 10.0, 11.0, 12.0, "USD", "careful", "", "")
    assert dataclasses.astuple(seen) == said


@VERSIONS
def test_ib_async_reads_a_completed_order(version: int) -> None:
    """ib.md 1.7: no order id, no client id, a total quantity of 0 for a filled order."""
    spy = contracts.Contract(9, "SPY", "STK", exchange="SMART", currency="USD")
    terms = orders.OrderTerms("SELL", Decimal(7), "MKT", tif="DAY", order_ref="ref")
    reply = replies.CompletedOrder(77, spy, terms, "Filled", Decimal(7), "time", "Filled Size: 7")
    contract, order, state = heard(encode_reply(reply, version), version)
    assert (contract.conId, contract.symbol) == (9, "SPY")
    assert (order.orderId, order.clientId, order.permId) == (0, 0, 77)
    assert (order.totalQuantity, order.filledQuantity, order.orderRef) == (0, 7, "ref")
    assert (state.status, state.completedTime) == ("Filled", "time")
    assert state.completedStatus == "Filled Size: 7"


@VERSIONS
@BOTH
def test_ib_async_reads_repeated_groups_row_by_row(table: Table, version: int) -> None:
    rows = [
        tuple("1" if x is True else str(x) for x in dataclassAsTuple(item)) for item in CONDITIONS
    ]
    values: Values = {
        "comboLegs": (("5", "2", "BUY", "SMART", "1", "2", "there", "-1"),) * 2,
        "orderComboLegs": (("1.5",),),
        "smartRouting": (("NonGuaranteed", "1"),),
        "conditions": tuple(rows),
        "conditionsCancelOrder": "1",
        "deltaNeutral": "1",
        "deltaNeutralContractConId": "8",
        "deltaNeutralDelta": "0.5",
        "deltaNeutralPrice": "9.5",
        "softDollarTierName": "name",
        "softDollarTierVal": "value",
    }
    number = "5" if table is OPEN_ORDER else "101"
    contract, order, _ = heard([number, *table.write(values, version)], version)
    assert contract.comboLegs == [LEG, LEG]
    assert contract.deltaNeutralContract == DeltaNeutralContract(8, 0.5, 9.5)
    assert order.orderComboLegs == COMBINATION["orderComboLegs"]
    assert order.smartComboRoutingParams == COMBINATION["smartComboRoutingParams"]
    assert order.conditions == CONDITIONS
    assert order.conditionsCancelOrder is True
    tier = SoftDollarTier("name", "value", "") if table is OPEN_ORDER else SoftDollarTier()
    assert order.softDollarTier == tier


@VERSIONS
def test_what_an_order_does_not_say_is_unset_for_ib_async(version: int) -> None:
    _, order, state = heard(encode_reply(open_order(), version), version)
    assert (order.minQty, order.nbboPriceCap) == (UNSET_INTEGER, UNSET_DOUBLE)
    assert (order.lmtPrice, order.exemptCode, order.ocaType) == (0, -1, 3)
    assert (state.commission, state.initMarginBefore) == (UNSET_DOUBLE, "1.7976931348623157E308")


def test_the_delta_neutral_type_is_the_word_none() -> None:
    """ib.md 1.6, recorded: the word None, and so eight more fields."""
    _, order, _ = heard(encode_reply(open_order(), 178), 178)
    assert (order.deltaNeutralOrderType, order.deltaNeutralOpenClose) == ("None", "?")
    _, order, _ = heard(encode_reply(completed_order(), 178), 178)
    assert order.deltaNeutralOrderType == "None"


@pytest.mark.parametrize(
    ("index", "text"),
    [(3, "SPY"), (13, "BUY"), (23, "ref"), (25, "77"), (61, "None"), (92, "0"), (93, "Filled")],
)
def test_an_open_order_says_each_thing_at_its_place(index: int, text: str) -> None:
    """ib.md 1.6, indexes at 178."""
    contract = contracts.Contract(con_id=1, symbol="SPY", security_type="STK")
    state = orders.OrderState("Filled")
    reply = replies.OpenOrder(5, 1, 77, contract, orders.OrderTerms(order_ref="ref"), state)
    assert encode_reply(reply, 178)[index] == text


@pytest.mark.parametrize(("index", "text"), [(13, "0"), (22, "ref"), (23, "77"), (86, "10")])
def test_a_completed_order_says_each_thing_at_its_place(index: int, text: str) -> None:
    """ib.md 1.7: total quantity 0 for a filled order, the filled quantity near the end."""
    asked = orders.OrderTerms(quantity=Decimal(10), order_ref="ref")
    contract = contracts.Contract()
    reply = replies.CompletedOrder(77, contract, asked, "Filled", Decimal(10), "", "")
    assert encode_reply(reply, 178)[index] == text


def test_the_shares_allocation_names_order_account_and_quantity() -> None:
    """ib.md 1.6: field 30, `<permId>.0/<account>/<quantity>`; clients skip it."""
    assert encode_reply(open_order(), 178)[30] == "77.0//3"
