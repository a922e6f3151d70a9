"""The three big layouts: placeOrder (3), openOrder (5), completedOrder (101).

They are lists of IB's attribute names in wire order, with version gates, defaults and the blocks
that appear only under a condition. A token reads `name=default>=since<until`; a name that begins
with an underscore is never filled from an order, its default always stands.
Source: design/ib.md 1.4, 1.6, 1.7 (recorded from a real gateway and checked by machine).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.simulator.codec import UNSET_DOUBLE, UNSET_INTEGER
from gateway.simulator.wire import VERSION_ANY_MAX, FieldReader

Values = dict[str, Any]
"""IB's attribute name to its text; a repeated group's name to a tuple of tuples of texts."""

_TOKEN = re.compile(r"(\w+)(?:=([^<>]*))?(?:>=(\d+))?(?:<(\d+))?")
_ALIASES = {"UNSET": UNSET_DOUBLE, "UNSET_INT": UNSET_INTEGER}


@dataclass(frozen=True, slots=True)
class Name:
    """One attribute at its place, and what stands there when the order says nothing."""

    name: str
    default: str
    since: int
    until: int

    def read(self, reader: FieldReader, values: Values) -> None:
        """Take the field if this version has it."""
        if self.since <= reader.version < self.until:
            values[self.name] = reader.take()

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """The order's own text, or the default where it has none."""
        if not self.since <= version < self.until:
            return []
        text = "" if self.name.startswith("_") else values.get(self.name, "")
        return [text or self.default]


@dataclass(frozen=True, slots=True)
class Block:
    """Segments that are there only when a condition on what came before holds."""

    applies: Callable[[Mapping[str, Any]], bool]
    segments: "Segments"

    def read(self, reader: FieldReader, values: Values) -> None:
        """Read the block if it is there."""
        if self.applies(values):
            read_segments(self.segments, reader, values)

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """Write the block if it belongs there."""
        return write_segments(self.segments, values, version) if self.applies(values) else []


@dataclass(frozen=True, slots=True)
class Group:
    """A count and that many rows of equal width."""

    name: str
    width: int

    def read(self, reader: FieldReader, values: Values) -> None:
        """Read the count and the rows."""
        count = reader.take_count()
        values[self.name] = tuple(reader.take_many(self.width) for _ in range(count))

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """Write the count (never empty) and the rows."""
        del version
        rows = values.get(self.name, ())
        return [str(len(rows)), *(text for row in rows for text in row)]


CONDITION_WIDTHS = {"1": 6, "3": 3, "4": 3, "5": 4, "6": 5, "7": 5}
"""Fields of an order condition after its type: price, time, margin, execution, volume, percent."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """A count, conditions of different widths, and two switches when there are any."""

    def read(self, reader: FieldReader, values: Values) -> None:
        """Read count, conditions, switches."""
        rows = []
        for _ in range(reader.take_count()):
            kind = reader.take()
            rows.append((kind, *reader.take_many(CONDITION_WIDTHS.get(kind, 5))))
        values["conditions"] = tuple(rows)
        if rows:
            values["conditionsIgnoreRth"], values["conditionsCancelOrder"] = reader.take_many(2)

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """Write count, conditions, switches."""
        del version
        rows = values.get("conditions", ())
        written = [str(len(rows)), *(text for row in rows for text in row)]
        switches = ("conditionsIgnoreRth", "conditionsCancelOrder")
        return [*written, *(values.get(name) or "0" for name in switches)] if rows else written


Segment = Name | Block | Group | Conditions
Segments = tuple[Segment, ...]


def read_segments(segments: Segments, reader: FieldReader, values: Values) -> Values:
    """Fill `values` from the fields and return it."""
    for segment in segments:
        segment.read(reader, values)
    return values


def write_segments(segments: Segments, values: Mapping[str, Any], version: int) -> list[str]:
    """The fields of these segments in order."""
    written: list[str] = []
    for segment in segments:
        written += segment.write(values, version)
    return written


def names(text: str) -> Segments:
    """Parse tokens separated by blanks."""
    return tuple(_name(token) for token in text.split())


def _name(token: str) -> Name:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ValueError(f"bad layout token {token!r}")
    default = match[2] or ""
    return Name(
        match[1],
        _ALIASES.get(default, default),
        int(match[3] or 0),
        int(match[4] or VERSION_ANY_MAX),
    )


def has(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: the attribute is not empty."""
    return lambda values: bool(values.get(name))


def is_one(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: the flag is set."""
    return lambda values: values.get(name) == "1"


def is_in(name: str, *texts: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: the attribute has one of these values."""
    return lambda values: values.get(name) in texts


def is_positive(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: a number greater than 0 that is not one of IB's unset values."""

    def test(values: Mapping[str, Any]) -> bool:
        text = values.get(name) or "0"
        try:
            return 0 < float(text) < 1e300
        except ValueError:
            return False

    return test


_IS_BAG = is_in("secType", "BAG")
_IS_PEG_BENCH = is_in("orderType", "PEG BENCH", "PEGBENCH")
_CONTRACT_11 = names(
    "conId symbol secType lastTradeDate strike=0 right=? multiplier exchange currency "
    "localSymbol tradingClass"
)
_ALGO = Block(has("algoStrategy"), (Group("algoParams", 2),))
_DELTA_NEUTRAL_CONTRACT = Block(
    is_one("deltaNeutral"), names("deltaNeutralContractConId deltaNeutralDelta deltaNeutralPrice")
)
_SCALE = Block(
    is_positive("scalePriceIncrement"),
    names(
        "scalePriceAdjustValue scalePriceAdjustInterval scaleProfitOffset scaleAutoReset "
        "scaleInitPosition scaleInitFillQty scaleRandomPercent"
    ),
)
_PEG_BENCH = Block(
    _IS_PEG_BENCH,
    names(
        "referenceContractId isPeggedChangeAmountDecrease peggedChangeAmount "
        "referenceChangeAmount referenceExchangeId"
    ),
)
_HEDGE = Block(has("hedgeType"), names("hedgeParam"))
_LEGS: Segments = (Group("comboLegs", 8), Group("orderComboLegs", 1), Group("smartRouting", 2))
_MID_OFFSETS = names("midOffsetAtWhole midOffsetAtHalf")


def _from_170(*segments: Segment) -> Segment:
    return Block(lambda values: int(values["version"]) >= 170, segments)


PLACE_ORDER: Segments = (
    *names(
        "orderId conId symbol secType lastTradeDate strike right multiplier exchange "
        "primaryExchange currency localSymbol tradingClass secIdType secId "
        "action totalQuantity orderType lmtPrice auxPrice tif ocaGroup account openClose origin "
        "orderRef transmit parentId blockOrder sweepToFill displaySize triggerMethod outsideRth "
        "hidden"
    ),
    Block(_IS_BAG, _LEGS),
    *names(
        "_sharesAllocation discretionaryAmt goodAfterTime goodTillDate faGroup faMethod "
        "faPercentage faProfile<177 modelCode shortSaleSlot designatedLocation exemptCode ocaType "
        "rule80A settlingFirm allOrNone minQty percentOffset eTradeOnly firmQuoteOnly nbboPriceCap "
        "auctionStrategy startingPrice stockRefPrice delta stockRangeLower stockRangeUpper "
        "overridePercentageConstraints volatility volatilityType deltaNeutralOrderType "
        "deltaNeutralAuxPrice"
    ),
    Block(
        has("deltaNeutralOrderType"),
        names(
            "deltaNeutralConId deltaNeutralSettlingFirm deltaNeutralClearingAccount "
            "deltaNeutralClearingIntent deltaNeutralOpenClose deltaNeutralShortSale "
            "deltaNeutralShortSaleSlot deltaNeutralDesignatedLocation"
        ),
    ),
    *names(
        "continuousUpdate referencePriceType trailStopPrice trailingPercent scaleInitLevelSize "
        "scaleSubsLevelSize scalePriceIncrement"
    ),
    _SCALE,
    *names("scaleTable activeStartTime activeStopTime hedgeType"),
    _HEDGE,
    *names("optOutSmartRouting clearingAccount clearingIntent notHeld deltaNeutral"),
    _DELTA_NEUTRAL_CONTRACT,
    *names("algoStrategy"),
    _ALGO,
    *names("algoId whatIf orderMiscOptions solicited randomizeSize randomizePrice"),
    _PEG_BENCH,
    Conditions(),
    *names(
        "adjustedOrderType triggerPrice lmtPriceOffset adjustedStopPrice adjustedStopLimitPrice "
        "adjustedTrailingAmount adjustableTrailingUnit extOperator softDollarTierName "
        "softDollarTierVal cashQty mifid2DecisionMaker mifid2DecisionAlgo mifid2ExecutionTrader "
        "mifid2ExecutionAlgo dontUseAutoPriceForHedge isOmsContainer discretionaryUpToLimitPrice "
        "usePriceMgmtAlgo duration>=158 postToAts>=160 autoCancelParent>=162 "
        "advancedErrorOverride>=166 manualOrderTime>=169"
    ),
    _from_170(
        Block(is_in("exchange", "IBKRATS"), names("minTradeQty")),
        Block(
            is_in("orderType", "PEG BEST", "PEGBEST"),
            (
                *names("minCompeteSize competeAgainstBestOffset"),
                Block(is_in("competeAgainstBestOffset", "Infinite"), _MID_OFFSETS),
            ),
        ),
        Block(is_in("orderType", "PEG MID", "PEGMID"), _MID_OFFSETS),
    ),
)

_PEG_TAIL = names(
    "minTradeQty=UNSET_INT>=170 minCompeteSize=UNSET_INT>=170 "
    "competeAgainstBestOffset=UNSET>=170 midOffsetAtWhole=UNSET>=170 midOffsetAtHalf=UNSET>=170"
)

OPEN_ORDER: Segments = (
    *names("orderId"),
    *_CONTRACT_11,
    *names(
        "action totalQuantity orderType lmtPrice=0.0 auxPrice=0.0 tif ocaGroup account _openClose "
        "origin=0 orderRef clientId=0 permId=0 outsideRth=0 hidden=0 discretionaryAmt=0 "
        "goodAfterTime sharesAllocation faGroup faMethod faPercentage faProfile<177 modelCode "
        "goodTillDate rule80A percentOffset=UNSET settlingFirm shortSaleSlot=0 designatedLocation "
        "exemptCode=-1 auctionStrategy=0 startingPrice=UNSET stockRefPrice=UNSET delta=UNSET "
        "stockRangeLower=UNSET stockRangeUpper=UNSET displaySize=UNSET_INT blockOrder=0 "
        "sweepToFill=0 allOrNone=0 minQty=UNSET_INT ocaType=3 eTradeOnly=0 firmQuoteOnly=0 "
        "nbboPriceCap=UNSET parentId=0 triggerMethod=0 volatility=UNSET volatilityType=0 "
        "deltaNeutralOrderType=None deltaNeutralAuxPrice=UNSET deltaNeutralConId=0 "
        "deltaNeutralSettlingFirm deltaNeutralClearingAccount deltaNeutralClearingIntent "
        "deltaNeutralOpenClose=? deltaNeutralShortSale=0 deltaNeutralShortSaleSlot=0 "
        "deltaNeutralDesignatedLocation continuousUpdate=0 referencePriceType=0 "
        "trailStopPrice=UNSET trailingPercent=UNSET basisPoints=UNSET basisPointsType=UNSET_INT "
        "comboLegsDescrip"
    ),
    *_LEGS,
    *names("scaleInitLevelSize=UNSET_INT scaleSubsLevelSize=UNSET_INT scalePriceIncrement=UNSET"),
    _SCALE,
    *names("hedgeType"),
    _HEDGE,
    *names("optOutSmartRouting=0 clearingAccount clearingIntent=IB notHeld=0 deltaNeutral=0"),
    _DELTA_NEUTRAL_CONTRACT,
    *names("algoStrategy"),
    _ALGO,
    *names(
        "solicited=0 whatIf=0 status initMarginBefore=UNSET maintMarginBefore=UNSET "
        "equityWithLoanBefore=UNSET initMarginChange=UNSET maintMarginChange=UNSET "
        "equityWithLoanChange=UNSET initMarginAfter=UNSET maintMarginAfter=UNSET "
        "equityWithLoanAfter=UNSET commission=UNSET minCommission=UNSET maxCommission=UNSET "
        "commissionCurrency warningText randomizeSize=0 randomizePrice=0"
    ),
    _PEG_BENCH,
    Conditions(),
    *names(
        "adjustedOrderType=None triggerPrice=UNSET trailStopPrice=UNSET lmtPriceOffset=UNSET "
        "adjustedStopPrice=UNSET adjustedStopLimitPrice=UNSET adjustedTrailingAmount=UNSET "
        "adjustableTrailingUnit=0 softDollarTierName softDollarTierVal softDollarTierDisplay "
        "cashQty=0 dontUseAutoPriceForHedge=0 isOmsContainer=0 discretionaryUpToLimitPrice=0 "
        "usePriceMgmtAlgo=0 duration=UNSET_INT>=158 postToAts=UNSET_INT>=160 "
        "autoCancelParent=0>=162"
    ),
    *_PEG_TAIL,
)

COMPLETED_ORDER: Segments = (
    *_CONTRACT_11,
    *names(
        "action totalQuantity=0 orderType lmtPrice=0.0 auxPrice=0.0 tif ocaGroup account "
        "_openClose origin=0 orderRef permId=0 outsideRth=0 hidden=0 discretionaryAmt=0 "
        "goodAfterTime faGroup faMethod faPercentage faProfile<177 modelCode goodTillDate rule80A "
        "percentOffset=UNSET settlingFirm shortSaleSlot=0 designatedLocation exemptCode=-1 "
        "startingPrice=UNSET stockRefPrice=UNSET delta=UNSET stockRangeLower=UNSET "
        "stockRangeUpper=UNSET displaySize=UNSET_INT sweepToFill=0 allOrNone=0 minQty=UNSET_INT "
        "ocaType=3 triggerMethod=0 volatility=UNSET volatilityType=0 deltaNeutralOrderType=None "
        "deltaNeutralAuxPrice=UNSET deltaNeutralConId=0 deltaNeutralShortSale=0 "
        "deltaNeutralShortSaleSlot=0 deltaNeutralDesignatedLocation continuousUpdate=0 "
        "referencePriceType=0 trailStopPrice=UNSET trailingPercent=UNSET comboLegsDescrip"
    ),
    *_LEGS,
    *names("scaleInitLevelSize=UNSET_INT scaleSubsLevelSize=UNSET_INT scalePriceIncrement=UNSET"),
    _SCALE,
    *names("hedgeType"),
    _HEDGE,
    *names("clearingAccount clearingIntent=IB notHeld=0 deltaNeutral=0"),
    _DELTA_NEUTRAL_CONTRACT,
    *names("algoStrategy"),
    _ALGO,
    *names("solicited=0 status randomizeSize=0 randomizePrice=0"),
    _PEG_BENCH,
    Conditions(),
    *names(
        "trailStopPrice=UNSET lmtPriceOffset=UNSET cashQty=0 dontUseAutoPriceForHedge=0 "
        "isOmsContainer=0 autoCancelDate filledQuantity=0 refFuturesConId=0 autoCancelParent=0 "
        "shareholder imbalanceOnly=0 routeMarketableToBbo=0 parentPermId=0 completedTime "
        "completedStatus"
    ),
    *_PEG_TAIL,
)
